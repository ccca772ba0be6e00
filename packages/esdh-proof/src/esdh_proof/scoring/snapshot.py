"""A snapshot with its labels: its tables by the names that reports give them, and its clean rows by slot and by key."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from esdh_core import Dataset, IdError, RecordId, Rule, Table
from esdh_core.dataset import Block
from esdh_core.overlay import LABELS, value_text, written_slots
from esdh_manifest import Manifest, table_name
from esdh_plan.errors import near
from numpy.typing import NDArray

from esdh_proof.datasets import dataset_of, defects_of, manifest_of
from esdh_proof.errors import ProofError
from esdh_proof.scoring.labels import Labels, read_labels

__all__ = ["Key", "LabelledSnapshot"]

Key = tuple[str | None, ...]
"""The values of a table's key in one row, as texts; an empty text counts as a null."""
_EXTENSIONS = ("csv", "ndjson", "parquet", "json")


class LabelledSnapshot:
    """The snapshot in a folder, its labels, and what its rows would be without defects.

    Raises ProofError when the folder holds no snapshot, or one without labels or without the list of its defects.
    """

    def __init__(self, folder: Path, dataset: Dataset | None = None) -> None:
        self.folder = folder
        self.manifest: Manifest = manifest_of(folder)
        self.dataset = dataset or dataset_of(folder, self.manifest)
        self.tables = [table for table in self.dataset.tables if table.name in self.manifest.record_counts]
        self.labels: Labels = read_labels(folder, self.manifest.dataset_version, self.dataset)
        self.defects = defects_of(folder, self.manifest, self.dataset)
        self._clean: tuple[Table, int, Block, int] | None = None  # the row that was asked for last
        self._last: dict[str, int | None] = {}
        self._unique: dict[tuple[str, str], dict[str | None, int]] = {}
        version = self.manifest.dataset_version
        self._of_files = {
            table_name(name, version, extension): name
            for name in (*(table.name for table in self.tables), LABELS.name)
            for extension in _EXTENSIONS
        }

    def table(self, name: str, where: str) -> Table:
        """Return a table of the snapshot by its name, or what a row of it is called; ProofError for any other."""
        for table in self.tables:
            if name in (table.name, table.singular):
                return table
        known = [table.name for table in self.tables]
        raise ProofError(
            f"{where}: {name!r} is no table of the snapshot; it has {', '.join(known)}{near(name, known)}"
        )

    def table_of_file(self, *names: str) -> str | None:
        """Return the table, or the table of labels, that the first of some names means; None where none means one.

        A name is a path, a file's name with or without its ending, a table's name, or that with a format's behind it.
        """
        known = {table.name: table.name for table in self.tables} | {LABELS.name: LABELS.name}
        known |= {table.singular: table.name for table in self.tables if table.singular}
        known |= self._of_files
        known |= {f"{name}-{extension}": name for name in set(known.values()) for extension in _EXTENSIONS}
        known |= {Path(file).stem: name for file, name in self._of_files.items()}
        parts = (part for name in names for part in reversed(name.replace("\\", "/").split("/")))
        return next((known[part] for part in parts if part in known), None)

    def rows_before(self, place: str) -> int:
        """Return the rows of a table in the parts before that of a path; 0 where the path is of no part."""
        place = place.replace("\\", "/")
        parts = {path: entry.rows or 0 for path, entry in self.manifest.checksums.items() if "/" in path}
        own = next((path for path in parts if f"/{place}".endswith(f"/{path}")), None)
        folder = f"{own.partition('/')[0]}/" if own else ""
        return sum(rows for path, rows in parts.items() if own and path.startswith(folder) and path < own)

    def field(self, table: Table, name: str, where: str) -> str:
        """Return the name of a field of a table; ProofError for any other."""
        if name not in table.fields:
            raise ProofError(
                f"{where}: table {table.name!r} has no field {name!r}; it has {', '.join(table.fields)}"
                f"{near(name, table.fields)}"
            )
        return name

    def kind(self, name: str, where: str) -> str:
        """Return a kind of defects, whether or not the snapshot has some; ProofError for any other word."""
        from esdh_plan.defects.overlay import KINDS  # which reads the language of plans

        known = {*self.labels.kinds, *KINDS}
        if name not in known:
            words = ", ".join(self.labels.kinds)
            raise ProofError(
                f"{where}: {name!r} is no kind of defects; the snapshot has {words}{near(name, known)}"
            )
        return name

    def key_fields(self, table: Table) -> tuple[str, ...]:
        """Return the fields that name a row in its file: the id, else the key, else a unique field; none where it has none."""
        own = table.field_with("id")
        unique = next(
            (rule.name for rule in table.rules if self.dataset.is_unique(table, rule) and rule.role != "id"),
            None,
        )
        return (own,) if own else table.key or ((unique,) if unique else ())

    def id_of(self, table: str, slot: int | None) -> str | None:
        """Return the id of a row as it is without defects; None of no row, and in a table without ids."""
        of = self.dataset.table(table)
        if slot is None or of.field_with("id") is None:
            return None
        texts = self.dataset.ids.texts(self.manifest.seed, of.entity, np.array([slot], dtype=np.uint64))
        return texts.tobytes().decode()

    def slot_of_id(self, table: Table, text: str | None) -> int | None:
        """Return the slot that an id of a table says; None for any other text, and for a row beyond the snapshot's."""
        try:
            origin = self.dataset.ids.decode(text or "")
        except IdError:
            return None
        return origin.index if self.problem_of_id(origin, table) is None else None

    def records(self, table: Table) -> int:
        """Return the number of rows of the table without a parent that a table hangs below."""
        return self.manifest.records_requested if table.top.rows is None else table.top.rows

    def has_slot(self, table: Table, slot: int) -> bool:
        """Return whether a slot is of a row of the snapshot, or of one that its labels say is there besides."""
        return slot // table.span < self.records(table) or bool(self.labels.of_row(table.name, slot))

    def problem_of_id(self, origin: RecordId, table: Table | None = None) -> str | None:
        """Return why what an id says is no row of the snapshot, or of the table that is meant; None where it is one."""
        of = self.dataset.table(origin.entity)
        if table is not None and of is not table:
            return f"it is of table {of.name!r}"
        if of not in self.tables:
            return f"it is of table {of.name!r}, which the snapshot leaves out"
        if origin.seed != self.manifest.seed:
            return f"it is of seed {origin.seed}, the snapshot of seed {self.manifest.seed}"
        if not self.has_slot(of, origin.index):
            return f"it is of record {origin.index // of.span}, the snapshot's last is {self.records(of) - 1}"
        return None

    def slot_of(self, table: Table, field: str, text: str | None) -> int | None:
        """Return the slot of the row that has a value in a unique field, None where none has."""
        if field == table.field_with("id"):
            return self.slot_of_id(table, text)
        values = self._unique.get((table.name, field))
        if values is None:
            values = {key[0]: slot for slot, key in self.clean_rows(table, (field,))}
            self._unique[table.name, field] = values
        return values.get(text)

    def slots_of_keys(self, table: Table, keys: Iterable[Key]) -> dict[Key, int]:
        """Return the slots of those rows whose clean key is among some: from the ids alone, else made again from the seed."""
        among = set(keys)
        fields = self.key_fields(table)
        if fields == (table.field_with("id"),):
            slots = {key: self.slot_of_id(table, key[0]) for key in among}
            return {key: slot for key, slot in slots.items() if slot is not None}
        return {key: slot for slot, key in self.clean_rows(table, fields) if key in among}

    def clean_rows(self, table: Table, fields: tuple[str, ...]) -> Iterator[tuple[int, Key]]:
        """Yield the slot of each row of a table and the clean values of some fields, in the order of the clean file."""
        rules = [_rule(table, name) for name in fields]
        for block in self._blocks(table):
            slots: NDArray[np.uint64] = block.level(table).slots
            columns = [map(_key_text, rule.column(block).tolist()) for rule in rules]
            keys = zip(*columns, strict=True) if columns else ((),) * len(slots)
            yield from zip(slots.tolist(), keys, strict=True)

    def written_slots(self, table: Table) -> Iterator[NDArray[np.uint64]]:
        """Yield the slots of some rows after others as the table's file has them; of a second row its own."""
        for block in self._blocks(table):
            yield written_slots(self.defects, table, block)

    def last_slot(self, table: Table) -> int | None:
        """Return the slot of the last row of a table's file, None where it has none."""
        if table.name not in self._last:
            written = (
                written_slots(self.defects, table, block) for block in self._blocks(table, backwards=True)
            )
            self._last[table.name] = next((int(slots[-1]) for slots in written if len(slots)), None)
        return self._last[table.name]

    def _blocks(self, table: Table, *, backwards: bool = False) -> Iterator[Block]:
        seed, records = self.manifest.seed, self.manifest.records_requested
        if table.is_fixed:
            yield self.dataset.block_of(table, self.dataset.block(0, 0, seed))
            return
        starts = range(0, records, table.block_records)
        for start in reversed(starts) if backwards else starts:
            yield self.dataset.block(start, min(table.block_records, records - start), seed)

    def clean_text(self, table: Table, slot: int, field: str) -> str | None:
        """Return what stands in a cell without defects, as CSV writes it; None for a null and in a row there isn't.

        A second row has the values of the first, but for its keys.
        """
        if _rule(table, field).role not in ("id", "unique"):
            slot = self.labels.original(table.name, slot)
        if self._clean is None or self._clean[:2] != (table, slot):
            origin = RecordId(self.manifest.seed, self.manifest.dataset_version, table.entity, slot)
            try:
                _, block, place = self.dataset.locate(origin)
            except IdError:
                return None
            self._clean = (table, slot, block, place)
        *_, block, place = self._clean
        return value_text(_rule(table, field).column(block).take(np.array([place])).tolist()[0])


def _rule(table: Table, field: str) -> Rule:
    return next(rule for rule in table.rules if rule.name == field)


def _key_text(value: object) -> str | None:
    return value_text(value) or None
