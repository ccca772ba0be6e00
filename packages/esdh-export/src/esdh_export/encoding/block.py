"""A block at hand: its columns, and what is made of them once, however many fields and formats want it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from esdh_core import Table
from esdh_core.columns import Categorical, Column, Concat
from esdh_core.overlay import Edits

from esdh_export.encoding.digest import block_digest, column_digest

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["EncodedBlock"]


class EncodedBlock:
    """The Arrow arrays and column digests of one block, each made once however many fields share a column."""

    def __init__(
        self, columns: dict[str, dict[str, Column]], edits: Mapping[str, Edits] | None = None
    ) -> None:
        """Take the columns of a block by table name, as `generate_columns` returns them, and what is wrong with them."""
        self.clean = columns
        self.edits = {table: of for table, of in (edits or {}).items() if of}
        self.columns = {
            table: self.edits[table].written(of) if table in self.edits else of
            for table, of in columns.items()
        }
        # By the identity of the column, which lives as long as this object.
        self._arrays: dict[int, pa.Array] = {}
        self._dictionaries: dict[int, pa.DictionaryArray] = {}
        self._digests: dict[tuple[int, bool], bytes] = {}

    def array(self, column: Column) -> "pa.Array":
        """Return the column's Arrow array, of plain values."""
        if id(column) not in self._arrays:
            from esdh_export.encoding.arrow import array

            self._arrays[id(column)] = array(column)
        return self._arrays[id(column)]

    def dictionary_encoded(self, column: Column) -> "pa.Array":
        """Return the column as Parquet stores it: text out of categories by their indices in a dictionary."""
        if not isinstance(column, Categorical):
            return self.array(column)
        if id(column) not in self._dictionaries:
            from esdh_export.encoding.arrow import dictionary_array

            self._dictionaries[id(column)] = dictionary_array(column)
        return self._dictionaries[id(column)]

    def arrays(self, table: str) -> "list[pa.Array]":
        """Return a table's columns as Parquet stores them, with what is wrong in them."""
        edits = self.edits.get(table, Edits()).cells
        return [
            self._edited(column, edits[field]) if field in edits else self.dictionary_encoded(column)
            for field, column in self.columns[table].items()
        ]

    def _edited(self, column: Column, cells: Mapping[int, Any]) -> "pa.Array":
        from esdh_export.encoding.edits import edited_array

        array = edited_array(self.array(column), cells)
        return array.dictionary_encode() if isinstance(column, Categorical) else array

    def digest(self, column: Column, *, nullable: bool) -> bytes:
        """Return the column's digest, as of a field that may be null or not."""
        key = id(column), nullable
        if key not in self._digests:
            if (
                isinstance(column, Concat) and id(column) in self._arrays
            ):  # then its text is put together already
                from esdh_export.encoding.arrow import array_digest

                self._digests[key] = array_digest(self._arrays[id(column)])
            else:
                self._digests[key] = column_digest(column, nullable=nullable)
        return self._digests[key]

    def digest_of(self, table: Table) -> bytes:
        """Return the digest of a table's block, raw."""
        columns = self.columns[table.name]
        if not len(next(iter(columns.values()))):
            return block_digest([])
        if table.name not in self.edits:
            return block_digest(
                self.digest(columns[field.name], nullable=field.nullable) for field in table.schema
            )
        from esdh_export.encoding.edits import edited_digest

        edits = self.edits[table.name].cells
        return block_digest(
            edited_digest(columns[field.name], edits[field.name], nullable=field.nullable)
            if field.name in edits
            else self.digest(columns[field.name], nullable=field.nullable)
            for field in table.schema
        )
