"""Distributions become bands, and weights whole numbers, to the bit."""

import hashlib
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from esdh_plan.distributions import PARAMETERS, Band, bands, listed_bands, mean, merge_bands, scale_weights
from hypothesis import given, reject, settings
from hypothesis import strategies as st

WHOLE = 2**31
KNOWN = json.loads(Path(__file__).with_name("known_bands.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: f"{known['distribution']}-{known['last']}")
def test_bands_are_those_of_mpmath(known: dict[str, Any]) -> None:
    """Every distribution's bands, those of far tails included, are what mpmath finds (mpmath_bands.py)."""
    parameters = {name: Fraction(text) for name, text in known["parameters"].items()}
    made = bands(known["distribution"], parameters, known["first"], known["last"], known["scale"])
    lists = [list(band) for band in made]
    assert known["bands"] == len(made)
    assert known["begin"] == lists[:3]
    assert known["end"] == lists[-3:]
    assert known["sha256"] == hashlib.sha256(json.dumps(lists).encode()).hexdigest()


def test_bands_of_bank() -> None:
    """The known answers of datasets.md hold."""
    popularity = bands("zipf", {"s": Fraction("1.1")}, 1, 1000)
    count = bands("geometric", {"mean": 12}, 0, 200)
    amount = bands("lognormal", {"median": 42, "sigma": Fraction("1.1")}, 1, 5_000_000, 2)
    assert [1000, 201, 553] == [len(popularity), len(count), len(amount)]
    assert [385349083, 179771703, 115085591] == [band.weight for band in popularity[:3]]
    assert [165191067, 152484062, 140754518] == [band.weight for band in count[:3]]
    assert ((1, 6, 4), (7, 7, 5), (8, 8, 9)) == amount[:3]
    assert (3084530, 5000000, 2) == amount[-1]


def test_share_that_is_a_quantile_exactly_reaches_it() -> None:
    """Where F(v) is 1/2 to the last digit, v is the end of a band and holds half of the weight."""
    made = bands("normal", {"mean": Fraction("5000.5"), "sd": 900}, 1, 10_000)
    assert WHOLE // 2 == sum(band.weight for band in made if band.last <= 5000)
    assert 5000 in {band.last for band in made}


def test_tail_of_an_exponential_is_like_its_begin() -> None:
    """A distribution without memory has the same bands wherever it is cut, however far out."""
    begin = bands("geometric", {"mean": 2}, 0, 50)
    tail = bands("geometric", {"mean": 2}, 10**6, 10**6 + 50)
    assert [band.weight for band in begin] == [band.weight for band in tail]


def test_scale_is_the_unit_of_the_values() -> None:
    """A decimal in cents has the bands of an integer with parameters of a hundred times."""
    cents = bands("lognormal", {"median": Fraction("4.2"), "sigma": 1}, 1, 100_000, 2)
    assert bands("lognormal", {"median": 420, "sigma": 1}, 1, 100_000) == cents


POSITIVE = st.fractions(Fraction(1, 1000), 10**5, max_denominator=1000)


@settings(deadline=None, max_examples=60)
@given(kind=st.sampled_from(sorted(PARAMETERS)), data=st.data())
def test_bands_cover_the_range_and_sum_to_2_31(kind: str, data: st.DataObject) -> None:
    """Whatever the parameters: bands cover the range without a gap, none is negative, and they sum to 2^31."""
    first = data.draw(st.integers(-50, 1000))
    last = first + data.draw(st.one_of(st.integers(0, 30), st.integers(1000, 10**7)))
    parameters = {name: data.draw(POSITIVE) for name in PARAMETERS[kind]}
    try:
        made = bands(kind, parameters, first, last)
    except ValueError:  # no share there: a test below
        reject()
    assert first == made[0].first
    assert last == made[-1].last
    assert [band.first for band in made[1:]] == [band.last + 1 for band in made[:-1]]
    assert all(band.first <= band.last and band.weight >= 0 for band in made)
    assert WHOLE == sum(band.weight for band in made)
    assert first <= mean(made) <= last


@pytest.mark.parametrize(
    ("kind", "parameters", "cut", "reason"),
    [
        ("norml", {}, (0, 1, 0), "There is no distribution 'norml'; there are normal, lognormal,"),
        ("normal", {"mean": 1}, (0, 1, 0), "The parameters of normal are mean, sd, not mean."),
        ("normal", {"mean": -1, "sd": 0}, (0, 1, 0), "The sd of normal is 0; it must be above 0."),
        ("zipf", {"s": Fraction(-1, 2)}, (0, 1, 0), "The s of zipf is -1/2; it must be above 0."),
        ("zipf", {"s": 1 + Fraction(1, 10**61)}, (0, 1, 0), "The s of zipf has more than 60 digits"),
        ("zipf", {"s": 1}, (0, 1, 2), "A zipf distribution gives whole numbers; take an integer"),
        (
            "poisson",
            {"mean": 10**9 + 1},
            (0, 1, 0),
            "The mean of poisson is 1000000001; it must not be above",
        ),
        ("geometric", {"mean": 1}, (5, 4, 0), "its first value, 5, is above its last, 4."),
        (
            "normal",
            {"mean": 0, "sd": 1},
            (17, 20, 0),
            "The normal distribution has no share within its bounds",
        ),
        ("poisson", {"mean": 3}, (-20, -1, 0), "The poisson distribution has no share within its bounds"),
        ("exponential", {"mean": 3}, (-20, -1, 0), "The exponential distribution has no share within"),
        ("lognormal", {"median": 3, "sigma": 1}, (-2000, -1, 2), "The lognormal distribution has no share"),
    ],
)
def test_what_cannot_be_is_refused(
    kind: str, parameters: dict[str, Fraction | int], cut: tuple[int, int, int], reason: str
) -> None:
    """A distribution that can't be is refused with a sentence that names the value."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        bands(kind, parameters, *cut)


def test_listed_bands_are_rounded_by_their_cumulated_shares() -> None:
    """A user's weights become 2^31 in all, halves going to the even edge; gaps stay."""
    thirds = listed_bands([(1, 5, 1), (7, 7, 1), (9, 20, 1)])
    assert (Band(1, 5, 715827883), Band(7, 7, 715827882), Band(9, 20, 715827883)) == thirds
    halves = listed_bands([(0, 0, 1), (1, 1, 2), (2, 2, 2**32 - 3)])
    assert [0, 2, WHOLE - 2] == [band.weight for band in halves]


@given(st.lists(st.fractions(0, 100, max_denominator=100), min_size=1, max_size=40).filter(any))
def test_listed_bands_sum_to_2_31(weights: list[Fraction]) -> None:
    """A user's weights sum to 2^31, each within one of its exact share."""
    made = listed_bands([(i, i, weight) for i, weight in enumerate(weights)])
    assert WHOLE == sum(band.weight for band in made)
    assert all(
        abs(band.weight - weight * WHOLE / sum(weights)) <= 1
        for band, weight in zip(made, weights, strict=True)
    )


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ([], "There are no bands"),
        ([(2, 1, 1)], "The band from 2 to 1 is empty"),
        ([(1, 2, -1)], "The band from 1 to 2 has the weight -1"),
        ([(1, 2, 1), (2, 3, 1)], "The band from 2 to 3 stands after the one from 1 to 2; bands must ascend"),
        ([(1, 2, 0)], "All bands have the weight 0"),
    ],
)
def test_listed_bands_that_cannot_be_are_refused(listed: list[tuple[int, int, int]], reason: str) -> None:
    """Bands that are empty, negative, out of order or without weight are refused, and told."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        listed_bands(listed)


def test_mean_is_exact() -> None:
    """A mean counts each band's values all alike."""
    assert Fraction(1 * 10 + 3 * 25, 4 * 10) == mean([Band(0, 2, 1), Band(2, 3, 3)])


