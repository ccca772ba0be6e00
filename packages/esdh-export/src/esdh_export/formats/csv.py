"""CSV: a header, RFC 4180 quoting only where needed, LF line ends, a null is an empty field."""

from collections.abc import Sequence

from esdh_core.rules import Entity

from esdh_export.blocks import BlockArrays
from esdh_export.files import Sink
from esdh_export.rendering import RowRenderer

__all__ = ["CSV", "EXTENSION", "Writer"]

EXTENSION = "csv"
_NEEDS_QUOTES = frozenset('",\r\n')


class _Csv:
    """The CSV dialect."""

    null = b""
    quote = b""

    def before(self, position: int, field: str) -> bytes:  # noqa: ARG002 - the header names the fields
        """Return the separator."""
        return b"," if position else b""

    def end(self) -> bytes:
        """Return the line end."""
        return b"\n"

    def text(self, value: str) -> bytes:
        """Return a field, in quotes where RFC 4180 needs them."""
        if _NEEDS_QUOTES.isdisjoint(value):
            return value.encode()
        return b'"' + value.replace('"', '""').encode() + b'"'

    def part(self, value: str) -> bytes | None:
        """Return a part of a field; one that needs quotes can't be written in parts."""
        return value.encode() if _NEEDS_QUOTES.isdisjoint(value) else None


CSV = _Csv()


class Writer:
    """Writes one entity's blocks to one CSV file."""

    def __init__(self, sink: Sink, entity: Entity, *, seed: int) -> None:  # noqa: ARG002 - the same in every format
        self._sink = sink
        self._entity = entity
        self._renderer = RowRenderer(CSV)
        self._sink.write(_line(entity.fields))

    def write(self, block: BlockArrays) -> None:
        """Append the rows of a block."""
        for rows in self._renderer.render(block.columns[self._entity.plural]):
            self._sink.write(rows)

    def close(self) -> None:
        """Finish the file; CSV needs no ending."""


def _line(values: Sequence[str]) -> bytes:
    return b",".join(map(CSV.text, values)) + b"\n"
