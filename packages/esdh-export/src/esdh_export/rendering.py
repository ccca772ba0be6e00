"""Rows of text from columns: written once per vocabulary entry, then taken by Arrow, row by row.

A row is a run of pieces: literals (names, separators), text of one width, and codes into a vocabulary.
Neighbours are fused before anything is done per row: pieces of one width become one wider piece, and
coded pieces that share their codes, or whose combinations are few, become one vocabulary of their joined
text. What is left is a handful of pieces a row.

All texts that a piece can be stand in one Arrow array, the table: vocabularies, then the texts of one width
of the rows at hand. To take from it by the pieces' numbers, row after row, gives the rows: Arrow writes what
it takes one after another, so that nothing has to be joined.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from math import prod
from typing import TYPE_CHECKING, NamedTuple, Protocol
from weakref import WeakKeyDictionary, ref

import numpy as np
from esdh_core.columns import Coded, Column, Date, FixedText, Integer, Joined, Vocabulary
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Dialect", "RowRenderer", "texts"]

# Fuse coded pieces while their combinations stay below this: the joined text of 16,384 combinations
# stays in the second-level cache or near it.
_MOST_COMBINATIONS = 16_384
_STRIP = 8_192  # rows rendered at a time: their text, too, stays in the cache until it is hashed and written
_MOST_TABLES = 16  # that begin with one vocabulary: more than there are formats times entities
_MOST_TOGETHER = 8  # rows of a column, taken as one
_FEW = 4_096  # rows: fewer are put together as they are, without tables and without Arrow


class Dialect(Protocol):
    """How a text format writes values and what it puts around them; one object for each way to write."""

    null: bytes

    def before(self, position: int, field: str) -> bytes:
        """Return what stands before the field at a position."""

    def end(self) -> bytes:
        """Return what stands after the last field."""

    def text(self, value: str) -> bytes:
        """Return a whole text value as it stands in a row."""

    def part(self, value: str) -> bytes | None:
        """Return a part of a text value, to stand between `quote`s; None if it can't be written so."""

    quote: bytes  # around a text value that is written in parts


@dataclass(frozen=True, slots=True)
class _CodedPiece:
    codes: NDArray[np.integer]
    vocabulary: Vocabulary
    render: Callable[[str], bytes]
    null: bytes


_Piece = bytes | NDArray[np.uint8] | _CodedPiece


@dataclass(frozen=True, slots=True)
class _FixedRun:
    """Literals and texts of one width each, which make one text of one width."""

    pieces: list[bytes | NDArray[np.uint8]]

    @property
    def widths(self) -> list[int]:
        """The width of each piece."""
        return [len(each) if isinstance(each, bytes) else each.shape[1] for each in self.pieces]


@dataclass(frozen=True, slots=True)
class _CodedRun:
    """Literals and coded texts, which make one vocabulary of their combinations."""

    pieces: list[bytes | _CodedPiece]

    @property
    def coded(self) -> list[_CodedPiece]:
        """The pieces that aren't literals."""
        return [piece for piece in self.pieces if isinstance(piece, _CodedPiece)]

    @property
    def groups(self) -> dict[int, tuple[NDArray[np.integer], int]]:
        """Each distinct array of codes, by identity, with the length of its vocabularies."""
        return {id(piece.codes): (piece.codes, len(piece.vocabulary)) for piece in self.coded}

    @property
    def size(self) -> int:
        """The number of combinations."""
        return prod(length for _, length in self.groups.values())

    def combined(self) -> NDArray[np.integer]:
        """Return the number of each row's combination, the last codes running fastest."""
        (combined, _), *others = self.groups.values()
        for codes, length in others:
            combined = combined * np.int32(length) + codes
        return combined

    def combinations(self) -> list[bytes]:
        """Return the text of each combination."""
        codes: dict[int, list[int]] = {}
        repeat, rest = 1, self.size
        for group, (_, length) in self.groups.items():
            rest //= length
            codes[group] = [code for code in range(length) for _ in range(rest)] * repeat
            repeat *= length
        values: list[list[bytes]] = []
        for piece in self.pieces:
            if isinstance(piece, bytes):
                values.append([piece] * self.size)
            else:
                rendered = _rendering(piece, range(len(piece.vocabulary)))
                values.append([rendered[code] for code in codes[id(piece.codes)]])
        return list(map(b"".join, zip(*values, strict=True)))


_Run = _FixedRun | _CodedRun


