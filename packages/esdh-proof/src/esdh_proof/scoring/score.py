"""Precision, recall and F1 of a tool: what it reported, held against the labels of a snapshot."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from esdh_core import Dataset, Table
from esdh_core.overlay import LABELS

from esdh_proof.errors import ProofError
from esdh_proof.identity import SnapshotIdentity
from esdh_proof.scoring.consequences import labels_behind, labels_behind_file
from esdh_proof.scoring.counts import Counts, counts_of
from esdh_proof.scoring.finding import RowReference, ToolFinding
from esdh_proof.scoring.labels import Label
from esdh_proof.scoring.linkage import PairScore, score_pairs
from esdh_proof.scoring.report import read_report
from esdh_proof.scoring.rows import RowFinder
from esdh_proof.scoring.snapshot import LabelledSnapshot

__all__ = [
    "FieldScore",
    "KindScore",
    "MissedLabel",
    "ReportSummary",
    "Score",
    "WrongFinding",
    "score_defects",
]

Level = Literal["cell", "row", "file"]


class KindScore(Counts, frozen=True, kw_only=True):
    """The score of one kind; `findings` and `precision` are None where the report says no kinds.

    `level` is what its labels are: cells, rows (also cells, where the report names none) or files.
    """

    kind: str
    level: Level


class FieldScore(Counts, frozen=True, kw_only=True):
    """The score of one field of a table; `findings` and `precision` are None where the report names no fields."""

    table: str
    field: str


class WrongFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding at a place where nothing is wrong; `slot` is None for a file, `id` also in a table without ids."""

    where: str
    table: str
    slot: int | None
    id: str | None
    fields: tuple[str, ...]


class MissedLabel(msgspec.Struct, frozen=True, kw_only=True):
    """A label that no finding names; `id` is that of the clean row, from which `esdh reproduce` gives it."""

    defect_id: str
    table: str
    slot: int | None
    id: str | None
    field: str | None
    kind: str
    found: str | None
    clean: str | None


class ReportSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A report that was scored: its file, its format, and the number of its findings, or of its pairs."""

    file: str
    format: str
    findings: int


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How well some reports together name what is wrong in a snapshot.

    `cells` is None where the reports name no fields; `files` where neither labels nor findings are of whole files. `pairs` stands
    alone where the reports are of pairs. `missed` and `wrong` are the first few of each kind and of each field.
    """

    snapshot: SnapshotIdentity
    reports: list[ReportSummary]
    cells: Counts | None = None
    rows: Counts | None = None
    files: Counts | None = None
    pairs: PairScore | None = None
    kinds: list[KindScore] = []
    fields: list[FieldScore] = []
    missed: list[MissedLabel] = []
    wrong: list[WrongFinding] = []
    notes: list[str] = []


def score_defects(
    folder: Path,
    *reports: Path,
    dataset: Dataset | None = None,
    table: str | None = None,
    first_row: int = 0,
    examples: int = 3,
) -> Score:
    """Score what tools reported of the snapshot in a folder against the snapshot's labels, all reports as one.

    A report's format follows from its content: CSV with a finding a row (`table`, `row`, `id` or `slot`, `field`, `kind`), CSV with
    a pair a row (`id_left`, `id_right`, `score`), Frictionless' JSON, or Great Expectations' JSON. `table` is that of
    findings that name none, and then alone is scored. `first_row` is the number that a report in CSV gives the first data
    row. `examples` bounds what is listed of each kind and of each field.

    Raises ProofError for a snapshot without labels, a report that can't be read, and a name or a row that the snapshot lacks.
    """
    snapshot = LabelledSnapshot(folder, dataset)
    alone = snapshot.table(table, "--table") if table is not None else None
    contents = [
        read_report(report, snapshot, table=alone.name if alone else None, first_row=first_row)
        for report in reports
    ]
    of_pairs = [content.pairs for content in contents if content.pairs is not None]
    if of_pairs and len(of_pairs) < len(contents):
        raise ProofError("some reports are of pairs and some of findings; score them apart")
    score = Score(
        snapshot=SnapshotIdentity.of(folder, snapshot.manifest),
        reports=[
            ReportSummary(
                file=str(report),
                format=content.format,
                findings=len(content.findings) + len(content.pairs or ()),
            )
            for report, content in zip(reports, contents, strict=True)
        ],
        notes=[note for content in contents for note in content.notes],
    )
    if of_pairs:
        pairs = score_pairs(snapshot, [pair for of in of_pairs for pair in of], alone, examples=examples)
        return msgspec.structs.replace(score, pairs=pairs)
    findings = [finding for content in contents for finding in content.findings]
    return _Scoring(snapshot, findings, alone).complete(score, examples)


class _Place(NamedTuple):
    """What a finding names: cells of a row, a row, or a file; several rows where the report can't say which of them."""

    table: str
    slots: tuple[int, ...] | None
    fields: tuple[str, ...]


