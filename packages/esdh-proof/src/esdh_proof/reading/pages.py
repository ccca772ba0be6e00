"""The page headers of a Parquet file, read before any page is unpacked.

A page says how large it becomes, and the footer says it again; a file that was made to exhaust memory lies
in either. The headers are walked here (Thrift's compact protocol, as parquet.thrift lays them out in
github.com/apache/parquet-format), so that nothing is unpacked that can't be rows of ours.
"""

from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyarrow.parquet as pq

__all__ = ["Pages", "measure_pages"]

_HEADER = 65_536  # bytes; a page header holds at most two values beside a few numbers
_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3
# Encodings that can't make a value larger than its page: PLAIN, PLAIN_DICTIONARY, RLE, RLE_DICTIONARY.
_ENCODINGS = {0, 2, 3, 8}
_DEPTH = 8

_Fields = dict[int, object]


class _MalformedError(ValueError):
    """Pages that no snapshot has."""


class _Compact:
    """A reader of one Thrift struct in the compact protocol."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise _MalformedError("a page header is cut off")
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        result = shift = 0
        while True:
            byte = self._byte()
            result |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return result
            shift += 7
            if shift > 63:
                raise _MalformedError("a page header holds a number of more than 64 bits")

    def _zigzag(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)

    def struct(self, depth: int = 0) -> _Fields:
        """Return the fields of a struct by their numbers."""
        if depth > _DEPTH:
            raise _MalformedError("a page header is nested too deep")
        fields: _Fields = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._zigzag()
            fields[number] = self._value(kind & 0xF, depth)
        return fields

    def _value(self, kind: int, depth: int) -> object:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 8:
            length = self._varint()
            self.at += length
            return length
        if kind == 12:
            return self.struct(depth + 1)
        raise _MalformedError(f"a page header holds a value of kind {kind}")


def _headers(file: BinaryIO, begin: int, end: int) -> "list[_Fields]":
    """Return the page headers of a column chunk, which takes bytes `begin` to `end` of the file."""
    headers = []
    while begin < end:
        file.seek(begin)
        reader = _Compact(file.read(min(_HEADER, end - begin)))
        header = reader.struct()
        size = header.get(3)
        if not isinstance(size, int) or size < 0:
            raise _MalformedError("a page header gives no size")
        headers.append(header)
        begin += reader.at + size
    if begin != end:
        raise _MalformedError("the pages of a column don't end where the footer says")
    return headers


def _number(fields: object, key: int) -> int:
    value = fields.get(key) if isinstance(fields, dict) else None
    if not isinstance(value, int):
        raise _MalformedError(f"a page header lacks its field {key}")
    return value


class _Chunk(NamedTuple):
    """What the pages of a column chunk say together."""

    unpacked: int  # bytes
    values: int  # in data pages
    dictionary: bool  # whether there is one


def _chunk(headers: "list[_Fields]") -> _Chunk:
    unpacked = values = 0
    kinds = set()
    for header in headers:
        kind = _number(header, 1)
        if kind not in (_DATA, _DICTIONARY, _DATA_2):
            raise _MalformedError(f"a page is of kind {kind}, which no snapshot has")
        detail, encoding = {_DATA: (5, 2), _DICTIONARY: (7, 2), _DATA_2: (8, 4)}[kind]
        if _number(header.get(detail), encoding) not in _ENCODINGS:
            raise _MalformedError(
                f"a page has encoding {_number(header.get(detail), encoding)}, which no snapshot has"
            )
        size, count = _number(header, 2), _number(header.get(detail), 1)
        if size < 0 or count < 0:
            raise _MalformedError("a page header gives a negative size")
        unpacked += size
        values += 0 if kind == _DICTIONARY else count
        if kind == _DICTIONARY and count > size:
            raise _MalformedError("a dictionary claims more values than bytes")
        kinds.add(kind)
    return _Chunk(unpacked, values, _DICTIONARY in kinds)


class Pages(NamedTuple):
    """Why the pages of a file can't be unpacked safely, or None; and the columns that have a dictionary."""

    problem: str | None
    dictionaries: frozenset[str]


def measure_pages(path: Path, metadata: pq.FileMetaData, *, longest: int) -> Pages:
    """Walk the page headers of a Parquet file; nothing is unpacked.

    Every column chunk must hold as many values as its row group has rows, of no more than `longest` bytes
    each, in encodings that can't make them larger.
    """
    dictionaries: set[str] = set()
    size = path.stat().st_size
    with path.open("rb") as file:
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            for column in range(metadata.num_columns):
                chunk_metadata = metadata.row_group(group).column(column)
                try:
                    chunk = _measured(file, size, chunk_metadata, rows, longest=longest)
                except _MalformedError as error:
                    return Pages(
                        f"column {chunk_metadata.path_in_schema!r} of row group {group}: {error}", frozenset()
                    )
                if chunk.dictionary:
                    dictionaries.add(chunk_metadata.path_in_schema)
    return Pages(None, frozenset(dictionaries))


def _measured(
    file: BinaryIO, size: int, chunk_metadata: pq.ColumnChunkMetaData, rows: int, *, longest: int
) -> _Chunk:
    """Return what the pages of a column chunk say; _MalformedError when they can't be those of `rows` rows."""
    begin = chunk_metadata.data_page_offset
    if chunk_metadata.dictionary_page_offset is not None:  # it stands before the data pages
        begin = min(begin, chunk_metadata.dictionary_page_offset)
    end = begin + chunk_metadata.total_compressed_size
    if not 0 < begin <= end <= size:
        raise _MalformedError("it lies outside the file")
    chunk = _chunk(_headers(file, begin, end))
    most = (rows + 1) * (longest + 4) * 2  # a dictionary and the values it failed to hold
    if chunk.unpacked > most:
        raise _MalformedError(
            f"it unpacks to {chunk.unpacked} bytes, more than {rows} rows can need ({most})"
        )
    if chunk.values != rows:
        raise _MalformedError(f"it holds {chunk.values} values for {rows} rows")
    return chunk
