"""Defects for tests: every kind on every field that it fits, and the cells of snapshots as their files hold them."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from esdh_core.dataset import Dataset, Table
from esdh_core.overlay import Overlay
from esdh_plan.defects.kind import TableTarget
from esdh_plan.defects.overlay import COLUMN_KINDS, FIELD_KINDS, FILE_KINDS, ROW_KINDS, remake
from esdh_plan.errors import PlanError

MORE: dict[str, list[dict[str, str]]] = {
    "swapped_fields": [],
    "time_travel": [{"before": before} for before in ("parent.opened_on", "parent.born_on", "opened_on")],
}


def overlay(dataset: Dataset, *defects: dict[str, Any]) -> Overlay:
    """Return the overlay of some defects."""
    return remake(dataset, json.dumps({"esdh": "defects/1", "defects": defects}, indent=1).encode())


def fitting(dataset: Dataset, kind: str) -> Iterator[dict[str, str]]:
    """Yield a defect of a kind, but for its measure, for each field or table that it fits."""
    for table in dataset.tables:
        of_rows = TableTarget(dataset=dataset, table=table, more={})
        if kind in (of_tables := {**ROW_KINDS, **FILE_KINDS}):
            if of_tables[kind].suits(of_rows):
                yield {"kind": kind, "table": table.name}
            continue
        for rule in table.rules:
            if rule.role == "marker" or not {**FIELD_KINDS, **COLUMN_KINDS}[kind].suits(of_rows.field(rule)):
                continue
            for more in _more(kind, table, rule.name):
                defect = {"kind": kind, "table": table.name, "field": rule.name, **more}
                try:
                    overlay(dataset, with_rate(defect, 1))
                except PlanError:
                    if more:  # another of its keys fits
                        continue
                    raise
                yield defect
                break


def with_rate(defect: dict[str, Any], rate: str | int) -> dict[str, Any]:
    """Return a defect with a rate, unless it is of a file, which has none."""
    return defect if defect["kind"] in {**COLUMN_KINDS, **FILE_KINDS} else {**defect, "rate": rate}


def _more(kind: str, table: Table, field: str) -> list[dict[str, str]]:
    if kind == "swapped_fields":
        return [{"with": name} for name in table.fields if name != field]
    return MORE.get(kind, [{}])


def csv_rows(file: Path) -> list[list[str | None]]:
    """Return the lines of a CSV file, header and all, with None for a null, which has no quotes."""
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines():
        cells = next(csv.reader([line]))
        quoted = _quoted(line)
        rows.append(
            [cell if cell or is_quoted else None for cell, is_quoted in zip(cells, quoted, strict=True)]
        )
    return rows


def _quoted(line: str) -> list[bool]:
    """Return for each field of a line whether it begins with a quote."""
    found, inside = [line.startswith('"')], False
    for at, each in enumerate(line):
        inside ^= each == '"'
        if each == "," and not inside:
            found.append(line[at + 1 : at + 2] == '"')
    return found


def parquet_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file."""
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return rows
