"""The counts of v0.1 that its values don't give as they are: ages, bands of model years, VIN prefixes."""

import datetime as dt
from collections import Counter
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from esdh_core.columns import Column, Date, FixedText
from esdh_core.stats import Counts, ValueTally

__all__ = ["AgeTally", "BandTally", "PrefixTally"]


class BandTally(ValueTally):
    """Counts model years in bands of five, such as `2010-2014`."""

    def counts(self) -> Counts:
        """Return band to count."""
        counts: Counter[str] = Counter()
        for year, count in super().counts().items():
            first = int(year) // 5 * 5
            counts[f"{first}-{first + 4}"] += count
        return dict(counts)


class AgeTally:
    """Counts the ages in whole years on a date, of columns of dates of birth."""

    def __init__(self, reference_date: dt.date) -> None:
        self._reference_date = reference_date
        self._by_age: Counter[int] = Counter()

    def add(self, column: Column) -> None:
        """Count the rows of a column."""
        if not isinstance(column, Date):
            raise TypeError(f"a {type(column).__name__} column holds no dates of birth")
        counted = np.bincount(
            _ages(column.low, column.high, self._reference_date).take(column.values - column.low)
        )
        self._by_age.update({age: int(counted[age]) for age in np.flatnonzero(counted).tolist()})

    def counts(self) -> Counts:
        """Return age to count."""
        return {str(age): count for age, count in sorted(self._by_age.items())}


@lru_cache(maxsize=16)
def _ages(low: int, high: int, on: dt.date) -> NDArray[np.int64]:
    """Return the age in whole years on a date of everybody born on days `low` to `high`."""
    born = np.arange(low, high + 1).astype("datetime64[D]")
    years = born.astype("datetime64[Y]")
    this_year = np.datetime64(on, "Y")
    months = born.astype("datetime64[M]")
    month, day = (months - years).astype(np.int64) + 1, (born - months).astype(np.int64) + 1
    before = (month > on.month) | ((month == on.month) & (day > on.day))
    ages: NDArray[np.int64] = (this_year - years).astype(np.int64) - before
    return ages


class PrefixTally:
    """Counts the first three characters of columns of VINs: the world manufacturer identifier."""

    def __init__(self) -> None:
        self._by_code: Counter[int] = Counter()

    def add(self, column: Column) -> None:
        """Count the rows of a column."""
        if not isinstance(column, FixedText):
            raise TypeError(f"a {type(column).__name__} column has no prefixes")
        if not len(column):
            return
        first, second, third = (column.matrix[:, at].astype(np.int32) for at in range(3))
        codes = first << 14 | second << 7 | third
        least = codes.min()  # most have the same first character, so that few codes are between
        counted = np.bincount(codes - least)
        self._by_code.update({int(code + least): int(counted[code]) for code in np.flatnonzero(counted)})

    def counts(self) -> Counts:
        """Return prefix to count."""
        return {
            chr(code >> 14) + chr(code >> 7 & 127) + chr(code & 127): count
            for code, count in sorted(self._by_code.items())
        }
