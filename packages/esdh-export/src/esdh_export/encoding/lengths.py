"""The lengths in bytes of a column's texts, as the content digest hashes them."""

from collections.abc import Iterable
from weakref import WeakKeyDictionary

import numpy as np
from esdh_core.columns import Categorical, Categories, Concat, FixedText, Integer, Text
from numpy.typing import NDArray

__all__ = ["NULL_LENGTH", "lengths", "lengths_of_categories"]

NULL_LENGTH = np.uint32(0xFFFFFFFF)
_lengths: WeakKeyDictionary[Categories, NDArray[np.uint32]] = WeakKeyDictionary()


def lengths(column: Categorical | FixedText | Text | Concat) -> NDArray[np.uint32]:
    """Return the length in bytes of each text of a column, shape (n,), `NULL_LENGTH` for a null."""
    if isinstance(column, Categorical):
        codes, categories = column.codes, column.categories
        if len(codes) < len(categories):  # then the lengths of those that occur are fewer
            return _measure(categories.values[code] for code in codes.tolist())
        return lengths_of_categories(categories).take(codes)
    match column:
        case FixedText(matrix):
            total = np.full(len(matrix), matrix.shape[1], dtype=np.uint32)
        case Text(_, offsets):
            total = np.diff(offsets).astype(np.uint32)
        case Concat(parts):
            total = np.zeros(len(column), dtype=np.uint32)
            for part in parts:
                if isinstance(part, str):
                    total += np.uint32(len(part.encode()))
                else:
                    total += lengths(part.text() if isinstance(part, Integer) else part)
    if column.valid is not None:
        total[~column.valid] = NULL_LENGTH
    return total


def lengths_of_categories(categories: Categories) -> NDArray[np.uint32]:
    """Return the length of each category, kept as long as the categories live."""
    if categories not in _lengths:
        _lengths[categories] = _measure(categories.values)
    return _lengths[categories]


def _measure(values: Iterable[str | None]) -> NDArray[np.uint32]:
    return np.array(
        [NULL_LENGTH if value is None else len(value.encode()) for value in values], dtype=np.uint32
    )
