"""A snapshot with defects verified: everything made again from the seed and the defects, and held against the files.

Rows and labels are made again to the byte, and the checks of values look at these rows: they find what is wrong on
purpose, and each finding must read a labelled cell.
"""

import filecmp
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from esdh_core import Table
from esdh_export import SnapshotRequest
from esdh_export.execution.executor import map_in_order
from esdh_export.execution.shard import ShardReport as WrittenShard
from esdh_export.execution.shard import write_shard
from esdh_export.formats import json
from esdh_export.io.hashed_file import new_file
from esdh_export.io.store import LocalStore
from esdh_export.request import Shard
from esdh_manifest import FileProblem, Manifest, document_name, file_problem

from esdh_proof.checks import checks_of
from esdh_proof.findings import CLAIMS, Failure, Findings, display
from esdh_proof.reading import regular
from esdh_proof.verification.files import ROW_CHECKS
from esdh_proof.verification.labelled import LABEL_CHECKS, LabelReport, LabelTotals, check_labels
from esdh_proof.verification.parquet_copy import OURS, is_of_this_arrow
from esdh_proof.verification.shard import ShardReport
from esdh_proof.verification.totals import Totals

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["verify_defective"]

_LONGEST_LINE = 1 << 20  # bytes that are read at once: in a file that was changed a line may never end
_CLAIM = "the rows and the bytes are those that the seed and the defects give; the labels are of what differs"
_SKIPPED = "the rows were not made again, as --no-regenerate asks: of rows with defects, checksums alone are proved without that"
_OTHER_ROWS = "other rows are there than the seed and the defects give"


def verify_defective(
    folder: Path,
    manifest: Manifest,
    request: SnapshotRequest,
    findings: Findings,
    *,
    regenerate: bool,
    executor: "Executor | None",
    progress: Callable[[int, int], None] | None,
) -> dict[str, FileProblem | None]:
    """Run every check over the rows of a snapshot with defects; return what is wrong with the files that were looked at.

    The files are made again in a temporary folder, a part at a time, and no part is made after one that differs.
    """
    if not regenerate:
        for check in ROW_CHECKS:
            findings.skip(check, _SKIPPED)
        return {}
    own = CLAIMS | getattr(checks_of(request.dataset), "CLAIMS", {})
    findings.claim({check: f"{own[check]}, but where a label says otherwise" for check in LABEL_CHECKS})
    findings.claim({"regenerated": _CLAIM})
    with TemporaryDirectory(prefix="esdh-") as again:
        return _Regeneration(folder, manifest, request, findings, Path(again)).verify(executor, progress)


def _make_again(
    request: SnapshotRequest,
    shard: Shard,
    store: LocalStore,
    *,
    progress: Callable[[int], None] | None = None,
) -> tuple[WrittenShard, LabelReport]:
    """Write the files of a shard, and check their rows; half of the progress is of either."""
    halves = [None, None] if progress is None else [_halved(progress, up=True), _halved(progress, up=False)]
    return write_shard(request, shard, store, progress=halves[0]), check_labels(
        request, shard, progress=halves[1]
    )


