"""What a snapshot is asked to hold, the names of its files, and the shards that its work is cut into."""

from collections.abc import Iterator

import msgspec
from esdh_core import (
    BLOCK_RECORDS,
    DATASET_SLUG,
    DEFAULT_RECORDS,
    DEFAULT_SEED,
    ENTITIES,
    check_records,
    check_seed,
    entity_named,
)
from esdh_core.rules import Entity
from esdh_manifest import Manifest

from esdh_export.descriptors import DESCRIPTORS
from esdh_export.errors import ExportError
from esdh_export.formats import FORMATS, json

__all__ = [
    "DATASET_NAME",
    "DEFAULT_FORMATS",
    "DEFAULT_SHARD_ROWS",
    "MANIFEST_NAME",
    "METADATA_NAME",
    "README_NAME",
    "Shard",
    "SnapshotRequest",
]

DEFAULT_FORMATS = ("csv", "json")
DEFAULT_SHARD_ROWS = 1_048_576
MANIFEST_NAME = f"snapshot_manifest_{DATASET_SLUG}.json"
README_NAME = f"README_SNAPSHOT_{DATASET_SLUG.upper()}.md"
DATASET_NAME = f"dataset_{DATASET_SLUG}.json"
METADATA_NAME = f"metadata_{DATASET_SLUG}.json"


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
        records, seed = check_records(self.records), check_seed(self.seed)
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
        force(self, "records", records)
        force(self, "seed", seed)
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
        """Return the relative path of a shard of an entity in a format that has a file for each."""
        whole = f"{entity.plural}_{DATASET_SLUG}.{name}"
        return f"{whole}/part-{number:05}.{name}" if self.sharded else whole

    def parts(self, shard: "Shard") -> dict[str, tuple[str, Entity]]:
        """Return the relative path of each file that a shard gives the snapshot, to its format and entity."""
        return {
            self.path(entity, name, shard.number): (name, entity)
            for name in self.formats
            if name != json.EXTENSION
            for entity in self.chosen
        }

    def sections(self, shard: "Shard") -> dict[str, Entity]:
        """Return the name of each file that a shard gives the JSON document, to its entity."""
        if json.EXTENSION not in self.formats:
            return {}
        return {f"{entity.plural}-{shard.number:05}.json": entity for entity in self.chosen}

    def tables(self) -> dict[str, int]:
        """Return the relative path of every table, or part of one, to its rows."""
        return {path: shard.count for shard in self.shards() for path in self.parts(shard)}

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
