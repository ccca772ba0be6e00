"""Columns as the pieces of rows: literals, text of one width, codes into categories, and texts of any width."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np
from esdh_core.columns import (
    Boolean,
    Categorical,
    Categories,
    Column,
    Concat,
    Date,
    Decimal,
    FixedText,
    Integer,
    Text,
    Timestamp,
)
from numpy.typing import NDArray

from esdh_export.encoding.numbers import digits, number_categories, timestamp_texts

__all__ = [
    "FEW_ROWS",
    "MOST_COMBINATIONS",
    "CodedPiece",
    "Dialect",
    "Piece",
    "RaggedPiece",
    "RowDialect",
    "constant_piece",
    "number_quote",
    "pieces_of",
]

# Fuse coded pieces while their combinations stay below this: the joined text of 16,384 combinations
# stays in the second-level cache or near it.
MOST_COMBINATIONS = 16_384
FEW_ROWS = 4_096  # rows: fewer are put together as they are, without tables and without Arrow
_FEW_NUMBERS = 1_024  # that are written out once for a few rows
_EXACT_DIGITS = 15  # of a number, that every reader of JSON keeps

Mask = NDArray[np.bool_]


class Dialect(Protocol):
    """How a text format writes values; one object for each way to write."""

    null: bytes

    def text(self, value: str) -> bytes:
        """Return a whole text value as it stands in a row."""

    def part(self, value: str) -> bytes | None:
        """Return a part of a text value, to stand between `quote`s; None if it can't be written so."""

    quote: bytes  # around a text value that is written in parts
    special: bytes  # a text without any of these stands as it is between quotes


class RowDialect(Dialect, Protocol):
    """How a text format writes rows: values, and what it puts around them."""

    def before(self, position: int, field: str) -> bytes:
        """Return what stands before the field at a position."""

    def end(self) -> bytes:
        """Return what stands after the last field."""

    def misquoted(self, value: str, way: int) -> bytes:
        """Return a text value so that no reader finds its end: 0 not closed, 1 and 2 with a mark in it that ends it too early."""


@dataclass(frozen=True, slots=True)
class CodedPiece:
    """Codes into categories, each rendered once; a null category is `null`."""

    codes: NDArray[np.integer]
    categories: Categories
    render: Callable[[str], bytes]
    null: bytes


@dataclass(frozen=True, slots=True)
class RaggedPiece:
    """Texts of any width: those of row i are `data[starts[i] : ends[i]]`, in ascending order, with gaps or without."""

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def size(self, start: int, count: int) -> int:
        """Return the bytes from the first text of some rows to the end of the last."""
        return int(self.ends[start + count - 1] - self.starts[start])


Piece = bytes | NDArray[np.uint8] | CodedPiece | RaggedPiece


def pieces_of(column: Column, dialect: Dialect) -> list[Piece]:
    """Return the pieces of a column's values as a dialect writes them."""
    match column:
        case Categorical(codes, categories):
            return [CodedPiece(codes, categories, dialect.text, dialect.null)]
        case FixedText() | Date() | Timestamp():
            return _fixed_pieces(column, dialect)
        case Boolean(values):
            truths = Categorical(values.astype(np.int32), _TRUTHS)
            known = truths if column.valid is None else truths.masked(column.valid)
            return [CodedPiece(known.codes, known.categories, str.encode, dialect.null)]
        case Integer() | Decimal():
            return [_number_piece(column, dialect)]
        case Text():
            return _text_pieces(column, dialect)
        case Concat():
            return _concat_pieces(column, dialect)


_TRUTHS = Categories(["false", "true"])


def _fixed_pieces(column: FixedText | Date | Timestamp, dialect: Dialect) -> list[Piece]:
    match column:
        case FixedText(matrix):
            pass
        case Date():
            matrix = column.text().matrix
        case Timestamp():
            matrix = timestamp_texts(column)
    valid = column.valid
    if valid is None:
        return [dialect.quote, matrix, dialect.quote]
    lengths = np.full(len(matrix), matrix.shape[1], dtype=np.int64)
    return [_right_aligned(matrix, lengths, valid, null=dialect.null, quote=dialect.quote)]


def _right_aligned(
    matrix: NDArray[np.uint8], lengths: NDArray[np.int64], valid: Mask | None, *, null: bytes, quote: bytes
) -> RaggedPiece:
    """Return texts that end at the right edge of a matrix, between quotes, as a piece; a null is as it is."""
    count, width = matrix.shape
    whole = max(width + 2 * len(quote), len(null))
    text = np.empty((count, whole), dtype=np.uint8)
    text[:, whole - len(quote) - width : whole - len(quote)] = matrix
    if quote:
        text[:, -1] = ord(quote)
        lengths = lengths + 2
        text[np.arange(count), whole - lengths] = ord(quote)
    if valid is not None:
        nulls = np.flatnonzero(~valid)
        text[nulls, whole - len(null) :] = np.frombuffer(null, dtype=np.uint8)
        lengths = np.where(valid, lengths, len(null))
    ends = np.arange(whole, (count + 1) * whole, whole, dtype=np.int64)
    return RaggedPiece(text.reshape(-1), ends - lengths, ends)


