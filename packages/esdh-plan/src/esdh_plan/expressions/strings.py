"""Text operations over columns: once a category where there are categories, on bytes where there aren't.

Each is written once, over `Text`; categories go through it as a text each, and a column of one width or in parts
keeps that form where the operation allows it. The class of an outcome follows from the classes of the columns alone.
"""

import operator
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from esdh_core.columns import Categorical, Categories, Concat, FixedText, Integer, Text
from numpy.typing import NDArray

__all__ = [
    "COMPARISONS",
    "Column",
    "Mask",
    "Operand",
    "as_column",
    "ascii_only",
    "compared",
    "constant_categories",
    "contained",
    "integers",
    "is_plain",
    "joined",
    "left",
    "lower",
    "luhn",
    "padded",
    "padded_digits",
    "padded_range",
    "right",
    "select",
    "upper",
    "valid_rows",
]

Column = Categorical | FixedText | Text | Concat
Operand = Column | str
Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Longs = NDArray[np.int64]

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}

_CHUNK_BYTES = 1 << 24  # of texts that are laid out in one width at a time
_SIGNIFICANT = frozenset(b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")  # of FixedText

_LOWER, _UPPER = np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8)
_LOWER[ord("A") : ord("Z") + 1] += 32
_UPPER[ord("a") : ord("z") + 1] -= 32


# A rendering is cached by the categories' identity, so the same ones must come out for every block.
def _once(categories: Categories, key: object, make: Callable[[], Any]) -> Any:
    known = categories.derived
    if key not in known:
        known[key] = make()
    return known[key]


def _once_of_two(one: Categories, other: Categories, key: object, make: Callable[[], Any]) -> Any:
    of_one: WeakKeyDictionary[Categories, dict[object, Any]] = _once(one, "pairs", WeakKeyDictionary)
    known = of_one.get(other)
    if known is None:
        known = of_one.setdefault(other, {})
    if key not in known:
        known[key] = make()
    return known[key]


# --- forms


@lru_cache(maxsize=1024)
def constant_categories(value: str) -> Categories:
    """Return the categories of one text: the same object each time."""
    return Categories([value])


def as_column(operand: Operand, rows: int) -> Column:
    """Return a constant as a column of so many rows, a column as it is."""
    if isinstance(operand, str):
        return Categorical(np.zeros(rows, dtype=np.int32), constant_categories(operand))
    return operand


def valid_rows(column: Column) -> Mask | None:
    """Return which rows have a value, None where all have."""
    if not isinstance(column, Categorical):
        return column.valid
    known = _once(column.categories, "valid", lambda: _known(column.categories))
    valid: Mask | None = None if known is None else known.take(column.codes)
    return valid


def _known(categories: Categories) -> Mask | None:
    known = np.array([value is not None for value in categories.values], dtype=np.bool_)
    return None if known.all() else known


def integers(values: Longs) -> Text:
    """Return integers as text."""
    texts = values.astype("S20")
    lengths = np.char.str_len(texts).astype(np.int64)
    matrix = texts.view(np.uint8).reshape(len(values), 20)
    return _gathered(matrix.reshape(-1), np.arange(len(values), dtype=np.int64) * 20, lengths, None)


