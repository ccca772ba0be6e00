"""Counts: how many rows each parent has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from esdh_core.choices import Choice
from esdh_core.dataset import Block
from esdh_core.streams import high32
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.arithmetic import BandDraw, Words
from esdh_plan.branches import By
from esdh_plan.definitions import ChildCount, Place
from esdh_plan.distributions import mean, scale_weights

__all__ = ["count_of"]

Longs = NDArray[np.int64]


@dataclass(frozen=True)
class _Leaf:
    """A count without `by`."""

    draw: Callable[[Words], Longs]
    smallest: int
    largest: int
    mean: Fraction


@dataclass(frozen=True)
class _Tree:
    by: By
    branches: "list[_Leaf | _Tree]"

    def draw(self, block: Block, words: Words) -> Longs:
        branches = self.by.branch(block)
        counts = np.zeros(len(words), dtype=np.int64)
        for number, branch in enumerate(self.branches):
            rows = np.flatnonzero(branches == number)
            if isinstance(branch, _Tree):
                counts[rows] = branch.draw(block, words).take(rows)
            else:
                counts[rows] = branch.draw(words.take(rows))
        return counts

    def leaves(self) -> "list[_Leaf]":
        return [
            leaf
            for branch in self.branches
            for leaf in (branch.leaves() if isinstance(branch, _Tree) else [branch])
        ]


def count_of(words: Any, place: Place, above: Place) -> ChildCount:
    """Return what a table's `count` means; `above` is the parent's place, in whose rows it is drawn."""
    tree = _branch(words, place, above)
    stream = f"{place.of.stream}#count"
    parent = above.of

    def column(block: Block) -> Longs:
        drawn = block.words(parent.table, stream)
        return tree.draw(block, drawn) if isinstance(tree, _Tree) else tree.draw(drawn)

    def constant(block: Block) -> Longs:
        return np.full(parent.rows(block), words, dtype=np.int64)

    leaves = tree.leaves() if isinstance(tree, _Tree) else [tree]
    return ChildCount(
        constant if type(words) is int else column,
        min(leaf.smallest for leaf in leaves),
        max(leaf.largest for leaf in leaves),
        max(leaf.mean for leaf in leaves),
    )


def _branch(words: Any, place: Place, above: Place) -> "_Leaf | _Tree":
    if not isinstance(words, language.CountBy):
        return _leaf(words, place)
    branches: list[tuple[tuple[Any, ...], Any]] = [(("of", key), count) for key, count in words.of.items()]
    if words.else_ is not None:
        branches.append((("else",), words.else_))
    here = Place(place.compiler, above.of, place.path)
    by, *counts = place.all(
        lambda: By(here, words),
        *(lambda p=path, c=count: _branch(c, place.at(*p), above) for path, count in branches),
    )
    return _Tree(by, counts)


def _leaf(words: Any, place: Place) -> _Leaf:
    if isinstance(words, language.Share):
        return _weighted((0, 1), (1 - words, words))
    if isinstance(words, int):
        number = int(words)
        return _Leaf(
            lambda drawn: np.full(len(drawn), number, dtype=np.int64), number, number, Fraction(number)
        )
    if isinstance(words, dict):
        numbers = sorted(words)
        return _weighted(numbers, [words[number] for number in numbers])
    if isinstance(words, list):
        return _weighted(sorted(words), [Fraction(1)] * len(words))
    if words.distribution is None:
        return _alike(words.from_, words.to)
    draw = BandDraw(place.compiler.bands(words, place, lambda value, _: int(value), 0))
    return _Leaf(draw.draw, draw.bands[0].first, draw.bands[-1].last, mean(draw.bands))


def _weighted(numbers: Sequence[int], weights: Sequence[Fraction]) -> _Leaf:
    whole = scale_weights(weights)
    choice, table = Choice([whole]), np.array(numbers, dtype=np.int64)
    total = sum(number * weight for number, weight in zip(numbers, whole, strict=True))
    return _Leaf(
        lambda drawn: table.take(choice.codes(high32(drawn))),
        numbers[0],
        numbers[-1],
        Fraction(total, sum(whole)),
    )


def _alike(first: int, last: int) -> _Leaf:
    """Return a choice with equal weights over a range: the first j with hi < floor((j + 1) * 2^32 / n)."""
    count = np.uint64(last - first + 1)

    def draw(drawn: Words) -> Longs:
        above = (drawn >> np.uint64(32)) + np.uint64(1)
        return np.int64(first) + ((above * count - np.uint64(1)) >> np.uint64(32)).astype(np.int64)

    return _Leaf(draw, first, last, Fraction(first + last, 2))
