"""What the text formats have in common: rows in a dialect, appended block by block."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar, TypeVar

import numpy as np
from esdh_core import Dataset, Table
from esdh_core.columns import Categorical, Categories, Column
from esdh_core.overlay import Edits, FileShape

from esdh_export.encoding.block import EncodedBlock
from esdh_export.encoding.pieces import RowDialect
from esdh_export.encoding.rows import RowRenderer
from esdh_export.io.hashed_file import Sink

__all__ = ["TextWriter"]

_SCHEMAS_OWN = FileShape()
_NOTHING = Categories([None])
T = TypeVar("T")


class TextWriter:
    """Writes one table's blocks to one file of text; a format gives the dialect, and what stands before the rows.

    Columns have the names and places that `shape` gives them; where that ends early, so does the file.
    """

    dialect: ClassVar[RowDialect]

    def __init__(
        self,
        sink: Sink,
        table: Table,
        *,
        dataset: Dataset,  # noqa: ARG002 - as every format's
        seed: int,  # noqa: ARG002 - as every format's
        shape: FileShape = _SCHEMAS_OWN,
    ) -> None:
        self._sink = sink
        self._table = table
        self._shape = shape
        self._last_rows = b""  # of a file that ends early: these aren't written before others follow
        self._renderer = RowRenderer(self.dialect)
        if header := self.header(
            [name for name, _ in _placed(zip(table.fields, table.fields, strict=True), shape, "")]
        ):
            self._sink.write(header)

    def header(self, names: Sequence[str]) -> bytes:  # noqa: ARG002 - for those that have one
        """Return what stands before the rows."""
        return b""

    def write(self, block: EncodedBlock) -> None:
        """Append the rows of a block."""
        columns, edits = block.columns[self._table.name], block.edits.get(self._table.name)
        if self._shape != _SCHEMAS_OWN:
            count = len(next(iter(columns.values())))
            nothing: Column = Categorical(np.zeros(count, dtype=np.int32), _NOTHING)
            columns = dict(_placed(columns.items(), self._shape, nothing))
            edits = None if edits is None else _renamed(edits, dict(self._shape.names))
        for rows in (
            self._renderer.render(columns) if edits is None else self._renderer.render_edited(columns, edits)
        ):
            if not self._shape.ends_early:
                self._sink.write(rows)
            elif len(rows):
                self._sink.write(self._last_rows)
                self._last_rows = bytes(rows)

    def close(self) -> None:
        """Finish the file; text needs no ending."""
        rows = self._last_rows.rstrip(b"\n")
        begin = rows.rfind(b"\n") + 1  # of the last row, which is one line
        self._sink.write(rows[: begin + (len(rows) - begin) // 2])


def _placed(columns: Iterable[tuple[str, T]], shape: FileShape, nothing: T) -> list[tuple[str, T]]:
    """Return what there is of each column under its name in the file, and `nothing` of those that the schema doesn't have."""
    names = dict(shape.names)
    placed = [(names.get(name, name), column) for name, column in columns]
    for place, name in shape.extra:
        placed.insert(place, (name, nothing))
    return placed


def _renamed(edits: Edits, names: dict[str, str]) -> Edits:
    """Return edits by the names that columns have in the file."""
    return replace(
        edits,
        cells={names.get(name, name): of for name, of in edits.cells.items()},
        damage={
            row: [each._replace(field=names.get(each.field, each.field)) for each in of]
            for row, of in edits.damage.items()
        },
    )
