"""How a verification is cut into parts, and where in the files each of them stands."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from esdh_core import Table
from esdh_export import SnapshotRequest
from esdh_export.execution.blocks import record_steps
from esdh_export.execution.executor import map_in_order
from esdh_export.request import Shard
from esdh_manifest import FileEntry, FileProblem, Manifest, document_name, file_problem

from esdh_proof.findings import Failure, Findings, display
from esdh_proof.reading import LineRange, line_ranges, sections
from esdh_proof.verification.shard import Job, ShardReport, ShardWork, verify_shard

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["Document", "FileWork", "WorkList", "verify_file", "verify_part"]


class FileWork(NamedTuple):
    """A file that is no part's own, to be held against what the manifest lists of it."""

    path: str
    entry: FileEntry


def verify_file(folder: Path, work: FileWork) -> FileProblem | None:
    """Return what is wrong with a listed file of a folder."""
    return file_problem(folder, work.path, work.entry)


def verify_part(
    job: Job, work: ShardWork | FileWork, *, progress: Callable[[int], None] | None = None
) -> ShardReport | FileProblem | None:
    """Verify a shard, or tell what is wrong with a file: what an executor is given, wherever it works."""
    if isinstance(work, FileWork):
        return verify_file(job.folder, work)
    return verify_shard(job, work, progress=progress)


@dataclass(frozen=True)
class Document:
    """The JSON document: its file, or a restored copy, and where the lines of each table begin and end.

    Tables whose lines weren't found have none.
    """

    path: Path | None
    lines: dict[str, tuple[int, int]]

    @classmethod
    def open(
        cls, path: Path | None, request: SnapshotRequest, counts: Mapping[str, int], findings: Findings
    ) -> "Document":
        """Find the sections of a document; of what can't be found the findings tell."""
        found: dict[str, tuple[int, int]] = {}
        if path is None:  # the check of files says so
            return cls(None, found)
        claimed = {
            each.name: request.records if each.one_a_record else counts.get(each.name, 0)
            for each in request.tables
        }
        try:
            found.update((table.name, (begin, end)) for table, begin, end in sections(path, request, claimed))
        except (OSError, ValueError) as error:
            name = document_name(request.dataset.dataset_version)
            failure = Failure(file=name, found=display(error), expected="readable json")
            for _ in range(len(request.tables) - len(found)):
                findings.fail("schema", failure)
        return cls(path, found)


class WorkList:
    """The shards of a snapshot that is to be verified, each with what is known ahead of its place in the files."""

    def __init__(
        self, folder: Path, manifest: Manifest, request: SnapshotRequest, document: Document | None
    ) -> None:
        self._folder, self._manifest, self._request = folder, manifest, request
        self._document = document
        self._lines_of: dict[str, list[LineRange]] = {}
        self.line_counts: dict[str, int] = {}  # of each table in the document

    def fixed(self) -> ShardWork | None:
        """Return the work on the fixed tables, None where there are none."""
        shard = next((shard for shard in self._request.shards() if shard.fixed), None)
        if shard is None:
            return None
        tables = self._request.tables_of(shard)
        self._find_lines({table.name: [0] for table in tables})
        return ShardWork(shard, self._entries(shard), lines=self._lines(tables, 0))

    def shards(self, executor: "Executor | None") -> Iterator[ShardWork]:
        """Yield the shards of the records in order, as far as there can be anything of them and one more."""
        request = self._request
        tables = [table for table in request.tables if not table.is_fixed]
        counted = [table for table in tables if not table.one_a_record]
        shards = [shard for shard in request.shards() if not shard.fixed]
        rows = {table.name: [shard.count for shard in shards] for table in tables}
        if counted and len(shards) > 1:
            rows = self._counted(shards, tables, executor)
            shards = shards[: len(rows[tables[0].name])]
        self._find_lines(rows)
        first_rows = {table.name: 0 for table in tables}
        for number, shard in enumerate(shards):
            yield ShardWork(shard, self._entries(shard), dict(first_rows), self._lines(tables, number))
            for name in first_rows:
                first_rows[name] += rows[name][number]

    def _counted(
        self, shards: list[Shard], tables: list[Table], executor: "Executor | None"
    ) -> dict[str, list[int]]:
        """Return the rows that each table must have in each shard, made again from the seed.

        A manifest may claim any number of records: it ends with the first shard of which there can be nothing.
        """
        rows: dict[str, list[int]] = {table.name: [] for table in tables}
        sums = dict.fromkeys(rows, 0)
        lines = self._document.lines if self._document is not None else {}
        with closing(map_in_order(executor, _RowCounter(self._request), shards)) as counts:
            for shard, count in zip(shards, counts, strict=True):
                there = any(
                    (self._folder / path).exists() or (self._folder / f"{path}.gz").exists()
                    for path in self._request.shard_files(shard)
                )
                # Each row takes some bytes.
                there |= any(
                    sums[name] <= end - begin for name, (begin, end) in lines.items() if name in sums
                )
                for name, number in count.items():
                    rows[name].append(number)
                    sums[name] += number
                if not there:
                    break
        return rows

    def _entries(self, shard: Shard) -> dict[str, FileEntry]:
        listed = self._manifest.checksums
        return {path: listed[path] for path in self._request.shard_files(shard) if path in listed}

    def _find_lines(self, rows: Mapping[str, list[int]]) -> None:
        """Find where the rows of each shard stand in the document."""
        document = self._document
        if document is None or document.path is None:
            return
        for name, (begin, end) in document.lines.items():
            if name in rows:
                self._lines_of[name], self.line_counts[name] = line_ranges(
                    document.path, begin, end, rows[name]
                )

    def _lines(self, tables: "tuple[Table, ...] | list[Table]", number: int) -> dict[str, LineRange]:
        """Return where the rows of a shard stand in the document; nothing is where they weren't found."""
        if self._document is None:
            return {}
        nowhere = LineRange(0, 0, final=True)
        return {
            table.name: self._lines_of[table.name][number] if table.name in self._lines_of else nowhere
            for table in tables
        }

    def check_lines(self, rows: Mapping[str, int], findings: Findings, *, stopped: bool) -> None:
        """Count the lines of the document against the rows that each table must have."""
        name = document_name(self._request.dataset.dataset_version)
        for table in self._request.tables:
            if table.name not in self.line_counts:
                continue
            lines, whole = self.line_counts[table.name], not stopped or table.is_fixed or table.one_a_record
            expected = self._request.records if table.one_a_record else rows[table.name]
            if lines < expected or (whole and lines != expected):
                failure = Failure(
                    file=name,
                    found=f"{lines} rows of {table.name}",
                    expected=f"{expected}" if whole else f"at least {expected}",
                )
                findings.fail("files", failure)


class _RowCounter:
    """Counts the rows of each table in a shard, made again from the seed; it pickles."""

    def __init__(self, request: SnapshotRequest) -> None:
        self._request = request

    def __call__(self, shard: Shard) -> dict[str, int]:
        rows = {table.name: 0 for table in self._request.tables_of(shard)}
        for block in record_steps(self._request, shard):
            for table in self._request.tables_of(shard):
                rows[table.name] += len(block.level(table).slots)
        return rows
