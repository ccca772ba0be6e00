"""Reports in CSV: a finding a row, or a pair of rows a row."""

import csv
import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

from esdh_plan.errors import suggestion

from esdh_proof.errors import ProofError
from esdh_proof.scoring import pairs
from esdh_proof.scoring.finding import Report, ToolFinding, row_reference
from esdh_proof.scoring.snapshot import LabelledSnapshot

__all__ = ["read"]

_COLUMNS = ("table", "row", "id", "slot", "field", "kind")
_ROWS = ("row", "id", "slot")
_CLOSE = 0.8  # of difflib: `feild` is near `field`, `value` is not near `table`


def read(path: Path, snapshot: LabelledSnapshot, *, table: str | None, first_row: int) -> Report:
    """Return what a report in CSV says.

    A finding names its row by exactly one of `row`, `id` (of a table without ids: its key) and `slot`; without any, its file
    is meant. In `field` several fields of one rule are separated by `;`. Columns of other names are passed over, but for those that are
    nearly one of these.

    Raises ProofError for a report without such columns, and for a value that can't be.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            header = [name.strip() for name in next(lines, [])]
            if not any(header):
                raise ProofError(
                    f"{str(path)!r} is empty; its first line must name columns: {', '.join(_COLUMNS)}"
                )
            rows = _rows(lines, header)
            if pairs.is_header(header, snapshot):
                return pairs.read(header, rows, snapshot, table=table, first_row=first_row)
            passed_over = _check(path, header)
            findings = [_finding(where, row, table, first_row) for where, row in rows]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ProofError(f"{str(path)!r} can't be read as CSV in UTF-8: {error}") from error
    notes = [f"columns that are passed over: {', '.join(passed_over)}"] if passed_over else []
    return Report("csv", findings, None, notes)


def _rows(lines: Iterator[list[str]], header: list[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    for number, cells in enumerate(lines, 2):
        if not any(cells):
            continue
        where = f"line {number}"
        if len(cells) != len(header):
            raise ProofError(f"{where} has {len(cells)} cells, and the header {len(header)} columns")
        yield where, dict(zip(header, (cell.strip() for cell in cells), strict=True))


def _check(path: Path, header: list[str]) -> list[str]:
    """Return the columns that are passed over; ProofError where none is known, or one is nearly known."""
    if twice := [name for name in header if header.count(name) > 1]:
        raise ProofError(f"{str(path)!r} has two columns {twice[0]!r}")
    others = [name for name in header if name not in _COLUMNS]
    for name in others:
        if found := difflib.get_close_matches(name.lower(), _COLUMNS, n=1, cutoff=_CLOSE):
            raise ProofError(f"{str(path)!r} has an unknown column {name!r}{suggestion(found[0])}")
    if not set(header) & {"table", *_ROWS}:
        raise ProofError(
            f"{str(path)!r} has the columns {', '.join(header)}; a report has table and row, or id, or table and slot, and may have field "
            "and kind; a report of pairs has id_left and id_right; columns are separated by commas"
        )
    return others


def _finding(where: str, row: Mapping[str, str], table: str | None, first_row: int) -> ToolFinding:
    name = row.get("table") or table
    cells = {each: row[each] for each in _ROWS if row.get(each)}
    if len(cells) > 1:
        raise ProofError(f"{where} has {' and '.join(cells)}; a finding names its row by one of them")
    if name is None and "id" not in cells:
        raise ProofError(f"{where} names no table; add a column table, or give --table")
    fields = tuple(filter(None, (part.strip() for part in row.get("field", "").split(";"))))
    places = [row_reference(where, each, text, first_row) for each, text in cells.items()]
    return ToolFinding(where, name, places[0] if places else None, fields, row.get("kind") or None)
