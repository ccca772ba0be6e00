"""The rows that a load takes: made from a plan, or read from a snapshot whose checksums hold."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow as pa
from esdh_core import BLOCK_RECORDS, Dataset, Table
from esdh_core.columns import Column
from esdh_export import (
    FORMATS,
    EncodedBlock,
    SnapshotRequest,
    array_digest,
    block_digest,
    entity_digest,
    schema,
)
from esdh_export.encoding.controls import check_texts
from esdh_export.execution.blocks import BlockJoiner, fixed_blocks, record_steps
from esdh_manifest import Manifest, ManifestError, decode_manifest, file_problems
from esdh_proof.datasets import LARGEST_DOCUMENT, dataset_of
from esdh_proof.findings import Findings
from esdh_proof.reading import TableReader, manifest_names, regular
from msgspec import UNSET

from esdh_load.errors import LoadError, SnapshotError

__all__ = ["Chunk", "PlanSource", "SnapshotSource", "Source", "one_ahead"]

T = TypeVar("T")

_CHUNK_ROWS = 1 << 17
"""Rows that are inserted together: so many that a statement's own cost doesn't show, and few enough for any memory."""


class Chunk(NamedTuple):
    """Some rows of some tables: what `records` records have of each, or rows of the fixed tables."""

    records: int
    batches: dict[str, list[pa.RecordBatch]]

    @property
    def rows(self) -> int:
        """The number of rows of all tables."""
        return sum(batch.num_rows for batches in self.batches.values() for batch in batches)


class Source(ABC):
    """The rows of a dataset's tables, and what has come of them: how many there were, and their content digests."""

    def __init__(self, dataset: Dataset, tables: Sequence[Table], *, records: int, seed: int) -> None:
        self.dataset = dataset
        self.tables = tuple(tables)
        self.records = records
        self.seed = seed
        self.rows = {table.name: 0 for table in self.tables}
        self._digests: dict[str, list[bytes]] = {table.name: [] for table in self.tables}

    @property
    def content(self) -> dict[str, str]:
        """The content digest of each table, once all chunks were taken."""
        return {name: entity_digest(digests) for name, digests in self._digests.items()}

    @property
    @abstractmethod
    def expected_rows(self) -> int:
        """The rows of all tables: their exact number where that is known, else the mean of such records."""

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows: of the fixed tables, then record after record, each with all that hangs below it."""
        waiting = Chunk(0, {})
        for records, batches in self._pieces():
            waiting = Chunk(waiting.records + records, waiting.batches)
            for name, batch in batches.items():
                self.rows[name] += batch.num_rows
                if batch.num_rows:
                    waiting.batches.setdefault(name, []).append(batch)
            if waiting.rows >= _CHUNK_ROWS:
                yield waiting
                waiting = Chunk(0, {})
        if waiting.records or waiting.rows:
            yield waiting

    @abstractmethod
    def _pieces(self) -> Iterator[tuple[int, dict[str, pa.RecordBatch]]]:
        """Yield a number of records, and their rows by table."""


class PlanSource(Source):
    """Rows that are made as they are asked for, without a file."""

    def __init__(self, dataset: Dataset, *, records: int, seed: int, entities: Sequence[str] = ()) -> None:
        """Take a dataset; `entities` name its tables, all for none. Raises RequestError for what can't be made."""
        request = SnapshotRequest(dataset=dataset, records=records, seed=seed, entities=tuple(entities))
        super().__init__(dataset, request.tables, records=request.records, seed=request.seed)
        self._request = request
        self._joiner = BlockJoiner(request, [table for table in request.tables if not table.is_fixed])
        self._schemas = {table.name: schema(table) for table in self.tables}

    @property
    def expected_rows(self) -> int:
        """The rows of so many records, by the means of the plan."""
        fixed, drawn = Fraction(0), Fraction(0)
        for table in self.tables:
            if table.is_fixed:
                fixed += table.mean * (table.top.rows or 0)
            else:
                drawn += table.mean
        return round(fixed + self.records * drawn)

    def _pieces(self) -> Iterator[tuple[int, dict[str, pa.RecordBatch]]]:
        request = self._request
        for shard in request.shards():
            tables = request.tables_of(shard)
            if shard.fixed:
                for table in tables:
                    yield from self._fixed(table)
                continue
            for records in record_steps(request, shard):
                block = EncodedBlock({table.name: table.columns(records) for table in tables})
                yield records.count, {table.name: self._batch(table, block) for table in tables}
                self._digest(self._joiner.add(records, block.columns), block)

    def _fixed(self, table: Table) -> Iterator[tuple[int, dict[str, pa.RecordBatch]]]:
        for columns in fixed_blocks(table, self.dataset.block_of(table, self.dataset.block(0, 0, self.seed))):
            block = EncodedBlock({table.name: columns})
            yield 0, {table.name: self._batch(table, block)}
            self._digests[table.name].append(block.digest_of(table))

    def _digest(self, ended: dict[str, dict[str, Column]], block: EncodedBlock) -> None:
        """Digest the blocks that end; one that is the block at hand has its arrays already."""
        for table in (each for each in self.tables if each.name in ended):
            columns = ended[table.name]
            same = all(columns[name] is column for name, column in block.columns[table.name].items())
            whole = block if same else EncodedBlock({table.name: columns})
            self._digests[table.name].append(whole.digest_of(table))

    def _batch(self, table: Table, block: EncodedBlock) -> pa.RecordBatch:
        columns = block.columns[table.name]
        check_texts(table.name, columns)
        arrays = [block.array(columns[name]) for name in table.fields]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schemas[table.name])


