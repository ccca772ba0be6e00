"""What a word decides, as cells that are counted: in groups that share their odds, large ones merged to ranges."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from esdh_core.columns import Column, Numbers
from esdh_core.dataset import Block
from esdh_core.stats import OTHER, Draw, Group
from numpy.typing import NDArray

from esdh_plan.distributions import Band, merge_bands
from esdh_plan.expressions import ValueType

__all__ = [
    "MOST_LABELS",
    "MOST_RANGES",
    "Outcomes",
    "Ranges",
    "branch_name",
    "frequent_labels",
    "label_of",
    "parts",
    "renamed",
]

MOST_LABELS = 1_000
MOST_RANGES = 64

Cells = NDArray[np.integer]
Mask = NDArray[np.bool_]


def label_of(value: object) -> str:
    """Return a value as a statistic labels it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def branch_name(key: object) -> str:
    """Return the key of a branch as the name of a group has it; a text that reads like `else` or `null` is quoted."""
    text = "null" if key is None else label_of(key)
    return f"'{text}'" if isinstance(key, str) and key in ("else", "null") else text


def frequent_labels(
    labels: Sequence[str], shares: Mapping[str, Fraction] | None = None
) -> frozenset[str] | None:
    """Return the labels that are counted one by one, the most frequent by the plan; None for all of them."""
    if len(labels) <= MOST_LABELS:
        return None
    ranked = labels if shares is None else sorted(labels, key=lambda label: -shares.get(label, Fraction(0)))
    return frozenset(ranked[:MOST_LABELS])


def renamed(group: Group, before: str) -> Group:
    """Return a group with its name after another."""
    return group._replace(name=before + group.name)


@dataclass(frozen=True)
class Outcomes:
    """What comes of a word: the groups, named by the branches that lead to them, and the cell of each row.

    The labels of all groups are numbered through; the number after them, `size`, is that of a row which draws nothing.
    """

    groups: tuple[Group, ...]
    cells: Callable[[Block], Cells]

    @property
    def size(self) -> int:
        """How many cells there are."""
        return sum(len(group.labels) for group in self.groups)

    def within(self, branch: str, here: Callable[[Block], Mask]) -> "Outcomes":
        """Return these draws on the rows that take a branch."""
        size = self.size
        groups = tuple(renamed(group, f"[{branch}]") for group in self.groups)
        return Outcomes(groups, lambda block: np.where(here(block), self.cells(block), size))

    def of(self, name: str, field: str = "") -> Draw:
        """Return the draw of a statistic's name."""
        groups = tuple(renamed(group, name) for group in self.groups)
        return Draw(field, lambda *_: groups, self.cells)


class Ranges:
    """Bands merged to at most 64 ranges, and the range that a value is in."""

    def __init__(self, bands: Sequence[Band], of: ValueType) -> None:
        ranges = merge_bands(bands, MOST_RANGES)
        total = sum(band.weight for band in ranges)
        self.labels = (*(_label(band, of) for band in ranges), OTHER)
        self.shares = (*(Fraction(band.weight, total) for band in ranges), Fraction(0))
        self._firsts = np.array([band.first for band in ranges], dtype=np.int64)
        self._lasts = np.array([band.last for band in ranges], dtype=np.int64)
        self._gaps = any(after.first > before.last + 1 for before, after in pairwise(ranges))

    def places(self, values: NDArray[np.integer]) -> Cells:
        """Return the number of each value's range; one past the last for a value that is in none."""
        whole = values.astype(np.int64, copy=False)
        places = np.searchsorted(self._lasts, whole)
        if self._gaps or (len(whole) and whole.min() < self._firsts[0]):
            inside = self._firsts.take(np.minimum(places, len(self._firsts) - 1)) <= whole
            places = np.where(inside, places, len(self._firsts))
        return places

    def group(self, name: str = "") -> Group:
        """Return the ranges as a group."""
        return Group(name, self.labels, self.shares, ranges=True)

    def outcomes(self, column: Callable[[Block], Column]) -> Outcomes:
        """Return the draws of a column that has a value in every row."""

        def cells(block: Block) -> Cells:
            values = column(block)
            if not isinstance(values, Numbers):
                raise TypeError(f"a {type(values).__name__} column has no ranges")
            return self.places(values.values)

        return Outcomes((self.group(),), cells)


def _label(band: Band, of: ValueType) -> str:
    ends = []
    for value in dict.fromkeys((band.first, band.last)):
        if of.kind == "date":
            ends.append(str(np.datetime64(value, "D")))
        elif of.kind == "timestamp":
            ends.append(f"{np.datetime64(value, 's')}Z")
        elif of.scale:
            sign, digits = "-" * (value < 0), str(abs(value)).rjust(of.scale + 1, "0")
            ends.append(f"{sign}{digits[: -of.scale]}.{digits[-of.scale :]}")
        else:
            ends.append(str(value))
    return " to ".join(ends)


def parts(weights: NDArray[np.int64], most: int = MOST_RANGES) -> tuple[NDArray[np.intp], list[int]]:
    """Return the part that each of some members is in, at most `most` of about equal weight, and each part's weight.

    Members of a part are neighbours, as the bands of a range are; few members are a part each.
    """
    if len(weights) <= most:
        return np.arange(len(weights), dtype=np.intp), weights.tolist()
    cumulated = np.cumsum(weights)
    places: Any = np.maximum(cumulated - 1, 0) * most // cumulated[-1]
    _, part = np.unique(places, return_inverse=True)
    part = part.reshape(-1).astype(np.intp)
    sums = np.zeros(int(part[-1]) + 1, dtype=np.int64)
    np.add.at(sums, part, weights)
    return part, sums.tolist()
