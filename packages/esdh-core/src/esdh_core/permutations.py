"""Keyed permutations: values that must be unique within a seed hold one of the index.

Unique without retrying or remembering, and inverted to check. They hide nothing: this is public arithmetic.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from esdh_core.mixing import GOLDEN_GAMMA, MASK_64, mix64_array
from esdh_core.streams import key_word

__all__ = ["INDEX_BITS", "permute", "unpermute"]

INDEX_BITS: Final = 36  # of an index that `permute` takes
_ROUNDS: Final = 4


def permute(seed: int, stream: str, index: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a keyed permutation of indices below 2^36, element by element; also below 2^36.

    A Feistel network of four rounds, keyed by the seed and the key word of `stream` (contract, section 5).
    """
    return _feistel(index, seed ^ key_word(stream), INDEX_BITS // 2, range(_ROUNDS))


def unpermute(seed: int, stream: str, permuted: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the indices whose permutation is `permuted`: the inverse of `permute`."""
    half = INDEX_BITS // 2
    swapped = _feistel(_swap(permuted, half), seed ^ key_word(stream), half, range(_ROUNDS)[::-1])
    return _swap(swapped, half)


def _feistel(values: NDArray[np.uint64], key: int, half: int, rounds: Iterable[int]) -> NDArray[np.uint64]:
    """Return the network over two halves of `half` bits; rounds in descending order undo it, on swapped halves."""
    shift, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> shift, values & mask
    for r in rounds:
        mixed = mix64_array(right + np.uint64(key + (r + 1) * GOLDEN_GAMMA & MASK_64))
        mixed &= mask
        mixed ^= left
        left, right = right, mixed
    return left << shift | right


def _swap(values: NDArray[np.uint64], half: int) -> NDArray[np.uint64]:
    return values >> np.uint64(half) | (values & np.uint64((1 << half) - 1)) << np.uint64(half)
