"""Verifies a snapshot from its files alone: named checks over every row, a block in memory at a time.

Two witnesses are heard. The files are read back and held against the contract, value by value, by code
that generates nothing; and the rows are made again from the seed and held against what was read.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import product, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from esdh_core import BLOCK_RECORDS, DEFAULT_DATASET, Dataset, Table
from esdh_core.columns import Column, concatenate
from esdh_core.dataset import Block
from esdh_export import (
    FORMATS,
    EncodedBlock,
    SnapshotRequest,
    Tallies,
    block_digest,
    build_manifest,
    entity_digest,
    manifest_counts,
    merge_counts,
    render_descriptors,
)
from esdh_export.formats import Writer
from esdh_export.formats.json import metadata_document
from esdh_manifest import (
    SUMS_NAME,
    FileProblem,
    Manifest,
    ManifestError,
    decode_manifest,
    encode_manifest,
    entry_of,
    file_problem,
    file_problems,
    files_below,
    is_ignored,
    manifest_name,
    metadata_name,
    readme_name,
    recipe_name,
    render_readme,
    restore,
    sha256sums,
)

from esdh_proof.checks import Finding, checks_of, schema
from esdh_proof.checks.finding import differing
from esdh_proof.datasets import LARGEST_DOCUMENT, dataset_of
from esdh_proof.errors import ProofError
from esdh_proof.findings import Check, Failure, Findings, display, first_true
from esdh_proof.gates import judge, skip
from esdh_proof.reading import Rows, TableReader, manifest_names, regular
from esdh_proof.reencode import BytesSink, column_digests, columns_of, text_of

__all__ = ["Verification", "verify_snapshot"]

_ROW_CHECKS = ("schema", "formats", "synthetic", "integrity", "rules", "fidelity", "stats", "regenerated")
# What no reading of the files can prove, whoever reads them.
UNPROVABLE = (
    "whether the seed was drawn at random, as `randomized` says",
    "which version of the program wrote the files",
    "who made the snapshot, when and where",
)


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a verification: every check in order, and what stays unproven."""

    folder: str
    verdict: Literal["passed", "failed"]
    dataset_version: str | None
    seed: int | None
    records: int | None
    plan_sha256: str | None
    content: dict[str, str]
    checks: list[Check]
    unproven: list[str]


