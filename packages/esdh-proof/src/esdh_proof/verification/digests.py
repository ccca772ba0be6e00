"""The block digests of a table in each format, out of the pieces that make blocks together."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import pyarrow as pa
from esdh_core import Table
from esdh_export import array_digest, block_digest

from esdh_proof.reading import Rows

__all__ = ["OF_SEED", "BlockDigests", "rows_digest"]

OF_SEED = b"the rows that the seed gives"
"""Stands for the digest of rows that are known to be the seed's, which need no digest of their own."""


class _Piece(NamedTuple):
    digest: bytes
    arrays: Mapping[str, pa.Array]
    rows: int


class BlockDigests:
    """The block digests of a table in each format.

    Pieces that are the same in several formats are held, and hashed, once.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._pieces: dict[str, list[_Piece]] = {}  # by format, those of the block at hand
        self._arrays: dict[bytes, Mapping[str, pa.Array]] = {}
        self._known: dict[tuple[bytes, ...], bytes] = {}
        self.blocks: dict[str, list[bytes]] = {}

    def add(self, name: str, digest: bytes, rows: Rows) -> None:
        """Add a piece of a block in a format, by the digest of its rows or as `OF_SEED`."""
        arrays = rows.arrays if digest == OF_SEED else self._arrays.setdefault(digest, rows.arrays)
        self._pieces.setdefault(name, []).append(_Piece(digest, arrays, len(rows)))

    def end(self, name: str, *, pieces: int, of_seed: Callable[[], bytes] | None) -> bool | None:
        """End the block at hand in a format, of which there should be so many pieces.

        `of_seed` gives the digest of the block that the seed gives. Return whether it is that block; None for a block
        without any piece, which has no digest.
        """
        found = self._pieces.pop(name, [])
        if not found:
            return None
        same = len(found) == pieces and all(piece.digest == OF_SEED for piece in found)
        digest = of_seed() if same and of_seed else self._joined([piece for piece in found if piece.rows])
        self.blocks.setdefault(name, []).append(digest)
        return same

    def _joined(self, pieces: list[_Piece]) -> bytes:
        key = tuple(piece.digest for piece in pieces)
        if len(pieces) == 1 and key[0] != OF_SEED:
            return key[0]
        if OF_SEED in key or key not in self._known:
            arrays = {
                name: pa.concat_arrays([piece.arrays[name] for piece in pieces]) if pieces else None
                for name in self._table.fields
            }
            self._known[key] = block_digest(_column_digests(arrays, self._table) if pieces else [])
        return self._known[key]

    def end_block(self) -> None:
        """Let go of what no later block needs, in any format."""
        self._arrays.clear()
        self._known.clear()


def rows_digest(rows: Rows, table: Table) -> bytes:
    """Return the digest of some rows, as that of a block of them alone."""
    return block_digest(_column_digests(rows.arrays, table) if len(rows) else [])


def _column_digests(arrays: Mapping[str, pa.Array], table: Table) -> Iterator[bytes]:
    """Yield the digest of each column; one that holds a null where there can be none has one of its own."""
    for field in table.schema:
        values = arrays[field.name]
        try:
            yield array_digest(values, nullable=field.nullable)
        except ValueError:
            yield hashlib.sha256(repr(values.to_pylist()).encode()).digest()