class RowRenderer:
    """Renders the rows of one entity in one dialect; it keeps the tables it has made."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._gatherer = _Gatherer()

    def render(self, columns: dict[str, Column]) -> Iterator[memoryview]:
        """Yield the rows of a block, some thousand at a time: every field of every row, with what stands between."""
        count = len(next(iter(columns.values())))
        pieces: list[_Piece] = []
        for position, (field, column) in enumerate(columns.items()):
            pieces.append(self._dialect.before(position, field))
            pieces += _pieces(column, self._dialect)
        pieces.append(self._dialect.end())
        return self._gatherer.gather(pieces, count)


class _Plain:
    """The dialect of a value alone: its UTF-8 bytes, and none for a null."""

    null = b""
    quote = b""

    def before(self, position: int, field: str) -> bytes:  # noqa: ARG002 - nothing is between the values
        return b""

    def end(self) -> bytes:
        return b""

    def text(self, value: str) -> bytes:
        return value.encode()

    def part(self, value: str) -> bytes:
        return value.encode()


_PLAIN = _Plain()


def texts(column: Coded | FixedText | Joined) -> Iterator[memoryview]:
    """Yield the UTF-8 bytes of a column's texts, one after another, those of some thousand rows at a time."""
    if isinstance(column, FixedText):
        return iter([np.ascontiguousarray(column.matrix).data.cast("B")] if len(column) else [])
    if isinstance(column, Coded) and len(column) >= _FEW:
        return _taken(column)
    return _Gatherer().gather(_pieces(column, _PLAIN), len(column))


def _taken(column: Coded) -> Iterator[memoryview]:
    """Yield the texts of many rows; where few values are distinct, those of several rows are taken as one."""
    from esdh_export.arrow import distinct, vocabulary_array

    rows, table = _of_several(column.vocabulary)
    if rows == 1:
        yield _take(vocabulary_array(column.vocabulary), column.codes)
        return
    values, places = distinct(column.vocabulary)
    codes = places.take(column.codes)
    whole = len(codes) // rows * rows
    several, number = codes[:whole], np.int32(len(values))
    while len(several) * rows > whole:
        several = several[::2] * number + several[1::2]
        number *= number
    yield _take(table, several)
    yield _take(values, codes[whole:])


def _of_several(vocabulary: Vocabulary) -> tuple[int, "pa.Array"]:
    """Return a number of rows, and the texts that so many rows can have together, the last row running fastest."""
    from esdh_export.arrow import distinct
    from esdh_export.plain import text_array

    if vocabulary not in _several:
        values = distinct(vocabulary)[0]
        rows = 1
        if None not in vocabulary.values:
            while rows < _MOST_TOGETHER and len(values) ** (2 * rows) <= _MOST_COMBINATIONS // 2:
                rows *= 2
        combinations = map("".join, product(values.to_pylist(), repeat=rows))
        _several[vocabulary] = rows, text_array(list(combinations), values.type)
    return _several[vocabulary]


def _take(values: "pa.Array", codes: NDArray[np.integer]) -> memoryview:
    import pyarrow.compute as pc

    from esdh_export.plain import integer_array

    return _bytes_of(pc.take(values, integer_array(codes), boundscheck=False))


def _bytes_of(values: "pa.Array") -> memoryview:
    """Return the bytes of an array of texts that begins at its buffers' beginning."""
    _, offsets, data = values.buffers()
    return memoryview(data or b"")[: int(np.frombuffer(offsets, dtype=np.int32)[len(values)])]


def _pieces(column: Column, dialect: Dialect) -> list[_Piece]:
    match column:
        case Coded(codes, vocabulary):
            return [_CodedPiece(codes, vocabulary, dialect.text, dialect.null)]
        case FixedText(matrix):
            return [dialect.quote, matrix, dialect.quote]
        case Date():
            return [dialect.quote, column.text().matrix, dialect.quote]
        case Integer():
            text = column.text()
            return [_CodedPiece(text.codes, text.vocabulary, str.encode, b"")]
        case Joined(parts):
            return _joined(column, parts, dialect)


def _joined(column: Joined, parts: tuple[Coded | Integer | str, ...], dialect: Dialect) -> list[_Piece]:
    """Return the parts between quotes or, where one can't be written as a part, whole values."""
    pieces: list[_Piece] = [dialect.quote]
    for part in parts:
        if isinstance(part, str):
            literal = dialect.part(part)
            if literal is None:
                return _whole(column, dialect)
            pieces.append(literal)
            continue
        text = part.text() if isinstance(part, Integer) else part
        if len(column) < _FEW or not _in_parts(text.vocabulary, dialect):
            return _whole(column, dialect)
        pieces.append(_CodedPiece(text.codes, text.vocabulary, dialect.part, b""))  # type: ignore[arg-type] # none is None
    return [*pieces, dialect.quote]


