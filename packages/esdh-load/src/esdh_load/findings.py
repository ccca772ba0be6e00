"""What comparing a table of a database with its seed finds: rows that differ, are missing, or are of no load."""

from collections.abc import Mapping

import msgspec
from esdh_proof.findings import display

__all__ = ["RowFailure", "TableFindings", "Tally"]

Position = tuple[int, str]


class RowFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One failure, exactly: in which table, of which row and field, what is there and what should be.

    `key` are the fields that name the row, with their values (all fields, in a table without a key), and empty where
    the failure isn't one row's. `record` is the row's record in the load, from 0, None where it has none. `found` is
    None for a null or for something that is missing.
    """

    table: str
    key: dict[str, str | None] = {}
    record: int | None = None
    field: str | None = None
    found: str | None
    expected: str


class Tally:
    """How many failures of a kind there are, and the first of them by the position that its finder gives."""

    def __init__(self) -> None:
        self.count = 0
        self.first: RowFailure | None = None
        self._position: Position | None = None

    def add(self, count: int, position: Position, failure: RowFailure) -> None:
        """Add failures, the first of which is `failure`."""
        self.count += count
        if self._position is None or position < self._position:
            self._position, self.first = position, failure


class TableFindings:
    """What was found in a table.

    Rows of the load are `differing` or `missing`, or hold values `unreadable` as their type. A row of no load is
    `forged` where it says by its id or its marker that it is generated; else it is the testers' `own`. `digest` is
    that of the load's rows as they were read, `expected_digest` that of the rows made again, of which there are
    `expected_rows`.
    """

    def __init__(self, table: str) -> None:
        self.table = table
        self.rows = self.expected_rows = 0
        self.differing, self.missing, self.unreadable = Tally(), Tally(), Tally()
        self.forged, self.own = Tally(), Tally()
        self.digest = self.expected_digest = ""

    def differ(
        self,
        count: int,
        slot: int,
        *,
        key: Mapping[str, object],
        record: int | None,
        field: str,
        found: object,
        expected: object,
    ) -> None:
        """Say that rows differ; the first of them is named."""
        failure = RowFailure(
            table=self.table,
            key=_texts(key),
            record=record,
            field=field,
            found=display(found),
            expected="nothing" if expected is None else str(display(expected)),
        )
        self.differing.add(count, (slot, ""), failure)

    def miss(self, count: int, slot: int, *, key: Mapping[str, object], record: int | None) -> None:
        """Say that rows are missing; the first of them is named."""
        failure = RowFailure(table=self.table, key=_texts(key), record=record, found=None, expected="a row")
        self.missing.add(count, (slot, ""), failure)

    def meet(
        self, count: int, *, key: Mapping[str, object], marker: object, forged: bool, reason: str
    ) -> None:
        """Say that rows are of no load, and why the first of them isn't."""
        failure = RowFailure(
            table=self.table,
            key=_texts(key),
            found=f"a row whose marker is {display(marker)!r}",
            expected=reason,
        )
        (self.forged if forged else self.own).add(count, (0, str(failure.key)), failure)


def _texts(key: Mapping[str, object]) -> dict[str, str | None]:
    return {name: display(value) for name, value in key.items()}
