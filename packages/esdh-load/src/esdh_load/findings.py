"""What comparing a table of a database with its seed finds: rows that differ, are missing, or are of no load."""

from collections.abc import Mapping

import msgspec
from esdh_proof.findings import display

__all__ = ["RowFailure", "Tally", "TableFindings"]


class RowFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One failure, exactly: in which table, of which row and field, what is there and what should be.

    `key` are the fields that name the row, with their values (all fields, in a table without a key); it is empty where
    the failure isn't one row's. `record` is the row's record in the load, from 0, None where it has none. `found` is None
    for a null or for something that is missing.
    """

    table: str
    key: dict[str, str | None] = {}
    record: int | None = None
    field: str | None = None
    found: str | None
    expected: str


class Tally:
    """How many rows there are of a kind, and the first of them by a position that its finder chooses."""

    def __init__(self) -> None:
        self.count = 0
        self.first: RowFailure | None = None
        self._position: tuple[int, str] | None = None

    def add(self, count: int, position: tuple[int, str], failure: RowFailure) -> None:
        """Add rows, of which `failure` is the first."""
        self.count += count
        if self._position is None or position < self._position:
            self._position, self.first = position, failure


class TableFindings:
    """What was found in one table: rows of the load that differ or are missing, and rows of no load.

    A row of no load is `forged` where it says that it is generated, by its id or its marker, else it is the testers' own.
    `digest` is that of the load's rows as they were read, `expected_digest` that of the rows made again.
    """

    def __init__(self, table: str) -> None:
        self.table = table
        self.rows = 0
        self.differing, self.missing, self.forged, self.own = Tally(), Tally(), Tally(), Tally()
        self.digest = ""
        self.expected_digest = ""

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """The tallies by their names."""
        return {name: getattr(self, name) for name in ("differing", "missing", "forged", "own")}


def key_of(row: Mapping[str, object]) -> dict[str, str | None]:
    """Return the values that name a row as messages show them."""
    return {name: display(value) for name, value in row.items()}
