"""Rows as JSON has them: decimals with all their digits, and numbers that readers would round as texts."""

import decimal
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from esdh_core import Block, Table
from esdh_core.columns import Column, Decimal, Integer
from msgspec import Raw, Struct

__all__ = [
    "Structs",
    "block_structs",
    "is_wide",
    "json_lines",
    "json_structs",
    "json_texts",
    "json_value",
    "json_values",
]

Structs = Callable[[Table, Block], list[Struct]]
"""Gives the rows of a table over a block as its Structs."""

_encoder = msgspec.json.Encoder()
_EXACT = 10**15  # what has more digits a reader of JSON may round


def is_wide(column: Column) -> bool:
    """Return whether a column's numbers are written as texts: by what it can hold, whatever these rows hold."""
    return isinstance(column, (Integer, Decimal)) and max(-column.low, column.high) >= _EXACT


def json_structs(table: Table, columns: dict[str, Column]) -> list[Struct]:
    """Return rows as a table's Structs, in which each value is one that is encoded as a snapshot's JSON has it."""
    values = [json_values(column, column.tolist()) for column in columns.values()]
    return [table.record(*row) for row in zip(*values, strict=True)]


def block_structs(table: Table, block: Block) -> list[Struct]:
    """Return a table's rows over a block, as `json_structs` does."""
    values = [json_values(column, block.values(column)) for column in table.columns(block).values()]
    return [table.record(*row) for row in zip(*values, strict=True)]


def json_texts(table: Table, block: Block, structs: Structs) -> list[bytes]:
    """Return a table's rows over a block, each as a JSON object."""
    return json_lines(structs(table, block))


def json_lines(rows: Sequence[Struct]) -> list[bytes]:
    """Return rows, each as a JSON object."""
    # In one call: JSON has no line end within a text.
    return _encoder.encode_lines(rows).split(b"\n")[:-1]


def json_values(column: Column, values: list[Any]) -> list[Any]:
    """Return values of a column as those that are encoded as a snapshot's JSON has them."""
    wide = is_wide(column)
    if not wide and not isinstance(column, Decimal):
        return values
    # By the format: Python's own text of a small decimal has an exponent.
    form = "f" if isinstance(column, Decimal) else "d"
    texts = [None if value is None else format(value, form) for value in values]
    return texts if wide else [None if text is None else Raw(text.encode()) for text in texts]


def json_value(column: Column, value: Any) -> Any:
    """Return a value that stands in a column's place, also one of another type, as `json_values` does."""
    is_number = isinstance(value, (int, decimal.Decimal)) and not isinstance(value, bool)
    return json_values(column, [value])[0] if is_number else value