def verify_snapshot(
    folder: Path,
    *,
    dataset: Dataset | None = None,
    regenerate: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Verify the snapshot in a folder, reading only; return what every check found.

    The snapshot says itself of which `dataset` it is, unless that is given: by the recipe that it carries, else it is
    of the default one. `regenerate` makes the rows again from the seed. `progress` is called after each block with its
    number of records and with that of all blocks. Damage is never an error: it is a check that failed.

    Raises ProofError when there is no such folder; OSError when the disk fails.

    >>> from esdh_export import write_snapshot
    >>> written = write_snapshot(Path("out"), SnapshotRequest(records=5, seed=1), gate=judge)
    >>> verify_snapshot(written.folder).verdict
    'passed'
    """
    if not folder.is_dir():
        raise ProofError(f"{str(folder)!r} is no folder; name the folder of a snapshot")
    findings = Findings()
    manifest = _manifest(folder, dataset or DEFAULT_DATASET, findings)
    request = None
    problems: list[FileProblem] = []
    if manifest is not None:
        problems = _files(folder, manifest, findings)
        request = _request(folder, manifest, dataset, findings)
    if manifest is not None and request is not None:
        with _restored(folder, manifest, problems) as restored:
            _rows(folder, manifest, request, findings, restored, regenerate=regenerate, progress=progress)
        _name_writers(folder, request, problems, findings)
    else:
        for name in _ROW_CHECKS if manifest is not None else ("files", *_ROW_CHECKS):
            findings.skip(name, "the manifest doesn't say what to look for")
    checks = findings.checks()
    return Verification(
        folder=str(folder),
        verdict="failed" if any(check.status == "failed" for check in checks) else "passed",
        dataset_version=manifest.dataset_version if manifest else None,
        seed=manifest.seed if manifest else None,
        records=manifest.records_requested if manifest else None,
        plan_sha256=manifest.plan_sha256 if manifest else None,
        content=manifest.content if manifest else {},
        checks=checks,
        unproven=[
            *(f"{check.name}: {check.reason}" for check in checks if check.status == "unproven"),
            *UNPROVABLE,
        ],
    )


# --- the manifest and the files ----------------------------------------------------------------------


def _manifest(folder: Path, dataset: Dataset, findings: Findings) -> Manifest | None:
    """Return the manifest, None when it can't be read or isn't in the form that it is written in."""
    own = manifest_name(dataset.dataset_version)
    names = sorted(manifest_names(folder), key=lambda name: (name != own, name))  # that of this dataset first
    if len(names) != 1:
        found = ", ".join(names) or None
        findings.fail("manifest", Failure(file=own, found=found, expected="one manifest"))
    if not names:
        return None
    name = names[0]
    if not regular(folder, name):
        findings.fail("manifest", Failure(file=name, found="no regular file", expected="a file"))
        return None
    if (size := (folder / name).stat().st_size) > LARGEST_DOCUMENT:
        failure = Failure(file=name, found=f"{size} bytes", expected=f"at most {LARGEST_DOCUMENT} bytes")
        findings.fail("manifest", failure)
        return None
    written = (folder / name).read_bytes()
    try:
        manifest = decode_manifest(written)
    except (ManifestError, RecursionError) as error:
        findings.fail("manifest", Failure(file=name, found=display(error), expected="a snapshot's manifest"))
        return None
    _same_bytes(folder, name, encode_manifest(manifest), "manifest", findings)
    findings.expect("manifest", name, None, name, manifest_name(manifest.dataset_version))
    return manifest


def _same_text(findings: Findings, check: str, file: str, found: bytes, expected: bytes) -> None:
    """Compare two texts; the failure names the first line that differs."""
    if found == expected:
        return
    here, there = found.splitlines(keepends=True), expected.splitlines(keepends=True)
    at = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), None)
    if at is None:
        at = min(len(here), len(there))
    line = here[at].decode("utf-8", "replace").rstrip("\n") if at < len(here) else None
    line_expected = (
        there[at].decode("utf-8", "replace").rstrip("\n") if at < len(there) else "the end of the file"
    )
    failure = Failure(
        file=file, field=f"line {at + 1}", found=display(line), expected=display(line_expected) or ""
    )
    findings.fail(check, failure)


def _same_bytes(folder: Path, path: str, rendered: bytes, check: str, findings: Findings) -> None:
    """Hold a file against what it must be; the failure says what a tool did to it, or the first line that differs."""
    problem = file_problem(folder, path, entry_of(rendered))
    if problem is not None and problem.remedy:
        _fail_file(problem, check, findings)
    else:
        _same_text(findings, check, path, (folder / path).read_bytes(), rendered)


def _fail_file(problem: FileProblem, check: str, findings: Findings) -> None:
    failure = Failure(file=problem.path, found=problem.found, expected=problem.expected)
    findings.fail(check, failure)
    if problem.remedy:
        findings.note(check, problem.remedy)


def _files(folder: Path, manifest: Manifest, findings: Findings) -> list[FileProblem]:
    """Check every file against the manifest, and what the manifest renders to against its file.

    Return what is wrong with the files that the manifest lists.
    """
    problems = list(file_problems(folder, manifest))
    for problem in problems:
        _fail_file(problem, "files", findings)
    name = next(each for each in manifest_names(folder))
    extras = files_below(folder) - set(manifest.checksums) - {SUMS_NAME, name}
    extras -= {f"{problem.path}.gz" for problem in problems if problem.remedy}  # reported already
    ignored = {extra for extra in extras if is_ignored(extra)}
    for extra in sorted(extras - ignored):
        findings.fail(
            "files", Failure(file=extra, found="a file", expected="nothing: the manifest doesn't list it")
        )
    if ignored:
        findings.note("files", f"passed over, as no part of the snapshot: {', '.join(sorted(ignored)[:5])}")
    itself, written = entry_of((folder / name).read_bytes()), entry_of(encode_manifest(manifest))
    changed = file_problem(folder, name, written)
    listed = {**manifest.checksums, name: written if changed is not None and changed.remedy else itself}
    for path, rendered in (
        (SUMS_NAME, sha256sums(listed)),
        (readme_name(manifest.dataset_version), render_readme(manifest)),
    ):
        _rendered(folder, path, rendered, findings)
    findings.note(
        "files",
        f"{len(manifest.checksums)} files, {sum(f.bytes for f in manifest.checksums.values()):,} bytes",
    )
    return problems


@contextmanager
def _restored(folder: Path, manifest: Manifest, problems: list[FileProblem]) -> Iterator[dict[str, Path]]:
    """Hold copies of the files that a tool changed on the way as they were before, by their paths, to be read."""
    with ExitStack() as stack:
        restored = {}
        for number, path in enumerate(problem.path for problem in problems if problem.remedy):
            if number == 0:
                copies = Path(stack.enter_context(TemporaryDirectory(prefix="esdh-")))
            source = folder / path if (folder / path).is_file() else folder / f"{path}.gz"
            restored[path] = copies / f"{number}{source.suffix.replace('.gz', '')}"
            with restored[path].open("wb") as copy:
                restore(source, manifest.checksums[path], copy.write)
        yield restored


def _name_writers(
    folder: Path, request: SnapshotRequest, problems: list[FileProblem], findings: Findings
) -> None:
    """Say of Parquet files that aren't as listed, while all checks of their rows passed, who wrote them."""
    if any(findings.failed(check) for check in ("schema", "formats")):
        return
    for path in (each.path for each in problems if request.is_table(each.path) and not each.remedy):
        if not path.endswith(".parquet") or not regular(folder, path):
            continue
        by = pq.read_metadata(folder / path).created_by
        findings.note(
            "files",
            f"{path} holds the listed rows in bytes that {display(by)} wrote; take the file from its source, or "
            "generate the snapshot again",
        )


def _rendered(folder: Path, path: str, rendered: bytes, findings: Findings) -> None:
    if not regular(folder, path):
        findings.fail("files", Failure(file=path, found="missing", expected="a file"))
    elif (folder / path).stat().st_size > LARGEST_DOCUMENT:
        findings.fail(
            "files", Failure(file=path, found="a far larger file", expected=f"{len(rendered)} bytes")
        )
    else:
        _same_bytes(folder, path, rendered, "files", findings)


def _request(
    folder: Path, manifest: Manifest, dataset: Dataset | None, findings: Findings
) -> SnapshotRequest | None:
    """Return the request that the manifest answers, None when this program can't say what it means."""
    try:
        dataset = dataset or dataset_of(folder, manifest)
    except ProofError as error:
        name = recipe_name(manifest.dataset_version)
        findings.fail(
            "manifest", Failure(file=name, found=display(error, 500), expected="the plan of the dataset")
        )
        for check in _ROW_CHECKS:
            findings.skip(check, "the plan of the dataset can't be read")
        return None
    if manifest.dataset_version != dataset.dataset_version:
        for name in _ROW_CHECKS:
            findings.skip(
                name,
                f"the snapshot is of {manifest.dataset_version}; this program knows {dataset.dataset_version}",
            )
        return None
    try:
        return SnapshotRequest.of(manifest, dataset)
    except ValueError as error:
        findings.fail(
            "manifest",
            Failure(file=manifest_name(manifest.dataset_version), found=display(error), expected="a request"),
        )
        return None


# --- the rows ----------------------------------------------------------------------------------------


def _rows(
    folder: Path,
    manifest: Manifest,
    request: SnapshotRequest,
    findings: Findings,
    restored: dict[str, Path],
    *,
    regenerate: bool,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Run every check that reads rows, then those over their sums."""
    if not regenerate:
        findings.skip("regenerated", "the rows were not made again, as --no-regenerate asks")
    reading = _Reading(folder, manifest, request, findings, restored, regenerate=regenerate)
    reading.fixed()
    for start, count in steps(request):
        if not reading.records(start, count):
            break  # a manifest may claim any number of records
        pa.default_memory_pool().release_unused()
        if progress is not None:
            progress(count, request.records)
    reading.finish(folder)


def steps(request: SnapshotRequest) -> Iterator[tuple[int, int]]:
    """Yield the records that are looked at together, as (first, number): as many as the smallest block has."""
    tables = [table for table in request.tables if not table.is_fixed]
    size = min((table.block_records for table in tables), default=0)
    for start in range(0, request.records if tables else 0, size or 1):
        yield start, min(size, request.records - start)


class _Unit:
    """Rows that are looked at together, and what the seed gives for them: some records, or every fixed row.

    `block` has their slots and parents, whether or not their columns are made.
    """

    def __init__(self, block: Block, encoded: EncodedBlock | None) -> None:
        self.block = block
        self.encoded = encoded
        self.checked: set[tuple[object, ...]] = set()  # what has been checked of it

    def is_new(self, content: tuple[object, ...]) -> bool:
        """Return whether this content hasn't been checked yet."""
        new = content not in self.checked
        self.checked.add(content)
        return new


class _Digests:
    """The block digests of a table in each format, out of pieces that make blocks together.

    Pieces that are the same in several formats are held, and hashed, once.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._pieces: dict[str, list[bytes]] = {}  # by format: the digest of each piece of the block at hand
        self._arrays: dict[bytes, dict[str, pa.Array]] = {}
        self._known: dict[tuple[bytes, ...], bytes] = {}
        self.blocks: dict[str, list[bytes]] = {}

    def add(self, name: str, piece: bytes, rows: Rows, *, ends: bool) -> None:
        """Add a piece of a block by its digest, the last one where the block `ends`."""
        pieces = self._pieces.setdefault(name, [])
        if len(rows):
            pieces.append(piece)
            if not ends or len(pieces) > 1:
                self._arrays.setdefault(piece, dict(rows.arrays))
        if ends and (pieces or not self._table.is_fixed):  # whose blocks are of rows: none without any
            self.blocks.setdefault(name, []).append(self._block(tuple(pieces)))
            pieces.clear()

    def skip(self, name: str, *, ends: bool) -> None:
        """Pass over a piece that isn't there; a block without any piece has no digest."""
        if ends and (pieces := self._pieces.get(name)):
            self.blocks.setdefault(name, []).append(self._block(tuple(pieces)))
            pieces.clear()

    def _block(self, pieces: tuple[bytes, ...]) -> bytes:
        if len(pieces) == 1:
            return pieces[0]
        if pieces not in self._known:
            held = [self._arrays[piece] for piece in pieces]
            arrays = {
                name: pa.concat_arrays([each[name] for each in held]) if held else None
                for name in self._table.fields
            }
            self._known[pieces] = block_digest(column_digests(arrays, self._table) if held else [])
        return self._known[pieces]

    def end_block(self) -> None:
        """Let go of what no later block needs."""
        self._arrays.clear()
        self._known.clear()


class _Reading:
    """What has been read of a snapshot so far."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        request: SnapshotRequest,
        findings: Findings,
        restored: dict[str, Path],
        *,
        regenerate: bool,
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._request = request
        self._findings = findings
        self._restored = restored
        self._regenerate = regenerate
        self._digests = {table.name: _Digests(table) for table in request.tables}
        self._tallies = Tallies(request)  # of the part at hand, as they were when it was written
        self._stats = self._tallies.counts()
        self._texts: dict[tuple[str, str], tuple[BytesSink, Writer]] = {}
        self._rewritten: dict[str, _Rewritten] = {}
        self._checks = checks_of(request.dataset)
        findings.claim(getattr(self._checks, "CLAIMS", {}))
        self._name = manifest_name(request.dataset.dataset_version)
        self._row_counts = {table.name: 0 for table in request.tables}  # made again, as far as it was looked
        self._file_rows: dict[str, int] = {}
        self._stopped = False
        self._fixed: dict[str, dict[str, Rows]] = {
            name: {} for name in request.formats
        }  # by format and table
        self._readers = {
            (name, table.name): self._reader(table, name)
            for name in request.formats
            for table in request.tables
            if not table.is_fixed
        }

    def _reader(self, table: Table, name: str, rows: int | None = None) -> TableReader:
        request, claimed = self._request, self._manifest.record_counts
        counts = {
            each.name: request.records if each.one_a_record else claimed.get(each.name, 0)
            for each in request.tables
        }
        return TableReader(
            self._folder,
            request,
            table,
            name,
            self._findings,
            counts=counts,
            restored=self._restored,
            rows=rows,
        )

    def fixed(self) -> None:
        """Check every row of the fixed tables, by blocks; they are held to check other rows against them."""
        request = self._request
        units: dict[str, _Unit] = {}
        for table in (each for each in request.tables if each.is_fixed):
            block = request.dataset.block_of(table, request.dataset.block(0, 0, request.seed))
            self._tallies.add_draws(table, block)
            unit = units.setdefault(table.top.name, _Unit(block, None))
            whole = table.columns(unit.block) if self._regenerate else None
            rows = len(unit.block.level(table).slots)
            readers = {name: self._reader(table, name, rows) for name in request.formats}
            for start in range(0, max(rows, 1), BLOCK_RECORDS):
                count = min(BLOCK_RECORDS, rows - start)
                self._count_rows(table, start, count)
                encoded = None
                if whole is not None:
                    at = np.arange(start, start + count)
                    encoded = EncodedBlock(
                        {table.name: {name: each.take(at) for name, each in whole.items()}}
                    )
                part = _Unit(unit.block, encoded)
                for name, reader in readers.items():
                    found = reader.take(start, count, count)
                    if found is None:
                        continue
                    self._table(name, table, found, part, ends=True)
                    held = self._fixed[name].get(table.name)
                    self._fixed[name][table.name] = (
                        found if held is None else Rows(found.file, 0, _joined(held, found), None)
                    )
                self._digests[table.name].end_block()
            for reader in readers.values():
                reader.close()
            self._share(table)
        for name in request.formats:
            for top, unit in units.items():
                tables = {
                    table.name: self._fixed[name][table.name]
                    for table in request.tables
                    if table.name in self._fixed[name] and table.top.name == top
                }
                self._check(name, tables, unit, ())

    def _share(self, table: Table) -> None:
        """Hold the rows of a fixed table once for all formats that agree on them."""
        blocks = self._digests[table.name].blocks
        first: dict[tuple[bytes, ...], Rows] = {}
        for name, held in ((name, self._fixed[name].get(table.name)) for name in self._request.formats):
            if held is not None:
                held.arrays = first.setdefault(tuple(blocks.get(name, ())), held).arrays

    def records(self, start: int, count: int) -> bool:
        """Check the rows of some records in every table, a format at a time; return whether any was there."""
        request = self._request
        tables = [table for table in request.tables if not table.is_fixed]
        block = request.dataset.block(start, count, request.seed)
        columns = {table.name: table.columns(block) for table in tables} if self._regenerate else None
        unit = _Unit(block, None if columns is None else EncodedBlock(columns))
        rows = {table.name: len(block.level(table).slots) for table in tables}
        for table in tables:
            self._count_rows(table, start, rows[table.name])
            self._tallies.add_draws(table, block)
        found = not any(rows.values())
        for name in request.formats:
            found |= self._format(name, tables, rows, unit)
        stop = start + count
        for table in tables:
            if self._ends(table, stop):
                self._digests[table.name].end_block()
        if stop % request.shard_rows == 0:
            self._end_part()
        self._stopped = not found and stop < request.records
        return found

    def _ends(self, table: Table, stop: int) -> bool:
        """Return whether a block of a table ends with the records before `stop`."""
        return stop % table.block_records == 0 or stop == self._request.records

    def _count_rows(self, table: Table, start: int, rows: int) -> None:
        """Say that a table has so many more rows, those of record `start` and on."""
        self._row_counts[table.name] += rows
        number = 0 if table.is_fixed else start // self._request.shard_rows
        for name in self._request.formats:
            if name != "json":
                path = self._request.path(table, name, number)
                self._file_rows[path] = self._file_rows.get(path, 0) + rows

    def _format(self, name: str, tables: list[Table], rows: dict[str, int], unit: _Unit) -> bool:
        """Check some records in one format; what it has in common with a format before is checked once."""
        read: dict[str, Rows] = {}
        digests: dict[str, bytes] = {}
        start, stop = unit.block.start, unit.block.start + unit.block.count
        for table in tables:
            found = self._readers[name, table.name].take(start, stop - start, rows[table.name])
            ends = self._ends(table, stop)
            if found is None:
                self._digests[table.name].skip(name, ends=ends)
                continue
            digests[table.name] = self._table(name, table, found, unit, ends=ends)
            read[table.name] = found
        if not read:
            return False
        self._check(name, read, unit, tuple(digests.items()))
        some = any(map(len, read.values()))
        for each in read.values():
            each.release()
        return some

    def _check(self, name: str, tables: dict[str, Rows], unit: _Unit, content: tuple[object, ...]) -> None:
        """Run the checks over the rows of several tables."""
        for check in ("synthetic", "integrity", "rules"):
            self._findings.count_rows(check, sum(map(len, tables.values())))
        if not content or unit.is_new(content):
            for check in ("synthetic", "integrity", "rules"):
                made_of_rows = getattr(self._checks, check)
                self._fail(check, made_of_rows(unit.block, {**self._fixed[name], **tables}))

    def _table(self, name: str, table: Table, rows: Rows, unit: _Unit, *, ends: bool) -> bytes:
        """Check some rows of one table in one format; return their digest."""
        encoded = unit.encoded
        digest = block_digest(column_digests(rows.arrays, table) if len(rows) else [])
        self._digests[table.name].add(name, digest, rows, ends=ends)
        same = encoded is not None and digest == encoded.digest_of(table)
        columns = None
        if len(rows):
            columns = (
                encoded.columns[table.name]
                if encoded and same
                else columns_of(self._request.dataset, table, rows.arrays)
            )
        if encoded is not None:
            self._findings.count_rows("regenerated", len(rows))
            if not same:
                self._explain(rows, table, encoded)
        self._spelled(name, table, rows, columns, encoded=encoded if same else None, ends=ends)
        self._findings.count_rows("schema", len(rows))
        if unit.is_new((table.name, digest)):
            self._fail("schema", schema(rows, table))
        if len(rows) and unit.is_new((table.name,)):
            self._count(table, rows, columns)
        return digest

    def _fail(self, check: str, found: Iterator[Finding]) -> None:
        for finding in found:
            row = first_true(finding.wrong)
            if row is None:
                continue
            rows = finding.rows
            value = display(rows.arrays[finding.field][row].as_py())
            if finding.describe is not None and value is not None:
                value = finding.describe(value)
            expected = finding.expected if isinstance(finding.expected, str) else finding.expected(row)
            failure = Failure(
                file=rows.file, row=rows.start + row, field=finding.field, found=value, expected=expected
            )
            self._findings.fail(check, failure, count=int(finding.wrong.sum()))

    def _explain(self, rows: Rows, table: Table, encoded: EncodedBlock) -> None:
        """Tell the first row and field in which a block differs from what the seed gives."""
        first: tuple[int, str, pa.Array] | None = None
        wrong: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None
        for field, column in encoded.columns[table.name].items():
            expected = encoded.array(column)
            count = min(len(rows), len(expected))
            mask = differing(rows.arrays[field].slice(0, count), expected.slice(0, count))
            wrong = mask if wrong is None else wrong | mask
            row = first_true(mask)
            if row is not None and (first is None or row < first[0]):
                first = row, field, expected
        if first is None or wrong is None:  # the same as far as it goes
            number = len(next(iter(encoded.columns[table.name].values())))
            self._findings.expect("regenerated", rows.file, None, f"{len(rows)} rows", f"{number} rows")
            return
        row, field, expected = first
        failure = Failure(
            file=rows.file,
            row=rows.start + row,
            field=field,
            found=display(rows.arrays[field][row].as_py()),
            expected=display(expected[row].as_py()) or "null",
        )
        self._findings.fail("regenerated", failure, count=int(wrong.sum()))

    def _spelled(
        self,
        name: str,
        table: Table,
        rows: Rows,
        columns: dict[str, Column] | None,
        *,
        encoded: EncodedBlock | None,
        ends: bool,
    ) -> None:
        """Hold a text format's bytes against those that its writer gives for the same values."""
        if rows.text is None:
            if self._regenerate:
                self._rewritten.setdefault(rows.file, _Rewritten(self._request, table)).add(
                    encoded, ends=ends
                )
            return
        if columns is None or not rows.text:
            return  # a value that no column holds has failed another check
        expected = (
            self._text(name, table, encoded)
            if encoded
            else text_of(name, self._request.dataset, table, columns, self._request.seed)
        )
        found, ending = memoryview(rows.text), b""
        if name == "json":  # the section writes the separator before a row, the document has it after
            last = rows.start + len(rows) == self._request.records if table.one_a_record else rows.last
            expected, ending = expected[2:], b"\n" if last else b",\n"
        body = found[: len(found) - len(ending)]
        if pa.py_buffer(body).equals(pa.py_buffer(expected)) and found[len(body) :] == ending:
            rows.text = None  # the largest part of a block, and of no more use
            return
        here, there = rows.text.split(b"\n"), (bytes(expected) + ending).split(b"\n")
        at = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), len(there) - 1)
        failure = Failure(
            file=rows.file,
            row=rows.start + min(at, len(rows) - 1),
            found=display(here[at].decode("utf-8", "replace") if at < len(here) else None),
            expected=display(there[at].decode("utf-8", "replace")) or "a line end",
        )
        self._findings.fail("schema", failure)

    def _text(self, name: str, table: Table, encoded: EncodedBlock) -> memoryview:
        """Return a block as its format's writer gives it; the writer is kept, and what it has rendered."""
        if (name, table.name) not in self._texts:
            sink = BytesSink()
            self._texts[name, table.name] = (
                sink,
                FORMATS[name].Writer(sink, table, dataset=self._request.dataset, seed=self._request.seed),
            )
        sink, writer = self._texts[name, table.name]
        sink.take()
        writer.write(encoded)
        return sink.take()

    def _count(self, table: Table, rows: Rows, columns: dict[str, Column] | None) -> None:
        self._findings.count_rows("stats", len(rows))
        self._findings.count_rows("fidelity", len(rows))
        try:
            self._tallies.add(table, columns or {})
        except (KeyError, TypeError):  # a value of another kind, which the check of the schema names
            failure = Failure(
                file=rows.file,
                row=rows.start,
                found="values that can't be counted",
                expected="a block to count",
            )
            self._findings.fail("stats", failure)

    def _end_part(self) -> None:
        """Add what was counted of a part to the statistics of the snapshot."""
        self._stats = merge_counts(self._stats, self._tallies.counts())
        self._tallies = Tallies(self._request)

    def finish(self, folder: Path) -> None:
        """Run the checks over the sums: digests, statistics, gates, claims, and rewritten Parquet files."""
        self._end_part()
        self._stats = manifest_counts(self._request, self._stats)
        for reader in self._readers.values():  # lets each file be looked at to its end
            reader.close(whole=not self._stopped)
        content = self._content()
        self._check_statistics()
        self._check_gates()
        tables_agree = self._check_manifest(content)
        if (recipe := self._request.dataset.recipe) is not None:
            _rendered(folder, recipe_name(self._manifest.dataset_version), recipe, self._findings)
        if "json" in self._request.formats:
            metadata = metadata_document(self._request.dataset.metadata(self._rows(), self._request.seed))
            _rendered(folder, metadata_name(self._manifest.dataset_version), metadata, self._findings)
        if tables_agree:  # else a manifest of a million made-up parts would be rendered at length
            for path, rendered in render_descriptors(self._manifest, self._request.dataset).items():
                _rendered(folder, path, rendered, self._findings)
        for path, rewritten in self._rewritten.items():
            rewritten.compare(folder, path, self._manifest, self._findings)

    def _rows(self) -> dict[str, int]:
        """Return the number of rows that each table must have: counted again, unless that was given up."""
        return {
            table.name: self._request.records
            if table.one_a_record
            else self._manifest.record_counts[table.name]
            if self._stopped and not table.is_fixed
            else self._row_counts[table.name]
            for table in self._request.tables
        }

    def _rows_of_files(self, listed: dict[str, int]) -> dict[str, int]:
        """Return the number of rows that each file must have; where they were not counted again, as it is listed."""
        rows = self._request.row_counts()
        for shard in self._request.shards():
            for path in self._request.shard_files(shard):
                if path not in rows:
                    counted = self._file_rows.get(path, 0)
                    rows[path] = listed.get(path, counted) if self._stopped and not shard.fixed else counted
        return rows

    def _content(self) -> dict[str, str]:
        """Compare the content digests of every format with each other and with the manifest's."""
        content: dict[str, str] = {}
        rows = self._rows()
        for name, table in product(self._request.formats, rows):
            digest = entity_digest(self._digests[table].blocks.get(name, []))
            file = self._request.files().get(
                f"{table}_{name}", f"{self._request.files().get('dataset_json')}"
            )
            content.setdefault(table, digest)
            self._findings.count_rows("formats", rows[table])
            self._findings.expect(
                "formats", file, f"{table} content digest", digest, self._manifest.content.get(table)
            )
            if digest != content[table]:
                failure = Failure(
                    file=file, field=table, found=digest, expected=f"{content[table]}, as in other formats"
                )
                self._findings.fail("formats", failure)
        return content

    def _check_statistics(self) -> None:
        for table, statistics in self._stats.items():
            manifest_statistics = self._manifest.stats.get(table, {})
            for statistic, counts in statistics.items():
                labels = manifest_statistics.get(statistic, {})
                for label in sorted({*counts, *labels}):
                    field = f"stats.{table}.{statistic}.{label}"
                    self._findings.expect("stats", self._name, field, labels.get(label), counts.get(label))

    def _check_gates(self) -> None:
        """Hold the recounted statistics against the plan, and the gates that the manifest claims against that."""
        manifest_gates = self._manifest.gates
        try:
            gates = judge(self._stats, dataset=self._request.dataset, seed=self._request.seed)
        except ProofError as error:
            self._findings.expect("fidelity", self._name, "stats", display(error), "counts of every row")
            return
        for check in (each for each in gates.checks if not each.passed):
            field = f"stats.{check.entity}.{check.statistic}.{check.worst}"
            expected = f"about {check.expected}" if check.expected else "none"
            self._findings.expect("fidelity", self._name, field, check.observed, expected)
        if manifest_gates is None or manifest_gates.verdict == "skipped":
            if gates.verdict != "skipped":  # as it is where no shares are declared
                self._findings.note("fidelity", "no gate was asked when the snapshot was written")
            gates = skip(self._stats)  # which claims nothing else
        if manifest_gates is None:
            return
        self._findings.expect("fidelity", self._name, "gates.verdict", manifest_gates.verdict, gates.verdict)
        self._findings.expect("fidelity", self._name, "gates.level", manifest_gates.level, gates.level)
        for at, (found, recomputed) in enumerate(zip_longest(manifest_gates.checks, gates.checks)):
            self._findings.expect("fidelity", self._name, f"gates.checks.{at}", found, recomputed)

    def _check_manifest(self, content: dict[str, str]) -> bool:
        """Hold every claim of the manifest that follows from the others against what it must be.

        Return whether it lists the tables that the request asks for.
        """
        manifest, request = self._manifest, self._request
        expected = build_manifest(
            request, rows=self._rows(), content=content, stats=self._stats, gates=manifest.gates
        )
        passed_over = {"checksums", "content", "stats", "gates"}  # other checks look at these
        for field in (name for name in Manifest.__struct_fields__ if name not in passed_over):
            found, correct = getattr(manifest, field), getattr(expected, field)
            if isinstance(correct, dict):
                for key in [*correct, *(key for key in found if key not in correct)]:
                    self._findings.expect(
                        "manifest", self._name, f"{field}.{key}", found.get(key), correct.get(key)
                    )
                self._findings.expect(
                    "manifest", self._name, f"the order of {field}", list(found), list(correct)
                )
            elif field == "generator":
                self._findings.expect("manifest", self._name, "generator.name", found.name, correct.name)
                if found.version != correct.version:
                    self._findings.note(
                        "manifest",
                        f"says it was written by version {found.version}; this is {correct.version}",
                    )
            else:
                self._findings.expect("manifest", self._name, field, found, correct)
        listed = {path: each.rows for path, each in manifest.checksums.items() if each.rows is not None}
        tables = self._rows_of_files(listed)
        for path in sorted({*tables, *listed}):
            self._findings.expect(
                "manifest", self._name, f"checksums.{path}.rows", listed.get(path), tables.get(path)
            )
        return listed == tables


