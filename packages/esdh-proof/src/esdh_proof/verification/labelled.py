"""The rows of a part with defects, checked: what a check finds must read a labelled place, and what is labelled must differ.

The rows are known: they are those that the seed and the defects give, whose bytes are held against the files elsewhere.
So nothing is parsed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from esdh_core import Table
from esdh_core.dataset import Block
from esdh_core.overlay import LABELS
from esdh_export import SnapshotRequest
from esdh_export.execution.blocks import record_steps
from esdh_export.request import Shard
from esdh_manifest import document_name
from msgspec.structs import replace

from esdh_proof.checks import Finding, checks_of, schema
from esdh_proof.checks.finding import LookUp, Mask, Read
from esdh_proof.checks.roles import describe_id
from esdh_proof.findings import Failure, Findings, first_true
from esdh_proof.reading import Rows
from esdh_proof.verification import file_shapes, row_order
from esdh_proof.verification.table_rows import TableRows
from esdh_proof.verification.text_rows import unreadable

__all__ = ["LABEL_CHECKS", "LabelReport", "LabelTotals", "check_labels"]

LABEL_CHECKS = ("schema", "synthetic", "integrity", "rules")
"""The checks that look at values, and so find what is wrong on purpose."""
_REGENERATED = "regenerated"


@dataclass(frozen=True)
class LabelFailure:
    """A check that failed: the first failure of `count`, its row counted from the first of `table` in the part."""

    check: str
    table: str
    failure: Failure
    count: int


@dataclass
class LabelReport:
    """What the checks found in the rows of a part; it pickles.

    `kinds` counts its labels by kind, `found` those that a check found, `missed` by kind those that no check of values did.
    Labels of fixed tables may be found by rows of any part: `fixed` has the kind of each by its id, `found_fixed` the
    ids of those that a check found.
    """

    failures: list[LabelFailure] = field(default_factory=list)
    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    fixed: dict[str, str] = field(default_factory=dict)
    found_fixed: dict[str, set[str]] = field(default_factory=lambda: {check: set() for check in LABEL_CHECKS})


class LabelTotals:
    """The reports of all parts, in their order, and what they say together."""

    def __init__(self) -> None:
        self._sum = LabelReport()

    def add(self, report: LabelReport, first_rows: Mapping[str, int], findings: Findings) -> None:
        """Add the report of the next part; `first_rows` are the numbers of the first rows that its tables have in it."""
        for each in report.failures:
            failure = each.failure
            if failure.row is not None:
                failure = replace(failure, row=failure.row + first_rows.get(each.table, 0))
            findings.fail(each.check, failure, count=each.count)
        for check in LABEL_CHECKS:
            findings.count_rows(check, report.rows)
            self._sum.found_fixed[check] |= report.found_fixed[check]
        self._sum.kinds += report.kinds
        self._sum.found += report.found
        self._sum.missed += report.missed
        self._sum.fixed |= report.fixed

    def note(self, findings: Findings) -> None:
        """Say how many labels each check found, and which only the regeneration did."""
        whole, fixed = self._sum, self._sum.found_fixed
        labels = whole.kinds.total()
        for check in LABEL_CHECKS:
            found = whole.found[check] + len(fixed[check])
            findings.note(check, f"found {found:,} of {_count(labels)}")
        seen = set().union(*fixed.values())
        missed = whole.missed + Counter(kind for id_, kind in whole.fixed.items() if id_ not in seen)
        if missed:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(missed.items()))
            findings.note(_REGENERATED, f"found {_count(missed.total())} that no other check did: {kinds}")


def _count(labels: int) -> str:
    return f"{labels:,} label" if labels == 1 else f"{labels:,} labels"


def check_labels(
    request: SnapshotRequest, shard: Shard, *, progress: Callable[[int], None] | None = None
) -> LabelReport:
    """Run the checks of values over the rows that the seed and the defects give a part, a block in memory at a time.

    `progress` is called with the number of records of each step.
    """
    part = _Part(request, shard)
    part.check_files()
    for block, tables in _units(request, shard):
        part.check(block, tables)
        pa.default_memory_pool().release_unused()
        if progress is not None and not shard.fixed:
            progress(block.count)
    return part.report


def _units(request: SnapshotRequest, shard: Shard) -> Iterator[tuple[Block, list[Table]]]:
    """Yield the rows of a part that are checked together: some records, or all rows below a fixed table."""
    tables = request.data_tables(shard)
    if not shard.fixed:
        for block in record_steps(request, shard):
            yield block, list(tables)
        return
    nothing = request.dataset.block(0, 0, request.seed)
    for top in dict.fromkeys(table.top for table in tables):
        yield request.dataset.block_of(top, nothing), [table for table in tables if table.top is top]


class _Part:
    """The rows of a part as they are checked, some records at a time."""

    def __init__(self, request: SnapshotRequest, shard: Shard) -> None:
        if request.defects is None:
            raise TypeError("a snapshot without defects has no labels")
        self._request, self._shard, self._overlay = request, shard, request.defects
        self._checks = checks_of(request.dataset)
        self._first_rows = Counter[str]()
        self.report = LabelReport()
        nothing = request.dataset.block(0, 0, request.seed)
        others = [] if shard.fixed else request.dataset.select(request.entities)
        self._fixed = {
            table.name: self._rows(table, request.dataset.block_of(table, nothing))
            for table in others
            if table.is_fixed
        }

    def _rows(self, table: Table, block: Block) -> TableRows:
        first = self._first_rows[table.name]
        return TableRows(table, block, self._overlay, file=self._file(table), first=first)

    def _file(self, table: Table) -> str:
        """Return the file that a failure in a table's rows names: any holds the same rows."""
        request, name = self._request, self._request.formats[0]
        if name == "json":
            return document_name(request.dataset.dataset_version)
        return request.path(table, name, self._shard.number)

    def check_files(self) -> None:
        """Hold the labels of files against how the names of columns, and the ends of files, differ from the schema's."""
        for table, (name, found) in file_shapes.unlabelled(self._request, self._shard):
            failure = Failure(
                file=self._file(table),
                field=name,
                found=found or "the end of the file within a row",
                expected=f"{name or ('no such column' if found else 'whole rows')}; or a label that says what is wrong",
            )
            self.report.failures.append(LabelFailure("schema", table.name, failure, 1))
        if not self._request.holds_labels(self._shard) or self._shard.number:
            return  # which another part counts
        for label, differs in file_shapes.labels_of_files(self._request):
            self.report.kinds[label.kind] += 1
            if differs:
                self.report.found["schema"] += 1
            else:
                self._fail_label(label.defect_id)

    def check(self, block: Block, tables: list[Table]) -> None:
        """Check some rows: all findings and labels of theirs."""
        own = {table.name: self._rows(table, block) for table in tables}
        # Rows of fixed tables were checked as such: here values are looked up among those that files have.
        looked_at = {name: (each.as_written, each) for name, each in self._fixed.items()}
        looked_at |= {name: (each.rows, each) for name, each in own.items()}
        arrays = {name: rows for name, (rows, _) in looked_at.items()}
        found = {check: _FoundPlaces(looked_at.values()) for check in LABEL_CHECKS}
        for check, findings in self._findings(block, arrays, own).items():
            for finding in findings:
                self._add(check, found[check].table_of(finding), finding, found[check].take(finding))
        for rows in own.values():
            self._check_seconds(rows, block, found["synthetic"])
            self._compare(rows)
            self._count(rows, found)
            self._first_rows[rows.table.name] += len(rows.order)
            self.report.rows += len(rows.order) * len(self._request.formats)
        for rows in self._fixed.values():
            self._count_fixed(rows, found)

    def _findings(
        self, block: Block, arrays: Mapping[str, Rows], own: Mapping[str, TableRows]
    ) -> dict[str, Iterator[Finding]]:
        """Return what each check finds in some rows."""
        tables = own.values()
        checks = {check: getattr(self._checks, check)(block, arrays) for check in LABEL_CHECKS[1:]}
        return {
            "schema": chain.from_iterable(_schema(each, self._request.formats) for each in tables),
            "synthetic": chain(checks["synthetic"], chain.from_iterable(map(row_order.out_of_place, tables))),
            "integrity": chain(checks["integrity"], row_order.unattached(block, own)),
            "rules": checks["rules"],
        }

    def _add(self, check: str, rows: TableRows, finding: Finding, unlabelled: Mask) -> None:
        """Record what a finding has in rows that read no labelled place."""
        position = first_true(unlabelled)
        if position is None:
            return
        found = rows.text(finding.field, position)
        if finding.describe is not None and found is not None:
            found = finding.describe(found)
        expected = finding.expected if isinstance(finding.expected, str) else finding.expected(position)
        self._fail(
            check,
            rows,
            Failure(
                file=rows.rows.file,
                row=rows.number(position),
                field=finding.field,
                found=found,
                expected=f"{expected}; or a label that says what is wrong",
            ),
            int(unlabelled.sum()),
        )

    def _fail(self, check: str, rows: TableRows, failure: Failure, count: int = 1) -> None:
        self.report.failures.append(LabelFailure(check, rows.table.name, failure, count))

    def _check_seconds(self, rows: TableRows, block: Block, found: "_FoundPlaces") -> None:
        """Check that each row that follows another with most of its values says by its id which label is its own."""
        name = rows.table.field_with("id")
        if name is None:
            return
        for second in rows.seconds():
            text = rows.written.cells.get(name, {}).get(second.written)
            slot = row_order.slot_of(block, rows.table, text)
            if second.label is not None and slot == second.label.slot:
                found.seconds.add(second.label.defect_id)
            else:
                failure = Failure(
                    file=rows.rows.file,
                    row=rows.first + second.written,
                    field=name,
                    found=None if text is None else describe_id(block.dataset)(str(text)),
                    expected="a row of this snapshot; or a label that says what is wrong",
                )
                self._fail("synthetic", rows, failure)

    def _compare(self, rows: TableRows) -> None:
        """Hold the labels of some rows against the cells and rows that differ from the clean ones."""
        for name, wrong in rows.differences.items():
            finding = Finding(rows.rows, name, wrong, partial(rows.clean_text, name))
            self._add(_REGENERATED, rows, finding, wrong & ~rows.is_labelled(name))
        unlabelled = rows.row_differences & ~rows.is_labelled(None)
        position = first_true(unlabelled)
        if position is not None:
            failure = Failure(
                file=rows.rows.file,
                row=rows.number(position),
                found=_described(rows, position),
                expected=f"{rows.table.entity} {rows.slots[position]} once and in its place; or a label that says what is wrong",
            )
            self._fail(_REGENERATED, rows, failure, int(unlabelled.sum()))
        self._compare_labels(rows)
        self._compare_seconds(rows)

    def _compare_labels(self, rows: TableRows) -> None:
        """Find the labels of places that are as they are without defects."""
        labelled = rows.is_labelled(None)
        # The row that one was moved past, where it was moved by one place, may be away itself.
        beside = np.append([False], labelled[:-1])
        rows_differ = rows.row_differences | (labelled & beside)
        missing = rows.missing
        for label, position, second in zip(rows.labels, rows.positions, rows.of_second, strict=True):
            if second:
                continue
            if label.field is None:
                differs = rows_differ[position]
            else:
                differs = missing[position] or rows.differences.get(label.field, missing)[position]
            if not differs or rows.slots[position] != label.slot:
                self._fail_label(label.defect_id)

    def _compare_seconds(self, rows: TableRows) -> None:
        """Hold the labels of second rows against what differs there; their keys are their own."""
        keys = {rule.name for rule in rows.table.rules if rule.role in ("id", "unique")}
        labelled = {
            label.defect_id
            for label, second in zip(rows.labels, rows.of_second, strict=True)
            if second and label.field is None
        }
        for second in rows.seconds():
            differ = rows.differences_of(second)
            if second.label is None:
                failure = Failure(
                    file=rows.rows.file,
                    row=rows.first + second.written,
                    found="a second row of the one before",
                    expected="no row; or a label that says what is wrong",
                )
                self._fail(_REGENERATED, rows, failure)
                continue
            labelled.discard(second.label.defect_id)
            for name in sorted(differ - second.fields - keys):
                failure = Failure(
                    file=rows.rows.file,
                    row=rows.first + second.written,
                    field=name,
                    found="another value than in the row before",
                    expected="the same; or a label that says what is wrong",
                )
                self._fail(_REGENERATED, rows, failure)
            for name in sorted(second.fields - differ):
                self._fail_label(f"{second.label.defect_id}, {name}")
        for label in sorted(labelled):  # of which there is no row
            self._fail_label(label)

    def _fail_label(self, label: str) -> None:
        failure = Failure(
            file=self._file(LABELS),
            field=label,
            found="a label of what is as it is without defects",
            expected="labels of what is wrong alone",
        )
        self.report.failures.append(LabelFailure(_REGENERATED, LABELS.name, failure, 1))

    def _count(self, rows: TableRows, found: "dict[str, _FoundPlaces]") -> None:
        """Count the labels of some rows, and those that each check found."""
        report = self.report
        report.kinds.update(label.kind for label in rows.labels)
        if rows.table.is_fixed:
            report.fixed |= {label.defect_id: label.kind for label in rows.labels}
            self._count_fixed(rows, found)
            return
        found_labels = {check: places.of(rows) for check, places in found.items()}
        for check, which in found_labels.items():
            report.found[check] += sum(which)
        seen = map(any, zip(*found_labels.values(), strict=True))
        report.missed.update(label.kind for label, each in zip(rows.labels, seen, strict=True) if not each)

    def _count_fixed(self, rows: TableRows, found: "dict[str, _FoundPlaces]") -> None:
        for check, places in found.items():
            which = zip(rows.labels, places.of(rows), strict=True)
            self.report.found_fixed[check].update(label.defect_id for label, each in which if each)


