"""The snapshot writer: shards of whole blocks to files, reports merged in order, one commit."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import msgspec
import pyarrow as pa
from esdh_core import (
    BLOCK_RECORDS,
    DATASET_SLUG,
    DATASET_VERSION,
    DEFAULT_RECORDS,
    DEFAULT_SEED,
    ENTITIES,
    GENERATED_AT,
    SYNTHETIC_SOURCE,
    check_records,
    check_seed,
    entity_named,
    field_hashes,
    generate_columns,
    metadata_for,
    notes_for,
    plan_sha256,
)
from esdh_core.rules import Entity
from esdh_core.stats import merge
from esdh_manifest import (
    MANIFEST_VERSION,
    SUMS_NAME,
    Gates,
    Generator,
    ListedFile,
    Manifest,
    Stats,
    encode_manifest,
    list_bytes,
    render_readme,
    sha256sums,
)

from esdh_export.arrow import BlockArrays
from esdh_export.descriptors import DESCRIPTORS, render_descriptors
from esdh_export.digest import block_digest, entity_digest
from esdh_export.errors import ExportError, GateError, TargetError
from esdh_export.files import HashedFile
from esdh_export.formats import FORMATS, Writer, json
from esdh_export.target import Target

__all__ = [
    "DATASET_NAME",
    "DEFAULT_FORMATS",
    "DEFAULT_SHARD_ROWS",
    "MANIFEST_NAME",
    "METADATA_NAME",
    "README_NAME",
    "Shard",
    "ShardReport",
    "SnapshotRequest",
    "WrittenSnapshot",
    "claims",
    "write_shard",
    "write_snapshot",
]

DEFAULT_FORMATS = ("csv", "json")
DEFAULT_SHARD_ROWS = 1_048_576
GENERATOR_NAME = "enterprise-synthetic-data-hub"
MANIFEST_NAME = f"snapshot_manifest_{DATASET_SLUG}.json"
README_NAME = f"README_SNAPSHOT_{DATASET_SLUG.upper()}.md"
DATASET_NAME = f"dataset_{DATASET_SLUG}.json"
METADATA_NAME = f"metadata_{DATASET_SLUG}.json"
_SECTIONS = ".sections"  # within the staging folder, gone before the commit

Progress = Callable[[int], None]
Gate = Callable[[Stats], Gates]  # raises ValueError for counts that no snapshot has


class SnapshotRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot is asked to hold; the same request gives the same bytes.

    `entities` are singular or plural names, `formats` out of csv, json, ndjson and parquet; both are put
    into their fixed order. `shard_rows` is a multiple of 65,536.

    Raises RequestError or ExportError for what can't be.
    """

    records: int = DEFAULT_RECORDS
    seed: int = DEFAULT_SEED
    randomized: bool = False
    entities: tuple[str, ...] = tuple(entity.plural for entity in ENTITIES)
    formats: tuple[str, ...] = DEFAULT_FORMATS
    shard_rows: int = DEFAULT_SHARD_ROWS

    def __post_init__(self) -> None:
        check_records(self.records)
        check_seed(self.seed)
        wanted = {entity_named(name).plural for name in self.entities}
        unknown = sorted(set(self.formats) - set(FORMATS))
        if unknown:
            raise ExportError(f"{unknown[0]!r} is no output format; known are {', '.join(FORMATS)}")
        if not wanted or not self.formats:
            raise ExportError("a snapshot needs at least one entity and one output format")
        if self.shard_rows < BLOCK_RECORDS or self.shard_rows % BLOCK_RECORDS:
            nearest = max(1, round(self.shard_rows / BLOCK_RECORDS)) * BLOCK_RECORDS
            raise ExportError(
                f"shard rows {self.shard_rows} is not a positive multiple of {BLOCK_RECORDS}; the nearest is {nearest}"
            )
        force = msgspec.structs.force_setattr
        force(self, "entities", tuple(entity.plural for entity in ENTITIES if entity.plural in wanted))
        force(self, "formats", tuple(name for name in FORMATS if name in self.formats))

    @classmethod
    def of(cls, manifest: Manifest) -> "SnapshotRequest":
        """Return the request that a manifest answers, from its own claims.

        Raises RequestError or ExportError when they are of no request.
        """
        return cls(
            records=manifest.records_requested,
            seed=manifest.seed,
            randomized=manifest.randomized,
            entities=tuple(manifest.record_counts),
            formats=tuple(
                name
                for name in FORMATS
                for label in manifest.files
                if label.endswith(f"_{name}") and not label.startswith("metadata")
            ),
            shard_rows=next(
                (
                    listed.rows
                    for path, listed in manifest.checksums.items()
                    if "/part-00000." in path and listed.rows
                ),
                max(DEFAULT_SHARD_ROWS, -(-manifest.records_requested // BLOCK_RECORDS) * BLOCK_RECORDS),
            ),
        )

    @property
    def chosen(self) -> tuple[Entity, ...]:
        """The entities that were asked for."""
        return tuple(entity for entity in ENTITIES if entity.plural in self.entities)

    @property
    def sharded(self) -> bool:
        """Whether a per-entity file becomes a folder of parts."""
        return self.records > self.shard_rows

    def shards(self) -> Iterator["Shard"]:
        """Yield the shards of the snapshot in order."""
        for number, start in enumerate(range(0, self.records, self.shard_rows)):
            yield Shard(number, start, min(self.shard_rows, self.records - start))

    def path(self, entity: Entity, name: str, number: int) -> str:
        """Return the relative path of a shard of an entity in a format."""
        whole = f"{entity.plural}_{DATASET_SLUG}.{name}"
        if name == json.EXTENSION:
            return f"{_SECTIONS}/{entity.plural}-{number:05}.json"
        return f"{whole}/part-{number:05}.{name}" if self.sharded else whole

    def tables(self) -> dict[str, int]:
        """Return the relative path of every table, or part of one, to its rows."""
        return {
            self.path(entity, name, shard.number): shard.count
            for name in self.formats
            if name != json.EXTENSION
            for entity in self.chosen
            for shard in self.shards()
        }

    def files(self) -> dict[str, str]:
        """Return label to name of the files (or folders of parts) that people look for."""
        tables = [name for name in self.formats if name != json.EXTENSION]
        files = {
            f"{e.plural}_{name}": f"{e.plural}_{DATASET_SLUG}.{name}" for name in tables for e in self.chosen
        }
        if json.EXTENSION in self.formats:
            files |= {"dataset_json": DATASET_NAME, "metadata_json": METADATA_NAME}
        files |= {label: module.NAME for label, module in DESCRIPTORS.items()}
        return files | {"readme": README_NAME}


class Shard(msgspec.Struct, frozen=True):
    """A range of whole blocks: records `start` to `start + count - 1`."""

    number: int
    start: int
    count: int


class ShardReport(msgspec.Struct, frozen=True):
    """What came of a shard; reports merge in the order of their shards."""

    files: dict[str, ListedFile]
    blocks: dict[str, list[bytes]]
    stats: Stats


class WrittenSnapshot(msgspec.Struct, frozen=True):
    """The snapshot that now stands in the folder, and whether this run wrote it."""

    folder: Path
    manifest: Manifest
    written: bool


def write_shard(
    request: SnapshotRequest, shard: Shard, staging: Path, progress: Progress | None = None
) -> ShardReport:
    """Write the files of one shard below the staging folder; one block is in memory at a time.

    A pure function of request and shard, so that shards may be written anywhere and in any order.
    `progress` is called with the number of records of each finished block.
    """
    blocks: dict[str, list[bytes]] = {entity.plural: [] for entity in request.chosen}
    stats: Stats = {entity.plural: {each.name: {} for each in entity.statistics} for entity in request.chosen}
    with ExitStack() as stack:
        files = {
            request.path(entity, name, shard.number): (name, entity)
            for name in request.formats
            for entity in request.chosen
        }
        sinks = {path: stack.enter_context(HashedFile(staging / path)) for path in files}
        writers = [
            FORMATS[name].Writer(sinks[path], entity, seed=request.seed)
            for path, (name, entity) in files.items()
        ]
        for start in range(shard.start, shard.start + shard.count, BLOCK_RECORDS):
            count = min(BLOCK_RECORDS, shard.start + shard.count - start)
            # In a function of its own, so that a block is gone before the next one is made.
            digests, counts = _write_block(request, start, count, writers)
            # Arrow keeps what it frees; over hundreds of blocks of other lengths that would grow.
            pa.default_memory_pool().release_unused()
            for entity in request.chosen:
                blocks[entity.plural].append(digests[entity.plural])
                kept, more = stats[entity.plural], counts[entity.plural]
                stats[entity.plural] = {name: merge([kept[name], more[name]]) for name in kept}
            if progress is not None:
                progress(count)
        for writer in writers:
            writer.close()
    return ShardReport({path: sink.listed(shard.count) for path, sink in sinks.items()}, blocks, stats)


def _write_block(
    request: SnapshotRequest, start: int, count: int, writers: list[Writer]
) -> tuple[dict[str, bytes], Stats]:
    """Write one block to every writer; return its digest and its statistics, an entity each."""
    block = BlockArrays(generate_columns(start, count, request.seed, entities=request.entities))
    for writer in writers:
        writer.write(block)
    digests = {entity.plural: block_digest(block.digests(entity)) for entity in request.chosen}
    counts = {
        entity.plural: {
            each.name: each.count(block.columns[entity.plural][each.field]) for each in entity.statistics
        }
        for entity in request.chosen
    }
    return digests, counts


def _merged(request: SnapshotRequest, reports: list[ShardReport]) -> tuple[dict[str, str], Stats]:
    """Return the content digests and the statistics of all shards."""
    content = {
        entity.plural: entity_digest(digest for report in reports for digest in report.blocks[entity.plural])
        for entity in request.chosen
    }
    stats = {
        entity.plural: {
            each.name: merge(report.stats[entity.plural][each.name] for report in reports)
            for each in entity.statistics
        }
        for entity in request.chosen
    }
    return content, stats


def _write(path: Path, data: bytes) -> None:
    with HashedFile(path) as file:
        file.write(data)


def claims(request: SnapshotRequest, content: dict[str, str], stats: Stats, gates: Gates | None) -> Manifest:
    """Return the manifest of a snapshot but for its checksums."""
    return Manifest(
        manifest_version=MANIFEST_VERSION,
        dataset_version=DATASET_VERSION,
        generated_at=GENERATED_AT,
        seed=request.seed,
        randomized=request.randomized,
        records_requested=request.records,
        synthetic_source=SYNTHETIC_SOURCE,
        generator=Generator(GENERATOR_NAME, version("esdh-export")),
        plan_sha256=plan_sha256(),
        plan={
            k: v for k, v in field_hashes().items() if k.partition(".")[0] in {e.name for e in request.chosen}
        },
        record_counts={entity.plural: request.records for entity in request.chosen},
        files=request.files(),
        checksums={},
        content=content,
        stats=stats,
        gates=gates,
        notes=notes_for(request.seed),
    )


def _judged(stats: Stats, gate: Gate | None) -> Gates | None:
    """Return what the gate says of the statistics; raise GateError when it says no."""
    gates = None if gate is None else gate(stats)
    if gates is None or gates.verdict != "failed":
        return gates
    failed, *more = (check for check in gates.checks if not check.passed)
    expected = f"about {failed.expected:.6g} are" if failed.expected else "none is"
    others = f", and {len(more)} more fail" if more else ""
    raise GateError(
        f"{failed.entity} {failed.statistic} don't follow the plan: at {failed.worst!r} {failed.observed} of "
        f"{failed.records} were counted, where {expected} expected (distance {failed.distance:.6g}, "
        f"bound {failed.bound:.6g}, {failed.method}){others}; nothing was written"
    )


def _finish(
    request: SnapshotRequest, reports: list[ShardReport], staging: Path, gate: Gate | None
) -> Manifest:
    """Write what is made from all shards: the JSON document, descriptors, README, SHA256SUMS and the manifest.

    Each is rendered from what stands before it: data files, descriptors, README, and the manifest last.
    Raises GateError when the gate refuses the statistics.
    """
    content, stats = _merged(request, reports)
    gates = _judged(stats, gate)
    tables = {path: listed for report in reports for path, listed in report.files.items()}
    checksums = {path: listed for path, listed in tables.items() if not path.startswith(_SECTIONS)}
    if json.EXTENSION in request.formats:
        metadata = metadata_for(request.records, request.seed, entities=request.chosen)
        sections = {
            entity.plural: [
                staging / request.path(entity, json.EXTENSION, shard.number) for shard in request.shards()
            ]
            for entity in request.chosen
        }
        with HashedFile(staging / DATASET_NAME) as document:
            json.assemble(document, metadata, sections)
        checksums[DATASET_NAME] = document.listed(None)
        for section in (path for shards in sections.values() for path in shards):
            section.unlink()
        (staging / _SECTIONS).rmdir()
        metadata_bytes = json.metadata_document(metadata)
        _write(staging / METADATA_NAME, metadata_bytes)
        checksums[METADATA_NAME] = list_bytes(metadata_bytes)
    unlisted = claims(request, content, stats, gates)
    for name, descriptor in render_descriptors(
        msgspec.structs.replace(unlisted, checksums=checksums)
    ).items():
        _write(staging / name, descriptor)
        checksums[name] = list_bytes(descriptor)
    readme = render_readme(msgspec.structs.replace(unlisted, checksums=checksums))
    _write(staging / README_NAME, readme)
    checksums[README_NAME] = list_bytes(readme)
    manifest = msgspec.structs.replace(unlisted, checksums=checksums)
    encoded = encode_manifest(manifest)
    _write(staging / SUMS_NAME, sha256sums({**checksums, MANIFEST_NAME: list_bytes(encoded)}))
    _write(staging / MANIFEST_NAME, encoded)
    return manifest


def _holds(manifest: Manifest, request: SnapshotRequest, gate: Gate | None) -> bool:
    """Whether a manifest is that of exactly this request, made by this program."""
    try:
        gates = gate(manifest.stats) if gate else None
    except ValueError:  # counts that no gate can judge: an edited manifest, and so another snapshot
        return False
    return (
        msgspec.structs.replace(manifest, checksums={})
        == claims(request, manifest.content, manifest.stats, gates)
        and {path: listed.rows for path, listed in manifest.checksums.items() if listed.rows is not None}
        == request.tables()
    )


def write_snapshot(
    folder: Path,
    request: SnapshotRequest,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    gate: Gate | None = None,
) -> WrittenSnapshot:
    """Write a snapshot into a folder, whole or not at all.

    It is built beside the folder, synced, and takes the folder's name in one rename. A folder that holds
    exactly this snapshot, whole, is left untouched. `progress` is called with the number of records of
    each finished block. `gate` is asked for its verdict on the statistics before anything is committed.

    Raises GateError when the gate refuses; TargetError when the folder holds another snapshot and `overwrite` is not set, holds anything
    that isn't a snapshot's, is a file, can't be written, or is being written by another run; OSError when
    the disk fails. In each case the folder is as it was.
    """
    target = Target(folder)

    def standing() -> tuple[Manifest | None, list[str]]:
        earlier = target.manifest()
        return earlier, target.problems(earlier) if earlier is not None else []

    earlier, problems = (
        standing()
    )  # also refuses a file or somebody's folder before anything is made beside it
    if earlier is not None and not problems and not target.interrupted and _holds(earlier, request, gate):
        return WrittenSnapshot(target.shown, earlier, written=False)
    with target.claimed():
        earlier, problems = standing()  # another run, or the repair of one, may have changed it
        if earlier is not None:
            if not problems and _holds(earlier, request, gate):
                return WrittenSnapshot(target.shown, earlier, written=False)
            if not overwrite:
                damage = f", damaged: {problems[0]}" if problems else ""
                raise TargetError(
                    f"output folder {str(folder)!r} holds another snapshot (seed {earlier.seed}, "
                    f"{earlier.records_requested} records of {', '.join(earlier.record_counts)}{damage}); "
                    "give --overwrite to replace it, or another --output-dir"
                )
        target.staging.mkdir()
        reports = [write_shard(request, shard, target.staging, progress) for shard in request.shards()]
        manifest = _finish(request, reports, target.staging, gate)
        target.take()
    return WrittenSnapshot(target.shown, manifest, written=True)
