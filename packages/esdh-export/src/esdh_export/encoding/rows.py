"""Rows of text from columns: written once per category, then taken by Arrow, row by row.

A row is a run of pieces: literals (names, separators), text of one width, codes into categories, and texts of any
width. Neighbours are fused before anything is done per row: pieces of one width become one wider piece, and
coded pieces that share their codes, or whose combinations are few, become one set of categories of their joined
text. What is left is a handful of pieces a row.

All texts that a piece can be stand in one Arrow array, the table: categories, then the texts of one width
of the rows at hand. To take from it by the pieces' numbers, row after row, gives the rows: Arrow writes what
it takes one after another, so that nothing has to be joined.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, product
from math import prod
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary, ref

import numpy as np
from esdh_core.columns import (
    Categorical,
    Categories,
    Column,
    Concat,
    FixedText,
    Text,
)
from esdh_core.overlay import Damage, Edits
from numpy.typing import NDArray

from esdh_export.encoding.damage import damaged_row
from esdh_export.encoding.pieces import (
    FEW_ROWS,
    MOST_COMBINATIONS,
    CodedPiece,
    Piece,
    RaggedPiece,
    RowDialect,
    constant_piece,
    pieces_of,
)
from esdh_export.encoding.splicing import cell, splice

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RowRenderer", "texts"]

_STRIP = 8_192  # rows rendered at a time: their text, too, stays in the cache until it is hashed and written
_MOST_TABLES = 16  # that begin with one categories: more than there are formats times entities
_MOST_TOGETHER = 8  # rows of a column, taken as one


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
    """Literals and coded texts, which make one set of categories of their combinations."""

    pieces: list[bytes | CodedPiece]

    @property
    def coded(self) -> list[CodedPiece]:
        """The pieces that aren't literals."""
        return [piece for piece in self.pieces if isinstance(piece, CodedPiece)]

    @property
    def groups(self) -> dict[int, tuple[NDArray[np.integer], int]]:
        """Each distinct array of codes, by identity, with the length of its categories."""
        return {id(piece.codes): (piece.codes, len(piece.categories)) for piece in self.coded}

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
                rendered = _rendering(piece, range(len(piece.categories)))
                values.append([rendered[code] for code in codes[id(piece.codes)]])
        return list(map(b"".join, zip(*values, strict=True)))


_Run = _FixedRun | _CodedRun | RaggedPiece


class RowRenderer:
    """Renders the rows of one entity in one dialect; it keeps the tables it has made."""

    def __init__(self, dialect: RowDialect) -> None:
        self._dialect = dialect
        self._gatherer = _Gatherer()

    def render(self, columns: dict[str, Column]) -> Iterator[memoryview]:
        """Yield the rows of a block, some thousand at a time: every field of every row, with what stands between."""
        return self._gatherer.gather(self._pieces(columns, {}), len(next(iter(columns.values()))))

    def render_edited(self, columns: dict[str, Column], edits: Edits) -> Iterator[bytes]:
        """Yield the rows of a block as `render` does, with those that are wrong in place of the clean ones."""
        struck = edits.rows
        positions = struck.tolist()
        touched = {name: column.take(struck) for name, column in columns.items()}
        wrong: dict[str, list[bytes]] = {}
        for name, of in edits.cells.items():
            wrong[name] = _few_rows(pieces_of(touched[name], self._dialect), len(struck))
            for at, row in enumerate(positions):
                if row in of:
                    wrong[name][at] = cell(of[row], columns[name], self._dialect)
        rows = _few_rows(
            self._pieces(touched, {name: _ragged(of) for name, of in wrong.items()}), len(struck)
        )
        if edits.damage:
            damage = {at: edits.damage[row] for at, row in enumerate(positions) if row in edits.damage}
            for at, written in self._damaged(touched, wrong, damage):
                rows[at] = written
        first = 0
        for text, ends in self._gatherer.gather_rows(
            self._pieces(columns, {}), len(next(iter(columns.values())))
        ):
            here = slice(*np.searchsorted(struck, [first, first + len(ends)]).tolist())
            yield b"".join(splice(text, ends, (struck[here] - first).tolist(), rows[here]))
            first += len(ends)

    def _damaged(
        self, columns: dict[str, Column], wrong: Mapping[str, list[bytes]], damage: Mapping[int, list[Damage]]
    ) -> Iterator[tuple[int, bytes]]:
        """Yield the rows with wrong bytes; `wrong` are the cells of fields with wrong values."""
        numbers = list(damage)
        cells = {
            name: [wrong[name][at] for at in numbers]
            if name in wrong
            else _few_rows(pieces_of(column.take(np.array(numbers)), self._dialect), len(numbers))
            for name, column in columns.items()
        }
        before = cache(self._dialect.before)
        for number, at in enumerate(numbers):
            row = {name: of[number] for name, of in cells.items()}
            yield at, damaged_row(row, damage[at], self._dialect, before)

    def _pieces(self, columns: dict[str, Column], wrong: Mapping[str, Piece]) -> list[Piece]:
        """Return the pieces of rows; `wrong` are those of fields in place of their columns'."""
        pieces: list[Piece] = []
        for position, (field, column) in enumerate(columns.items()):
            pieces.append(self._dialect.before(position, field))
            pieces += [wrong[field]] if field in wrong else pieces_of(column, self._dialect)
        pieces.append(self._dialect.end())
        return pieces


