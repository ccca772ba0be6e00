"""A block at hand: its columns, and what is made of them once, however many fields and formats want it."""

from typing import TYPE_CHECKING

from esdh_core.columns import Coded, Column, Joined
from esdh_core.rules import Entity

from esdh_export.digest import column_digest

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BlockArrays"]


class BlockArrays:
    """The Arrow arrays and column digests of one block, each made once however many fields share a column."""

    def __init__(self, columns: dict[str, dict[str, Column]]) -> None:
        """Take the columns of a block by plural entity name, as `generate_columns` returns them."""
        self.columns = columns
        # By the identity of the column, which lives as long as this object.
        self._arrays: dict[int, pa.Array] = {}
        self._dictionaries: dict[int, pa.DictionaryArray] = {}
        self._digests: dict[int, bytes] = {}

    def array(self, column: Column) -> "pa.Array":
        """Return the column's Arrow array, of plain values."""
        if id(column) not in self._arrays:
            from esdh_export.arrow import array

            self._arrays[id(column)] = array(column)
        return self._arrays[id(column)]

    def stored(self, column: Column) -> "pa.Array":
        """Return the column as Parquet stores it: texts out of a vocabulary by their indices in a dictionary."""
        if not isinstance(column, Coded):
            return self.array(column)
        if id(column) not in self._dictionaries:
            from esdh_export.arrow import dictionary_array

            self._dictionaries[id(column)] = dictionary_array(column)
        return self._dictionaries[id(column)]

    def digest(self, column: Column) -> bytes:
        """Return the column's digest."""
        if id(column) not in self._digests:
            if (
                isinstance(column, Joined) and id(column) in self._arrays
            ):  # then its text is put together already
                from esdh_export.arrow import array_digest

                self._digests[id(column)] = array_digest(self._arrays[id(column)])
            else:
                self._digests[id(column)] = column_digest(column)
        return self._digests[id(column)]

    def digests(self, entity: Entity) -> list[bytes]:
        """Return an entity's column digests, in field order."""
        return [self.digest(column) for column in self.columns[entity.plural].values()]
