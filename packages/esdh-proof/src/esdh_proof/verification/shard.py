"""A part of a snapshot verified, wherever that is done: from its files and the request to a report; a pure function.

Where the bytes of a block are those that the seed gives, its rows are known: nothing is parsed, and the checks of rows
look at the columns that were made. Only rows in other bytes are read value by value, and told apart.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from esdh_core import BLOCK_RECORDS, Table
from esdh_core.columns import Column
from esdh_core.dataset import Block
from esdh_export import FORMATS, EncodedBlock, SnapshotRequest, Tallies
from esdh_export.execution.blocks import BlockJoiner, fixed_blocks, record_steps
from esdh_export.execution.cpu import usable_cores
from esdh_export.formats import Writer
from esdh_export.io.background import BackgroundQueue
from esdh_export.io.hashed_file import Sink
from esdh_export.request import Shard
from esdh_manifest import FileEntry, FileProblem, Stats, file_problem, restore

from esdh_proof.checks import checks_of, schema
from esdh_proof.findings import Failure, Findings
from esdh_proof.reading import LineRange, Rows, TableReader, regular
from esdh_proof.reencode import columns_of
from esdh_proof.verification.digests import OF_SEED, BlockDigests, rows_digest
from esdh_proof.verification.parquet_copy import (
    ChecksumCopy,
    OtherBytesError,
    SideBySide,
    is_of_this_arrow,
)
from esdh_proof.verification.rows import RowFailures
from esdh_proof.verification.unit import Unit

__all__ = ["Job", "ShardReport", "ShardWork", "has_size", "restored_copies", "verify_fixed", "verify_shard"]


@dataclass(frozen=True)
class Job:
    """What all parts of a verification have in common; it pickles.

    `counts` are the rows of each table that the snapshot claims; `fixed` the rows of the fixed tables by format and
    table, as they were read. `document` is the JSON document, or a restored copy of it.
    """

    folder: Path
    request: SnapshotRequest
    counts: dict[str, int]
    regenerate: bool
    document: dict[str, Path] = field(default_factory=dict)
    fixed: dict[str, dict[str, Rows]] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardWork:
    """A shard, and where in the snapshot it stands.

    `entries` are what the manifest lists of its files; `first_rows` the number of the first row of each table, `lines`
    where the rows of each stand in the JSON document.
    """

    shard: Shard
    entries: dict[str, FileEntry]
    first_rows: dict[str, int] = field(default_factory=dict)
    lines: dict[str, LineRange] = field(default_factory=dict)


@dataclass
class ShardReport:
    """What came of a shard; reports merge in the order of their shards.

    `rows` counts the rows that each table must have, and `file_rows` each file; `blocks` are raw block digests by format
    and table. `problems` is what is wrong with the listed files. `of_seed` counts the rows that were found as bytes that the
    seed gives. `found` is false where nothing of the last records was there, in any format.
    """

    findings: Findings
    problems: dict[str, FileProblem | None]
    rows: dict[str, int]
    file_rows: dict[str, int]
    blocks: dict[str, dict[str, list[bytes]]]
    stats: Stats
    of_seed: int
    found: bool


def restored_copies(
    folder: Path, problems: Mapping[str, FileProblem | None], entries: Mapping[str, FileEntry], copies: Path
) -> dict[str, Path]:
    """Write copies of the files that a tool changed on the way, as they were before; return them by their paths."""
    restored = {}
    for number, path in enumerate(path for path, each in problems.items() if each and each.remedy):
        source = folder / path if (folder / path).is_file() else folder / f"{path}.gz"
        restored[path] = copies / f"{number}{source.suffix.replace('.gz', '')}"
        with restored[path].open("wb") as copy:
            restore(source, entries[path], copy.write)
    return restored


class _Files:
    """The files of a shard, held against what the manifest lists of them in a thread of its own, while rows are looked at.

    `restored` are copies of those that a tool changed on the way, as they were before. Every such change makes another
    size, so files of another size are looked at ahead.
    """

    def __init__(self, job: Job, work: ShardWork, stack: ExitStack) -> None:
        hashing = stack.enter_context(ThreadPoolExecutor(1))
        self._problems: dict[str, Future[FileProblem | None]] = {
            path: hashing.submit(file_problem, job.folder, path, entry)
            for path, entry in sorted(work.entries.items(), key=lambda each: has_size(job.folder, *each))
        }
        changed = {
            path: self._problems[path].result()
            for path, entry in work.entries.items()
            if not has_size(job.folder, path, entry)
        }
        self.restored: dict[str, Path] = {}
        if any(each and each.remedy for each in changed.values()):
            copies = Path(stack.enter_context(TemporaryDirectory(prefix="esdh-")))
            self.restored = restored_copies(job.folder, changed, work.entries, copies)

    def problems(self) -> dict[str, FileProblem | None]:
        """Return what is wrong with each file."""
        return {path: problem.result() for path, problem in self._problems.items()}


def has_size(folder: Path, path: str, entry: FileEntry) -> bool:
    """Return whether a file of a folder is there in the size that is listed."""
    file = folder / path
    return file.is_file() and file.stat().st_size == entry.bytes


def verify_shard(
    job: Job,
    work: ShardWork,
    *,
    progress: Callable[[int], None] | None = None,
    alone: bool = False,
) -> ShardReport:
    """Verify the files of one shard and the rows of its records, a block in memory at a time.

    `progress` is called with the number of records of each step. `alone` says that no other shard is being verified, so
    that a thread may hash content on a core that is left; then part of another block is in memory.
    """
    with ExitStack() as stack:
        files = _Files(job, work, stack)
        queue = None
        if alone and job.request.has_blocks(work.shard) and usable_cores() > 1:
            queue = stack.enter_context(closing(BackgroundQueue(len(job.request.tables))))
        records = _RecordsOfShard(job, work, files.restored, queue)
        try:
            report = records.report(progress)
        except OtherBytesError:
            done, records = records.done, _RecordsOfShard(job, work, files.restored, queue, ahead=False)
            report = records.report(None)
            if progress is not None:
                progress(records.done - done)
        return replace(report, problems=files.problems())


def verify_fixed(job: Job, work: ShardWork) -> tuple[ShardReport, dict[str, dict[str, Rows]]]:
    """Verify the files and the rows of the fixed tables; return what was found, and the rows by format and table."""
    with ExitStack() as stack:
        files = _Files(job, work, stack)
        report, rows = _FixedTables(job, work, files.restored).report()
        return replace(report, problems=files.problems()), rows


class _PartOfSnapshot:
    """What has been found so far of a part of a snapshot; with `queue`, content is hashed there."""

    def __init__(
        self,
        job: Job,
        work: ShardWork,
        restored: Mapping[str, Path],
        queue: BackgroundQueue | None = None,
    ) -> None:
        self._queue = queue
        self._job, self._work, self._restored = job, work, restored
        self._request = job.request
        self._findings = Findings()
        self._failures = RowFailures(self._request, self._findings)
        self._checks = checks_of(self._request.dataset)
        self._fixed = job.fixed
        self._tables = self._request.tables_of(work.shard)
        self._digests = {table.name: BlockDigests(table, queue) for table in self._tables}
        self._tallies = Tallies(self._request)
        self._copies: dict[str, ChecksumCopy] = {}
        self._rows = {table.name: 0 for table in self._tables}
        self._file_rows: dict[str, int] = {}
        self._of_seed = 0

    def _result(self, *, found: bool) -> ShardReport:
        for path, copy in self._copies.items():
            copy.compare(self._job.folder / path, path, self._work.entries.get(path), self._findings)
        if self._queue is not None:
            self._queue.wait()
        return ShardReport(
            findings=self._findings,
            problems={},
            rows=self._rows,
            file_rows=self._file_rows,
            blocks={
                name: {
                    table: digests.blocks[name]
                    for table, digests in self._digests.items()
                    if name in digests.blocks
                }
                for name in self._request.formats
            },
            stats=self._tallies.counts(),
            of_seed=self._of_seed,
            found=found,
        )

    def _reader(self, table: Table, name: str, rows: int | None = None) -> TableReader:
        document = self._job.document
        return TableReader(
            self._job.folder,
            self._request,
            table,
            name,
            self._findings,
            counts=self._job.counts,
            restored={**self._restored, **document},
            rows=rows,
            row=self._work.first_rows.get(table.name, 0),
            lines=self._work.lines.get(table.name) if name == "json" else None,
        )

    def _count_rows(self, table: Table, rows: int) -> None:
        """Say that a table has so many more rows."""
        self._rows[table.name] += rows
        for name in self._request.formats:
            if name != "json":
                path = self._request.path(table, name, self._work.shard.number)
                self._file_rows[path] = self._file_rows.get(path, 0) + rows

    def _check(self, name: str, tables: dict[str, Rows], unit: Unit, content: tuple[object, ...]) -> None:
        """Run the checks over the rows of several tables, unless another format had the same content."""
        fixed = self._fixed.get(name, {})
        for check in ("synthetic", "integrity", "rules"):
            self._findings.count_rows(check, sum(map(len, tables.values())))
        if not content or unit.is_new(content):
            for check in ("synthetic", "integrity", "rules"):
                self._failures.add(check, getattr(self._checks, check)(unit.block, {**fixed, **tables}))

    def _read(self, name: str, table: Table, rows: Rows, unit: Unit) -> bytes:
        """Check rows of one table that were read in one format; return their digest, `OF_SEED` where they are the seed's."""
        encoded = unit.encoded
        digest = rows_digest(rows, table)
        same = encoded is not None and digest == encoded.digest_of(table)
        columns = None
        if len(rows):
            columns = (
                encoded.columns[table.name]
                if encoded and same
                else columns_of(self._request.dataset, table, rows.arrays)
            )
        if encoded is not None and not same:
            self._failures.explain(rows, table, encoded)
        if rows.text is not None:
            self._failures.spelling(name, table, rows, columns, encoded=encoded if same else None)
        if same:
            digest = OF_SEED
        self._check_table(table, rows, columns, unit, digest)
        return digest

    def _check_table(
        self, table: Table, rows: Rows, columns: Mapping[str, Column] | None, unit: Unit, digest: bytes
    ) -> None:
        """Hold the values of a table's rows against its schema, and count them, unless another format had the same."""
        self._findings.count_rows("schema", len(rows))
        if unit.encoded is not None:
            self._findings.count_rows("regenerated", len(rows))
        if unit.is_new((table.name, digest)):
            self._failures.add("schema", schema(rows, table))
        if len(rows) and unit.is_new((table.name,)):
            self._count(table, rows, columns)

    def _count(self, table: Table, rows: Rows, columns: Mapping[str, Column] | None) -> None:
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

    def _end_block(self, name: str, table: Table, pieces: int, block: EncodedBlock | None) -> None:
        """End a block of a table in a format, of so many pieces; `block` is what the seed gives, where it was made."""
        of_seed = None if block is None else partial(block.digest_of, table)
        same = self._digests[table.name].end(name, pieces=pieces, of_seed=of_seed)
        if name == "parquet" and block is not None and same is not None:
            self._copy(table).add(block if same else None)

    def _copy(self, table: Table) -> ChecksumCopy:
        """Return the copy of the Parquet file that is read."""
        path = self._request.path(table, "parquet", self._work.shard.number)
        if path not in self._copies:
            self._copies[path] = ChecksumCopy(self._request, table)
        return self._copies[path]