def _ragged(values: Sequence[bytes]) -> RaggedPiece:
    ends = np.cumsum([len(value) for value in values], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])
    return RaggedPiece(np.frombuffer(b"".join(values), dtype=np.uint8), starts, ends)


class RawDialect:
    """The dialect of a value alone: its UTF-8 bytes, and none for a null."""

    null = b""
    quote = b""
    special = b""

    def text(self, value: str) -> bytes:
        return value.encode()

    def part(self, value: str) -> bytes:
        return value.encode()


_RAW = RawDialect()


def texts(column: Categorical | FixedText | Text | Concat) -> Iterator[memoryview]:
    """Yield the UTF-8 bytes of a column's texts, one after another, those of some thousand rows at a time."""
    if isinstance(column, FixedText) and column.valid is None:
        return iter([np.ascontiguousarray(column.matrix).data.cast("B")] if len(column) else [])
    if isinstance(column, Categorical) and len(column) >= FEW_ROWS:
        return _taken(column)
    return _Gatherer().gather(pieces_of(column, _RAW), len(column))


def _taken(column: Categorical) -> Iterator[memoryview]:
    """Yield the texts of many rows; where few values are distinct, those of several rows are taken as one."""
    from esdh_export.encoding.categories import categories_array, distinct

    rows, table = _of_several(column.categories)
    if rows == 1:
        yield _take(categories_array(column.categories), column.codes)
        return
    values, positions = distinct(column.categories)
    codes = positions.take(column.codes)
    whole = len(codes) // rows * rows
    several, number = codes[:whole], np.int32(len(values))
    while len(several) * rows > whole:
        several = several[::2] * number + several[1::2]
        number *= number
    yield _take(table, several)
    yield _take(values, codes[whole:])


def _of_several(categories: Categories) -> tuple[int, "pa.Array"]:
    """Return a number of rows, and the texts that so many rows can have together, the last row running fastest."""
    from esdh_export.encoding.buffers import text_array
    from esdh_export.encoding.categories import distinct

    if categories not in _several:
        values = distinct(categories)[0]
        rows = 1
        if None not in categories.values:
            while rows < _MOST_TOGETHER and len(values) ** (2 * rows) <= MOST_COMBINATIONS // 2:
                rows *= 2
        combinations = map("".join, product(values.to_pylist(), repeat=rows))
        _several[categories] = rows, text_array(list(combinations), values.type)
    return _several[categories]


