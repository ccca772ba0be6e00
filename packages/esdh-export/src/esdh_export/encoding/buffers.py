"""Arrow arrays out of plain values and back, straight through their buffers.

`pyarrow.array`, `pyarrow.scalar` and `to_numpy` import pandas wherever it is installed, to ask whether a
value is one of its own: 0.2 s at the start of every run, for nothing. Buffers ask nothing.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = [
    "bits",
    "integer_array",
    "null_mask",
    "number_buffer",
    "numbers",
    "text_array",
    "truth_array",
    "truths",
    "wide_buffer",
]


def bits(truths: NDArray[np.bool_]) -> pa.Buffer:
    """Return truths as Arrow keeps them, a bit each: of validity, or of booleans."""
    return pa.py_buffer(np.packbits(truths, bitorder="little"))


def number_buffer(values: NDArray[np.integer], width: type[np.integer]) -> pa.Buffer:
    """Return numbers as a buffer of one width, without a copy where they have it."""
    return pa.py_buffer(np.ascontiguousarray(values, dtype=width))


def wide_buffer(values: NDArray[np.integer]) -> pa.Buffer:
    """Return numbers as a buffer of 128 bits each, as Arrow keeps decimals."""
    halves = np.empty((len(values), 2), dtype=np.int64)  # the lower one first
    halves[:, 0] = values
    halves[:, 1] = halves[:, 0] >> 63
    return pa.py_buffer(halves)


def truth_array(truths: NDArray[np.bool_]) -> pa.Array:
    """Return truths as an Arrow array."""
    return pa.Array.from_buffers(pa.bool_(), len(truths), [None, bits(truths)])


def integer_array(values: NDArray[np.integer]) -> pa.Array:
    """Return integers as an Arrow array of the same width, without a copy."""
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def text_array(values: Sequence[str | bytes | None], kind: pa.DataType) -> pa.Array:
    """Return texts, or bytes, as an Arrow array of strings or of binaries; None is a null."""
    data, sizes = _joined(values)
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum(sizes, out=offsets[1:])
    validity = None
    if None in values:
        validity = bits(np.array([value is not None for value in values]))
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(offsets), pa.py_buffer(data)])


def _joined(values: Sequence[str | bytes | None]) -> tuple[bytes, NDArray[np.int32]]:
    """Return the bytes of texts one after another, and how many each has; none for a null."""
    if all(isinstance(value, str) for value in values):
        text = "".join(values)  # type: ignore[arg-type]  # as was just asked
        if text.isascii():  # then a character is a byte, and thousands of texts are encoded as one
            return text.encode(), np.fromiter(map(len, values), np.int32, len(values))  # type: ignore[arg-type]
    encoded = [
        b"" if value is None else value.encode() if isinstance(value, str) else value for value in values
    ]
    return b"".join(encoded), np.fromiter(map(len, encoded), np.int32, len(encoded))


def numbers(array: pa.Array) -> NDArray[np.integer]:
    """Return the values of an array of integers, dates or instants, without a copy; nulls are any number.

    A decimal of 128 bits gives two numbers of 64, the lower first.
    """
    width = array.type.bit_width // 8
    kind, each = (np.dtype("i8"), width // 8) if width > 8 else (np.dtype(f"i{width}"), 1)
    begin = array.offset * each
    return np.frombuffer(array.buffers()[1], dtype=kind)[begin : begin + len(array) * each]


def null_mask(array: pa.Array) -> NDArray[np.bool_]:
    """Return which values of an array are null."""
    validity = array.buffers()[0]
    if validity is None or not array.null_count:
        return np.zeros(len(array), dtype=np.bool_)
    bits = np.unpackbits(np.frombuffer(validity, dtype=np.uint8), bitorder="little")
    mask: NDArray[np.bool_] = bits[array.offset : array.offset + len(array)] == 0
    return mask


def truths(array: pa.Array) -> NDArray[np.bool_]:
    """Return the values of an array of truths; nulls are either."""
    if not len(array):
        return np.zeros(0, dtype=np.bool_)
    bits = np.unpackbits(np.frombuffer(array.buffers()[1], dtype=np.uint8), bitorder="little")
    values: NDArray[np.bool_] = bits[array.offset : array.offset + len(array)].view(np.bool_)
    return values