class _RecordsOfShard(_PartOfSnapshot):
    """The records of a shard, looked at as many at a time as the smallest block has."""

    def __init__(
        self,
        job: Job,
        work: ShardWork,
        restored: Mapping[str, Path],
        queue: BackgroundQueue | None,
        *,
        ahead: bool = True,
    ) -> None:
        """Begin; `ahead` lets bytes be taken for granted until they can be compared."""
        super().__init__(job, work, restored, queue)
        self._readers = {
            (name, table.name): self._reader(table, name)
            for name in self._request.formats
            for table in self._tables
        }
        self._joiner = BlockJoiner(self._request, self._tables)
        self._pieces = {table.name: 0 for table in self._tables}  # of the block at hand, and their rows
        self._block_rows = {table.name: 0 for table in self._tables}
        self._ended: EncodedBlock | None = (
            None  # the blocks that end with the step at hand, as the seed gives them
        )
        self._writers: dict[tuple[str, str], tuple[_Redirect, Writer]] = {}
        self._side_by_side: dict[str, SideBySide] = {}
        self._ahead = ahead
        self.done = 0  # records

    def report(self, progress: Callable[[int], None] | None) -> ShardReport:
        """Look at every row; OtherBytesError where bytes that were taken for granted are others."""
        shard = self._work.shard
        found = True
        with ExitStack() as stack:
            for reader in self._readers.values():
                stack.callback(reader.drop)
            if self._job.regenerate and self._ahead:
                self._open_side_by_side(stack)
            for block in record_steps(self._request, shard):
                found = self._records(block)
                if not found:
                    break  # a manifest may claim any number of records
                pa.default_memory_pool().release_unused()
                self.done += block.count
                if progress is not None:
                    progress(block.count)
            for copy in self._side_by_side.values():
                copy.finish()
            stopped = not found and block.start + block.count < self._request.records
            for reader in self._readers.values():  # lets each file be looked at to its end
                reader.close(whole=not stopped)
        return self._result(found=not stopped)

    def _open_side_by_side(self, stack: ExitStack) -> None:
        for table in self._tables if "parquet" in self._request.formats else ():
            path = self._request.path(table, "parquet", self._work.shard.number)
            file = self._restored.get(path, self._job.folder / path)
            if (path in self._restored or regular(self._job.folder, path)) and is_of_this_arrow(file):
                copy = SideBySide(file, self._request, table)
                self._side_by_side[table.name] = stack.enter_context(copy)

    def _records(self, block: Block) -> bool:
        """Check the rows of some records in every table, a format at a time; return whether any was there."""
        columns = None
        if self._job.regenerate:
            columns = {table.name: table.columns(block) for table in self._tables}
        unit = Unit(block, None if columns is None else EncodedBlock(columns))
        rows = {table.name: len(block.level(table).slots) for table in self._tables}
        for table in self._tables:
            self._count_rows(table, rows[table.name])
            self._tallies.add_draws(table, block)
            self._pieces[table.name] += 1
            self._block_rows[table.name] += rows[table.name]
        if columns is not None:
            ended = self._joiner.add(block, columns)
            alone = len(ended) == len(columns) and all(number == 1 for number in self._pieces.values())
            # What is made of a column is made once, where it is that of a whole block too.
            self._ended = unit.encoded if alone else EncodedBlock(ended)
        found = not any(rows.values())
        for name in self._request.formats:
            found |= self._format(name, rows, unit)
        for table in self._tables:
            if self._joiner.ends(table, block.start + block.count):
                self._pieces[table.name] = self._block_rows[table.name] = 0
                self._digests[table.name].end_block()
        return found

    def _format(self, name: str, rows: dict[str, int], unit: Unit) -> bool:
        """Check some records in one format; what it has in common with a format before is checked once."""
        block = unit.block
        tables: dict[str, Rows] = {}
        content: dict[str, bytes] = {}
        for table in self._tables:
            count = rows[table.name]
            ends = self._joiner.ends(table, block.start + block.count)
            found = self._same_bytes(name, table, count, unit, ends=ends)
            if found is not None:
                content[table.name] = OF_SEED
                self._check_table(table, found, found.columns, unit, OF_SEED)
                self._of_seed += len(found)
            elif (found := self._readers[name, table.name].take(block.start, block.count, count)) is not None:
                content[table.name] = self._read(name, table, found, unit)
            if found is not None:
                self._digests[table.name].add(name, content[table.name], found)
                tables[table.name] = found
            if ends:
                self._end_block(name, table, self._pieces[table.name], self._ended)
        if not tables:
            return False
        self._check(name, tables, unit, tuple(content.items()))
        some = any(map(len, tables.values()))
        for each in tables.values():
            each.release()
        return some

    def _same_bytes(self, name: str, table: Table, count: int, unit: Unit, *, ends: bool) -> Rows | None:
        """Return the next rows as the seed gives them, where these are their bytes; None where they must be read.

        Of Parquet that is known at the end of the file, of text at the end of a block; until then it is taken for granted.
        """
        if unit.encoded is None or self._ended is None:
            return None
        reader, stop = self._readers[name, table.name], unit.block.start + unit.block.count
        file: str | None
        if name == "parquet":
            copy = self._side_by_side.get(table.name)
            if copy is None:
                return None
            if ends:
                copy.write(self._ended)
            file = self._request.path(table, name, self._work.shard.number)
        elif ends and self._pieces[table.name] == 1:
            render = partial(self._render, name, table, unit.encoded)
            file = reader.matches(unit.block.start, unit.block.count, count, render)
        else:
            file = reader.file_of(unit.block.start) if self._ahead else None
            if ends and file is not None:
                start = (stop - 1) // table.block_records * table.block_records
                render = partial(self._render, name, table, self._ended)
                if reader.matches(start, stop - start, self._block_rows[table.name], render) is None:
                    raise OtherBytesError
        if file is None:
            return None
        first = self._work.first_rows.get(table.name, 0) + self._rows[table.name] - count
        return unit.rows_of_seed(table, file, first)

    def _render(self, name: str, table: Table, encoded: EncodedBlock, sink: Sink) -> None:
        """Write rows as a text format has them; the writer is kept, and what it has rendered."""
        if (name, table.name) not in self._writers:
            redirect = _Redirect()
            writer = FORMATS[name].Writer(
                redirect, table, dataset=self._request.dataset, seed=self._request.seed
            )
            self._writers[name, table.name] = redirect, writer
        redirect, writer = self._writers[name, table.name]
        redirect.sink = sink
        writer.write(encoded)


