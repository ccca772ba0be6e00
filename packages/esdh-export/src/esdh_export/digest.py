"""The content digest: one number for the data of an entity, whatever format or layout holds it."""

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from esdh_export.plain import null_mask, numbers, text_array

__all__ = ["block_digest", "column_digest", "entity_digest"]

_NULL_LENGTH = np.uint32(0xFFFFFFFF)


def column_digest(array: pa.Array) -> bytes:
    """Return the SHA-256 of one column of a block, raw.

    A string column hashes all byte lengths as little-endian uint32 (0xFFFFFFFF for a null), then all
    UTF-8 bytes; an integer column little-endian int64; a date column days since 1970-01-01 as
    little-endian int32. TypeError for any other type, ValueError for a null where there can be none.
    """
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return _text_digest(array)
    if array.null_count:
        raise ValueError(f"a column of {array.type} holds {array.null_count} nulls; only strings may be null")
    if pa.types.is_integer(array.type):
        return hashlib.sha256(numbers(array.cast(pa.int64())).astype("<i8", copy=False).data).digest()
    if pa.types.is_date32(array.type):
        return hashlib.sha256(numbers(array).astype("<i4", copy=False).data).digest()
    raise TypeError(f"no digest is defined for a column of {array.type}")


def _text_digest(array: pa.Array) -> bytes:
    wide = np.dtype(np.int64) if pa.types.is_large_string(array.type) else np.dtype(np.int32)
    _, offset_buffer, data = array.buffers()
    if len(array) == 0:
        return hashlib.sha256().digest()
    offsets = np.frombuffer(offset_buffer, dtype=wide)[array.offset : array.offset + len(array) + 1]
    lengths = np.diff(offsets).astype("<u4")
    if array.null_count:
        nulls = null_mask(array)
        if lengths[nulls].any():  # Arrow lets a null cover bytes; hash only what is a value
            return _text_digest(text_array(array.to_pylist(), array.type))
        lengths[nulls] = _NULL_LENGTH
    result = hashlib.sha256(lengths.tobytes())
    if data is not None:
        result.update(memoryview(data)[int(offsets[0]) : int(offsets[-1])])
    return result.digest()


def block_digest(columns: Iterable[bytes]) -> bytes:
    """Return the digest of a block, raw, from its raw column digests in field order."""
    return hashlib.sha256(b"".join(columns)).digest()


def entity_digest(blocks: Iterable[bytes]) -> str:
    """Return the digest of an entity, in lowercase hexadecimal, from its raw block digests in order."""
    return hashlib.sha256(b"".join(blocks)).hexdigest()
