"""Questions to the values of rows, asked once for each value where rows are columns that were made.

A column of codes has few values, a column that several fields share is one, and text that is put together of parts needn't
be. Of rows that were read every value is asked.
"""

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import prod
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, ref

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core.columns import Categorical, Categories, Column, Concat, FixedText, Integer, Numbers
from esdh_export import array
from esdh_export.encoding.buffers import integer_array, null_mask, text_array, truth_array, truths
from esdh_export.encoding.categories import categories_array
from numpy.typing import NDArray

from esdh_proof.checks.finding import Mask, differing
from esdh_proof.reading import Rows

__all__ = [
    "Values",
    "differs_from",
    "differs_from_source",
    "failing",
    "matrix_of",
    "nulls",
    "parts_at_blank",
    "per_row",
    "split_at_blank",
    "unlike",
    "values_of",
]

_MOST_COMBINATIONS = 1 << 16  # of values, as many as a block has rows
_FEW_COMBINATIONS = 1 << 12  # that are asked at once, whether or not they occur
_MOST_NUMBERS = 1 << 12  # of a range that is taken for codes
# What was answered of values, for as long as the first of their categories lives.
_answers: "WeakKeyDictionary[Categories, dict[Hashable, _Answers]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Values:
    """The values of a field, or a part of each: the column where it was made, and the Arrow array on demand."""

    column: Column | None
    array: Callable[[], pa.Array]


def values_of(rows: Rows, field: str) -> Values:
    """Return the values of a field."""
    return Values(rows.column(field), lambda: rows.arrays[field])


def failing(
    rows: Rows, wrong: Callable[..., Mask], *values: str | Values, key: Hashable | None = None
) -> Mask:
    """Return which rows fail `wrong`, a function of the arrays of some fields, row by row; `key` as in `per_row`."""
    mask: Mask = per_row(rows, wrong, *values, key=key)
    return mask


def per_row(
    rows: Rows, function: Callable[..., NDArray[Any]], *values: str | Values, key: Hashable | None = None
) -> NDArray[Any]:
    """Return what a function of some arrays gives for each row: of fields of the rows, or other values of as many rows.

    What it gives for a row must follow from the values of the row. `key` tells it from other functions; a function of a
    module tells itself.
    """
    of = [values_of(rows, each) if isinstance(each, str) else each for each in values]
    columns = [each.column for each in of if each.column is not None]
    if len(columns) < len(of):
        return function(*(each.array() for each in of))
    known = (key or function, *map(id, columns))
    if known not in rows.memo:
        answer = _by_code(columns, function, key or function)
        if answer is None:
            answer = function(*(each.array() for each in of))
        rows.memo[known] = answer
    result: NDArray[Any] = rows.memo[known]
    return result


class _Codes(NamedTuple):
    """A column as numbers of its values: `group` is the same where the numbers are, `name` tells the values."""

    numbers: NDArray[np.integer]
    values: pa.Array
    group: int
    name: Hashable


def _codes(column: Column) -> _Codes | None:
    """Return a column as numbers of its values; None where it has none, or the values are many."""
    if isinstance(column, Categorical):
        categories = column.categories
        return _Codes(column.codes, categories_array(categories), id(column.codes), ref(categories))
    if isinstance(column, Integer) and column.valid is None and column.high - column.low < _MOST_NUMBERS:
        values = integer_array(np.arange(column.low, column.high + 1, dtype=np.int64))
        return _Codes(column.values - column.low, values, id(column), (column.low, column.high))
    return None


def _by_code(
    columns: Sequence[Column], function: Callable[..., NDArray[Any]], key: Hashable
) -> NDArray[Any] | None:
    """Return what a function gives for each row, out of what it gives for combinations of values; None where these are many."""
    owner = next((each.categories for each in columns if isinstance(each, Categorical)), None)
    codes = [each for each in map(_codes, columns) if each is not None]
    if owner is None or len(codes) < len(columns):
        return None
    groups = {each.group: each for each in codes}  # some share their numbers
    sizes = {group: len(each.values) for group, each in groups.items()}
    if prod(sizes.values()) > _MOST_COMBINATIONS or any(
        len(each.values) != sizes[each.group] for each in codes
    ):
        return None
    places = {group: place for place, group in enumerate(groups)}
    known = (key, *((places[each.group], each.name) for each in codes))
    answers = _answers.setdefault(owner, {})

    def ask(combinations: NDArray[np.intp]) -> NDArray[Any]:
        numbers = np.unravel_index(combinations, tuple(sizes.values()))
        return function(*(each.values.take(integer_array(numbers[places[each.group]])) for each in codes))

    if known not in answers:
        answers[known] = _Answers(prod(sizes.values()), ask)
    return answers[known].of(list(groups.values()), ask)


