"""Rows of text from columns: escaped once per vocabulary entry, then taken and joined by Arrow.

A row is a run of pieces: literals (names, separators), text of one width, and codes into a vocabulary.
Neighbours are fused before anything is done per row: pieces of one width become one wider piece, and
coded pieces that share their codes, or whose combinations are few, become one vocabulary of their joined
text. What is left is a handful of pieces a row for Arrow to take and join.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core.columns import Coded, Column, Date, FixedText, Integer, Joined, Vocabulary
from numpy.typing import NDArray

from esdh_export.arrow import fixed_array
from esdh_export.plain import integer_array, text_array, text_scalar

__all__ = ["Dialect", "RowRenderer"]

# Fuse coded pieces while their combinations stay below this: the joined text of 16,384 combinations
# stays in the second-level cache or near it.
_MOST_COMBINATIONS = 16_384
_FEW = 4_096  # rows: fewer are joined as they are, without a look at the vocabularies of their parts


class Dialect(Protocol):
    """How a text format writes values and what it puts around them."""

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


class RowRenderer:
    """Renders the rows of one entity in one dialect; it keeps the vocabularies it has rendered."""

    def __init__(self, fields: Sequence[str], dialect: Dialect) -> None:
        self._fields = tuple(fields)
        self._dialect = dialect
        self._rendered: dict[tuple[Vocabulary, Callable[[str], bytes]], dict[int, bytes]] = {}
        self._writable: set[Vocabulary] = set()  # those whose every value can be written as a part
        self._tables: dict[tuple[object, ...], pa.Array] = {}

    def render(self, columns: dict[str, Column]) -> memoryview:
        """Return the rows of a block, shape (bytes,): every field of every row, with what stands between."""
        count = len(next(iter(columns.values())))
        if count == 0:
            return memoryview(b"")
        pieces: list[_Piece] = []
        for position, (field, column) in enumerate(columns.items()):
            pieces.append(self._dialect.before(position, field))
            pieces += self._pieces(column)
        pieces.append(self._dialect.end())
        runs = [self._run(run, count) for run in _fuse(pieces)]
        rows = pc.binary_join_element_wise(*runs, text_scalar(b"", pa.binary()))
        _, offsets, data = rows.buffers()
        return memoryview(data)[: int(np.frombuffer(offsets, dtype=np.int32)[count])]

    def _pieces(self, column: Column) -> list[_Piece]:
        dialect = self._dialect
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
                return self._joined(column, parts)

    def _joined(self, column: Joined, parts: tuple[Coded | Integer | str, ...]) -> list[_Piece]:
        """Return the parts between quotes or, where one can't be written as a part, whole values."""
        if len(column) < _FEW:
            return self._whole(column)
        pieces: list[_Piece] = [self._dialect.quote]
        for part in parts:
            if isinstance(part, str):
                literal = self._dialect.part(part)
                if literal is None:
                    return self._whole(column)
                pieces.append(literal)
                continue
            text = part.text() if isinstance(part, Integer) else part
            if not self._in_parts(text.vocabulary):
                return self._whole(column)
            pieces.append(_CodedPiece(text.codes, text.vocabulary, self._part, b""))
        return [*pieces, self._dialect.quote]

    def _part(self, value: str) -> bytes:
        part = self._dialect.part(value)
        if part is None:
            raise ValueError(f"{value!r} can't be written in parts")
        return part

    def _in_parts(self, vocabulary: Vocabulary) -> bool:
        """Return whether every value of a vocabulary can be written as a part of a text."""
        if vocabulary not in self._writable:
            if any(value is None or self._dialect.part(value) is None for value in vocabulary.values):
                return False
            self._writable.add(vocabulary)
        return True

    def _whole(self, column: Joined) -> list[_Piece]:
        values = column.tolist()  # each is rendered once: they hardly ever repeat
        return [
            _CodedPiece(np.arange(len(values)), Vocabulary(values), self._dialect.text, self._dialect.null)
        ]

    def _run(self, run: list[_Piece], count: int) -> pa.Array | pa.Scalar:
        """Return one run of fused pieces as a binary array of `count` values (or a scalar, if literal)."""
        if all(isinstance(piece, bytes) for piece in run):
            literals = [piece for piece in run if isinstance(piece, bytes)]
            return text_scalar(b"".join(literals), pa.binary())
        if any(isinstance(piece, np.ndarray) for piece in run):
            return fixed_array(_side_by_side(run, count), pa.binary())
        return self._coded_run(run, count)

    def _coded_run(self, run: list[_Piece], count: int) -> pa.Array:
        groups = _code_groups(run)
        size = prod(length for _, length in groups.values())
        if count < size:  # fewer rows than combinations: render the rows themselves
            rows = self._join(run, {key: codes.tolist() for key, (codes, _) in groups.items()})
            return text_array(rows, pa.binary())
        key = tuple(
            piece if isinstance(piece, bytes) else (piece.vocabulary, piece.render)
            for piece in run
            if not isinstance(piece, np.ndarray)
        )
        if key not in self._tables:
            strides: dict[int, list[int]] = {}
            repeat, rest = 1, size
            for group, (_, length) in groups.items():
                rest //= length
                strides[group] = [code for code in range(length) for _ in range(rest)] * repeat
                repeat *= length
            self._tables[key] = text_array(self._join(run, strides), pa.binary())
        (combined, _), *others = groups.values()
        for codes, length in others:
            combined = combined * np.int32(length) + codes
        return self._tables[key].take(integer_array(combined))

    def _join(self, run: list[_Piece], codes: dict[int, list[int]]) -> list[bytes]:
        """Return the joined text of a run for parallel lists of codes, one list a group."""
        count = len(next(iter(codes.values())))
        texts: list[list[bytes]] = []
        for piece in run:
            if isinstance(piece, bytes):
                texts.append([piece] * count)
            elif isinstance(piece, _CodedPiece):
                rendered = self._rendering(piece, codes[id(piece.codes)])
                texts.append([rendered[code] for code in codes[id(piece.codes)]])
        return list(map(b"".join, zip(*texts, strict=True)))

    def _rendering(self, piece: _CodedPiece, codes: list[int]) -> Mapping[int, bytes]:
        """Return the rendered values of the codes that occur."""
        rendered: dict[int, bytes] = self._rendered.setdefault((piece.vocabulary, piece.render), {})
        for code in set(codes).difference(rendered):
            value = piece.vocabulary.values[code]
            rendered[code] = piece.null if value is None else piece.render(value)
        return rendered


