"""Gates let every sound snapshot pass, at any size, and catch the departures that their size can show."""

import math
import subprocess
import sys
from collections.abc import Callable
from decimal import ROUND_UP, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from esdh_core import DEFAULT_DATASET, ENTITIES, generate_columns
from esdh_core.stats import Statistic
from esdh_export import GateError, SnapshotRequest, TargetError, write_snapshot
from esdh_manifest import GateCheck, Gates, Stats
from esdh_proof import ProofError, gates, judge, skip
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from tampering import sign

SIZES = (200, 10_000, 1_000_000)
# SciPy ships no types.
BINOMIAL: Any = scipy_stats.binom


def gated() -> list[tuple[str, Statistic]]:
    """Return every distribution that is gated, by plural entity name."""
    return [(e.name, each) for e in ENTITIES for each in e.statistics if each.expected is not None]


def declared(plural: str, name: str) -> dict[str, Fraction]:
    """Return the declared shares of a distribution."""
    statistic = next(each for each in DEFAULT_DATASET.table(plural).statistics if each.name == name)
    assert statistic.expected is not None
    return dict(statistic.expected())


def ideal(records: int, **moved: dict[str, dict[str, Fraction]]) -> Stats:
    """Return the counts nearest to the declared shares, or to the shares moved to: entity to statistic to shares."""
    stats: Stats = {entity.name: {} for entity in ENTITIES}
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
        entity.name: {each.name: each.count(columns[entity.name][each.field]) for each in entity.statistics}
        for entity in ENTITIES
    }
    assert ("passed", 15) == (judge(stats).verdict, len(judge(stats).checks))


@pytest.mark.parametrize("records", [1, 3, 50, 2_000, 10**6, 10**9, 2**33])
def test_simulated_counts_pass_and_come_near(records: int) -> None:
    """Multinomial draws of the declared shares never fail; the distances are those of chance, not of a loose bound."""
    rng = np.random.Generator(np.random.PCG64(records))
    ratios = []
    for _ in range(40):
        stats: Stats = {entity.name: {} for entity in ENTITIES}
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