def _schema(rows: TableRows, formats: Sequence[str]) -> Iterator[Finding]:
    """Check the values of some rows against the table's schema, their types, and that each can be read in every format."""
    yield from schema(rows.rows, rows.table)
    types = {each.name: each.type for each in rows.table.schema}
    for name in rows.edited_fields:
        yield Finding(rows.rows, name, rows.misfits(name), f"a value of type {types[name]}")
    yield from unreadable(rows, formats)


def _described(rows: TableRows, position: int) -> str:
    entity = f"{rows.table.entity} {rows.slots[position]}"
    if rows.copies[position] == 0:
        return f"no {entity}"
    if rows.copies[position] > 1:
        return f"{entity} more than once"
    if rows.moved()[position]:
        return f"{entity} before what it should follow"
    return f"{entity} with too few or too many cells"


class _FoundPlaces:
    """The labelled cells and rows that the findings of a check read, in rows that fail.

    `seconds` are the labels of second rows that were found.
    """

    def __init__(self, looked_at: Iterable[tuple[Rows, TableRows]]) -> None:
        self._of = {id(rows): each for rows, each in looked_at}
        self._found: dict[tuple[str, str | None], Mask] = {}
        self.seconds: set[str] = set()

    def table_of(self, finding: Finding) -> TableRows:
        """Return the rows that a finding is of."""
        return self._of[id(finding.rows)]

    def of(self, rows: TableRows) -> list[bool]:
        """Return whether each label of some rows was found."""
        return [
            label.defect_id in self.seconds
            if second
            else bool(self._found.get((rows.table.name, label.field), rows.no_row())[position])
            for label, position, second in zip(rows.labels, rows.positions, rows.of_second, strict=True)
        ]

    def take(self, finding: Finding) -> Mask:
        """Take the places that a finding read; return in which rows that fail none of them is labelled."""
        unlabelled = finding.wrong.copy()
        if not unlabelled.any():
            return unlabelled
        for read in (Read(finding.rows, finding.field), *finding.reads):
            rows = self._of[id(read.rows)]
            fields = (read.field, None) if isinstance(read, LookUp) else (read.field,)
            for name in fields:
                if (labelled := rows.labelled.get(name)) is None:
                    continue
                if isinstance(read, LookUp):
                    explained, places = _looked_up(finding, rows, read.field, labelled)
                else:
                    explained, places = _read(finding, read, labelled)
                unlabelled &= ~explained
                key = rows.table.name, name
                self._found[key] = self._found.get(key, False) | (places & labelled)
        return unlabelled


