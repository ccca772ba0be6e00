"""Holds the rows of a table, in whatever order a database gives them, against those that the seed gives.

A table with an id is compared slot by slot, any other by its key, or as a multiset where it has none.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_export import entity_digest
from esdh_proof.checks.finding import to_mask
from numpy.typing import NDArray

from esdh_load.expected import ExpectedTable
from esdh_load.findings import TableFindings

__all__ = ["NO_LOAD", "Comparison", "joined_digest"]

NO_LOAD = "a row of a load: it says that it is generated, and no load has it"
_OWN = "nothing: it is a row of the testers' own"


class Comparison(ABC):
    """The comparison of one table, which takes its rows by `add` and ends with `finish`."""

    def __init__(self, expected: ExpectedTable, others: Sequence[ExpectedTable] = ()) -> None:
        """Take the table of the load that is verified, and the same table of other loads, whose rows are passed over."""
        self.expected = expected
        self.others = others
        self.findings = TableFindings(expected.table.name)
        self._marker = expected.table.field_with("marker")

    @abstractmethod
    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows as they are in the database; fields are the table's, in order."""

    @abstractmethod
    def finish(self) -> TableFindings:
        """Return what was found, once all rows were added."""

    @abstractmethod
    def close(self) -> None:
        """Remove what was put outside memory."""

    def record_of(self, slot: int) -> int | None:
        """Return the record that a row is of, None in a fixed table."""
        table = self.expected.table
        return None if table.is_fixed else slot // table.span

    def bears_marker(self, rows: pa.RecordBatch) -> NDArray[np.bool_]:
        """Return which rows have the marker of the dataset."""
        if self._marker is None:
            return np.zeros(len(rows), dtype=np.bool_)
        same = pc.equal(rows.column(self._marker), self.expected.dataset.marker)
        return to_mask(pc.fill_null(same, False))

    def meet(self, rows: pa.RecordBatch, key: Sequence[str], forged: NDArray[np.bool_], reason: str) -> None:
        """Note rows of no load, those that say that they are generated and the others."""
        for kind, why in ((True, reason), (False, _OWN)):
            some = rows.filter(pa.array(forged == kind))
            if len(some):
                at = pc.index(some.column(key[0]), pc.min(some.column(key[0]))).as_py()
                first = some.slice(max(at, 0), 1).to_pylist()[0]
                self.findings.meet(
                    len(some),
                    key={name: first[name] for name in key},
                    marker=first.get(self._marker or ""),
                    forged=kind,
                    reason=why,
                )


def joined_digest(digests: dict[int, list[bytes]]) -> str:
    """Return the content digest of a table from the block digests of its blocks, by their numbers."""
    return entity_digest(each for number in sorted(digests) for each in digests[number])
