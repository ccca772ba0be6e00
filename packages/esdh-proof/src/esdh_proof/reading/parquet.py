"""Parquet read back: one row group at a time, and none before its pages are known to be no larger than its rows."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from esdh_core import BLOCK_RECORDS, Table
from esdh_export import schema

from esdh_proof.findings import Failure, Findings, display
from esdh_proof.reading.pages import measure_pages
from esdh_proof.reading.rows import FileReader, Rows, Slice, no_rows

__all__ = ["ParquetFile"]


class ParquetFile(FileReader):
    """A Parquet file of a table's rows, whose row groups are the blocks that have rows."""

    def __init__(
        self,
        path: Path,
        name: str,
        table: Table,
        findings: Findings,
        *,
        known: list[int] | None,
        longest: int,
    ) -> None:
        """Open a file; `known` are the rows of its groups where they follow from the request alone."""
        self._name, self._table, self._findings = name, table, findings
        self._longest = longest
        self._target = schema(table)
        self._expected: list[int] = []
        self._known = known
        self._next = self._position = 0
        self._group: dict[str, pa.Array] | None = None
        metadata = pq.read_metadata(path)
        self._sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        pages = measure_pages(path, metadata, longest=longest)
        # Dictionaries are kept: a small page can name a long value many times.
        texts = [field.name for field in self._target if pa.types.is_string(field.type)]
        encoded = [text for text in texts if text in pages.dictionaries]
        self._file = pq.ParquetFile(path, metadata=metadata, read_dictionary=encoded, pre_buffer=False)
        _check_schema(self._file.schema_arrow, self._target, name, findings)
        self._closed = self._file.schema_arrow.names != self._target.names
        if self._closed:
            return
        if known is not None:
            self._check_sizes(known)
            # Too large to be held in memory.
            self._closed = any(size > BLOCK_RECORDS for size in self._sizes)
        if pages.problem is not None and not self._closed:
            failure = Failure(file=name, found=pages.problem, expected="pages no larger than their rows")
            findings.fail("schema", failure)
            self._closed = True

    def take(self, rows: Slice) -> Rows | None:
        """Return the rows that come next.

        Where every record has one row, a row group that has more is looked at whole: its rows say whose they are.
        """
        if rows.block_rows is not None:
            self._begin(rows.block_rows)
        if self._group is None:
            return None
        size = len(next(iter(self._group.values())))
        count = min(rows.size, size - self._position)
        if rows.ends and self._table.one_a_record:
            count = size - self._position
        arrays = {name: values.slice(self._position, count) for name, values in self._group.items()}
        self._position += count
        if rows.ends:
            self._group = None
        return Rows(self._name, rows.start, arrays, None)

    def _begin(self, rows: int) -> None:
        """Read the row group of a block of so many rows."""
        self._group, self._position = None, 0
        if not rows:
            self._group = None if self._closed else no_rows(self._table)
            return
        self._expected.append(rows)
        if self._closed or self._next == len(self._sizes):
            return
        if self._sizes[self._next] > max(BLOCK_RECORDS, rows):  # too large to be held in memory
            self._closed = True
            return
        columns = self._file.read_row_group(self._next).columns
        self._next += 1
        self._group = {
            field.name: self._decode(column, field.type)
            for field, column in zip(self._target, columns, strict=True)
        }

    def finish(self, expected: int, *, whole: bool) -> None:  # noqa: ARG002 - its groups are the rows that were asked for
        """Hold the row groups against those of the blocks that were asked for."""
        if self._known is None and whole and self._file.schema_arrow.names == self._target.names:
            self._check_sizes(self._expected)

    def _check_sizes(self, expected: list[int]) -> None:
        if sum(self._sizes) != sum(expected):
            failure = Failure(
                file=self._name, found=f"{sum(self._sizes)} rows", expected=f"{sum(expected)} rows"
            )
            self._findings.fail("files", failure)
        if self._sizes != expected:
            expected_sizes = f"row groups of one block: {display(expected)} rows"
            self._findings.fail(
                "schema",
                Failure(file=self._name, found=f"{display(self._sizes)} rows", expected=expected_sizes),
            )

    def _decode(self, column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
        """Return a column of a row group as one plain array.

        Raises ValueError when a value is longer than any that a snapshot has, or is no UTF-8.
        """
        if pa.types.is_dictionary(column.type):
            for chunk in column.chunks:
                longest = pc.max(pc.binary_length(chunk.dictionary)).as_py()
                if longest is not None and longest > self._longest:
                    raise ValueError(f"a value takes {longest} bytes, where {self._longest} are the most")
        plain = column.cast(kind).combine_chunks()
        plain.validate(full=True)
        return plain

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _check_schema(found: pa.Schema, target: pa.Schema, file: str, findings: Findings) -> None:
    for number, field in enumerate(target):
        other = found.field(number) if number < len(found) else None
        kind = other.type.value_type if other and pa.types.is_dictionary(other.type) else other and other.type
        label = f"{other.name}: {kind}{'' if other.nullable else ' not null'}" if other else None
        expected = f"{field.name}: {field.type}{'' if field.nullable else ' not null'}"
        findings.expect("schema", file, field.name, label, expected)
    if len(found) > len(target):
        extra = ", ".join(found.names[len(target) :])
        findings.fail("schema", Failure(file=file, found=f"also {extra}", expected=f"{len(target)} columns"))