def _gathered(data: Bytes, starts: Longs, lengths: Longs, valid: Mask | None) -> Text:
    """Return texts that stand anywhere in `data`, one after another."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    places = np.arange(offsets[-1], dtype=np.int64) + np.repeat(starts - offsets[:-1], lengths)
    return Text(data.take(places), offsets, valid)


def as_text(column: Column | Integer) -> Text:
    """Return a column in the form that holds any text."""
    match column:
        case Text():
            return column
        case FixedText(matrix, valid):
            count, width = matrix.shape
            return Text(matrix.reshape(-1), np.arange(count + 1, dtype=np.int64) * width, valid)
        case Integer():
            return integers(column.values.astype(np.int64))
        case Categorical(codes, categories):
            text: Text = _once(categories, "text", lambda: Text.of(categories.values))
            taken = text.take(codes)
            return Text(taken.data, taken.offsets, valid_rows(column))
        case Concat(parts, valid):
            return _text_of_parts(parts, len(column), valid)


def _text_of_parts(
    parts: Sequence[Categorical | FixedText | Integer | Text | str], rows: int, valid: Mask | None
) -> Text:
    """Return the parts of each row as one text, each byte copied once."""
    pieces = [_literal(part, rows) if isinstance(part, str) else as_text(part) for part in parts]
    lengths = [np.diff(piece.offsets) for piece in pieces]
    offsets = np.zeros(rows + 1, dtype=np.int64)
    np.cumsum(np.sum(lengths, axis=0), out=offsets[1:])
    data, begin = np.empty(int(offsets[-1]), dtype=np.uint8), offsets[:-1]
    for piece, length in zip(pieces, lengths, strict=True):
        first = piece.offsets[0]
        within = np.arange(piece.offsets[-1] - first, dtype=np.int64)
        data[within + np.repeat(begin - (piece.offsets[:-1] - first), length)] = piece.data[
            first : piece.offsets[-1]
        ]
        begin = begin + length
    return Text(data, offsets, valid)


def _literal(value: str, rows: int) -> Text:
    encoded = np.frombuffer(value.encode(), dtype=np.uint8)
    return Text(np.tile(encoded, rows), np.arange(rows + 1, dtype=np.int64) * len(encoded))


# --- one text to another


def _mapped(column: Column, key: object, change: Callable[[Text], Text | FixedText]) -> Column:
    """Return what an operation makes of each text: once a category, else once a row."""
    if not isinstance(column, Categorical):
        return change(as_text(column))

    def make() -> Categories:
        values = column.categories.values
        return Categories(
            [
                None if value is None else new
                for value, new in zip(values, change(Text.of(values)).tolist(), strict=True)
            ]
        )

    return Categorical(column.codes, _once(column.categories, key, make))


def _each_part(column: Concat, change: Callable[[Any], Any]) -> Concat:
    """Return what an operation makes of each part; the digits of integers stay."""
    return Concat(
        tuple(part if isinstance(part, Integer) else change(part) for part in column.parts), column.valid
    )


def lower(operand: Operand) -> Operand:
    """Return text with A to Z as a to z."""
    return _translated(operand, "lower", _LOWER)


def upper(operand: Operand) -> Operand:
    """Return text with a to z as A to Z."""
    return _translated(operand, "upper", _UPPER)


def _translated(operand: Operand, key: str, table: Bytes) -> Operand:
    """Return text with each ASCII letter looked up; UTF-8 has their bytes in no other letter."""
    match operand:
        case str():
            return table.take(np.frombuffer(operand.encode(), dtype=np.uint8)).tobytes().decode()
        case FixedText(matrix, valid):
            return FixedText(table.take(matrix), valid)
        case Concat():
            return _each_part(operand, lambda part: _translated(part, key, table))
    return _mapped(operand, key, lambda text: Text(table.take(text.data), text.offsets, text.valid))


def ascii_only(operand: Operand) -> Operand:
    """Return text in Unicode's compatibility decomposition (NFKD), without what isn't ASCII then."""
    match operand:
        case str():
            return _ascii_of(operand)
        case FixedText():
            return operand
        case Concat():
            return _each_part(operand, ascii_only)

    def change(text: Text) -> Text:
        if text.data.size == 0 or text.data.max() < 128:
            return text
        return Text.of([None if value is None else _ascii_of(value) for value in text.tolist()])

    return _mapped(operand, "ascii", change)


def _ascii_of(value: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", value) if c.isascii())


Count = int | Longs


def _characters(text: Text) -> tuple[Longs, Longs, Longs]:
    """Return where each character begins (and a place after the last), and by row its first one and how many it has."""
    begins = np.flatnonzero(text.data & 0xC0 != 0x80)  # in UTF-8 all other bytes of a character are 10xxxxxx
    firsts = np.searchsorted(begins, text.offsets)
    return np.append(begins, len(text.data)), firsts[:-1], np.diff(firsts)


def left(column: Column, count: Count) -> Column:
    """Return the first characters of each text."""
    if isinstance(column, FixedText) and isinstance(count, int) and count > 0:  # no text has a width of 0
        return FixedText(np.ascontiguousarray(column.matrix[:, :count]), column.valid)

    def change(text: Text) -> Text:
        begins, firsts, have = _characters(text)
        starts = text.offsets[:-1]
        ends = begins.take(firsts + np.minimum(have, count))
        return _gathered(text.data, starts, np.maximum(ends - starts, 0), text.valid)

    return _mapped(column, ("left", count), change) if isinstance(count, int) else change(as_text(column))


def right(column: Column, count: Count) -> Column:
    """Return the last characters of each text."""
    if isinstance(column, FixedText) and isinstance(count, int) and count > 0:  # no text has a width of 0
        width = column.matrix.shape[1]
        return FixedText(np.ascontiguousarray(column.matrix[:, max(0, width - count) :]), column.valid)

    def change(text: Text) -> Text:
        begins, firsts, have = _characters(text)
        starts = begins.take(firsts + np.maximum(have - count, 0))
        return _gathered(text.data, starts, text.offsets[1:] - starts, text.valid)

    return _mapped(column, ("right", count), change) if isinstance(count, int) else change(as_text(column))


def padded(column: Column, count: Count, fill: str) -> Column:
    """Return texts filled on their left to a number of characters."""
    if isinstance(column, FixedText) and isinstance(count, int) and ord(fill) in _SIGNIFICANT:
        rows, width = column.matrix.shape
        filling = np.full((rows, max(0, count - width)), ord(fill), dtype=np.uint8)
        return FixedText(np.hstack([filling, column.matrix]), column.valid)

    def change(text: Text) -> Text:
        _, _, have = _characters(text)
        missing = np.maximum(count - have, 0)
        encoded = np.frombuffer(fill.encode(), dtype=np.uint8)
        offsets = np.zeros(len(text) + 1, dtype=np.int64)
        np.cumsum(missing * len(encoded), out=offsets[1:])
        filling = Text(np.tile(encoded, int(missing.sum())), offsets)
        return _text_of_parts([filling, text], len(text), text.valid)

    key = ("pad", count, fill)
    return _mapped(column, key, change) if isinstance(count, int) else change(as_text(column))


def padded_digits(values: Longs, digits: int, count: int, fill: str) -> FixedText:
    """Return integers from 0 of at most `digits` digits, filled on their left to `count` characters, not less."""
    places = np.array([10**i for i in reversed(range(digits))], dtype=np.int64)
    numbers = values[:, None] // places % 10
    matrix = np.full((len(values), count), ord(fill), dtype=np.uint8)
    matrix[:, count - digits :] = numbers + ord("0")
    if fill != "0":
        leading = np.logical_and.accumulate(numbers == 0, axis=1)
        leading[:, -1] = False
        matrix[:, count - digits :][leading] = ord(fill)
    return FixedText(matrix)


@lru_cache(maxsize=64)
def padded_range(low: int, high: int, count: int, fill: str) -> Categories:
    """Return the integers from `low` to `high`, filled on their left: the same object each time."""
    return Categories([str(number).rjust(count, fill) for number in range(low, high + 1)])


def is_plain(fill: str) -> bool:
    """Whether a character may stand in a FixedText."""
    return ord(fill) in _SIGNIFICANT


# What a character adds to the sum of Luhn's test, as itself and doubled; what is no digit adds nothing.
_ADDS = np.zeros((2, 256), dtype=np.int64)
_ADDS[0, ord("0") : ord("9") + 1] = range(10)
_ADDS[1, ord("0") : ord("9") + 1] = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_IS_DIGIT = np.zeros(256, dtype=np.int64)
_IS_DIGIT[ord("0") : ord("9") + 1] = 1


def luhn(column: Column) -> Column:
    """Return Luhn's check digit of the digits of each text, other characters left aside."""
    if isinstance(column, FixedText):
        return FixedText(_check_digits(column.matrix), column.valid)

    def change(text: Text) -> FixedText:
        digits = [_check_digits(matrix) for _, (matrix,) in _laid_out([text])]
        return FixedText(np.concatenate([np.zeros((0, 1), dtype=np.uint8), *digits]), text.valid)

    return _mapped(column, "luhn", change)


