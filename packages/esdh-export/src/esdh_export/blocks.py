"""A block at hand: its columns, and what is made of them once, however many fields and formats want it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from esdh_core.columns import Coded, Column
from esdh_core.rules import Entity

from esdh_export.digest import column_digest

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BlockArrays"]

T = TypeVar("T")


class BlockArrays:
    """The Arrow arrays and column digests of one block, each made once however many fields share a column."""

    def __init__(self, columns: dict[str, dict[str, Column]]) -> None:
        """Take the columns of a block by plural entity name, as `generate_columns` returns them."""
        self.columns = columns
        self._made: dict[tuple[Callable[..., Any], int], Any] = {}

    def _once(self, make: Callable[[Any], T], column: Column) -> T:
        key = make, id(column)  # the columns live as long as this object, so ids stay theirs
        if key not in self._made:
            self._made[key] = make(column)
        made: T = self._made[key]
        return made

    def array(self, column: Column) -> "pa.Array":
        """Return the column's Arrow array, of plain values."""
        from esdh_export.arrow import array

        return self._once(array, column)

    def stored(self, column: Column) -> "pa.Array":
        """Return the column as Parquet stores it: texts out of a vocabulary by their indices in a dictionary."""
        from esdh_export.arrow import dictionary_array

        return self._once(dictionary_array, column) if isinstance(column, Coded) else self.array(column)

    def digest(self, column: Column) -> bytes:
        """Return the column's digest."""
        return self._once(column_digest, column)

    def digests(self, entity: Entity) -> list[bytes]:
        """Return an entity's column digests, in field order."""
        return [self.digest(column) for column in self.columns[entity.plural].values()]
