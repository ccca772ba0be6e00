"""Values as a plan's YAML writes them on one line."""

import re
from typing import Any

__all__ = ["comment", "flow", "scalar"]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?: [A-Za-z0-9_]+)*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def scalar(value: Any) -> str:
    """Return a value as a scalar that is read as it is: text in quotes where it needs them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return "'" + value.replace("'", "''") + "'"


def flow(value: Any) -> str:
    """Return a list or a mapping on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {scalar(inner)}" for key, inner in value.items()) + "}"
    return "[" + ", ".join(map(scalar, value)) + "]"


def comment(text: str) -> str:
    """Return text as one comment."""
    return "# " + " ".join(text.split())
