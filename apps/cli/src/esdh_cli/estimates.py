"""What a snapshot will hold: rows and bytes, counted where it is small and scaled from a sample where it isn't."""

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from esdh_core import Dataset, Table
    from esdh_core.columns import Column

__all__ = ["Estimate", "estimate"]

_COUNTED_ROWS = 1 << 20  # of which only counts are drawn
_WRITTEN_ROWS = 20_000  # of which files are made in memory


class Estimate(NamedTuple):
    """The rows of a table, whether they are counted, and the bytes of its file by format."""

    rows: int
    exact: bool
    sizes: dict[str, int]


class _Counter:
    """Counts what a format writes, and keeps nothing."""

    closed = False

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: bytes | memoryview) -> int:
        """Count some bytes."""
        size = memoryview(data).nbytes
        self.bytes += size
        return size

    def flush(self) -> None:
        """Do nothing, as a file that has nothing to write."""

    def close(self) -> None:
        """Do nothing: Arrow closes what it writes to."""


def estimate(dataset: "Dataset", records: int) -> "dict[str, Estimate]":
    """Return what so many records of the default seed give, by table."""
    mean = sum((table.mean for table in dataset.tables if not table.is_fixed), Fraction(0)) or Fraction(1)
    counted = max(1, min(records, int(_COUNTED_ROWS / mean)))
    written = max(1, min(records, int(_WRITTEN_ROWS / mean)))
    block = dataset.block(0, counted)
    found = {}
    for table in dataset.tables:
        rows = len(dataset.block_of(table, block).level(table).slots)
        if not table.is_fixed:
            rows = round(Fraction(rows * records, counted))
        found[table.name] = Estimate(
            rows, table.is_fixed or counted == records, _sizes(dataset, table, rows, written)
        )
    return found


def _sizes(dataset: "Dataset", table: "Table", rows: int, written: int) -> dict[str, int]:
    import numpy as np
    from esdh_export import FORMATS

    columns = dataset.columns(0, written, tables=[table.name])[table.name]
    if table.is_fixed:
        some = np.arange(min(_WRITTEN_ROWS, rows))
        columns = {name: column.take(some) for name, column in columns.items()}
    sampled = len(next(iter(columns.values())))
    sizes = {}
    for name in (each for each in FORMATS if each != "json"):  # a document of all tables
        empty, full = _size(dataset, table, name, None), _size(dataset, table, name, columns)
        sizes[name] = empty + (round(Fraction((full - empty) * rows, sampled)) if sampled else 0)
    return sizes


def _size(dataset: "Dataset", table: "Table", name: str, columns: "dict[str, Column] | None") -> int:
    from esdh_core.constants import DEFAULT_SEED
    from esdh_export import FORMATS, EncodedBlock

    counter = _Counter()
    writer = FORMATS[name].Writer(counter, table, dataset=dataset, seed=DEFAULT_SEED)
    if columns is not None:
        writer.write(EncodedBlock({table.name: columns}))
    writer.close()
    return counter.bytes