def _check_digits(matrix: Bytes) -> Bytes:
    """Return the check digit of each line of characters, shape (n, 1); zero bytes are no characters."""
    total = np.zeros(len(matrix), dtype=np.int64)
    doubled = np.ones(len(matrix), dtype=np.int64)  # of the last digit: the check digit comes behind it
    for characters in reversed(matrix.T):
        total += _ADDS.reshape(-1).take(characters + 256 * doubled)
        doubled ^= _IS_DIGIT.take(characters)
    return (-total % 10 + ord("0")).astype(np.uint8)[:, None]


# --- several texts to one


def joined(one: Operand, other: Operand, rows: int) -> Column:
    """Return one text and another after it: parts side by side, or bytes joined where one is no part."""
    parts = _merge_literals([*_parts(one), *_parts(other)])
    valids = [
        valid
        for each in (one, other)
        if not isinstance(each, str) and (valid := valid_rows(each)) is not None
    ]
    valid = None if not valids else np.logical_and.reduce(valids)
    plain = tuple(part for part in parts if not isinstance(part, Text))
    if len(plain) == len(parts):
        return Concat(plain, valid)
    return _text_of_parts(parts, rows, valid)


def _parts(operand: Operand) -> Iterator[Categorical | FixedText | Integer | Text | str]:
    match operand:
        case Concat(parts):
            yield from parts
        case FixedText(matrix):
            yield FixedText(matrix)  # the whole has the truths of its parts
        case _:
            yield operand