class SnapshotSource(Source):
    """Rows that are read from a snapshot's files, in the format of its that reads fastest."""

    def __init__(self, folder: Path, *, entities: Sequence[str] = ()) -> None:
        """Take a snapshot's folder; every listed file is held against its checksum.

        Raises SnapshotError for a folder that holds no snapshot, one with defects, or one that was changed.
        """
        manifest = _manifest(folder)
        if manifest.defects is not UNSET:
            raise SnapshotError(
                f"snapshot {str(folder)!r} isn't clean: rows are wrong on purpose, which keys and checks of a database refuse; load "
                "one that was written without defects"
            )
        for problem in file_problems(folder, manifest):
            raise SnapshotError(f"snapshot {str(folder)!r} doesn't verify: {problem}; nothing was loaded")
        self._folder, self._manifest = folder, manifest
        try:
            dataset = dataset_of(folder, manifest)
            if dataset.dataset_version != manifest.dataset_version:
                raise SnapshotError(
                    f"snapshot {str(folder)!r} is of {manifest.dataset_version}, which this program doesn't know"
                )
            self._request = SnapshotRequest.of(manifest, dataset)
        except LoadError:
            raise
        except ValueError as error:
            raise SnapshotError(f"snapshot {str(folder)!r} can't be read: {error}") from error
        held = [table.name for table in self._request.tables]
        names = [table.name for table in dataset.select(entities or held)]
        if missing := [name for name in names if name not in held]:
            raise SnapshotError(f"snapshot {str(folder)!r} has no {missing[0]}; it has {', '.join(held)}")
        super().__init__(
            dataset, dataset.select(names), records=manifest.records_requested, seed=manifest.seed
        )
        self._format = min(self._request.formats, key=lambda name: FORMATS[name].RANK)
        self._findings = Findings()
        self._parts: dict[str, list[pa.RecordBatch]] = {table.name: [] for table in self.tables}

    @property
    def expected_rows(self) -> int:
        """The rows that the manifest counts."""
        return sum(self._manifest.record_counts[table.name] for table in self.tables)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows; SnapshotError when they aren't those that the manifest lists."""
        yield from super().chunks()
        for name, digest in self.content.items():
            if digest != self._manifest.content[name]:
                raise SnapshotError(
                    f"snapshot {str(self._folder)!r} doesn't verify: {name} has content {digest}, and its manifest says "
                    f"{self._manifest.content[name]}"
                )

    def _pieces(self) -> Iterator[tuple[int, dict[str, pa.RecordBatch]]]:
        for table in (each for each in self.tables if each.is_fixed):
            rows = len(self.dataset.block_of(table, self.dataset.block(0, 0, self.seed)).level(table).slots)
            reader = self._reader(table, rows)
            for start in range(0, rows, BLOCK_RECORDS):
                count = min(BLOCK_RECORDS, rows - start)
                yield 0, {table.name: self._take(reader, table, (start, count), count, ends=True)}
            reader.close()
        tables = [each for each in self.tables if not each.is_fixed]
        readers = {table.name: self._reader(table, None) for table in tables}
        joiner = BlockJoiner(self._request, tables)
        for shard in (each for each in self._request.shards() if tables and not each.fixed):
            for records in record_steps(self._request, shard):
                window = records.start, records.count
                batches = {}
                for table in tables:
                    rows = records.count if table.one_a_record else len(records.level(table).slots)
                    ends = joiner.ends(table, sum(window))
                    batches[table.name] = self._take(readers[table.name], table, window, rows, ends=ends)
                yield records.count, batches
        for reader in readers.values():
            reader.close()

    def _reader(self, table: Table, rows: int | None) -> TableReader:
        counts = {
            each.name: self.records if each.one_a_record else self._manifest.record_counts[each.name]
            for each in self._request.tables
        }
        return TableReader(
            self._folder, self._request, table, self._format, self._findings, counts=counts, rows=rows
        )

    def _take(
        self, reader: TableReader, table: Table, window: tuple[int, int], rows: int, *, ends: bool
    ) -> pa.RecordBatch:
        """Return the next rows of a table, those of a window of records, and digest the block that ends with them."""
        start, records = window
        found = reader.take(start, records, rows)
        failed = next((check.first for check in self._findings.checks() if check.first is not None), None)
        if failed is not None:
            place = f"{failed.file}, record {failed.row}" if failed.row is not None else failed.file
            raise SnapshotError(
                f"snapshot {str(self._folder)!r} doesn't verify: {place}: found {failed.found}, expected {failed.expected}"
            )
        if found is None or len(found) != rows:
            raise SnapshotError(
                f"snapshot {str(self._folder)!r} doesn't verify: {table.name} has {0 if found is None else len(found)} "
                f"rows from record {start} on, where the seed gives {rows}"
            )
        arrays = [found.arrays[name] for name in table.fields]
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema(table))
        parts = self._parts[table.name]
        parts.append(batch)
        if ends:
            whole = pa.Table.from_batches(parts).combine_chunks()
            digests = [
                array_digest(_one(whole.column(field.name)), nullable=field.nullable)
                for field in table.schema
            ]
            self._digests[table.name].append(block_digest(digests if whole.num_rows else []))
            parts.clear()
        return batch


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _manifest(folder: Path) -> Manifest:
    names = manifest_names(folder) if folder.is_dir() else []
    if len(names) != 1:
        found = "is no folder" if not folder.is_dir() else f"has {len(names)} manifests"
        raise SnapshotError(f"{str(folder)!r} {found}; name the folder of a snapshot, which has one manifest")
    if not regular(folder, names[0]) or (folder / names[0]).stat().st_size > LARGEST_DOCUMENT:
        raise SnapshotError(f"{names[0]} in {str(folder)!r} is no manifest's file")
    try:
        return decode_manifest((folder / names[0]).read_bytes())
    except (ManifestError, RecursionError) as error:
        raise SnapshotError(f"{names[0]} in {str(folder)!r} can't be read: {error}") from error


def one_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield what an iterator gives, while a thread has it make the next: NumPy, Arrow and drivers let go of Python's lock."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(next, items, None)
        while (item := future.result()) is not None:
            future = pool.submit(next, items, None)
            yield item
