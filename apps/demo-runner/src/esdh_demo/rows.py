"""A snapshot's rows, window by window, and their comparison with what the API answers: line by line, as written."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from esdh_manifest.names import document_name, table_name

from esdh_demo.answers import REINSTALL, read_answer
from esdh_demo.errors import DemoError

__all__ = ["MEDIA_TYPES", "Rows", "Window", "answer_rows", "compare_rows", "snapshot_rows", "windows_of"]

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
            return dict(zip(names, values, strict=False))
        return msgspec.json.decode(self.lines[number], type=dict)


def windows_of(records: int, max_records: int) -> list[Window]:
    """Return windows of at most `max_records`: over everything if three are enough, else first, middle and last."""
    if records <= _MAX_WINDOWS * max_records:
        starts = range(0, records, max_records)
        return [Window(start, min(max_records, records - start)) for start in starts]
    return [Window(start, max_records) for start in (0, (records - max_records) // 2, records - max_records)]


def snapshot_rows(folder: Path, dataset_version: str, row_format: str, table: str, window: Window) -> Rows:
    """Return a window of a table's rows out of one format of a snapshot, which is never held whole."""
    if row_format == "json":
        files = [folder / document_name(dataset_version)]
    else:
        path = folder / table_name(table, dataset_version, row_format)
        # Past --shard-rows records a file is a folder of parts, in order of their names.
        files = sorted(path.iterdir()) if path.is_dir() else [path]
    header = b""
    if row_format == "csv":
        with files[0].open("rb") as file:
            header = file.readline().rstrip()
    lines = (line for path in files for line in _lines(path, row_format, table))
    return Rows([*islice(lines, window.start, window.start + window.records)], header)


def answer_rows(body: bytes, row_format: str, table: str) -> Rows:
    """Return a table's rows out of an answer's body; raises DemoError for one that isn't JSON where it should be."""
    if row_format == "json":
        document = read_answer(body, dict[str, msgspec.Raw], what=f"the API's answer with {table}")
        rows = msgspec.json.decode(document.get(table, b"[]"), type=list[msgspec.Raw])
        return Rows([bytes(row) for row in rows])
    header, *lines = body.splitlines() if row_format == "csv" else (b"", *body.splitlines())
    return Rows(lines, header)


def compare_rows(expected: Rows, actual: Rows, *, window: Window, what: str) -> int:
    """Return how many rows are equal, which is all of them.

    `expected` is the snapshot's and `actual` the API's; `what` names them in an error. They are equal as written, but
    for rows of CSV that are compared with those of JSON: these are equal as text.
    Raises DemoError with the first record and field that differ, and both values.
    """
    if not len(expected.lines) == len(actual.lines) == window.records:
        raise DemoError(
            f"{what}: of records {window} the snapshot has {len(expected.lines)} and the API gives {len(actual.lines)}",
            remedy=REINSTALL,
        )
    for number in range(window.records if expected != actual else 0):
        if difference := _difference(expected, actual, number):
            name, left, right = difference
            raise DemoError(
                f"{what}, record {window.start + number}, {name}: the snapshot has {left!r} and the API gives {right!r}",
                remedy=f"{REINSTALL}, then `just demo-validate`",
            )
    return window.records


def _difference(expected: Rows, actual: Rows, number: int) -> tuple[str, Any, Any] | None:
    """Return the first field in which a row differs, and both values."""
    left, right = expected.row(number), actual.row(number)
    as_text = bool(expected.header and not actual.header)
    if as_text:
        right = {name: "" if value is None else str(value) for name, value in right.items()}
    for name in left | right:
        if left.get(name) != right.get(name) or (name in left) != (name in right):
            return name, left.get(name), right.get(name)
    if as_text or (expected.header, expected.lines[number]) == (actual.header, actual.lines[number]):
        return None
    return "order of the fields, or how they are written", expected.lines[number], actual.lines[number]


def _lines(path: Path, row_format: str, table: str) -> Iterator[bytes]:
    """Yield a table's rows of one file; the JSON document has one row a line between the table's name and a bracket."""
    with path.open("rb") as file:
        if row_format == "csv":
            file.readline()
        elif row_format == "json":
            next((line for line in file if line.endswith(f'"{table}":[\n'.encode())), None)
        for line in file:
            if row_format == "json" and line.startswith(b"]"):
                return
            yield line.rstrip(b",\r\n") if row_format == "json" else line.rstrip(b"\r\n")