def _whole(column: Joined, dialect: Dialect) -> list[_Piece]:
    values = column.tolist()  # each is rendered once: they hardly ever repeat
    return [
        _CodedPiece(np.arange(len(values), dtype=np.int32), Vocabulary(values), dialect.text, dialect.null)
    ]


# What is known of a vocabulary for as long as it lives, so that no file has to find it out anew.
_writable: WeakKeyDictionary[Vocabulary, dict[type, bool]] = WeakKeyDictionary()
_rendered: WeakKeyDictionary[Vocabulary, dict[Callable[[str], bytes], dict[int, bytes]]] = WeakKeyDictionary()
_several: WeakKeyDictionary[Vocabulary, tuple[int, "pa.Array"]] = WeakKeyDictionary()
_tables: WeakKeyDictionary[Vocabulary, dict[object, "_Table"]] = WeakKeyDictionary()


def _in_parts(vocabulary: Vocabulary, dialect: Dialect) -> bool:
    """Return whether every value of a vocabulary can be written as a part of a text."""
    known = _writable.setdefault(vocabulary, {})
    if type(dialect) not in known:
        known[type(dialect)] = all(v is not None and dialect.part(v) is not None for v in vocabulary.values)
    return known[type(dialect)]


def _rendering(piece: _CodedPiece, codes: Iterable[int]) -> Mapping[int, bytes]:
    """Return the rendered values of the codes that occur."""
    rendered = _rendered.setdefault(piece.vocabulary, {}).setdefault(piece.render, {})
    for code in set(codes).difference(rendered):
        value = piece.vocabulary.values[code]
        rendered[code] = piece.null if value is None else piece.render(value)
    return rendered


def _fuse(pieces: Iterable[_Piece]) -> list[_Run]:
    """Group neighbours into runs; a literal joins the run before it, the first ones that after them."""
    runs: list[_Run] = []
    literals: list[bytes] = []
    for piece in pieces:
        last = runs[-1] if runs else None
        if isinstance(piece, bytes):
            (last.pieces if last else literals).append(piece)
        elif isinstance(piece, np.ndarray):
            if isinstance(last, _FixedRun):
                last.pieces.append(piece)
            else:
                runs.append(_FixedRun([*literals, piece]))
                literals = []
        elif isinstance(last, _CodedRun) and _CodedRun([*last.coded, piece]).size <= _MOST_COMBINATIONS:
            last.pieces.append(piece)
        else:
            runs.append(_CodedRun([*literals, piece]))
            literals = []
    return runs


def _few(pieces: list[_Piece], count: int) -> bytes:
    """Return a few rows, put together in Python."""
    values: list[Sequence[bytes]] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            values.append([piece] * count)
        elif isinstance(piece, np.ndarray):
            text, width = piece.tobytes(), piece.shape[1]
            values.append([text[at : at + width] for at in range(0, len(text), width)])
        else:
            codes = piece.codes.tolist()
            rendered = _rendering(piece, codes)
            values.append([rendered[code] for code in codes])
    return b"".join(chain.from_iterable(zip(*values, strict=True)))


class _Table(NamedTuple):
    """The texts of all coded runs of a row, one run after another."""

    data: bytes
    ends: NDArray[np.int64]  # of each text in the data
    firsts: list[int]  # the number of each run's first text


def _table(runs: list[_CodedRun]) -> _Table:
    """Return the table of some coded runs, which is kept as long as their first vocabulary lives."""
    if not runs:
        return _Table(b"", np.empty(0, dtype=np.int64), [])
    numbers: dict[int, int] = {}  # tell which pieces share their codes, whatever these are
    key = tuple(
        tuple(
            piece
            if isinstance(piece, bytes)
            else (ref(piece.vocabulary), piece.render, numbers.setdefault(id(piece.codes), len(numbers)))
            for piece in run.pieces
        )
        for run in runs
    )
    kept = _tables.setdefault(runs[0].coded[0].vocabulary, {})
    table = kept.get(key)
    if table is None:
        if len(kept) == _MOST_TABLES:
            kept.clear()
        values: list[bytes] = []
        firsts: list[int] = []
        for run in runs:
            firsts.append(len(values))
            values += run.combinations()
        table = _Table(b"".join(values), np.cumsum([len(value) for value in values]), firsts)
        kept[key] = table
    return table


