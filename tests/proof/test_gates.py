"""Gates let every sound snapshot pass, at any size, and catch the departures that their size can show."""

import math
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from esdh_core import ENTITIES, entity_named, generate_columns
from esdh_core.stats import Statistic
from esdh_manifest import GateCheck, Stats
from esdh_proof import ProofError, gates, judge, skip
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

SIZES = (200, 10_000, 1_000_000)
# SciPy ships no types.
BINOMIAL: Any = scipy_stats.binom


def gated() -> list[tuple[str, Statistic]]:
    """Return every distribution that is gated, by plural entity name."""
    return [(e.plural, each) for e in ENTITIES for each in e.statistics if each.expected is not None]


def declared(plural: str, name: str) -> dict[str, Fraction]:
    """Return the declared shares of a distribution."""
    statistic = next(each for each in entity_named(plural).statistics if each.name == name)
    assert statistic.expected is not None
    return dict(statistic.expected())


def ideal(records: int, **moved: dict[str, dict[str, Fraction]]) -> Stats:
    """Return the counts nearest to the declared shares, or to the shares moved to: entity to statistic to shares."""
    stats: Stats = {entity.plural: {} for entity in ENTITIES}
    for plural, statistic in gated():
        shares = moved.get(plural, {}).get(statistic.name) or declared(plural, statistic.name)
        running = [Fraction(0)]
        for share in shares.values():
            running.append(running[-1] + share)
        edges = [round(records * each) for each in running]
        stats[plural][statistic.name] = {
            label: high - low for label, low, high in zip(shares, edges, edges[1:], strict=False)
        }
    return stats


def failed(stats: Stats) -> list[str]:
    """Return the distributions that fail."""
    return [f"{check.entity}.{check.statistic}" for check in judge(stats).checks if not check.passed]


def check_of(stats: Stats, plural: str, name: str) -> GateCheck:
    """Return the check of one distribution."""
    return next(each for each in judge(stats).checks if (each.entity, each.statistic) == (plural, name))


@pytest.mark.parametrize("records", [1, 2, 5, 200, 10_000])
@pytest.mark.parametrize("seed", [0, 20240601, 2**53 - 1])
def test_real_data_pass_at_every_size(seed: int, records: int) -> None:
    """What the generator makes passes, from one record on."""
    columns = generate_columns(0, records, seed)
    stats = {
        entity.plural: {
            each.name: each.count(columns[entity.plural][each.field]) for each in entity.statistics
        }
        for entity in ENTITIES
    }
    assert ("passed", 15) == (judge(stats).verdict, len(judge(stats).checks))


@pytest.mark.parametrize("records", [1, 3, 50, 2_000, 10**6, 10**9, 2**33])
def test_simulated_counts_pass_and_come_near(records: int) -> None:
    """Multinomial draws of the declared shares never fail; the distances are those of chance, not of a loose bound."""
    rng = np.random.Generator(np.random.PCG64(records))
    ratios = []
    for _ in range(40):
        stats: Stats = {entity.plural: {} for entity in ENTITIES}
        for plural, statistic in gated():
            shares = declared(plural, statistic.name)
            drawn = rng.multinomial(records, [float(share) for share in shares.values()])
            stats[plural][statistic.name] = dict(zip(shares, drawn.tolist(), strict=True))
        verdict = judge(stats)
        assert "passed" == verdict.verdict
        ratios += [check.distance / check.bound for check in verdict.checks]
    assert 0.05 < float(np.mean(ratios)) < 0.5


@pytest.mark.parametrize("records", [1, 10, 200, 10_000, 1_000_000])
@pytest.mark.parametrize("label", ["Commercial", "Personal"])
def test_bound_is_wider_than_the_exact_binomial(records: int, label: str) -> None:
    """A count at the edge of acceptance has an exact tail that isn't larger than the cell's level, on both sides."""
    share = float(declared("persons", "lines_of_business")[label])
    other = "Personal" if label == "Commercial" else "Commercial"

    def passes(count: int) -> bool:
        stats = ideal(records)
        stats["persons"]["lines_of_business"] = {label: count, other: records - count}
        return check_of(stats, "persons", "lines_of_business").passed

    low = _fewest(round(records * share), passes)
    level = gates.LEVEL / 15 / 2
    if low > 0:
        assert BINOMIAL.cdf(low - 1, records, share) <= level / 2
    high = records - _fewest(records - round(records * share), lambda n: passes(records - n))
    if high < records:
        assert BINOMIAL.sf(high, records, share) <= level / 2


