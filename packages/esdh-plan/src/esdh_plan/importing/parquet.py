"""The schema in a Parquet file's footer as a source: no row is read."""

from pathlib import Path

from esdh_plan.importing.errors import ImportSourceError
from esdh_plan.importing.model import SourceColumn, SourceSchema, SourceTable

__all__ = ["read_parquet"]


def read_parquet(path: Path, name: str) -> SourceSchema:
    """Return the one table that a Parquet file holds, named as the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise ImportSourceError(f"it is no Parquet file: {str(error).splitlines()[0]}") from None
    table = SourceTable(name, [_column(field) for field in schema])
    table.notes.append("a Parquet file tells no keys; say which columns are unique, and what refers to what")
    return SourceSchema(name, [table])


def _column(field: "pa.Field") -> SourceColumn:  # type: ignore[name-defined]  # noqa: F821 - imported where it is needed
    import pyarrow.types as of

    kind = field.type.value_type if of.is_dictionary(field.type) else field.type
    column = SourceColumn(field.name, str(kind), None, nullable=field.nullable)
    if of.is_integer(kind):
        bits = kind.bit_width
        signed = of.is_signed_integer(kind)
        column.kind = "integer"
        if bits < 64:
            column.low, column.high = (
                (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
            )
    elif of.is_decimal(kind):
        column.kind, column.digits, column.scale = "decimal", kind.precision, min(max(kind.scale, 0), 18)
    elif of.is_floating(kind):
        column.kind, column.digits, column.scale = "decimal", 15, 2
        column.notes.append(f"{kind} has no kind of its own; it is a decimal of 2 digits")
    elif of.is_boolean(kind):
        column.kind = "boolean"
    elif of.is_date(kind):
        column.kind = "date"
    elif of.is_timestamp(kind):
        column.kind = "timestamp"
    elif of.is_string(kind) or of.is_large_string(kind) or of.is_string_view(kind):
        column.kind = "string"
    return column
