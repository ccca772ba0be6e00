"""Reads the rows of a snapshot back, a block at a time, from untrusted files.

Readers share nothing with the writers but the format. A file is never followed out of the folder, never
unpacked before its sizes are known, and never held in memory beyond a block. What can't be read is a
failure that names the row; the rows around it are read all the same.
"""

import csv
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq
from esdh_core import BLOCK_RECORDS, Table
from esdh_export import SnapshotRequest, schema
from esdh_manifest import MANIFEST_NAME_PATTERN, document_name

from esdh_proof.findings import Failure, Findings, first_true, shown
from esdh_proof.pages import measure_pages

__all__ = ["Rows", "manifest_names", "read_blocks", "regular"]

_CHUNK = 1 << 22
_LONGEST_LINE = 4_096  # bytes, on average over a block; a row of JSON has some 500
_LONGEST_VALUE = 256
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"
_EXPECTED = {
    "date": "a date such as 1990-01-31",
    "integer": "an integer such as 2017",
    "string": "a text",
}


@dataclass(slots=True)
class Rows:
    """Rows of a table as one file holds them: a plain Arrow array a field, and the very bytes of a text format.

    `start` is the record that the first of them should be.
    """

    file: str
    start: int
    arrays: dict[str, pa.Array]
    text: bytes | None

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def release(self) -> None:
        """Let go of the values: the reader that made them still holds this object while it waits."""
        self.text = None
        self.arrays.clear()


def regular(folder: Path, path: str) -> bool:
    """Return whether a path below a folder is a file, with no symbolic link on the way."""
    at = folder
    for part in Path(path).parts:
        at /= part
        if at.is_symlink():
            return False
    return at.is_file()


def manifest_names(folder: Path) -> list[str]:
    """Return the names of the manifests in a folder."""
    return sorted(path.name for path in folder.glob(MANIFEST_NAME_PATTERN))


def read_blocks(
    folder: Path,
    request: SnapshotRequest,
    table: Table,
    name: str,
    findings: Findings,
    *,
    restored: Mapping[str, Path] | None = None,
) -> Iterator[Rows | None]:
    """Yield the rows of a table in a format, one item for each block of the snapshot.

    `restored` are copies of some files, by their path below the folder, to be read in their place. None stands for a block that isn't there or can't be read; why stands in the findings.
    """
    read = _READERS[name](request, table, findings)
    if name == "json":  # one file at any size
        parts = [(document_name(request.dataset.dataset_version), _blocks(0, request.records))]
    else:
        parts = [
            (request.path(table, name, shard.number), _blocks(shard.start, shard.count))
            for shard in request.shards()
        ]
    for file, blocks in parts:
        given = 0
        copy = (restored or {}).get(file)
        if copy or regular(folder, file):  # else the check of files has said so
            try:
                for rows in read(copy or folder / file, file, blocks):
                    given += 1
                    yield rows
            # Arrow raises a KeyError for a footer that lacks a column that it was told of.
            except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
                findings.fail("schema", Failure(file=file, found=shown(error), expected=f"readable {name}"))
        yield from [None] * (len(blocks) - given)


_Blocks = list[tuple[int, int]]  # (first record, number of records) of each block of a file
_Read = Callable[[Path, str, _Blocks], Iterator[Rows]]


def _blocks(start: int, count: int) -> _Blocks:
    stop = start + count
    return [(at, min(BLOCK_RECORDS, stop - at)) for at in range(start, stop, BLOCK_RECORDS)]


# --- text --------------------------------------------------------------------------------------------


class _Lines:
    """Lines of bytes `begin` to `end` of a file, some at a time."""

    def __init__(self, file: BinaryIO, begin: int, end: int) -> None:
        file.seek(begin)
        self._file = file
        self._left = end - begin
        self._held = b""

    def take(self, count: int) -> bytes:
        """Return the next `count` lines as they stand, or what is left.

        Raises ValueError when they are far longer than rows can be.
        """
        pieces: list[bytes] = []
        found = size = 0
        while found < count:
            if not self._held:
                self._held = self._file.read(min(_CHUNK, self._left))
                self._left -= len(self._held)
                if not self._held:
                    break
            ends = np.flatnonzero(np.frombuffer(self._held, np.uint8) == ord("\n"))
            if found + len(ends) >= count:
                cut = int(ends[count - found - 1]) + 1
                pieces.append(self._held[:cut])
                self._held = self._held[cut:]
                break
            found += len(ends)
            size += len(self._held)
            pieces.append(self._held)
            self._held = b""
            if size > _CHUNK + count * _LONGEST_LINE:
                raise ValueError(f"{found} lines take more than {size} bytes, which no rows of a snapshot do")
        return b"".join(pieces)

    def rest(self) -> int:
        """Return how many lines are left, a last one without a line end included."""
        count, last = 0, b"\n"
        while data := self._held or self._file.read(min(_CHUNK, self._left)):
            self._left -= 0 if self._held else len(data)
            self._held = b""
            count += data.count(b"\n")
            last = data[-1:]
        return count + (last != b"\n")