def _fewest(passing: int, passes: Callable[[int], bool]) -> int:
    """Return the smallest count that passes, given one that does; those that pass are an interval."""
    low, high = 0, passing
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle + 1, high)
    return low


@pytest.mark.parametrize("records", [1, 200, 12_345])
def test_bound_of_ages_is_massarts(records: int) -> None:
    """The bound of ages is the d for which 2 exp(-2 n d^2) is the level of one distribution, and no looser than Kolmogorov's."""
    check = check_of(ideal(records), "persons", "ages")
    level = 2 * math.exp(-2 * records * check.bound**2)
    assert level == pytest.approx(gates.LEVEL / 15, rel=1e-6)
    if records > 1:
        exact: Any = scipy_stats.kstwo
        assert exact.isf(gates.LEVEL / 15, records) <= check.bound


def test_reported_statistics_are_scipys() -> None:
    """Chi-square, its degrees of freedom, the largest z and Kolmogorov-Smirnov's D are those that SciPy gives."""
    rng = np.random.Generator(np.random.PCG64(7))
    shares = declared("persons", "ages")
    probabilities = [float(share) for share in shares.values()]
    counts = rng.multinomial(5_000, probabilities)
    stats = ideal(5_000)
    stats["persons"]["ages"] = dict(zip(shares, counts.tolist(), strict=True))
    check = check_of(stats, "persons", "ages")
    expected = [5_000 * share for share in probabilities]
    chi_square: Any = scipy_stats.chisquare(counts, expected, sum_check=False)
    assert check.reported["chi_square"] == pytest.approx(chi_square.statistic, rel=1e-8)
    assert len(shares) - 1 == check.reported["degrees_of_freedom"]
    z = [(c - e) / math.sqrt(e * (1 - e / 5_000)) for c, e in zip(counts, expected, strict=True)]
    assert check.reported["largest_z"] == pytest.approx(max(map(abs, z)), rel=1e-8)
    gaps = np.abs(np.cumsum(counts) / 5_000 - np.cumsum(probabilities))
    assert check.reported["kolmogorov_smirnov"] == pytest.approx(float(gaps.max()), rel=1e-6)
    assert check.distance == check.reported["kolmogorov_smirnov"]


def test_divergence_is_scipys() -> None:
    """The distance of a proportion is n times the Kullback-Leibler divergence of its worst label."""
    stats = ideal(1_000)
    stats["vehicles"]["risk_ratings"] = {"Low": 400, "Medium": 500, "High": 100}
    check = check_of(stats, "vehicles", "risk_ratings")
    entropy: Any = scipy_stats.entropy
    divergences = {
        label: 1_000 * float(entropy([count / 1_000, 1 - count / 1_000], [float(p), 1 - float(p)]))
        for (label, p), count in zip(
            declared("vehicles", "risk_ratings").items(), (400, 500, 100), strict=True
        )
    }
    assert max(divergences, key=divergences.__getitem__) == check.worst
    assert check.distance == pytest.approx(max(divergences.values()), rel=1e-8)


def moved_ages(years: int) -> dict[str, Fraction]:
    """Return the declared shares of ages, everybody so many years older (the oldest stay)."""
    shares = declared("persons", "ages")
    moved = dict.fromkeys(shares, Fraction(0))
    for label, share in shares.items():
        moved[str(min(int(label) + years, 94))] += share
    return moved


def tilted(plural: str, name: str, label: str, factor: Fraction) -> dict[str, Fraction]:
    """Return declared shares with one label's multiplied, the others scaled to fit."""
    shares = declared(plural, name)
    rest = (1 - shares[label] * factor) / (1 - shares[label])
    return {each: share * (factor if each == label else rest) for each, share in shares.items()}


