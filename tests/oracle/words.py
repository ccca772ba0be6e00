"""Words, and what is drawn from one: sections 2 and 3 of datasets.md, on plain integers."""

import hashlib
import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache, lru_cache

from oracles import draw

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1

root_word = lru_cache(maxsize=None)(draw)


def mix64(z: int) -> int:
    """Return the SplitMix64 finaliser of a number, all 64 bits."""
    z ^= z >> 30
    z = z * 0xBF58476D1CE4E5B9 & MASK
    z ^= z >> 27
    z = z * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def child_word(parent: int, k: int) -> int:
    """Return the word of the k-th child from its parent's word of the same stream."""
    return mix64((parent + (k + 1) * GOLDEN) & MASK)


def hi(word: int) -> int:
    """Return a word's upper 32 bits."""
    return word >> 32


def lo(word: int) -> int:
    """Return a word's lower 32 bits."""
    return word & 0xFFFFFFFF


def all_alike(word: int, n: int) -> int:
    """Return a number below n, each as likely as any other."""
    return hi(word) * n >> 32 if n <= 1 << 32 else word * n >> 64


def meets_share(word: int, share: Fraction) -> bool:
    """Tell whether a share is met."""
    return hi(word) < math.floor(share * 2**32)


@cache
def whole_weights(weights: tuple[Fraction, ...]) -> tuple[int, ...]:
    """Return the smallest whole weights in the same proportion, shifted right until their sum is below 2^32."""
    common = math.lcm(*(weight.denominator for weight in weights))
    whole = [int(weight * common) for weight in weights]
    divisor = math.gcd(*whole)
    whole = [weight // divisor for weight in whole]
    shift = 0
    while sum(weight >> shift for weight in whole) >= 1 << 32:
        shift += 1
    return tuple(weight >> shift for weight in whole)


@cache
def thresholds(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Return floor(C * 2^32 / W) for the running sums C of the weights."""
    total, running, found = sum(weights), 0, []
    for weight in weights:
        running += weight
        found.append(running * 2**32 // total)
    return tuple(found)


def choose(word: int, weights: Sequence[int]) -> int:
    """Return the first j whose threshold is above `hi`."""
    return next(j for j, limit in enumerate(thresholds(tuple(weights))) if hi(word) < limit)


def key_word(stream: str) -> int:
    """Return the first 8 bytes of SHA-256 of a stream's name, little-endian."""
    return int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "little")


def permute(number: int, capacity: int, key: int) -> int:
    """Return what a number becomes in the permutation over exactly `capacity` numbers."""
    if not 0 <= number < capacity:
        raise ValueError(f"{number} is not below the capacity {capacity}")
    half = 1
    while 1 << 2 * half < capacity:
        half += 1
    mask = (1 << half) - 1
    while True:
        left, right = number >> half, number & mask
        for r in range(4):
            left, right = right, left ^ mix64((right + key + (r + 1) * GOLDEN) & MASK) & mask
        number = left << half | right
        if number < capacity:
            return number


def feistel_id(left: int, right: int) -> str:
    """Return the id of section 4 of the contract for the two halves that it hides."""
    low61 = (1 << 61) - 1
    for r in range(4):
        left, right = right, left ^ mix64((right + (r + 1) * GOLDEN) & MASK) & low61
    bits = left << 61 | right
    a, b, c = bits >> 74, bits >> 62 & 0xFFF, bits & (1 << 62) - 1
    digits = f"{a << 80 | 8 << 76 | b << 64 | 0b10 << 62 | c:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def feistel_halves(text: str) -> tuple[int, int]:
    """Return the two halves that an id hides."""
    number = int(text.replace("-", ""), 16)
    if number >> 76 & 0xF != 8 or number >> 62 & 0b11 != 0b10:
        raise ValueError(f"{text} is no UUID of version 8 and variant 10")
    low61 = (1 << 61) - 1
    bits = number >> 80 << 74 | (number >> 64 & 0xFFF) << 62 | number & (1 << 62) - 1
    left, right = bits >> 61, bits & low61
    for r in reversed(range(4)):
        left, right = right ^ mix64((left + (r + 1) * GOLDEN) & MASK) & low61, left
    return left, right
