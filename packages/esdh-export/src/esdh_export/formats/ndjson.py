"""NDJSON: UTF-8 unescaped where JSON allows, no spaces, keys in field order, null written, one object a line."""

import msgspec

from esdh_export.formats.text import TextWriter

__all__ = ["EXTENSION", "MEDIA_TYPE", "NDJSON", "RANK", "JsonRows", "Writer"]

EXTENSION = "ndjson"
MEDIA_TYPE = "application/x-ndjson"
RANK = 3  # as CSV, in more bytes
_NOT_CLOSED = 0  # a way to quote a text badly


class JsonRows:
    """The dialect of JSON objects: what opens and what ends a row is the format's."""

    null = b"null"
    quote = b'"'
    special = b'"\\' + bytes(range(32))

    def __init__(self, *, opening: bytes, ending: bytes) -> None:
        self._opening = opening
        self._ending = ending

    def before(self, position: int, field: str) -> bytes:
        """Return the key, with what separates it from the field or the row before."""
        return (b"," if position else self._opening + b"{") + self.text(field) + b":"

    def end(self) -> bytes:
        """Return the end of the object and of the row."""
        return b"}" + self._ending

    def text(self, value: str) -> bytes:
        """Return a JSON string."""
        return msgspec.json.encode(value)

    def misquoted(self, value: str, way: int) -> bytes:
        """Return a JSON string without its closing quote, or with one quote in it that isn't escaped."""
        middle = len(value) // 2
        before, after = (self.part(each) for each in (value[:middle], value[middle:]))
        return b'"' + before + after if way == _NOT_CLOSED else b'"' + before + b'"' + after + b'"'

    def part(self, value: str) -> bytes:
        """Return the inside of a JSON string; any part of one can be escaped apart from the rest."""
        return msgspec.json.encode(value)[1:-1]


NDJSON = JsonRows(opening=b"", ending=b"\n")


class Writer(TextWriter):
    """Writes one table's blocks to one NDJSON file."""

    dialect = NDJSON
