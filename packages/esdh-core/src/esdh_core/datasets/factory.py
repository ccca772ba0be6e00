"""The tables of the default dataset as methods of whatever gives out rows, so that editors and type checkers know them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esdh_core.datasets.v0_1.entities import Person, Profile, Vehicle

__all__ = ["TableMethods"]


class TableMethods:
    """A base for classes whose `__getattr__` gives each table of a dataset as a method."""

    if TYPE_CHECKING:

        def persons(self, records: int = 1) -> Sequence[Person]:
            """Return the persons of the next records."""

        def vehicles(self, records: int = 1) -> Sequence[Vehicle]:
            """Return the vehicles of the next records."""

        def profiles(self, records: int = 1) -> Sequence[Profile]:
            """Return the profiles of the next records."""
