"""Verifies a snapshot from its files alone: named checks over every row, a block in memory at a time.

Two witnesses are heard. The files are read back and held against the contract, value by value, by code
that generates nothing; and the rows are made again from the seed and held against what was read. Where the bytes of a
file are those that the seed gives, the first of them hears what was made.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from itertools import chain, tee
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import msgspec
from esdh_core import DEFAULT_DATASET, Dataset
from esdh_export import SnapshotRequest
from esdh_export.execution.executor import map_in_order
from esdh_manifest import FileProblem, Manifest, document_name, file_problem

from esdh_proof.checks import checks_of
from esdh_proof.errors import ProofError
from esdh_proof.findings import Check, Findings
from esdh_proof.reading import regular
from esdh_proof.verification.defective import verify_defective
from esdh_proof.verification.files import (
    ROW_CHECKS,
    check_files,
    name_writers,
    read_manifest,
    request_of,
)
from esdh_proof.verification.shard import (
    Job,
    ShardReport,
    ShardWork,
    has_size,
    restored_copies,
    verify_fixed,
)
from esdh_proof.verification.shared_folder import SharedFolder
from esdh_proof.verification.totals import Totals
from esdh_proof.verification.work import Document, FileWork, WorkList, verify_file, verify_part

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["Verification", "verify_snapshot"]

# What no reading of the files can prove, whoever reads them.
UNPROVABLE = (
    "whether the seed was drawn at random, as `randomized` says",
    "which version of the program wrote the files",
    "who made the snapshot, when and where",
)

Progress = Callable[[int, int], None]


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
    workers: int | None = 1,
    executor: "Executor | None" = None,
    progress: Progress | None = None,
) -> Verification:
    """Verify the snapshot in a folder, reading only; return what every check found.

    The snapshot says itself of which `dataset` it is, unless that is given: by the recipe that it carries, else it is
    of the default one. `regenerate` makes the rows again from the seed, and only reads values of blocks whose bytes
    aren't those that the seed gives; without it every value is read.

    `executor` verifies the parts, whose arguments and results pickle, and its workers see the same disk; where they are on
    other machines, give `SharedFolder(executor, folder)`, which sees to that. Without one,
    `workers` is the number of processes that are started for them; None is one a core, as far as memory has room, and 1
    this process. The outcome is the same. `progress` is called after each block or, with an executor, part, with its
    number of records and with that of all. Damage is never an error: it is a check that failed.

    Raises ProofError when there is no such folder; WorkerError when workers can't be started or one is lost; OSError
    when the disk fails.

    >>> from esdh_export import write_snapshot
    >>> from esdh_proof.gates import judge
    >>> written = write_snapshot(Path("out"), SnapshotRequest(records=5, seed=1), gate=judge)
    >>> verify_snapshot(written.folder).verdict
    'passed'
    """
    if not folder.is_dir():
        raise ProofError(f"{str(folder)!r} is no folder; name the folder of a snapshot")
    findings = Findings()
    manifest = read_manifest(folder, dataset or DEFAULT_DATASET, findings)
    if manifest is None:
        for name in ("files", *ROW_CHECKS):
            findings.skip(name, "the manifest doesn't say what to look for")
        return _outcome(folder, None, findings)
    request = request_of(folder, manifest, dataset, findings)
    # A worker of another machine has another working folder.
    place = executor.folder if isinstance(executor, SharedFolder) else folder
    of_rows = Findings()
    problems: dict[str, FileProblem | None] = {}
    if request is not None:
        of_rows.claim(getattr(checks_of(request.dataset), "CLAIMS", {}))
        with ExitStack() as stack:
            work = executor or _workers(stack, workers, request)
            if request.defects is not None:
                # Which are made again in a temporary folder of this machine.
                work = None if isinstance(work, SharedFolder) else work
                problems = verify_defective(
                    folder,
                    manifest,
                    request,
                    of_rows,
                    regenerate=regenerate,
                    executor=work,
                    progress=progress,
                )
            else:
                snapshot = _Snapshot(place, manifest, request, of_rows, regenerate=regenerate)
                problems = snapshot.verify(work, progress)
    else:
        for name in ROW_CHECKS:
            findings.skip(name, "the manifest doesn't say what to look for")
    rest = [FileWork(*entry) for entry in manifest.checksums.items() if entry[0] not in problems]
    with closing(map_in_order(executor, partial(verify_file, place), rest)) as found:
        problems.update(zip((work.path for work in rest), found, strict=True))
    listed = [problem for path in manifest.checksums if (problem := problems[path]) is not None]
    check_files(folder, manifest, listed, findings)
    findings.merge(of_rows)
    if request is not None:
        name_writers(folder, request, listed, findings)
    return _outcome(folder, manifest, findings)


def _workers(stack: ExitStack, workers: int | None, request: SnapshotRequest) -> "Executor | None":
    parts = -(-request.records // request.shard_rows)
    if min(workers or parts, parts) <= 1:
        return None
    from esdh_export.execution.worker_pool import start_workers

    return start_workers(
        stack, workers, parts, formats=request.formats, modules=["esdh_proof.verification.work"]
    )


def _outcome(folder: Path, manifest: Manifest | None, findings: Findings) -> Verification:
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


class _Snapshot:
    """A snapshot whose rows are verified: its parts, in their order, and what they say together."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        request: SnapshotRequest,
        findings: Findings,
        *,
        regenerate: bool,
    ) -> None:
        self._folder, self._manifest, self._request = folder, manifest, request
        self._findings = findings
        self._regenerate = regenerate
        self._totals = Totals(manifest, request, findings)

    def verify(self, executor: "Executor | None", progress: Progress | None) -> dict[str, FileProblem | None]:
        """Run every check that reads rows, then those over their sums; return what is wrong with the files that were looked at."""
        if not self._regenerate:
            self._findings.skip("regenerated", "the rows were not made again, as --no-regenerate asks")
        with ExitStack() as stack:
            restored = self._restored_document(stack)
            works = WorkList(self._folder, self._manifest, self._request, self._document(restored))
            job = Job(
                folder=self._folder,
                request=self._request,
                counts=self._manifest.record_counts,
                regenerate=self._regenerate,
                document=restored,
            )
            if (fixed := works.fixed()) is not None:
                report, rows = verify_fixed(job, fixed)
                self._totals.add(report)
                job = replace(job, fixed=rows)
            # A restored copy is in a temporary folder of this machine.
            away = bool(restored) and isinstance(executor, SharedFolder)
            self._records(job, works, None if away else executor, progress)
        totals = self._totals
        works.check_lines(totals.row_counts, self._findings, stopped=totals.stopped)
        totals.check(self._folder)
        return totals.problems

    def _records(
        self, job: Job, works: WorkList, executor: "Executor | None", progress: Progress | None
    ) -> None:
        """Verify the records part by part, and beside them the JSON document as a file."""
        total = self._request.records
        report_records = None if progress is None else lambda count: progress(count, total)
        verify = partial(verify_part, job)
        if executor is None:
            verify = partial(verify, progress=report_records, alone=True)
        parts: Iterator[ShardWork | FileWork] = chain(self._document_work(), works.shards(executor))
        parts, ahead = tee(parts)
        with closing(map_in_order(executor, verify, parts)) as results:
            for work, result in zip(ahead, results, strict=True):
                if isinstance(work, FileWork) and not isinstance(result, ShardReport):
                    self._totals.problems[work.path] = result
                elif isinstance(work, ShardWork) and isinstance(result, ShardReport):
                    self._totals.add(result)
                    if executor is not None and report_records is not None:
                        report_records(work.shard.count)
                    if not result.found:
                        break

    def _document_work(self) -> Iterator[FileWork]:
        """Yield the work on the JSON document, which takes longest, unless it is done."""
        name = self._document_name
        if name in self._manifest.checksums and name not in self._totals.problems:
            yield FileWork(name, self._manifest.checksums[name])

    @property
    def _document_name(self) -> str:
        return document_name(self._request.dataset.dataset_version)

    def _restored_document(self, stack: ExitStack) -> dict[str, Path]:
        """Return a copy of the JSON document as it was before a tool changed it, by its path; none where none did."""
        name = self._document_name
        entry = self._manifest.checksums.get(name)
        if "json" not in self._request.formats or entry is None:
            return {}
        if has_size(self._folder, name, entry):  # every such change makes another
            return {}
        problem = file_problem(self._folder, name, entry)
        self._totals.problems[name] = problem
        if problem is None or not problem.remedy:
            return {}
        copies = Path(stack.enter_context(TemporaryDirectory(prefix="esdh-")))
        return restored_copies(self._folder, {name: problem}, {name: entry}, copies)

    def _document(self, restored: dict[str, Path]) -> Document | None:
        if "json" not in self._request.formats:
            return None
        name = self._document_name
        path = restored.get(name) or (self._folder / name if regular(self._folder, name) else None)
        return Document.open(path, self._request, self._manifest.record_counts, self._findings)
