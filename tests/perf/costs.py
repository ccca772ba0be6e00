"""Where the time of a row goes: each part of a snapshot's work over one block, on one core, in nanoseconds a record.

    python costs.py

A record is a person and a vehicle. Prints a Markdown table, for docs/PERFORMANCE.md. Processor time, which leaves out
what others take of the core, and the least of several rounds, so what is at hand in the cache counts as that; in a
whole run a block pushes some of it out, which the last row shows.
"""

import hashlib
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np
from esdh_core import BLOCK_RECORDS, DEFAULT_DATASET, DEFAULT_SEED, ENTITIES, generate_columns
from esdh_core.columns import Categorical, Concat
from esdh_core.permutations import permute
from esdh_core.streams import draws
from esdh_export import EncodedBlock, SnapshotRequest, write_snapshot
from esdh_export.encoding.rows import texts
from esdh_export.formats import csv, ndjson, parquet
from esdh_export.io.hashed_file import new_large_file

ROUNDS = 15
CHOSEN = [entity for entity in ENTITIES if entity.name in ("persons", "vehicles")]
NAMES = [entity.name for entity in CHOSEN]
MANY = 64 * BLOCK_RECORDS


class _Nowhere:
    """A sink that counts the bytes it is given."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0

    def write(self, data: bytes | memoryview) -> int:
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def least(action: Callable[[], object]) -> float:
    """Return the least nanoseconds a record of several rounds over a block."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        action()
        times.append(time.process_time_ns() - began)
    return min(times) / BLOCK_RECORDS


def parts() -> Iterator[tuple[str, str, float]]:
    """Yield each part's name, what it does, and its nanoseconds a record."""
    index = np.arange(BLOCK_RECORDS, dtype=np.uint64)
    columns = generate_columns(0, BLOCK_RECORDS, entities=NAMES)
    block = EncodedBlock(columns)
    distinct = {id(column): column for fields in columns.values() for column in fields.values()}.values()
    worded = [
        each
        for each in distinct
        if isinstance(each, Concat) or (isinstance(each, Categorical) and len(each.categories) > 1)
    ]

    yield "generate", "all columns of both", least(lambda: generate_columns(0, BLOCK_RECORDS, entities=NAMES))
    yield (
        "- ids",
        "two a record: rounds and hexadecimal digits",
        2 * least(lambda: DEFAULT_DATASET.ids.texts(DEFAULT_SEED, "person", index)),
    )
    yield "- draws", "13 streams", 13 * least(lambda: draws(DEFAULT_SEED, "person.state", 0, BLOCK_RECORDS))
    yield (
        "- permutations",
        "license number and VIN",
        2 * least(lambda: permute(DEFAULT_SEED, "vehicle.vin", index)),
    )
    tallies = [(each.tally(), columns[e.name][each.field]) for e in CHOSEN for each in e.statistics]

    def count() -> None:
        for tally, column in tallies:
            tally.add(column)

    yield "count", "statistics", least(count)
    yield (
        "digest",
        "content digest of 18 columns",
        least(lambda: [EncodedBlock(columns).digest_of(e) for e in CHOSEN]),
    )
    taken = least(lambda: [list(texts(column)) for column in worded])
    yield "- texts", f"of {len(worded)} columns that are codes, put together for SHA-256", taken
    yield from _format("CSV", csv, block)
    yield from _format("NDJSON", ndjson, block)
    yield "Parquet", "indices, encoding, zstd", _rows(parquet, block)[0]


def _rows(module: ModuleType, block: EncodedBlock) -> tuple[float, int]:
    """Return what a format's writers take a record, and the bytes that they give."""
    sinks = [_Nowhere() for _ in CHOSEN]
    writers = [
        module.Writer(sink, entity, dataset=DEFAULT_DATASET, seed=DEFAULT_SEED)
        for sink, entity in zip(sinks, CHOSEN, strict=True)
    ]

    def write() -> None:
        fresh = EncodedBlock(block.columns)
        for writer in writers:
            writer.write(fresh)

    taken = least(write)
    before = sum(sink.size for sink in sinks)
    write()
    size = sum(sink.size for sink in sinks) - before
    return taken, size


def _format(name: str, module: ModuleType, block: EncodedBlock) -> Iterator[tuple[str, str, float]]:
    taken, size = _rows(module, block)
    yield f"{name}: render", f"{size / BLOCK_RECORDS:.0f} bytes a record", taken
    data = np.full(size, ord("x"), dtype=np.uint8).data
    yield f"{name}: SHA-256", "of the files", least(lambda: hashlib.sha256(data))
    with TemporaryDirectory(prefix="esdh-costs-") as folder:
        path = Path(folder) / "file"

        def write() -> None:
            with new_large_file(path) as file:
                for at in range(0, size, 1 << 20):
                    file.write(data[at : at + (1 << 20)])
            path.unlink()

        before = resource.getrusage(resource.RUSAGE_SELF).ru_stime
        for _ in range(ROUNDS):
            write()
        system = resource.getrusage(resource.RUSAGE_SELF).ru_stime - before
    yield f"{name}: write", "past the cache, time of the system", system / ROUNDS / BLOCK_RECORDS * 1e9


def whole() -> Iterator[tuple[str, str, float]]:
    """Yield the processor time of whole snapshots in this process."""
    for name in ("csv", "ndjson", "parquet"):
        with TemporaryDirectory(prefix="esdh-costs-") as folder:
            request = SnapshotRequest(records=MANY, entities=tuple(NAMES), formats=(name,))
            began = time.process_time()
            write_snapshot(Path(folder) / "snapshot", request)
            yield f"whole {name}", f"{MANY:,} records, everything", (time.process_time() - began) / MANY * 1e9


def main() -> None:
    """Print the table."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    np.empty(24 << 20, dtype=np.uint8)  # as a shard's work begins: see _keep_freed_memory
    print("| part | of | ns a record |\n| --- | --- | ---: |")
    for rows in (parts(), whole()):
        for name, what, taken in rows:
            print(f"| {name} | {what} | {taken:.0f} |", flush=True)


if __name__ == "__main__":
    main()
