"""Which rows a report means: row numbers, keys and slots, all brought to slots."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from esdh_core import IdError, Table
from esdh_plan.errors import near

from esdh_proof.errors import ProofError
from esdh_proof.scoring.finding import RowReference
from esdh_proof.scoring.snapshot import Key, LabelledSnapshot

__all__ = ["RowFinder"]

Slots = tuple[int, ...]
Named = tuple[RowReference, str]
"""A row as a report names it, and where in the report."""


class RowFinder:
    """Brings the rows that a report names to slots.

    Which row of a file is whose follows from the snapshot's defects, whatever rows are missing, doubled or moved, and whether or not the file can
    be read. A key may be one that a label says is written there, and so the key of several rows.
    """

    def __init__(self, snapshot: LabelledSnapshot) -> None:
        self._snapshot = snapshot
        self._changed_keys: dict[str, dict[Key, list[int]]] = {}

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
        ordered = np.array(sorted(numbers))
        slots: dict[int, int] = {}
        first = 0
        for written in self._snapshot.written_slots(table):
            here = ordered[(ordered >= first) & (ordered < first + len(written))]
            slots.update(zip(here.tolist(), written[here - first].tolist(), strict=True))
            first += len(written)
            if len(slots) == len(ordered):
                return slots
        last = int(ordered[-1])
        raise ProofError(
            f"{numbers[last]}: row {last} of {table.name} is beyond its {first:,} rows, which are counted from 0; "
            "say with --first-row what number the report gives the first row"
        )