def _halved(progress: Callable[[int], None], *, up: bool) -> Callable[[int], None]:
    return lambda count: progress((count + up) // 2)


class _Regeneration:
    """The files of a snapshot, made again part by part beside it."""

    def __init__(
        self, folder: Path, manifest: Manifest, request: SnapshotRequest, findings: Findings, again: Path
    ) -> None:
        self._folder, self._manifest, self._request, self._findings = folder, manifest, request, findings
        self._store = LocalStore(again / "files", again / "fragments", again / "attempts")
        parts = (self._store.files / name for name in request.part_folders())
        for each in (self._store.files, *parts, self._store.fragments, self._store.attempts):
            each.mkdir(parents=True, exist_ok=True)
        self._totals = Totals(manifest, request, findings)
        self._labels = LabelTotals()
        self._room = self._document_bytes()

    def _document_bytes(self) -> int:
        """Return the bytes of the JSON document, which its rows can't exceed."""
        name = document_name(self._request.dataset.dataset_version)
        return (self._folder / name).stat().st_size if regular(self._folder, name) else 0

    def verify(
        self, executor: "Executor | None", progress: Callable[[int, int], None] | None
    ) -> dict[str, FileProblem | None]:
        make = partial(_make_again, self._request, store=self._store)
        if executor is None and progress is not None:
            make = partial(make, progress=lambda count: progress(count, self._request.records))
        attempts: dict[str, str] = {}
        with closing(map_in_order(executor, make, self._request.shards())) as reports:
            for shard, (report, labels) in zip(self._request.shards(), reports, strict=True):
                attempts |= report.attempts
                self._labels.add(labels, self._totals.row_counts, self._findings)
                if not self._take(shard, report):
                    for check in (*LABEL_CHECKS, "formats", "fidelity", "stats"):
                        self._findings.skip(check, _OTHER_ROWS)
                    return self._totals.problems
                if executor is not None and progress is not None:
                    progress(shard.count, self._request.records)
        if self._document(attempts):
            self._labels.note(self._findings)
        else:
            for check in LABEL_CHECKS:
                self._findings.skip(check, _OTHER_ROWS)
        self._check_places()
        self._totals.check(self._folder)
        return self._totals.problems

    def _check_places(self) -> None:
        """Hold the defects against the rows; not before these were found, since a manifest may claim any number of them."""
        try:
            self._request.check_places()
        except ValueError as error:
            name = self._request.files()["overlay"]
            self._findings.fail(
                "manifest", Failure(file=name, found=display(error), expected="defects of these rows")
            )

    def _take(self, shard: Shard, report: WrittenShard) -> bool:
        """Hold the files of a shard against those that were made again; return whether the rest is worth making."""
        rows = sum(report.rows.values())
        self._findings.count_rows("regenerated", rows * len(self._request.formats))
        problems = {}
        same = True
        for path, entry in report.files.items():
            listed = self._manifest.checksums.get(path, entry)
            problems[path] = file_problem(self._folder, path, listed)
            copy = self._store.files / path
            if problems[path] is not None or listed.sha256 != entry.sha256:
                same &= self._differ(path, copy)
            copy.unlink()
        self._room -= sum(entry.bytes for entry in report.fragments.values())
        if self._request.json_fragments(shard) and self._room < 0:
            name = document_name(self._request.dataset.dataset_version)
            self._findings.fail(
                "regenerated",
                Failure(file=name, found="fewer bytes", expected="the rows that the manifest counts"),
            )
            same = False
        self._totals.add(
            ShardReport(
                findings=Findings(),
                problems=problems,
                rows=report.rows,
                file_rows={path: entry.rows or 0 for path, entry in report.files.items()},
                blocks=dict.fromkeys(self._request.formats, report.blocks),
                stats=report.stats,
                of_seed=0,
                found=True,
            )
        )
        return same

    def _document(self, attempts: dict[str, str]) -> bool:
        """Put the JSON document together again, and hold the snapshot's against it; return whether it has the same rows."""
        if json.EXTENSION not in self._request.formats:
            return True
        name = document_name(self._request.dataset.dataset_version)
        fragments = {table.name: self._fragments(table, attempts) for table in self._request.tables}
        with new_file(self._store.files / name) as document:
            json.assemble(document, self._totals.metadata(), fragments)
        listed = self._manifest.checksums.get(name, document.entry(None))
        problem = file_problem(self._folder, name, listed)
        self._totals.problems[name] = problem
        if problem is not None or listed.sha256 != document.entry(None).sha256:
            return self._differ(name, self._store.files / name)
        return True

    def _fragments(self, table: Table, attempts: dict[str, str]) -> Iterator[BinaryIO]:
        """Open the fragments of a table, one after another."""
        for shard in self._request.shards():
            for name, of in self._request.json_fragments(shard).items():
                if of is table:
                    yield self._store.open_fragment(name, attempts[shard.name])

    def _differ(self, path: str, copy: Path) -> bool:
        """Say where a file differs from the one that was made again; return whether it holds the same rows all the same."""
        found = self._folder / path
        if not regular(self._folder, path):
            failure = Failure(file=path, found=None, expected="a file")
        elif path.endswith(".parquet"):
            return self._differ_in_rows(path, copy)
        elif filecmp.cmp(
            found, copy, shallow=False
        ):  # so it is only listed wrongly, which the check of files says
            return True
        else:
            at, here, there = _first_line(found, copy)
            failure = Failure(
                file=path, field=f"line {at + 1}", found=display(here), expected=display(there) or "nothing"
            )
        self._findings.fail("regenerated", failure)
        return False

    def _differ_in_rows(self, path: str, copy: Path) -> bool:
        if is_of_this_arrow(self._folder / path):
            failure = Failure(file=path, found="other bytes", expected=f"the bytes that {OURS} gives")
            self._findings.fail("regenerated", failure)
            return False
        try:
            same = bool(pq.read_table(self._folder / path).equals(pq.read_table(copy)))
        except (pa.ArrowException, OSError, ValueError) as error:
            failure = Failure(file=path, found=display(error), expected="a Parquet file")
            self._findings.fail("regenerated", failure)
            return False
        if same:
            self._findings.note(
                "regenerated", f"{path} holds the right rows in bytes that another program wrote"
            )
        else:
            failure = Failure(
                file=path, found="other rows", expected="the rows that the seed and the defects give"
            )
            self._findings.fail("regenerated", failure)
        return same


def _first_line(found: Path, copy: Path) -> tuple[int, str | None, str | None]:
    """Return the number of the first line that differs in two files, and the line in each."""
    with found.open("rb") as ours, copy.open("rb") as theirs:
        for number, (here, there) in enumerate(zip_longest(_lines(ours), _lines(theirs))):
            if here != there:
                return number, _decoded(here), _decoded(there)
    return 0, None, None


def _lines(file: BinaryIO) -> Iterator[bytes]:
    yield from iter(partial(file.readline, _LONGEST_LINE), b"")


def _decoded(line: bytes | None) -> str | None:
    return None if line is None else line.decode("utf-8", "replace").rstrip("\n")
