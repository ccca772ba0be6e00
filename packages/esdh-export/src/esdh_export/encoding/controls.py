"""Finds control characters, which no text of a snapshot has: a line end would make two lines of a row."""

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import numpy as np
from esdh_core.columns import Categorical, Categories, Column, Concat, Text

from esdh_export.errors import ExportError

__all__ = ["check_texts", "control_character"]

_DELETE = 127  # the one control character of ASCII that isn't below the space
_found: WeakKeyDictionary[Categories, str | None] = WeakKeyDictionary()


def check_texts(table: str, columns: Mapping[str, Column]) -> None:
    """Raise ExportError, which names the field, for a text of a table's columns that has a control character."""
    for field, column in columns.items():
        text = control_character(column)
        if text is not None:
            raise ExportError(
                f"{table}.{field} has the text {text!r}, and no text of a snapshot has a control character; "
                "take it out of the rule"
            )


def control_character(column: Column) -> str | None:
    """Return a text of a column that has a control character of ASCII, None where there is none."""
    match column:
        case Categorical(_, categories):
            if categories not in _found:
                _found[categories] = next(filter(_has_control, categories.values), None)
            return _found[categories]
        case Text(data, offsets):
            controls = (data < ord(" ")) | (data == _DELETE)
            if not controls.any():
                return None
            row = int(np.searchsorted(offsets, controls.argmax(), side="right")) - 1
            return data[offsets[row] : offsets[row + 1]].tobytes().decode()
        case Concat(parts):
            texts = (
                part if isinstance(part, str) else control_character(part)
                for part in parts
                if not isinstance(part, str) or _has_control(part)
            )
            return next((text for text in texts if text is not None), None)
    return None  # numbers, and texts of letters, digits and hyphens


def _has_control(value: str | None) -> bool:
    return value is not None and any(c < " " or ord(c) == _DELETE for c in value)
