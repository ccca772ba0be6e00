"""What the sources in JSON and YAML share: values of the right kind or one sentence, and columns by logical types."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from esdh_plan.errors import display
from esdh_plan.expressions import Kind
from esdh_plan.importing.errors import ImportSourceError
from esdh_plan.importing.model import SourceColumn
from esdh_plan.rules.pattern import Pattern

__all__ = ["described_column", "json_document", "list_at", "mapping", "names", "text_at"]

_MOST_BRACKETS: Final = 100  # how deep JSON may be nested: Python's reader works by recursion
_KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("string", "any", "default"), "string"),
    **dict.fromkeys(("integer", "year"), "integer"),
    **dict.fromkeys(("number", "decimal"), "decimal"),
    "boolean": "boolean",
    "date": "date",
    **dict.fromkeys(("datetime", "date-time", "timestamp"), "timestamp"),
}
_BOUNDS: Final = {
    "minimum": ("low", 0),
    "maximum": ("high", 0),
    "exclusiveMinimum": ("low", 1),
    "exclusiveMaximum": ("high", -1),
}


def json_document(text: str) -> dict[str, Any]:
    """Return the object that a JSON text is, numbers exact."""
    if max(text.count("["), text.count("{")) > _MOST_BRACKETS and _depth(text) > _MOST_BRACKETS:
        raise ImportSourceError(f"it is nested more than {_MOST_BRACKETS} deep")
    try:
        return mapping(json.loads(text, parse_float=Decimal), "the document")
    except json.JSONDecodeError as error:
        raise ImportSourceError(
            f"it isn't JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except ValueError as error:  # a whole number of thousands of digits
        if isinstance(error, ImportSourceError):
            raise
        raise ImportSourceError(f"it isn't JSON that can be read: {error}") from None


def _depth(text: str) -> int:
    depth = most = 0
    for sign in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        depth += (sign in "[{") - (sign in "]}")
        most = max(most, depth)
    return most


def mapping(value: Any, what: str) -> dict[str, Any]:
    """Return a value that is keys and values; `what` says in the error what isn't."""
    if not isinstance(value, dict):
        raise ImportSourceError(f"{what} is {display(value)}; it must be keys and values")
    return value


def list_at(of: Mapping[str, Any], key: str, what: str) -> list[Any]:
    """Return the list at a key, an empty one where there is none."""
    value = of.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ImportSourceError(f"{key!r} of {what} is {display(value)}; it must be a list")
    return value


def text_at(of: Mapping[str, Any], key: str, what: str) -> str:
    """Return the text at a key, which must be there."""
    value = of.get(key)
    if not isinstance(value, str) or not value:
        raise ImportSourceError(f"{key!r} of {what} is {display(value)}; it must be text")
    return value


def names(value: Any, what: str) -> tuple[str, ...]:
    """Return one name or a list of names as names."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise ImportSourceError(f"{what} is {display(value)}; it must be a name or a list of names")
    return tuple(listed)


def described_column(
    name: str, type_text: str, said: Mapping[str, Any], *, written: str = ""
) -> SourceColumn:
    """Return a column by its logical type and what is said of it, in JSON Schema's words.

    `written` is the type of the store, such as `varchar(20)`, whose numbers are lengths and digits.
    """
    column = SourceColumn(name, written or type_text, _KINDS.get(type_text))
    if type_text == "string" and said.get("format") in ("date", "date-time", "time", "uuid", "binary"):
        column.kind, column.type_text = _KINDS.get(said["format"]), said["format"]
    numbers = [int(number) for number in re.findall(r"\d{1,9}", written.partition("(")[2])]
    if column.kind == "decimal":
        column.digits, column.scale = (*numbers, None, None)[:2] if len(numbers) == 2 else (15, 2)
        column.scale = min(column.scale or 0, 18)
    elif column.kind == "string" and numbers:
        column.length = numbers[0]
    if isinstance(said.get("maxLength"), int):
        column.length = min(said["maxLength"], column.length or said["maxLength"])
        column.fixed_length = said.get("minLength") == column.length
    _take_values(column, said)
    _take_bounds(column, said)
    if isinstance(said.get("description"), str):
        column.comment = said["description"] or None
    if said.get("default") is not None:
        column.default = str(said["default"])
    column.nullable = said.get("required") is not True
    column.unique = said.get("unique") is True
    return column


def _take_values(column: SourceColumn, said: Mapping[str, Any]) -> None:
    """Take the labels and the pattern; what a plan can't hold is noted."""
    labels = said.get("enum", [said["const"]] if "const" in said else None)
    if labels is not None:
        labelled = [label for label in labels if label is not None] if isinstance(labels, list) else []
        if labelled and all(isinstance(label, str) for label in labelled):
            column.kind, column.labels = "string", tuple(dict.fromkeys(labelled))
        elif labelled and column.kind == "integer" and all(type(label) is int for label in labelled):
            column.labels = tuple(dict.fromkeys(labelled))
        else:
            column.notes.append(f"the values {display(labels)} aren't held")
    pattern = said.get("pattern")
    if isinstance(pattern, str) and re.match(r"\^?\[0-9a-f\]\{8\}-\[0-9a-f\]\{4\}-", pattern, re.IGNORECASE):
        column.kind, column.type_text = None, "uuid"
    elif isinstance(pattern, str):
        bare = pattern.removeprefix("^").removesuffix("$")
        try:
            Pattern(bare)
        except ValueError:
            column.notes.append(f"the pattern {display(pattern)} isn't held")
        else:
            column.pattern = bare if column.kind == "string" else None


def _take_bounds(column: SourceColumn, said: Mapping[str, Any]) -> None:
    for key, (end, step) in _BOUNDS.items():
        bound = said.get(key)
        if isinstance(bound, bool) or bound is None:
            continue
        if column.kind not in ("integer", "decimal") or not isinstance(bound, int | Decimal):
            column.notes.append(f"{key} {display(bound)} isn't held")
            continue
        smallest = Decimal(1).scaleb(-(column.scale or 0)) if column.kind == "decimal" else 1
        value = bound + step * smallest if step else bound
        setattr(column, end, int(value) if column.kind == "integer" else Decimal(value))
