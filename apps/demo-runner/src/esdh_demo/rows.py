"""A snapshot's rows, window by window, and their comparison with what the API answers: line by line, as written."""

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from esdh_manifest.names import document_name, table_name

from esdh_demo.answers import REINSTALL
from esdh_demo.errors import DemoError

__all__ = ["MEDIA_TYPES", "Rows", "Window", "answered_rows", "compare_rows", "snapshot_rows", "windows_of"]

MEDIA_TYPES = {"csv": "text/csv", "json": "application/json", "ndjson": "application/x-ndjson"}
"""The formats that the API has too; `esdh verify-snapshot` reads Parquet."""
_MAX_WINDOWS = 3  # of a table in one format: beginning, middle and end, where they don't cover everything


class Window(NamedTuple):
    """Records `start` to `start + records - 1`."""

    start: int
    records: int

    def __str__(self) -> str:
        """Return the first and the last record, as in a file's name."""
        return f"{self.start}-{self.start + self.records - 1}"


class Rows(NamedTuple):
    """Rows as a format writes them, each in a line; CSV has a header too."""

    lines: list[bytes]
    header: bytes = b""

    def row(self, number: int) -> dict[str, Any]:
        """Return one row's values by field; those of CSV are text."""
        if self.header:
            names, values = csv.reader([self.header.decode(), self.lines[number].decode()])
            return dict(zip(names, values, strict=True))
        return msgspec.json.decode(self.lines[number], type=dict)


def windows_of(records: int, most: int) -> list[Window]:
    """Return windows of at most `most` records: over everything if three are enough, else first, middle and last."""
    if records <= _MAX_WINDOWS * most:
        return [Window(start, min(most, records - start)) for start in range(0, records, most)]
    return [Window(start, most) for start in (0, (records - most) // 2, records - most)]


def snapshot_rows(
    folder: Path, dataset_version: str, form: str, table: str, windows: Sequence[Window]
) -> Iterator[Rows]:
    """Yield a table's rows in windows of ascending order, out of one format, read once and never held whole."""
    if form == "json":
        files = [folder / document_name(dataset_version)]
    else:
        path = folder / table_name(table, dataset_version, form)
        # Past --shard-rows records a file is a folder of parts, in order of their names.
        files = sorted(path.iterdir()) if path.is_dir() else [path]
    header = b""
    if form == "csv":
        with files[0].open("rb") as file:
            header = file.readline().rstrip()
    lines = (line for path in files for line in _lines(path, form, table))
    position = 0
    for start, records in windows:
        yield Rows([*islice(lines, start - position, start - position + records)], header)
        position = start + records


def answered_rows(body: bytes, form: str, table: str) -> Rows:
    """Return a table's rows out of an answer's body."""
    if form == "json":
        rows = msgspec.json.decode(body, type=dict[str, msgspec.Raw])[table]
        return Rows([bytes(row) for row in msgspec.json.decode(rows, type=list[msgspec.Raw])])
    header, *lines = body.splitlines() if form == "csv" else (b"", *body.splitlines())
    return Rows(lines, header)


def compare_rows(expected: Rows, actual: Rows, *, window: Window, what: str) -> int:
    """Return how many rows are equal, which is all of them.

    `expected` is the snapshot's and `actual` the API's. They are equal as written, but for rows of CSV that are
    held against those of JSON: these are equal as text. Raises DemoError with the first record and field that differ, and both
    values.
    """
    if not len(expected.lines) == len(actual.lines) == window.records:
        raise DemoError(
            f"{what}: of records {window} the snapshot has {len(expected.lines)} and the API gives {len(actual.lines)}",
            remedy=REINSTALL,
        )
    if expected != actual:
        as_text = bool(expected.header and not actual.header)
        for number in range(window.records):
            if difference := _difference(expected, actual, number, as_text=as_text):
                name, mine, theirs = difference
                raise DemoError(
                    f"{what}, record {window.start + number}, {name}: the snapshot has {mine!r} and the API gives {theirs!r}",
                    remedy=f"{REINSTALL}, then `just demo-validate`",
                )
    return window.records


def _difference(expected: Rows, actual: Rows, number: int, *, as_text: bool) -> tuple[str, Any, Any] | None:
    mine, theirs = expected.row(number), actual.row(number)
    if as_text:
        theirs = {name: "" if value is None else str(value) for name, value in theirs.items()}
    for name in dict.fromkeys([*mine, *theirs]):
        if mine.get(name) != theirs.get(name) or (name in mine) != (name in theirs):
            return name, mine.get(name), theirs.get(name)
    if as_text or (expected.header, expected.lines[number]) == (actual.header, actual.lines[number]):
        return None
    return "order of the fields, or how they are written", expected.lines[number], actual.lines[number]


def _lines(path: Path, form: str, table: str) -> Iterator[bytes]:
    """Yield a table's rows of one file; the JSON document has one row a line between the table's name and a bracket."""
    with path.open("rb") as file:
        if form == "csv":
            file.readline()
        elif form == "json":
            next((line for line in file if line.endswith(f'"{table}":[\n'.encode())), None)
        for line in file:
            if form == "json" and line.startswith(b"]"):
                return
            yield line.rstrip(b",\r\n") if form == "json" else line.rstrip(b"\r\n")
