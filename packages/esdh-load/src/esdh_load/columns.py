"""The types of a dataset's columns: what a column must hold, and what each database calls that."""

from typing import NamedTuple

import pyarrow as pa
from esdh_core import Dataset, Table
from esdh_core.columns import Categorical, Column, Decimal, FixedText
from esdh_proof.reading.rows import kinds_of

__all__ = ["EXACT_DIGITS", "FieldType", "column_type", "field_types"]

EXACT_DIGITS = 15
"""The digits that a double, SQLite's only number with a point, gives back as they were."""

_ARROW = {
    "string": pa.string(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
_TYPES = {
    "postgres": {
        "string": "text",
        "integer": "bigint",
        "boolean": "boolean",
        "date": "date",
        "timestamp": "timestamp with time zone",
        "decimal": "numeric(18,{scale})",
    },
    "sqlite": {
        "string": "TEXT",
        "integer": "INTEGER",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
        "decimal": "NUMERIC(18,{scale})",
    },
    "duckdb": {
        "string": "VARCHAR",
        "integer": "BIGINT",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "timestamp": "TIMESTAMP WITH TIME ZONE",
        "decimal": "DECIMAL(18,{scale})",
    },
    "mysql": {
        "string": "TEXT",
        "integer": "BIGINT",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "timestamp": "DATETIME",  # its TIMESTAMP ends in 2038
        "decimal": "DECIMAL(18,{scale})",
    },
}
_LONGEST_KEY = 255  # characters of a text that MySQL is to index and whose rule doesn't bound it


class FieldType(NamedTuple):
    """What a column must hold: one of the types of a dataset.

    `kind` is string, integer, decimal, boolean, date or timestamp; `scale` a decimal's digits after the point,
    `digits` the most that it has in all; `width` the most characters of a text, where that is known.
    """

    kind: str
    scale: int = 0
    digits: int = 18
    width: int | None = None

    @classmethod
    def of(cls, kind: pa.DataType) -> "FieldType":
        """Return the type of values of an Arrow type, as a dataset's schema has it."""
        if pa.types.is_decimal(kind):
            return cls("decimal", kind.scale)
        return cls(next(name for name, arrow in _ARROW.items() if arrow == kind))

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of its values, as a dataset's schema has it."""
        return pa.decimal128(18, self.scale) if self.kind == "decimal" else _ARROW[self.kind]


def field_types(dataset: Dataset, table: Table) -> dict[str, FieldType]:
    """Return the type of each field of a table, in order."""
    kinds = kinds_of(dataset, table)
    return {
        field.name: FieldType(field.type, field.scale, _digits(kinds[field.name]), _width(kinds[field.name]))
        for field in table.schema
    }


def column_type(field: FieldType, dialect: str, *, indexed: bool = False) -> str:
    """Return what our DDL calls a type in a dialect: postgres, sqlite, duckdb or mysql.

    SQLite would round decimals of more than 15 digits, so it has them as texts. MySQL indexes no TEXT, so an
    `indexed` one has a width.

    >>> column_type(FieldType("decimal", scale=2, digits=9), "postgres")
    'numeric(18,2)'
    """
    if dialect == "sqlite" and field.kind == "decimal" and field.digits > EXACT_DIGITS:
        return "TEXT"
    if dialect == "mysql" and field.kind == "string" and (field.width is not None or indexed):
        return f"VARCHAR({_LONGEST_KEY if field.width is None else max(1, field.width)})"
    return _TYPES[dialect][field.kind].format(scale=field.scale)


def _digits(kind: Column) -> int:
    """Return the most digits of a decimal, before and after the point."""
    return len(str(max(abs(kind.low), abs(kind.high)))) if isinstance(kind, Decimal) else 18


def _width(kind: Column) -> int | None:
    """Return the most characters of a text, None where a rule doesn't bound it."""
    match kind:
        case FixedText(matrix):
            return int(matrix.shape[1])
        case Categorical():
            return max((len(text) for text in kind.categories.values if text is not None), default=0)
    return None
