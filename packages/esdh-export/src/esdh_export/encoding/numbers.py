"""Numbers, dates and instants as text: bytes of a whole block at once, without a table of all that there can be."""

from functools import lru_cache

import numpy as np
from esdh_core.columns import FOUR_DIGITS, Categories, Date, Timestamp
from numpy.typing import NDArray

__all__ = ["digits", "number_categories", "timestamp_texts"]

_SECONDS = 86_400


@lru_cache(maxsize=64)
def number_categories(low: int, high: int, scale: int) -> Categories:
    """Return the decimal form of every unscaled number from `low` to `high`, with `scale` digits after the point."""
    return Categories([_decimal(number, scale) for number in range(low, high + 1)])


def _decimal(number: int, scale: int) -> str:
    if not scale:
        return str(number)
    text = f"{abs(number):0{scale + 1}}"
    return f"{'-' if number < 0 else ''}{text[:-scale]}.{text[-scale:]}"


def digits(values: NDArray[np.integer], scale: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return unscaled numbers in decimal form: ASCII right-aligned in a matrix, and the length of each row's text."""
    negative = values < 0
    # The magnitude of -2^63 fits 64 bits without a sign.
    magnitude = np.where(negative, -values.astype(np.int64), values).astype(np.uint64)
    most = max(int(magnitude.max(initial=0)), 10**scale)
    groups = (len(str(most)) + 3) // 4
    text = np.empty((len(values), groups), dtype=np.uint32)
    rest = magnitude
    for group in range(groups - 1, -1, -1):
        above = rest // np.uint64(10_000)
        text[:, group] = FOUR_DIGITS.take(rest - above * np.uint64(10_000))
        rest = above
    matrix = text.view(np.uint8).reshape(len(values), groups * 4)
    lengths = np.full(len(values), scale + 1, dtype=np.int64)
    for power in range(scale + 1, len(str(most))):
        lengths += magnitude >= np.uint64(10**power)
    if scale:
        point = np.full((len(values), 1), ord("."), dtype=np.uint8)
        matrix = np.concatenate([matrix[:, :-scale], point, matrix[:, -scale:]], axis=1)
        lengths += 1
    if negative.any():
        matrix = np.concatenate([np.zeros((len(values), 1), dtype=np.uint8), matrix], axis=1)
        rows = np.flatnonzero(negative)
        lengths[rows] += 1
        matrix[rows, matrix.shape[1] - lengths[rows]] = ord("-")
    return matrix, lengths


@lru_cache(maxsize=1)
def _times_of_day() -> NDArray[np.void]:
    seconds = np.arange(_SECONDS)
    texts = [f"T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}Z" for at in seconds.tolist()]
    return np.array(texts, dtype="S10").view("V10")


def timestamp_texts(column: Timestamp) -> NDArray[np.uint8]:
    """Return instants in the form `2024-05-31T12:34:56Z`, shape (n, 20)."""
    values = column.values if column.valid is None else np.where(column.valid, column.values, column.low)
    days = values // _SECONDS
    dates = Date(days.astype(np.int32), column.low // _SECONDS, column.high // _SECONDS).text()
    text = np.empty((len(values), 2), dtype="V10")
    text[:, 0] = np.ascontiguousarray(dates.matrix).view("V10")[:, 0]
    text[:, 1] = _times_of_day().take(values - days * _SECONDS)
    return text.view(np.uint8).reshape(-1, 20)
