"""Wrong cells between the bytes of clean rows: how one is written, and how rows are put in place of others."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
from esdh_core.columns import Column
from esdh_core.overlay import value_text
from numpy.typing import NDArray

from esdh_export.encoding.pieces import Dialect, number_quote

__all__ = ["cell", "splice"]


def splice(
    data: memoryview, ends: NDArray[np.integer], rows: Sequence[int], parts: Sequence[bytes]
) -> list[memoryview | bytes]:
    """Return the bytes of rows with those of some replaced, as parts to be joined.

    `ends` is where each row ends in `data`; `rows` are positions in ascending order.
    """
    begins = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])
    at = np.array(rows, dtype=np.intp)
    spliced: list[memoryview | bytes] = []
    last = 0
    for begin, end, part in zip(begins[at].tolist(), ends[at].tolist(), parts, strict=True):
        spliced += (data[last:begin], part)
        last = end
    spliced.append(data[last:])
    return spliced


def cell(value: Any, column: Column, dialect: Dialect) -> bytes:
    """Return a value as a dialect writes it in a column's field, whether or not the field can have it."""
    if value is None:
        return dialect.null
    if isinstance(value, str):
        return dialect.text(value)
    quote = b"" if isinstance(value, bool) else number_quote(column, dialect)
    if isinstance(value, dt.date):
        quote = dialect.quote
    return quote + (value_text(value) or "").encode() + quote
