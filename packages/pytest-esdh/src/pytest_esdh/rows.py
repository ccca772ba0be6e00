"""Rows that note which of them a test looks at."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

__all__ = ["Rows"]

T_co = TypeVar("T_co", covariant=True)


class Rows(Sequence[T_co], Generic[T_co]):
    """A sequence of Structs that notes each row that is indexed or iterated over: a failure's report names them.

    It compares with lists, and is immutable; a slice notes what is looked at in it.
    """

    __slots__ = ("_places", "_touch", "_values")

    def __init__(
        self, values: Sequence[T_co], touch: Callable[[int], None], places: range | None = None
    ) -> None:
        """Take the rows, and what is told the place of each that is looked at; `places` of them are these."""
        self._values = values
        self._touch = touch
        self._places = range(len(values)) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows[T_co]": ...
    def __getitem__(self, index: int | slice) -> "T_co | Rows[T_co]":
        if isinstance(index, slice):
            return Rows(self._values, self._touch, self._places[index])
        return self._at(self._places[index])

    def __iter__(self) -> Iterator[T_co]:
        return map(self._at, self._places)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Rows | list | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as a list's

    def __repr__(self) -> str:
        return repr([self._values[place] for place in self._places])

    def _at(self, place: int) -> T_co:
        self._touch(place)
        return self._values[place]