# Which departure is caught at 200, 10,000 and 1,000,000 records; docs/GOVERNANCE.md shows the same table.
DEPARTURES: list[tuple[str, str, dict[str, Fraction], tuple[bool, bool, bool]]] = [
    ("persons", "lines_of_business", {"Personal": Fraction(1, 2), "Commercial": Fraction(1, 2)}, (False, True, True)),
    ("persons", "lines_of_business", {"Personal": Fraction(33, 50), "Commercial": Fraction(17, 50)}, (False, True, True)),
    ("persons", "lines_of_business", {"Personal": Fraction(69, 100), "Commercial": Fraction(31, 100)}, (False, False, True)),
    ("persons", "ages", moved_ages(10), (False, True, True)),
    ("persons", "ages", moved_ages(1), (False, False, True)),
    ("persons", "states", tilted("persons", "states", "WA", Fraction(2)), (False, True, True)),
    ("persons", "cities", tilted("persons", "cities", "Phoenix", Fraction(2)), (False, True, True)),
    ("persons", "cities", tilted("persons", "cities", "Phoenix", Fraction(11, 10)), (False, False, True)),
    ("vehicles", "makes", tilted("vehicles", "makes", "Honda", Fraction(3)), (True, True, True)),
    ("vehicles", "model_years", tilted("vehicles", "model_years", "2008", Fraction(1, 2)), (False, True, True)),
    ("vehicles", "risk_ratings", tilted("vehicles", "risk_ratings", "High", Fraction(5)), (True, True, True)),
    ("vehicles", "risk_ratings", tilted("vehicles", "risk_ratings", "High", Fraction(6, 5)), (False, False, True)),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(DEPARTURES)))
def test_departure_is_caught_from_the_size_that_can_show_it(number: int) -> None:
    """Each departure is caught at the sizes of the table, by the distribution that departs, and by no other."""
    plural, name, shares, caught = DEPARTURES[number]
    for records, expected in zip(SIZES, caught, strict=True):
        stats = ideal(records, **{plural: {name: shares}})
        assert ([f"{plural}.{name}"] if expected else []) == failed(stats), records


@pytest.mark.parametrize("label", ["Fleet", ""])
def test_label_that_the_plan_never_gives_fails_at_once(label: str) -> None:
    """One record of a line of business that isn't declared is enough, among any number."""
    stats = ideal(10**6)
    stats["persons"]["lines_of_business"][label] = 1
    check = check_of(stats, "persons", "lines_of_business")
    assert (False, label, 1, 0.0) == (check.passed, check.worst, check.observed, check.expected)


def test_skipped_gates_say_so() -> None:
    """A run without a gate is recorded as that."""
    assert ("skipped", []) == (skip({}).verdict, skip({}).checks)


@pytest.mark.parametrize("counts", [{}, {"Personal": 0}, {"Personal": 5, "Commercial": -1}])
def test_counts_of_nothing_are_refused(counts: dict[str, int]) -> None:
    """No records, or a negative count, is an error and no verdict."""
    with pytest.raises(ProofError, match="at least one record"):
        judge({**ideal(10), "persons": {**ideal(10)["persons"], "lines_of_business": counts}})


@given(
    st.dictionaries(
        st.sampled_from(["Personal", "Commercial", "Other"]), st.integers(0, 2**33), min_size=1
    ).filter(lambda counts: any(counts.values()))
)
def test_any_counts_have_a_verdict(counts: dict[str, int]) -> None:
    """Whatever the counts, there is a verdict with finite numbers, which JSON can hold."""
    stats = ideal(10)
    stats["persons"]["lines_of_business"] = counts
    for check in judge(stats).checks:
        assert all(
            map(math.isfinite, (check.distance, check.bound, check.expected, *check.reported.values()))
        )


@pytest.mark.parametrize("stats", [{}, {"policies": {"states": {"CA": 1}}}])
def test_nothing_passes_unlooked_at(stats: Stats) -> None:
    """Counts of no entity that the plan knows are an error, and not a verdict over no distribution."""
    with pytest.raises(ProofError, match="can't be judged; a gate needs those of some of persons, vehicles"):
        judge(stats)


def test_other_entities_do_not_move_the_level() -> None:
    """A distribution is held to the same bound whichever entities are in the snapshot."""
    alone = {"vehicles": ideal(200)["vehicles"]}
    assert check_of(ideal(200), "vehicles", "makes") == check_of(alone, "vehicles", "makes")


def test_verdict_is_the_same_in_another_process() -> None:
    """Another process, with another hash seed, writes the same bytes."""
    program = (
        "import msgspec, sys; from esdh_core import ENTITIES, generate_columns; from esdh_proof import judge\n"
        "c = generate_columns(0, 500)\n"
        "s = {e.plural: {x.name: x.count(c[e.plural][x.field]) for x in e.statistics} for e in ENTITIES}\n"
        "sys.stdout.buffer.write(msgspec.json.encode(judge(s)))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert 1 == len(made)