def _merge_literals(
    parts: Sequence[Categorical | FixedText | Integer | Text | str],
) -> list[Categorical | FixedText | Integer | Text | str]:
    texts: list[Categorical | FixedText | Integer | Text | str] = []
    for part in parts:
        if isinstance(part, str) and texts and isinstance(texts[-1], str):
            texts[-1] += part
        else:
            texts.append(part)
    return texts


def select(first: Mask, one: Operand, other: Operand) -> Column:
    """Return one text where `first` holds, the other where it doesn't."""
    rows = len(first)
    a, b = as_column(one, rows), as_column(other, rows)
    if isinstance(a, Categorical) and isinstance(b, Categorical):
        if a.categories is b.categories:
            return Categorical(np.where(first, a.codes, b.codes), a.categories)
        both, others = _once_of_two(a.categories, b.categories, "both", lambda: _joined(a, b))
        codes = np.where(
            first, a.codes.astype(np.int32, copy=False), b.codes.astype(np.int32, copy=False) + others
        )
        return Categorical(codes, both)
    valid = _either(first, valid_rows(a), valid_rows(b))
    if isinstance(a, FixedText) and isinstance(b, FixedText) and a.matrix.shape == b.matrix.shape:
        return FixedText(np.where(first[:, None], a.matrix, b.matrix), valid)
    x, y = as_text(a), as_text(b)
    starts = np.where(first, x.offsets[:-1], y.offsets[:-1] + len(x.data))
    lengths = np.where(first, np.diff(x.offsets), np.diff(y.offsets))
    return _gathered(np.concatenate([x.data, y.data]), starts, lengths, valid)


def _joined(one: Categorical, other: Categorical) -> tuple[Categories, NDArray[np.int32]]:
    """Return the categories of both, and the code at which the other's begin."""
    values = [*one.categories.values, *other.categories.values]
    return Categories(values), np.array(len(one.categories), dtype=np.int32)


def _either(first: Mask, one: Mask | None, other: Mask | None) -> Mask | None:
    if one is None and other is None:
        return None
    return np.where(first, True if one is None else one, True if other is None else other)


# --- comparing


