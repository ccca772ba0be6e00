"""One wrong row, for a test: a defect of a kind laid over a single row of some, with the clean one beside it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from esdh_core import encode_id
from esdh_core.dataset import Block, Dataset, Table
from esdh_core.located import structs
from esdh_core.overlay import Defect, DefectiveRows, LabelRow, Overlay

from esdh_plan.defects.kind import Misfit, TableTarget
from esdh_plan.defects.overlay import FIELD_KINDS, KINDS, OF_FILES, ROW_KINDS, remake
from esdh_plan.errors import PlanError, near, word_list

__all__ = ["UnfitError", "WrongRow", "defect_words", "overlay_of_one", "wrong_row"]

_AROUND: Final = 8  # records whose rows are given beside one that is wrong among rows
_WITH: Final = "with"


class UnfitError(ValueError):
    """A defect that can't be: one sentence says what and why."""


@dataclass(frozen=True)
class WrongRow:
    """A row with one defect, and the clean one.

    `row` is the wrong row as its table's Struct, whose values are what stands there: a null or a text where its type has none.
    It is None where the row is missing. `clean` is the row as it is without the defect: of a near duplicate the row that it is a
    second one of. `rows` are the rows of the table around it, in the order in which a file has them, and `clean_rows` without the
    defect: those of its record, or where the row is wrong among rows of up to eight. `labels` are as a snapshot's
    table `defects` has them, `id` is the clean row's, and `words` are the defect as a list has it.
    """

    kind: str
    table: str
    id: str
    row: Any
    clean: Any
    rows: Sequence[Any]
    clean_rows: Sequence[Any]
    labels: Sequence[LabelRow]
    words: Mapping[str, Any]

    @property
    def label(self) -> LabelRow:
        """The first label: of the wrong cell, or of the row that is wrong as a whole."""
        return self.labels[0]

    @property
    def fields(self) -> list[str]:
        """The fields that hold another value: none of a row that is twice there, missing or elsewhere."""
        return [label.field for label in self.labels if label.field is not None]

    @property
    def field(self) -> str:
        """The first of these fields. LookupError for a row that is wrong as a whole."""
        if not self.fields:
            raise LookupError(f"{self.kind!r} is of the whole row, and no field of it is another; see `rows`")
        return self.fields[0]

    @property
    def found(self) -> Any:
        """What stands in `field` of the wrong row. LookupError as there."""
        return getattr(self.row, self.field)

    @property
    def clean_value(self) -> Any:
        """What stands in `field` of the clean row. LookupError as there."""
        return getattr(self.clean, self.field)

    def __str__(self) -> str:
        if not self.fields:
            return f"{self.kind} of {self.table}: {self.id}"
        cells = (
            f"{name} is {getattr(self.row, name)!r}, not {getattr(self.clean, name)!r}"
            for name in self.fields
        )
        return f"{self.kind} of {self.table}: {'; '.join(cells)}"


def defect_words(
    dataset: Dataset, table: Table, kind: str, *, field: str | None = None, **more: Any
) -> list[dict[str, Any]]:
    """Return the defects of a kind that may strike rows of a table, as a list has them: one for each field that fits.

    `more` are the further keys of a defect, such as `with_`; those that are None are passed over. Raises UnfitError for a kind that
    there isn't, that is of files, or that fits no field of the table, with what would fit.
    """
    keys = {name.rstrip("_"): value for name, value in more.items() if value is not None}
    if kind not in KINDS:
        known = [each for each in KINDS if each not in OF_FILES]
        raise UnfitError(
            f"there is no kind of defect {kind!r}{near(kind, known)}; there are {word_list(known, 'and')}"
        )
    if kind in OF_FILES:
        raise UnfitError(
            f"{kind!r} is of files, and this gives a row; make a snapshot with it (`esdh generate-snapshot`)"
        )
    words = {"kind": kind, "table": table.name, "rate": 1, **keys}
    if kind in ROW_KINDS or field is not None:
        found = [words if field is None else {**words, "field": field}]
    else:
        found = [{**words, "field": name} for name in _fields(dataset, table, kind)]
    if kind == "swapped_fields" and _WITH not in keys:
        found = [
            {**each, _WITH: other} for each in found for other in _partners(dataset, table, each)
        ] or found
    if not found:
        raise UnfitError(_no_field(dataset, table, kind))
    return found


def _fields(dataset: Dataset, table: Table, kind: str) -> Iterator[str]:
    target = TableTarget(dataset=dataset, table=table, more={})
    for rule in table.rules:
        if rule.role != "marker" and FIELD_KINDS[kind].suits(target.field(rule)):
            yield rule.name


