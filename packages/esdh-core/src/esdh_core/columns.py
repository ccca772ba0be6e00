"""The few kinds of column: how the values of one field over a range of records are held.

A column keeps its values in the form that costs least to make and to render: codes into categories, ASCII text
of one width, numbers. Text is written once per category, not once per row. Columns are immutable by convention;
two fields that hold the same values share one column object, which is how an exporter knows that it need not hash
or render them twice.

Nulls: a category of `None` where there are categories; else `valid`, truths of shape (n,), or None where every
row has a value. The value of a row that isn't valid means nothing.
"""

import datetime as dt
import decimal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FOUR_DIGITS",
    "Boolean",
    "Categorical",
    "Categories",
    "Column",
    "Concat",
    "Date",
    "Decimal",
    "FixedText",
    "Integer",
    "Numbers",
    "Text",
    "Timestamp",
    "concatenate",
    "day_number",
    "take_rows",
]

Mask = NDArray[np.bool_]

_FEW_DATES = 4_096  # dates: fewer are written one by one, without a table of all that there can be
_MOST_DAYS = 200_000  # that a table is made for: five centuries
_EPOCH = dt.date(1970, 1, 1).toordinal()
_UNIX_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EXACT = decimal.Context(prec=40)  # an unscaled value has at most 19 digits

