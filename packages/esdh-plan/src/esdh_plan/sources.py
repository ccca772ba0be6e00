"""Tables that rows are drawn from and that aren't made: those that ship, and files beside a plan."""

import csv
import datetime as dt
import decimal
import io
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from esdh_core.columns import (
    Boolean,
    Categorical,
    Categories,
    Column,
    day_number,
)
from esdh_core.datasets import shipped_table
from esdh_core.lookups import LookupTable, load_table
from numpy.typing import NDArray

from esdh_plan.definitions import column_of
from esdh_plan.expressions import ValueType
from esdh_plan.language import MAX_ROWS, SHIPPED_TABLES

__all__ = ["Cells", "TableData", "read_beside", "read_csv", "shipped"]

_OWN: Final = frozenset({"places", "area_codes", "vehicle_models"})
"""The tables that this package ships; the others are the first dataset's."""
_MAX_BYTES = 1 << 27
_MOST_LABELS = 1 << 16
_DAY = 86_400


@dataclass(frozen=True)
class TableData:
    """A table as a recipe holds it: its columns, their types, and a text a cell, null for an empty one."""

    columns: list[str]
    types: list[str]
    rows: list[list[str | None]]


@dataclass(frozen=True)
class Cells:
    """A table as columns."""

    rows: int
    types: dict[str, ValueType]
    columns: dict[str, Column]
    data: TableData
    lookup: LookupTable | None = None

    @classmethod
    def of(cls, data: TableData, lookup: LookupTable | None = None) -> "Cells":
        """Return the columns of some data. Raises ValueError, with a sentence, for a cell that isn't of its type."""
        types, columns = {}, {}
        for place, (name, kind) in enumerate(zip(data.columns, data.types, strict=True)):
            cells = [row[place] for row in data.rows]
            try:
                types[name], columns[name] = _column(cells, kind)
            except _NoCellError as error:
                line = error.args[0]
                raise ValueError(f"line {line + 2}, column {name!r}: {cells[line]!r} is no {kind}") from None
        return cls(len(data.rows), types, columns, data, lookup)


class _NoCellError(ValueError):
    """A cell that isn't of its type: its number."""


def shipped(name: str) -> Cells:
    """Return a table that ships."""
    table = load_table("esdh_plan.tables", name) if name in _OWN else shipped_table(name)
    columns = SHIPPED_TABLES[name]
    places = [table.columns.index(column) for column in columns]
    types = ["integer" if isinstance(table.rows[0][place], int) else "string" for place in places]
    rows: list[list[str | None]] = [[str(row[place]) for place in places] for row in table.rows]
    return Cells.of(TableData(list(columns), types, rows), table)


def read_csv(folder: Path, file: str, types: dict[str, str]) -> TableData:
    """Return the rows of a CSV file below a folder. Raises ValueError, with a sentence, for one that can't be."""
    text = _text(folder, file)
    if re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]", text):
        raise ValueError(f"{file} has a control character, which no text can have")
    try:
        header, *lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(f"{file} is no CSV file: {error}") from None
    except ValueError:
        raise ValueError(f"{file} is empty; it needs a header") from None
    _check_shape(file, header, lines, types)
    rows: list[list[str | None]] = [[cell or None for cell in line] for line in lines]
    return TableData(header, [types.get(column, "string") for column in header], rows)


def _check_shape(file: str, header: list[str], lines: list[list[str]], types: Iterable[str]) -> None:
    if len(set(header)) < len(header):
        raise ValueError(f"the header of {file} names a column twice")
    for column in types:
        if column not in header:
            raise ValueError(f"{file} has no column {column!r}; it has {', '.join(header)}")
    if not 1 <= len(lines) <= MAX_ROWS:
        raise ValueError(f"{file} has {len(lines):,} rows; 1 to {MAX_ROWS:,} are possible")
    for number, line in enumerate(lines):
        if len(line) != len(header):
            cells = f"{len(line)} cell{'s' * (len(line) != 1)}"
            raise ValueError(f"line {number + 2} of {file} has {cells}, and the header {len(header)}")
        if any("\n" in cell or "\r" in cell for cell in line):
            raise ValueError(
                f"line {number + 2} of {file} has a line break in a cell, which no text can have"
            )


