"""The records of a window as a list of defects leaves them, and the labels of what is wrong in them.

They are made anew for every request: nothing of them is kept beside the clean rows of other requests.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from esdh_core import Block, Table
from esdh_core.overlay import DefectiveRows, Label, LabelRow, Overlay

from esdh_api.requests import Window
from esdh_api.row_cache import Part
from esdh_api.rows import json_value, json_values

__all__ = ["StruckBlock", "label_rows"]

_MOST_SEARCHED: Final = 1 << 17  # records that are looked through for the first places of an `exactly`


class StruckBlock:
    """The rows over a block with defects laid over them."""

    def __init__(self, overlay: Overlay, block: Block) -> None:
        """Raise RequestError for a block so far from record 0 that the places of an `exactly` aren't known there."""
        overlay.check_reach(block.dataset.tables, block.start + block.count, block.seed, _MOST_SEARCHED)
        self._overlay = overlay
        self._block = block
        self._rows: dict[Table, DefectiveRows] = {}

    @classmethod
    def of_window(cls, overlay: Overlay, window: Window) -> "StruckBlock":
        """Return the records of a window; as for clean ones RequestError is raised for those that the dataset has no room for."""
        overlay.dataset.check_records(window.start + window.records)
        return cls(overlay, overlay.dataset.block(window.start, window.records, window.seed))

    def texts(self, part: Part) -> list[bytes]:
        """Return the rows of a part, in order."""
        return part.encode(part.table, self.block_of(part.table), self.structs)

    def count(self, table: Table) -> int:
        """Return how many rows of a table there are."""
        return len(self.block_of(table).level(table).slots)

    def labels(self, tables: Iterable[Table]) -> list[Label]:
        """Return the labels of some tables in the order of a snapshot's: those of fixed tables first."""
        tables = list(tables)
        fixed = [label for table in tables if table.is_fixed for label in self._of(table).labels]
        others = [label for table in tables if not table.is_fixed for label in self._of(table).labels]
        return sorted(fixed) + sorted(others)

    def structs(self, table: Table, block: Block) -> list[msgspec.Struct]:
        """Return a table's rows, as `block_structs` does of clean ones. The block is `block_of` the table."""
        found, values = self._of(table), []
        for name, column in found.columns.items():
            own = list(json_values(column, block.values(column)))
            for row, value in found.edits.cells.get(name, {}).items():
                own[row] = json_value(column, value)
            values.append(own)
        return [table.record(*row) for row in zip(*values, strict=True)]

    def block_of(self, table: Table) -> Block:
        """Return the block that has a table's rows."""
        return self._overlay.dataset.block_of(table, self._block)

    def _of(self, table: Table) -> DefectiveRows:
        if table not in self._rows:
            self._rows[table] = self._overlay.apply(table, self.block_of(table))
        return self._rows[table]


def label_rows(labels: Iterable[Label]) -> list[LabelRow]:
    """Return labels as rows of a snapshot's table of them."""
    names = LabelRow.__struct_fields__
    return [LabelRow(*(getattr(label, name) for name in names)) for label in labels]
