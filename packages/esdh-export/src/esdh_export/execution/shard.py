"""A shard's work, wherever it is done: a range of whole blocks to files and a report; reports merged in order."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from functools import partial

import msgspec
import numpy as np
from esdh_core import BLOCK_RECORDS, Table
from esdh_core.dataset import Block
from esdh_core.overlay import LABELS, Label, defective_rows, label_columns
from esdh_manifest import FileEntry, Stats

from esdh_export.counting import Tallies, manifest_counts, merge_counts, no_counts
from esdh_export.encoding.block import EncodedBlock
from esdh_export.encoding.controls import check_texts
from esdh_export.execution.blocks import BlockJoiner, fixed_blocks, record_steps
from esdh_export.execution.cpu import usable_cores
from esdh_export.formats import FORMATS, Writer, json
from esdh_export.io.background import BackgroundCalls
from esdh_export.io.store import Store
from esdh_export.request import Shard, SnapshotRequest

__all__ = ["Progress", "ShardReport", "merge_reports", "write_shard"]

Progress = Callable[[int], None]

_LARGEST_BLOCK = 24 << 20  # bytes; glibc learns from blocks of up to 32 MB


class ShardReport(msgspec.Struct, frozen=True):
    """What came of a shard, or of several; reports merge in the order of their shards.

    `rows` counts the rows of each table; `files` are by their relative path, `fragments` (of the JSON document)
    by name; `blocks` are raw block digests by table name; `attempts` are by the name of their shard.
    """

    rows: dict[str, int]
    files: dict[str, FileEntry]
    fragments: dict[str, FileEntry]
    blocks: dict[str, list[bytes]]
    stats: Stats
    attempts: dict[str, str]


def write_shard(
    request: SnapshotRequest,
    shard: Shard,
    store: Store,
    *,
    progress: Progress | None = None,
    alone: bool = False,
) -> ShardReport:
    """Write the files of one shard to a store; one block is in memory at a time.

    A pure function of request and shard, so that shards may be written anywhere, in any order and again: each call is
    an attempt with files of its own, until they are whole.
    `progress` is called with the number of records of each finished block. `alone` says that no other shard
    is being written, so that threads may render and hash a block on every core while the next one is made; else that
    happens where rows are made, while the cache still has them.
    """
    tables = {
        **{p: table for p, (_, table) in request.shard_files(shard).items()},
        **request.json_fragments(shard),
    }
    large = shard.count > BLOCK_RECORDS
    cores = usable_cores() if alone and request.has_blocks(shard) else 1
    if large:
        _keep_freed_memory()
    attempt = store.attempt()
    with ExitStack() as stack:
        files = {
            path: stack.enter_context(attempt.create(path, large=large))
            for path in request.shard_files(shard)
        }
        fragments = {
            name: stack.enter_context(attempt.create_fragment(name)) for name in request.json_fragments(shard)
        }
        formats = {path: name for path, (name, _) in request.shard_files(shard).items()}
        writers: dict[str, Writer] = {
            name: FORMATS[formats.get(name, json.EXTENSION)].Writer(
                sink,
                request.written(tables[name]),
                dataset=request.dataset,
                seed=request.seed,
                shape=request.shape(tables[name], shard),
            )
            for name, sink in {**files, **fragments}.items()
        }
        content = _Content(request)
        background = stack.enter_context(closing(BackgroundCalls(cores if cores > 1 else 0)))
        for count, block in _blocks(request, shard, content.count_draws):
            writes = (each.write for name, each in writers.items() if tables[name].name in block.columns)
            background.make(partial(call, block) for call in (*writes, content.digest))
            content.add(block)
            del block  # before the next one is made
            if progress is not None:
                progress(count)
        background.wait()
        for writer in writers.values():
            writer.close()
        rows, blocks, stats = content.result()
    attempt.finish()
    return ShardReport(
        rows=rows,
        files={path: file.entry(rows[tables[path].name]) for path, file in files.items()},
        fragments={name: file.entry(rows[tables[name].name]) for name, file in fragments.items()},
        blocks=blocks,
        stats=stats,
        attempts={shard.name: attempt.name},
    )


def _blocks(
    request: SnapshotRequest, shard: Shard, count_draws: Callable[[Table, Block], None]
) -> Iterator[tuple[int, EncodedBlock]]:
    """Yield the number of records that were made, and the blocks of the tables that end there.

    `count_draws` is called with what was made of a table.
    """
    tables, defects = request.data_tables(shard), request.defects
    labels = _Labels(request, shard)
    if shard.fixed:
        for table in tables:
            whole = request.dataset.block_of(table, request.dataset.block(0, 0, request.seed))
            count_draws(table, whole)
            edits, start = defective_rows(defects, table, whole).edits, 0
            for columns in fixed_blocks(table, whole):
                stop = start + len(next(iter(columns.values())))
                yield 0, EncodedBlock({table.name: columns}, {table.name: edits.window(start, stop)})
                start = stop
        yield from labels.rest()
        return
    joiner = BlockJoiner(request, tables)
    for records in record_steps(request, shard):
        rows = {}
        for table in tables:
            rows[table.name] = defective_rows(defects, table, records)
            labels.add(rows[table.name].labels)
            count_draws(table, records)
        block = EncodedBlock(*joiner.add_defective(records, rows))
        count = records.count
        del rows, records
        yield count, block
        del block  # before the next one is made
        yield from labels.whole()
    yield from labels.rest()


class _Labels:
    """The labels of a shard, in blocks of their own; the first shard's begin with those of files and of the fixed tables."""

    def __init__(self, request: SnapshotRequest, shard: Shard) -> None:
        self._labels: list[Label] = []
        self._later: list[Label] = []  # of the records at hand
        if request.defects is not None and request.holds_labels(shard) and shard.number == 0:
            self._labels += request.defects.labels_of_no_record(request.tables, request.seed)

    def add(self, labels: list[Label]) -> None:
        """Take the labels of a table in the records at hand."""
        self._later += labels

    def whole(self) -> Iterator[tuple[int, EncodedBlock]]:
        """Yield the blocks that are full, after the last table of the records at hand."""
        self._labels += sorted(self._later)
        self._later.clear()
        while len(self._labels) >= BLOCK_RECORDS:
            yield self._block(BLOCK_RECORDS)

    def rest(self) -> Iterator[tuple[int, EncodedBlock]]:
        """Yield what is left, after the last records."""
        yield from self.whole()
        if self._labels:
            yield self._block(len(self._labels))

    def _block(self, count: int) -> tuple[int, EncodedBlock]:
        columns = label_columns(self._labels[:count])
        del self._labels[:count]
        return 0, EncodedBlock({LABELS.name: columns})


