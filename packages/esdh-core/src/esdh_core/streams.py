"""Draws of a named stream over a range of indices, and what is drawn from their two halves.

A draw is a function of (seed, stream name, index) and of nothing else: Philox4x64-10 (Salmon, Moraes,
Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011) keyed by the seed and the stream's
name, with the index as its counter. So any row is reached without the rows before it, and a stream
that is added or dropped moves no other.

What is promised: the words of `draws`, for ever. NumPy guarantees the words of its Philox bit generator;
its `Generator` methods guarantee nothing and are not used.
"""

import hashlib
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from esdh_core.mixing import GOLDEN_GAMMA, mix64_array

__all__ = ["HALF", "bounded", "child_steps", "child_words", "draws", "high32", "key_word", "low32"]

HALF: Final = np.array(32, dtype=np.uint64)
"""The bits of half a word, as `mixing` has its numbers: an array is shifted by it in half the time that a new integer takes."""

_WORDS_PER_COUNTER = 4
# Generators at rest. To set one's state takes a fifth of the time that a new one takes, which is most of what a few
# draws cost. Each is taken out while it is used, so no two threads, and no signal handler, ever share one; the two
# calls of the list are atomic.
_at_rest: list[np.random.Philox] = []


@lru_cache(maxsize=256)
def key_word(stream: str) -> int:
    """Return the key of a stream: the first 8 bytes of SHA-256 of its name, little-endian."""
    return int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "little")


def draws(seed: int, stream: str, start: int, count: int) -> NDArray[np.uint64]:
    """Return draws `start` to `start + count - 1` of a stream, shape (count,), unsigned 64-bit.

    Each counter value yields four words; draw i is word i % 4 of counter i // 4 + 1 (NumPy increments
    its counter before the first word, so it is set to i // 4).
    """
    skip = start % _WORDS_PER_COUNTER
    try:
        philox = _at_rest.pop()
    except IndexError:
        philox = np.random.Philox(0)
    # Integers of Python, not a list for `Philox(key=...)`, which would pass through a double and lose the low bits.
    state: Any = {
        "bit_generator": "Philox",
        "state": {"counter": (start // _WORDS_PER_COUNTER, 0, 0, 0), "key": (seed, key_word(stream))},
        "buffer": (0, 0, 0, 0),
        "buffer_pos": _WORDS_PER_COUNTER,  # all used: the next word is that of a new counter
        "has_uint32": 0,
        "uinteger": 0,
    }
    philox.state = state
    words: NDArray[np.uint64] = philox.random_raw(skip + count)
    _at_rest.append(philox)
    return words[skip:]


def child_steps(k: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return how far the state is moved for each child, by its number among siblings, from 0: the same in every stream."""
    return (k.astype(np.uint64) + np.uint64(1)) * np.uint64(GOLDEN_GAMMA)


def child_words(parents: NDArray[np.uint64], steps: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the words of children out of their parents' words and their `child_steps`.

    SplitMix64 with the parent's word as its state: child k has the output k of that generator.
    """
    return mix64_array(parents + steps)


def high32(words: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return the upper 32 bits of each draw: the field's first choice."""
    return (words >> HALF).astype(np.uint32)


def low32(words: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return the lower 32 bits of each draw: a second choice of the same field."""
    return words.astype(np.uint32)  # a cast to a narrower unsigned integer keeps the low bits


def bounded(bits: NDArray[np.uint32], below: int | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return an integer from 0 to `below - 1` for each 32 bits: (bits * below) >> 32.

    `below` is one bound, or one a row; at most 2^32, so that the product fits 64 bits.
    """
    return (bits.astype(np.uint64) * np.asarray(below, dtype=np.uint64)) >> HALF
