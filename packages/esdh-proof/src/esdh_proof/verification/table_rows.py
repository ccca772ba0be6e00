"""The rows of a table with defects: as they are without, as files have them, and which of their cells and rows are labelled.

Which differ is found here by comparing, not taken from what labels them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from esdh_core import Table
from esdh_core.columns import Column, Numbers
from esdh_core.dataset import Block
from esdh_core.overlay import Damage, Edits, Label, Overlay, value_text
from esdh_export import EncodedBlock
from esdh_export.encoding.buffers import integer_array
from esdh_export.encoding.edits import edited_array
from numpy.typing import NDArray

from esdh_proof.checks import differing
from esdh_proof.checks.finding import Mask
from esdh_proof.findings import display
from esdh_proof.reading import Rows
from esdh_proof.verification.unit import MadeArrays

__all__ = ["Second", "TableRows"]

Cells = Mapping[str, Mapping[int, Any]]


class Second(NamedTuple):
    """A row behind another that has most of its values: the written row, the label that tells of it, and the fields with one."""

    written: int
    label: Label | None
    fields: frozenset[str]


class _Arrays(MadeArrays):
    """The Arrow arrays of columns some of whose cells are wrong; a null where a value is none of the field's type."""

    def __init__(self, encoded: EncodedBlock, columns: Mapping[str, Column], cells: Cells) -> None:
        super().__init__(encoded, columns)
        self._cells = cells
        self._edited: dict[str, pa.Array] = {}

    def __getitem__(self, field: str) -> pa.Array:
        if field not in self._cells:
            return super().__getitem__(field)
        if field not in self._edited:
            column = self._columns[field]
            self._edited[field] = _edited(super().__getitem__(field), column, self._cells[field])
        return self._edited[field]


def _edited(values: pa.Array, column: Column, cells: Mapping[int, Any]) -> pa.Array:
    return edited_array(values, {at: value if _fits(value, column) else None for at, value in cells.items()})


def _fits(value: Any, column: Column) -> bool:
    """Return whether a value is of a column's type, or null: texts alone may stand where they don't belong."""
    return not (isinstance(value, str) and isinstance(column, Numbers))


