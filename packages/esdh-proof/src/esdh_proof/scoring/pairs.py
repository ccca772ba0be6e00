"""Reports of matchers, in CSV: two rows that are held to be one, and how sure that is."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from esdh_core import Table

from esdh_proof.errors import ProofError
from esdh_proof.scoring.finding import Pair, Report, RowReference, row_reference
from esdh_proof.scoring.snapshot import LabelledSnapshot

__all__ = ["FORMAT", "is_header", "read"]

FORMAT = "pairs"
_SIDE = re.compile(r"(.+)_(left|right|l|r)")  # Splink's columns end in l and r
_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l"}
_NAMES = ("id", "unique_id", "row", "slot")  # unique_id is Splink's, unless it is given another
_SCORES = ("score", "match_probability", "match_weight")  # the last two are Splink's


class _Sides(NamedTuple):
    """The columns of the two rows, and what they hold: a row, a slot, or an id, whatever it is called."""

    name: str
    left: str
    right: str


def is_header(header: list[str], snapshot: LabelledSnapshot) -> bool:
    """Return whether a header is that of a report of pairs."""
    return any(found and found[1] in _names(snapshot) for found in map(_SIDE.fullmatch, header))


def _names(snapshot: LabelledSnapshot) -> dict[str, Table | None]:
    """Return what the columns of a pair can be called, and the table that the name of an id's field says."""
    keys = {snapshot.key_fields(table): table for table in reversed(snapshot.tables)}
    return dict.fromkeys(_NAMES) | {fields[0]: table for fields, table in keys.items() if len(fields) == 1}


def read(
    header: list[str],
    rows: Iterator[tuple[str, Mapping[str, str]]],
    snapshot: LabelledSnapshot,
    *,
    table: str | None,
    first_row: int,
) -> Report:
    """Return what a report of pairs says.

    Raises ProofError where a side, a table or a score is missing or can't be.
    """
    sides = _sides(header, snapshot)
    of = _names(snapshot)[sides.name]
    score = next((name for name in _SCORES if name in header), None)
    used = {sides.left, sides.right, "table", score}
    found = []
    for where, row in rows:
        name = row.get("table") or table or (of.name if of else None)
        left, right = (
            _reference(where, sides, row, sides.left, first_row),
            _reference(where, sides, row, sides.right, first_row),
        )
        if name is None and not left.key:
            raise ProofError(f"{where} names no table; add a column table, or give --table")
        found.append(Pair(where, name, left, right, _score(where, row, score)))
    others = [name for name in header if name not in used]
    notes = [f"columns that are passed over: {', '.join(others)}"] if others else []
    return Report(FORMAT, [], found, notes)


def _sides(header: list[str], snapshot: LabelledSnapshot) -> _Sides:
    for column in header:
        found = _SIDE.fullmatch(column)
        if found and found[1] in _names(snapshot):
            other = f"{found[1]}_{_OTHER[found[2]]}"
            if other not in header:
                raise ProofError(f"the report has a column {column!r} but no {other!r}; a pair needs both")
            left, right = (column, other) if found[2] in ("left", "l") else (other, column)
            return _Sides(found[1], left, right)
    raise AssertionError("a header of pairs has a side")


def _reference(
    where: str, sides: _Sides, row: Mapping[str, str], column: str, first_row: int
) -> RowReference:
    if not row[column]:
        raise ProofError(f"{where}: {column} is empty; a pair needs both rows")
    return row_reference(where, sides.name, row[column], first_row)


def _score(where: str, row: Mapping[str, str], name: str | None) -> float | None:
    if name is None:
        return None
    try:
        score = float(row[name])
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise ProofError(f"{where}: {name} {row[name]!r} is no number")
    return score
