"""The JSON document, one file at any size: where the lines of each table stand, and those of each part of its records."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import numpy as np
from esdh_core import Table
from esdh_export import SnapshotRequest

from esdh_proof.findings import display

__all__ = ["SEPARATOR", "LineRange", "line_ranges", "sections"]

SEPARATOR = b",\n"  # between two rows of a table
_CHUNK = 1 << 22


class LineRange(NamedTuple):
    """Bytes `begin` to `end` of a document, which are lines of a table; `final` says that none follows."""

    begin: int
    end: int
    final: bool


def line_ranges(path: Path, begin: int, end: int, rows: Sequence[int]) -> tuple[list[LineRange], int]:
    """Return the ranges of lines that have so many rows each, one after another, and how many lines there are.

    The lines are bytes `begin` to `end`. The last range has whatever is left, and a range before it what there is.
    """
    bounds = np.cumsum(rows[:-1], dtype=np.int64)
    ends: list[int] = []
    lines, at, last = 0, begin, b"\n"
    with path.open("rb") as file:
        file.seek(begin)
        while chunk := file.read(min(_CHUNK, end - at)):
            count = chunk.count(b"\n")
            inside = bounds[len(ends) :][bounds[len(ends) :] <= lines + count] - lines
            if len(inside):
                places = np.flatnonzero(np.frombuffer(chunk, np.uint8) == ord("\n")) + 1
                ends += [at + (int(places[number - 1]) if number else 0) for number in inside.tolist()]
            lines, at, last = lines + count, at + len(chunk), chunk[-1:]
    ends += [end] * (len(rows) - len(ends))
    begins = [begin, *ends[:-1]]
    ranges = [LineRange(first, stop, stop == end) for first, stop in zip(begins, ends, strict=True)]
    return ranges, lines + (last != b"\n")


def sections(
    path: Path, request: SnapshotRequest, counts: Mapping[str, int]
) -> Iterator[tuple[Table, int, int]]:
    """Yield each table with where its lines begin and end in the JSON document; ValueError where they aren't found.

    `counts` are the rows of each table that its metadata gives. No row holds a raw line end, so what stands between
    sections can't be mistaken.
    """
    metadata = msgspec.json.encode(request.metadata(counts))
    names = [table.name for table in request.tables]
    opening = b'{"metadata":' + metadata + b',"' + names[0].encode() + b'":[\n'
    needles = [b'],"' + name.encode() + b'":[\n' for name in names[1:]] + [b"]}\n"]
    with path.open("rb") as file:
        found = file.read(len(opening))
        if found != opening:
            raise ValueError(f"the document begins {display(found)}, where {display(opening)} is expected")
        after = len(opening)
        for table, needle in zip(request.tables, needles, strict=True):
            begin, after = after, _find(file, after, needle)
            end = after - len(needle)
            file.seek(begin)
            if end - begin == 1 and file.read(1) == b"\n":  # what stands for no rows
                begin = end
            yield table, begin, end


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
