"""Keyed permutations: values that must be unique within a seed hold one of the index.

Unique without retrying or remembering, and inverted to check. They hide nothing: this is public arithmetic.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from esdh_core.mixing import GOLDEN_GAMMA, MASK_64, mix64, mix64_array
from esdh_core.streams import key_word

__all__ = ["INDEX_BITS", "permute", "permute_below", "unpermute", "unpermute_below"]

INDEX_BITS: Final = 36  # of an index that `permute` takes
_ROUNDS: Final = 4
_SCALAR_LIMIT: Final = 16  # values: so many cost less as Python's integers, one by one, than NumPy's calls do

Key = int | np.uint64 | NDArray[np.uint64]
Network = Callable[[Any, Sequence[Any], int], Any]
"""A network or its inverse, over one integer or an array of them, with round keys of the same kind."""


def permute(seed: int, stream: str, index: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a keyed permutation of indices below 2^36, element by element; also below 2^36.

    A Feistel network of four rounds, keyed by the seed and the key word of `stream` (contract, section 5).
    """
    return permute_below(seed ^ key_word(stream), index, 1 << INDEX_BITS)


def unpermute(seed: int, stream: str, permuted: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the indices whose permutation is `permuted`: the inverse of `permute`."""
    return unpermute_below(seed ^ key_word(stream), permuted, 1 << INDEX_BITS)


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


def _walk(network: Network, key: Key, values: NDArray[np.uint64], capacity: int) -> NDArray[np.uint64]:
    half = max(1, ((capacity - 1).bit_length() + 1) // 2)
    if len(values) <= _SCALAR_LIMIT and not isinstance(key, np.ndarray):
        keys = [int(key) + step & MASK_64 for step in _STEPS]
        few = [network(value, keys, half) for value in values.tolist()]
        for at, value in enumerate(few):
            walked = value
            while walked >= capacity:
                walked = network(walked, keys, half)
            few[at] = walked
        return np.array(few, dtype=np.uint64)
    # An array of one dimension, so that a single key's sums wrap as those of many do.
    many = [np.atleast_1d(np.asarray(key, dtype=np.uint64)) + np.uint64(step) for step in _STEPS]
    values = network(values, many, half)
    limit = np.uint64(capacity)
    outside = np.flatnonzero(values >= limit)
    while len(outside):  # on average less than three times: the range is less than four times the capacity
        own = [each[outside] if len(each) > 1 else each for each in many]
        walked = network(values[outside], own, half)
        values[outside] = walked
        outside = outside[walked >= limit]
    return values


# What each round of a network adds to the key.
_STEPS: Final = tuple((r + 1) * GOLDEN_GAMMA & MASK_64 for r in range(_ROUNDS))


def _feistel(value: Any, keys: Sequence[Any], half: int) -> Any:
    """Return the network of four rounds over two halves of `half` bits."""
    mask = (1 << half) - 1
    left, right = value >> half, value & mask
    for key in keys:
        left, right = right, left ^ _mix(right + key) & mask
    return left << half | right


def _unfeistel(value: Any, keys: Sequence[Any], half: int) -> Any:
    """Return the inverse of `_feistel`."""
    mask = (1 << half) - 1
    left, right = value >> half, value & mask
    for key in reversed(keys):
        left, right = right ^ _mix(left + key) & mask, left
    return left << half | right


def _mix(value: Any) -> Any:
    return mix64(value) if isinstance(value, int) else mix64_array(value)