def _partners(dataset: Dataset, table: Table, words: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields with which a field can change places."""
    for rule in table.rules:
        if rule.name != words["field"]:
            continue
        for other in table.fields:
            target = TableTarget(dataset=dataset, table=table, more={"with_": other}).field(rule)
            with suppress(Misfit):
                FIELD_KINDS["swapped_fields"].make(target)
                yield other


def _no_field(dataset: Dataset, table: Table, kind: str) -> str:
    fitting = [each.name for each in dataset.tables if any(_fields(dataset, each, kind))]
    where = (
        f"tables that have some are {word_list(fitting, 'and')}"
        if fitting
        else "no other table has any either"
    )
    return f"{kind!r} is for {FIELD_KINDS[kind].fits}, and {table.name} has none; {where}"


@lru_cache(maxsize=256)
def overlay_of_one(dataset: Dataset, words: str) -> Overlay:
    """Return the overlay of one defect, from its words as JSON. Raises UnfitError for one that can't be."""
    try:
        return remake(dataset, b'{"esdh": "defects/1", "defects": [' + words.encode() + b"]}")
    except PlanError as error:
        raise UnfitError("; ".join(fault.reason for fault in error.faults)) from None


def wrong_row(dataset: Dataset, words: Mapping[str, Any], block: Block, draw: int) -> WrongRow | None:
    """Return a row over a block with a defect, None where it strikes none; `draw` decides which of those that it could strike.

    Raises UnfitError for a defect that can't be.
    """
    (defect,) = overlay_of_one(dataset, json.dumps(words)).defects
    if defect.reaches_far:
        block = _in_first_quarter(dataset, block)
    able = _slots(dataset, defect, dataset.block_of(defect.table, block))
    for at in range(len(able)):
        slot = able[(draw + at) % len(able)]
        found = _struck(dataset, defect, words, slot, _around(dataset, defect, block, slot))
        # A row that moves to where a block begins may already stand there.
        if defect.effect != "earlier" or list(found.rows) != list(found.clean_rows):
            return found
    return None


def _in_first_quarter(dataset: Dataset, block: Block) -> Block:
    """Return the block that stands for another among the records whose second rows have ids that are no other row's."""
    room = max(1, dataset.max_records // 4)
    start = block.start % room
    return dataset.block(start, min(block.count, room - start), block.seed)


def _slots(dataset: Dataset, defect: Defect, block: Block) -> list[int]:
    """Return the slots of the rows of a block that a defect strikes."""
    overlay = _overlay(dataset, defect)
    labels = overlay.apply(defect.table, block).labels
    slots = (
        overlay.far_slot(defect.table, each.slot or 0) if defect.effect == "second" else each.slot
        for each in labels
    )
    return sorted({slot for slot in slots if slot is not None})


def _overlay(dataset: Dataset, defect: Defect) -> Overlay:
    return Overlay(dataset, [defect], recipe=b"", remake=remake)


def _around(dataset: Dataset, defect: Defect, block: Block, slot: int) -> Block:
    """Return the records whose rows are given beside a row: its own, or for a defect among rows also those before it and after."""
    if defect.table.is_fixed:
        return dataset.block_of(defect.table, block)
    record = slot // defect.table.span
    if defect.effect == "cells":
        return dataset.block(record, 1, block.seed)
    first = max(block.start, record - _AROUND + 1)
    return dataset.block(first, min(_AROUND, dataset.max_records - first), block.seed)


def _struck(dataset: Dataset, defect: Defect, words: Mapping[str, Any], slot: int, block: Block) -> WrongRow:
    """Return the row of a slot with a defect that strikes no other."""
    table = defect.table

    def is_it(of: Block) -> Any:
        return of.level(table).slots == np.uint64(slot)

    found = _overlay(dataset, replace(defect, where=is_it)).apply(table, block)
    place = int(np.flatnonzero(is_it(block))[0])
    order = found.edits.order
    places = [place] if order is None else np.flatnonzero(order == place).tolist()
    rows, clean_rows = _written(table, found), structs(table, found.columns)
    names = LabelRow.__struct_fields__
    return WrongRow(
        kind=defect.kind,
        table=table.name,
        id=encode_id(block.seed, table.entity, slot, dataset=dataset),
        row=rows[places[-1]] if places else None,  # of copies and second rows the one behind
        clean=clean_rows[place],
        rows=rows,
        clean_rows=clean_rows,
        labels=[LabelRow(*(getattr(label, name) for name in names)) for label in sorted(found.labels)],
        words=words,
    )


def _written(table: Table, found: DefectiveRows) -> list[Any]:
    """Return the rows that are written, as Structs that hold what stands there."""
    values = []
    for name, column in found.edits.written(found.columns).items():
        own: list[Any] = column.tolist()
        for row, value in found.edits.cells.get(name, {}).items():
            own[row] = value
        values.append(own)
    return [table.record(*row) for row in zip(*values, strict=True)]