def _take(values: "pa.Array", codes: NDArray[np.integer]) -> memoryview:
    import pyarrow.compute as pc

    from esdh_export.encoding.buffers import integer_array

    return _bytes_of(pc.take(values, integer_array(codes), boundscheck=False))


def _bytes_of(values: "pa.Array") -> memoryview:
    """Return the bytes of an array of texts that begins at its buffers' beginning."""
    _, offsets, data = values.buffers()
    return memoryview(data or b"")[: int(np.frombuffer(offsets, dtype=np.int32)[len(values)])]


# What is known of categories for as long as it lives, so that no file has to find it out anew.
_rendered: WeakKeyDictionary[Categories, dict[tuple[Callable[[str], bytes], bytes], dict[int, bytes]]] = (
    WeakKeyDictionary()
)
_several: WeakKeyDictionary[Categories, tuple[int, "pa.Array"]] = WeakKeyDictionary()
_tables: WeakKeyDictionary[Categories, dict[object, "_Table"]] = WeakKeyDictionary()


def _rendering(piece: CodedPiece, codes: Iterable[int]) -> Mapping[int, bytes]:
    """Return the rendered values of the codes that occur."""
    by_form = _rendered.setdefault(piece.categories, {})
    rendered = by_form.setdefault((piece.render, piece.null), {})  # numbers have one spelling, but many nulls
    for code in set(codes).difference(rendered):
        value = piece.categories.values[code]
        rendered[code] = piece.null if value is None else piece.render(value)
    return rendered


def _fuse(pieces: Iterable[Piece], count: int) -> list[_Run]:
    """Group neighbours into runs; a literal joins the run before it, unless it is ragged, else the run after it."""
    runs: list[_Run] = []
    literals: list[bytes] = []
    for piece in pieces:
        last = runs[-1] if runs else None
        if isinstance(piece, bytes):
            (last.pieces if isinstance(last, _FixedRun | _CodedRun) else literals).append(piece)
        elif isinstance(piece, np.ndarray):
            if isinstance(last, _FixedRun):
                last.pieces.append(piece)
            else:
                runs.append(_FixedRun([*literals, piece]))
                literals = []
        elif isinstance(piece, RaggedPiece):
            runs += _constant(literals, count)
            runs.append(piece)
            literals = []
        elif isinstance(last, _CodedRun) and _CodedRun([*last.coded, piece]).size <= MOST_COMBINATIONS:
            last.pieces.append(piece)
        else:
            runs.append(_CodedRun([*literals, piece]))
            literals = []
    return runs + _constant(literals, count)


def _constant(literals: list[bytes], count: int) -> list[_Run]:
    """Return a run of literals alone, none for no literals."""
    if not literals:
        return []
    return [_CodedRun([constant_piece(b"".join(literals), count)])]


def _few(pieces: list[Piece], count: int) -> bytes:
    """Return a few rows, put together in Python."""
    return b"".join(chain.from_iterable(zip(*_few_values(pieces, count), strict=True)))


def _few_rows(pieces: list[Piece], count: int) -> list[bytes]:
    """Return each of a few rows, put together in Python."""
    return list(map(b"".join, zip(*_few_values(pieces, count), strict=True)))


def _few_values(pieces: list[Piece], count: int) -> list[Sequence[bytes]]:
    """Return what each piece gives a few rows."""
    values: list[Sequence[bytes]] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            values.append([piece] * count)
        elif isinstance(piece, np.ndarray):
            text, width = piece.tobytes(), piece.shape[1]
            values.append([text[at : at + width] for at in range(0, count * width, width)])
        elif isinstance(piece, RaggedPiece):
            text = piece.data.tobytes()
            ends = zip(piece.starts.tolist(), piece.ends.tolist(), strict=True)
            values.append([text[start:end] for start, end in ends])
        else:
            codes = piece.codes.tolist()
            rendered = _rendering(piece, codes)
            values.append([rendered[code] for code in codes])
    return values


class _Table(NamedTuple):
    """The texts of all coded runs of a row, one run after another."""

    data: bytes
    ends: NDArray[np.int64]  # of each text in the data
    firsts: list[int]  # the number of each run's first text


