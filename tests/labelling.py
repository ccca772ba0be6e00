"""Labelled snapshots for tests of scoring: a clean snapshot whose rows are edited, with the labels written beside them.

Independent of what generates defects: it knows the files and the columns of the table of labels, no more.
"""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["COLUMNS", "Rows", "Sheet", "label", "spoil", "write_labels"]

COLUMNS = ("defect_id", "table", "slot", "field", "kind", "found", "clean", "cluster")
Rows = list[dict[str, Any]]


class Sheet:
    """The rows of one table of a snapshot as texts, in every text format and Parquet that is there, to be edited and written back."""

    def __init__(self, folder: Path, table: str, slug: str = "v0_1") -> None:
        self.folder, self.table, self.slug = folder, table, slug
        with self.path("csv").open(newline="", encoding="utf-8") as file:
            self.rows: list[dict[str, str]] = list(csv.DictReader(file))

    def path(self, extension: str) -> Path:
        """Return the file of a format."""
        return self.folder / f"{self.table}_{self.slug}.{extension}"

    def write(self) -> None:
        """Write the rows back to each format that is there; a value that isn't there is a null."""
        names = list(self.rows[0])
        with self.path("csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        if self.path("ndjson").exists():
            lines = (json.dumps(row, separators=(",", ":")) + "\n" for row in self.rows)
            self.path("ndjson").write_text("".join(lines), encoding="utf-8")
        if self.path("parquet").exists():
            pq.write_table(pa.Table.from_pylist(self.rows), self.path("parquet"))


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


def spoil(folder: Path) -> Rows:
    """Put defects into the persons of a snapshot, and return their labels."""
    persons = Sheet(folder, "persons")
    rows, labels = persons.rows, []
    for slot, field, found, kind in (
        (5, "city", "", "blank"),
        (7, "postal_code", "ABC", "bad_pattern"),
        (9, "person_id", rows[3]["person_id"], "duplicate_key"),
        (11, "date_of_birth", "n/a", "wrong_type"),
        (12, "person_id", "", "missing"),
        (13, "person_id", "", "missing"),
        (40, "last_name", rows[40]["last_name"][::-1], "typo"),
    ):
        labels.append(label(kind, "persons", slot, field, found=found, clean=rows[slot][field]))
        rows[slot][field] = found
    labels += [label("duplicate_row", "persons", 18), label("missing_row", "persons", 28)]
    labels += [label("reordered", "persons", 50)]
    rows.insert(19, dict(rows[18]))
    del rows[29]
    rows.insert(45, rows.pop(50))
    persons.write()
    return labels


def write_labels(folder: Path, labels: Rows, *, extension: str = "csv", slug: str = "v0_1") -> None:
    """Write the table of labels in one format; `json` adds it to the snapshot's document."""
    _WRITERS[extension](folder, labels, slug)


def _csv(folder: Path, labels: Rows, slug: str) -> None:
    lines = [",".join(COLUMNS), *(",".join(map(_cell, each.values())) for each in labels)]
    (folder / f"defects_{slug}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cell(value: Any) -> str:
    """Return a cell of CSV: nothing for a null, quotes around an empty text, which Python's writer can't keep apart."""
    if value is None:
        return ""
    text = str(value)
    return text if text and not set(text) & set(',"\r\n') else '"' + text.replace('"', '""') + '"'


def _ndjson(folder: Path, labels: Rows, slug: str) -> None:
    lines = (json.dumps(each) + "\n" for each in labels)
    (folder / f"defects_{slug}.ndjson").write_text("".join(lines), encoding="utf-8")


def _parquet(folder: Path, labels: Rows, slug: str) -> None:
    kinds = {name: pa.string() for name in COLUMNS} | {"slot": pa.int64()}
    table = pa.Table.from_pylist(labels, schema=pa.schema(kinds.items()))
    pq.write_table(table, folder / f"defects_{slug}.parquet")


def _document(folder: Path, labels: Rows, slug: str) -> None:
    path = folder / f"dataset_{slug}.json"
    lines = ",\n".join(json.dumps(each) for each in labels)
    whole = path.read_text(encoding="utf-8").removesuffix("]}\n")
    path.write_text(f'{whole}],"defects":[\n{lines}\n]}}\n', encoding="utf-8")


_WRITERS: dict[str, Callable[[Path, Rows, str], None]] = {
    "csv": _csv,
    "ndjson": _ndjson,
    "parquet": _parquet,
    "json": _document,
}
