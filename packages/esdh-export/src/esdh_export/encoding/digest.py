"""The content digest: one number for the data of an entity, whatever format or layout holds it."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from esdh_core.columns import (
    Boolean,
    Categorical,
    Categories,
    Column,
    Concat,
    Date,
    FixedText,
    Numbers,
    Text,
    Timestamp,
)
from numpy.typing import NDArray

from esdh_export.encoding.lengths import NULL_LENGTH, lengths, lengths_of_categories
from esdh_export.encoding.rows import texts

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["block_digest", "column_digest", "entity_digest", "number_digest"]


def column_digest(column: Column, *, nullable: bool = False) -> bytes:
    """Return the SHA-256 of one column of a block, raw.

    A column of text hashes all byte lengths as little-endian uint32 (0xFFFFFFFF for a null), then all UTF-8
    bytes; integers and unscaled decimals little-endian int64; dates days since 1970-01-01 as int32; instants
    microseconds since then as int64; truths a byte each. A `nullable` field that is no text hashes a byte a row
    before, 1 where there is a value, and 0 for the value of a null.
    """
    if isinstance(column, Numbers):
        return number_digest(_hashed_numbers(column), column.valid, nullable=nullable)
    if isinstance(column, Categorical) and len(column.categories) == 1:
        return _constant(column.categories, len(column))
    if isinstance(column, FixedText) and column.valid is None:
        digest = _after_lengths(*column.matrix.shape).copy()
    else:
        digest = _of_lengths(column)
    for text in texts(column):
        digest.update(text)
    return digest.digest()


def _hashed_numbers(column: Numbers) -> NDArray[np.integer]:
    """Return the numbers that a column's values are hashed as."""
    if isinstance(column, Timestamp):
        return column.values * np.int64(1_000_000)
    narrow = np.int8 if isinstance(column, Boolean) else np.int32 if isinstance(column, Date) else np.int64
    return column.values.astype(narrow, copy=False)


def number_digest(values: NDArray[np.integer], valid: NDArray[np.bool_] | None, *, nullable: bool) -> bytes:
    """Return the SHA-256 of numbers in their own width, little-endian, after their validity where a field has nulls."""
    digest = hashlib.sha256()
    if nullable:
        if valid is None:
            valid = np.ones(len(values), dtype=np.bool_)
        digest.update(np.ascontiguousarray(valid).view(np.uint8).data)
        values = np.where(valid, values, values.dtype.type(0))
    digest.update(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).data)
    return digest.digest()


@lru_cache(maxsize=16)
def _constant(categories: Categories, count: int) -> bytes:
    """Return the digest of a column that has one value only."""
    (value,) = categories.values
    length = NULL_LENGTH if value is None else np.uint32(len(value.encode()))
    digest = hashlib.sha256(np.full(count, length, dtype="<u4").data)
    digest.update((value or "").encode() * count)
    return digest.digest()


def _of_lengths(column: Categorical | FixedText | Text | Concat) -> "_Hash":
    """Return the state of SHA-256 after the lengths of a column's texts."""
    if isinstance(column, Categorical) and len(column) >= len(column.categories):
        known = lengths_of_categories(column.categories)
        if (known == known[0]).all():  # postal codes
            return _after_lengths(len(column), int(known[0])).copy()
    return hashlib.sha256(lengths(column).astype("<u4", copy=False).data)


@lru_cache(maxsize=16)
def _after_lengths(count: int, width: int) -> "_Hash":
    """Return the state of SHA-256 after the lengths of `count` texts of one width, to go on from a copy."""
    return hashlib.sha256(np.full(count, width, dtype="<u4").data)


def block_digest(columns: Iterable[bytes]) -> bytes:
    """Return the digest of a block, raw, from its raw column digests in field order."""
    return hashlib.sha256(b"".join(columns)).digest()


def entity_digest(blocks: Iterable[bytes]) -> str:
    """Return the digest of an entity, in lowercase hexadecimal, from its raw block digests in order."""
    return hashlib.sha256(b"".join(blocks)).hexdigest()
