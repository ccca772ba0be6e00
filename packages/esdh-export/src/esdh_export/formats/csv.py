"""CSV: a header, RFC 4180 quoting only where needed, LF line ends; a null is an empty field, an empty text `""`."""

from collections.abc import Sequence

from esdh_export.formats.text import TextWriter

__all__ = ["CSV", "EXTENSION", "MEDIA_TYPE", "RANK", "Writer"]

EXTENSION = "csv"
MEDIA_TYPE = "text/csv"
RANK = 2  # a reader guesses the types
_NOT_CLOSED, _BARE_COMMA = 0, 2  # ways to quote a field badly
_SPECIAL = '",\r\n'
_NEEDS_QUOTES = frozenset(_SPECIAL)


class _Csv:
    """The CSV dialect."""

    null = b""
    quote = b""
    special = _SPECIAL.encode()

    def before(self, position: int, field: str) -> bytes:  # noqa: ARG002 - the header names the fields
        """Return the separator."""
        return b"," if position else b""

    def end(self) -> bytes:
        """Return the line end."""
        return b"\n"

    def text(self, value: str) -> bytes:
        """Return a field, in quotes where RFC 4180 needs them, and where it would read as a null."""
        if value and _NEEDS_QUOTES.isdisjoint(value):
            return value.encode()
        return b'"' + value.replace('"', '""').encode() + b'"'

    def misquoted(self, value: str, way: int) -> bytes:
        """Return a field without its closing quote, with one quote in it that isn't doubled, or with a comma and no quotes."""
        middle = len(value) // 2
        before, after = value[:middle], value[middle:]
        if way == _BARE_COMMA:
            return f"{before},{after}".encode()
        # An odd number of quotes, however many of its own the text has.
        double = [part.replace('"', '""') for part in (before, after)]
        return f'"{"".join(double)}'.encode() if way == _NOT_CLOSED else '"{}"{}"'.format(*double).encode()

    def part(self, value: str) -> bytes | None:
        """Return a part of a field; one that needs quotes can't be written in parts."""
        return value.encode() if _NEEDS_QUOTES.isdisjoint(value) else None


CSV = _Csv()


class Writer(TextWriter):
    """Writes one table's blocks to one CSV file."""

    dialect = CSV

    def header(self, names: Sequence[str]) -> bytes:
        """Return the line of the columns' names."""
        return b",".join(map(CSV.text, names)) + b"\n"
