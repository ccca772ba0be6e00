"""The SplitMix64 finaliser (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["GOLDEN_GAMMA", "MASK_64", "mix64", "mix64_array"]

GOLDEN_GAMMA: Final = 0x9E3779B97F4A7C15  # 2^64 / the golden ratio: SplitMix64's increment
MASK_64: Final = (1 << 64) - 1
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB
# Arrays of no dimension: beside a short array NumPy takes one in half the time that a new integer of its costs.
_SHIFT_1, _SHIFT_2, _SHIFT_3, _FACTOR_1, _FACTOR_2 = (
    np.array(each, dtype=np.uint64) for each in (30, 27, 31, _MIX_1, _MIX_2)
)


def mix64(z: int) -> int:
    """Return the finaliser of a 64-bit integer."""
    z &= MASK_64
    z ^= z >> 30
    z = z * _MIX_1 & MASK_64
    z ^= z >> 27
    z = z * _MIX_2 & MASK_64
    return z ^ z >> 31


def mix64_array(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the finaliser of each element; unsigned arithmetic wraps at 2^64 as it must."""
    z = z ^ (z >> _SHIFT_1)
    z *= _FACTOR_1
    z ^= z >> _SHIFT_2
    z *= _FACTOR_2
    z ^= z >> _SHIFT_3
    return z