class _Rewritten:
    """One Parquet file, written again from the regenerated rows for its checksum alone."""

    def __init__(self, request: SnapshotRequest, table: Table) -> None:
        self._sink = _Hash()
        self._table = table
        self._pieces: list[dict[str, Column]] = []
        self._writer: Writer | None = FORMATS["parquet"].Writer(
            self._sink, table, dataset=request.dataset, seed=request.seed
        )

    def add(self, encoded: EncodedBlock | None, *, ends: bool) -> None:
        """Add a piece of a block as it was read and as it was made again, None where these differ.

        Then a block of the file isn't what the seed gives, so its bytes can't be either.
        """
        if self._writer is None:
            return
        if encoded is None:
            self._writer.close()
            self._writer = None
            self._pieces.clear()
            return
        self._pieces.append(encoded.columns[self._table.name])
        if ends:
            whole = {
                name: concatenate([piece[name] for piece in self._pieces]) for name in self._table.fields
            }
            # What was made of the columns of a block that is one piece is made once.
            self._writer.write(encoded if len(self._pieces) == 1 else EncodedBlock({self._table.name: whole}))
            self._pieces.clear()

    def compare(self, folder: Path, path: str, manifest: Manifest, findings: Findings) -> None:
        """Hold the checksum that the manifest lists, which the check of files holds, against that of the copy."""
        if self._writer is None:
            return
        self._writer.close()
        listed = manifest.checksums[path].sha256 if path in manifest.checksums else None
        digest = self._sink.sha256.hexdigest()
        if listed in (digest, None):  # a file that isn't listed has failed the check of files
            return
        by = pq.read_metadata(folder / path).created_by
        ours = f"parquet-cpp-arrow version {pa.__version__}"
        if by == ours:
            failure = Failure(
                file=path, found=f"SHA-256 {listed}", expected=f"SHA-256 {digest}, as {ours} gives"
            )
            findings.fail("regenerated", failure)
        else:
            findings.note(
                "regenerated",
                f"{path} holds the right rows in bytes that {display(by)} wrote; this is {ours}",
            )


class _Hash:
    """A file for Arrow that keeps nothing but the SHA-256 of what was written."""

    closed = False

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes | memoryview) -> int:
        view = memoryview(data)
        self.sha256.update(view)
        self._size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """There is nothing to hand on."""

    def close(self) -> None:
        """There is nothing to close."""


def _joined(held: Rows, more: Rows) -> dict[str, pa.Array]:
    return {name: pa.concat_arrays([values, more.arrays[name]]) for name, values in held.arrays.items()}