def _text_blocks(
    parse: "_Parse", table: Table, file: str, lines: _Lines, *, blocks: _Blocks, findings: Findings
) -> Iterator[Rows]:
    """Yield the blocks of a text file as far as there are lines; too few or too many are a failure."""
    rows, wanted = 0, sum(count for _, count in blocks)
    for start, count in blocks:
        if not (data := lines.take(count)):
            break
        block = _from_text(parse, table, file, start=start, data=data, findings=findings)
        del data  # or it would live on here until the next block is asked for
        rows += len(block)
        yield block
    rows += lines.rest()
    if rows != wanted:
        findings.fail("files", Failure(file=file, found=f"{rows} rows of {table.name}", expected=f"{wanted}"))


def _csv(request: SnapshotRequest, table: Table, findings: Findings) -> _Read:  # noqa: ARG001 - the same in every format
    header = ",".join(table.fields).encode() + b"\n"

    def read(path: Path, name: str, blocks: _Blocks) -> Iterator[Rows]:
        with path.open("rb") as file:
            found = file.read(len(header))
            if found != header:
                raise ValueError(f"the header is {found!r}, where {header!r} is expected")
            lines = _Lines(file, len(header), path.stat().st_size)
            yield from _text_blocks(_parse_csv, table, name, lines, blocks=blocks, findings=findings)

    return read


def _ndjson(request: SnapshotRequest, table: Table, findings: Findings) -> _Read:  # noqa: ARG001 - the same in every format
    def read(path: Path, name: str, blocks: _Blocks) -> Iterator[Rows]:
        with path.open("rb") as file:
            lines = _Lines(file, 0, path.stat().st_size)
            yield from _text_blocks(_parse_json, table, name, lines, blocks=blocks, findings=findings)

    return read


def _document(request: SnapshotRequest, table: Table, findings: Findings) -> _Read:
    """Return a reader of the JSON document, which holds one section of lines a table."""

    def read(path: Path, name: str, blocks: _Blocks) -> Iterator[Rows]:
        begin, end = _section(path, request, table)
        with path.open("rb") as file:
            lines = _Lines(file, begin, end)
            yield from _text_blocks(_parse_json, table, name, lines, blocks=blocks, findings=findings)

    return read


def _section(path: Path, request: SnapshotRequest, table: Table) -> tuple[int, int]:
    """Return where the lines of a table begin and end in the JSON document; ValueError when they aren't found.

    No row holds a raw line end, so what stands between sections can't be mistaken.
    """
    rows = {each.name: request.records for each in request.tables}
    metadata = msgspec.json.encode(request.dataset.metadata(rows, request.seed))
    names = [each.name for each in request.tables]
    at = names.index(table.name)
    opening = b'{"metadata":' + metadata + b',"' + names[0].encode() + b'":[\n'
    needles = [b'],"' + name.encode() + b'":[\n' for name in names[1:]] + [b"]}\n"]
    with path.open("rb") as file:
        found = file.read(len(opening))
        if found != opening:
            raise ValueError(f"the document begins {shown(found)}, where {shown(opening)} is expected")
        begin = len(opening)
        for needle in needles[: at + 1]:
            previous, begin = begin, _find(file, begin, needle)
            end = begin - len(needle)
    return previous, end


def _find(file: BinaryIO, begin: int, needle: bytes) -> int:
    """Return the position after a line that equals `needle`, which begins at or after `begin`."""
    file.seek(begin)
    held, at = b"\n", begin - 1  # a line begins after a line end
    needle = b"\n" + needle
    while chunk := file.read(_CHUNK):
        held += chunk
        if (found := held.find(needle)) >= 0:
            return at + found + len(needle)
        at += max(0, len(held) - len(needle))
        held = held[-len(needle) :]
    raise ValueError(f"the document has no line {needle[1:-1].decode()!r} after byte {begin}")


