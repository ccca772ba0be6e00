"""The counts that a snapshot keeps: gathered from columns a block at a time, and merged by adding."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from esdh_core.columns import Categorical, Categories, Column, Integer

__all__ = [
    "Counts",
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
    fractions that sum to 1. Labels of an `ordered` statistic are numbers; a `cumulative` one, which is
    ordered too, is judged by its distribution function, not label by label.
    """

    name: str
    field: str
    tally: Callable[[], Tally]
    expected: Callable[[], Mapping[str, Fraction]] | None = None
    ordered: bool = False
    cumulative: bool = False

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
        # By code until the labels are asked for: a table of names is long, and a snapshot has many blocks.
        self._by_code: dict[Categories, NDArray[np.intp]] = {}

    def add(self, column: Column) -> None:
        """Count the rows of a column."""
        coded = column.text() if isinstance(column, Integer) else column
        if not isinstance(coded, Categorical):
            raise TypeError(f"values of a {type(column).__name__} column can't be counted")
        counted = np.bincount(coded.codes, minlength=len(coded.categories))
        before = self._by_code.get(coded.categories)
        self._by_code[coded.categories] = counted if before is None else before + counted

    def counts(self) -> Counts:
        """Return value to count."""
        counts: Counter[str] = Counter()
        for categories, counted in self._by_code.items():
            for code in np.flatnonzero(counted).tolist():
                label = categories.values[code]
                if label is not None:
                    counts[label] += int(counted[code])
        return dict(counts)
