"""Columns as Arrow arrays, and the Arrow schema that follows from a Struct."""

import hashlib
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import pyarrow as pa
from esdh_core import DATASET_VERSION, SYNTHETIC_SOURCE
from esdh_core.columns import Coded, Column, Date, FixedText, Integer, Joined, Vocabulary
from esdh_core.rules import Entity
from numpy.typing import NDArray

from esdh_export.digest import NULL_LENGTH, lengths
from esdh_export.plain import integer_array, null_mask, numbers, text_array
from esdh_export.rendering import texts

__all__ = ["array", "array_digest", "dictionary_array", "distinct", "schema", "vocabulary_array"]


def schema(entity: Entity, *, seed: int | None = None) -> pa.Schema:
    """Return the Arrow schema of an entity: strings, date32, int64; nullable as the Struct says.

    With a seed, the schema's metadata carries it beside the synthetic marker.
    """
    described = msgspec.inspect.type_info(entity.record)
    if not isinstance(described, msgspec.inspect.StructType):
        raise TypeError(f"{entity.record!r} is no Struct")
    fields = []
    for name, kind in zip(entity.fields, described.fields, strict=True):
        branches = _branches(kind.type)
        nullable = any(isinstance(branch, msgspec.inspect.NoneType) for branch in branches)
        fields.append(pa.field(name, _arrow_type(branches), nullable=nullable))
    if seed is None:
        return pa.schema(fields)
    metadata = {"synthetic_source": SYNTHETIC_SOURCE, "dataset_version": DATASET_VERSION, "seed": str(seed)}
    return pa.schema(fields, metadata=metadata)


def _branches(kind: msgspec.inspect.Type) -> list[msgspec.inspect.Type]:
    """Return the types that a field may have, out of the unions and annotations around them."""
    if isinstance(kind, msgspec.inspect.Metadata):
        return _branches(kind.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        return [inner for branch in kind.types for inner in _branches(branch)]
    return [kind]


def _arrow_type(branches: list[msgspec.inspect.Type]) -> pa.DataType:
    for branch in branches:
        if isinstance(branch, msgspec.inspect.DateType):
            return pa.date32()
        if isinstance(branch, msgspec.inspect.IntType):
            return pa.int64()
    return pa.string()


def array(column: Column) -> pa.Array:
    """Return a column as an Arrow array of plain values."""
    match column:
        case Coded(codes, vocabulary):
            return vocabulary_array(vocabulary).take(integer_array(codes))
        case FixedText(matrix):
            return _fixed_array(matrix)
        case Integer(values):
            return integer_array(values.astype(np.int64))
        case Date(days):
            return pa.Array.from_buffers(pa.date32(), len(days), [None, pa.py_buffer(days)])
        case Joined():
            offsets = np.zeros(len(column) + 1, dtype=np.int32)
            np.cumsum(lengths(column), out=offsets[1:])
            data = b"".join(texts(column))
            return pa.Array.from_buffers(
                pa.string(), len(column), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
            )


def dictionary_array(column: Coded) -> pa.DictionaryArray:
    """Return a coded column as indices into its distinct values; no text is made for the rows."""
    if len(column) < len(column.vocabulary):  # only the values that occur
        used, codes = np.unique(column.codes, return_inverse=True)
        known = column.vocabulary.values
        column = Coded(codes, Vocabulary([known[code] for code in used.tolist()]))
    values, places = distinct(column.vocabulary)
    if len(values) == len(column.vocabulary):  # then every code is its value's place
        indices = np.ascontiguousarray(column.codes, dtype=np.int32)
    else:
        indices = places.take(column.codes)
    validity = None
    if (indices < 0).any():
        validity = pa.py_buffer(np.packbits(indices >= 0, bitorder="little"))
        indices = np.maximum(indices, 0)
    numbered = pa.Array.from_buffers(pa.int32(), len(indices), [validity, pa.py_buffer(indices)])
    return pa.DictionaryArray.from_arrays(numbered, values, safe=False)  # the indices are ours


# What is known of a vocabulary for as long as it lives.
_arrays: WeakKeyDictionary[Vocabulary, pa.Array] = WeakKeyDictionary()
_places: WeakKeyDictionary[Vocabulary, tuple[pa.Array, NDArray[np.int32]]] = WeakKeyDictionary()


def vocabulary_array(vocabulary: Vocabulary) -> pa.Array:
    """Return a vocabulary's values by their codes."""
    if vocabulary not in _arrays:
        _arrays[vocabulary] = text_array(vocabulary.values, pa.string())
    return _arrays[vocabulary]


def distinct(vocabulary: Vocabulary) -> tuple[pa.Array, NDArray[np.int32]]:
    """Return a vocabulary's distinct values, and the place of each code's value among them (-1 for a null)."""
    if vocabulary not in _places:
        places: dict[str, int] = {}
        of_codes = [-1 if v is None else places.setdefault(v, len(places)) for v in vocabulary.values]
        _places[vocabulary] = text_array(list(places), pa.string()), np.array(of_codes, dtype=np.int32)
    return _places[vocabulary]


def _fixed_array(matrix: NDArray[np.uint8]) -> pa.Array:
    """Return a matrix of bytes, shape (n, width), as n texts of `width` bytes each, without a copy."""
    count, width = matrix.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(matrix)])


def array_digest(array: pa.Array) -> bytes:
    """Return the SHA-256 of an Arrow array of a block's values, raw: what `column_digest` gives for the column.

    TypeError for a type that is no text, integer or date; ValueError for a null that is no text.
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
        lengths[nulls] = NULL_LENGTH
    result = hashlib.sha256(lengths.tobytes())
    if data is not None:
        result.update(memoryview(data)[int(offsets[0]) : int(offsets[-1])])
    return result.digest()
