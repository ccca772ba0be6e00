"""The counts that a snapshot keeps: gathered from columns a block at a time, and merged by adding."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from esdh_core.columns import Coded, Column, Date, FixedText, Integer
from esdh_core.constants import REFERENCE_DATE

__all__ = [
    "Counts",
    "Statistic",
    "count_ages",
    "count_bands",
    "count_prefixes",
    "count_values",
    "merge",
]

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Statistic:
    """One count: of which field, how its values become labels, and the shares its rules declare.

    `count` takes a column and returns label to count, zero counts left out. `expected`, where the rules
    imply it, returns label to probability as exact fractions that sum to 1.
    """

    name: str
    field: str
    count: Callable[[Column], Counts]
    expected: Callable[[], Mapping[str, Fraction]] | None = None


def merge(counts: Iterable[Mapping[str, int]]) -> Counts:
    """Return the sum of counts, labels in ascending order."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items()))


def count_values(column: Column) -> Counts:
    """Count the values of a coded or integer column by their text; nulls are left out."""
    coded = column.text() if isinstance(column, Integer) else column
    if not isinstance(coded, Coded):
        raise TypeError(f"values of a {type(column).__name__} column can't be counted")
    tally, labels = np.bincount(coded.codes), coded.vocabulary.values
    counts: Counter[str] = Counter()
    for code in np.flatnonzero(tally).tolist():
        label = labels[code]
        if label is not None:
            counts[label] += int(tally[code])
    return dict(counts)


@lru_cache(maxsize=16)
def _ages(low: int, high: int) -> NDArray[np.int64]:
    """Return the age in whole years on the reference date of everybody born on days `low` to `high`."""
    born = np.arange(low, high + 1).astype("datetime64[D]")
    years = born.astype("datetime64[Y]")
    this_year = np.datetime64(REFERENCE_DATE, "Y")
    months = born.astype("datetime64[M]")
    month, day = (months - years).astype(np.int64) + 1, (born - months).astype(np.int64) + 1
    before = (month > REFERENCE_DATE.month) | ((month == REFERENCE_DATE.month) & (day > REFERENCE_DATE.day))
    ages: NDArray[np.int64] = (this_year - years).astype(np.int64) - before
    return ages


def count_ages(column: Column) -> Counts:
    """Count the ages in whole years on the reference date of a column of dates of birth."""
    if not isinstance(column, Date):
        raise TypeError(f"a {type(column).__name__} column holds no dates of birth")
    tally = np.bincount(_ages(column.low, column.high).take(column.days - column.low))
    return {str(age): int(tally[age]) for age in np.flatnonzero(tally).tolist()}


def count_prefixes(column: Column) -> Counts:
    """Count the first three characters of a column of VINs: the world manufacturer identifier."""
    if not isinstance(column, FixedText):
        raise TypeError(f"a {type(column).__name__} column has no prefixes")
    text = column.matrix.astype(np.int64)
    tally = np.bincount(text[:, 0] << 14 | text[:, 1] << 7 | text[:, 2])
    return {
        chr(code >> 14) + chr(code >> 7 & 127) + chr(code & 127): int(tally[code])
        for code in np.flatnonzero(tally).tolist()
    }


def count_bands(column: Column) -> Counts:
    """Count model years in bands of five, such as `2010-2014`."""
    counts: Counter[str] = Counter()
    for year, count in count_values(column).items():
        first = int(year) // 5 * 5
        counts[f"{first}-{first + 4}"] += count
    return dict(counts)