class _Gatherer:
    """Rows out of pieces; it keeps the strip of the last ones, since blocks are alike."""

    def __init__(self) -> None:
        self._strip: _Strip | None = None

    def gather(self, pieces: list[_Piece], count: int) -> Iterator[memoryview]:
        """Yield the bytes of `count` rows, a strip of them at a time."""
        if count == 0:
            return
        pieces = [piece for piece in pieces if not isinstance(piece, bytes) or piece]
        if count < _FEW:
            yield memoryview(_few(pieces, count))
            return
        runs = _fuse(pieces)
        table = _table([run for run in runs if isinstance(run, _CodedRun)])
        if self._strip is None or not self._strip.suits(table, runs):
            self._strip = _Strip(table, runs)
        rows = [run.combined() if isinstance(run, _CodedRun) else run for run in runs]
        for start in range(0, count, _STRIP):
            yield self._strip.take(rows, start, min(_STRIP, count - start))


def _fixed(runs: Iterable[_Run]) -> list[list[bytes | int]]:
    """Return the literals and the widths of each run of one width."""
    return [
        [piece if isinstance(piece, bytes) else piece.shape[1] for piece in run.pieces]
        for run in runs
        if isinstance(run, _FixedRun)
    ]


class _Strip:
    """A table that ends in the texts of one width of a strip of rows, and what to take from it, row by row."""

    def __init__(self, table: _Table, runs: list[_Run]) -> None:
        import pyarrow as pa

        self._table, self._fixed = table, _fixed(runs)
        size = len(table.data) + _STRIP * sum(sum(run.widths) for run in runs if isinstance(run, _FixedRun))
        data = np.empty(size, dtype=np.uint8)
        data[: len(table.data)] = np.frombuffer(table.data, dtype=np.uint8)
        ends = [table.ends]
        self._numbers = np.empty((_STRIP, len(runs)), dtype=np.int32)
        self._firsts: list[int] = []  # the number of the first text of each run
        self._places: list[list[NDArray[np.void]]] = []  # where the pieces of each run of one width go
        coded, at, number = iter(table.firsts), len(table.data), len(table.ends)
        for position, run in enumerate(runs):
            if isinstance(run, _CodedRun):
                self._firsts.append(next(coded))
                self._places.append([])
                continue
            self._firsts.append(number)
            self._numbers[:, position] = np.arange(number, number + _STRIP)
            width = sum(run.widths)
            ends.append(np.arange(at + width, at + _STRIP * width + 1, width))
            self._places.append(_places(data[at : at + _STRIP * width], run))
            at, number = at + _STRIP * width, number + _STRIP
        offsets = np.concatenate([[0], *ends]).astype(np.int32)
        self._array = pa.Array.from_buffers(
            pa.binary(), number, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        )

    def suits(self, table: _Table, runs: list[_Run]) -> bool:
        """Return whether rows of these runs can be taken."""
        return self._table is table and self._fixed == _fixed(runs)

    def take(self, rows: "list[NDArray[np.integer] | _FixedRun]", start: int, count: int) -> memoryview:
        """Return `count` rows from `start` on; each run gives its numbers in the table, or its texts."""
        import pyarrow.compute as pc

        from esdh_export.plain import integer_array

        numbers = self._numbers[:count]
        for position, (run, first) in enumerate(zip(rows, self._firsts, strict=True)):
            if isinstance(run, _FixedRun):
                matrices = (piece for piece in run.pieces if isinstance(piece, np.ndarray))
                for place, matrix in zip(self._places[position], matrices, strict=True):
                    part = np.ascontiguousarray(matrix[start : start + count])
                    place[:count] = part.view(place.dtype)[:, 0]
            else:
                np.add(run[start : start + count], first, out=numbers[:, position], casting="same_kind")
        taken = pc.take(self._array, integer_array(numbers.reshape(-1)), boundscheck=False)
        return _bytes_of(taken)


def _places(region: NDArray[np.uint8], run: _FixedRun) -> list[NDArray[np.void]]:
    """Write a run's literals to every text of a region; return where its other pieces go, shape (texts,) each.

    Each is a structured field, so that NumPy copies a text as a whole, not byte by byte.
    """
    widths = run.widths
    texts = region.view(
        {
            "names": [str(at) for at in range(len(widths))],
            "formats": [f"V{width}" for width in widths],
            "offsets": [sum(widths[:at]) for at in range(len(widths))],
            "itemsize": sum(widths),
        }
    )
    places = []
    for at, piece in enumerate(run.pieces):
        if isinstance(piece, bytes):
            texts[str(at)] = np.frombuffer(piece, dtype=f"V{len(piece)}")[0]
        else:
            places.append(texts[str(at)])
    return places
