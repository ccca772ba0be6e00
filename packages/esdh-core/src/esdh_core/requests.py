"""Checks what a caller asks for: a seed, a first record and a number of records.

Other programs hand over integers of their own, NumPy's say: each check takes whatever Python takes for an
index, and returns it as an int. A boolean is no integer, Python's or NumPy's.
"""

import operator
from typing import SupportsIndex

import numpy as np

from esdh_core.constants import MAX_RECORDS, MAX_SEED
from esdh_core.errors import RequestError

__all__ = ["check_records", "check_seed", "check_slot", "check_window"]


def _integer_within(value: object, low: int, high: int) -> int | None:
    """Return a value as an int, or None unless it is an integer from `low` to `high`."""
    if isinstance(value, (bool, np.bool_)):  # which NumPy 2.0 gives an index
        return None
    try:
        integer = operator.index(value)  # type: ignore[arg-type]  # what has no index raises TypeError
    except TypeError:
        return None
    return integer if low <= integer <= high else None


def check_seed(seed: SupportsIndex) -> int:
    """Return `seed` as an int, or raise RequestError unless it is an integer from 0 to 2^53 - 1."""
    checked = _integer_within(seed, 0, MAX_SEED)
    if checked is None:
        raise RequestError(f"seed {seed!r} is not an integer from 0 to {MAX_SEED} (2^53 - 1)")
    return checked


def check_records(records: SupportsIndex) -> int:
    """Return `records` as an int, or raise RequestError unless it is an integer from 1 to 2^33."""
    checked = _integer_within(records, 1, MAX_RECORDS)
    if checked is None:
        raise RequestError(f"records {records!r} is not an integer from 1 to {MAX_RECORDS} (2^33)")
    return checked


def check_slot(slot: SupportsIndex, slots: int) -> int:
    """Return `slot` as an int, or raise RequestError unless it is an integer from 0 to `slots - 1`."""
    checked = _integer_within(slot, 0, slots - 1)
    if checked is None:
        raise RequestError(f"row {slot!r} is not an integer from 0 to {slots - 1}")
    return checked


def check_window(start: SupportsIndex, count: SupportsIndex) -> tuple[int, int]:
    """Return `start` and `count` as ints.

    Raises RequestError unless records `start` to `start + count - 1` exist (an empty window does).
    """
    first, rows = _integer_within(start, 0, MAX_RECORDS), _integer_within(count, 0, MAX_RECORDS)
    if first is None or rows is None or first + rows > MAX_RECORDS:
        raise RequestError(
            f"a window of {count!r} records from {start!r} is not within records 0 to {MAX_RECORDS - 1}; "
            "both must be integers, neither negative"
        )
    return first, rows
