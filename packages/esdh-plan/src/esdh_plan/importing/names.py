"""Names of a source as a plan takes them."""

import keyword
import re
from collections.abc import Container

from esdh_plan.language import RESERVED_NAMES, RESERVED_TABLES

__all__ = ["dataset_name", "field_name", "table_name"]

_MOST_LENGTH = 63
_MOST_DATASET = 32


def dataset_name(stem: str) -> str:
    """Return a file's stem as the name of a dataset."""
    return _plain(stem)[:_MOST_DATASET].rstrip("_") or "imported"


def table_name(written: str, taken: Container[str]) -> str:
    """Return a table's name: the written one if a plan takes it, else what is nearest."""
    return _free(written, taken, RESERVED_NAMES | RESERVED_TABLES)


def field_name(written: str, taken: Container[str]) -> str:
    """Return a column's name: the written one if a plan takes it, else what is nearest."""
    return _free(written, taken, RESERVED_NAMES | {"synthetic_source"})


def _free(written: str, taken: Container[str], reserved: Container[str]) -> str:
    name = _plain(written)[:_MOST_LENGTH]
    if name in reserved or keyword.iskeyword(name):
        name = f"{name[: _MOST_LENGTH - 1]}_"
    number, base = 2, name
    while name in taken:
        end = f"_{number}"
        name, number = f"{base[: _MOST_LENGTH - len(end)]}{end}", number + 1
    return name


def _plain(written: str) -> str:
    """Return a name in lower case, its words divided by `_`: `OrderID` is `order_id`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", written)
    name = re.sub(
        r"[^a-z0-9]+" if re.search(r"[^A-Za-z0-9_]|[A-Z]", written) else r"[^a-z0-9_]+", "_", words.lower()
    )
    name = name.strip("_") if name != written else name
    return name if re.match(r"[a-z]", name) else f"x_{name}".rstrip("_")
