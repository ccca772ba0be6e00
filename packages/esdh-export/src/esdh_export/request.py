"""What a snapshot is asked to hold, the paths of its files, and the shards that its work is cut into."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from esdh_core import (
    BLOCK_RECORDS,
    DEFAULT_DATASET,
    DEFAULT_RECORDS,
    DEFAULT_SEED,
    Dataset,
    RequestError,
    Table,
    check_seed,
)
from esdh_core.overlay import LABELS, FileShape, Overlay, defective_rows
from esdh_manifest import (
    Manifest,
    document_name,
    metadata_name,
    overlay_name,
    readme_name,
    recipe_name,
    table_name,
)
from msgspec import UNSET

from esdh_export.descriptors import DESCRIPTORS
from esdh_export.errors import ExportError
from esdh_export.formats import FORMATS, json, parquet

__all__ = ["DEFAULT_FORMATS", "Shard", "SnapshotRequest"]

DEFAULT_FORMATS = ("csv", "json")
_PARQUET = parquet.EXTENSION


class SnapshotRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot is asked to hold; the same request gives the same bytes.

    `entities` are names of tables (all, when empty), `formats` out of csv, json, ndjson and parquet; both are put
    into their fixed order. `shard_rows` is a multiple of 65,536; the dataset has a default. With `defects` some cells are
    wrong, and the table of labels says which.

    Raises RequestError or ExportError for what can't be.
    """

    dataset: Dataset = DEFAULT_DATASET
    records: int = DEFAULT_RECORDS
    seed: int = DEFAULT_SEED
    randomized: bool = False
    entities: tuple[str, ...] = ()
    formats: tuple[str, ...] = DEFAULT_FORMATS
    shard_rows: int = 0
    defects: Overlay | None = None

    def __post_init__(self) -> None:
        force = msgspec.structs.force_setattr
        force(self, "records", self.dataset.check_records(self.records))
        force(self, "seed", check_seed(self.seed))
        unknown = sorted(set(self.formats) - set(FORMATS))
        if unknown:
            raise ExportError(f"{unknown[0]!r} is no output format; known are {', '.join(FORMATS)}")
        if not self.formats:
            raise ExportError("a snapshot needs at least one output format")
        shard_rows = self.shard_rows or self.dataset.default_shard_rows
        if shard_rows < BLOCK_RECORDS or shard_rows % BLOCK_RECORDS:
            nearest = max(1, round(shard_rows / BLOCK_RECORDS)) * BLOCK_RECORDS
            raise ExportError(
                f"shard rows {shard_rows} is not a positive multiple of {BLOCK_RECORDS}; the nearest is {nearest}"
            )
        force(self, "shard_rows", shard_rows)
        force(self, "entities", tuple(table.name for table in self.dataset.select(self.entities)))
        force(self, "formats", tuple(name for name in FORMATS if name in self.formats))
        self._check_defects()

    def _check_defects(self) -> None:
        if self.defects is None:
            return
        if self.defects.dataset is not self.dataset:
            version = self.defects.dataset.dataset_version
            raise ExportError(f"the defects are of {version}, not of {self.dataset.dataset_version}")
        for defect in self.defects.defects:
            if (
                (defect.needs_text or defect.is_of_files)
                and defect.table in self.dataset.select(self.entities)
                and _PARQUET in self.formats
            ):
                why = (
                    "writes text where a type is due, which Parquet can't hold"
                    if defect.needs_text
                    else "is of text formats, and Parquet is none"
                )
                raise ExportError(f"{defect.key} {why}; leave out the format parquet, or the defect")

    def check_places(self) -> None:
        """Raise RequestError where a defect has fewer places in the rows than it is to have, and where a file has no row to end in."""
        if self.defects is None:
            return
        self.defects.check_places(self.tables, self.records, self.seed)
        *_, last = self.shards()
        for table in self.dataset.select(self.entities):
            if self.defects.shape(table, self.seed).ends_early and not self._has_rows(table, last):
                part = "the last part of its file" if self.sharded and not table.is_fixed else "its file"
                raise RequestError(
                    f"{table.name}!truncated_file is for a file that ends in its last row, and {part} has no row; ask for other "
                    "records, or leave out the defect"
                )

    def _has_rows(self, table: Table, shard: "Shard") -> bool:
        """Return whether a table has rows in a shard, or, if it is fixed, in its file."""
        step = table.block_records
        starts = [0] if table.is_fixed else range(shard.start, shard.start + shard.count, step)
        for start in reversed(starts):
            count = 0 if table.is_fixed else min(step, shard.start + shard.count - start)
            block = self.dataset.block_of(table, self.dataset.block(start, count, self.seed))
            rows = defective_rows(self.defects, table, block)
            if len(next(iter(rows.edits.written(rows.columns).values()))):
                return True
        return False

    @classmethod
    def of(cls, manifest: Manifest, dataset: Dataset, defects: Overlay | None = None) -> "SnapshotRequest":
        """Return the request that a manifest of a dataset, and of the defects it has, answers, from its own claims.

        Raises RequestError or ExportError when they are of no request.
        """
        return cls(
            dataset=dataset,
            records=manifest.records_requested,
            seed=manifest.seed,
            randomized=manifest.randomized,
            entities=tuple(name for name in manifest.record_counts if defects is None or name != LABELS.name),
            defects=defects,
            formats=tuple(
                name
                for name in FORMATS
                for label in manifest.files
                if label.endswith(f"_{name}") and not label.startswith("metadata")
            ),
            shard_rows=manifest.shard_rows
            if manifest.shard_rows is not UNSET
            else next(
                (
                    entry.rows
                    for path, entry in manifest.checksums.items()
                    if "/part-00000." in path and entry.rows
                ),
                max(
                    dataset.default_shard_rows,
                    -(-manifest.records_requested // BLOCK_RECORDS) * BLOCK_RECORDS,
                ),
            ),
        )

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables that were asked for and, with defects, that of their labels."""
        own = self.dataset.select(self.entities)
        return own if self.defects is None else (*own, LABELS)

    def metadata(self, rows: Mapping[str, int]) -> Any:
        """Return what the JSON document says of its rows, which `rows` counts by table; of labels it says nothing."""
        counts = {table: count for table, count in rows.items() if table != LABELS.name}
        return self.dataset.metadata(counts, self.seed)

    def written(self, table: Table) -> Table:
        """Return a table as files hold it, whose fields may be null where a defect may write one."""
        return table if self.defects is None else self.defects.written(table)

    def shape(self, table: Table, shard: "Shard") -> FileShape:
        """Return how the file that a shard writes of a table differs from what its schema says."""
        if self.defects is None or table is LABELS:
            return FileShape()
        shape = self.defects.shape(table, self.seed)
        last = shard.fixed or shard.start + shard.count == self.records
        return shape if last else shape._replace(ends_early=False)

    def one_a_record(self, table: Table) -> bool:
        """Return whether the files have exactly one row of a table for each record."""
        return table.one_a_record and (self.defects is None or not self.defects.moves_rows(table))

    @property
    def sharded(self) -> bool:
        """Whether a table's file becomes a folder of parts."""
        return self.records > self.shard_rows

    def shards(self) -> Iterator["Shard"]:
        """Yield the shards of the snapshot in order: one of the fixed tables, then those of the records."""
        if any(table.is_fixed for table in self.tables):
            yield Shard(0, 0, 0, fixed=True)
        if self._all_fixed:
            return
        for number, start in enumerate(range(0, self.records, self.shard_rows)):
            yield Shard(number, start, min(self.shard_rows, self.records - start))

    def path(self, table: Table, name: str, number: int) -> str:
        """Return the relative path of a shard of a table in a format that has a file for each."""
        path = table_name(table.name, self.dataset.dataset_version, name)
        return f"{path}/part-{number:05}.{name}" if self.sharded and not table.is_fixed else path

    def part_folders(self) -> list[str]:
        """Return the relative path of every folder of parts."""
        return [
            table_name(table.name, self.dataset.dataset_version, name)
            for name in self.formats
            if name != json.EXTENSION and self.sharded
            for table in self.tables
            if not table.is_fixed
        ]

    def tables_of(self, shard: "Shard") -> tuple[Table, ...]:
        """Return the tables whose rows a shard makes."""
        labels = (LABELS,) if self.defects is not None and self.holds_labels(shard) else ()
        return (*self.data_tables(shard), *labels)

    def data_tables(self, shard: "Shard") -> tuple[Table, ...]:
        """Return the tables of the dataset whose rows a shard makes."""
        return tuple(table for table in self.dataset.select(self.entities) if table.is_fixed == shard.fixed)

    def has_blocks(self, shard: "Shard") -> bool:
        """Return whether a table has several blocks in a shard."""
        return shard.count > min(table.block_records for table in self.tables_of(shard))

    def holds_labels(self, shard: "Shard") -> bool:
        """Return whether a shard is one of those that hold labels: those of records, where there are any."""
        return shard.fixed == self._all_fixed

    @property
    def _all_fixed(self) -> bool:
        return all(table.is_fixed for table in self.dataset.select(self.entities))

    def shard_files(self, shard: "Shard") -> dict[str, tuple[str, Table]]:
        """Return the relative path of each file that a shard gives the snapshot, to its format and table."""
        return {
            self.path(table, name, shard.number): (name, table)
            for name in self.formats
            if name != json.EXTENSION
            for table in self.tables_of(shard)
        }

    def json_fragments(self, shard: "Shard") -> dict[str, Table]:
        """Return the name of each file that a shard gives the JSON document, to its table."""
        if json.EXTENSION not in self.formats:
            return {}
        return {f"{table.name}-{shard.number:05}.json": table for table in self.tables_of(shard)}

    def is_table(self, path: str) -> bool:
        """Return whether a relative path is that of a table's file, or of a part of one."""
        return any(path in self.shard_files(shard) for shard in self.shards())

    def row_counts(self) -> dict[str, int]:
        """Return the relative path of every file of a table that has one row a record, or of its parts, to its rows."""
        return {
            path: shard.count
            for shard in self.shards()
            for path, (_, table) in self.shard_files(shard).items()
            if self.one_a_record(table)
        }

    def counts_fit(self, manifest: Manifest) -> bool:
        """Return whether a manifest counts the rows of each table and of each file as this request's can be.

        Where every record has one row of a table the number is known; else the files must add up to the table.
        """
        counted = {path: entry.rows for path, entry in manifest.checksums.items() if entry.rows is not None}
        sums: dict[tuple[str, str], int] = {}
        paths = set()
        for shard in self.shards():
            for path, (name, table) in self.shard_files(shard).items():
                rows = counted.get(path)
                if rows is None or (self.one_a_record(table) and rows != shard.count):
                    return False
                paths.add(path)
                sums[name, table.name] = sums.get((name, table.name), 0) + rows
        counts = manifest.record_counts
        return (
            paths == set(counted)
            and all(rows == counts[table] for (_, table), rows in sums.items())
            and all(counts[table.name] == self.records for table in self.tables if self.one_a_record(table))
        )

    def files(self) -> dict[str, str]:
        """Return label to name of the files (or folders of parts) that people look for."""
        dataset_version = self.dataset.dataset_version
        files = {
            f"{table.name}_{name}": table_name(table.name, dataset_version, name)
            for name in self.formats
            if name != json.EXTENSION
            for table in self.tables
        }
        if json.EXTENSION in self.formats:
            files |= {
                "dataset_json": document_name(dataset_version),
                "metadata_json": metadata_name(dataset_version),
            }
        if self.dataset.recipe is not None:
            files["plan"] = recipe_name(dataset_version)
        if self.defects is not None:
            files["overlay"] = overlay_name(dataset_version)
        files |= {label: module.NAME for label, module in DESCRIPTORS.items()}
        return files | {"readme": readme_name(dataset_version)}


class Shard(msgspec.Struct, frozen=True):
    """A range of whole blocks, records `start` to `start + count - 1`; or every row of the fixed tables."""

    number: int
    start: int
    count: int
    fixed: bool = False

    @property
    def name(self) -> str:
        """A name that no other shard of the snapshot has."""
        return "fixed" if self.fixed else f"{self.number:05}"
