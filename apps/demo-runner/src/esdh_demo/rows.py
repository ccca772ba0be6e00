"""A snapshot's rows, window by window, and their comparison with what the API answers, row by row."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from esdh_core import DATASET_SLUG

from esdh_demo.errors import DemoError

__all__ = [
    "COMPARABLE",
    "MEDIA_TYPES",
    "Row",
    "Window",
    "answered_rows",
    "compare",
    "snapshot_rows",
    "windows_of",
]

MEDIA_TYPES = {"csv": "text/csv", "json": "application/json", "ndjson": "application/x-ndjson"}
COMPARABLE = tuple(MEDIA_TYPES)  # Parquet has no place in the API; `esdh verify-snapshot` reads it
_MOST_WINDOWS = 3  # of an entity in one format: beginning, middle and end, where they don't cover everything

Row = dict[str, Any]


@dataclass(frozen=True, order=True)
class Window:
    """Records `start` to `start + records - 1`."""

    start: int
    records: int

    def __str__(self) -> str:
        """Return the first and the last record, as in a file's name."""
        return f"{self.start}-{self.start + self.records - 1}"


def windows_of(records: int, most: int) -> list[Window]:
    """Return windows of at most `most` records: over everything if three are enough, else first, middle and last."""
    if records <= _MOST_WINDOWS * most:
        return [Window(start, min(most, records - start)) for start in range(0, records, most)]
    return [Window(start, most) for start in (0, (records - most) // 2, records - most)]


def snapshot_rows(
    folder: Path, form: str, entity: str, windows: Sequence[Window]
) -> Iterator[tuple[Window, list[Row]]]:
    """Yield an entity's rows in windows of ascending order, out of one format, read once and never held whole.

    Values are typed as the format types them. Raises DemoError for a file that isn't there or isn't readable.
    """
    rows = enumerate(_all_rows(folder, form, entity))
    for window in sorted(windows):
        try:
            taken = [row for _, row in islice(_from(rows, window.start), window.records)]
        except (msgspec.DecodeError, csv.Error, UnicodeDecodeError) as error:
            raise DemoError(f"{entity} as {form} can't be read: {error}", remedy="run this again") from error
        yield window, taken


def answered_rows(body: bytes, form: str, entity: str) -> list[Row]:
    """Return an entity's rows out of an answer's body."""
    if form == "csv":
        return list(csv.DictReader(io.StringIO(body.decode("utf-8"), newline="")))
    if form == "ndjson":
        return [msgspec.json.decode(line, type=dict) for line in body.splitlines()]
    return msgspec.json.decode(body, type=dict[str, Any])[entity]  # type: ignore[no-any-return]  # read as it comes


def compare(expected: Sequence[Row], actual: Sequence[Row], *, window: Window, what: str) -> int:
    """Return how many rows are equal, which is all of them.

    Raises DemoError with the first record and field that differ, and both values. `expected` is the
    snapshot's and `actual` the API's.
    """
    if len(expected) != window.records or len(actual) != window.records:
        raise DemoError(
            f"{what}: of records {window} the snapshot has {len(expected)} and the API gives {len(actual)}",
            remedy="one of them is not esdh's; run `uv sync`",
        )
    for number, (mine, theirs) in enumerate(zip(expected, actual, strict=True), window.start):
        if mine != theirs or list(mine) != list(theirs):
            name, left, right = _first_difference(mine, theirs)
            raise DemoError(
                f"{what}, record {number}, {name}: the snapshot has {left!r} and the API gives {right!r}",
                remedy="the two must be the same version of esdh; run `uv sync`, then `just demo-validate`",
            )
    return len(expected)


def _first_difference(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[str, Any, Any]:
    for name in dict.fromkeys([*mine, *theirs]):
        if mine.get(name) != theirs.get(name) or (name in mine) != (name in theirs):
            return name, mine.get(name), theirs.get(name)
    return "order of the fields", list(mine), list(theirs)


def _from(rows: Iterator[tuple[int, Row]], start: int) -> Iterator[tuple[int, Row]]:
    """Go on from record `start`, which must not have been passed."""
    for number, row in rows:
        if number >= start:
            yield number, row
            yield from rows


def _all_rows(folder: Path, form: str, entity: str) -> Iterator[Row]:
    if form == "json":
        yield from _document_rows(folder / f"dataset_{DATASET_SLUG}.json", entity)
        return
    path = folder / f"{entity}_{DATASET_SLUG}.{form}"
    # Past --shard-rows records a file is a folder of parts, in order of their names.
    for part in sorted(path.iterdir()) if path.is_dir() else [path]:
        with part.open(encoding="utf-8", newline="") as stream:
            yield from csv.DictReader(stream) if form == "csv" else _decoded(stream)


def _document_rows(path: Path, entity: str) -> Iterator[Row]:
    """Yield an entity's rows of the JSON document, which has one row a line between its name and a bracket."""
    with path.open("rb") as stream:
        for line in stream:
            if line.endswith(f'"{entity}":[\n'.encode()):
                break
        for line in stream:
            if line.startswith(b"]"):
                return
            yield msgspec.json.decode(line.rstrip(b",\n"), type=dict)


def _decoded(lines: Iterable[str]) -> Iterator[Row]:
    for line in lines:
        yield msgspec.json.decode(line, type=dict)
