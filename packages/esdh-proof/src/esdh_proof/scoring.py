"""How well a data-quality tool finds the defects of a snapshot: its report held against the labels.

A report names cells: rows by their number, slot or id, and fields. Read are CSV files of our own form, the JSON report of
Frictionless, and the JSON of a Great Expectations validation.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow.parquet as pq
from esdh_core import CoreError, Dataset, Table
from esdh_core.overlay import LABELS
from esdh_export import FORMATS
from esdh_manifest import Manifest, ManifestError, decode_manifest
from msgspec import UNSET

from esdh_proof.datasets import dataset_of
from esdh_proof.errors import ProofError
from esdh_proof.reading import manifest_names

__all__ = ["DefectScore", "KindScore", "score_defects"]

_ROW_COLUMNS = ("slot", "id", "row")
_LARGEST_REPORT = 1 << 30  # bytes


_Cell = tuple[str, int, str | None]
"""A table, a slot and a field."""


class KindScore(msgspec.Struct, frozen=True, kw_only=True):
    """How many defects of a kind were found.

    `findings` are those that name the kind, None where the report names none; so `precision` and `f1` are None too.
    """

    kind: str
    labels: int
    found: int
    findings: int | None
    recall: float | None
    precision: float | None
    f1: float | None


class DefectScore(msgspec.Struct, frozen=True, kw_only=True):
    """A report held against the labels of a snapshot: all findings together, and by kind.

    Of `findings`, `right` are on a cell that has a label, or that copies one that has. A ratio whose denominator is 0 is None.
    """

    folder: str
    report: str
    form: str
    labels: int
    found: int
    findings: int
    right: int
    recall: float | None
    precision: float | None
    f1: float | None
    kinds: list[KindScore]


class _Finding(NamedTuple):
    """A cell that a report names, or a row where it names no field; and the kind of defect, where it names one."""

    table: str
    slot: int
    field: str | None
    kind: str | None


def score_defects(folder: Path, report: Path, *, table: str = "") -> DefectScore:
    """Return how well a report finds the defects of the snapshot in a folder.

    A CSV file has the columns `table`, one of `slot`, `id` (the row's own) and `row` (its number in the file, from 1,
    without the header), `field`, which may be empty for a finding on a whole row, and maybe `kind`. `table` is the table of
    a report that doesn't name one.

    Raises ProofError for a folder that is no snapshot with defects, and for a report that can't be read, with its place.
    """
    snapshot = _Snapshot(folder)
    form, findings = _findings(report, snapshot, table)
    labels = snapshot.labels()
    cells = {(label.table, label.slot, label.field) for label in labels}
    rows = {(label.table, label.slot) for label in labels}
    named: set[_Cell] = set()
    named_rows: set[tuple[str, int]] = set()
    right = 0
    for each in findings:
        if each.field is None:
            named_rows.add((each.table, each.slot))
            right += (each.table, each.slot) in rows
        else:
            read = snapshot.cells_read(each.table, each.slot, each.field)
            named |= read
            right += not read.isdisjoint(cells)
    hits = [
        label
        for label in labels
        if (label.table, label.slot, label.field) in named or (label.table, label.slot) in named_rows
    ]
    names_kinds = any(each.kind is not None for each in findings)
    kinds = _by_kind(labels, hits, findings if names_kinds else None)
    recall, precision = _ratio(len(hits), len(labels)), _ratio(right, len(findings))
    return DefectScore(
        folder=str(folder),
        report=str(report),
        form=form,
        labels=len(labels),
        found=len(hits),
        findings=len(findings),
        right=right,
        recall=recall,
        precision=precision,
        f1=_f1(precision, recall),
        kinds=kinds,
    )


def _by_kind(labels: list[_Finding], hits: list[_Finding], findings: set[_Finding] | None) -> list[KindScore]:
    known, found = Counter(label.kind for label in labels), Counter(label.kind for label in hits)
    cells = {(label.table, label.slot, label.field, label.kind) for label in labels}
    rows = {(label.table, label.slot, label.kind) for label in labels}
    scores = []
    for kind in sorted({str(kind) for kind in known} | {each.kind for each in findings or () if each.kind}):
        recall, precision, count = _ratio(found[kind], known[kind]), None, None
        if findings is not None:
            own = [each for each in findings if each.kind == kind]
            right = sum(
                (each.table, each.slot, kind) in rows if each.field is None else each in cells for each in own
            )
            precision, count = _ratio(right, len(own)), len(own)
        scores.append(
            KindScore(
                kind=kind,
                labels=known[kind],
                found=found[kind],
                findings=count,
                recall=recall,
                precision=precision,
                f1=_f1(precision, recall),
            )
        )
    return scores


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _f1(precision: float | None, recall: float | None) -> float | None:
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


# --- the snapshot


class _Snapshot:
    """A snapshot with defects: its labels, and the slots of its rows."""

    def __init__(self, folder: Path) -> None:
        names = manifest_names(folder) if folder.is_dir() else []
        if len(names) != 1:
            raise ProofError(f"{str(folder)!r} is no snapshot: it needs one manifest, and has {len(names)}")
        try:
            self.manifest: Manifest = decode_manifest((folder / names[0]).read_bytes())
        except ManifestError as error:
            raise ProofError(f"{names[0]} can't be read: {error}") from error
        if self.manifest.clean is UNSET:
            raise ProofError(f"the snapshot in {str(folder)!r} is clean: it has no defects to be found")
        self.folder = folder
        self.dataset: Dataset = dataset_of(folder, self.manifest)
        self._slots: dict[str, list[int]] = {}

    def labels(self) -> list[_Finding]:
        """Return the labels, one a wrong cell and defect."""
        rows = ((row["table"], row["slot"], row["field"], row["kind"]) for row in self._label_rows())
        return [_Finding(str(table), int(slot), str(field), str(kind)) for table, slot, field, kind in rows]

    def _label_rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of the table of labels, from the format that is read best."""
        for extension in sorted(FORMATS, key=lambda name: FORMATS[name].RANK):
            path = self.manifest.files.get(f"{LABELS.name}_{extension}")
            if path is None:
                continue
            for part in sorted(
                each for each in self.manifest.checksums if each == path or each.startswith(f"{path}/")
            ):
                yield from _label_file(self.folder / part, extension)
            return
        path = self.manifest.files["dataset_json"]
        document = msgspec.json.decode((self.folder / path).read_bytes(), type=dict[str, Any])
        yield from document[LABELS.name]

    def table(self, name: str) -> Table:
        """Return a table by its name, its singular, or the file or resource that holds it. ProofError for no table's."""
        for table in self.dataset.tables:
            files = {self.manifest.files.get(f"{table.name}_{extension}") for extension in FORMATS}
            resources = {f"{table.name}-{extension}" for extension in FORMATS}
            if name in {table.name, table.entity, *files, *resources} or any(
                file and name.startswith((f"{file}/", f"{table.name}-")) for file in files
            ):
                return table
        known = ", ".join(table.name for table in self.dataset.tables)
        raise ProofError(f"{name!r} is no table of the snapshot; there are {known}")

    def cells_read(self, table: str, slot: int, field: str) -> set[_Cell]:
        """Return a cell and those that it is a copy of, in rows above it: whoever compares a reference reads both."""
        of = self.dataset.table(table)
        rule = next((each for each in of.rules if each.name == field), None)
        cells: set[_Cell] = {(table, slot, field)}
        while rule is not None and not rule.picked and (source := self.dataset.copied(rule)) is not None:
            if source.table.top is not of.top or of.span % source.table.span:
                break
            slot //= of.span // source.table.span
            of, rule = source
            cells.add((of.name, slot, rule.name))
        return cells

    def first_row(self, path: str) -> int:
        """Return the number of the rows in the parts before one, 0 for a file that is no part."""
        folder = path.rpartition("/")[0]
        before = (
            each
            for each in self.manifest.checksums
            if folder and each.startswith(f"{folder}/") and each < path
        )
        return sum(self.manifest.checksums[each].rows or 0 for each in before)

    def slot_of_row(self, table: Table, row: int) -> int:
        """Return the slot of a table's row, by its number from 0. ProofError where there is none."""
        if table.one_a_record:
            slots: Sequence[int] = range(self.manifest.records_requested)
        else:
            slots = self._slots_of(table)
        if not 0 <= row < len(slots):
            raise ProofError(f"{table.name} has no row {row + 1}; the last is {len(slots)}")
        return slots[row]

    def _slots_of(self, table: Table) -> list[int]:
        if table.name not in self._slots:
            dataset, seed, records = self.dataset, self.manifest.seed, self.manifest.records_requested
            step = table.block_records
            blocks = (
                [dataset.block_of(table, dataset.block(0, 0, seed))]
                if table.is_fixed
                else (
                    dataset.block(start, min(step, records - start), seed)
                    for start in range(0, records, step)
                )
            )
            self._slots[table.name] = np.concatenate([block.level(table).slots for block in blocks]).tolist()
        return self._slots[table.name]

    def slot_of_id(self, table: Table, value: str) -> int:
        """Return the slot that a row's own id says. ProofError for what is no id of the table."""
        try:
            origin = self.dataset.ids.decode(value)
        except CoreError as error:
            raise ProofError(str(error)) from None
        if origin.entity != table.entity or origin.seed != self.manifest.seed:
            raise ProofError(f"{value!r} is the id of no {table.entity} of this snapshot")
        return origin.index