def compared(op: str, one: Operand, other: Operand, rows: int) -> Mask:
    """Return whether a comparison holds, by code points; what it says of a null is nobody's to read."""
    if isinstance(one, Categorical) and isinstance(other, str):
        return _looked_up(one, (op, other), lambda value: COMPARISONS[op](value, other))
    if isinstance(one, str) and isinstance(other, Categorical):
        return _looked_up(other, (op, other, one), lambda value: COMPARISONS[op](one, value))
    if isinstance(one, Categorical) and isinstance(other, Categorical):
        ranks = _once_of_two(one.categories, other.categories, "ranks", lambda: _ranks(one, other))
        result: Mask = COMPARISONS[op](ranks[0].take(one.codes), ranks[1].take(other.codes))
        return result
    if isinstance(one, FixedText) and (isinstance(other, str) or _same_width(one, other)):
        fixed: Mask = COMPARISONS[op](_comparable(one), _comparable(other))
        return fixed
    holds = np.empty(rows, dtype=np.bool_)
    texts = [as_text(as_column(each, rows)) for each in (one, other)]
    for at, (first, second) in _laid_out(texts):
        holds[at] = COMPARISONS[op](_as_bytes(first), _as_bytes(second))
    return holds


def contained(column: Operand, among: frozenset[str]) -> Mask | None:
    """Return which texts of categories are among some values; None for a column of another form."""
    if not isinstance(column, Categorical):
        return None
    return _looked_up(column, among, lambda value: value in among)


def _looked_up(column: Categorical, key: object, holds: Callable[[str], bool]) -> Mask:
    """Return what holds of each text, looked at once a category."""

    def make() -> Mask:
        values = column.categories.values
        return np.array([value is not None and holds(value) for value in values], dtype=np.bool_)

    table: Mask = _once(column.categories, key, make)
    return table.take(column.codes)


def _ranks(one: Categorical, other: Categorical) -> tuple[Longs, Longs]:
    """Return the place of each category of both in their common order."""
    ordered = sorted({*one.categories.values, *other.categories.values} - {None}, key=str)
    places = {value: place for place, value in enumerate(ordered)}
    first, second = (
        np.array([places.get(value, -1) for value in each.categories.values], dtype=np.int64)
        for each in (one, other)
    )
    return first, second


def _same_width(one: FixedText, other: Operand) -> bool:
    return isinstance(other, FixedText) and one.matrix.shape == other.matrix.shape


def _comparable(operand: Operand) -> NDArray[np.bytes_]:
    """Return ASCII texts of one width, or one text of any, as NumPy compares them."""
    if isinstance(operand, FixedText):
        return _as_bytes(np.ascontiguousarray(operand.matrix))
    return np.array([str(operand).encode()])


def _as_bytes(matrix: Bytes) -> NDArray[np.bytes_]:
    """Return lines of characters as texts that NumPy compares byte by byte, without the zeros behind them.

    UTF-8 has the order of code points, and no text has a zero byte.
    """
    texts: NDArray[np.bytes_] = matrix.view(f"S{matrix.shape[1]}")[:, 0]
    return texts


def _laid_out(texts: Sequence[Text]) -> Iterator[tuple[slice, list[Bytes]]]:
    """Yield ranges of rows with the lines of characters of each of some columns, zeros behind them."""
    width = max(int(np.diff(each.offsets).max(initial=1)) for each in texts)
    step = max(1, _CHUNK_BYTES // width)
    for start in range(0, len(texts[0]), step):
        rows = slice(start, start + step)
        yield rows, [_spread(each, rows, width) for each in texts]


def _spread(text: Text, rows: slice, width: int) -> Bytes:
    """Return some texts in one width, zeros behind them."""
    starts, lengths = text.offsets[:-1][rows], np.diff(text.offsets)[rows]
    matrix = np.zeros((len(lengths), width), dtype=np.uint8)
    ends = np.cumsum(lengths)
    within = np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(ends - lengths, lengths)
    line = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
    matrix[line, within] = text.data[within + np.repeat(starts, lengths)]
    return matrix
