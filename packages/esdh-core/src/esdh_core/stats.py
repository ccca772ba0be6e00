"""The counts that a snapshot keeps: gathered from columns a block at a time, and merged by adding."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from esdh_core.columns import Coded, Column, Date, FixedText, Integer, Vocabulary
from esdh_core.constants import REFERENCE_DATE

__all__ = [
    "AgeTally",
    "BandTally",
    "Counts",
    "PrefixTally",
    "Statistic",
    "Tally",
    "ValueTally",
    "merge",
]

Counts = dict[str, int]


class Tally(Protocol):
    """The counts of one statistic, gathered column by column."""

    def add(self, column: Column) -> None:
        """Count the rows of a column; TypeError for a kind of column that isn't counted so."""

    def counts(self) -> Counts:
        """Return label to count, zero counts left out."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """One count: of which field, how its values become labels, and the shares its rules declare.

    `tally` begins a count. `expected`, where the rules imply it, returns label to probability as exact
    fractions that sum to 1.
    """

    name: str
    field: str
    tally: Callable[[], Tally]
    expected: Callable[[], Mapping[str, Fraction]] | None = None

    def count(self, column: Column) -> Counts:
        """Return the counts of one column: label to count, zero counts left out."""
        tally = self.tally()
        tally.add(column)
        return tally.counts()


def merge(counts: Iterable[Mapping[str, int]]) -> Counts:
    """Return the sum of counts, labels in ascending order."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items()))


class ValueTally:
    """Counts the values of coded or integer columns by their text; nulls are left out."""

    def __init__(self) -> None:
        # By code until the labels are asked for: a vocabulary is long, and a snapshot has many blocks.
        self._by_code: dict[Vocabulary, NDArray[np.intp]] = {}

    def add(self, column: Column) -> None:
        """Count the rows of a column."""
        coded = column.text() if isinstance(column, Integer) else column
        if not isinstance(coded, Coded):
            raise TypeError(f"values of a {type(column).__name__} column can't be counted")
        counted = np.bincount(coded.codes, minlength=len(coded.vocabulary))
        before = self._by_code.get(coded.vocabulary)
        self._by_code[coded.vocabulary] = counted if before is None else before + counted

    def counts(self) -> Counts:
        """Return value to count."""
        counts: Counter[str] = Counter()
        for vocabulary, counted in self._by_code.items():
            for code in np.flatnonzero(counted).tolist():
                label = vocabulary.values[code]
                if label is not None:
                    counts[label] += int(counted[code])
        return dict(counts)


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
    """Counts the ages in whole years on the reference date of columns of dates of birth."""

    def __init__(self) -> None:
        self._by_age: Counter[int] = Counter()

    def add(self, column: Column) -> None:
        """Count the rows of a column."""
        if not isinstance(column, Date):
            raise TypeError(f"a {type(column).__name__} column holds no dates of birth")
        counted = np.bincount(_ages(column.low, column.high).take(column.days - column.low))
        self._by_age.update({age: int(counted[age]) for age in np.flatnonzero(counted).tolist()})

    def counts(self) -> Counts:
        """Return age to count."""
        return {str(age): count for age, count in sorted(self._by_age.items())}


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
