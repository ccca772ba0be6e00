"""The records of a window as a list of defects leaves them, and the labels of what is wrong in them.

They are made anew for every request: nothing of them is kept beside the clean rows of other requests.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from esdh_core import Block, IdError, Located, RequestError, Table, canonical_id, locate_row
from esdh_core.overlay import DefectiveRows, Label, LabelRow, Overlay
from msgspec import Meta

from esdh_api.requests import Window
from esdh_api.row_cache import Part
from esdh_api.rows import json_value, json_values

__all__ = ["PlacedLabel", "StruckBlock", "WrittenRow", "find_struck", "label_rows"]

_MOST_SEARCHED: Final = 1 << 17  # records that are looked through for the first places of an `exactly`


class PlacedLabel(LabelRow, frozen=True):
    """A label, and where the rows that it is of stand in an answer."""

    rows: Annotated[
        list[int],
        Meta(
            description="Where its row stands in the answer's list of the table, from 0; twice where it is there twice"
        ),
    ]


class WrittenRow(NamedTuple):
    """A row as it is written: the place of the clean row that it is, or is a second one of, and its own slot."""

    place: int
    slot: int


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
        if not self._overlay.moves_rows(table):
            return len(self.block_of(table).level(table).slots)
        return len(self.rows(table))

    def labels(self, tables: Iterable[Table]) -> list[Label]:
        """Return the labels of some tables in the order of a snapshot's: those of fixed tables first."""
        labels = [label for table in tables for label in self._of(table).labels]
        fixed = {table.name for table in self._overlay.dataset.tables if table.is_fixed}
        return sorted(labels, key=lambda label: (label.table not in fixed, label))

    def placed_labels(self, tables: Iterable[Table]) -> list[PlacedLabel]:
        """Return the labels of some tables, each with the places of its row among the rows of its table."""
        tables = list(tables)
        places: dict[str, dict[int | None, list[int]]] = {}
        for table in tables:
            of_table = places.setdefault(table.name, {})
            for at, row in enumerate(self.rows(table)):
                of_table.setdefault(row.slot, []).append(at)
        return [
            PlacedLabel(**_label_values(label), rows=places[label.table].get(label.slot, []))
            for label in self.labels(tables)
        ]

    def structs(self, table: Table, block: Block) -> list[msgspec.Struct]:
        """Return a table's rows, as `block_structs` does of clean ones. The block is `block_of` the table."""
        columns, edits, _ = self._of(table)
        values = []
        for name, column in edits.written(columns).items():
            own = list(json_values(column, block.values(column) if edits.order is None else column.tolist()))
            for row, value in edits.cells.get(name, {}).items():
                own[row] = json_value(column, value)
            values.append(own)
        return [table.record(*row) for row in zip(*values, strict=True)]

    def rows(self, table: Table) -> list[WrittenRow]:
        """Return which clean row each of a table's rows is."""
        clean, edits = self.block_of(table).level(table).slots, self._of(table).edits
        places = range(len(clean)) if edits.order is None else edits.order.tolist()
        slots = self._overlay.written_slots(table, clean, edits).tolist()
        return list(map(WrittenRow, places, slots))

    def block_of(self, table: Table) -> Block:
        """Return the block that has a table's rows."""
        return self._overlay.dataset.block_of(table, self._block)

    def _of(self, table: Table) -> DefectiveRows:
        if table not in self._rows:
            self._rows[table] = self._overlay.apply(table, self.block_of(table))
        return self._rows[table]


def find_struck(overlay: Overlay, id: str) -> tuple[Located, StruckBlock]:  # noqa: A002 - the field's name
    """Return the row that an id names where defects are laid over its dataset, with the block that it stands in.

    Of a second row it is the place of the first, under the second's id. Raises IdError for an id of no row, and RequestError
    for one so far from record 0 that it isn't known what strikes it.
    """
    dataset = overlay.dataset
    origin = dataset.ids.decode(id)
    table = dataset.table(origin.entity)
    if any(each.effect == "second" for _, each in overlay.of_table(table)):
        with suppress(IdError, RequestError):
            near = overlay.far_slot(table, origin.index)
            found = Located(
                canonical_id(id), origin, *dataset.locate(msgspec.structs.replace(origin, index=near))
            )
            struck = StruckBlock(overlay, found.block)
            if any(row.slot == origin.index for row in struck.rows(table)):
                return found, struck
    located = locate_row(dataset, id)
    return located, StruckBlock(overlay, located.block)


def label_rows(labels: Iterable[Label]) -> list[LabelRow]:
    """Return labels as rows of a snapshot's table of them."""
    return [LabelRow(**_label_values(label)) for label in labels]


def _label_values(label: Label) -> dict[str, Any]:
    return {name: getattr(label, name) for name in LabelRow.__struct_fields__}
