"""The rows of a part with defects, checked: what a check finds must read a labelled cell, and what is labelled must differ.

The rows are known: they are those that the seed and the defects give, whose bytes are held against the files elsewhere.
So nothing is parsed. Which cells are wrong is found here by comparing them with the clean ones, not taken from
what labels them.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from esdh_core import Table
from esdh_core.columns import Column, Numbers
from esdh_core.dataset import Block
from esdh_core.overlay import LABELS, DefectiveRows, defective_rows, value_text
from esdh_export import EncodedBlock, SnapshotRequest
from esdh_export.encoding.edits import edited_array
from esdh_export.execution.blocks import record_steps
from esdh_export.request import Shard
from esdh_manifest import document_name
from numpy.typing import NDArray

from esdh_proof.checks import Finding, checks_of, differing, schema
from esdh_proof.checks.finding import LookUp, Mask, Read
from esdh_proof.findings import Failure, Findings, display, first_true
from esdh_proof.reading import Rows
from esdh_proof.verification.unit import MadeArrays

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
            row = each.failure.row
            if row is not None:
                row += first_rows.get(each.table, 0)
            failure = Failure(
                file=each.failure.file,
                row=row,
                field=each.failure.field,
                found=each.failure.found,
                expected=each.failure.expected,
            )
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
            findings.note(check, f"found {found:,} of {_count(labels, 'label')}")
        seen = set().union(*fixed.values())
        missed = whole.missed + Counter(kind for id_, kind in whole.fixed.items() if id_ not in seen)
        if missed:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(missed.items()))
            findings.note(
                _REGENERATED, f"found {_count(missed.total(), 'label')} that no other check did: {kinds}"
            )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def check_labels(
    request: SnapshotRequest, shard: Shard, *, progress: Callable[[int], None] | None = None
) -> LabelReport:
    """Run the checks of values over the rows that the seed and the defects give a part, a block in memory at a time.

    `progress` is called with the number of records of each step.
    """
    part = _Part(request, shard)
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


class _Arrays(MadeArrays):
    """The Arrow arrays of columns some of whose cells are wrong; a null where a value is none of the field's type."""

    def __init__(self, encoded: EncodedBlock, rows: DefectiveRows) -> None:
        super().__init__(encoded, rows.columns)
        self._cells = rows.edits.cells
        self._edited: dict[str, pa.Array] = {}

    def __getitem__(self, field: str) -> pa.Array:
        if field not in self._cells:
            return super().__getitem__(field)
        if field not in self._edited:
            cells, column = self._cells[field], self._columns[field]
            fitting = {row: value if _fits(value, column) else None for row, value in cells.items()}
            self._edited[field] = edited_array(super().__getitem__(field), fitting)
        return self._edited[field]


def _fits(value: Any, column: Column) -> bool:
    """Return whether a value is of a column's type, or null: texts alone may stand where they don't belong."""
    return not (isinstance(value, str) and isinstance(column, Numbers))


class _Rows:
    """The rows of a table in some records, or of a fixed table: clean, as they are, and which of their cells are labelled."""

    def __init__(self, table: Table, block: Block, made: DefectiveRows, file: str, first: int) -> None:
        """Take the rows, the first of which is the part's row `first`."""
        self.table, self.first = table, first
        self._encoded = EncodedBlock({table.name: made.columns})
        self._made = made
        edits = made.edits.cells
        columns = {name: column for name, column in made.columns.items() if name not in edits}
        start = block.start if table.one_a_record else first
        self.rows = Rows(file, start, _Arrays(self._encoded, made), None, columns=columns)
        self.slots: NDArray[np.uint64] = block.level(table).slots
        self.labels = made.labels
        self.positions = np.searchsorted(self.slots, np.array([each.slot for each in self.labels], np.uint64))
        self.labelled: dict[str, Mask] = {}
        for label, position in zip(self.labels, self.positions.tolist(), strict=True):
            self._mask(label.field)[position] = True

    def _mask(self, name: str) -> Mask:
        return self.labelled.setdefault(name, np.zeros(len(self.slots), dtype=np.bool_))

    def clean(self, name: str) -> pa.Array:
        """Return the values that a field would have without defects."""
        return self._encoded.array(self._made.columns[name])

    @cached_property
    def differences(self) -> dict[str, Mask]:
        """Which cells of each field differ from the clean ones; a field with none is left out."""
        found = {}
        for name in self._made.edits.cells:
            mask = differing(self.rows.arrays[name], self.clean(name)) | self.misfits(name)
            if mask.any():
                found[name] = mask
        return found

    def misfits(self, name: str) -> Mask:
        """Return which values of a field are of another type."""
        mask = np.zeros(len(self.slots), dtype=np.bool_)
        cells, column = self._made.edits.cells.get(name, {}), self._made.columns[name]
        mask[[row for row, value in cells.items() if not _fits(value, column)]] = True
        return mask

    def schema(self) -> Iterator[Finding]:
        """Check the values against the table's schema, and their types."""
        yield from schema(self.rows, self.table)
        for each in self.table.schema:
            if each.name in self._made.edits.cells:
                yield Finding(self.rows, each.name, self.misfits(each.name), f"a value of type {each.type}")

    def text(self, name: str, position: int) -> str | None:
        """Return what stands in a cell."""
        cells = self._made.edits.cells.get(name, {})
        value = cells[position] if position in cells else self.rows.arrays[name][position].as_py()
        return display(value_text(value))

    def clean_text(self, name: str, position: int) -> str:
        """Return what would stand in a cell without defects."""
        return display(value_text(self.clean(name)[position].as_py())) or "null"