def read_beside(folder: Path, file: str, max_bytes: int = _MAX_BYTES) -> bytes:
    """Return what a file below a plan's folder holds. Raises ValueError, with a sentence, for one that can't be read."""
    base = folder.resolve()
    resolved = Path(os.path.realpath(base / file))  # which takes links that go in a circle, too
    if (
        not resolved.is_relative_to(base)
        or resolved != Path(os.path.normpath(base / file))
        or resolved.is_symlink()
    ):
        raise ValueError(f"{file} is a link; give a file below the plan's folder")
    if not resolved.exists():
        raise ValueError(f"there is no file {file} beside the plan")
    if not resolved.is_file():  # a pipe would wait, and a device never end
        raise ValueError(f"{file} is no file")
    with resolved.open("rb") as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"{file} has more than {max_bytes:,} bytes")
    return content


def _text(folder: Path, file: str) -> str:
    try:
        return read_beside(folder, file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{file} isn't UTF-8; save it as UTF-8") from None


def _column(cells: list[str | None], kind: str) -> tuple[ValueType, Column]:
    null = any(cell is None for cell in cells)
    if kind == "string":
        return _texts(cells, null)
    name, _, rest = kind.rstrip(")").partition("(")
    scale = int(rest or 0)
    values = [0] * len(cells)
    for number, cell in enumerate(cells):
        if cell is not None:
            value = _number(cell, name, scale)
            if value is None:
                raise _NoCellError(number)
            values[number] = value
    present = [value for value, cell in zip(values, cells, strict=True) if cell is not None] or [0]
    low, high = min(present), max(present)
    array = np.array(
        [low if cell is None else value for value, cell in zip(values, cells, strict=True)], dtype=np.int64
    )
    valid = np.array([cell is not None for cell in cells]) if null else None
    known: Any = name
    of = ValueType(known, null, scale, low, high, (False, True) if name == "boolean" else None)
    return of, _numbers(of, array, valid)


def _numbers(of: ValueType, values: NDArray[np.int64], valid: Any) -> Column:
    if of.kind == "boolean":
        return Boolean(values.astype(np.bool_), 0, 1, valid)
    return column_of(values, of, valid)


def _texts(cells: list[str | None], null: bool) -> tuple[ValueType, Column]:
    distinct = list(dict.fromkeys(cell for cell in cells if cell is not None))
    places = {cell: place for place, cell in enumerate(distinct)}
    categories = Categories(distinct)
    codes = np.array([len(distinct) if cell is None else places[cell] for cell in cells], dtype=np.int32)
    labels = tuple(distinct) if len(distinct) <= _MOST_LABELS else ()
    of = ValueType("string", null, labels=labels, length=max(map(len, distinct), default=0))
    return of, Categorical(codes, categories.with_null() if null else categories)


def _number(cell: str, kind: str, scale: int) -> int | None:
    """Return a cell's unscaled value, None for one that is no value of the kind."""
    try:
        if kind == "decimal":
            return _decimal(cell, scale)
        return _WHOLE[kind](cell)
    except (ValueError, KeyError):
        return None


def _decimal(cell: str, scale: int) -> int | None:
    digits = f"(\\.[0-9]{{1,{scale}}})?" if scale else ""
    if not re.fullmatch(f"-?[0-9]{{1,18}}{digits}", cell, re.ASCII):
        return None
    unscaled = int(decimal.Decimal(cell).scaleb(scale, decimal.Context(prec=40)))
    return unscaled if abs(unscaled) < 10**18 else None


def _integer(cell: str) -> int | None:
    value = int(cell) if re.fullmatch("-?[0-9]{1,19}", cell, re.ASCII) else None
    return value if value is not None and -(1 << 63) <= value < 1 << 63 else None


def _day(cell: str) -> int | None:
    found = re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", cell, re.ASCII)
    return day_number(dt.date.fromisoformat(cell)) if found else None


def _second(cell: str) -> int | None:
    found = re.fullmatch("([0-9-]{10})T([0-9]{2}:[0-9]{2}:[0-9]{2})Z", cell, re.ASCII)
    day = None if found is None else _day(found[1])
    if found is None or day is None:
        return None
    clock = dt.time.fromisoformat(found[2])
    return day * _DAY + clock.hour * 3600 + clock.minute * 60 + clock.second


_WHOLE: Final[dict[str, Callable[[str], int | None]]] = {
    "boolean": {"true": 1, "false": 0}.__getitem__,
    "date": _day,
    "timestamp": _second,
    "integer": _integer,
}
