"""Verifies a snapshot from its files alone: named checks over every row, a block in memory at a time.

Two witnesses are heard. The files are read back and held against the contract, value by value, by code
that generates nothing; and the rows are made again from the seed and held against what was read.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from esdh_core import BLOCK_RECORDS, DATASET_VERSION, generate_columns, metadata_for
from esdh_core.columns import Column
from esdh_core.rules import Entity
from esdh_core.stats import merge
from esdh_export import (
    FORMATS,
    MANIFEST_NAME,
    METADATA_NAME,
    README_NAME,
    EncodedBlock,
    SnapshotRequest,
    array_digest,
    block_digest,
    claims,
    entity_digest,
    render_descriptors,
)
from esdh_export.formats import Writer
from esdh_export.formats.json import metadata_document
from esdh_manifest import (
    SUMS_NAME,
    FileProblem,
    Manifest,
    ManifestError,
    Stats,
    decode_manifest,
    encode_manifest,
    file_problem,
    file_problems,
    files_below,
    is_ignored,
    entry_of,
    render_readme,
    restore,
    sha256sums,
)

from esdh_proof import checks
from esdh_proof.errors import ProofError
from esdh_proof.findings import Check, Failure, Findings, first_true, shown
from esdh_proof.gates import judge, skip
from esdh_proof.reading import Rows, manifest_names, read_blocks, regular
from esdh_proof.spelling import Memory, columns_of, text_of

__all__ = ["Verification", "verify_snapshot"]

_LARGEST_MANIFEST = 1 << 28
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
    folder: Path, *, regenerate: bool = True, progress: Callable[[int, int], None] | None = None
) -> Verification:
    """Verify the snapshot in a folder, reading only; return what every check found.

    `regenerate` makes the rows again from the seed. `progress` is called after each block with its
    number of records and with that of all blocks. Damage is never an error: it is a check that failed.

    Raises ProofError when there is no such folder; OSError when the disk fails.
    """
    if not folder.is_dir():
        raise ProofError(f"{str(folder)!r} is no folder; name the folder of a snapshot")
    findings = Findings()
    manifest = _manifest(folder, findings)
    request = None
    problems: list[FileProblem] = []
    if manifest is not None:
        problems = _files(folder, manifest, findings)
        request = _request(manifest, findings)
    if manifest is not None and request is not None:
        with _restored(folder, manifest, problems) as restored:
            _rows(folder, manifest, request, findings, restored, regenerate=regenerate, progress=progress)
        _name_writers(folder, request, problems, findings)
    else:
        for name in _ROW_CHECKS if manifest is not None else ("files", *_ROW_CHECKS):
            findings.leave(name, "the manifest doesn't say what to look for")
    made = findings.checks()
    return Verification(
        folder=str(folder),
        verdict="failed" if any(check.status == "failed" for check in made) else "passed",
        dataset_version=manifest.dataset_version if manifest else None,
        seed=manifest.seed if manifest else None,
        records=manifest.records_requested if manifest else None,
        plan_sha256=manifest.plan_sha256 if manifest else None,
        content=manifest.content if manifest else {},
        checks=made,
        unproven=[
            *(f"{check.name}: {check.reason}" for check in made if check.status == "unproven"),
            *UNPROVABLE,
        ],
    )


# --- the manifest and the files ----------------------------------------------------------------------


def _manifest(folder: Path, findings: Findings) -> Manifest | None:
    """Return the manifest, None when it can't be read or isn't in the form that it is written in."""
    names = manifest_names(folder)
    if len(names) != 1:
        found = ", ".join(names) or None
        findings.fail("manifest", Failure(file=MANIFEST_NAME, found=found, expected="one manifest"))
    if not names:
        return None
    name = names[0]
    if not regular(folder, name):
        findings.fail("manifest", Failure(file=name, found="no regular file", expected="a file"))
        return None
    if (size := (folder / name).stat().st_size) > _LARGEST_MANIFEST:
        failure = Failure(file=name, found=f"{size} bytes", expected=f"at most {_LARGEST_MANIFEST} bytes")
        findings.fail("manifest", failure)
        return None
    written = (folder / name).read_bytes()
    try:
        manifest = decode_manifest(written)
    except (ManifestError, RecursionError) as error:
        findings.fail("manifest", Failure(file=name, found=shown(error), expected="a snapshot's manifest"))
        return None
    _same_bytes(folder, name, encode_manifest(manifest), "manifest", findings)
    findings.expect(
        "manifest", name, None, name, f"snapshot_manifest_{manifest.dataset_version.replace('.', '_')}.json"
    )
    return manifest


def _same_text(findings: Findings, check: str, file: str, found: bytes, expected: bytes) -> None:
    """Compare two texts; the failure tells the first line that differs."""
    if found == expected:
        return
    here, there = found.splitlines(keepends=True), expected.splitlines(keepends=True)
    at = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), None)
    if at is None:
        at = min(len(here), len(there))
    line = here[at].decode("utf-8", "replace").rstrip("\n") if at < len(here) else None
    wanted = there[at].decode("utf-8", "replace").rstrip("\n") if at < len(there) else "the end of the file"
    failure = Failure(file=file, field=f"line {at + 1}", found=shown(line), expected=shown(wanted) or "")
    findings.fail(check, failure)


def _same_bytes(folder: Path, path: str, rendered: bytes, check: str, findings: Findings) -> None:
    """Hold a file against what it must be; the failure tells what a tool did to it, or the first line that differs."""
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
    name = manifest_names(folder)[0]
    extras = files_below(folder) - set(manifest.checksums) - {SUMS_NAME, name}
    extras -= {f"{problem.path}.gz" for problem in problems if problem.remedy}  # told already
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
    for path, rendered in ((SUMS_NAME, sha256sums(listed)), (README_NAME, render_readme(manifest))):
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
    for path in (each.path for each in problems if each.path in request.tables() and not each.remedy):
        if not path.endswith(".parquet") or not regular(folder, path):
            continue
        by = pq.read_metadata(folder / path).created_by
        findings.note(
            "files",
            f"{path} holds the listed rows in bytes that {shown(by)} wrote; take the file from its source, or "
            "generate the snapshot again",
        )


def _rendered(folder: Path, path: str, rendered: bytes, findings: Findings) -> None:
    if not regular(folder, path):
        findings.fail("files", Failure(file=path, found="missing", expected="a file"))
    elif (folder / path).stat().st_size > _LARGEST_MANIFEST:
        findings.fail(
            "files", Failure(file=path, found="a far larger file", expected=f"{len(rendered)} bytes")
        )
    else:
        _same_bytes(folder, path, rendered, "files", findings)


def _request(manifest: Manifest, findings: Findings) -> SnapshotRequest | None:
    """Return the request that the manifest answers, None when this program can't say what it means."""
    if manifest.dataset_version != DATASET_VERSION:
        for name in _ROW_CHECKS:
            findings.leave(
                name, f"the snapshot is of {manifest.dataset_version}; this program knows {DATASET_VERSION}"
            )
        return None
    try:
        return SnapshotRequest.of(manifest)
    except ValueError as error:
        findings.fail("manifest", Failure(file=MANIFEST_NAME, found=shown(error), expected="a request"))
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
        findings.leave("regenerated", "the rows were not made again, as --no-regenerate asks")
    tables = {
        (name, entity.plural): read_blocks(folder, request, entity, name, findings, restored=restored)
        for name in request.formats
        for entity in request.chosen
    }
    reading = _Reading(manifest, request, findings, regenerate=regenerate)
    for start in range(0, request.records, BLOCK_RECORDS):
        count = min(BLOCK_RECORDS, request.records - start)
        if not reading.block(start, count, tables):
            break  # a manifest may claim any number of records
        pa.default_memory_pool().release_unused()
        if progress is not None:
            progress(count, request.records)
    for blocks in tables.values():  # lets each file be looked at to its end, and closed
        for _ in blocks:
            pass
    reading.finish(folder)


