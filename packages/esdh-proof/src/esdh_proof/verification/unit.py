"""Rows that are looked at together: some records, and what the seed gives for them."""

from collections.abc import Iterator, Mapping

import pyarrow as pa
from esdh_core import Table
from esdh_core.columns import Column
from esdh_core.dataset import Block
from esdh_export import EncodedBlock

from esdh_proof.reading import Rows

__all__ = ["MadeArrays", "Unit"]


class MadeArrays(Mapping[str, pa.Array]):
    """The Arrow arrays of columns that were made: each is put together when it is asked for, and shared as its column is."""

    def __init__(self, encoded: EncodedBlock, columns: Mapping[str, Column]) -> None:
        self._encoded, self._columns = encoded, columns

    def __getitem__(self, field: str) -> pa.Array:
        return self._encoded.array(self._columns[field])

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


class Unit:
    """Rows that are looked at together, and what the seed gives for them: some records, or every fixed row.

    `block` has their slots and parents, whether or not their columns are made; `encoded` has those that are.
    """

    def __init__(self, block: Block, encoded: EncodedBlock | None) -> None:
        self.block = block
        self.encoded = encoded
        self._checked: set[tuple[object, ...]] = set()
        self._memo: dict[object, object] = {}

    def is_new(self, content: tuple[object, ...]) -> bool:
        """Return whether this content hasn't been checked yet."""
        new = content not in self._checked
        self._checked.add(content)
        return new

    def rows_of_seed(self, table: Table, file: str, start: int) -> Rows:
        """Return the rows of a table that the seed gives, for a file that holds their bytes from row `start` on."""
        if self.encoded is None:
            raise TypeError("no column of these rows was made")
        columns = self.encoded.columns[table.name]
        return Rows(file, start, MadeArrays(self.encoded, columns), None, columns=columns, memo=self._memo)
