"""The content digest: one number for the data of an entity, whatever format or layout holds it."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from esdh_core.columns import Coded, Column, Date, FixedText, Integer, Joined, Vocabulary
from numpy.typing import NDArray

from esdh_export.rendering import texts

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["NULL_LENGTH", "block_digest", "column_digest", "entity_digest", "lengths"]

NULL_LENGTH = np.uint32(0xFFFFFFFF)
_lengths: WeakKeyDictionary[Vocabulary, NDArray[np.uint32]] = WeakKeyDictionary()


def column_digest(column: Column) -> bytes:
    """Return the SHA-256 of one column of a block, raw.

    A column of text hashes all byte lengths as little-endian uint32 (0xFFFFFFFF for a null), then all UTF-8
    bytes; integers little-endian int64; dates days since 1970-01-01 as little-endian int32.
    """
    match column:
        case Integer(values):
            return hashlib.sha256(values.astype("<i8").data).digest()
        case Date(days):
            return hashlib.sha256(days.astype("<i4").data).digest()
        case Coded(_, vocabulary) if len(vocabulary) == 1:
            return _constant(vocabulary, len(column))
        case FixedText(matrix):
            digest = _after_lengths(*matrix.shape).copy()
        case _:
            digest = _of_lengths(column)
    for text in texts(column):
        digest.update(text)
    return digest.digest()


@lru_cache(maxsize=16)
def _constant(vocabulary: Vocabulary, count: int) -> bytes:
    """Return the digest of a column that has one value only."""
    (value,) = vocabulary.values
    length = NULL_LENGTH if value is None else np.uint32(len(value.encode()))
    digest = hashlib.sha256(np.full(count, length, dtype="<u4").data)
    digest.update((value or "").encode() * count)
    return digest.digest()


def _of_lengths(column: Coded | Joined) -> "_Hash":
    """Return the state of SHA-256 after the lengths of a column's texts."""
    if isinstance(column, Coded) and len(column) >= len(column.vocabulary):
        known = _of_vocabulary(column.vocabulary)
        if (known == known[0]).all():  # postal codes
            return _after_lengths(len(column), int(known[0])).copy()
    return hashlib.sha256(lengths(column).astype("<u4", copy=False).data)


@lru_cache(maxsize=16)
def _after_lengths(count: int, width: int) -> "_Hash":
    """Return the state of SHA-256 after the lengths of `count` texts of one width, to go on from a copy."""
    return hashlib.sha256(np.full(count, width, dtype="<u4").data)


def lengths(column: Coded | FixedText | Joined) -> NDArray[np.uint32]:
    """Return the length in bytes of each text of a column, shape (n,), `NULL_LENGTH` for a null."""
    match column:
        case FixedText(matrix):
            return np.full(len(matrix), matrix.shape[1], dtype=np.uint32)
        case Coded(codes, vocabulary):
            if len(codes) < len(vocabulary):  # then the lengths of those that occur are fewer
                values = vocabulary.values
                return _of(values[code] for code in codes.tolist())
            return _of_vocabulary(vocabulary).take(codes)
        case Joined(parts):
            total = np.zeros(len(column), dtype=np.uint32)
            for part in parts:
                if isinstance(part, str):
                    total += np.uint32(len(part.encode()))
                else:
                    total += lengths(part.text() if isinstance(part, Integer) else part)
            return total


def _of_vocabulary(vocabulary: Vocabulary) -> NDArray[np.uint32]:
    if vocabulary not in _lengths:
        _lengths[vocabulary] = _of(vocabulary.values)
    return _lengths[vocabulary]


def _of(values: Iterable[str | None]) -> NDArray[np.uint32]:
    return np.array(
        [NULL_LENGTH if value is None else len(value.encode()) for value in values], dtype=np.uint32
    )


def block_digest(columns: Iterable[bytes]) -> bytes:
    """Return the digest of a block, raw, from its raw column digests in field order."""
    return hashlib.sha256(b"".join(columns)).digest()


def entity_digest(blocks: Iterable[bytes]) -> str:
    """Return the digest of an entity, in lowercase hexadecimal, from its raw block digests in order."""
    return hashlib.sha256(b"".join(blocks)).hexdigest()
