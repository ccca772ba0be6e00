"""A row found by its id: the row itself, the rows above it, and the whole record that it stands in."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from esdh_core.columns import Column
from esdh_core.dataset import Block, Dataset, Table
from esdh_core.ids import RecordId, canonical_id

__all__ = ["Located", "locate_row", "structs"]

Rows = dict[str, Column]


@dataclass(frozen=True)
class Located:
    """The row that an id names: its place in `block`, which holds its record, or all rows of a fixed table.

    Rows are given as columns; `structs` makes Structs of them.
    """

    id: str
    origin: RecordId
    table: Table
    block: Block
    place: int

    @property
    def row(self) -> Rows:
        """The row, as columns of one value."""
        return self._rows(self.table, np.array([self.place]))

    @property
    def parents(self) -> dict[str, Rows]:
        """The rows above it, by table: the nearest first, the record's last."""
        return {
            table.name: self._rows(table, np.array([place]))
            for table, place in self.line.items()
            if table is not self.table
        }

    @property
    def line(self) -> dict[Table, int]:
        """Where the row and those above it stand in `block`, by table: the row first, the record's own last."""
        found, above = {self.table: self.place}, self.table.parent
        while above is not None:
            at = self.block.rows_of(self.table, above)
            found[above] = self.place if at is None else int(at[self.place])
            above = above.parent
        return found

    @property
    def tree(self) -> dict[str, Rows]:
        """The whole record, by table: the row at the top, and every row below it."""
        top = self.table.top
        return {
            table.name: self._rows(table, self._below(table))
            for table in self.block.dataset.tables
            if table.top is top
        }

    @property
    def place_in_tree(self) -> int:
        """Which of the rows of its table in `tree` the row is."""
        return int(np.searchsorted(self._below(self.table), self.place))

    def parent_rows(self, table: Table) -> list[int | None]:
        """Return, for each row of a table in `tree`, which of its parent's rows there it hangs below; None at the top."""
        own = self._below(table)
        if table.parent is None:
            return [None] * len(own)
        at = self.block.rows_of(table, table.parent)
        above = own if at is None else at[own]
        return [int(each) for each in np.searchsorted(self._below(table.parent), above)]

    def _below(self, table: Table) -> NDArray[np.intp]:
        """Return where the record's rows of a table are in the block."""
        slots = self.block.level(table).slots
        number = np.uint64(self.origin.index // self.table.span)
        return np.flatnonzero(slots // np.uint64(table.span) == number)

    def _rows(self, table: Table, at: NDArray[np.intp]) -> Rows:
        return {name: column.take(at) for name, column in table.columns(self.block).items()}


def locate_row(dataset: Dataset, value: str | UUID) -> Located:
    """Return the row of a dataset that an id names; no other record is made.

    Raises IdError, with the reason, for what is no id of the dataset, or the id of a row that there isn't.
    """
    origin = dataset.decode(value)
    return Located(canonical_id(value), origin, *dataset.locate(origin))


def structs(table: Table, rows: Rows) -> list[Any]:
    """Return rows of a table as its Structs."""
    return [table.record(*values) for values in zip(*(each.tolist() for each in rows.values()), strict=True)]