class _Content:
    """What a shard's rows hold, whatever files they are in: digests of its blocks, and its statistics."""

    def __init__(self, request: SnapshotRequest) -> None:
        self._tables = [request.written(table) for table in request.tables]
        self._by_name = {table.name: table for table in self._tables}
        self._rows = {table.name: 0 for table in self._tables}
        self._digests: dict[str, list[bytes]] = {table.name: [] for table in self._tables}
        self._tallies = Tallies(request)

    def add(self, block: EncodedBlock) -> None:
        """Count the rows of the blocks of some tables.

        Raises ExportError for a text that no snapshot can hold.
        """
        for name, columns in block.clean.items():
            check_texts(name, columns)
        for name, columns in block.columns.items():
            self._rows[name] += len(next(iter(columns.values())))
            self._tallies.add(self._by_name[name], block.clean[name])

    def count_draws(self, table: Table, block: Block) -> None:
        """Count what was drawn of a table in some records, or in all of its rows if it is fixed."""
        self._tallies.add_draws(table, block)

    def digest(self, block: EncodedBlock) -> None:
        """Add the digests of the blocks of some tables; those of each table come in their order."""
        for table in self._tables:
            if table.name in block.columns:
                self._digests[table.name].append(block.digest_of(table))

    def result(self) -> tuple[dict[str, int], dict[str, list[bytes]], Stats]:
        """Return the rows, the raw block digests and the statistics, by table name."""
        return self._rows, self._digests, self._tallies.counts()


def _keep_freed_memory() -> None:
    """Let the memory of a block be used again for the next one.

    glibc gives back to the system what was freed, and the pages have to be faulted in again: a fifth of the
    time that a block takes to generate. It keeps blocks of up to the size of the largest that it has seen
    freed, and twice that in all; this one is never touched, so it costs nothing. Elsewhere it does nothing.
    """
    np.empty(_LARGEST_BLOCK, dtype=np.uint8)


def merge_reports(request: SnapshotRequest, reports: Iterable[ShardReport]) -> ShardReport:
    """Return what reports say together; they come in the order of their shards and are not all held at once."""
    rows = {table.name: 0 for table in request.tables}
    files: dict[str, FileEntry] = {}
    fragments: dict[str, FileEntry] = {}
    blocks: dict[str, list[bytes]] = {table.name: [] for table in request.tables}
    attempts: dict[str, str] = {}
    stats = no_counts(request)
    for report in reports:
        files.update(report.files)
        fragments.update(report.fragments)
        attempts.update(report.attempts)
        for name in rows:
            rows[name] += report.rows[name]
            blocks[name].extend(report.blocks[name])
        stats = merge_counts(stats, report.stats)
    return ShardReport(rows, files, fragments, blocks, manifest_counts(request, stats), attempts)
