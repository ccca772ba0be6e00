"""Categories as Arrow arrays: by their codes, and the distinct ones alone; kept as long as the categories live."""

from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
from esdh_core.columns import Categories
from numpy.typing import NDArray

from esdh_export.encoding.buffers import text_array

__all__ = ["categories_array", "distinct"]

_arrays: WeakKeyDictionary[Categories, pa.Array] = WeakKeyDictionary()
_distinct: WeakKeyDictionary[Categories, tuple[pa.Array, NDArray[np.int32]]] = WeakKeyDictionary()


def categories_array(categories: Categories) -> pa.Array:
    """Return the values of categories by their codes."""
    if categories not in _arrays:
        _arrays[categories] = text_array(categories.values, pa.string())
    return _arrays[categories]


def distinct(categories: Categories) -> tuple[pa.Array, NDArray[np.int32]]:
    """Return the distinct values, and the position of each code's value among them (-1 for a null)."""
    if categories not in _distinct:
        positions: dict[str, int] = {}
        of_codes = [-1 if v is None else positions.setdefault(v, len(positions)) for v in categories.values]
        _distinct[categories] = (
            text_array(list(positions), pa.string()),
            np.array(of_codes, dtype=np.int32),
        )
    return _distinct[categories]
