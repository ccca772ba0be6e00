"""Says why two snapshots differ: it names the cause of the drift, with rows and statistics."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
from esdh_core import BLOCK_RECORDS, Dataset, Table
from esdh_core.overlay import LABELS, written_slots
from esdh_export import SnapshotRequest
from esdh_manifest import (
    FileProblem,
    Manifest,
    document_name,
    file_problems,
    table_name,
)
from msgspec import UNSET
from numpy.typing import NDArray

from esdh_proof.checks.finding import differing
from esdh_proof.datasets import dataset_of, defects_of, manifest_of
from esdh_proof.errors import ProofError
from esdh_proof.findings import Findings, display
from esdh_proof.identity import SnapshotIdentity
from esdh_proof.reading import Rows, TableReader

__all__ = ["Cause", "ChangedValue", "MovedStatistic", "RowDrift", "SnapshotDiff", "diff_snapshots"]

# From the cause that explains most to the one that explains least; the first that holds is the difference's cause.
Cause = Literal[
    "version",
    "plan",
    "seed",
    "size",
    "defects",
    "edited",
    "entities",
    "formats",
    "layout",
    "claims",
    "bytes",
    "none",
]
_MEANING: dict[Cause, str] = {
    "version": "the snapshots are of other dataset versions",
    "plan": "they were made by other rules",
    "seed": "they were made from other seeds",
    "size": "one holds more records than the other",
    "defects": "other cells are wrong on purpose",
    "edited": "rows differ that one request makes alike: somebody edited them",
    "entities": "they hold other entities",
    "formats": "they hold other formats",
    "layout": "they split their tables into other parts",
    "claims": "their manifests claim other things of the same data",
    "bytes": "they hold the same data in other bytes",
    "none": "they are the same, byte for byte",
}
_EXAMPLES = 10  # changed values that are listed one by one
_LABELS = 5  # labels of a moved statistic that are listed


class ChangedValue(msgspec.Struct, frozen=True):
    """One value that differs: record (from 0), field, and what each snapshot has."""

    row: int
    field: str
    a: str | None
    b: str | None


class RowDrift(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a table that differ: how many of how many, in which fields, and the first values.

    `a_format` and `b_format` are the formats that were compared. `unread` counts rows that one of the two
    lacks or that can't be read.
    """

    entity: str
    a_format: str
    b_format: str
    compared: int
    differing: int
    unread: int
    fields: dict[str, int]
    first: list[ChangedValue]


class MovedLabel(msgspec.Struct, frozen=True):
    """One label of a statistic: its count and its share of all in each snapshot."""

    label: str
    a: int
    b: int
    a_share: float
    b_share: float


class MovedStatistic(msgspec.Struct, frozen=True, kw_only=True):
    """A statistic that moved; `distance` is the total variation distance of the shares, 0 to 1."""

    entity: str
    statistic: str
    distance: float
    labels: list[MovedLabel]


class SnapshotDiff(msgspec.Struct, frozen=True, kw_only=True):
    """Why snapshot `b` differs from snapshot `a`: the cause, all causes that hold, and what was found.

    `identities` is what the manifests say the two snapshots are; `claims` gives what they say differently, as
    (a, b); `prefix` says whether the smaller snapshot is the beginning of the larger, None where that doesn't
    ask itself; `damaged` names files that aren't as their own manifest lists them.
    """

    a: str
    b: str
    identities: tuple[SnapshotIdentity, SnapshotIdentity]
    cause: Cause
    meaning: str
    causes: list[Cause]
    claims: dict[str, tuple[str | None, str | None]]
    prefix: bool | None
    fields: list[str]
    files: list[str]
    rows: list[RowDrift]
    statistics: list[MovedStatistic]
    damaged: list[str]