class _Answers:
    """What a function gives for combinations of values: for all of few, for those that occurred of many."""

    def __init__(self, size: int, ask: Callable[[NDArray[np.intp]], NDArray[Any]]) -> None:
        few = size <= _FEW_COMBINATIONS
        answer = ask(np.arange(size if few else 1))
        self._answer = answer if few else np.zeros(size, dtype=answer.dtype)
        self._answered = None if few else np.zeros(size, dtype=np.bool_)
        self._none_fails = few and answer.dtype == np.bool_ and not answer.any()

    def of(self, groups: list[_Codes], ask: Callable[[NDArray[np.intp]], NDArray[Any]]) -> NDArray[Any]:
        """Return the answer for each row."""
        first, *others = groups
        if self._none_fails:
            return np.zeros(len(first.numbers), dtype=np.bool_)
        combined = first.numbers.astype(np.intp)
        for each in others:
            combined = combined * len(each.values) + each.numbers
        if self._answered is not None and not self._answered.take(combined).all():
            occur = np.zeros_like(self._answered)
            occur[combined] = True
            new = np.flatnonzero(occur & ~self._answered)
            self._answer[new] = ask(new)
            self._answered[new] = True
        return self._answer.take(combined)


def nulls(rows: Rows, field: str) -> Mask:
    """Return which values of a field are null."""
    column = rows.column(field)
    if column is None:
        return null_mask(rows.arrays[field])
    if isinstance(column, Categorical):
        return per_row(rows, null_mask, field)
    return np.zeros(len(rows), dtype=np.bool_) if column.valid is None else ~column.valid


def unlike(rows: Rows, field: str, pattern: str) -> Mask:
    """Return which texts of a field a regular expression doesn't match; a null is unlike any."""
    column = rows.column(field)
    if isinstance(column, FixedText) and column.valid is None:
        known = "unlike", pattern, id(column)
        if known not in rows.memo and (places := _places(pattern)) is not None:
            rows.memo[known] = _unlike_places(column.matrix, *places)
        if known in rows.memo:
            mask: Mask = rows.memo[known]
            return mask
    return failing(rows, partial(_unlike, pattern=pattern), field, key=("unlike", pattern))


def _unlike(texts: pa.Array, *, pattern: str) -> Mask:
    return ~truths(pc.match_substring_regex(texts, pattern)) | null_mask(texts)


_PLACE = re.compile(r"(?:\[([^\]\\^]+)\]|([0-9A-Za-z-]))(?:\{([0-9]+)\})?")


@lru_cache(maxsize=64)
def _places(pattern: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8], bool] | None:
    """Return a pattern of texts of one width as bits: those of the characters, and the one that each place needs.

    The last says whether a text ends after these places. None for a pattern of another form, or of more than eight sets
    of characters.
    """
    sets: list[str] = []
    needed: list[int] = []
    whole = pattern.endswith("$")
    at, end = 1, len(pattern) - whole
    while at < end:
        place = _PLACE.match(pattern, at, end)
        if place is None:
            return None
        characters = place[2] or "".join(
            "".join(map(chr, range(ord(first), ord(last or first) + 1)))
            for first, last in re.findall("(.)(?:-(.))?", place[1])
        )
        if characters not in sets:
            sets.append(characters)
        needed += [sets.index(characters)] * int(place[3] or 1)
        at = place.end()
    if pattern[:1] != "^" or not needed or len(sets) > 8:
        return None
    bits = np.zeros(256, dtype=np.uint8)
    for number, characters in enumerate(sets):
        bits[[ord(character) for character in characters]] |= np.uint8(1 << number)
    return bits, np.array([1 << number for number in needed], dtype=np.uint8), whole


