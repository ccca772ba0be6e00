"""Labelled snapshots for tests of scoring: one whose defects are in known places, and labels that are written by hand."""

import csv
from pathlib import Path
from typing import Any

from defects import overlay
from esdh_core import DEFAULT_DATASET
from esdh_export import SnapshotRequest, write_snapshot

__all__ = ["COLUMNS", "Rows", "csv_table", "label", "spoil", "write_labels"]

COLUMNS = ("defect_id", "table", "slot", "field", "kind", "found", "clean", "cluster")
Rows = list[dict[str, Any]]


def csv_table(folder: Path, table: str, slug: str = "v0_1") -> list[dict[str, str]]:
    """Return the rows of a table of a snapshot in CSV."""
    with (folder / f"{table}_{slug}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def label(
    kind: str,
    table: str,
    slot: int | None,
    field: str | None = None,
    *,
    found: str | None = None,
    clean: str | None = None,
    cluster: str | None = None,
) -> dict[str, Any]:
    """Return one row of the table of labels."""
    name = f"{table}.{field}!{kind}#{slot}" if field else f"{table}!{kind}#{slot}"
    values = (name, table, slot, field, kind, found, clean, cluster)
    return dict(zip(COLUMNS, values, strict=True))


_SPOILED = (
    *(("blank", 5, "city"), ("bad_pattern", 7, "postal_code"), ("duplicate_key", 9, "person_id")),
    *(("wrong_type", 11, "date_of_birth"), ("missing", 12, "person_id"), ("missing", 13, "person_id")),
    *(("typo", 40, "last_name"), ("duplicate_row", 18, None), ("missing_row", 28, None)),
    ("reordered", 50, None),
)


def spoil(folder: Path, formats: tuple[str, ...] = ("csv", "json", "ndjson")) -> Rows:
    """Write a snapshot of 60 records with defects in the persons, of nine kinds each in its place; return their labels.

    In Parquet, which can't hold a text where a date is due, the date is out of range.
    """
    ids = [row.person_id for row in DEFAULT_DATASET.rows("persons", records=60)]
    kinds = {"wrong_type": "out_of_range"} if "parquet" in formats else {}
    defects = [
        {
            **{"kind": kinds.get(kind, kind), "table": "persons", "exactly": 1, "name": f"at_{slot}"},
            **({} if field is None else {"field": field}),
            "where": f"person_id == '{ids[slot]}'",
        }
        for kind, slot, field in _SPOILED
    ]
    request = SnapshotRequest(records=60, formats=formats, defects=overlay(DEFAULT_DATASET, *defects))
    write_snapshot(folder, request)
    return [label(kinds.get(kind, kind), "persons", slot, field) for kind, slot, field in _SPOILED]


def write_labels(folder: Path, labels: Rows, *, slug: str = "v0_1") -> None:
    """Write the table of labels by hand in CSV, beside a list of no defects where there is none: rows are in their places."""
    listed = folder / f"overlay_{slug}.json"
    if not listed.exists():
        listed.write_text('{"esdh": "defects/1", "defects": []}', encoding="utf-8")
    lines = [",".join(COLUMNS), *(",".join(map(_cell, each.values())) for each in labels)]
    (folder / f"defects_{slug}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cell(value: Any) -> str:
    """Return a cell of CSV: nothing for a null, quotes around an empty text, which Python's writer can't keep apart."""
    if value is None:
        return ""
    text = str(value)
    return text if text and not set(text) & set(',"\r\n') else '"' + text.replace('"', '""') + '"'
