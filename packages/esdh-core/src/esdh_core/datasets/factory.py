"""The tables of the default dataset as methods of whatever gives out rows, so that editors and type checkers know them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from esdh_core.datasets.v0_1.entities import Person, Profile, Vehicle

__all__ = ["TableMethods"]


class TableMethods:
    """A base for classes that give out rows by `table`."""

    def table(self, name: str, records: int = 1) -> Sequence[Any]:
        """Return the rows of a table in the next records."""
        raise NotImplementedError

    def persons(self, records: int = 1) -> "Sequence[Person]":
        """Return the persons of the next records."""
        return self.table("persons", records)

    def vehicles(self, records: int = 1) -> "Sequence[Vehicle]":
        """Return the vehicles of the next records."""
        return self.table("vehicles", records)

    def profiles(self, records: int = 1) -> "Sequence[Profile]":
        """Return the profiles of the next records."""
        return self.table("profiles", records)
