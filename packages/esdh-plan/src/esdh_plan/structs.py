"""A table's Struct: the schema that files, descriptors, checks and documents follow."""

import datetime as dt
import decimal
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from esdh_plan.definitions import Definition

__all__ = ["MARKER", "struct_of"]

MARKER: Final = "synthetic_source"
_MOST_ENUMERATED = 64
_TYPES: Final[Mapping[str, Any]] = {"boolean": bool, "date": dt.date}


def struct_of(name: str, fields: Sequence[tuple[str, Definition, str]], marker: str) -> type[msgspec.Struct]:
    """Return the Struct of a table: its fields with what is made and their descriptions, and the marker last."""
    annotated: list[tuple[str, Any]] = [
        (field, _annotated(definition, description)) for field, definition, description in fields
    ]
    source = Annotated[Literal[marker], Meta(description="The marker that every synthetic row carries")]  # type: ignore[valid-type]  # made here
    return msgspec.defstruct(_title(name), [*annotated, (MARKER, source)], frozen=True)


def _title(name: str) -> str:
    """Return the name of a table's Struct: `a_b` is `AB`; an underscore stays where no letter follows that tells it.

    So no two tables have one, of which an OpenAPI document could show one only.
    """
    return "".join(part.capitalize() if part[:1].isalpha() else f"_{part}" for part in name.split("_"))


def _annotated(definition: Definition, description: str) -> Any:
    bare = _type(definition)
    whole = bare | None if definition.type.nullable else bare
    return Annotated[whole, Meta(description=description)] if description else whole


def _type(definition: Definition) -> Any:
    of = definition.type
    match of.kind:
        case "string":
            if of.labels and len(of.labels) <= _MOST_ENUMERATED:
                return Literal[tuple(of.labels)]
            return Annotated[str, Meta(pattern=definition.pattern)] if definition.pattern else str
        case "integer":
            low, high = of.bounds
            return Annotated[int, Meta(ge=low, le=high)]
        case "decimal":
            return Annotated[decimal.Decimal, Meta(extra={"scale": of.scale})]
        case "timestamp":
            return Annotated[dt.datetime, Meta(tz=True)]
    return _TYPES[of.kind]