_Parsed = dict[str, pa.Array]
_Parse = Callable[[Table, bytes], _Parsed | None]


def _from_text(
    parse: _Parse, table: Table, file: str, *, start: int, data: bytes, findings: Findings
) -> Rows:
    """Return some lines as rows; a line or a value that can't be read is a failure and becomes nulls."""
    number = data.count(b"\n") + (not data.endswith(b"\n"))

    def fail(row: int, field: str | None, found: object, expected: str) -> None:
        failure = Failure(file=file, row=start + row, field=field, found=shown(found), expected=expected)
        findings.fail("schema", failure)

    parsed = parse(table, data)
    if parsed is None or any(len(values) != number for values in parsed.values()):
        slow = _csv_rows if parse is _parse_csv else _json_rows
        rows = list(slow(table, data.removesuffix(b"\n").split(b"\n"), fail))
        parsed = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in table.fields}
    target = schema(table)
    arrays = {
        name: _typed(values, target.field(name).type, lambda row, *rest, name=name: fail(row, name, *rest))
        for name, values in parsed.items()
    }
    return Rows(file, start, arrays, data)


def _typed(values: pa.Array, kind: pa.DataType, fail: Callable[[int, object, str], None]) -> pa.Array:
    """Return texts as dates or integers, in the one spelling that a snapshot has; null for any other."""
    if values.type == kind:
        return values
    pattern, word = (_DATE, "date") if pa.types.is_date(kind) else (_INTEGER, "integer")
    wrong = pc.invert(pc.fill_null(pc.match_substring_regex(values, pattern), True))
    if (row := first_true(wrong.to_numpy(zero_copy_only=False))) is not None:
        fail(row, values[row].as_py(), _EXPECTED[word])
        values = pc.if_else(wrong, None, values)
    try:
        return values.cast(kind)
    except pa.ArrowInvalid:  # 2023-02-30 has the form of a date
        kept: list[dt.date | None] = []
        for row, text in enumerate(values.to_pylist()):
            try:
                kept.append(None if text is None else dt.date.fromisoformat(text))
            except ValueError:
                fail(row, text, _EXPECTED[word])
                kept.append(None)
        return pa.array(kept, kind)