_POWERS = np.array([1000, 100, 10, 1])
FOUR_DIGITS = (np.arange(10_000)[:, None] // _POWERS % 10 + ord("0")).astype(np.uint8).view(np.uint32)[:, 0]
"""The text of 0 to 9999 in four digits each, as 32-bit words: NumPy copies a word faster than four characters."""


def day_number(date: dt.date) -> int:
    """Return the days from 1970-01-01 to `date`."""
    return date.toordinal() - _EPOCH


class Categories:
    """The distinct-by-position values that codes point at; `None` is a null.

    Compared and hashed by identity, so that a rendering of it can be cached. `derived` is what has been made of them, by
    a key of whoever made it: it lives as long as they do.
    """

    __slots__ = ("__weakref__", "_with_null", "derived", "values")

    def __init__(self, values: Sequence[str | None]) -> None:
        self.values = tuple(values)
        self.derived: dict[object, Any] = {}
        self._with_null: Categories | None = None

    def __len__(self) -> int:
        return len(self.values)

    def with_null(self) -> "Categories":
        """Return these values and a null after them: always the same object."""
        if self._with_null is None:
            self._with_null = Categories((*self.values, None))
        return self._with_null


@dataclass(slots=True, eq=False)
class Categorical:
    """Text out of few distinct values: `codes`, integers of shape (n,), index `categories`.

    Several columns may share one array of codes with categories of equal length: a city, a state and a
    postal code are three views of the postal code's number.
    """

    codes: NDArray[np.integer]
    categories: Categories

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def valid(self) -> Mask | None:
        """Which rows have a value, None where all have."""
        nulls = [code for code, value in enumerate(self.categories.values) if value is None]
        if not nulls:
            return None
        valid: Mask = self.codes != nulls[0]
        for code in nulls[1:]:
            valid &= self.codes != code
        return valid

    def take(self, rows: NDArray[np.integer]) -> "Categorical":
        """Return the values of some rows, in their order."""
        return Categorical(self.codes.take(rows), self.categories)

    def masked(self, valid: Mask) -> "Categorical":
        """Return these values, null where `valid` is false."""
        null = len(self.categories)
        return Categorical(
            np.where(valid, self.codes, self.codes.dtype.type(null)), self.categories.with_null()
        )

    def tolist(self) -> list[str | None]:
        """Return the values as Python objects."""
        values = self.categories.values
        return [values[code] for code in self.codes.tolist()]


@dataclass(slots=True, eq=False)
class FixedText:
    """ASCII letters, digits and hyphens of one width: `matrix`, bytes of shape (n, width), C order.

    No format needs to quote or escape such a value.
    """

    matrix: NDArray[np.uint8]
    valid: Mask | None = None

    def __len__(self) -> int:
        return len(self.matrix)

    def take(self, rows: NDArray[np.integer]) -> "FixedText":
        """Return the values of some rows, in their order."""
        return FixedText(self.matrix.take(rows, axis=0), _taken(self.valid, rows))

    def masked(self, valid: Mask) -> "FixedText":
        """Return these values, null where `valid` is false."""
        return FixedText(self.matrix, _both(self.valid, valid))

    def tolist(self) -> list[str | None]:
        """Return the values as Python objects."""
        text, width = self.matrix.tobytes().decode("ascii"), self.matrix.shape[1]
        return _nulled([text[i : i + width] for i in range(0, len(self) * width, width)], self.valid)


@dataclass(slots=True, eq=False)
class Text:
    """Any text: the UTF-8 bytes of row i are `data[offsets[i] : offsets[i + 1]]`; `offsets` are int64 of shape (n + 1,)."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    valid: Mask | None = None

    @classmethod
    def of(cls, values: Sequence[str | None]) -> "Text":
        """Return a column of Python strings and nulls."""
        encoded = [(value or "").encode() for value in values]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(each) for each in encoded], out=offsets[1:])
        valid = (
            None if None not in values else np.array([value is not None for value in values], dtype=np.bool_)
        )
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets, valid)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: NDArray[np.integer]) -> "Text":
        """Return the values of some rows, in their order."""
        lengths = np.diff(self.offsets).take(rows)
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        # Each byte's place in the old data: its place in its own text, after that text's beginning.
        within = np.arange(offsets[-1], dtype=np.int64) - np.repeat(offsets[:-1], lengths)
        data = self.data.take(within + np.repeat(self.offsets[:-1].take(rows), lengths))
        return Text(data, offsets, _taken(self.valid, rows))

    def masked(self, valid: Mask) -> "Text":
        """Return these values, null where `valid` is false."""
        return Text(self.data, self.offsets, _both(self.valid, valid))

    def tolist(self) -> list[str | None]:
        """Return the values as Python objects."""
        data, ends = self.data.tobytes(), self.offsets.tolist()
        texts = [data[begin:end].decode() for begin, end in pairwise(ends)]
        return _nulled(texts, self.valid)


@dataclass(slots=True, eq=False)
class Numbers:
    """Whole numbers from `low` to `high`, whatever they stand for: `values`, shape (n,).

    The bounds hold for every row that there can be, not only for these.
    """

    values: NDArray[np.integer]
    low: int
    high: int
    valid: Mask | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self: "N", rows: NDArray[np.integer]) -> "N":
        """Return the values of some rows, in their order."""
        return self.with_values(self.values.take(rows), _taken(self.valid, rows))

    def masked(self: "N", valid: Mask) -> "N":
        """Return these values, null where `valid` is false."""
        return self.with_values(self.values, _both(self.valid, valid))

    def with_values(self: "N", values: NDArray[np.integer], valid: Mask | None) -> "N":
        """Return other values within the same bounds."""
        return type(self)(values, self.low, self.high, valid)

    def tolist(self) -> list[Any]:
        """Return the values as Python objects."""
        if self.valid is None:
            return self._objects(self.values.tolist())
        # What stands for a null may be no date that there is.
        values = np.where(self.valid, self.values, self.values.dtype.type(self.low)).tolist()
        return _nulled(self._objects(values), self.valid)

    def _objects(self, values: list[int]) -> list[Any]:
        return values


N = TypeVar("N", bound=Numbers)


@dataclass(slots=True, eq=False)
class Integer(Numbers):
    """Integers. `shared`, where given, is the same values as text under codes that other columns have too."""

    shared: Categorical | None = None

    def take(self, rows: NDArray[np.integer]) -> "Integer":
        """Return the values of some rows, in their order."""
        shared = None if self.shared is None else self.shared.take(rows)
        return Integer(self.values.take(rows), self.low, self.high, _taken(self.valid, rows), shared)

    def masked(self, valid: Mask) -> "Integer":
        """Return these values, null where `valid` is false."""
        return Integer(self.values, self.low, self.high, _both(self.valid, valid))

    def text(self) -> Categorical:
        """Return the integers in decimal form, of a range small enough to write out once."""
        if self.shared is not None:
            return self.shared
        texts = Categorical(self.values - self.low, _integer_texts(self.low, self.high))
        return texts if self.valid is None else texts.masked(self.valid)


@dataclass(slots=True, eq=False)
class Decimal(Numbers):
    """Decimals of `scale` digits after the point; values and bounds are unscaled, int64."""

    scale: int = 0

    def with_values(self, values: NDArray[np.integer], valid: Mask | None) -> "Decimal":
        """Return other values within the same bounds."""
        return Decimal(values, self.low, self.high, valid, self.scale)

    def _objects(self, values: list[int]) -> list[Any]:
        return [decimal.Decimal(value).scaleb(-self.scale, _EXACT) for value in values]


@dataclass(slots=True, eq=False)
class Boolean(Numbers):
    """Truths: `values` are 0 or 1, or NumPy's truths."""

    low: int = 0
    high: int = 1

    def _objects(self, values: list[int]) -> list[Any]:
        return list(map(bool, values))


@dataclass(slots=True, eq=False)
class Date(Numbers):
    """Dates as days since 1970-01-01, int32."""

    def _objects(self, values: list[int]) -> list[Any]:
        return [dt.date.fromordinal(day + _EPOCH) for day in values]

    def text(self) -> FixedText:
        """Return the dates in ISO 8601 form, ten characters each."""
        if len(self.values) < _FEW_DATES or self.high - self.low > _MOST_DAYS:
            return FixedText(_iso(self.values), self.valid)
        places = self.values - self.low
        if self.valid is not None:
            places = np.where(self.valid, places, 0)
        table = _date_texts(self.low, self.high)
        return FixedText(table.take(places).view(np.uint8).reshape(-1, 10), self.valid)


@dataclass(slots=True, eq=False)
class Timestamp(Numbers):
    """Instants in UTC as seconds since 1970-01-01T00:00:00Z, int64."""

    def _objects(self, values: list[int]) -> list[Any]:
        return [_UNIX_EPOCH + dt.timedelta(seconds=second) for second in values]


@dataclass(slots=True, eq=False)
class Concat:
    """Text put together from other columns and literals, in order; no part of a valid row is null."""

    parts: "tuple[Categorical | FixedText | Integer | str, ...]"
    valid: Mask | None = None

    def __len__(self) -> int:
        return len(next(part for part in self.parts if not isinstance(part, str)))

    def take(self, rows: NDArray[np.integer]) -> "Concat":
        """Return the values of some rows, in their order."""
        parts = (part if isinstance(part, str) else part.take(rows) for part in self.parts)
        return Concat(tuple(parts), _taken(self.valid, rows))

    def masked(self, valid: Mask) -> "Concat":
        """Return these values, null where `valid` is false."""
        return Concat(self.parts, _both(self.valid, valid))

    def tolist(self) -> list[str | None]:
        """Return the values as Python objects."""
        count = len(self)
        pieces = [[part] * count if isinstance(part, str) else part.tolist() for part in self.parts]
        return _nulled(["".join(map(str, row)) for row in zip(*pieces, strict=True)], self.valid)


Column = Categorical | FixedText | Text | Integer | Decimal | Boolean | Date | Timestamp | Concat


def take_rows(columns: Mapping[str, Column], rows: NDArray[np.integer]) -> dict[str, Column]:
    """Return some rows of columns, in their order; columns that are one, or share their codes, still do."""
    known: dict[int, Any] = {}

    def taken(column: Any) -> Any:
        if id(column) not in known:
            known[id(column)] = of(column)
        return known[id(column)]

    def of(column: Any) -> Any:
        match column:
            case np.ndarray():
                return column.take(rows)
            case Categorical():
                return Categorical(taken(column.codes), column.categories)
            case Concat():
                parts = (part if isinstance(part, str) else taken(part) for part in column.parts)
                return Concat(tuple(parts), _taken(column.valid, rows))
            case Integer(shared=Categorical()):
                values = Integer.take(replace(column, shared=None), rows)
                return replace(values, shared=taken(column.shared))
        return column.take(rows)

    return {name: taken(column) for name, column in columns.items()}


def concatenate(columns: Sequence[Column]) -> Column:
    """Return the rows of some columns of one field, one after another; at least one column.

    TypeError where the columns aren't of one kind.
    """
    first = columns[0]
    if len(columns) == 1:
        return first
    if any(type(column) is not type(first) for column in columns):
        kinds = ", ".join(sorted({type(column).__name__ for column in columns}))
        raise TypeError(f"columns of one field are of one kind, not of {kinds}")
    if isinstance(first, Categorical):
        return _joined_codes([column for column in columns if isinstance(column, Categorical)])
    valid = _joined_masks(columns)
    match first:
        case FixedText():
            matrices = [column.matrix for column in columns if isinstance(column, FixedText)]
            return FixedText(np.concatenate(matrices), valid)
        case Text():
            texts = [column for column in columns if isinstance(column, Text)]
            lengths = np.concatenate([np.diff(column.offsets) for column in texts])
            data = [column.data[column.offsets[0] : column.offsets[-1]] for column in texts]
            return Text(np.concatenate(data), np.concatenate([[0], np.cumsum(lengths)]), valid)
        case Concat(parts):
            of_parts = zip(*(column.parts for column in columns if isinstance(column, Concat)), strict=True)
            joined: list[Any] = [
                part if isinstance(part, str) else concatenate(same)
                for part, same in zip(parts, of_parts, strict=True)
            ]
            return Concat(tuple(joined), valid)
    numbers: Column = _joined_numbers([column for column in columns if isinstance(column, Numbers)], valid)
    return numbers


def _joined_numbers(columns: Sequence[Numbers], valid: Mask | None) -> Any:
    values = np.concatenate([column.values for column in columns])
    low, high = min(column.low for column in columns), max(column.high for column in columns)
    if isinstance(columns[0], Integer):
        shared = [column.shared for column in columns if isinstance(column, Integer) and column.shared]
        codes = _joined_codes(shared) if len(shared) == len(columns) else None
        return Integer(values, low, high, valid, codes)
    return replace(columns[0], values=values, low=low, high=high, valid=valid)


def _joined_codes(columns: Sequence[Categorical]) -> Categorical:
    """Return the rows of some columns; of several categories one is made that has them all."""
    kinds = list(dict.fromkeys(column.categories for column in columns))
    if len(kinds) == 1:
        return Categorical(np.concatenate([column.codes for column in columns]), kinds[0])
    widest = max(kinds, key=len)
    if all(kind is widest or kind.with_null() is widest for kind in kinds):  # codes mean the same in both
        return Categorical(np.concatenate([column.codes for column in columns]), widest)
    firsts = dict(zip(kinds, np.cumsum([0, *map(len, kinds)]).tolist(), strict=False))
    codes = [column.codes.astype(np.int64) + firsts[column.categories] for column in columns]
    return Categorical(np.concatenate(codes), Categories([value for kind in kinds for value in kind.values]))


def _joined_masks(columns: Sequence[Column]) -> Mask | None:
    masks = [column.valid for column in columns]
    if all(mask is None for mask in masks):
        return None
    whole = [
        np.ones(len(column), np.bool_) if mask is None else mask
        for column, mask in zip(columns, masks, strict=True)
    ]
    return np.concatenate(whole)


def _taken(valid: Mask | None, rows: NDArray[np.integer]) -> Mask | None:
    return None if valid is None else valid.take(rows)


def _both(one: Mask | None, other: Mask) -> Mask:
    return other if one is None else one & other


def _nulled(values: list[Any], valid: Mask | None) -> list[Any]:
    if valid is None:
        return values
    return [value if holds else None for value, holds in zip(values, valid.tolist(), strict=True)]


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