class _Redirect:
    """A sink whose writer is kept, while what it writes goes to one sink and then to another; at first to none."""

    sink: Sink | None = None

    def write(self, data: bytes | memoryview) -> int:
        """Hand bytes on and return how many."""
        return len(data) if self.sink is None else self.sink.write(data)


class _FixedTables(_PartOfSnapshot):
    """The rows of the fixed tables, read value by value, and held to check other rows against them."""

    def __init__(self, job: Job, work: ShardWork, restored: Mapping[str, Path]) -> None:
        super().__init__(job, work, restored)
        self._fixed: dict[str, dict[str, Rows]] = {name: {} for name in self._request.formats}

    def report(self) -> tuple[ShardReport, dict[str, dict[str, Rows]]]:
        """Look at every row; return what was found, and the rows by format and table."""
        request = self._request
        units: dict[str, Unit] = {}
        for table in self._tables:
            block = request.dataset.block_of(table, request.dataset.block(0, 0, request.seed))
            self._tallies.add_draws(table, block)
            unit = units.setdefault(table.top.name, Unit(block, None))
            self._table(table, unit)
            self._share(table)
        for name in request.formats:
            for top, unit in units.items():
                tables = {
                    table.name: self._fixed[name][table.name]
                    for table in self._tables
                    if table.name in self._fixed[name] and table.top.name == top
                }
                self._check(name, tables, unit, ())
        return self._result(found=True), self._fixed

    def _table(self, table: Table, unit: Unit) -> None:
        rows = len(unit.block.level(table).slots)
        readers = {name: self._reader(table, name, rows) for name in self._request.formats}
        blocks: Iterator[dict[str, Column] | None] = repeat(None)
        if self._job.regenerate:  # a table without rows has no block, and a file all the same
            blocks = chain(fixed_blocks(table, unit.block), [table.columns(unit.block)])
        for start, columns in zip(range(0, max(rows, 1), BLOCK_RECORDS), blocks, strict=False):
            count = min(BLOCK_RECORDS, rows - start)
            self._count_rows(table, count)
            encoded = None if columns is None else EncodedBlock({table.name: columns})
            part = Unit(unit.block, encoded)
            for name, reader in readers.items():
                found = reader.take(start, count, count)
                if found is None:
                    continue
                digest = self._read(name, table, found, part)
                if len(found):
                    self._digests[table.name].add(name, digest, found)
                    self._end_block(name, table, 1, encoded)
                elif name == "parquet" and encoded is not None:
                    self._copy(table).add(encoded if digest == OF_SEED else None)
                before = self._fixed[name].get(table.name)
                self._fixed[name][table.name] = (
                    found if before is None else Rows(found.file, 0, _concatenated(before, found), None)
                )
            self._digests[table.name].end_block()
        for reader in readers.values():
            reader.close()

    def _share(self, table: Table) -> None:
        """Hold the rows of a table once for all formats that agree on them."""
        blocks = self._digests[table.name].blocks
        first: dict[tuple[bytes, ...], Rows] = {}
        for name in self._request.formats:
            rows = self._fixed[name].get(table.name)
            if rows is not None:
                rows.arrays = first.setdefault(tuple(blocks.get(name, ())), rows).arrays


def _concatenated(before: Rows, more: Rows) -> dict[str, pa.Array]:
    return {name: pa.concat_arrays([values, more.arrays[name]]) for name, values in before.arrays.items()}
