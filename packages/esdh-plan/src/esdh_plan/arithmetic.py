"""Words to values: products of 64 bits, ranges with all values alike, and bands."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from esdh_core.choices import Choice
from esdh_core.streams import HALF, high32, low32
from numpy.typing import NDArray

from esdh_plan.distributions import Band

__all__ = ["BandDraw", "alike", "alike_per_row", "high_product"]

Words = NDArray[np.uint64]
Longs = NDArray[np.int64]

_LOW = np.uint64(0xFFFFFFFF)
_ONE = np.array(1, dtype=np.uint64)
_WHOLE = 1 << 64


def high_product(words: Words, by: int | Words) -> Words:
    """Return the upper 64 bits of each product of two integers of 64 bits."""
    if isinstance(by, int) and by < 1 << 32:  # no sum on the way leaves 64 bits
        narrow = np.uint64(by)
        short: Words = (words >> HALF) * narrow + ((words & _LOW) * narrow >> HALF) >> HALF
        return short
    factor = np.asarray(by, dtype=np.uint64)
    a_high, a_low = words >> HALF, words & _LOW
    b_high, b_low = factor >> HALF, factor & _LOW
    middle = a_high * b_low + (a_low * b_low >> HALF)
    other = a_low * b_high + (middle & _LOW)
    product: Words = a_high * b_high + (middle >> HALF) + (other >> HALF)
    return product


def alike(words: Words, count: int) -> Words:
    """Return a number below `count` for each word, all alike: of the upper 32 bits up to 2^32, of all above."""
    if count <= 1 << 32:
        return (words >> HALF) * np.uint64(count) >> HALF
    return words if count >= _WHOLE else high_product(words, count)


def alike_per_row(words: Words, first: Longs, last: Longs, most: int, fewest: int) -> Longs:
    """Return a number from `first` to `last` for each word, `first` where they cross.

    `fewest` and `most` bound how many numbers a row's range has.
    """
    crossed = first > last
    steps = (
        last.astype(np.uint64) - first.astype(np.uint64)
    ) * ~crossed  # one less than the numbers there are
    if most <= 1 << 32:
        return first + ((words >> HALF) * (steps + _ONE) >> HALF).astype(np.int64)
    wide = high_product(words, steps + np.uint64(1))
    if most >= _WHOLE:
        wide = np.where(steps == np.uint64(_WHOLE - 1), words, wide)
    if fewest <= 1 << 32:
        narrow = (words >> HALF) * (steps + np.uint64(1)) >> HALF
        wide = np.where(steps < np.uint64(1 << 32), narrow, wide)
    values: Longs = (first.astype(np.uint64) + wide).astype(np.int64)
    return values


class BandDraw:
    """Draws from bands: the band by the upper half of a word, the place in it by the lower."""

    def __init__(self, bands: Sequence[Band]) -> None:
        self.bands = tuple(bands)
        sizes = [last - first + 1 for first, last, _ in self.bands]
        self._firsts = np.array([band.first for band in self.bands], dtype=np.int64)
        self._single = max(sizes) == 1
        self._narrow = max(sizes) <= 1 << 32
        self._sizes = np.array([min(size, _WHOLE - 1) for size in sizes], dtype=np.uint64)

    @cached_property
    def _choice(self) -> Choice:
        return Choice([[band.weight for band in self.bands]])

    def draw(self, words: Words) -> Longs:
        """Return the value of each word."""
        codes = self._choice.codes(high32(words))
        firsts: Longs = self._firsts.take(codes)
        if self._single:
            return firsts
        low, sizes = low32(words).astype(np.uint64), self._sizes.take(codes)
        if self._narrow:
            return firsts + (low * sizes >> HALF).astype(np.int64)
        within = low * (sizes >> HALF) + (low * (sizes & _LOW) >> HALF)
        values: Longs = (firsts.astype(np.uint64) + within).astype(np.int64)
        return values
