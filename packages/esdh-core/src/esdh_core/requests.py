"""Checks what a caller asks for: a seed, a first record and a number of records."""

from esdh_core.constants import MAX_RECORDS, MAX_SEED
from esdh_core.errors import RequestError

__all__ = ["check_records", "check_seed", "check_window"]


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def check_seed(seed: int) -> int:
    """Return `seed` unchanged, or raise RequestError unless it is an integer from 0 to 2^53 - 1."""
    if not _is_integer(seed) or not 0 <= seed <= MAX_SEED:
        raise RequestError(f"seed {seed!r} is not an integer from 0 to {MAX_SEED} (2^53 - 1)")
    return seed


def check_records(records: int) -> int:
    """Return `records` unchanged, or raise RequestError unless it is an integer from 1 to 2^33."""
    if not _is_integer(records) or not 1 <= records <= MAX_RECORDS:
        raise RequestError(f"records {records!r} is not an integer from 1 to {MAX_RECORDS} (2^33)")
    return records


def check_window(start: int, count: int) -> None:
    """Raise RequestError unless records `start` to `start + count - 1` exist (an empty window does)."""
    if (
        not _is_integer(start)
        or not _is_integer(count)
        or start < 0
        or count < 0
        or start + count > MAX_RECORDS
    ):
        raise RequestError(
            f"a window of {count!r} records from {start!r} is not within records 0 to {MAX_RECORDS - 1}; "
            "both must be integers, neither negative"
        )
