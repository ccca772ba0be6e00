"""Wrong cells in encoded columns: put into Arrow arrays and into digests."""

import datetime as dt
import decimal
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from esdh_core.columns import Column, Numbers, Text, day_number

from esdh_export.encoding.digest import column_digest
from esdh_export.encoding.lengths import NULL_LENGTH, lengths
from esdh_export.encoding.rows import texts
from esdh_export.encoding.splicing import splice

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["edited_array", "edited_digest"]

Cells = Mapping[int, Any]
"""The position of a row to the value that stands there."""
_UNIX_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def edited_array(array: "pa.Array", cells: Cells) -> "pa.Array":
    """Return an Arrow array of plain values with some replaced by others of its type, or by nulls."""
    import pyarrow.compute as pc

    from esdh_export.encoding.buffers import truth_array

    rows = sorted(cells)
    mask = np.zeros(len(array), dtype=np.bool_)
    mask[rows] = True
    values = _plain_array([cells[row] for row in rows], array.type)
    return pc.replace_with_mask(array, truth_array(mask), values)


def _plain_array(values: Sequence[Any], kind: "pa.DataType") -> "pa.Array":
    """Return values of a field as an Arrow array of its type."""
    import pyarrow as pa

    from esdh_export.encoding.buffers import bits, number_buffer, text_array, wide_buffer

    if pa.types.is_string(kind):
        return text_array(values, kind)
    numbers = np.array([0 if value is None else _number(value) for value in values], dtype=np.int64)
    if pa.types.is_boolean(kind):
        data = bits(numbers != 0)
    elif pa.types.is_decimal(kind):
        data = wide_buffer(numbers)
    elif pa.types.is_date(kind):
        data = number_buffer(numbers, np.int32)
    else:
        data = number_buffer(numbers * (1_000_000 if pa.types.is_timestamp(kind) else 1), np.int64)
    validity = bits(np.array([value is not None for value in values])) if None in values else None
    return pa.Array.from_buffers(kind, len(values), [validity, data])


def edited_digest(column: Column, cells: Cells, *, nullable: bool) -> bytes:
    """Return the SHA-256 of a column with some cells replaced, raw: as `column_digest` of such a column.

    Where a text stands in a field that holds none, it is the SHA-256 of three: the digest of the column, of a field that
    may be null, with nulls at those rows; their positions as little-endian int64; and the digest of the texts.
    """
    rows = sorted(cells)
    values = [cells[row] for row in rows]
    if not isinstance(column, Numbers):
        return _text_digest(column, rows, values)
    texts_at = [row for row in rows if isinstance(cells[row], str)]
    if not texts_at:
        return column_digest(_edited_numbers(column, rows, values), nullable=nullable)
    numbers = [None if isinstance(value, str) else value for value in values]
    digest = hashlib.sha256(column_digest(_edited_numbers(column, rows, numbers), nullable=True))
    digest.update(np.array(texts_at, dtype="<i8").data)
    digest.update(column_digest(Text.of([cells[row] for row in texts_at])))
    return digest.digest()


def _edited_numbers(column: Any, rows: Sequence[int], values: Sequence[Any]) -> Any:
    numbers = column.values.astype(np.int64)
    numbers[rows] = [0 if value is None else _number(value) for value in values]
    valid = np.ones(len(column), dtype=np.bool_) if column.valid is None else column.valid.copy()
    valid[rows] = [value is not None for value in values]
    return replace(column, values=numbers, valid=None if valid.all() else valid)


def _number(value: Any) -> int:
    match value:
        case dt.datetime():
            return int((value - _UNIX_EPOCH).total_seconds())
        case dt.date():
            return day_number(value)
        case decimal.Decimal():
            return int(value.scaleb(-int(value.as_tuple().exponent)))
    return int(value)


def _text_digest(column: Any, rows: Sequence[int], values: Sequence[str | None]) -> bytes:
    sizes = lengths(column)
    ends = np.cumsum(np.where(sizes == NULL_LENGTH, 0, sizes), dtype=np.int64)
    parts = [(value or "").encode() for value in values]
    sizes = sizes.copy()
    sizes[rows] = [
        NULL_LENGTH if value is None else len(part) for value, part in zip(values, parts, strict=True)
    ]
    digest = hashlib.sha256(sizes.astype("<u4", copy=False).data)
    digest.update(b"".join(splice(memoryview(b"".join(texts(column))), ends, rows, parts)))
    return digest.digest()