class _Part:
    """The rows of a part as they are checked, some records at a time."""

    def __init__(self, request: SnapshotRequest, shard: Shard) -> None:
        self._request, self._shard = request, shard
        self._checks = checks_of(request.dataset)
        self._first_rows = Counter[str]()
        self.report = LabelReport()
        self._fixed: dict[str, _Rows] = {}
        if not shard.fixed:
            nothing = request.dataset.block(0, 0, request.seed)
            for table in request.dataset.select(request.entities):
                if table.is_fixed:
                    self._fixed[table.name] = self._rows(table, request.dataset.block_of(table, nothing))

    def _rows(self, table: Table, block: Block) -> _Rows:
        request, first = self._request, self._first_rows[table.name]
        made = defective_rows(request.defects, table, block)
        return _Rows(table, block, made, self._file(table), first)

    def _file(self, table: Table) -> str:
        """Return the file that a failure in a table's rows names: any holds the same rows."""
        request, name = self._request, self._request.formats[0]
        if name == "json":
            return document_name(request.dataset.dataset_version)
        return request.path(table, name, self._shard.number)

    def check(self, block: Block, tables: list[Table]) -> None:
        """Check some rows: all findings and labels of theirs."""
        own = {table.name: self._rows(table, block) for table in tables}
        every = {**self._fixed, **own}
        arrays = {name: each.rows for name, each in every.items()}
        reading = {check: _FoundCells(every) for check in LABEL_CHECKS}
        findings = {
            "schema": chain.from_iterable(each.schema() for each in own.values()),
            **{check: getattr(self._checks, check)(block, arrays) for check in LABEL_CHECKS[1:]},
        }
        for check, found in findings.items():
            for finding in found:
                self._add(check, reading[check].table_of(finding), finding, reading[check].take(finding))
        for rows in own.values():
            self._compare(rows)
            self._count(rows, reading)
            self._first_rows[rows.table.name] += len(rows.slots)
            self.report.rows += len(rows.slots) * len(self._request.formats)
        for rows in self._fixed.values():
            for check, found in reading.items():
                self.report.found_fixed[check].update(_ids(rows, found.of(rows)))

    def _add(self, check: str, rows: _Rows, finding: Finding, unlabelled: Mask) -> None:
        """Record what a finding has in rows that read no labelled cell."""
        row = first_true(unlabelled)
        if row is None:
            return
        found = rows.text(finding.field, row)
        if finding.describe is not None and found is not None:
            found = finding.describe(found)
        expected = finding.expected if isinstance(finding.expected, str) else finding.expected(row)
        failure = Failure(
            file=rows.rows.file,
            row=rows.first + row,
            field=finding.field,
            found=found,
            expected=f"{expected}; or a label that says what is wrong",
        )
        self.report.failures.append(LabelFailure(check, rows.table.name, failure, int(unlabelled.sum())))

    def _compare(self, rows: _Rows) -> None:
        """Hold the labels of some rows against the cells that differ from the clean ones."""
        nothing = np.zeros(len(rows.slots), dtype=np.bool_)
        for name, wrong in rows.differences.items():
            finding = Finding(rows.rows, name, wrong, partial(rows.clean_text, name))
            self._add(_REGENERATED, rows, finding, wrong & ~rows.labelled.get(name, nothing))
        for label, position in zip(rows.labels, rows.positions.tolist(), strict=True):
            if not rows.differences.get(label.field, nothing)[position]:
                failure = Failure(
                    file=self._file(LABELS),
                    field=label.defect_id,
                    found="a label of a cell that is as it is without defects",
                    expected="labels of wrong cells alone",
                )
                self.report.failures.append(LabelFailure(_REGENERATED, LABELS.name, failure, 1))

    def _count(self, rows: _Rows, reading: "dict[str, _FoundCells]") -> None:
        """Count the labels of some rows, and those that each check found."""
        report = self.report
        report.kinds.update(label.kind for label in rows.labels)
        found = {check: cells.of(rows) for check, cells in reading.items()}
        if rows.table.is_fixed:
            report.fixed |= {label.defect_id: label.kind for label in rows.labels}
            for check, which in found.items():
                report.found_fixed[check].update(_ids(rows, which))
            return
        for check, which in found.items():
            report.found[check] += sum(which)
        missed = (not any(which) for which in zip(*found.values(), strict=True))
        report.missed.update(label.kind for label, each in zip(rows.labels, missed, strict=True) if each)