def _code_groups(run: Sequence[_Piece]) -> dict[int, tuple[NDArray[np.integer], int]]:
    """Return each distinct array of codes in a run, by identity, with the length of its vocabularies."""
    return {
        id(piece.codes): (piece.codes, len(piece.vocabulary))
        for piece in run
        if isinstance(piece, _CodedPiece)
    }


def _fuse(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Group neighbours into runs that become one array each; a literal joins the run before it."""
    runs: list[list[_Piece]] = [[]]
    for piece in pieces:
        run = runs[-1]
        if isinstance(piece, bytes):
            if piece:
                run.append(piece)
        elif isinstance(piece, np.ndarray):
            if any(isinstance(each, _CodedPiece) for each in run):
                runs.append(run := [])
            run.append(piece)
        else:
            size = prod(length for _, length in _code_groups([*run, piece]).values())
            if any(isinstance(each, np.ndarray) for each in run) or (
                size > _MOST_COMBINATIONS and any(isinstance(each, _CodedPiece) for each in run)
            ):
                runs.append(run := [])
            run.append(piece)
    return [run for run in runs if run]


def _side_by_side(run: list[_Piece], count: int) -> NDArray[np.uint8]:
    """Return literals and matrices of one width each as one matrix, shape (count, total width)."""
    widths = [
        len(piece) if isinstance(piece, bytes) else piece.shape[1]
        for piece in run
        if not isinstance(piece, _CodedPiece)
    ]
    offsets = np.cumsum([0, *widths])
    # One structured field a piece: NumPy then copies each value as a whole, not byte by byte.
    names = [str(at) for at in range(len(run))]
    kind = np.dtype(
        {
            "names": names,
            "formats": [f"V{width}" for width in widths],
            "offsets": offsets[:-1].tolist(),
            "itemsize": int(offsets[-1]),
        }
    )
    rows = np.empty(count, dtype=kind)
    for name, piece, width in zip(names, run, widths, strict=True):
        if isinstance(piece, bytes):
            rows[name] = np.frombuffer(piece, dtype=f"V{width}")[0]
        elif isinstance(piece, np.ndarray):
            rows[name] = np.ascontiguousarray(piece).view(f"V{width}")[:, 0]
    return rows.view(np.uint8).reshape(count, kind.itemsize)