def _table(runs: list[_CodedRun]) -> _Table:
    """Return the table of some coded runs, which is kept as long as their first categories lives."""
    if not runs:
        return _Table(b"", np.empty(0, dtype=np.int64), [])
    numbers: dict[int, int] = {}  # which pieces share their codes, whatever these are
    key = tuple(
        tuple(
            piece
            if isinstance(piece, bytes)
            else (
                ref(piece.categories),
                piece.render,
                piece.null,
                numbers.setdefault(id(piece.codes), len(numbers)),
            )
            for piece in run.pieces
        )
        for run in runs
    )
    cached = _tables.setdefault(runs[0].coded[0].categories, {})
    table = cached.get(key)
    if table is None:
        if len(cached) == _MOST_TABLES:
            cached.clear()
        values: list[bytes] = []
        firsts: list[int] = []
        for run in runs:
            firsts.append(len(values))
            values += run.combinations()
        table = _Table(b"".join(values), np.cumsum([len(value) for value in values]), firsts)
        cached[key] = table
    return table


class _Gatherer:
    """Rows out of pieces; it keeps the strip of the last ones, since blocks are alike."""

    def __init__(self) -> None:
        self._strip: _Strip | None = None

    def gather(self, pieces: list[Piece], count: int) -> Iterator[memoryview]:
        """Yield the bytes of `count` rows, a strip of them at a time."""
        if count == 0:
            return
        pieces = [piece for piece in pieces if not isinstance(piece, bytes) or piece]
        if count < FEW_ROWS:
            yield memoryview(_few(pieces, count))
            return
        yield from map(_bytes_of, self._strips(pieces, count)[1])

    def gather_rows(
        self, pieces: list[Piece], count: int
    ) -> Iterator[tuple[memoryview, NDArray[np.integer]]]:
        """Yield the bytes of `count` rows, a strip of them at a time, and where each row ends in them."""
        pieces = [piece for piece in pieces if not isinstance(piece, bytes) or piece]
        if count < FEW_ROWS:
            rows = _few_rows(pieces, count)
            yield memoryview(b"".join(rows)), np.cumsum([len(row) for row in rows], dtype=np.int64)
            return
        runs, strips = self._strips(pieces, count)
        for strip in strips:
            offsets = np.frombuffer(strip.buffers()[1], dtype=np.int32)[: len(strip) + 1]
            yield _bytes_of(strip), offsets[runs::runs]

    def _strips(self, pieces: list[Piece], count: int) -> "tuple[int, Iterator[pa.Array]]":
        """Return how many texts make a row, and an iterator over arrays of them, one row after another."""
        runs = _fuse(pieces, count)
        table = _table([run for run in runs if isinstance(run, _CodedRun)])
        if self._strip is None or not self._strip.suits(table, runs, count):
            self._strip = _Strip(table, runs, count)
        strip = self._strip
        rows = [run.combined() if isinstance(run, _CodedRun) else run for run in runs]
        taken = (strip.take(rows, start, min(_STRIP, count - start)) for start in range(0, count, _STRIP))
        return len(runs), taken


def _layout(runs: Iterable[_Run]) -> list[list[bytes | int] | None]:
    """Return the literals and the widths of each run of one width, and None for a ragged one."""
    return [
        None
        if isinstance(run, RaggedPiece)
        else [piece if isinstance(piece, bytes) else piece.shape[1] for piece in run.pieces]
        for run in runs
        if not isinstance(run, _CodedRun)
    ]


def _ragged_sizes(runs: Iterable[_Run], count: int) -> list[int]:
    """Return the most bytes that a strip of each ragged run takes."""
    return [
        max(run.size(start, min(_STRIP, count - start)) for start in range(0, count, _STRIP))
        for run in runs
        if isinstance(run, RaggedPiece)
    ]


