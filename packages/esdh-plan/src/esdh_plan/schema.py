"""JSON Schema (2020-12) from Structs, for editors that complete and check what the reader reads."""

from collections.abc import Mapping
from decimal import Decimal
from types import NoneType
from typing import Any, Final, Literal, Union

from esdh_plan.kinds import FieldKind, Kind, fields_of, kind_of

__all__ = ["DIALECT", "Definitions"]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TYPES: Final = {
    bool: "boolean",
    Decimal: "number",
    float: "number",
    int: "integer",
    NoneType: "null",
    str: "string",
}
_BOUNDS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "pattern": "pattern",
}
_LENGTHS: Final = {str: "Length", list: "Items", tuple: "Items", dict: "Properties"}


class Definitions:
    """Collects the schemas of Structs by their names, for `$defs`."""

    def __init__(self) -> None:
        self.schemas: dict[str, dict[str, Any]] = {}

    def of(self, form: Any) -> dict[str, Any]:
        """Return the schema of a type; Structs are put under `schemas` and referred to."""
        return self._of(kind_of(form))

    def properties(self, fields: Mapping[str, FieldKind]) -> dict[str, Any]:
        """Return the schemas of fields."""
        return {key: self._of(field.kind) for key, field in fields.items()}

    def _of(self, kind: Kind) -> dict[str, Any]:
        schema = self._bare(kind)
        if (description := kind.say("description")) is not None:
            schema["description"] = description
        return schema

    def _bare(self, kind: Kind) -> dict[str, Any]:
        if kind.base is Union:
            options = [self._bare(option) for option in kind.options]
            return options[0] if len(options) == 1 else {"anyOf": options}
        if kind.base is Literal:
            return {"enum": list(kind.args)}
        if kind.is_scalar:
            return dict(kind.base.schema)
        if kind.is_struct:
            return self._reference(kind.base)
        schema: dict[str, Any] = {"type": _TYPES.get(kind.base, "object" if kind.base is dict else "array")}
        said = {word: kind.say(name) for name, word in _BOUNDS.items()}
        if length := _LENGTHS.get(kind.base):
            said |= {f"min{length}": kind.say("min_length"), f"max{length}": kind.say("max_length")}
        schema |= {word: value for word, value in said.items() if value is not None}
        if kind.base is dict:
            schema |= self._names(kind.args[0]) | {"additionalProperties": self._of(kind.args[1])}
        elif kind.base is list:
            schema["items"] = self._of(kind.args[0])
        elif kind.base is tuple:
            items = [self._of(item) for item in kind.args]
            schema |= {"prefixItems": items, "minItems": len(items), "items": False}
        return schema

    def _names(self, kind: Kind) -> dict[str, Any]:
        """Return what a schema says of keys, which are text in JSON."""
        if kind.base is int:
            return {"propertyNames": {"pattern": "^-?[0-9]+$"}}
        if kind.base is str and (pattern := kind.say("pattern")):
            return {"propertyNames": {"pattern": pattern}}
        return {}

    def _reference(self, struct: Any) -> dict[str, Any]:
        name = struct.__name__
        if name not in self.schemas:
            self.schemas[name] = {}  # before its fields, which may hold it again
            fields = fields_of(struct)
            required = [key for key, field in fields.items() if field.required]
            self.schemas[name] = {
                "type": "object",
                "description": (struct.__doc__ or "").strip(),
                "properties": self.properties(fields),
                **({"required": required} if required else {}),
                "additionalProperties": False,
                **getattr(struct, "schema_extra", {}),
            }
        return {"$ref": f"#/$defs/{name}"}
