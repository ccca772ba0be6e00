"""Reads a snapshot's files back into Arrow tables, with readers that share nothing with the writers."""

import csv
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from esdh_core import Table
from esdh_export import array_digest, block_digest, entity_digest, schema

BLOCK = 65_536


def parts(path: Path) -> list[Path]:
    """Return a file, or the parts of a folder in order."""
    return sorted(path.iterdir()) if path.is_dir() else [path]


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    typed = dict(row)
    if typed.get("date_of_birth"):
        typed["date_of_birth"] = dt.date.fromisoformat(typed["date_of_birth"])
    if "model_year" in typed:
        typed["model_year"] = int(typed["model_year"])
    return typed


def _csv_row(row: dict[str, Any]) -> dict[str, Any]:
    return _typed(
        {name: None if value == "" and name == "address_line_2" else value for name, value in row.items()}
    )


def read(folder: Path, entity: Table, name: str) -> pa.Table:
    """Return an entity's rows out of one format."""
    files = parts(folder / f"{entity.name}_v0_1.{name}") if name != "json" else []
    rows: list[dict[str, Any]] = []
    if name == "parquet":
        return pa.concat_tables([pq.read_table(file) for file in files])
    if name == "csv":
        for file in files:
            with file.open(newline="", encoding="utf-8") as stream:
                rows += map(_csv_row, csv.DictReader(stream))
    elif name == "ndjson":
        rows = [_typed(json.loads(line)) for file in files for line in file.read_text("utf-8").splitlines()]
    else:
        document = json.loads((folder / "dataset_v0_1.json").read_text("utf-8"))
        rows = [_typed(row) for row in document[entity.name]]
    return pa.Table.from_pylist(rows, schema=schema(entity))


def digest(table: pa.Table) -> str:
    """Return the content digest of a table that was read back."""
    table = table.combine_chunks()
    blocks = []
    for start in range(0, len(table), BLOCK):
        part = table.slice(start, BLOCK)
        blocks.append(block_digest(array_digest(column.chunk(0)) for column in part.columns))
    return entity_digest(blocks)