_Tables = dict[tuple[str, str], Iterator[Rows | None]]  # by format and plural entity name


class _Reading:
    """What has been read of a snapshot so far."""

    def __init__(
        self, manifest: Manifest, request: SnapshotRequest, findings: Findings, *, regenerate: bool
    ) -> None:
        self._manifest = manifest
        self._request = request
        self._findings = findings
        self._regenerate = regenerate
        self._digests: dict[tuple[str, str], list[bytes]] = {
            (name, entity.plural): [] for name in request.formats for entity in request.chosen
        }
        self._stats: Stats = {e.plural: {each.name: {} for each in e.statistics} for e in request.chosen}
        self._texts: dict[tuple[str, str], tuple[Memory, Writer]] = {}
        self._rewritten: dict[str, _Rewritten] = {}
        self._checked: set[tuple[object, ...]] = set()  # what has been checked of the block at hand

    def block(self, start: int, count: int, tables: _Tables) -> bool:
        """Check the next block of every table, a format at a time; return whether any had rows."""
        made = None
        if self._regenerate:
            made = EncodedBlock(
                generate_columns(start, count, self._request.seed, entities=self._request.entities)
            )
        self._checked.clear()
        found = False
        for name in self._request.formats:
            found |= self._format(name, tables, made)
        return found

    def _format(self, name: str, blocks: _Tables, made: EncodedBlock | None) -> bool:
        """Check the next block of one format; what it has in common with a format before is checked once."""
        tables: dict[str, Rows] = {}
        digests: dict[str, bytes] = {}
        for entity in self._request.chosen:
            rows = next(blocks[name, entity.plural])
            if rows is not None:
                digests[entity.plural] = self._table(name, entity, rows, made)
                tables[entity.plural] = rows
        if not tables:
            return False
        for check in ("synthetic", "integrity", "rules"):
            self._findings.cover(check, sum(map(len, tables.values())))
        if self._new(tuple(digests.items())):
            seed = self._request.seed
            self._fail("synthetic", checks.synthetic(tables, seed))
            self._fail("integrity", checks.integrity(tables, seed))
            self._fail("rules", checks.rules(tables, seed))
        for rows in tables.values():
            rows.release()
        return True

    def _table(self, name: str, entity: Entity, rows: Rows, made: EncodedBlock | None) -> bytes:
        """Check a block of one entity in one format; return its digest."""
        digest = block_digest(_column_digests(rows))
        self._digests[name, entity.plural].append(digest)
        same = made is not None and digest == block_digest(made.digests(entity))
        columns = made.columns[entity.plural] if made and same else columns_of(entity, rows.arrays)
        if made is not None:
            self._findings.cover("regenerated", len(rows))
            if not same:
                self._explain(rows, entity, made)
        self._spelled(name, entity, rows, columns, made=made if same else None)
        self._findings.cover("schema", len(rows))
        if self._new((entity.plural, digest)):
            self._fail("schema", checks.schema_rules(rows, entity))
        if self._new((entity.plural,)):
            self._count(entity, rows, columns)
        return digest

    def _new(self, content: tuple[object, ...]) -> bool:
        """Return whether this block hasn't had this content checked yet."""
        new = content not in self._checked
        self._checked.add(content)
        return new

    def _fail(self, check: str, found: Iterator[checks.Finding]) -> None:
        for finding in found:
            row = first_true(finding.wrong)
            if row is None:
                continue
            rows = finding.rows
            value = shown(rows.arrays[finding.field][row].as_py())
            if finding.told is not None and value is not None:
                value = finding.told(value)
            expected = finding.expected if isinstance(finding.expected, str) else finding.expected(row)
            failure = Failure(
                file=rows.file, row=rows.start + row, field=finding.field, found=value, expected=expected
            )
            self._findings.fail(check, failure, count=int(finding.wrong.sum()))

    def _explain(self, rows: Rows, entity: Entity, made: EncodedBlock) -> None:
        """Tell the first row and field in which a block differs from what the seed gives."""
        first: tuple[int, str, pa.Array] | None = None
        wrong: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None
        for field, column in made.columns[entity.plural].items():
            expected = made.array(column)
            count = min(len(rows), len(expected))
            mask = checks.differing(rows.arrays[field].slice(0, count), expected.slice(0, count))
            wrong = mask if wrong is None else wrong | mask
            row = first_true(mask)
            if row is not None and (first is None or row < first[0]):
                first = row, field, expected
        if first is None or wrong is None:  # the same as far as it goes
            number = len(next(iter(made.columns[entity.plural].values())))
            self._findings.expect("regenerated", rows.file, None, f"{len(rows)} rows", f"{number} rows")
            return
        row, field, expected = first
        failure = Failure(
            file=rows.file,
            row=rows.start + row,
            field=field,
            found=shown(rows.arrays[field][row].as_py()),
            expected=shown(expected[row].as_py()) or "null",
        )
        self._findings.fail("regenerated", failure, count=int(wrong.sum()))

    def _spelled(
        self,
        name: str,
        entity: Entity,
        rows: Rows,
        columns: dict[str, Column] | None,
        *,
        made: EncodedBlock | None,
    ) -> None:
        """Hold a text format's bytes against those that its writer gives for the same values."""
        if rows.text is None:
            if made is not None:
                self._rewrite(entity, rows, made)
            elif self._regenerate:
                self._rewritten.setdefault(rows.file, _Rewritten(entity, self._request.seed)).drop()
            return
        if columns is None or not rows.text:
            return  # a value that no column holds has failed another check
        expected = (
            self._text(name, entity, made) if made else text_of(name, entity, columns, self._request.seed)
        )
        found, ending = memoryview(rows.text), b""
        if name == "json":  # the section writes the separator before a row, the document has it after
            last = rows.start + len(rows) == self._request.records
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
            found=shown(here[at].decode("utf-8", "replace") if at < len(here) else None),
            expected=shown(there[at].decode("utf-8", "replace")) or "a line end",
        )
        self._findings.fail("schema", failure)

    def _text(self, name: str, entity: Entity, made: EncodedBlock) -> memoryview:
        """Return a block as its format's writer gives it; the writer is kept, and what it has rendered."""
        if (name, entity.plural) not in self._texts:
            sink = Memory()
            self._texts[name, entity.plural] = (
                sink,
                FORMATS[name].Writer(sink, entity, seed=self._request.seed),
            )
        sink, writer = self._texts[name, entity.plural]
        sink.take()
        writer.write(made)
        return sink.take()

    def _rewrite(self, entity: Entity, rows: Rows, made: EncodedBlock) -> None:
        self._rewritten.setdefault(rows.file, _Rewritten(entity, self._request.seed)).write(made)

    def _count(self, entity: Entity, rows: Rows, columns: dict[str, Column] | None) -> None:
        self._findings.cover("stats", len(rows))
        self._findings.cover("fidelity", len(rows))
        kept = self._stats[entity.plural]
        try:
            counts = {each.name: each.count((columns or {})[each.field]) for each in entity.statistics}
        except (KeyError, TypeError):  # a value of another kind, which the check of the schema names
            failure = Failure(
                file=rows.file,
                row=rows.start,
                found="values that can't be counted",
                expected="a block to count",
            )
            self._findings.fail("stats", failure)
            return
        self._stats[entity.plural] = {name: merge([kept[name], counts[name]]) for name in kept}

    def finish(self, folder: Path) -> None:
        """Run the checks over the sums: digests, statistics, gates, claims, and rewritten Parquet files."""
        content = self._content()
        self._counted()
        self._judged()
        listed_as_asked = self._claimed(content)
        metadata = metadata_for(self._request.records, self._request.seed, entities=self._request.chosen)
        if "json" in self._request.formats:
            _rendered(folder, METADATA_NAME, metadata_document(metadata), self._findings)
        if listed_as_asked:  # else a manifest of a million made-up parts would be rendered at length
            for path, rendered in render_descriptors(self._manifest).items():
                _rendered(folder, path, rendered, self._findings)
        for path, rewritten in self._rewritten.items():
            rewritten.compare(folder, path, self._manifest, self._findings)

    def _content(self) -> dict[str, str]:
        """Compare the content digests of every format with each other and with the manifest's."""
        content: dict[str, str] = {}
        for (name, plural), blocks in self._digests.items():
            digest = entity_digest(blocks)
            file = self._request.files().get(
                f"{plural}_{name}", f"{self._request.files().get('dataset_json')}"
            )
            content.setdefault(plural, digest)
            self._findings.cover("formats", self._request.records)
            self._findings.expect(
                "formats", file, f"{plural} content digest", digest, self._manifest.content.get(plural)
            )
            if digest != content[plural]:
                failure = Failure(
                    file=file, field=plural, found=digest, expected=f"{content[plural]}, as in other formats"
                )
                self._findings.fail("formats", failure)
        return content

    def _counted(self) -> None:
        for plural, statistics in self._stats.items():
            claimed = self._manifest.stats.get(plural, {})
            for statistic, counts in statistics.items():
                told = claimed.get(statistic, {})
                for label in sorted({*counts, *told}):
                    field = f"stats.{plural}.{statistic}.{label}"
                    self._findings.expect("stats", MANIFEST_NAME, field, told.get(label), counts.get(label))

    def _judged(self) -> None:
        """Hold the recounted statistics against the plan, and the gates that the manifest claims against that."""
        claimed = self._manifest.gates
        try:
            gates = judge(self._stats)
        except ProofError as error:
            self._findings.expect("fidelity", MANIFEST_NAME, "stats", shown(error), "counts of every row")
            return
        for check in (each for each in gates.checks if not each.passed):
            field = f"stats.{check.entity}.{check.statistic}.{check.worst}"
            expected = f"about {check.expected}" if check.expected else "none"
            self._findings.expect("fidelity", MANIFEST_NAME, field, check.observed, expected)
        if claimed is None or claimed.verdict == "skipped":
            self._findings.note("fidelity", "no gate was asked when the snapshot was written")
            gates = skip(self._stats)  # which claims nothing else
        if claimed is None:
            return
        self._findings.expect("fidelity", MANIFEST_NAME, "gates.verdict", claimed.verdict, gates.verdict)
        self._findings.expect("fidelity", MANIFEST_NAME, "gates.level", claimed.level, gates.level)
        for at, (told, made) in enumerate(zip_longest(claimed.checks, gates.checks)):
            self._findings.expect("fidelity", MANIFEST_NAME, f"gates.checks.{at}", told, made)

    def _claimed(self, content: dict[str, str]) -> bool:
        """Hold every claim of the manifest that follows from the others against what it must be.

        Return whether it lists the tables that the request asks for.
        """
        manifest, request = self._manifest, self._request
        expected = build_manifest(request, content, self._stats, manifest.gates)
        passed_over = {"checksums", "content", "stats", "gates"}  # other checks look at these
        for field in (name for name in Manifest.__struct_fields__ if name not in passed_over):
            found, wanted = getattr(manifest, field), getattr(expected, field)
            if isinstance(wanted, dict):
                for key in [*wanted, *(key for key in found if key not in wanted)]:
                    self._findings.expect(
                        "manifest", MANIFEST_NAME, f"{field}.{key}", found.get(key), wanted.get(key)
                    )
                self._findings.expect(
                    "manifest", MANIFEST_NAME, f"the order of {field}", list(found), list(wanted)
                )
            elif field == "generator":
                self._findings.expect("manifest", MANIFEST_NAME, "generator.name", found.name, wanted.name)
                if found.version != wanted.version:
                    self._findings.note(
                        "manifest",
                        f"says it was written by version {found.version}; this is {wanted.version}",
                    )
            else:
                self._findings.expect("manifest", MANIFEST_NAME, field, found, wanted)
        tables = request.tables()
        listed = {path: each.rows for path, each in manifest.checksums.items() if each.rows is not None}
        for path in sorted({*tables, *listed}):
            self._findings.expect(
                "manifest", MANIFEST_NAME, f"checksums.{path}.rows", listed.get(path), tables.get(path)
            )
        return listed == tables


class _Rewritten:
    """One Parquet file, written again from the regenerated rows for its checksum alone."""

    def __init__(self, entity: Entity, seed: int) -> None:
        self._sink = _Hash()
        self._writer: Writer | None = FORMATS["parquet"].Writer(self._sink, entity, seed=seed)

    def write(self, made: EncodedBlock) -> None:
        """Append a block, as it was read and as it was made again."""
        if self._writer is not None:
            self._writer.write(made)

    def drop(self) -> None:
        """Give up: a block of the file isn't what the seed gives, so its bytes can't be either."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

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
                "regenerated", f"{path} holds the right rows in bytes that {shown(by)} wrote; this is {ours}"
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


def _column_digests(rows: Rows) -> Iterator[bytes]:
    """Yield the digest of each column; one that holds a null where there can be none has one of its own."""
    for values in rows.arrays.values():
        try:
            yield array_digest(values)
        except ValueError:
            yield hashlib.sha256(repr(values.to_pylist()).encode()).digest()