class TableRows:
    """The rows of a table in a block. Positions are those of clean rows, but where it says that they are of written ones.

    `labelled` says of each field, and of None for the rows themselves, which have a label. `rows` are the clean ones, each
    once and in its place, with the wrong cells that they have where they are first written: what cells hold can be
    checked there, whichever rows are missing, moved or written again. `first` is the number of the first written row.
    """

    def __init__(
        self,
        table: Table,
        block: Block,
        overlay: Overlay,
        *,
        file: str,
        first: int,
    ) -> None:
        self.table, self.first = table, first
        defective = overlay.apply(table, block)
        self._columns, self._edits = defective.columns, defective.edits
        self.slots: NDArray[np.uint64] = block.level(table).slots
        self._encoded = EncodedBlock({table.name: defective.columns})
        self.labels = defective.labels
        own = [_slot(label) for label in defective.labels]
        known = np.isin(np.array(own, np.uint64), self.slots)
        own = [
            slot if here else overlay.far_slot(table, slot)
            for slot, here in zip(own, known.tolist(), strict=True)
        ]
        self.positions = np.minimum(
            np.searchsorted(self.slots, np.array(own, np.uint64)), max(len(self.slots) - 1, 0)
        ).tolist()
        """The row of each label, of one of a second row the one before."""
        self.of_second = (~known).tolist()
        self.labelled: dict[str | None, Mask] = {}
        for label, position, second in zip(self.labels, self.positions, self.of_second, strict=True):
            if not second:
                self.labelled.setdefault(label.field, self.no_row())[position] = True
        self._arrange()
        columns = {name: column for name, column in defective.columns.items() if name not in self._cells}
        start = block.start if table.one_a_record else first
        self.rows = Rows(
            file, start, _Arrays(self._encoded, defective.columns, self._cells), None, columns=columns
        )

    def _arrange(self) -> None:
        """Find out what each written row is: the clean one, a copy of it, or a second row."""
        count = len(self.slots)
        order = self._edits.order
        self._seconds_of: dict[int, list[Label]] = defaultdict(list)
        for label, position, second in zip(self.labels, self.positions, self.of_second, strict=True):
            if second and label.field is None:
                self._seconds_of[position].append(label)
        if order is None:
            self.order, self.is_second = np.arange(count), self.no_row()
            self.copies, self._primary = np.ones(count, dtype=np.intp), np.arange(count)
            self._cells: Cells = self._edits.cells
            return
        self.order = order
        self.is_second = np.zeros(len(order), dtype=np.bool_)
        self.is_second[list(self._edits.seconds)] = True
        copies = np.flatnonzero(~self.is_second)[
            ::-1
        ]  # so that the first of several is the last that is taken
        self.copies = np.bincount(order[copies], minlength=count)
        self._primary = np.full(count, -1)
        self._primary[order[copies]] = copies
        cells = {
            name: {int(order[at]): value for at, value in of.items() if self._primary[order[at]] == at}
            for name, of in self._edits.cells.items()
        }
        self._cells = {name: of for name, of in cells.items() if of}

    @property
    def edited_fields(self) -> list[str]:
        """The fields in which a clean row has a wrong cell."""
        return list(self._cells)

    def no_row(self) -> Mask:
        """Return that it is so for no row."""
        return np.zeros(len(self.slots), dtype=np.bool_)

    @property
    def written(self) -> Edits:
        """What is wrong with the written rows."""
        return self._edits

    def clean(self, name: str) -> pa.Array:
        """Return the values that a field would have without defects."""
        return self._encoded.array(self._columns[name])

    def is_labelled(self, name: str | None) -> Mask:
        """Return which cells of a field, or which rows, have a label."""
        return self.labelled.get(name, self.no_row())

    @cached_property
    def as_written(self) -> Rows:
        """The rows as files have them."""
        written = self._edits.written(self._columns)
        encoded = EncodedBlock({self.table.name: written})
        return Rows(
            self.rows.file, self.first, _Arrays(encoded, written, self._edits.cells), None, columns={}
        )

    @cached_property
    def _written_differences(self) -> dict[str, Mask]:
        """Which cells of each field differ from the clean ones, by written rows."""
        found = {}
        for name, cells in self._edits.cells.items():
            clean, column = self.clean(name), self._columns[name]
            if self._edits.order is not None:
                clean = clean.take(integer_array(self.order))
            wrong = differing(_edited(clean, column, cells), clean)
            wrong[[at for at, value in cells.items() if not _fits(value, column)]] = True
            found[name] = wrong
        return found

    @cached_property
    def differences(self) -> dict[str, Mask]:
        """Which cells of each field differ from the clean ones, wherever the row or a copy of it is written."""
        found = {}
        for name, wrong in self._written_differences.items():
            found[name] = self.no_row()
            found[name][self.order[wrong & ~self.is_second]] = True
        for position, damage in self._damage():
            if damage.is_of_cell:
                found.setdefault(damage.field, self.no_row())[position] = True
        return found

    def _damage(self) -> Iterator[tuple[int, Damage]]:
        for at, damage in self._edits.damage.items():
            for each in damage:
                yield int(self.order[at]), each

    def damaged(self) -> Iterator[tuple[int, list[Damage], dict[str, Any]]]:
        """Yield the rows with wrong bytes: what is wrong with each, and the values that it is meant to have."""
        where = [at for at in self._edits.damage if self._primary[self.order[at]] == at]
        positions = self.order[where]
        columns = {name: column.take(positions).tolist() for name, column in self._columns.items()}
        for number, at in enumerate(where):
            position = int(positions[number])
            values = {
                name: self._cells.get(name, {}).get(position, of[number]) for name, of in columns.items()
            }
            yield position, self._edits.damage[at], values

    def column(self, name: str) -> Column:
        """Return the column of a field without defects."""
        return self._columns[name]

    @cached_property
    def missing(self) -> Mask:
        """Which rows aren't written."""
        missing: Mask = self.copies == 0
        return missing

    def moved(self, among: Mask | None = None) -> Mask:
        """Return which rows are written before one that they should follow; `among` some written rows."""
        written = ~self.is_second if among is None else among
        order = self.order[written]
        moved = self.no_row()
        if len(order) > 1:
            later = np.minimum.accumulate(order[::-1])[::-1]
            moved[order[:-1][order[:-1] > later[1:]]] = True
        return moved

    @cached_property
    def row_differences(self) -> Mask:
        """Which rows are missing, written more than once, before one that they should follow, or of other cells."""
        wrong = self.no_row()
        if self._edits.order is not None:
            wrong |= (self.copies != 1) | self.moved()
        wrong[[position for position, damage in self._damage() if not damage.is_of_cell]] = True
        return wrong

    def seconds(self) -> Iterator[Second]:
        """Yield the second rows, each with its label."""
        fields: dict[tuple[int, int], set[str]] = defaultdict(set)
        for label, position, second in zip(self.labels, self.positions, self.of_second, strict=True):
            if second and label.field is not None:
                fields[position, label.defect_number].add(label.field)
        seen: dict[int, int] = defaultdict(int)
        for at in np.flatnonzero(self.is_second).tolist():
            position = int(self.order[at])
            own = next(iter(sorted(self._seconds_of[position])[seen[position] :]), None)
            seen[position] += 1
            labelled = fields[position, own.defect_number] if own is not None else ()
            yield Second(at, own, frozenset(labelled))

    def differences_of(self, second: Second) -> frozenset[str]:
        """Return the fields in which a second row differs from the clean row before it."""
        return frozenset(name for name, wrong in self._written_differences.items() if wrong[second.written])

    def misfits(self, name: str) -> Mask:
        """Return which values of a field are of another type."""
        mask, column = self.no_row(), self._columns[name]
        mask[[at for at, value in self._cells.get(name, {}).items() if not _fits(value, column)]] = True
        return mask

    def text(self, name: str, position: int) -> str | None:
        """Return what stands in a cell."""
        cells = self._cells.get(name, {})
        value = cells[position] if position in cells else self.clean(name)[position].as_py()
        text = display(value_text(value))
        wrong = (position, name) in ((at, damage.field) for at, damage in self._damage() if damage.is_of_cell)
        return f"{text}, in wrong bytes" if wrong else text

    def clean_text(self, name: str, position: int) -> str:
        """Return what would stand in a cell without defects."""
        return display(value_text(self.clean(name)[position].as_py())) or "null"

    def number(self, position: int) -> int:
        """Return the number of the written row of a clean one, of one that is missing that of the next."""
        at = int(self._primary[position])
        return self.first + (at if at >= 0 else int((self.order < position).sum()))


def _slot(label: Label) -> int:
    if label.slot is None:
        raise TypeError(f"{label.defect_id} is no label of a row")
    return label.slot