def number_quote(column: Column, dialect: Dialect) -> bytes:
    """Return what stands around the numbers of a column.

    Readers of JSON keep 15 digits of a number; a column that can have more is text in every row.
    """
    wide = isinstance(column, Integer | Decimal) and max(-column.low, column.high) >= 10**_EXACT_DIGITS
    return dialect.quote if wide else b""


def _number_piece(column: Integer | Decimal, dialect: Dialect) -> Piece:
    scale = column.scale if isinstance(column, Decimal) else 0
    quote = number_quote(column, dialect)
    few = MOST_COMBINATIONS if len(column) >= FEW_ROWS else _FEW_NUMBERS
    if column.high - column.low < few and not quote:
        if isinstance(column, Integer):
            text = column.text()
        else:
            known = number_categories(column.low, column.high, scale)
            text = Categorical(column.values - column.low, known)
            text = text if column.valid is None else text.masked(column.valid)
        return CodedPiece(text.codes, text.categories, str.encode, dialect.null)
    values = column.values if column.valid is None else np.where(column.valid, column.values, 0)
    return _right_aligned(*digits(values, scale), column.valid, null=dialect.null, quote=quote)


def _text_pieces(column: Text, dialect: Dialect) -> list[Piece]:
    data = column.data[column.offsets[0] : column.offsets[-1]].tobytes()
    empty = dialect.text("") != dialect.quote * 2 and not np.diff(column.offsets).all()
    if empty or any(byte in data for byte in dialect.special):
        rendered = [dialect.null if v is None else dialect.text(v) for v in column.tolist()]
        ends = np.cumsum([len(each) for each in rendered], dtype=np.int64)
        starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])
        return [RaggedPiece(np.frombuffer(b"".join(rendered), dtype=np.uint8), starts, ends)]
    starts, ends, valid = column.offsets[:-1], column.offsets[1:], column.valid
    if valid is None:
        return [dialect.quote, RaggedPiece(column.data, starts, ends), dialect.quote]
    text = RaggedPiece(column.data, starts, np.where(valid, ends, starts))
    return [_either(valid, dialect.quote, dialect.null), text, _either(valid, dialect.quote, b"")]


def _either(valid: Mask, text: bytes, null: bytes) -> CodedPiece:
    """Return one text for the rows that have a value, another for nulls."""
    return CodedPiece(valid.astype(np.int32), _two(null.decode(), text.decode()), str.encode, b"")


@lru_cache(maxsize=256)
def _two(first: str, second: str) -> Categories:
    return Categories([first, second])


def _concat_pieces(column: Concat, dialect: Dialect) -> list[Piece]:
    """Return the parts between quotes or, where one can't be written as a part, whole values."""
    if len(column) < FEW_ROWS or not all(_as_part(part, dialect) for part in column.parts):
        return _whole(column, dialect)
    if dialect.text("") != dialect.quote * 2 and all(_may_be_empty(part) for part in column.parts):
        return _whole(column, dialect)
    valid = column.valid
    pieces: list[Piece] = [dialect.quote if valid is None else _either(valid, dialect.quote, dialect.null)]
    for part in column.parts:
        if isinstance(part, str):
            literal = dialect.part(part) or b""
            pieces.append(literal if valid is None else _either(valid, literal, b""))
        elif isinstance(part, FixedText):
            if valid is None:
                pieces.append(part.matrix)
            else:
                lengths = np.full(len(part), part.matrix.shape[1], dtype=np.int64)
                pieces.append(_right_aligned(part.matrix, lengths, valid, null=b"", quote=b""))
        else:
            text = part.text() if isinstance(part, Integer) else part
            text = text if valid is None else text.masked(valid)
            pieces.append(CodedPiece(text.codes, text.categories, dialect.part, b""))  # type: ignore[arg-type] # none is None: `_as_part` has looked
    return [*pieces, dialect.quote if valid is None else _either(valid, dialect.quote, b"")]


def _as_part(part: Categorical | FixedText | Integer | str, dialect: Dialect) -> bool:
    """Return whether every value of a part can be written as a part of a text."""
    if isinstance(part, str):
        return dialect.part(part) is not None
    if isinstance(part, FixedText):
        return True
    return _in_parts((part.text() if isinstance(part, Integer) else part).categories, dialect)


def _may_be_empty(part: Categorical | FixedText | Integer | str) -> bool:
    match part:
        case str():
            return not part
        case FixedText(matrix):
            return not matrix.shape[1]
        case Categorical(_, categories):
            return "" in categories.values
        case Integer():
            return False


def _whole(column: Concat, dialect: Dialect) -> list[Piece]:
    values = column.tolist()  # each is rendered once: they hardly ever repeat
    return [
        CodedPiece(np.arange(len(values), dtype=np.int32), Categories(values), dialect.text, dialect.null)
    ]


def constant_piece(text: bytes, count: int) -> CodedPiece:
    """Return one text for every row."""
    return CodedPiece(np.zeros(count, dtype=np.int32), _two(text.decode(), ""), str.encode, b"")


_writable: WeakKeyDictionary[Categories, dict[type, bool]] = WeakKeyDictionary()


def _in_parts(categories: Categories, dialect: Dialect) -> bool:
    """Return whether every value of categories can be written as a part of a text."""
    known = _writable.setdefault(categories, {})
    if type(dialect) not in known:
        known[type(dialect)] = all(v is None or dialect.part(v) is not None for v in categories.values)
    return known[type(dialect)]
