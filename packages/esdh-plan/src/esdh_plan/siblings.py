"""Rows below a row: where each parent's stand, and columns taken, sorted and gathered over them.

Children stand in ascending slots, so that those of one parent are a run of rows.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from esdh_core.columns import Categorical, Column, Concat, FixedText, Integer, Numbers, Text
from esdh_core.dataset import Block, Table
from numpy.typing import NDArray

__all__ = ["Runs", "masked", "null_rows", "ranks", "runs_below", "siblings", "taken", "valid_rows"]

Mask = NDArray[np.bool_]
Positions = NDArray[np.intp]


class Runs(NamedTuple):
    """For rows that hang together: whose each is, and where the rows of each begin and how many there are."""

    parents: Positions
    starts: Positions
    counts: Positions


def runs_below(block: Block, table: Table, above: Table) -> Runs:
    """Return where the rows of a table stand that hang below each row of a table above it."""
    return block.memoized(("runs", table, above), lambda: _runs(block, table, above))


def _runs(block: Block, table: Table, above: Table) -> Runs:
    rows = len(block.level(above).slots)
    parents = block.rows_of(table, above)
    if parents is None:
        own = np.arange(rows, dtype=np.intp)
        return Runs(own, own, np.ones(rows, dtype=np.intp))
    counts = np.bincount(parents, minlength=rows).astype(np.intp)
    return Runs(parents, np.cumsum(counts) - counts, counts)


def siblings(block: Block, table: Table) -> Runs:
    """Return where the rows of a table stand that have the same parent."""
    if table.parent is None:
        raise TypeError(f"table {table.name!r} has no parent")
    return runs_below(block, table, table.parent)


def valid_rows(column: Column) -> Mask | None:
    """Return which rows have a value, None where all have."""
    return column.valid


def masked(column: Column, valid: Mask | None) -> Column:
    """Return a column that is null where `valid` is false."""
    return column if valid is None else column.masked(valid)


def taken(column: Column, positions: Positions, valid: Mask | None = None) -> Column:
    """Return some rows, null where `valid` is false, whatever place is named there."""
    if len(column) == 0:
        return masked(null_rows(column, len(positions)), valid)
    return masked(column.take(positions), valid)


def null_rows(column: Column, rows: int) -> Column:
    """Return so many rows of a column's kind, all null where there are any."""
    none = np.zeros(rows, dtype=np.bool_)
    match column:
        case Categorical():
            codes: NDArray[np.int32] = np.zeros(rows, dtype=np.int32)
            return Categorical(codes, column.categories).masked(none)
        case FixedText():
            return FixedText(np.zeros((rows, column.matrix.shape[1]), dtype=np.uint8), none)
        case Text():
            return Text(np.zeros(0, dtype=np.uint8), np.zeros(rows + 1, dtype=np.int64), none)
        case Integer():
            return Integer(np.full(rows, column.low, dtype=np.int64), column.low, column.high, none)
        case Concat(parts):
            empty: tuple[Any, ...] = tuple(
                part if isinstance(part, str) else null_rows(part, rows) for part in parts
            )
            return Concat(empty, none)
    values = np.full(rows, column.low, dtype=column.values.dtype)
    return replace(column, values=values, valid=none)


def ranks(column: Column) -> NDArray[np.int64]:
    """Return numbers in the order of the values, equal ones for equal values; a null's is nobody's to read."""
    if isinstance(column, Numbers):
        return column.values.astype(np.int64)
    if isinstance(column, Categorical):
        values = column.categories.values
        known = {
            value: rank for rank, value in enumerate(sorted({each for each in values if each is not None}))
        }
        table = np.array([-1 if value is None else known[value] for value in values], dtype=np.int64)
        return table.take(column.codes)
    if isinstance(column, FixedText):
        texts = column.matrix.view(f"S{column.matrix.shape[1]}")[:, 0]
        return np.unique(texts, return_inverse=True)[1].reshape(-1).astype(np.int64)
    objects = np.array([value or "" for value in column.tolist()], dtype=object)
    return np.unique(objects, return_inverse=True)[1].reshape(-1).astype(np.int64)
