"""Cells of a table as texts, in order, out of whichever format is there: without trust in any value, nor in its form."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from esdh_core.overlay import value_text
from esdh_manifest import document_name, table_name

from esdh_proof.errors import ProofError
from esdh_proof.reading import regular
from esdh_proof.reading.text import csv_cells

__all__ = ["read_texts", "table_files"]

Texts = tuple[str | None, ...]
_BATCH_ROWS = 8_192
_LONGEST_LINE = 1 << 24  # bytes; no row is near it


def table_files(folder: Path, table: str, dataset_version: str) -> tuple[str, list[Path]] | None:
    """Return the format and the files, in order, that a table is read from; None where a snapshot has none.

    Every format has the same rows; the one that the fewest tools can damage comes first.
    """
    for extension in ("parquet", "ndjson", "csv"):
        name = table_name(table, dataset_version, extension)
        path = folder / name
        parts = sorted(part.name for part in path.iterdir()) if path.is_dir() else []
        names = [f"{name}/{part}" for part in parts if part.endswith(f".{extension}")] or [name]
        if all(regular(folder, each) for each in names):
            return extension, [folder / each for each in names]
    name = document_name(dataset_version)
    if regular(folder, name) and any(True for _ in _section(folder / name, table)):
        return "json", [folder / name]
    return None


def read_texts(folder: Path, table: str, dataset_version: str, fields: Sequence[str]) -> Iterator[Texts]:
    """Yield the cells of some fields of each row of a table; None for a null, and for what isn't there or can't be read.

    Raises ProofError when no file has the table, or a file can't be read at all.
    """
    files = table_files(folder, table, dataset_version)
    if files is None:
        raise ProofError(f"{str(folder)!r} holds no file of {table!r}")
    name, paths = files
    for path in paths:
        try:
            yield from _READERS[name](path, table, fields)
        except (pa.ArrowException, UnicodeDecodeError, KeyError) as error:
            raise ProofError(f"{path.relative_to(folder)} can't be read: {error}") from error


def _parquet(path: Path, _: str, fields: Sequence[str]) -> Iterator[Texts]:
    with pq.ParquetFile(path) as file:
        present = [name for name in fields if name in file.schema_arrow.names]
        for batch in file.iter_batches(_BATCH_ROWS, columns=present):
            columns = {
                name: [value_text(value) for value in batch.column(name).to_pylist()] for name in present
            }
            absent = [None] * len(batch)
            yield from zip(*(columns.get(name, absent) for name in fields), strict=True)


def _csv(path: Path, _: str, fields: Sequence[str]) -> Iterator[Texts]:
    # A row is a line: a quote that is left open must not swallow the rows that follow.
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
        header = _cells(file.readline(_LONGEST_LINE))
        places = [header.index(name) if name in header else _LONGEST_LINE for name in fields]
        for line in iter(lambda: file.readline(_LONGEST_LINE), ""):
            cells = _cells(line)
            yield tuple(cells[at] if at < len(cells) else None for at in places)


def _cells(line: str) -> list[str | None]:
    text = line.rstrip("\r\n")
    if '"' in text:
        with suppress(csv.Error):  # of a quote that isn't closed
            return csv_cells(text)
    return [cell or None for cell in text.split(",")]


def _ndjson(path: Path, _: str, fields: Sequence[str]) -> Iterator[Texts]:
    with path.open("rb") as file:
        yield from _objects(file, fields)


def _document(path: Path, table: str, fields: Sequence[str]) -> Iterator[Texts]:
    return _objects(_section(path, table), fields)


def _section(path: Path, table: str) -> Iterator[bytes]:
    """Yield the lines of a table in the JSON document: each row has a line of its own."""
    opening = f'"{table}":['.encode()
    with path.open("rb") as file:
        lines = iter(lambda: file.readline(_LONGEST_LINE), b"")
        if not any(line.rstrip().endswith(opening) for line in lines):
            return
        for line in lines:
            if line.startswith(b"]"):
                return
            yield line


def _objects(lines: Iterable[bytes], fields: Sequence[str]) -> Iterator[Texts]:
    for line in lines:
        try:
            row: Any = _decode(line.strip().removesuffix(b","))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            row = None
        yield (
            tuple(value_text(row.get(name)) for name in fields)
            if isinstance(row, dict)
            else (None,) * len(fields)
        )


_decode = msgspec.json.Decoder(float_hook=str).decode


_READERS: dict[str, Callable[[Path, str, Sequence[str]], Iterator[Texts]]] = {
    "parquet": _parquet,
    "csv": _csv,
    "ndjson": _ndjson,
    "json": _document,
}
