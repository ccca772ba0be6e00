"""Which rows a report means: row numbers, keys and slots, all brought to slots."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from esdh_core import IdError, Table
from esdh_plan.errors import near
from numpy.typing import NDArray

from esdh_proof.errors import ProofError
from esdh_proof.scoring.finding import RowReference
from esdh_proof.scoring.labels import DUPLICATE_ROW, MISSING_ROW
from esdh_proof.scoring.snapshot import Key, LabelledSnapshot
from esdh_proof.scoring.texts import read_texts

__all__ = ["RowFinder"]

_CANDIDATES = 8  # rows that one row of a file is compared with

Slots = tuple[int, ...]
Named = tuple[RowReference, str]
"""A row as a report names it, and where in the report."""


@dataclass
class _Unsure:
    """A row of a file whose key may be another row's: its cells, and the keys of the nearest rows that are sure."""

    number: int
    key: Key
    cells: dict[str, str | None]
    before: Key | None
    after: Key | None = None


class RowFinder:
    """Brings the rows that a report names to slots.

    A row of the file is known by its key, whatever rows are missing, doubled or moved. Where its key itself is wrong, the labels say
    whose it may be, and the rows around it and its other cells which of them it is.
    """

    def __init__(self, snapshot: LabelledSnapshot) -> None:
        self._snapshot = snapshot
        self._changed_keys: dict[str, dict[Key, list[int]]] = {}
        self._orders: dict[str, NDArray[np.uint64]] = {}

    def table_of_id(self, text: str, where: str) -> Table:
        """Return the table of which an id is, also where it is an id that a defect has changed; ProofError for no table's."""
        snapshot = self._snapshot
        try:
            origin = snapshot.dataset.ids.decode(text)
            if (problem := snapshot.problem_of_id(origin)) is None:
                return snapshot.table(origin.entity, where)
        except IdError as error:
            problem = str(error)
        for table in snapshot.tables:
            if table.field_with("id") and self._changed(table).get((text or None,)):
                return table
        raise ProofError(f"{where}: id {text!r} is of no row of the snapshot: {problem}")

    def slots(self, table: Table, rows: Iterable[Named]) -> dict[RowReference, Slots]:
        """Return the slots of each row; several where more than one row of the file has the key that a report gives.

        Raises ProofError for a number or a key that the file has no row of.
        """
        found: dict[RowReference, Slots] = {}
        numbers: dict[int, str] = {}
        keys: dict[Key, str] = {}
        for row, where in rows:
            if row.slot is not None:
                found[row] = (self._checked(table, row.slot, where),)
            elif row.number is not None:
                numbers.setdefault(row.number, where)
            else:
                keys.setdefault(tuple(text or None for text in row.key), where)
        if numbers:
            by_number = self._by_number(table, numbers)
            found |= {RowReference(number=number): (slot,) for number, slot in by_number.items()}
        if keys:
            by_key = self._by_key(table, keys)
            found |= {RowReference(key=tuple(text or "" for text in key)): by_key[key] for key in keys}
        return found

    def _checked(self, table: Table, slot: int, where: str) -> int:
        if not self._snapshot.has_slot(table, slot):
            last = self._snapshot.records(table) * table.span - 1
            raise ProofError(f"{where}: slot {slot} is of no row of {table.name}; the last slot is {last}")
        return slot

    def _changed(self, table: Table) -> dict[Key, list[int]]:
        """Return the keys that aren't their rows' own, since a cell of theirs is labelled, each with the slots of these rows."""
        if table.name not in self._changed_keys:
            keys: dict[Key, list[int]] = defaultdict(list)
            fields = self._snapshot.key_fields(table)
            wrong: dict[int, dict[str, str | None]] = defaultdict(dict)
            for name in fields:
                for text, labels in self._snapshot.labels.found_in(table.name, name).items():
                    for label in labels:
                        wrong[label.slot or 0][name] = text
            for slot in sorted(wrong):
                cells = wrong[slot]
                texts = (
                    cells[name] if name in cells else self._snapshot.clean_text(table, slot, name) or None
                    for name in fields
                )
                keys[tuple(texts)].append(slot)
            self._changed_keys[table.name] = dict(keys)
        return self._changed_keys[table.name]

    def _by_key(self, table: Table, keys: dict[Key, str]) -> dict[Key, Slots]:
        fields = self._snapshot.key_fields(table)
        changed = self._changed(table)
        owners = self._snapshot.slots_of_keys(table, keys) if fields else {}
        slots: dict[Key, Slots] = {}
        for key, where in keys.items():
            own = [owners[key]] if key in owners else []
            slots[key] = tuple(sorted({*own, *changed.get(key, [])}))
            if not slots[key]:
                label = ", ".join(f"{name} {text!r}" for name, text in zip(fields, key, strict=False))
                hint = near(key[0], [other[0] for other in changed if other[0]]) if key[0] else ""
                raise ProofError(
                    f"{where}: no row of {table.name} has {label or f'the key {key}'}{self._why(table, key)}{hint}"
                )
        return slots

    def _why(self, table: Table, key: Key) -> str:
        """Return why an id is of no row of a table."""
        if self._snapshot.key_fields(table) != (table.field_with("id"),):
            return ""
        try:
            problem = self._snapshot.problem_of_id(self._snapshot.dataset.ids.decode(key[0] or ""), table)
        except IdError as error:
            problem = str(error)
        return f": {problem}" if problem else ""

    def _by_number(self, table: Table, numbers: dict[int, str]) -> dict[int, int]:
        last = max(numbers)
        fields = self._snapshot.key_fields(table)
        slots = self._in_order(table, numbers) if not fields else self._along(table, fields, numbers)
        if last not in slots:
            raise ProofError(
                f"{numbers[last]}: row {last} of {table.name} is beyond its {self._rows(table):,} rows, which are counted from 0; "
                "say with --first-row what number the report gives the first row"
            )
        return slots

    def _rows(self, table: Table) -> int:
        return sum(1 for _ in self._texts(table, table.fields[:1]))

    def _texts(self, table: Table, fields: tuple[str, ...]) -> Iterator[tuple[str | None, ...]]:
        snapshot = self._snapshot
        return read_texts(snapshot.folder, table.name, snapshot.manifest.dataset_version, fields)

    def _along(self, table: Table, fields: tuple[str, ...], numbers: dict[int, str]) -> dict[int, int]:
        """Return the slots of rows by their numbers, from their keys."""
        last, changed = max(numbers), self._changed(table)
        # Where keys are wrong, what else stands in a row helps to say which it is.
        names = (*fields, *(name for name in table.fields if name not in fields)) if changed else fields
        sure: dict[int, Key] = {}
        unsure: list[_Unsure] = []
        open_rows: list[_Unsure] = []  # those after the last sure row
        before: Key | None = None
        for number, cells in enumerate(self._texts(table, names)):
            if number > last and not open_rows:
                break
            texts = tuple(text or None for text in cells)
            key = texts[: len(fields)]
            if key in changed:
                open_rows.append(_Unsure(number, key, dict(zip(names, texts, strict=True)), before))
                continue
            for row in open_rows:
                row.after = key
            unsure += open_rows
            open_rows = []
            before = key
            if number in numbers:
                sure[number] = key
        unsure += open_rows
        ends = {key for row in unsure for key in (row.key, row.before, row.after) if key is not None}
        owners = self._snapshot.slots_of_keys(table, ends | set(sure.values()))
        slots = {number: owners[key] for number, key in sure.items() if key in owners}
        for row in unsure:
            slots[row.number] = self._resolve(table, row, slots.get(row.number - 1), owners)
        for number in (
            sure.keys() - slots.keys()
        ):  # a key of nobody's, which no label explains: in a damaged file
            slots[number] = self._at_place(table, number)
        return slots

    def _resolve(self, table: Table, row: "_Unsure", previous: int | None, owners: dict[Key, int]) -> int:
        """Return the slot of a row whose key is labelled: one of the rows that have this key, between its neighbours'."""
        candidates = sorted(
            {*self._changed(table)[row.key], *([owners[row.key]] if row.key in owners else [])}
        )
        if previous is None:
            previous = owners.get(row.before, -1) if row.before is not None else -1
        limit = owners.get(row.after) if row.after is not None else None
        between = [slot for slot in candidates if previous <= slot and (limit is None or slot <= limit)]
        if len(between) == 1 and 2 * self._likeness(table, between[0], row.cells) > len(row.cells):
            return between[0]
        near_by = sorted(candidates, key=lambda slot: (slot not in between, abs(slot - previous)))[
            :_CANDIDATES
        ]
        return max(near_by, key=lambda slot: (self._likeness(table, slot, row.cells), -slot))

    def _likeness(self, table: Table, slot: int, cells: dict[str, str | None]) -> int:
        """Return how many cells of a row are those that a slot has without defects."""
        clean = ((name, self._snapshot.clean_text(table, slot, name)) for name in cells)
        return sum(cells[name] == (text or None) for name, text in clean)

    def _at_place(self, table: Table, number: int) -> int:
        """Return the slot of a row by its place among the clean rows; the last one past the last."""
        if table.name not in self._orders:
            slots = (each for each, _ in self._snapshot.clean_rows(table, ()))
            self._orders[table.name] = np.fromiter(slots, dtype=np.uint64)
        order = self._orders[table.name]
        return int(order[min(number, len(order) - 1)])

    def _in_order(self, table: Table, numbers: dict[int, str]) -> dict[int, int]:
        """Return the slots of rows of a table without a key, by their places in the file."""
        last = max(numbers)
        slots: dict[int, int] = {}
        number = 0
        for slot, _ in self._snapshot.clean_rows(table, ()):
            kinds = [label.kind for label in self._snapshot.labels.of_row_itself(table.name, slot)]
            for _ in range(0 if MISSING_ROW in kinds else 1 + kinds.count(DUPLICATE_ROW)):
                if number in numbers:
                    slots[number] = slot
                number += 1
            if number > last:
                break
        return slots