def diff_snapshots(a: Path, b: Path, *, dataset: Dataset | None = None) -> SnapshotDiff:
    """Compare two snapshots, reading only, and attribute their difference.

    Each says itself of which `dataset` it is, unless that is given: by the recipe that it carries, else it is of the
    default one. Rows are compared in the slots that both have, and read where the manifests can't explain the difference: of the formats whose files differ, or of
    one format of each where they have none in common.

    Raises ProofError when a folder holds no manifest that can be read, or not the recipe that it names.

    >>> from esdh_export import write_snapshot
    >>> folders = [write_snapshot(Path(f"{n}"), SnapshotRequest(records=n, seed=1)).folder for n in (5, 6)]
    >>> diff_snapshots(*folders).cause
    'size'
    """
    left, right = _Side(a, dataset), _Side(b, dataset)
    causes: list[Cause] = []
    ours, theirs = left.manifest, right.manifest
    fields = sorted(
        field
        for field in {*ours.plan, *theirs.plan}
        if _both_hold(field, left, right) and ours.plan.get(field) != theirs.plan.get(field)
    )
    for cause, differs in (
        ("version", ours.dataset_version != theirs.dataset_version),
        ("plan", ours.plan_sha256 != theirs.plan_sha256 or bool(fields)),
        ("seed", ours.seed != theirs.seed),
        ("size", ours.records_requested != theirs.records_requested),
        ("defects", ours.defects != theirs.defects),
        ("entities", {*ours.record_counts} - {LABELS.name} != {*theirs.record_counts} - {LABELS.name}),
        ("formats", left.formats != right.formats),
        ("layout", left.layout != right.layout),
    ):
        if differs:
            causes.append(cause)  # type: ignore[arg-type] # the literals of the tuple above
    files = _differing_files(left, right)
    rows = [] if {"version", "seed"} & set(causes) else list(_rows(left, right))
    changed = any(each.differing or each.unread for each in rows)
    if changed and not {"plan", "defects"} & set(causes):
        causes.append("edited")
    claims = _claims(ours, theirs)
    if set(claims) - {"seed", "records_requested", "dataset_version", "plan_sha256"}:
        causes.append("claims")
    if files:
        causes.append("bytes")
    causes.sort(key=list(_MEANING).index)
    cause = causes[0] if causes else "none"
    return SnapshotDiff(
        a=str(a),
        b=str(b),
        identities=(SnapshotIdentity.of(a, ours), SnapshotIdentity.of(b, theirs)),
        cause=cause,
        meaning=_MEANING[cause],
        causes=causes,
        claims=claims,
        prefix=not changed if "size" in causes and rows else None,
        fields=fields,
        files=files,
        rows=[each for each in rows if each.differing or each.unread],
        statistics=list(_moved(ours, theirs)),
        damaged=[f"{side.folder}: {problem}" for side in (left, right) for problem in side.problems],
    )


