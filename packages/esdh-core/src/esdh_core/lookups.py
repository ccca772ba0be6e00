"""Curated tables as data files, each with its source; any change is a new dataset version."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import msgspec

from esdh_core.errors import LookupTableError

__all__ = ["LookupTable", "load_table"]

T = TypeVar("T")


class LookupTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One lookup table: named columns over rows, and where they come from."""

    table: str
    description: str
    source: str
    renew: str
    columns: list[str]
    rows: list[list[Any]]
    sha256: str = ""

    def texts(self, column: str) -> list[str]:
        """Return a column of text."""
        return self._column(column, str)

    def integers(self, column: str) -> list[int]:
        """Return a column of integers."""
        return self._column(column, int)

    def text_lists(self, column: str) -> list[list[str]]:
        """Return a column of lists of text."""
        return self._column(column, list[str])

    def ranges(self, column: str) -> list[list[tuple[int, int]]]:
        """Return a column of lists of (first, last) ranges, both ends included."""
        return self._column(column, list[tuple[int, int]])

    def _column(self, column: str, kind: type[T]) -> list[T]:
        if column not in self.columns:
            known = ", ".join(self.columns)
            raise LookupTableError(f"lookup table {self.table!r} has no column {column!r}; it has {known}")
        at = self.columns.index(column)
        try:
            return msgspec.convert([row[at] for row in self.rows], list[kind])  # type: ignore[valid-type] # a type as a value
        except (msgspec.ValidationError, IndexError) as error:
            raise LookupTableError(f"lookup table {self.table!r}, column {column!r}: {error}") from error


_decoder = msgspec.json.Decoder(LookupTable)


@cache
def load_table(package: str, name: str) -> LookupTable:
    """Return a lookup table that a package ships as `<name>.json`, with the SHA-256 of its file.

    Raises LookupTableError when the installation lacks it or when it isn't shaped as a table.
    """
    try:
        data = (files(package) / f"{name}.json").read_bytes()
        table = _decoder.decode(data)
    except (OSError, msgspec.DecodeError) as error:
        raise LookupTableError(
            f"lookup table {name!r} can't be read ({error}); reinstall {package.partition('.')[0].replace('_', '-')}"
        ) from error
    return msgspec.structs.replace(table, sha256=hashlib.sha256(data).hexdigest())