def test_merged_ranges_are_few_and_alike() -> None:
    """Merged bands are at most 64, cover the same values with the same weight, and share it about evenly."""
    made = bands("lognormal", {"median": 42, "sigma": Fraction("1.1")}, 1, 5_000_000, 2)
    ranges = merge_bands(made)
    assert 64 == len(ranges)
    assert (1, 5_000_000) == (ranges[0].first, ranges[-1].last)
    assert WHOLE == sum(band.weight for band in ranges)
    assert [band.first for band in ranges[1:]] == [band.last + 1 for band in ranges[:-1]]
    assert max(band.weight for band in ranges) <= WHOLE // 64 + max(band.weight for band in made)
    assert made[:64] == merge_bands(made[:64])


@pytest.mark.parametrize(
    ("expected", "weights"),
    [
        ((7, 3), ["70", "30"]),
        ((7, 3), ["0.7", "0.3"]),
        ((4, 3, 0), ["2/3", "1/2", "0"]),
        ((2**31 - 1, 2**31), ["2147483647", "2147483648"]),
        ((2**31, 2**31 - 1, 0), ["4294967297", "4294967295", "1"]),
    ],
)
def test_weights_become_whole(expected: tuple[int, ...], weights: list[str]) -> None:
    """Weights become the smallest whole numbers, and are shifted until their sum is below 2^32."""
    assert expected == scale_weights([Fraction(weight) for weight in weights])


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([], "There is no weight above 0; at least one is needed."),
        ([0, 0], "There is no weight above 0; at least one is needed."),
        ([1, -2], "The weight -2 is below 0; weights are 0 or more."),
    ],
)
def test_weights_that_cannot_be_are_refused(weights: list[int], reason: str) -> None:
    """Weights below 0, or none above, are refused, and told."""
    with pytest.raises(ValueError, match=reason):
        scale_weights(weights)