class _Side:
    """One of the two snapshots: its manifest, and what its files really are."""

    def __init__(self, folder: Path, dataset: Dataset | None) -> None:
        self.manifest = manifest_of(folder)
        try:
            self._dataset = dataset or dataset_of(folder, self.manifest)
        except ProofError as error:
            raise ProofError(f"{str(folder)!r} doesn't say what its rows must be: {error}") from error
        try:
            has_defects = self.manifest.defects is not UNSET
            self._defects = defects_of(folder, self.manifest, self._dataset) if has_defects else None
        except ProofError as error:
            raise ProofError(f"{str(folder)!r} doesn't say what is wrong in it: {error}") from error
        self.folder = folder
        self.problems: list[FileProblem] = list(file_problems(folder, self.manifest))
        # What a file really is: its listed checksum, unless it isn't as listed.
        self.files = {path: entry.sha256 for path, entry in self.manifest.checksums.items()}
        self.files |= {problem.path: problem.found for problem in self.problems}
        # Files that a tool changed on the way, whose rows are the listed ones all the same.
        self.changed = {problem.path for problem in self.problems if problem.remedy}

    @property
    def request(self) -> SnapshotRequest | None:
        """The request that the manifest answers, None for one that this program doesn't know."""
        try:
            if self.manifest.dataset_version != self._dataset.dataset_version:
                return None
            return SnapshotRequest.of(self.manifest, self._dataset, self._defects)
        except ValueError:
            return None

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of the snapshot."""
        return self.request.formats if self.request else ()

    @property
    def layout(self) -> int | None:
        """The rows of a part, None for whole files."""
        return self.request.shard_rows if self.request and self.request.sharded else None

    def table(self, table: Table, name: str) -> dict[str, str]:
        """Return path to checksum of the files that hold a table in a format."""
        version = self._dataset.dataset_version
        start = document_name(version) if name == "json" else table_name(table.name, version, name)
        return {
            path: self.manifest.checksums[path].sha256 if path in self.changed else sha256
            for path, sha256 in self.files.items()
            if path == start or path.startswith(f"{start}/")
        }


def _both_hold(field: str, left: _Side, right: _Side) -> bool:
    """Return whether both snapshots hold the entity of a field: its absence is another cause."""
    return all(any(_owner(name) == _owner(field) for name in side.manifest.plan) for side in (left, right))


def _owner(path: str) -> str:
    """Return the table of `table.field`, `table@pick` or `table#count`."""
    return re.split("[.@#]", path, maxsplit=1)[0]


def _differing_files(left: _Side, right: _Side) -> list[str]:
    return sorted(
        path for path in {*left.files, *right.files} if left.files.get(path) != right.files.get(path)
    )


def _claims(ours: Manifest, theirs: Manifest) -> dict[str, tuple[str | None, str | None]]:
    """Return the simple claims that differ; the others show as rows, files and statistics."""
    names = (
        "dataset_version",
        "seed",
        "randomized",
        "records_requested",
        "generated_at",
        "synthetic_source",
        "generator",
        "plan_sha256",
    )
    pairs = {name: (getattr(ours, name), getattr(theirs, name)) for name in names}
    pairs["gates"] = (
        None if ours.gates is None else ours.gates.verdict,
        None if theirs.gates is None else theirs.gates.verdict,
    )
    return {name: (display(a), display(b)) for name, (a, b) in pairs.items() if a != b}


# --- rows --------------------------------------------------------------------------------------------


def _rows(left: _Side, right: _Side) -> Iterator[RowDrift]:
    """Compare the rows of every table that both hold, in each format whose files differ."""
    if left.request is None or right.request is None:
        return
    theirs = {table.name: table for table in right.request.tables}
    for table in left.request.tables:
        other = theirs.get(table.name)
        if table is LABELS or other is None or table.is_fixed != other.is_fixed:
            continue
        common = [name for name in left.formats if name in right.formats]
        pairs = [(name, name) for name in common] or [(left.formats[0], right.formats[0])]
        for name, their_name in pairs:
            files = left.table(table, name), right.table(other, their_name)
            if left.changed & set(files[0]) or right.changed & set(files[1]):
                continue  # they can't be read as they stand
            if name != their_name or files[0] != files[1]:
                yield _compare(_Walk(left, table, name), _Walk(right, other, their_name))


class _Walk:
    """The rows of a table in one format of a snapshot, some records at a time, with the slots that they stand in."""

    def __init__(self, side: _Side, table: Table, name: str) -> None:
        if side.request is None:
            raise TypeError("rows of a version that isn't known can't be compared")
        self.table, self.name, self.request = table, name, side.request
        self._fixed: NDArray[np.uint64] | None = None
        if table.is_fixed:
            dataset = side.request.dataset
            block = dataset.block_of(table, dataset.block(0, 0, side.request.seed))
            self._fixed = written_slots(side.request.defects, table, block)
        self.moves = side.request.defects is not None and side.request.defects.moves_rows(table)
        self.units = side.request.records if self._fixed is None else len(self._fixed)
        self._reader = TableReader(
            side.folder,
            side.request,
            table,
            name,
            Findings(),
            counts=side.manifest.record_counts,
            rows=None if self._fixed is None else self.units,
        )

    def take(self, start: int, count: int) -> tuple[NDArray[np.uint64], Rows | None]:
        """Return the slots of the next records' rows (of a fixed table, the next rows), and the rows as far as there are."""
        request = self.request
        if self._fixed is not None:
            slots = self._fixed[start : start + count]
        elif request.one_a_record(self.table):
            slots = np.arange(start, start + count, dtype=np.uint64)
        else:
            block = request.dataset.block(start, count, request.seed)
            slots = written_slots(request.defects, self.table, block)
        return slots, self._reader.take(start, count, len(slots))

    def close(self) -> None:
        """Close the files."""
        self._reader.close(whole=False)


