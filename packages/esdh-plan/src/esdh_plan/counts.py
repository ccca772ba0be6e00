"""Counts: how many rows each parent has."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from esdh_core.choices import Choice
from esdh_core.dataset import Block, memoized_per_block
from esdh_core.stats import Group
from esdh_core.streams import HALF, high32
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.arithmetic import BandDraw, Words
from esdh_plan.branches import By
from esdh_plan.definitions import ChildCount, Place
from esdh_plan.distributions import Band, mean, scale_weights
from esdh_plan.draws import MOST_RANGES, Outcomes, Ranges, branch_name
from esdh_plan.expressions import ValueType

__all__ = ["count_of"]

Longs = NDArray[np.int64]


@dataclass(frozen=True)
class _Leaf:
    """A count without `by`: what it draws, and the bands of its numbers that are judged."""

    draw: Callable[[Words], Longs]
    bands: tuple[Band, ...]
    smallest: int
    largest: int
    mean: Fraction


@dataclass(frozen=True)
class _Tree:
    by: By
    branches: "list[_Leaf | _Tree]"
    names: tuple[str, ...]

    def draw(self, block: Block, words: Words) -> Longs:
        branches = self.by.branch(block)
        counts = np.zeros(len(words), dtype=np.int64)
        for number, branch in enumerate(self.branches):
            rows = (branches == number).nonzero()[0]
            if isinstance(branch, _Tree):
                counts[rows] = branch.draw(block, words).take(rows)
            elif len(rows):
                counts[rows] = branch.draw(words.take(rows))
        return counts

    def leaves(self) -> "dict[str, _Leaf]":
        """Return every leaf by the branches that lead to it."""
        found = {}
        for name, branch in zip(self.names, self.branches, strict=True):
            inner = branch.leaves() if isinstance(branch, _Tree) else {"": branch}
            found.update({f"[{name}]{path}": leaf for path, leaf in inner.items()})
        return found

    def leaf_of(self, block: Block) -> Longs:
        """Return the number of each row's leaf, in the order of `leaves`."""
        chosen = self.by.branch(block)
        numbers = np.zeros(len(chosen), dtype=np.int64)
        first = 0
        for number, branch in enumerate(self.branches):
            here = chosen == number
            if isinstance(branch, _Tree):
                numbers = np.where(here, first + branch.leaf_of(block), numbers)
                first += len(branch.leaves())
            else:
                numbers[here] = first
                first += 1
        return numbers


def count_of(words: Any, place: Place, above: Place) -> ChildCount:
    """Return what a table's `count` means; `above` is the parent's place, in whose rows it is drawn."""
    tree = _branch(words, place, above)
    stream = f"{place.of.stream}#count"
    parent = above.of

    @memoized_per_block
    def column(block: Block) -> Longs:
        if type(words) is int:
            return np.full(parent.rows(block), words, dtype=np.int64)
        drawn = block.words(parent.table, stream)
        return tree.draw(block, drawn) if isinstance(tree, _Tree) else tree.draw(drawn)

    leaves = list(tree.leaves().values()) if isinstance(tree, _Tree) else [tree]
    smallest, largest = min(leaf.smallest for leaf in leaves), max(leaf.largest for leaf in leaves)
    return ChildCount(
        column,
        smallest,
        largest,
        max(leaf.mean for leaf in leaves),
        tuple(_outcomes(tree, column, smallest, largest)),
    )


def _outcomes(
    tree: "_Leaf | _Tree", column: Callable[[Block], Longs], smallest: int, largest: int
) -> Iterator[Outcomes]:
    """Yield the draws of a count; with `by`, the numbers that all branches give together, of no declared share, first."""
    of = ValueType("integer")
    if isinstance(tree, _Leaf):
        ranges = Ranges(tree.bands, of)
        yield Outcomes((ranges.group(),), lambda block: ranges.places(column(block)))
        return
    together = Ranges(_even(smallest, largest), of)
    yield Outcomes((Group("", together.labels, None),), lambda block: together.places(column(block)))
    leaves = {name: Ranges(leaf.bands, of) for name, leaf in tree.leaves().items()}

    def cells(block: Block) -> Longs:
        counts, numbers = column(block), tree.leaf_of(block)
        found = np.zeros(len(counts), dtype=np.int64)
        first = 0
        for number, ranges in enumerate(leaves.values()):
            rows = np.flatnonzero(numbers == number)
            found[rows] = first + ranges.places(counts.take(rows))
            first += len(ranges.labels)
        return found

    yield Outcomes(tuple(ranges.group(name) for name, ranges in leaves.items()), cells)


def _even(first: int, last: int) -> tuple[Band, ...]:
    """Return at most 64 bands over a range, all as wide as each other or one value wider, by how many values each has."""
    size = last - first + 1
    many = min(size, MOST_RANGES)
    edges = [first + size * number // many for number in range(many + 1)]
    return tuple(Band(begin, end - 1, end - begin) for begin, end in pairwise(edges))


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
    return _Tree(
        by, counts, tuple("else" if path == ("else",) else branch_name(path[1]) for path, _ in branches)
    )


def _leaf(words: Any, place: Place) -> _Leaf:
    if isinstance(words, language.Share):
        return _weighted((0, 1), (1 - words, words))
    if isinstance(words, int):
        number = int(words)
        return _Leaf(
            lambda drawn: np.full(len(drawn), number, dtype=np.int64),
            (Band(number, number, 1),),
            number,
            number,
            Fraction(number),
        )
    if isinstance(words, dict):
        numbers = sorted(words)
        return _weighted(numbers, [words[number] for number in numbers])
    if isinstance(words, list):
        return _weighted(sorted(words), [Fraction(1)] * len(words))
    if words.distribution is None:
        return _alike(words.from_, words.to)
    draw = BandDraw(place.compiler.bands(words, place, lambda value, _: int(value), 0))
    return _Leaf(draw.draw, draw.bands, draw.bands[0].first, draw.bands[-1].last, mean(draw.bands))


def _weighted(numbers: Sequence[int], weights: Sequence[Fraction]) -> _Leaf:
    whole = scale_weights(weights)
    choice, table = Choice([whole]), np.array(numbers, dtype=np.int64)
    total = sum(number * weight for number, weight in zip(numbers, whole, strict=True))
    return _Leaf(
        lambda drawn: table.take(choice.codes(high32(drawn))),
        tuple(Band(number, number, weight) for number, weight in zip(numbers, whole, strict=True)),
        numbers[0],
        numbers[-1],
        Fraction(total, sum(whole)),
    )


def _alike(first: int, last: int) -> _Leaf:
    """Return a choice with equal weights over a range: the first j with hi < floor((j + 1) * 2^32 / n)."""
    count = np.uint64(last - first + 1)

    def draw(drawn: Words) -> Longs:
        above = (drawn >> HALF) + np.uint64(1)
        return np.int64(first) + ((above * count - np.uint64(1)) >> HALF).astype(np.int64)

    return _Leaf(draw, _even(first, last), first, last, Fraction(first + last, 2))
