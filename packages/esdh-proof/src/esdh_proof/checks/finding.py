"""What a check yields, and what checks compare with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_export.encoding.buffers import null_mask
from numpy.typing import NDArray

from esdh_proof.reading import Rows

__all__ = [
    "Finding",
    "Mask",
    "Tables",
    "copy",
    "differing",
    "outside",
    "slots",
    "texts_of",
    "to_mask",
]

Mask = NDArray[np.bool_]
Tables = Mapping[str, Rows]  # by table name


@dataclass(frozen=True, slots=True)
class Finding:
    """Which rows of a field fail, and what each of them should hold instead.

    `wrong` has one element a row. `expected` is a text, or a function of the row's position. `describe`,
    where given, says more of a found value than the value does.
    """

    rows: Rows
    field: str
    wrong: Mask
    expected: str | Callable[[int], str]
    describe: Callable[[str], str] | None = None


def to_mask(values: pa.Array) -> Mask:
    """Return an Arrow array of truths as NumPy's; a null is a failure."""
    if not len(values):
        return np.zeros(0, dtype=np.bool_)
    bits = np.unpackbits(np.frombuffer(values.buffers()[1], dtype=np.uint8), bitorder="little")
    mask: Mask = bits[values.offset : values.offset + len(values)].view(np.bool_)
    return mask | null_mask(values) if values.null_count else mask


def differing(found: pa.Array, expected: pa.Array) -> Mask:
    """Return where two arrays of one length differ; two nulls are equal."""
    if found is expected:  # as a column that was made is, and its copy
        return np.zeros(len(found), dtype=np.bool_)
    wrong = to_mask(pc.not_equal(found, expected))
    if found.null_count and expected.null_count:
        wrong &= ~(null_mask(found) & null_mask(expected))
    return wrong


def outside(found: pa.Array, values: pa.Array) -> Mask:
    """Return where a value is none of some values; a null is none of them."""
    return ~to_mask(pc.is_in(found, value_set=values))


def texts_of(values: pa.Array) -> Callable[[int], str]:
    """Return a function that gives the value of a row as a text."""
    return lambda row: str(values[row].as_py())


def copy(rows: Rows, field: str, source: pa.Array) -> Finding:
    """Compare a copied field with its source, over the rows that both have."""
    found, count = rows.arrays[field], min(len(rows), len(source))
    if found is source:
        return Finding(rows, field, differing(found, source), texts_of(source))
    wrong = np.zeros(len(rows), dtype=np.bool_)
    wrong[:count] = differing(found.slice(0, count), source.slice(0, count))
    return Finding(rows, field, wrong, texts_of(source))


def slots(rows: Rows) -> NDArray[np.uint64]:
    """Return the slots of rows in a table that has one row a record."""
    return np.arange(rows.start, rows.start + len(rows), dtype=np.uint64)