def _ids(rows: _Rows, found: list[bool]) -> Iterator[str]:
    return (label.defect_id for label, each in zip(rows.labels, found, strict=True) if each)


class _FoundCells:
    """The labelled cells that the findings of a check read, in rows that fail."""

    def __init__(self, tables: Mapping[str, _Rows]) -> None:
        self._of = {id(each.rows): each for each in tables.values()}
        self._found: dict[tuple[str, str], Mask] = {}

    def table_of(self, finding: Finding) -> _Rows:
        """Return the rows that a finding is of."""
        return self._of[id(finding.rows)]

    def of(self, rows: _Rows) -> list[bool]:
        """Return whether each label of some rows was found."""
        return [
            (rows.table.name, label.field) in self._found
            and bool(self._found[rows.table.name, label.field][position])
            for label, position in zip(rows.labels, rows.positions.tolist(), strict=True)
        ]

    def take(self, finding: Finding) -> Mask:
        """Take the cells that a finding read; return in which rows that fail none of them is labelled."""
        unlabelled = finding.wrong.copy()
        if not unlabelled.any():
            return unlabelled
        for read in (Read(finding.rows, finding.field), *finding.reads):
            rows = self._of[id(read.rows)]
            labelled = rows.labelled.get(read.field)
            if labelled is None:
                continue
            if isinstance(read, LookUp):
                explained, cells = _looked_up(finding, rows, read.field, labelled)
            else:
                explained, cells = _read(finding, read, labelled)
            unlabelled &= ~explained
            key = rows.table.name, read.field
            self._found[key] = self._found.get(key, False) | (cells & labelled)
        return unlabelled


def _read(finding: Finding, read: Read, labelled: Mask) -> tuple[Mask, Mask]:
    """Return which rows of a finding read a labelled cell, and which cells its rows that fail read."""
    if read.ranges is None:
        return labelled, finding.wrong
    first, stop = read.ranges()
    before = np.concatenate([[0], np.cumsum(labelled)])
    explained: Mask = before.take(stop) > before.take(first)
    edges = np.zeros(len(labelled) + 1, dtype=np.int64)
    np.add.at(edges, first[finding.wrong], 1)
    np.add.at(edges, stop[finding.wrong], -1)
    cells: Mask = np.cumsum(edges[:-1]) > 0
    return explained, cells


def _looked_up(finding: Finding, rows: _Rows, name: str, labelled: Mask) -> tuple[Mask, Mask]:
    """Return which rows of a finding hold a value that a labelled cell should hold, and which cells those that fail look for."""
    cells: dict[Any, list[int]] = {}
    clean = rows.clean(name)
    for position in np.flatnonzero(labelled).tolist():
        cells.setdefault(clean[position].as_py(), []).append(position)
    explained, found = np.zeros_like(finding.wrong), np.zeros_like(labelled)
    values = finding.rows.arrays[finding.field]
    for row in np.flatnonzero(finding.wrong).tolist():
        positions = cells.get(values[row].as_py(), [])
        explained[row] = bool(positions)
        found[positions] = True
    return explained, found