def _compare(ours: _Walk, theirs: _Walk) -> RowDrift:
    """Compare rows that stand in the same slots, of the records that both snapshots have."""
    fields: Counter[str] = Counter()
    first: list[ChangedValue] = []
    compared = changed = unread = 0
    units = min(ours.units, theirs.units)
    step = BLOCK_RECORDS
    if not ours.table.is_fixed:
        step = min(ours.table.block_records, theirs.table.block_records)
    for start in range(0, units, step):
        count = min(step, units - start)
        (our_slots, a), (their_slots, b) = ours.take(start, count), theirs.take(start, count)
        most = max(len(our_slots), len(their_slots))
        if a is None and b is None and most:
            unread += most if ours.table.is_fixed or not ours.table.one_a_record else units - start
            break
        if a is None or b is None:
            unread += most
            continue
        # Of a row that is there twice the first.
        common, here, there = np.intersect1d(
            our_slots[: len(a)],
            their_slots[: len(b)],
            assume_unique=not (ours.moves or theirs.moves),
            return_indices=True,
        )
        both = len(common)
        unread += len(np.union1d(our_slots, their_slots)) - both
        compared += both
        differing_fields, examples, rows = _compare_block(a, b, here, there)
        changed += rows
        fields += differing_fields
        first += examples[: _EXAMPLES - len(first)]
        a.release()
        b.release()
    ours.close()
    theirs.close()
    return RowDrift(
        entity=ours.table.name,
        a_format=ours.name,
        b_format=theirs.name,
        compared=compared,
        differing=changed,
        unread=unread,
        fields=dict(fields.most_common()),
        first=first,
    )


def _compare_block(
    a: Rows, b: Rows, here: NDArray[np.intp], there: NDArray[np.intp]
) -> tuple[Counter[str], list[ChangedValue], int]:
    """Return the values that differ in pairs of rows, a count by field, the first few of them, and how many rows differ.

    A field that only one of the two has, or has as another type, is no value that differs.
    """
    wrong = np.zeros(len(here), dtype=np.bool_)
    fields: Counter[str] = Counter()
    values: list[ChangedValue] = []
    for field in (name for name in a.arrays if name in b.arrays):
        if a.arrays[field].type != b.arrays[field].type:
            continue
        ours, theirs = _picked(a.arrays[field], here), _picked(b.arrays[field], there)
        mask = differing(ours, theirs)
        if mask.any():
            fields[field] = int(mask.sum())
            wrong |= mask
            values += [
                ChangedValue(
                    a.start + int(here[row]), field, display(ours[row].as_py()), display(theirs[row].as_py())
                )
                for row in np.flatnonzero(mask)[:_EXAMPLES].tolist()
            ]
    values.sort(key=lambda value: value.row)  # stable: within a row the fields keep their order
    return fields, values, int(wrong.sum())


def _picked(values: pa.Array, rows: NDArray[np.intp]) -> pa.Array:
    """Return some rows, which ascend: the first of them as they are."""
    if len(rows) and rows[-1] == len(rows) - 1:
        return values.slice(0, len(rows))
    return values.take(pa.array(rows))


# --- statistics --------------------------------------------------------------------------------------


def _moved(ours: Manifest, theirs: Manifest) -> Iterator[MovedStatistic]:
    """Yield the statistics whose shares differ, of the entities that both hold, the furthest moved first."""
    moved = [
        _statistic(plural, name, counts, theirs.stats[plural].get(name, {}))
        for plural, statistics in ours.stats.items()
        if plural in theirs.stats
        for name, counts in statistics.items()
    ]
    yield from sorted(
        (each for each in moved if each.distance),
        key=lambda each: (-each.distance, each.entity, each.statistic),
    )


def _statistic(plural: str, name: str, ours: dict[str, int], theirs: dict[str, int]) -> MovedStatistic:
    totals = max(1, sum(ours.values())), max(1, sum(theirs.values()))
    labels = [
        MovedLabel(
            label,
            ours.get(label, 0),
            theirs.get(label, 0),
            round(ours.get(label, 0) / totals[0], 6),
            round(theirs.get(label, 0) / totals[1], 6),
        )
        for label in sorted({*ours, *theirs})
    ]
    exact = sum(abs(each.a * totals[1] - each.b * totals[0]) for each in labels)
    labels.sort(key=lambda each: -abs(each.a * totals[1] - each.b * totals[0]))
    return MovedStatistic(
        entity=plural,
        statistic=name,
        distance=round(exact / (2 * totals[0] * totals[1]), 6),
        labels=[each for each in labels[:_LABELS] if each.a * totals[1] != each.b * totals[0]],
    )