@dataclass
class _Verdict:
    """What is known of one place that was reported: its labels, whether they are its own, and the kinds that were said."""

    where: str
    labels: list[Label] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    kindless: bool = False

    def finds(self, label: Label) -> bool:
        """Return whether the finding counts for the kind of a label."""
        return self.kindless or label.kind in self.kinds


class _Scoring:
    """Findings at their places, and the labels that they hit."""

    def __init__(
        self, snapshot: LabelledSnapshot, findings: Sequence[ToolFinding], alone: Table | None
    ) -> None:
        self._snapshot = snapshot
        self._findings = findings
        self._notes: list[str] = []
        self._labels = [label for label in snapshot.labels if alone is None or label.table == alone.name]
        self._places: dict[_Place, _Verdict] = {}
        for place, finding in self._located(alone):
            verdict = self._places.setdefault(place, _Verdict(finding.where))
            verdict.kindless |= finding.kind is None
            verdict.kinds |= set() if finding.kind is None else {finding.kind}
        for place, verdict in self._places.items():
            verdict.labels = self._labels_at(place)
        self._names_fields = any(place.fields for place in self._places) or not self._places
        self._names_kinds = any(verdict.kinds for verdict in self._places.values())

    # --- where the findings are

    def _located(self, alone: Table | None) -> Iterator[tuple[_Place, ToolFinding]]:
        """Yield each finding with its place, its names checked; leave out other tables than the one that is scored."""
        snapshot, finder = self._snapshot, RowFinder(self._snapshot)
        by_table: dict[str, list[ToolFinding]] = defaultdict(list)
        others = 0
        for finding in self._findings:
            name = finding.table
            if name is None:
                key = finding.row.key if finding.row else ()
                name = finder.table_of_id(key[0] if key else "", finding.where).name
            elif name != LABELS.name:
                name = snapshot.table(name, finding.where).name
            if name == LABELS.name or (alone is not None and name != alone.name):
                others += 1
            else:
                by_table[name].append(finding)
        if others:
            self._notes.append(f"findings of other tables, which are left out: {others:,}")
        for table in snapshot.tables:
            findings = by_table[table.name]
            rows = finder.slots(table, ((each.row, each.where) for each in findings if each.row is not None))
            for each in findings:
                fields = tuple(sorted(snapshot.field(table, name, each.where) for name in each.fields))
                if each.kind is not None:
                    snapshot.kind(each.kind, each.where)
                yield _Place(table.name, _slots(rows, each.row), fields), each

    def _labels_at(self, place: _Place) -> list[Label]:
        """Return the labels that a finding at a place finds."""
        labels = self._snapshot.labels
        if place.slots is None:
            of_file = [
                each
                for each in labels.of_file(place.table)
                if not place.fields or each.field in (None, *place.fields)
            ]
            if of_file or place.fields:
                return of_file
            return labels_behind_file(self._snapshot, self._snapshot.dataset.table(place.table))
        if not place.fields:
            own = [label for slot in place.slots for label in labels.of_row(place.table, slot)]
        else:
            own = [
                label
                for slot in place.slots
                for name in place.fields
                for label in labels.of_cell(place.table, slot, name)
            ]
        if own:
            return own
        table = self._snapshot.dataset.table(place.table)
        return [
            label
            for slot in place.slots
            for name in place.fields or table.key
            for label in labels_behind(self._snapshot, table, slot, name)
        ]

    # --- what is counted

    def complete(self, score: Score, examples: int) -> Score:
        """Return a score with all that is counted."""
        return msgspec.structs.replace(
            score,
            cells=self._cells() if self._names_fields else None,
            rows=self._rows(),
            files=self._files(),
            kinds=self._kinds(),
            fields=self._fields(),
            missed=self._missed(examples),
            wrong=self._wrong(examples),
            notes=[*score.notes, *self._notes],
        )

    def _cells(self) -> Counts:
        places = {place: verdict for place, verdict in self._places.items() if _level(place) == "cell"}
        labels = {_cell(label) for label in self._labels if _is_cell(label)}
        found = {_cell(label) for verdict in places.values() for label in verdict.labels if _is_cell(label)}
        return counts_of(
            len(labels), len(labels & found), len(places), sum(bool(each.labels) for each in places.values())
        )

    def _rows(self) -> Counts:
        labels = {(label.table, label.slot) for label in self._labels if label.slot is not None}
        rows: dict[tuple[str, tuple[int, ...]], bool] = defaultdict(bool)
        found: set[tuple[str, int | None]] = set()
        for place, verdict in self._places.items():
            if place.slots is not None:
                in_row = [
                    label for slot in place.slots for label in self._snapshot.labels.of_row(place.table, slot)
                ]
                rows[place.table, place.slots] |= bool(verdict.labels or in_row)
                found |= {(label.table, label.slot) for label in (*verdict.labels, *in_row)}
        return counts_of(len(labels), len(labels & found), len(rows), sum(rows.values()))

    def _files(self) -> Counts | None:
        places = {place: verdict for place, verdict in self._places.items() if _level(place) == "file"}
        labels = {label for label in self._labels if label.slot is None}
        if not places and not labels:
            return None
        found = {label for verdict in self._places.values() for label in verdict.labels}
        return counts_of(
            len(labels), len(labels & found), len(places), sum(bool(each.labels) for each in places.values())
        )

    @cached_property
    def _found(self) -> set[Label]:
        """Return the labels that were found, each at its own level, by a finding that says no other kind."""
        return {
            label
            for place, verdict in self._places.items()
            for label in verdict.labels
            if verdict.finds(label) and self._may_find(place, label)
        }

    def _may_find(self, place: _Place, label: Label) -> bool:
        """Return whether a finding at a place finds a label: of a cell one of cells alone does, of a row none of a file."""
        if self._level_of(label) == "cell":
            return _level(place) == "cell"
        return label.slot is None or place.slots is not None

    def _level_of(self, label: Label) -> Level:
        if label.slot is None:
            return "file"
        return "cell" if label.field is not None and self._names_fields else "row"

    def _kinds(self) -> list[KindScore]:
        of_kinds: dict[str, list[Label]] = defaultdict(list)
        for label in self._labels:
            of_kinds[label.kind].append(label)
        for kind in {kind for verdict in self._places.values() for kind in verdict.kinds}:
            of_kinds[kind]  # which a tool may report although there is none
        scores = []
        for kind, labels in sorted(of_kinds.items()):
            said = [verdict for verdict in self._places.values() if kind in verdict.kinds]
            right = sum(any(label.kind == kind for label in verdict.labels) for verdict in said)
            counts = counts_of(
                len(labels),
                sum(label in self._found for label in labels),
                len(said) if self._names_kinds else None,
                right if self._names_kinds else None,
            )
            level = self._level_of(labels[0]) if labels else "cell"
            scores.append(KindScore(kind=kind, level=level, **msgspec.structs.asdict(counts)))
        return scores

    def _fields(self) -> list[FieldScore]:
        labels: dict[tuple[str, str], set[int]] = defaultdict(set)
        found: dict[tuple[str, str], set[int]] = defaultdict(set)
        for label in self._labels:
            if label.slot is not None and label.field is not None:
                labels[label.table, label.field].add(label.slot)
                if label in self._found:
                    found[label.table, label.field].add(label.slot)
        findings: dict[tuple[str, str], list[bool]] = defaultdict(list)
        for place, verdict in self._places.items():
            if _level(place) == "cell":
                own = {label.field for label in verdict.labels if label.table == place.table}
                # Of a rule over several fields, that which is labelled is meant.
                for name in [name for name in place.fields if name in own] or place.fields:
                    findings[place.table, name].append(bool(verdict.labels))
        scores = []
        for table in self._snapshot.tables:
            for name in table.fields:
                at = (table.name, name)
                if at in labels or at in findings:
                    counts = counts_of(
                        len(labels[at]),
                        len(found[at]),
                        len(findings[at]) if self._names_fields else None,
                        sum(findings[at]) if self._names_fields else None,
                    )
                    scores.append(FieldScore(table=table.name, field=name, **msgspec.structs.asdict(counts)))
        return scores

    def _missed(self, examples: int) -> list[MissedLabel]:
        missed: dict[str, list[Label]] = defaultdict(list)
        for label in self._labels:
            if label not in self._found and len(missed[label.kind]) < examples:
                missed[label.kind].append(label)
        return [
            MissedLabel(
                defect_id=label.defect_id,
                table=label.table,
                slot=label.slot,
                id=self._snapshot.id_of(label.table, label.slot),
                field=label.field,
                kind=label.kind,
                found=label.found,
                clean=label.clean,
            )
            for _, of_kind in sorted(missed.items())
            for label in of_kind
        ]

    def _wrong(self, examples: int) -> list[WrongFinding]:
        wrong: dict[tuple[str, tuple[str, ...]], list[WrongFinding]] = defaultdict(list)
        for place, verdict in self._places.items():
            of_fields = wrong[place.table, place.fields]
            if not verdict.labels and len(of_fields) < examples:
                slot = place.slots[0] if place.slots else None
                of_fields.append(
                    WrongFinding(
                        where=verdict.where,
                        table=place.table,
                        slot=slot,
                        id=self._snapshot.id_of(place.table, slot),
                        fields=place.fields,
                    )
                )
        return [each for of_fields in wrong.values() for each in of_fields]


def _slots(rows: dict[RowReference, tuple[int, ...]], row: RowReference | None) -> tuple[int, ...] | None:
    return None if row is None else rows[row]


def _level(place: _Place) -> Level:
    if place.slots is None:
        return "file"
    return "cell" if place.fields else "row"


def _is_cell(label: Label) -> bool:
    return label.slot is not None and label.field is not None


def _cell(label: Label) -> tuple[str, int | None, str | None]:
    return label.table, label.slot, label.field
