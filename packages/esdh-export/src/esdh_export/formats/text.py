"""What the text formats have in common: rows in a dialect, appended block by block."""

from typing import ClassVar

from esdh_core import Dataset, Table

from esdh_export.encoding.block import EncodedBlock
from esdh_export.encoding.pieces import Dialect
from esdh_export.encoding.rows import RowRenderer
from esdh_export.io.hashed_file import Sink

__all__ = ["TextWriter"]


class TextWriter:
    """Writes one table's blocks to one file of text; a format gives the dialect, and what stands before the rows."""

    dialect: ClassVar[Dialect]

    def __init__(self, sink: Sink, table: Table, *, dataset: Dataset, seed: int) -> None:  # noqa: ARG002 - as every format's
        self._sink = sink
        self._table = table
        self._renderer = RowRenderer(self.dialect)
        if header := self.header(table):
            self._sink.write(header)

    def header(self, table: Table) -> bytes:  # noqa: ARG002 - for those that have one
        """Return what stands before the rows."""
        return b""

    def write(self, block: EncodedBlock) -> None:
        """Append the rows of a block."""
        columns, edits = block.columns[self._table.name], block.edits.get(self._table.name)
        for rows in (
            self._renderer.render(columns) if edits is None else self._renderer.render_edited(columns, edits)
        ):
            self._sink.write(rows)

    def close(self) -> None:
        """Finish the file; text needs no ending."""
