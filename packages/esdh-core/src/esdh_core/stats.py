"""The counts that a snapshot keeps: gathered from columns and draws a block at a time, and merged by adding."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from esdh_core.columns import Categorical, Categories, Column, Integer

if TYPE_CHECKING:
    from esdh_core.dataset import Block, Dataset

__all__ = [
    "MOST_DISTINCT",
    "OTHER",
    "TOO_MANY",
    "Counts",
    "Draw",
    "DrawTally",
    "Group",
    "Statistic",
    "Tally",
    "ValueTally",
    "merge",
    "most_frequent",
]

Counts = dict[str, int]

OTHER = "other"
"""The label of what isn't counted by a label of its own."""
MOST_DISTINCT = 1 << 14
"""So many labels of one statistic are told apart while they are counted."""
TOO_MANY = "\x00"
"""The label, until all is counted, of the values of a statistic that has more labels; no text of a row holds it."""


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
    ordered too, is judged by its distribution function, not label by label; one of `ranges`, whose declared shares
    stand in the order of values, by both. Of a statistic whose labels aren't known beforehand the `most` frequent
    are kept, 0 for all of them.
    """

    name: str
    field: str
    tally: Callable[[], Tally]
    expected: Callable[[], Mapping[str, Fraction]] | None = None
    ordered: bool = False
    cumulative: bool = False
    ranges: bool = False
    most: int = 0

    def count(self, column: Column) -> Counts:
        """Return the counts of one column: label to count, zero counts left out."""
        tally = self.tally()
        tally.add(column)
        return tally.counts()


class Group(NamedTuple):
    """Draws that share their odds: the name of their statistic, the labels of what can come of one, and the odds.

    `shares` are one exact fraction a label, which sum to 1; None where the plan declares none. Labels that are `ranges`
    stand in the order of values, so that their distribution function is judged too.
    """

    name: str
    labels: tuple[str, ...]
    shares: tuple[Fraction, ...] | None
    ranges: bool = False

    @property
    def expected(self) -> dict[str, Fraction] | None:
        """The declared shares, label to probability; what has none can't be."""
        if self.shares is None:
            return None
        return {label: share for label, share in zip(self.labels, self.shares, strict=True) if share}


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What one word decides, counted where it is drawn.

    `groups` are the draws that share their odds, each a statistic; they follow from the dataset and, where what is
    drawn from is itself made, from the `seed`: such a draw `follows_seed`, and its groups must not be asked for
    ahead. `cells` returns, for a block, what came of each draw: the labels of all groups are numbered through, in
    order, and the number after them stands for a row that no group has. `field` is the field that is drawn, empty
    where it is a count or a pick.
    """

    field: str
    groups: "Callable[[Dataset, int], tuple[Group, ...]]"
    cells: "Callable[[Block], NDArray[np.integer]]"
    follows_seed: bool = False

    def tally(self, dataset: "Dataset", seed: int) -> "DrawTally":
        """Begin a count."""
        return DrawTally(self, self.groups(dataset, seed))


class DrawTally:
    """The counts of one draw, gathered block by block."""

    def __init__(self, draw: Draw, groups: tuple[Group, ...]) -> None:
        self._draw, self._groups = draw, groups
        self._cells = sum(len(group.labels) for group in groups)
        self._counted = np.zeros(self._cells + 1, dtype=np.intp)

    def add(self, block: "Block") -> None:
        """Count the draws of a block."""
        self._counted += np.bincount(self._draw.cells(block), minlength=self._cells + 1)

    def counts(self) -> dict[str, Counts]:
        """Return the name of each group's statistic to label to count, zero counts left out."""
        left = iter(self._counted.tolist())
        return {
            group.name: merge(
                {label: count} for label, count in zip(group.labels, left, strict=False) if count
            )
            for group in self._groups
        }


def merge(counts: Iterable[Mapping[str, int]]) -> Counts:
    """Return the sum of counts, labels in ascending order.

    More than 16,384 labels are too many to be told apart: so that memory is bounded, only their sum goes on. It is
    the same however the rows were split.
    """
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    if len(total) > MOST_DISTINCT or TOO_MANY in total:
        return {TOO_MANY: total.total()}
    return dict(sorted(total.items()))


def most_frequent(counts: Mapping[str, int], most: int) -> Counts:
    """Return counts, once all is counted, with the `most` frequent labels and the rest as `other`; 0 for all labels."""
    if TOO_MANY in counts:
        return {OTHER: sum(counts.values())}
    if not most or len(counts) <= most:
        return dict(counts)
    ranked = sorted(counts, key=lambda label: (-counts[label], label))
    rest = {OTHER: sum(counts[label] for label in ranked[most:])}
    return merge([{label: counts[label] for label in ranked[:most]}, rest])


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
