"""A shard's work, wherever it is done: a range of whole blocks to files and a report; reports merged in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np
from esdh_core import BLOCK_RECORDS, generate_columns
from esdh_core.stats import merge
from esdh_manifest import ListedFile, Stats

from esdh_export.blocks import BlockArrays
from esdh_export.cores import usable_cores
from esdh_export.digest import block_digest
from esdh_export.errors import WorkerError
from esdh_export.files import Behind, new_file
from esdh_export.formats import FORMATS, Writer, json
from esdh_export.request import Shard, SnapshotRequest
from esdh_export.store import Store

if TYPE_CHECKING:  # its import costs a small snapshot more than the snapshot
    from concurrent.futures import Executor, Future

__all__ = ["Progress", "ShardReport", "map_in_order", "merged", "write_shard"]

Progress = Callable[[int], None]
T = TypeVar("T")
R = TypeVar("R")

# Shards handed to an executor and not merged yet: enough to keep any pool busy, and few enough that their
# reports (some 50 KB each) are small and that there is little to call off.
_IN_FLIGHT = 256
_WAITING = 16  # strips of rows, of 1 to 4 MB, that wait for the threads that hash the files of a shard
_LARGEST_BLOCK = 24 << 20  # bytes; glibc learns from blocks of up to 32 MB


class ShardReport(msgspec.Struct, frozen=True):
    """What came of a shard, or of several; reports merge in the order of their shards.

    `records` counts the records; `files` are by their relative path, `sections` (of the JSON document) by name; `blocks` are raw block
    digests by plural entity name.
    """

    records: int
    files: dict[str, ListedFile]
    sections: dict[str, ListedFile]
    blocks: dict[str, list[bytes]]
    stats: Stats


def write_shard(
    request: SnapshotRequest,
    shard: Shard,
    store: Store,
    *,
    progress: Progress | None = None,
    alone: bool = False,
) -> ShardReport:
    """Write the files of one shard to a store; one block is in memory at a time.

    A pure function of request and shard, so that shards may be written anywhere and in any order.
    `progress` is called with the number of records of each finished block. `alone` says that no other shard
    is being written, so that threads may hash on a core that is left; else rows are hashed while the cache
    still has them.
    """
    large = shard.count > BLOCK_RECORDS
    spare = large and alone and usable_cores() > 1
    if large:
        _keep_freed_memory()
    with ExitStack() as stack:
        # Few files may have a block's rows wait, many only what they are at: together, the same memory.
        names = [*request.parts(shard), *request.sections(shard)]
        behind = {name: Behind(max(2, _WAITING // len(names))) if spare else None for name in names}
        files = {
            path: stack.enter_context(store.create(path, large=large, behind=behind[path]))
            for path in request.parts(shard)
        }
        sections = {
            name: stack.enter_context(new_file(store.sections / name, behind=behind[name]))
            for name in request.sections(shard)
        }
        writers: list[Writer] = [
            FORMATS[name].Writer(files[path], entity, seed=request.seed)
            for path, (name, entity) in request.parts(shard).items()
        ] + [
            json.Writer(sections[name], entity, seed=request.seed)
            for name, entity in request.sections(shard).items()
        ]
        content = stack.enter_context(closing(_Content(request, behind=spare)))
        for start in range(shard.start, shard.start + shard.count, BLOCK_RECORDS):
            count = min(BLOCK_RECORDS, shard.start + shard.count - start)
            # In a function of its own, so that a block is gone before the next one is made.
            _write_block(request, start, count, writers, content)
            if progress is not None:
                progress(count)
        for writer in writers:
            writer.close()
        blocks, stats = content.told()
    return ShardReport(
        records=shard.count,
        files={path: file.listed(shard.count) for path, file in files.items()},
        sections={name: file.listed(shard.count) for name, file in sections.items()},
        blocks=blocks,
        stats=stats,
    )


def _write_block(
    request: SnapshotRequest, start: int, count: int, writers: list[Writer], content: "_Content"
) -> None:
    block = BlockArrays(generate_columns(start, count, request.seed, entities=request.entities))
    for writer in writers:
        writer.write(block)
    content.add(block)


class _Content:
    """What is told of a shard's rows, whatever files hold them: digests of its blocks, and its statistics.

    With `behind`, blocks are hashed in a thread of their own.
    """

    def __init__(self, request: SnapshotRequest, *, behind: bool) -> None:
        self._entities = request.chosen
        self._digests: dict[str, list[bytes]] = {entity.plural: [] for entity in self._entities}
        self._tallies = {
            entity.plural: {each.name: (each.field, each.tally()) for each in entity.statistics}
            for entity in self._entities
        }
        self._behind = Behind(1) if behind else None

    def add(self, block: BlockArrays) -> None:
        """Add a block; they come in their order."""
        if self._behind is None:
            self._digest(block)
        else:
            self._behind.call(self._digest, block)
        for plural, tallies in self._tallies.items():
            for field, tally in tallies.values():
                tally.add(block.columns[plural][field])

    def _digest(self, block: BlockArrays) -> None:
        for entity in self._entities:
            self._digests[entity.plural].append(block_digest(block.digests(entity)))

    def told(self) -> tuple[dict[str, list[bytes]], Stats]:
        """Return the raw block digests and the statistics, by plural entity name."""
        if self._behind is not None:
            self._behind.wait()
        stats: Stats = {
            plural: {name: merge([tally.counts()]) for name, (_, tally) in tallies.items()}
            for plural, tallies in self._tallies.items()
        }
        return self._digests, stats

    def close(self) -> None:
        """End the thread, if there is one."""
        if self._behind is not None:
            self._behind.close()


def _keep_freed_memory() -> None:
    """Let the memory of a block be used again for the next one.

    glibc gives back to the system what was freed, and the pages have to be faulted in again: a fifth of the
    time that a block takes to generate. It keeps blocks of up to the size of the largest that it has seen
    freed, and twice that in all; this one is never touched, so it costs nothing. Elsewhere it does nothing.
    """
    np.empty(_LARGEST_BLOCK, dtype=np.uint8)


def merged(request: SnapshotRequest, reports: Iterable[ShardReport]) -> ShardReport:
    """Return what reports say together; they come in the order of their shards and are not all held at once."""
    records = 0
    files: dict[str, ListedFile] = {}
    sections: dict[str, ListedFile] = {}
    blocks: dict[str, list[bytes]] = {entity.plural: [] for entity in request.chosen}
    stats: Stats = {entity.plural: {each.name: {} for each in entity.statistics} for entity in request.chosen}
    for report in reports:
        records += report.records
        files.update(report.files)
        sections.update(report.sections)
        for plural, more in report.stats.items():
            blocks[plural].extend(report.blocks[plural])
            stats[plural] = {name: merge([counts, more[name]]) for name, counts in stats[plural].items()}
    return ShardReport(records, files, sections, blocks, stats)


def map_in_order(
    executor: "Executor | None", function: Callable[[T], R], items: Iterable[T]
) -> Generator[R, None, None]:
    """Yield `function` of each item in order, with a bounded number under way; None means this process.

    When it ends early, what waits is called off and what runs is waited for, so that nothing goes on behind
    the caller's back; an interrupt kills the workers of an executor that has `kill_workers`, as those of
    Python 3.14 and WorkerPool have. Raises WorkerError when the executor has lost a worker.
    """
    if executor is None:
        yield from map(function, items)
        return
    from concurrent.futures import BrokenExecutor, wait

    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) == _IN_FLIGHT:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenExecutor as error:
        wait(pending)
        raise WorkerError(
            "a worker process ended before its part was written (killed, perhaps for want of memory, or not let to start); "
            "run again with fewer --workers, or with more memory"
        ) from error
    except Exception:
        wait([future for future in pending if not future.cancel()])
        raise
    except BaseException:
        if hasattr(executor, "kill_workers"):
            executor.kill_workers()  # its futures end by that; cancelled ones would upset the pool's own thread
            wait(pending)
        else:
            wait([future for future in pending if not future.cancel()])
        raise
