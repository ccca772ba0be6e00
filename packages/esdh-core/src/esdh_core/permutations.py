"""Keyed permutations: values that must be unique within a seed hold one of the index.

Unique without retrying or remembering, and inverted to check. They hide nothing: this is public arithmetic.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from esdh_core.mixing import GOLDEN_GAMMA, MASK_64, mix64_array
from esdh_core.streams import key_word

__all__ = ["INDEX_BITS", "permute", "permute_below", "unpermute", "unpermute_below"]

INDEX_BITS: Final = 36  # of an index that `permute` takes
_ROUNDS: Final = 4

Key = np.uint64 | NDArray[np.uint64]


def permute(seed: int, stream: str, index: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a keyed permutation of indices below 2^36, element by element; also below 2^36.

    A Feistel network of four rounds, keyed by the seed and the key word of `stream` (contract, section 5).
    """
    return _feistel(index, _round_keys(np.uint64(seed ^ key_word(stream))), INDEX_BITS // 2)


def unpermute(seed: int, stream: str, permuted: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the indices whose permutation is `permuted`: the inverse of `permute`."""
    return _unfeistel(permuted, _round_keys(np.uint64(seed ^ key_word(stream))), INDEX_BITS // 2)


def permute_below(key: Key, index: NDArray[np.uint64], capacity: int) -> NDArray[np.uint64]:
    """Return a keyed permutation of the integers from 0 to `capacity - 1`, element by element.

    The network over the smallest even number of bits that has room for them, walked again while the result is not
    below the capacity (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002). `key` is one
    integer of 64 bits, or one a row.
    """
    return _walk(_feistel, key, index, capacity)


def unpermute_below(key: Key, permuted: NDArray[np.uint64], capacity: int) -> NDArray[np.uint64]:
    """Return the integers whose permutation is `permuted`: the inverse of `permute_below`."""
    return _walk(_unfeistel, key, permuted, capacity)


def _walk(
    step: Callable[[NDArray[np.uint64], list[Key], int], NDArray[np.uint64]],
    key: Key,
    values: NDArray[np.uint64],
    capacity: int,
) -> NDArray[np.uint64]:
    half = max(1, ((capacity - 1).bit_length() + 1) // 2)
    keys = _round_keys(key)
    values = step(values, keys, half)
    limit = np.uint64(capacity)
    outside = np.flatnonzero(values >= limit)
    while len(outside):  # on average less than three times: the range is less than four times the capacity
        own = [each[outside] if isinstance(each, np.ndarray) else each for each in keys]
        walked = step(values[outside], own, half)
        values[outside] = walked
        outside = outside[walked >= limit]
    return values


def _round_keys(key: Key) -> list[Key]:
    """Return what each round of the network adds to its half."""
    with np.errstate(over="ignore"):  # sums of single integers warn where those of arrays just wrap
        return [key + np.uint64((r + 1) * GOLDEN_GAMMA & MASK_64) for r in range(_ROUNDS)]


def _feistel(values: NDArray[np.uint64], keys: list[Key], half: int) -> NDArray[np.uint64]:
    """Return the network of four rounds over two halves of `half` bits."""
    shift, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> shift, values & mask
    for key in keys:
        left, right = right, left ^ _round(right, key, mask)
    return left << shift | right


def _unfeistel(values: NDArray[np.uint64], keys: list[Key], half: int) -> NDArray[np.uint64]:
    """Return the inverse of `_feistel`."""
    shift, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> shift, values & mask
    for key in reversed(keys):
        left, right = right ^ _round(left, key, mask), left
    return left << shift | right


def _round(half: NDArray[np.uint64], key: Key, mask: np.uint64) -> NDArray[np.uint64]:
    mixed = mix64_array(half + key)
    mixed &= mask
    return mixed