class _Strip:
    """A table that ends in the texts of a strip of rows that aren't coded, and what to take from it, row by row.

    A ragged run has a region for its bytes, and two texts a row: the row's own, and the gap before the next.
    """

    def __init__(self, table: _Table, runs: list[_Run], count: int) -> None:
        import pyarrow as pa

        self._table, self._layout = table, _layout(runs)
        self._rooms = [
            size + size // 8 for size in _ragged_sizes(runs, count)
        ]  # the next blocks' differ little
        widths = sum(sum(run.widths) for run in runs if isinstance(run, _FixedRun))
        self._data = np.empty(len(table.data) + _STRIP * widths + sum(self._rooms), dtype=np.uint8)
        self._data[: len(table.data)] = np.frombuffer(table.data, dtype=np.uint8)
        ends = [table.ends]
        self._numbers = np.empty((_STRIP, len(runs)), dtype=np.int32)
        self._firsts: list[int] = []  # the number of the first text of each run
        self._places: list[list[NDArray[np.void]]] = []  # where the pieces of each run of one width go
        self._begins: list[int] = []  # where the region of each run begins
        coded, rooms, at, number = iter(table.firsts), iter(self._rooms), len(table.data), len(table.ends)
        for position, run in enumerate(runs):
            self._begins.append(at)
            self._places.append([])
            if isinstance(run, _CodedRun):
                self._firsts.append(next(coded))
                continue
            self._firsts.append(number)
            if isinstance(run, RaggedPiece):
                self._numbers[:, position] = np.arange(number, number + 2 * _STRIP, 2)
                at += next(rooms)
                ends.append(np.full(2 * _STRIP, at))
                number += 2 * _STRIP
                continue
            self._numbers[:, position] = np.arange(number, number + _STRIP)
            width = sum(run.widths)
            ends.append(np.arange(at + width, at + _STRIP * width + 1, width))
            self._places[-1] = _places(self._data[at : at + _STRIP * width], run)
            at, number = at + _STRIP * width, number + _STRIP
        self._offsets = np.concatenate([[0], *ends]).astype(np.int32)
        self._array = pa.Array.from_buffers(
            pa.binary(), number, [None, pa.py_buffer(self._offsets), pa.py_buffer(self._data)]
        )

    def suits(self, table: _Table, runs: list[_Run], count: int) -> bool:
        """Return whether rows of these runs can be taken."""
        if self._table is not table or self._layout != _layout(runs):
            return False
        return all(size <= room for size, room in zip(_ragged_sizes(runs, count), self._rooms, strict=True))

    def take(
        self, rows: "list[NDArray[np.integer] | _FixedRun | RaggedPiece]", start: int, count: int
    ) -> "pa.Array":
        """Return the texts of `count` rows from `start` on; each run gives its numbers in the table, or its texts."""
        import pyarrow.compute as pc

        from esdh_export.encoding.buffers import integer_array

        numbers = self._numbers[:count]
        for position, (run, first) in enumerate(zip(rows, self._firsts, strict=True)):
            if isinstance(run, _FixedRun):
                matrices = (piece for piece in run.pieces if isinstance(piece, np.ndarray))
                for place, matrix in zip(self._places[position], matrices, strict=True):
                    part = np.ascontiguousarray(matrix[start : start + count])
                    place[:count] = part.view(place.dtype)[:, 0]
            elif isinstance(run, RaggedPiece):
                self._place_ragged(run, start, count, begin=self._begins[position], first=first)
            else:
                np.add(run[start : start + count], first, out=numbers[:, position], casting="same_kind")
        return pc.take(self._array, integer_array(numbers.reshape(-1)), boundscheck=False)

    def _place_ragged(self, run: RaggedPiece, start: int, count: int, *, begin: int, first: int) -> None:
        source, size = int(run.starts[start]), run.size(start, count)
        self._data[begin : begin + size] = run.data[source : source + size]
        offsets = self._offsets[first : first + 2 * count]
        offsets[0::2] = run.starts[start : start + count] - (source - begin)
        offsets[1::2] = run.ends[start : start + count] - (source - begin)


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