def _parse_csv(table: Table, data: bytes) -> _Parsed | None:
    """Return lines of CSV as arrays of text, None when a line isn't a row."""
    try:
        read = pa_csv.read_csv(
            pa.BufferReader(data),
            read_options=pa_csv.ReadOptions(
                column_names=table.fields, use_threads=False, block_size=len(data) + 1
            ),
            parse_options=pa_csv.ParseOptions(ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(table.fields, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return {name: read.column(name).combine_chunks() for name in table.fields}


def _csv_rows(
    table: Table, lines: list[bytes], fail: Callable[[int, str | None, object, str], None]
) -> Iterator[dict[str, str | None]]:
    """Yield each line as a row of texts, telling of those that aren't rows."""
    for number, line in enumerate(lines):
        try:
            cells = next(csv.reader([line.decode()], strict=True), [])
        except (UnicodeDecodeError, csv.Error) as error:
            fail(number, None, line, f"a row of CSV in UTF-8 ({error})")
            yield {}
            continue
        if len(cells) != len(table.fields):
            fail(number, None, f"{len(cells)} fields: {line.decode()}", f"{len(table.fields)} fields")
        yield {name: cell or None for name, cell in zip(table.fields, cells, strict=False)}


def _parse_json(table: Table, data: bytes) -> _Parsed | None:
    """Return lines of JSON objects as arrays, dates as texts; None when a line isn't a row.

    A comma after an object, as in the JSON document, is passed over.
    """
    if b"[" in data or data.count(b"{") != data.count(b"\n"):
        return None  # rows are flat; Arrow's parser calls itself for each level of nesting
    target = schema(table)
    fields = [
        pa.field(each.name, pa.int64() if pa.types.is_integer(each.type) else pa.string()) for each in target
    ]
    if b"},\n" in data:
        data = data.replace(b"},\n", b"}\n")
    try:
        read = pa_json.read_json(
            pa.BufferReader(data),
            read_options=pa_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pa_json.ParseOptions(
                explicit_schema=pa.schema(fields), unexpected_field_behavior="error"
            ),
        )
        read.validate(full=True)  # the parser takes bytes that are no UTF-8
    except pa.ArrowInvalid:
        return None
    return {name: read.column(name).combine_chunks() for name in table.fields}


def _json_rows(
    table: Table, lines: list[bytes], fail: Callable[[int, str | None, object, str], None]
) -> Iterator[dict[str, str | None]]:
    """Yield each line as a row of texts, telling of those that aren't rows."""
    target = schema(table)
    for number, line in enumerate(lines):
        try:
            row: Any = msgspec.json.decode(line.removesuffix(b","))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            fail(number, None, line, f"a JSON object ({error})")
            yield {}
            continue
        if not isinstance(row, dict) or tuple(row) != table.fields:
            fail(number, None, line, f"an object with the keys {', '.join(table.fields)} in this order")
        kept: dict[str, str | None] = {}
        for name, value in row.items() if isinstance(row, dict) else ():
            if name not in table.fields or value is None:
                continue
            kind = int if pa.types.is_integer(target.field(name).type) else str
            if type(value) is kind:
                kept[name] = str(value)
            else:
                fail(
                    number, name, msgspec.json.encode(value).decode(), "a number" if kind is int else "a text"
                )
        yield kept


# --- Parquet -----------------------------------------------------------------------------------------


def _parquet(request: SnapshotRequest, table: Table, findings: Findings) -> _Read:  # noqa: ARG001 - the same in every format
    target = schema(table)
    texts = [field.name for field in target if pa.types.is_string(field.type)]

    def read(path: Path, name: str, blocks: _Blocks) -> Iterator[Rows]:
        metadata = pq.read_metadata(path)
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        pages = measure_pages(path, metadata)
        # Dictionaries are kept: a small page can name a long value many times.
        kept = [text for text in texts if text in pages.dictionaries]
        with pq.ParquetFile(path, metadata=metadata, read_dictionary=kept, pre_buffer=False) as file:
            _parquet_schema(file.schema_arrow, target, name, findings)
            if file.schema_arrow.names != target.names:
                return
            wanted = [count for _, count in blocks]
            if sum(sizes) != sum(wanted):
                failure = Failure(file=name, found=f"{sum(sizes)} rows", expected=f"{sum(wanted)} rows")
                findings.fail("files", failure)
            if sizes != wanted:
                expected = f"row groups of one block: {shown(wanted)} rows"
                findings.fail("schema", Failure(file=name, found=f"{shown(sizes)} rows", expected=expected))
            if any(size > BLOCK_RECORDS for size in sizes):
                return  # too large to be held in memory
            if pages.problem is not None:
                failure = Failure(file=name, found=pages.problem, expected="pages no larger than their rows")
                findings.fail("schema", failure)
                return
            for group, (start, _) in zip(range(len(sizes)), blocks, strict=False):
                arrays = {}
                for field, column in zip(target, file.read_row_group(group).columns, strict=True):
                    arrays[field.name] = _decode_dictionary(column, field.type)
                yield Rows(name, start, arrays, None)

    return read


def _parquet_schema(found: pa.Schema, target: pa.Schema, file: str, findings: Findings) -> None:
    for number, field in enumerate(target):
        other = found.field(number) if number < len(found) else None
        kind = other.type.value_type if other and pa.types.is_dictionary(other.type) else other and other.type
        told = f"{other.name}: {kind}{'' if other.nullable else ' not null'}" if other else None
        expected = f"{field.name}: {field.type}{'' if field.nullable else ' not null'}"
        findings.expect("schema", file, field.name, told, expected)
    if len(found) > len(target):
        extra = ", ".join(found.names[len(target) :])
        findings.fail("schema", Failure(file=file, found=f"also {extra}", expected=f"{len(target)} columns"))


def _decode_dictionary(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """Return a column of a row group as one plain array.

    Raises ValueError when a value is longer than any that a snapshot has, or is no UTF-8.
    """
    if pa.types.is_dictionary(column.type):
        for chunk in column.chunks:
            longest = pc.max(pc.binary_length(chunk.dictionary)).as_py()
            if longest is not None and longest > _LONGEST_VALUE:
                raise ValueError(f"a value takes {longest} bytes, where {_LONGEST_VALUE} are the most")
    plain = column.cast(kind).combine_chunks()
    plain.validate(full=True)
    return plain


_READERS: dict[str, Callable[[SnapshotRequest, Table, Findings], _Read]] = {
    "csv": _csv,
    "ndjson": _ndjson,
    "json": _document,
    "parquet": _parquet,
}