def _unlike_places(
    matrix: NDArray[np.uint8], bits: NDArray[np.uint8], needed: NDArray[np.uint8], whole: bool
) -> Mask:
    width = matrix.shape[1]
    if width < len(needed) or (whole and width > len(needed)):
        return np.ones(len(matrix), dtype=np.bool_)
    # `translate` looks a byte up many times as fast as NumPy takes by one.
    found = np.frombuffer(matrix[:, : len(needed)].tobytes().translate(bits.tobytes()), dtype=np.uint8)
    fits = found.reshape(-1, len(needed)) & needed
    if not len(fits) or fits.min():
        return np.zeros(len(matrix), dtype=np.bool_)
    wrong: Mask = (fits == 0).any(axis=1)
    return wrong


def differs_from(rows: Rows, field: str, expected: FixedText) -> Mask:
    """Return which values of a field differ from texts of one width, of as many rows."""
    column = rows.column(field)
    if (
        isinstance(column, FixedText)
        and column.valid is None
        and column.matrix.shape == expected.matrix.shape
    ):
        if column.matrix is expected.matrix or np.array_equal(column.matrix, expected.matrix):
            return np.zeros(len(rows), dtype=np.bool_)
        wrong: Mask = (column.matrix != expected.matrix).any(axis=1)
        return wrong
    return differing(rows.arrays[field], array(expected))


def differs_from_source(
    rows: Rows, field: str, source: Rows, of: str, positions: NDArray[np.intp] | None
) -> Mask | None:
    """Return which copies differ from their source, known from columns alone; None where the values must be compared.

    `positions` are those of each row's source, None where the rows are one to one.
    """
    copy, original = rows.column(field), source.column(of)
    if copy is None or original is None:
        return None
    same = copy is original and positions is None
    match copy, original:
        case Categorical(), Categorical() if copy.categories is original.categories:
            codes = original.codes if positions is None else original.codes.take(positions)
            same = same or np.array_equal(copy.codes, codes)
        case FixedText(valid=None), FixedText(valid=None):
            matrix = original.matrix if positions is None else original.matrix.take(positions, axis=0)
            same = same or np.array_equal(copy.matrix, matrix)
        case Numbers(valid=None), Numbers(valid=None) if type(copy) is type(original):
            numbers = original.values if positions is None else original.values.take(positions)
            same = same or np.array_equal(copy.values, numbers)
    return np.zeros(len(rows), dtype=np.bool_) if same else None


def matrix_of(rows: Rows, field: str, width: int) -> NDArray[np.uint8] | None:
    """Return the characters of texts that were made in one width, shape (n, width); None for any others."""
    column = rows.column(field)
    fits = isinstance(column, FixedText) and column.valid is None and column.matrix.shape[1] == width
    return column.matrix if fits and isinstance(column, FixedText) else None


def parts_at_blank(rows: Rows, field: str) -> tuple[Values, Values] | None:
    """Return what stands before and after the first blank of texts that were made of two parts; None for any others."""
    column = rows.column(field)
    if not isinstance(column, Concat) or len(column.parts) != 3 or column.parts[1] != " ":
        return None
    first, _, second = column.parts
    if isinstance(first, str) or isinstance(second, str) or _has_blank(first):
        return None
    return _values_of_part(first), _values_of_part(second)


def _values_of_part(part: Column) -> Values:
    return Values(part, lambda: array(part.text() if isinstance(part, Integer) else part))


def split_at_blank(rows: Rows, field: str) -> tuple[Values, Values]:
    """Return what stands before and after the first blank of each text; twice nothing of a text without a blank."""
    if (parts := parts_at_blank(rows, field)) is not None:
        return parts
    before, after = _split(rows.arrays[field])
    return Values(None, lambda: before), Values(None, lambda: after)


def _has_blank(column: Column) -> bool:
    if isinstance(column, Categorical):
        return any(" " in (value or " ") for value in column.categories.values)
    return not isinstance(column, Integer | FixedText) or column.valid is not None


def _split(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    blank = truths(pc.match_substring(texts, " ")) | null_mask(texts)
    if not blank.all():
        texts = pc.if_else(truth_array(blank), texts, text_array([" "], texts.type)[0])
    parts = pc.split_pattern(texts, " ", max_splits=1)
    return pc.list_element(parts, 0), pc.list_element(parts, 1)