def _read(finding: Finding, read: Read, labelled: Mask) -> tuple[Mask, Mask]:
    """Return which rows of a finding read a labelled place, and which places its rows that fail read."""
    if read.ranges is None:
        return labelled, finding.wrong
    first, stop = read.ranges()
    before = np.concatenate([[0], np.cumsum(labelled)])
    explained: Mask = before.take(stop) > before.take(first)
    edges = np.zeros(len(labelled) + 1, dtype=np.int64)
    np.add.at(edges, first[finding.wrong], 1)
    np.add.at(edges, stop[finding.wrong], -1)
    places: Mask = np.cumsum(edges[:-1]) > 0
    return explained, places


def _looked_up(finding: Finding, rows: TableRows, name: str, labelled: Mask) -> tuple[Mask, Mask]:
    """Return which rows of a finding hold a value that a labelled place should hold, and which places those that fail look for."""
    places: dict[Any, list[int]] = {}
    clean = rows.clean(name)
    for position in np.flatnonzero(labelled).tolist():
        places.setdefault(clean[position].as_py(), []).append(position)
    explained, found = np.zeros_like(finding.wrong), np.zeros_like(labelled)
    values = finding.rows.arrays[finding.field]
    for row in np.flatnonzero(finding.wrong).tolist():
        positions = places.get(values[row].as_py(), [])
        explained[row] = bool(positions)
        found[positions] = True
    return explained, found
