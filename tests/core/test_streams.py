"""Streams: the words of Philox, and choices by exact thresholds."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from esdh_core.choices import Choice
from esdh_core.streams import bounded, draws, high32, key_word, low32
from hypothesis import given
from hypothesis import strategies as st
from oracles import draw, philox4x64_10, weighted

SEEDS = st.integers(0, 2**53 - 1)
INDICES = st.integers(0, 2**33 - 1)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, [0] * 2, [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]),
        (
            [2**64 - 1] * 4,
            [2**64 - 1] * 2,
            [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0],
        ),
        (
            [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89],
            [0x452821E638D01377, 0xBE5466CF34E90C6C],
            [0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6],
        ),
    ],
)
def test_oracle_known_answers(counter: list[int], key: list[int], words: list[int]) -> None:
    """The tests' own Philox gives the known answers of Random123 (kat_vectors, philox4x64 10)."""
    assert words == philox4x64_10(counter, key)


def test_contract_vectors() -> None:
    """The vectors of the contract's section 3 hold."""
    assert key_word("person.lob_type") == 0x9463D9CFCF056739
    assert draws(20240601, "person.lob_type", 0, 2).tolist() == [0x8CDF5EF809A41E78, 0xB9382DB81082588A]


@given(SEEDS, st.sampled_from(["person.lob_type", "vehicle.model", "a.b.c"]), INDICES)
def test_draws_equal_oracle(seed: int, stream: str, index: int) -> None:
    """Any draw of any seed, also past 2^32, is the word that the contract's formula gives."""
    assert draw(seed, stream, index) == int(draws(seed, stream, index, 1)[0])


@given(SEEDS, st.integers(0, 10_000), st.integers(0, 60), st.integers(0, 60))
def test_any_range_is_part_of_a_longer_one(seed: int, start: int, before: int, count: int) -> None:
    """A window of a stream holds what a longer run holds there."""
    longer = draws(seed, "person.city", start, before + count)
    assert longer[before:].tolist() == draws(seed, "person.city", start + before, count).tolist()


def test_threads_draw_beside_each_other() -> None:
    """Draws that several threads make at the same time are those that each would make alone."""
    windows = [(seed, f"a.{seed % 7}", 3 * seed, 1 + seed % 50) for seed in range(400)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda window: draws(*window).tolist(), windows))
    assert [
        [draw(seed, stream, start + at) for at in range(count)] for seed, stream, start, count in windows
    ] == found


def test_draws_within_draws() -> None:
    """Draws that interrupt others, as those of a signal handler may, leave them as they would have been."""
    expected = draws(1, "person.city", 0, 9).tolist()

    class Interrupted(int):
        """A number of draws that makes other draws when it is added to, after the generator was set."""

        def __radd__(self, other: int) -> int:
            draws(2, "person.state", 5, 3)
            return other + int(self)

    assert expected == draws(1, "person.city", 0, Interrupted(9)).tolist()


def test_halves_of_a_draw() -> None:
    """The upper and the lower half of a draw are its 32-bit words."""
    words = np.array([0x0123456789ABCDEF], dtype=np.uint64)
    assert (high32(words).tolist(), low32(words).tolist()) == ([0x01234567], [0x89ABCDEF])


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**32))
def test_uniform_is_the_contract_formula(bits: int, below: int) -> None:
    """A bounded choice below k is (hi * k) >> 32."""
    assert [(bits * below) >> 32] == bounded(np.array([bits], dtype=np.uint32), below).tolist()


GROUPS = st.lists(st.lists(st.integers(0, 5000), min_size=1, max_size=40).filter(any), min_size=1, max_size=6)


@given(GROUPS, st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=30), st.data())
def test_choice_is_the_first_threshold_above(
    groups: list[list[int]], bits: list[int], data: st.DataObject
) -> None:
    """The guide table chooses what a linear search over the contract's thresholds chooses."""
    group = data.draw(st.integers(0, len(groups) - 1))
    total, running, edges = sum(groups[group]), 0, []
    for weight in groups[group]:
        running += weight
        edges.append((running << 32) // total)
    bits = [*bits, *(b for edge in edges for b in (edge - 1, edge) if 0 <= b < 2**32)]
    first = sum(map(len, groups[:group]))
    expected = [first + weighted(b, groups[group]) for b in bits]
    at = np.full(len(bits), group, dtype=np.int32)
    assert expected == Choice(groups).codes(np.array(bits, dtype=np.uint32), at).tolist()


@given(GROUPS, st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 5)), max_size=16))
def test_few_choices_are_those_among_many(groups: list[list[int]], draws: list[tuple[int, int]]) -> None:
    """Few choices, which are searched for one by one, are the same as among many, which the guide table gives."""
    choice = Choice(groups)
    bits = np.array([bits for bits, _ in draws], dtype=np.uint32)
    group = np.array([group % len(groups) for _, group in draws], dtype=np.int64)
    many, few = choice.codes(np.resize(bits, 99), np.resize(group, 99)), choice.codes(bits, group)
    assert (many[: len(draws)].tolist(), many.dtype) == (few.tolist(), few.dtype)


@pytest.mark.parametrize("weights", [[], [[1, -1]], [[2**32]]])
def test_choice_refuses_bad_weights(weights: list[list[int]]) -> None:
    """Weights that are missing, negative or too large are refused."""
    with pytest.raises(ValueError, match=r"weight|group"):
        Choice(weights)