def _label_file(path: Path, extension: str) -> Iterator[Mapping[str, Any]]:
    if extension == "parquet":
        yield from pq.read_table(path).to_pylist()
        return
    with path.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines) if extension == "csv" else map(msgspec.json.decode, lines)


# --- reports


def _findings(report: Path, snapshot: _Snapshot, table: str) -> tuple[str, set[_Finding]]:
    """Return what form a report has, and its findings."""
    try:
        if report.stat().st_size > _LARGEST_REPORT:
            raise ProofError(f"{str(report)!r} has more than {_LARGEST_REPORT:,} bytes")
        text = report.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProofError(f"{str(report)!r} isn't UTF-8: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise ProofError(f"{str(report)!r} can't be read: {error.strerror}") from error
    if report.suffix.lower() != ".json":
        return "csv", set(_of_csv(text, str(report), snapshot, table))
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ProofError(f"{str(report)!r} isn't JSON: {error}") from None
    if isinstance(document, dict) and isinstance(document.get("tasks"), list):
        return "frictionless", set(_of_frictionless(document["tasks"], snapshot))
    if isinstance(document, dict) and isinstance(document.get("results"), list):
        return "great_expectations", set(_of_great_expectations(document, snapshot, table))
    raise ProofError(
        f"{str(report)!r} is no report that is known: expected Frictionless' (`tasks`) or Great Expectations' (`results`)"
    )


def _of_csv(text: str, name: str, snapshot: _Snapshot, table: str) -> Iterator[_Finding]:
    reader = csv.DictReader(text.splitlines())
    columns = set(reader.fieldnames or ())
    place = next((each for each in _ROW_COLUMNS if each in columns), None)
    if place is None or "field" not in columns or not ("table" in columns or table):
        found = ", ".join(reader.fieldnames or ()) or "none"
        raise ProofError(
            f"{name}: expected the columns table (or --table), field and one of {', '.join(_ROW_COLUMNS)}; found {found}"
        )
    for row in reader:
        try:
            of = snapshot.table(row.get("table") or table)
            yield _Finding(
                of.name,
                _slot(snapshot, of, place, row[place] or ""),
                row["field"] or None,
                row.get("kind") or None,
            )
            _check_field(of, row["field"])
        except ProofError as error:
            raise ProofError(f"{name}, line {reader.line_num}: {error}") from None


def _slot(snapshot: _Snapshot, table: Table, place: str, value: str) -> int:
    if place == "id":
        return snapshot.slot_of_id(table, value)
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise ProofError(f"{value!r} is no {place}: expected a whole number")
    return int(value) if place == "slot" else snapshot.slot_of_row(table, int(value) - 1)


def _check_field(table: Table, field: str | None) -> None:
    if field and field not in table.fields:
        raise ProofError(f"{table.name} has no field {field!r}; there are {', '.join(table.fields)}")


class _Error(msgspec.Struct):
    """An error of Frictionless: rows are counted from 1, with the header."""

    row_number: int | None = msgspec.field(name="rowNumber", default=None)
    field_name: str | None = msgspec.field(name="fieldName", default=None)
    field_names: list[str] = msgspec.field(name="fieldNames", default_factory=list)


class _Task(msgspec.Struct):
    """What Frictionless says of one file."""

    errors: list[_Error]
    place: str = ""
    name: str = ""


def _of_frictionless(tasks: list[Any], snapshot: _Snapshot) -> Iterator[_Finding]:
    try:
        known = msgspec.convert(tasks, list[_Task])
    except msgspec.ValidationError as error:
        raise ProofError(f"the report isn't as Frictionless writes it: {error}") from None
    for task in known:
        errors = [each for each in task.errors if each.row_number is not None]
        if not errors:
            continue
        path = _below(snapshot.folder, task.place) or task.name
        table, first = snapshot.table(path), snapshot.first_row(path)
        for each in errors:
            slot = snapshot.slot_of_row(table, first + (each.row_number or 0) - 2)
            for name in (*each.field_names,) or (each.field_name,):
                yield _Finding(table.name, slot, name, None)


def _below(folder: Path, place: str) -> str:
    """Return the path of a file as the manifest has it, of one that a tool names from wherever it ran."""
    prefix = f"{folder.as_posix()}/"
    return Path(place).as_posix().removeprefix(prefix) if place else ""


def _of_great_expectations(document: dict[str, Any], snapshot: _Snapshot, table: str) -> Iterator[_Finding]:
    meta = document.get("meta") or {}
    batch = meta.get("active_batch_definition") or meta.get("batch_spec") or {}
    asset = table or str(batch.get("data_asset_name") or "")
    if not asset:
        raise ProofError("the report of Great Expectations names no data asset; give its table with --table")
    of = snapshot.table(asset)
    own = of.field_with("id")
    for result in document["results"]:
        config = result.get("expectation_config") or {}
        column = (config.get("kwargs") or {}).get("column")
        for index in (result.get("result") or {}).get("unexpected_index_list") or ():
            if isinstance(index, int):
                slot = snapshot.slot_of_row(of, index)
            elif isinstance(index, dict) and own is not None and isinstance(index.get(own), str):
                slot = snapshot.slot_of_id(of, index[own])
            else:
                raise ProofError(
                    f"{index!r} names no row: expected a number from 0, or the row's {own or 'id'}"
                )
            yield _Finding(of.name, slot, column, None)
