"""Columns as Arrow arrays, plain or by dictionaries, and the digest of an array."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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

from esdh_export.encoding.buffers import (
    bits,
    integer_array,
    null_mask,
    number_buffer,
    numbers,
    text_array,
    wide_buffer,
)
from esdh_export.encoding.categories import categories_array, distinct
from esdh_export.encoding.digest import number_digest
from esdh_export.encoding.lengths import NULL_LENGTH, lengths
from esdh_export.encoding.rows import texts

__all__ = ["array", "array_digest", "dictionary_array"]


def array(column: Column) -> pa.Array:
    """Return a column as an Arrow array of plain values."""
    if isinstance(column, Categorical):
        return categories_array(column.categories).take(integer_array(column.codes))
    kind, *buffers = _buffers(column)
    validity = None if column.valid is None else bits(column.valid)
    return pa.Array.from_buffers(kind, len(column), [validity, *buffers])


def _buffers(
    column: FixedText | Text | Integer | Decimal | Boolean | Date | Timestamp | Concat,
) -> tuple[pa.DataType, *tuple[pa.Buffer, ...]]:
    """Return the Arrow type of a column and its buffers but that of validity."""
    kind, data = pa.string(), None
    match column:
        case FixedText(matrix):
            count, width = matrix.shape
            offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
            return kind, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix))
        case Text() | Concat():
            sizes = lengths(column)
            sizes[sizes == NULL_LENGTH] = 0
            offsets = np.zeros(len(column) + 1, dtype=np.int32)
            np.cumsum(sizes, out=offsets[1:])
            return kind, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts(column)))
        case Boolean(values):
            kind, data = pa.bool_(), bits(values.astype(np.bool_))
        case Decimal(values, scale=scale):
            kind, data = pa.decimal128(18, scale), wide_buffer(values)
        case Date(values):
            kind, data = pa.date32(), number_buffer(values, np.int32)
        case Timestamp(values):
            kind, data = pa.timestamp("us", tz="UTC"), number_buffer(values * np.int64(1_000_000), np.int64)
        case Integer(values):
            kind, data = pa.int64(), number_buffer(values, np.int64)
    return kind, data


def dictionary_array(column: Categorical) -> pa.DictionaryArray:
    """Return a coded column as indices into its distinct values; no text is made for the rows."""
    if len(column) < len(column.categories):  # only the values that occur
        used, codes = np.unique(column.codes, return_inverse=True)
        known = column.categories.values
        column = Categorical(codes, Categories([known[code] for code in used.tolist()]))
    values, positions = distinct(column.categories)
    if len(values) == len(column.categories):  # then every code is its value's position
        indices = np.ascontiguousarray(column.codes, dtype=np.int32)
    else:
        indices = positions.take(column.codes)
    validity = None
    if (indices < 0).any():
        validity = bits(indices >= 0)
        indices = np.maximum(indices, 0)
    numbered = pa.Array.from_buffers(pa.int32(), len(indices), [validity, pa.py_buffer(indices)])
    return pa.DictionaryArray.from_arrays(numbered, values, safe=False)  # the indices are ours


def array_digest(array: pa.Array, *, nullable: bool = False) -> bytes:
    """Return the SHA-256 of an Arrow array of a block's values, raw: what `column_digest` gives for the column.

    TypeError for a type that no field has; ValueError for a null that is no text in a field without nulls.
    """
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return _text_digest(array)
    if array.null_count and not nullable:
        raise ValueError(f"a column of {array.type} holds {array.null_count} nulls, and its field has none")
    valid = ~null_mask(array)
    if pa.types.is_integer(array.type):
        values = numbers(array.cast(pa.int64()))
    elif pa.types.is_decimal(array.type):
        values = numbers(array).reshape(-1, 2)[:, 0]  # the lower half of 128 bits: 18 digits fit 64
    elif pa.types.is_boolean(array.type):
        values = numbers(pc.cast(array, pa.int8()))
    elif pa.types.is_date32(array.type) or pa.types.is_timestamp(array.type):
        values = numbers(array)
    else:
        raise TypeError(f"no digest is defined for a column of {array.type}")
    return number_digest(values, valid, nullable=nullable)


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
        lengths[nulls] = NULL_LENGTH
    result = hashlib.sha256(lengths.tobytes())
    if data is not None:
        result.update(memoryview(data)[int(offsets[0]) : int(offsets[-1])])
    return result.digest()