@given(records=st.integers(1, 2**33), whole=st.integers(2, 10**9), data=st.data())
def test_distance_bounds_the_exact_binomial(records: int, whole: int, data: st.DataObject) -> None:
    """Whatever the size, the share and the count, the exact tail beyond the count is at most exp(-distance)."""
    part = data.draw(st.integers(1, whole - 1), label="part")
    near = round(records * part / whole)
    spread = 2 + 8 * math.isqrt(records * part * (whole - part) // whole**2)
    count = data.draw(st.integers(max(0, near - spread), min(records, near + spread)), label="count")
    distance = gates._divergence(part, whole, count, records)
    share = part / whole
    above = count * whole >= records * part
    tail = BINOMIAL.sf(count - 1, records, share) if above else BINOMIAL.cdf(count, records, share)
    assert tail <= math.exp(-distance) * (1 + 1e-6)


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


def skewed(name: str, tilt: Fraction) -> dict[str, Fraction]:
    """Return a vehicle's declared shares with the first label's made smaller and the last's larger, the others in line."""
    shares = declared("vehicles", name)
    middle = Fraction(len(shares) - 1, 2)
    weights = {
        label: share * (1 + tilt * (at - middle) / middle) for at, (label, share) in enumerate(shares.items())
    }
    return {label: weight / sum(weights.values()) for label, weight in weights.items()}


def swapped(one: str, other: str) -> dict[str, Fraction]:
    """Return the declared shares of risk ratings with two of them exchanged."""
    shares = declared("vehicles", "risk_ratings")
    return {**shares, one: shares[other], other: shares[one]}


def commercial(percent: int) -> dict[str, Fraction]:
    """Return shares of the lines of business with so many percent Commercial."""
    return {"Personal": 1 - Fraction(percent, 100), "Commercial": Fraction(percent, 100)}


YES, MAYBE, NO = "yes", "sometimes", "no"
LOB, AGES, STATES = "persons.lines_of_business", "persons.ages", "persons.states"
CITIES, MAKES, YEARS, RISKS = (
    "persons.cities",
    "vehicles.makes",
    "vehicles.model_years",
    "vehicles.risk_ratings",
)
# Which departure is caught at 200, 10,000 and 1,000,000 records; docs/GOVERNANCE.md shows the same rows.
DEPARTURES: dict[str, tuple[str, dict[str, Fraction], tuple[str, str, str]]] = {
    "Commercial 31 % instead of 30 %": (LOB, commercial(31), (NO, NO, YES)),
    "Commercial 35 %": (LOB, commercial(35), (NO, YES, YES)),
    "Commercial 40 %": (LOB, commercial(40), (NO, YES, YES)),
    "Commercial 50 %": (LOB, commercial(50), (MAYBE, YES, YES)),
    "Commercial 65 %": (LOB, commercial(65), (YES, YES, YES)),
    "everybody a year older": (AGES, moved_ages(1), (NO, NO, YES)),
    "everybody three years older": (AGES, moved_ages(3), (NO, YES, YES)),
    "everybody ten years older": (AGES, moved_ages(10), (MAYBE, YES, YES)),
    "everybody fifteen years older": (AGES, moved_ages(15), (YES, YES, YES)),
    "California half as often": (STATES, tilted("persons", "states", "CA", Fraction(1, 2)), (YES, YES, YES)),
    "Nevada twice as often": (STATES, tilted("persons", "states", "NV", Fraction(2)), (NO, YES, YES)),
    "Phoenix twice as often": (CITIES, tilted("persons", "cities", "Phoenix", Fraction(2)), (NO, YES, YES)),
    "Phoenix a tenth more often": (CITIES, tilted("persons", "cities", "Phoenix", Fraction(11, 10)), (NO, NO, YES)),
    "no Phoenix": (CITIES, tilted("persons", "cities", "Phoenix", Fraction(0)), (NO, YES, YES)),
    "make Honda four times as often": (MAKES, tilted("vehicles", "makes", "Honda", Fraction(4)), (YES, YES, YES)),
    "model years tilted, the oldest's odds down and the newest's up by half": (YEARS, skewed("model_years", Fraction(1, 2)), (NO, YES, YES)),
    "model year 2008 half as often": (YEARS, tilted("vehicles", "model_years", "2008", Fraction(1, 2)), (NO, YES, YES)),
    "odds of the ratings Low and Medium swapped": (RISKS, swapped("Low", "Medium"), (NO, YES, YES)),
    "odds of the ratings Low and High swapped": (RISKS, swapped("Low", "High"), (YES, YES, YES)),
    "rating High a fifth more often": (RISKS, tilted("vehicles", "risk_ratings", "High", Fraction(6, 5)), (NO, MAYBE, YES)),
}  # fmt: skip


@pytest.mark.parametrize("departure", DEPARTURES)
def test_departure_is_caught_from_the_size_that_can_show_it(departure: str) -> None:
    """Snapshots drawn from other odds fail as often as the table says, by the distribution that departs and no other."""
    distribution, shares, expected = DEPARTURES[departure]
    plural, _, name = distribution.partition(".")
    outcomes = []
    for records in SIZES:
        rng = np.random.Generator(np.random.PCG64(records))
        stats = {plural: ideal(records)[plural]}
        caught = 0
        for _ in range(20):
            drawn = rng.multinomial(records, [float(share) for share in shares.values()])
            stats[plural][name] = dict(zip(shares, drawn.tolist(), strict=True))
            caught += (verdict := failed(stats)) == [distribution]
            assert verdict in ([], [distribution])
        outcomes.append({0: NO, 20: YES}.get(caught, MAYBE))
    assert expected == tuple(outcomes)


# The declared percentage of a label, and the smallest above it that 99 of 100 snapshots of 200, 10,000 and
# 1,000,000 records are refused for; docs/GOVERNANCE.md shows the same rows.
SMALLEST = {
    (LOB, "Commercial"): (30.00, 58.41, 33.87, 30.39),
    (STATES, "WA"): (12.48, 36.56, 15.39, 12.77),
    (STATES, "NV"): (5.03, 23.52, 7.02, 5.22),
    (CITIES, "Phoenix"): (4.05, 22.95, 6.00, 4.23),
    (MAKES, "Honda"): (9.17, 32.30, 11.83, 9.43),
    (YEARS, "2008"): (4.06, 21.82, 5.92, 4.24),
    (RISKS, "High"): (8.72, 30.14, 11.21, 8.96),
}


@pytest.mark.parametrize(("distribution", "label"), SMALLEST)
def test_smallest_departure_is_that_of_the_table(distribution: str, label: str) -> None:
    """By the exact binomial, the listed share is caught 99 times of 100, and one a hundredth of a percent smaller isn't."""
    plural, _, name = distribution.partition(".")
    share = declared(plural, name)[label]
    percent, *smallest = SMALLEST[distribution, label]
    assert percent == round(float(100 * share), 2)
    for records, caught in zip(SIZES, smallest, strict=True):
        bound = check_of(ideal(records), plural, name).bound

        low, high = round(records * share), records + 1  # the last count that passes lies between these
        while high - low > 1:
            middle = (low + high) // 2
            refused = gates._divergence(share.numerator, share.denominator, middle, records) > bound
            low, high = (low, middle) if refused else (middle, high)
        assert (
            BINOMIAL.sf(low, records, caught / 100) >= 0.99 > BINOMIAL.sf(low, records, caught / 100 - 1e-4)
        )


def test_governance_shows_these_tables() -> None:
    """docs/GOVERNANCE.md has a row for each departure and each smallest one, with the outcomes that are tested here."""
    document = (Path(__file__).parents[2] / "docs" / "GOVERNANCE.md").read_text("utf-8")
    rows = [[departure, *outcomes] for departure, (_, _, outcomes) in DEPARTURES.items()]
    rows += [
        [f"{distribution} {label}", *(f"{share:.2f} %" for share in shares)]
        for (distribution, label), shares in SMALLEST.items()
    ]
    assert [] == [row for row in rows if f"| {' | '.join(row)} |" not in document]


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


@given(data=st.data())
def test_any_counts_have_a_verdict_or_are_refused(data: st.DataObject) -> None:
    """Whatever the counts of whatever distribution, there is a verdict in finite numbers, or a ProofError."""
    plural, statistic = data.draw(st.sampled_from(gated()), label="distribution")
    labels = st.one_of(st.sampled_from(sorted(declared(plural, statistic.name))), st.text(max_size=3))
    counts = data.draw(
        st.dictionaries(labels, st.one_of(st.integers(0, 10**6), st.integers(-5, 2**34), st.just(10**400))),
        label="counts",
    )
    stats = {plural: {**ideal(10)[plural], statistic.name: counts}}
    if not 0 < sum(counts.values()) <= 2**33 or min(counts.values()) < 0:
        with pytest.raises(ProofError, match="at least one record"):
            judge(stats)
        return
    for check in judge(stats).checks:
        numbers = (check.distance, check.bound, check.expected, *check.reported.values())
        assert all(map(math.isfinite, numbers))


def test_ages_name_the_range_that_is_counted() -> None:
    """The worst of ages is a range, and observed and expected are the counts of that range."""
    stats = ideal(1_000)
    stats["persons"]["ages"] = {"16": 100, "40": 900}
    check = check_of(stats, "persons", "ages")
    low, high = map(int, check.worst.split("-"))
    shares = declared("persons", "ages")
    assert (False, 16) == (check.passed, low)
    assert check.expected == pytest.approx(
        float(1_000 * sum(share for label, share in shares.items() if int(label) <= high))
    )
    assert check.observed == 100 + 900 * (high >= 40)
    assert check.distance == pytest.approx(abs(check.observed - check.expected) / 1_000)


def test_verdict_does_not_depend_on_the_decimal_context() -> None:
    """A program that computes with few digits gets the same gates."""
    expected = judge(ideal(777))
    with localcontext(prec=3, rounding=ROUND_UP):
        assert expected == judge(ideal(777))


def crooked(stats: Stats) -> Gates:
    """Judge as if nearly every person were Commercial."""
    moved = {"Personal": 20, "Commercial": 180}
    return judge({**stats, "persons": {**stats["persons"], "lines_of_business": moved}})


def test_failed_gate_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    """A refused snapshot writes nothing, beside or over an earlier one, and says what was found in one sentence."""
    write_snapshot(tmp_path / "earlier", SnapshotRequest(records=5))
    before = {path: path.read_bytes() for path in (tmp_path / "earlier").iterdir()}
    for name in ("new", "earlier"):
        with pytest.raises(GateError) as refused:
            write_snapshot(tmp_path / name, SnapshotRequest(), overwrite=True, gate=crooked)
        assert str(refused.value).startswith(
            "persons lines_of_business don't follow the plan: at 'Commercial' 180 of 200 were counted, where about "
            "60 are expected (distance "
        )
    assert [tmp_path / "earlier"] == list(tmp_path.iterdir())
    assert before == {path: path.read_bytes() for path in (tmp_path / "earlier").iterdir()}


def test_refusal_counts_the_other_distributions(tmp_path: Path) -> None:
    """Where several distributions fail, the sentence names the first and says how many more."""

    def gate(stats: Stats) -> Gates:
        persons = {**stats["persons"], "states": {"TX": 200}, "cities": {"Austin": 200}}
        return judge({**stats, "persons": persons})

    with pytest.raises(
        GateError, match=r"at 'TX' 200 of 200 were counted, where none is .*, and 1 more fail"
    ):
        write_snapshot(tmp_path / "s", SnapshotRequest(), gate=gate)


@pytest.mark.parametrize(
    "counts", [{}, {"Personal": -1}, {"Personal": 10**400}], ids=["none", "negative", "huge"]
)
def test_earlier_snapshot_with_impossible_counts_is_another(tmp_path: Path, counts: dict[str, int]) -> None:
    """An earlier manifest whose counts can't be judged doesn't stop a run: it is another snapshot, to overwrite."""
    folder, request = tmp_path / "s", SnapshotRequest(records=5)
    manifest = write_snapshot(folder, request, gate=judge).manifest
    sign(folder, claims={"stats": {**manifest.stats, "persons": {"lines_of_business": counts}}})
    with pytest.raises(TargetError, match="give --overwrite"):
        write_snapshot(folder, request, gate=judge)
    assert manifest == write_snapshot(folder, request, gate=judge, overwrite=True).manifest


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
        "s = {e.name: {x.name: x.count(c[e.name][x.field]) for x in e.statistics} for e in ENTITIES}\n"
        "sys.stdout.buffer.write(msgspec.json.encode(judge(s)))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert 1 == len(made)
