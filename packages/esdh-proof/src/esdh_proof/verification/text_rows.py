"""Rows that can't be read: their bytes in each text format, as they are written, taken by readers that share nothing with the writers."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from esdh_core.overlay import Damage
from esdh_export.encoding.damage import damaged_row
from esdh_export.encoding.pieces import RowDialect
from esdh_export.encoding.splicing import cell
from esdh_export.formats.csv import CSV
from esdh_export.formats.ndjson import NDJSON

from esdh_proof.checks import Finding
from esdh_proof.checks.finding import Mask, Read
from esdh_proof.verification.table_rows import TableRows

__all__ = ["unreadable"]


def unreadable(rows: TableRows, formats: Sequence[str]) -> Iterator[Finding]:
    """Check that each row is text in UTF-8, of whole cells, and of as many as there are columns."""
    cells: dict[str, Mask] = {}
    ragged = rows.no_row()
    for position, damage, values in rows.damaged():
        for each in damage:
            if any(not _can_be_read(name, rows, values, each) for name in formats):
                wrong = cells.setdefault(each.field, rows.no_row()) if each.is_of_cell else ragged
                wrong[position] = True
    for name, wrong in cells.items():
        yield Finding(rows.rows, name, wrong, "a text that can be read")
    yield Finding(
        rows.rows,
        rows.table.fields[0],
        ragged,
        "as many cells as there are columns",
        reads=(Read(rows.rows, None),),
    )


def _can_be_read(name: str, rows: TableRows, values: dict[str, Any], damage: Damage) -> bool:
    """Return whether a row whose bytes are wrong has the cells of its table all the same, in a text format."""
    dialect = _DIALECTS[name]
    cells = {field: cell(value, rows.column(field), dialect) for field, value in values.items()}
    try:
        text = damaged_row(cells, [damage], dialect).decode()
        return _CELLS_OF[name](text) == len(cells)
    except (ValueError, csv.Error):  # of UTF-8, of JSON and of CSV
        return False


def _cells_of_csv(text: str) -> int:
    """Return the number of cells in a row; csv.Error for one that isn't one."""
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    return len(rows[0]) if len(rows) == 1 else 0


def _cells_of_json(text: str) -> int:
    """Return the number of members of an object; ValueError for a text that is none."""
    return len(json.loads(text.strip(",\n")))


# The rows of a document are NDJSON's.
_DIALECTS: dict[str, RowDialect] = {"csv": CSV, "ndjson": NDJSON, "json": NDJSON}
_CELLS_OF: dict[str, Callable[[str], int]] = {
    "csv": _cells_of_csv,
    "ndjson": _cells_of_json,
    "json": _cells_of_json,
}
