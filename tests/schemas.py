"""Plans as editors see them, which check them by the JSON Schema of the language."""

import json
from decimal import Decimal
from typing import Any


def as_json(value: Any) -> Any:
    """Return a value of a document as an editor's JSON Schema sees it."""
    if isinstance(value, dict):
        return {json.dumps(key).strip('"'): as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    return float(value) if isinstance(value, Decimal) else value
