"""Rows as JSON has them: decimals with all their digits, and numbers that readers would round as texts."""

from typing import Any

from esdh_core import Table
from esdh_core.columns import Column, Decimal, Integer
from msgspec import Raw, Struct

__all__ = ["is_wide", "json_structs"]

_EXACT = 10**15  # what has more digits a reader of JSON may round


def is_wide(column: Column) -> bool:
    """Return whether a column's numbers are written as texts: by what it can hold, whatever these rows hold."""
    return isinstance(column, Integer | Decimal) and max(-column.low, column.high) >= _EXACT


def json_structs(table: Table, columns: dict[str, Column]) -> list[Struct]:
    """Return rows as a table's Structs, in which each value is one that is encoded as a snapshot's JSON has it."""
    return [table.record(*row) for row in zip(*map(_values, columns.values()), strict=True)]


def _values(column: Column) -> list[Any]:
    values: list[Any] = column.tolist()
    wide = is_wide(column)
    if not wide and not isinstance(column, Decimal):
        return values
    # By the format: Python's own text of a small decimal has an exponent.
    form = "f" if isinstance(column, Decimal) else "d"
    texts = [None if value is None else format(value, form) for value in values]
    return texts if wide else [None if text is None else Raw(text.encode()) for text in texts]
