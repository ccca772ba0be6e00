"""Curated tables as data files, each with its source; any change is a new dataset version."""

import hashlib
from functools import cache
from importlib.resources import files

import msgspec

from esdh_core.errors import LookupTableError

__all__ = ["LookupTable", "load"]


class LookupTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One lookup table: named columns over rows, and where they come from."""

    table: str
    description: str
    source: str
    renew: str
    columns: list[str]
    rows: list[list[msgspec.Raw]]
    sha256: str = ""

    def texts(self, column: str) -> list[str]:
        """Return a column of text."""
        return [msgspec.json.decode(row[self._at(column)], type=str) for row in self.rows]

    def integers(self, column: str) -> list[int]:
        """Return a column of integers."""
        return [msgspec.json.decode(row[self._at(column)], type=int) for row in self.rows]

    def text_lists(self, column: str) -> list[list[str]]:
        """Return a column of lists of text."""
        return [msgspec.json.decode(row[self._at(column)], type=list[str]) for row in self.rows]

    def ranges(self, column: str) -> list[list[tuple[int, int]]]:
        """Return a column of lists of (first, last) ranges, both ends included."""
        return [msgspec.json.decode(row[self._at(column)], type=list[tuple[int, int]]) for row in self.rows]

    def _at(self, column: str) -> int:
        if column not in self.columns:
            raise LookupTableError(f"lookup table {self.table!r} has no column {column!r}; it has {', '.join(self.columns)}")
        return self.columns.index(column)


_decoder = msgspec.json.Decoder(LookupTable)


@cache
def load(name: str) -> LookupTable:
    """Return a lookup table by name, with the SHA-256 of its file.

    Raises LookupTableError when the installation lacks it or when it isn't shaped as a table.
    """
    try:
        data = (files(__name__) / f"{name}.json").read_bytes()
        table = _decoder.decode(data)
    except (OSError, msgspec.DecodeError) as error:
        raise LookupTableError(f"lookup table {name!r} can't be read ({error}); reinstall esdh-core") from error
    return msgspec.structs.replace(table, sha256=hashlib.sha256(data).hexdigest())
