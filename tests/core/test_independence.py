"""Words are independent wherever they stand: of siblings, cousins, parent and child, neighbours, streams and seeds.

The bounds are theorems for independent words, with fixed seeds: they fail by chance less than once in 10^9 such suites.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from esdh_core.dataset import Block
from numpy.typing import NDArray
from trees import BRANCHES, LEAVES, TREE, TREES

Words = NDArray[np.uint64]
Pairs = Callable[[int], tuple[Words, Words]]

RECORDS = 60_000
SEEDS = (0, 20240601, 2**53 - 1)
LEVEL = 1e-12  # of each bound below, over all that it bounds at once
STREAM, OTHER = "tree:leaves.area", "tree:leaves.green"


def _block(seed: int, start: int = 0) -> Block:
    return TREE.block(start, RECORDS, seed)


def _first(block: Block, k: int) -> NDArray[np.intp]:
    """Return, for each branch with more than k leaves, the row of its leaf k."""
    level = block.level(LEAVES)
    assert level.k is not None
    return np.flatnonzero(level.k == k)


def _siblings(seed: int) -> tuple[Words, Words]:
    block = _block(seed)
    words = block.words(LEAVES, STREAM)
    second = _first(block, 1)
    return words[second - 1], words[second]


def _far_siblings(seed: int) -> tuple[Words, Words]:
    block = _block(seed)
    words = block.words(LEAVES, STREAM)
    third = _first(block, 2)
    return words[third - 2], words[third]


def _cousins(seed: int) -> tuple[Words, Words]:
    """Return the first leaf of the first branch and of the second of each tree where both have one."""
    block = _block(seed)
    words, branches = block.words(LEAVES, STREAM), block.level(BRANCHES)
    rows = np.full(len(branches.slots), -1)
    level = block.level(LEAVES)
    assert level.parents is not None
    assert branches.k is not None
    firsts = _first(block, 0)
    rows[level.parents[firsts]] = firsts
    second = np.flatnonzero(branches.k == 1)
    both = second[(rows[second] >= 0) & (rows[second - 1] >= 0)]
    return words[rows[both - 1]], words[rows[both]]


def _parent_and_child(seed: int) -> tuple[Words, Words]:
    block = _block(seed)
    level, firsts = block.level(LEAVES), _first(block, 0)
    assert level.parents is not None
    return block.words(BRANCHES, STREAM)[level.parents[firsts]], block.words(LEAVES, STREAM)[firsts]


def _root_and_grandchild(seed: int) -> tuple[Words, Words]:
    """Return each tree's word and that of its first branch's first leaf."""
    block = _block(seed)
    rows = block.rows_of(LEAVES, TREES)
    assert rows is not None
    trees, firsts = np.unique(rows, return_index=True)
    return block.words(TREES, STREAM)[trees], block.words(LEAVES, STREAM)[firsts]


def _neighbours(seed: int) -> tuple[Words, Words]:
    words = _block(seed).words(TREES, STREAM)
    return words[0::2], words[1::2]


def _streams(seed: int) -> tuple[Words, Words]:
    block = _block(seed)
    return block.words(LEAVES, STREAM)[:RECORDS], block.words(LEAVES, OTHER)[:RECORDS]


def _seeds(seed: int) -> tuple[Words, Words]:
    """Return the words of the same trees in two seeds that differ in one bit."""
    return _block(seed).words(TREES, STREAM), _block(seed ^ 1).words(TREES, STREAM)


PAIRS: dict[str, Pairs] = {
    "siblings": _siblings,
    "siblings two apart": _far_siblings,
    "cousins": _cousins,
    "parent and child": _parent_and_child,
    "root and grandchild": _root_and_grandchild,
    "neighbouring records": _neighbours,
    "two streams of a row": _streams,
    "two seeds": _seeds,
}


def _bits(words: Words) -> NDArray[np.float32]:
    """Return the bits of words as -1 and 1, shape (n, 64)."""
    return (
        np.unpackbits(np.ascontiguousarray(words).view(np.uint8).reshape(-1, 8), axis=1).astype(np.float32)
        * 2
        - 1
    )


def _eighths(words: Words) -> NDArray[np.intp]:
    return (words >> np.uint64(61)).astype(np.intp)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", PAIRS)
def test_no_bit_of_one_tells_a_bit_of_the_other(name: str, seed: int) -> None:
    """Each of the 4,096 pairs of bits agrees as often as not, within Hoeffding's bound."""
    one, other = PAIRS[name](seed)
    assert len(one) > 20_000
    furthest = float(np.abs(_bits(one).T @ _bits(other)).max()) / len(one)
    assert furthest <= math.sqrt(2 * math.log(2 * 64 * 64 / LEVEL) / len(one))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", PAIRS)
def test_values_of_one_are_spread_evenly_over_those_of_the_other(name: str, seed: int) -> None:
    """Each of the 64 pairs of eighths comes as often as any other, within the Chernoff bound, and none is correlated."""
    one, other = PAIRS[name](seed)
    counts = np.bincount(_eighths(one) * 8 + _eighths(other), minlength=64)
    assert max(_divergences(counts.tolist())) <= math.log(2 * 64 / LEVEL)
    centred = [(words >> np.uint64(11)).astype(np.float64) / 2**53 - 0.5 for words in (one, other)]
    products = float((centred[0] * centred[1]).mean())  # each within a quarter of 0
    assert abs(products) <= 0.25 * math.sqrt(2 * math.log(2 / LEVEL) / len(one))


def _divergences(counts: list[int]) -> Iterator[float]:
    """Yield n KL(count / n || 1 / cells) of each cell."""
    total, share = sum(counts), 1 / len(counts)
    for count in counts:
        hit = count * math.log(count / (total * share)) if count else 0.0
        rest = total - count
        yield hit + (rest * math.log(rest / (total * (1 - share))) if rest else 0.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_number_of_siblings_tells_nothing_of_their_values(seed: int) -> None:
    """A first child's word is spread evenly whatever number of siblings its parent's count gave it."""
    block = _block(seed)
    level, words = block.level(LEAVES), block.words(LEAVES, STREAM)
    assert level.parents is not None
    counts = np.bincount(level.parents, minlength=len(block.level(BRANCHES).slots))
    firsts = _first(block, 0)
    for number in (1, 2, 3):
        some = firsts[counts[level.parents[firsts]] == number]
        assert len(some) > 20_000
        spread = np.bincount(_eighths(words[some]), minlength=8)
        assert max(_divergences(spread.tolist())) <= math.log(2 * 8 / LEVEL)
