"""The few kinds of column: how the values of one field over a range of records are held.

A column keeps its values in the form that costs least to make and to render: codes into categories,
ASCII text of one width, small integers, days. Text is written once per category, not once per
row. Columns are immutable by convention; two fields that hold the same values share one column object,
which is how an exporter knows that it need not hash or render them twice.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FOUR_DIGITS",
    "Categorical",
    "Categories",
    "Column",
    "Concat",
    "Date",
    "FixedText",
    "Integer",
    "day_number",
]

_FEW = 4_096  # dates: fewer are written one by one, without a table of all that there can be
_EPOCH = dt.date(1970, 1, 1).toordinal()

_POWERS = np.array([1000, 100, 10, 1])
FOUR_DIGITS = (np.arange(10_000)[:, None] // _POWERS % 10 + ord("0")).astype(np.uint8).view(np.uint32)[:, 0]
"""The text of 0 to 9999 in four digits each, as 32-bit words: NumPy copies a word faster than four characters."""


def day_number(date: dt.date) -> int:
    """Return the days from 1970-01-01 to `date`."""
    return date.toordinal() - _EPOCH


class Categories:
    """The distinct-by-position values that codes point at; `None` is a null.

    Compared and hashed by identity, so that a rendering of it can be cached.
    """

    __slots__ = ("__weakref__", "values")

    def __init__(self, values: Sequence[str | None]) -> None:
        self.values = tuple(values)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Categorical:
    """Text out of few distinct values: `codes`, integers of shape (n,), index `categories`.

    Several columns may share one array of codes with categories of equal length: a city, a state and a
    postal code are three views of the postal code's number.
    """

    codes: NDArray[np.integer]
    categories: Categories

    def __len__(self) -> int:
        return len(self.codes)

    def tolist(self) -> list[str | None]:
        """Return the values as Python objects."""
        values = self.categories.values
        return [values[code] for code in self.codes.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class FixedText:
    """ASCII letters, digits and hyphens of one width: `matrix`, bytes of shape (n, width), C order.

    No format needs to quote or escape such a value.
    """

    matrix: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.matrix)

    def tolist(self) -> list[str]:
        """Return the values as Python objects."""
        text, width = self.matrix.tobytes().decode("ascii"), self.matrix.shape[1]
        return [text[i : i + width] for i in range(0, len(text), width)]


@dataclass(frozen=True, slots=True, eq=False)
class Integer:
    """Integers from `low` to `high`, a range small enough to write out once: `values`, shape (n,).

    `shared`, where given, is the same values as text under codes that other columns have too.
    """

    values: NDArray[np.integer]
    low: int
    high: int
    shared: Categorical | None = None

    def __len__(self) -> int:
        return len(self.values)

    def tolist(self) -> list[int]:
        """Return the values as Python objects."""
        values: list[int] = self.values.tolist()
        return values

    def text(self) -> Categorical:
        """Return the integers in decimal form."""
        return self.shared or Categorical(self.values - self.low, _integer_texts(self.low, self.high))


@dataclass(frozen=True, slots=True, eq=False)
class Date:
    """Dates as days since 1970-01-01, from `low` to `high`: `days`, int32 of shape (n,)."""

    days: NDArray[np.int32]
    low: int
    high: int

    def __len__(self) -> int:
        return len(self.days)

    def tolist(self) -> list[dt.date]:
        """Return the values as Python objects."""
        return [dt.date.fromordinal(day + _EPOCH) for day in self.days.tolist()]

    def text(self) -> FixedText:
        """Return the dates in ISO 8601 form, ten characters each."""
        if len(self.days) < _FEW:
            return FixedText(_iso(self.days))
        table = _date_texts(self.low, self.high)
        return FixedText(table.take(self.days - self.low).view(np.uint8).reshape(-1, 10))


@dataclass(frozen=True, slots=True, eq=False)
class Concat:
    """Text put together from other columns and literals, in order."""

    parts: "tuple[Categorical | Integer | str, ...]"

    def __len__(self) -> int:
        return len(next(part for part in self.parts if not isinstance(part, str)))

    def tolist(self) -> list[str]:
        """Return the values as Python objects."""
        count = len(self)
        pieces = [[part] * count if isinstance(part, str) else part.tolist() for part in self.parts]
        return ["".join(map(str, row)) for row in zip(*pieces, strict=True)]


Column = Categorical | FixedText | Integer | Date | Concat


@lru_cache(maxsize=16)
def _integer_texts(low: int, high: int) -> Categories:
    return Categories([str(n) for n in range(low, high + 1)])


@lru_cache(maxsize=16)
def _date_texts(low: int, high: int) -> NDArray[np.void]:
    return _iso(np.arange(low, high + 1)).view("V10")[:, 0]


def _iso(days: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return days since 1970-01-01 in ISO 8601 form, shape (n, 10)."""
    texts = np.datetime_as_string(days.astype("datetime64[D]"), unit="D").astype("S10")
    return texts.view(np.uint8).reshape(-1, 10)
