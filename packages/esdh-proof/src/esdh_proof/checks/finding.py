"""What a check yields, and what checks compare with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import Dataset, Table
from esdh_core.ids import Origins
from esdh_export.encoding.buffers import null_mask, numbers, truth_array, truths
from numpy.typing import NDArray

from esdh_proof.reading import Rows

__all__ = [
    "Finding",
    "LookUp",
    "Mask",
    "Ranges",
    "Read",
    "Tables",
    "above",
    "below",
    "beside",
    "copy",
    "differing",
    "id_origins",
    "outside",
    "slots",
    "texts_of",
    "to_mask",
]

Mask = NDArray[np.bool_]
Tables = Mapping[str, Rows]  # by table name
Ranges = tuple[NDArray[np.integer], NDArray[np.integer]]
"""The first row of a range and the one after its last, for each of some rows."""


@dataclass(frozen=True, slots=True)
class Read:
    """Cells that each row of a finding was held against: those of `field` in a range of `rows`.

    `ranges` gives the range of each of the finding's rows; without it that is the one row in the same position. Without
    `field` it is the rows themselves that were looked for.
    """

    rows: Rows
    field: str | None
    ranges: Callable[[], Ranges] | None = None


@dataclass(frozen=True, slots=True)
class LookUp:
    """A cell that each row of a finding was held against: the one of `field` among `rows` that should hold the row's value."""

    rows: Rows
    field: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Which rows of a field fail, and what each of them should hold instead.

    `wrong` has one element a row. `expected` is a text, or a function of the row's position. `describe`,
    where given, says more of a found value than the value does. `reads` names the cells that were looked at beside
    the row's own: it may be one of these that is wrong.
    """

    rows: Rows
    field: str
    wrong: Mask
    expected: str | Callable[[int], str]
    describe: Callable[[str], str] | None = None
    reads: tuple[Read | LookUp, ...] = ()


def beside(rows: Rows, *fields: str) -> tuple[Read, ...]:
    """Return that some fields were looked at, of the same row or of its only one in another table."""
    return tuple(Read(rows, field) for field in fields)


def above(rows: Rows, field: str | None, positions: NDArray[np.intp] | None) -> Read:
    """Return that a field of the row above was looked at; `positions` as of `Block.rows_of`."""
    return Read(rows, field, None if positions is None else partial(_each_alone, positions))


def below(rows: Rows, field: str, owners: NDArray[np.intp], count: int) -> Read:
    """Return that a field of all rows below was looked at, by `count` rows; `owners`, which ascend, say below which each is."""
    return Read(rows, field, partial(_owned, owners, count))


def _each_alone(positions: NDArray[np.intp]) -> Ranges:
    return positions, positions + 1


def _owned(owners: NDArray[np.intp], count: int) -> Ranges:
    ends = np.searchsorted(owners, np.arange(count + 1))
    return ends[:-1], ends[1:]


def to_mask(values: pa.Array) -> Mask:
    """Return an Arrow array of truths as NumPy's; a null is a failure."""
    return truths(values) | null_mask(values) if values.null_count else truths(values)


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


def copy(rows: Rows, field: str, source: pa.Array, *reads: Read) -> Finding:
    """Compare a copied field with its source, which `reads` names, over the rows that both have."""
    found, count = rows.arrays[field], min(len(rows), len(source))
    if found is source:
        return Finding(rows, field, differing(found, source), texts_of(source), reads=reads)
    wrong = np.zeros(len(rows), dtype=np.bool_)
    wrong[:count] = differing(found.slice(0, count), source.slice(0, count))
    return Finding(rows, field, wrong, texts_of(source), reads=reads)


def slots(rows: Rows) -> NDArray[np.uint64]:
    """Return the slots of rows in a table that has one row a record."""
    return np.arange(rows.start, rows.start + len(rows), dtype=np.uint64)


def id_origins(dataset: Dataset, table: Table, ids: pa.Array) -> Origins:
    """Return seeds and slots of a table's ids, as `IdCodec.origins` does; -1 for nulls and texts of another length."""
    count = len(ids)
    right = (numbers(pc.binary_length(ids)) == 36) & ~null_mask(ids)
    whole = ids if right.all() else ids.filter(truth_array(right))
    if not len(whole):
        return Origins(np.full(count, -1), np.full(count, -1))
    _, offsets, data = whole.buffers()
    first = int(np.frombuffer(offsets, dtype=np.int32)[whole.offset])
    texts = np.frombuffer(data, dtype=np.uint8)[first : first + 36 * len(whole)].reshape(-1, 36)
    found = dataset.ids.origins(table.entity, texts)
    if len(whole) == count:
        return found
    seeds, slots = np.full(count, -1), np.full(count, -1)
    seeds[right], slots[right] = found
    return Origins(seeds, slots)
