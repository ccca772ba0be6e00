"""What a Struct says of each of its fields: the schema that files, descriptors, checks and documents follow."""

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect

__all__ = ["FieldSchema", "record_schema"]

_TYPES: dict[type[inspect.Type], str] = {
    inspect.StrType: "string",
    inspect.LiteralType: "string",
    inspect.IntType: "integer",
    inspect.DecimalType: "decimal",
    inspect.BoolType: "boolean",
    inspect.DateType: "date",
    inspect.DateTimeType: "timestamp",
}
_OWN_KEYWORDS = ("type", "format", "description")


class FieldSchema(msgspec.Struct, frozen=True):
    """One field: its type (string, integer, decimal, boolean, date or timestamp) and whether it may be null.

    `scale` is a decimal's number of digits after the point; `constraints` are those of JSON Schema.
    """

    name: str
    type: str
    nullable: bool
    scale: int
    description: str
    constraints: dict[str, Any]


@lru_cache(maxsize=1024)
def record_schema(record: type[msgspec.Struct]) -> tuple[FieldSchema, ...]:
    """Return the fields of a Struct, in order.

    A decimal's scale stands in its annotation, as `Meta(extra={"scale": 2})`.

    Raises TypeError for a field of another type.
    """
    described = inspect.type_info(record)
    (_,), components = msgspec.json.schema_components([record])
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"{record!r} is no Struct")
    properties: dict[str, dict[str, Any]] = components[record.__name__]["properties"]
    return tuple(_field(field, properties[field.name]) for field in described.fields)


def _field(field: inspect.Field, schema: dict[str, Any]) -> FieldSchema:
    branches, scale = _branches(field.type)
    kinds = [branch for branch in branches if not isinstance(branch, inspect.NoneType)]
    if len(kinds) != 1 or type(kinds[0]) not in _TYPES:
        raise TypeError(f"field {field.name!r} has a type that no column has")
    value = next(branch for branch in schema.get("anyOf", [schema]) if branch.get("type") != "null")
    return FieldSchema(
        name=field.name,
        type=_TYPES[type(kinds[0])],
        nullable=len(kinds) < len(branches),
        scale=scale,
        description=schema.get("description", ""),
        constraints={key: each for key, each in value.items() if key not in _OWN_KEYWORDS},
    )


def _branches(kind: inspect.Type) -> tuple[list[inspect.Type], int]:
    """Return the types that a field may have, out of the unions and annotations around them, and its scale."""
    if isinstance(kind, inspect.Metadata):
        branches, scale = _branches(kind.type)
        return branches, (kind.extra or {}).get("scale", scale)
    if isinstance(kind, inspect.UnionType):
        parts = [_branches(branch) for branch in kind.types]
        return [branch for branches, _ in parts for branch in branches], max(scale for _, scale in parts)
    return [kind], 0
