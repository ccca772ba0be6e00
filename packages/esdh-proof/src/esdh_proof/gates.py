"""Gates: a snapshot's counts against the distributions that its plan declares, before it is written.

A sound generator must pass at any size, always, so a verdict rests on bounds that are theorems at every
number of records, not on what holds in the limit:

- Ages: the Dvoretzky-Kiefer-Wolfowitz inequality with Massart's constant. For n draws from F the chance
  that sup |F_n - F| exceeds d is at most 2 exp(-2 n d^2) (P. Massart, "The tight constant in the
  Dvoretzky-Kiefer-Wolfowitz inequality", Annals of Probability 18, 1990).
- Every other distribution, label by label: the Chernoff bound in Kullback-Leibler form. For n draws of
  probability p the chance that the share q of hits lies as far on its side that n KL(q || p) reaches t is
  at most exp(-t), so on either side at most 2 exp(-t) (H. Chernoff, Annals of Mathematical Statistics 23,
  1952; W. Hoeffding, Journal of the American Statistical Association 58, 1963, theorem 1), with a union
  bound over the labels.
- Ranges of values, and of the rows of a pool: both, each at half the level. A drift that is small in every
  range adds up in the distribution function.

The level of 1e-6 is that of a whole run: it is shared out evenly over every distribution that there can
be, whichever are in the snapshot. States and other copies are judged in each entity that holds them,
which only makes the bound more cautious. A label that the plan never gives fails whatever its count.

A plan's shares are judged where their word is drawn, once a draw. Where they depend on something, the draws
are judged in groups that share their odds: what a group depends on is drawn from other streams, so that
within it the draws are as independent as ever. All groups of a draw share the level of one distribution.

The manifest is the same bytes on every platform, so its numbers come from integers, from divisions and
square roots that IEEE 754 rounds correctly, and from `decimal`, whose logarithm is exactly specified;
the logarithm and the power of a C library are not.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from esdh_core import DEFAULT_DATASET, MAX_RECORDS, Dataset, Table
from esdh_core.ids import SLOT_BITS
from esdh_core.stats import Statistic
from esdh_manifest import GateCheck, Gates, Stats

from esdh_proof.errors import ProofError

__all__ = ["LEVEL", "judge", "skip"]

LEVEL = 1e-6
DKWM, KL, IMPOSSIBLE = "Dvoretzky-Kiefer-Wolfowitz-Massart", "Chernoff-Kullback-Leibler", "impossible value"
_MOST_ROWS = 1 << SLOT_BITS  # of a table, whose ids must have room for them
_DIGITS = Context(prec=24, rounding=ROUND_HALF_EVEN)  # whatever the caller's own context is


class _Shares(NamedTuple):
    """Declared shares: each label's is `parts[label] / whole`, exactly."""

    parts: dict[str, int]
    whole: int


class _Gated(NamedTuple):
    """A distribution that is judged; `groups` is how many share its level."""

    name: str
    shares: _Shares
    groups: int
    ordered: bool = False
    cumulative: bool = False
    ranges: bool = False


def judge(stats: Stats, *, dataset: Dataset = DEFAULT_DATASET, seed: int | None = None) -> Gates:
    """Return the verdict on a snapshot's counts: table to statistic to label to count.

    The odds of a draw from a table that is itself made follow from the `seed`; a dataset without such draws needs none.
    The verdict on tables of which the plan declares no shares is that nothing was asked.

    Raises ProofError for counts that no snapshot has: none, a negative one, or more than a snapshot's rows; and
    where a seed is needed and none is given.
    """
    named = [table for table in dataset.tables if table.name in stats]
    with localcontext(_DIGITS):
        checks = [
            _check(dataset, table, gated, counts)
            for table in named
            for gated in _gated(dataset, table, seed)
            # A plan's table may have no row, and a field of it no value.
            if (counts := stats[table.name].get(gated.name, {})) or dataset.recipe is None
        ]
    passed = all(check.passed for check in checks)
    if not checks:  # nothing must pass because nothing was looked at
        if named:
            return skip(stats)
        raise ProofError(
            f"counts of {', '.join(stats) or 'no entity'} can't be judged; a gate needs those of some of "
            f"{', '.join(table.name for table in dataset.tables)}"
        )
    return Gates(verdict="passed" if passed else "failed", level=LEVEL, checks=checks)


def skip(stats: Stats) -> Gates:  # noqa: ARG001 - a gate like any other
    """Return the verdict of a run that asked for no gate."""
    return Gates(verdict="skipped", level=LEVEL, checks=[])


@cache
def _distributions(dataset: Dataset) -> int:
    """Return the number of distributions that a snapshot can be held against; the groups of a draw are one together."""
    return sum(
        sum(each.expected is not None for each in table.statistics) + len(table.draws)
        for table in dataset.tables
    )


def _gated(dataset: Dataset, table: Table, seed: int | None) -> Iterator[_Gated]:
    """Yield what is judged of a table: the statistics and the groups of draws whose shares are declared."""
    for statistic in table.statistics:
        if statistic.expected is not None:
            shares = _shares_of(statistic)
            yield _Gated(statistic.name, shares, 1, statistic.ordered, statistic.cumulative, statistic.ranges)
    for draw in table.draws:
        if draw.follows_seed and seed is None:
            raise ProofError(
                f"the odds of a pick of {table.name} follow from the seed, since the table that it draws from is "
                "made; give judge the seed of the snapshot"
            )
        groups = draw.groups(dataset, seed or 0)
        for group in groups:
            if group.expected is not None:
                yield _Gated(group.name, _shares(group.expected), len(groups), ranges=group.ranges)


@cache
def _shares_of(statistic: Statistic) -> _Shares:
    if statistic.expected is None:
        raise TypeError(f"the plan declares no shares of {statistic.name}")
    return _shares(statistic.expected())


def _shares(shares: Mapping[str, Fraction]) -> _Shares:
    """Return declared shares over one common denominator."""
    whole = math.lcm(*(share.denominator for share in shares.values()))
    return _Shares(
        {label: share.numerator * (whole // share.denominator) for label, share in shares.items()}, whole
    )


def _check(dataset: Dataset, table: Table, gated: _Gated, counts: Mapping[str, int]) -> GateCheck:
    distributions = _distributions(dataset) * gated.groups
    records, most = sum(counts.values()), MAX_RECORDS if table.one_a_record else _MOST_ROWS
    if not 0 < records <= most or min(counts.values()) < 0:
        raise ProofError(
            f"{table.name} {gated.name} count {records} records in {len(counts)} labels; a gate needs counts "
            f"that aren't negative, of at least one record and at most {most}"
        )
    shares = gated.shares
    reported = _reported(shares, counts, records, ordered=gated.ordered)
    worst = max(_departures(gated, counts, records, distributions), key=lambda each: each.excess)
    return GateCheck(
        entity=table.name,
        statistic=gated.name,
        records=records,
        method=worst.method,
        distance=_rounded(worst.distance),
        bound=_rounded(worst.bound),
        passed=worst.distance <= worst.bound,
        worst=worst.label,
        observed=worst.observed,
        expected=_rounded(worst.expected),
        reported={name: _rounded(value) for name, value in reported.items()},
    )


class _Departure(NamedTuple):
    """How far counts are from what is declared, by one method, and where they are furthest."""

    method: str
    distance: float
    bound: float
    label: str
    observed: int
    expected: float

    @property
    def excess(self) -> float:
        """The distance as a part of its bound."""
        return self.distance / self.bound if self.bound else math.inf


def _departures(
    gated: _Gated, counts: Mapping[str, int], records: int, distributions: int
) -> Iterator[_Departure]:
    """Yield how far counts are from what is declared; methods that judge together share the level."""
    shares = gated.shares
    impossible = [label for label, count in counts.items() if count and not shares.parts.get(label)]
    if impossible:
        observed = counts[impossible[0]]
        yield _Departure(IMPOSSIBLE, float(observed), 0.0, impossible[0], observed, 0.0)
        return
    methods = 2 if gated.ranges else 1
    if gated.cumulative or gated.ranges:
        order = sorted(shares.parts, key=int) if gated.cumulative else list(shares.parts)
        distance, label, observed, expected = _furthest_cumulative(shares, counts, records, order)
        bound = float(((2 / _level(distributions * methods, 1)).ln() / (2 * records)).sqrt())
        yield _Departure(DKWM, distance, bound, label, observed, expected)
    if not gated.cumulative:
        distance, label = _furthest_cell(shares, counts, records)
        bound = float((2 / _level(distributions * methods, len(shares.parts))).ln())
        expected = records * shares.parts[label] / shares.whole
        yield _Departure(KL, distance, bound, label, counts.get(label, 0), expected)


def _level(distributions: int, cells: int) -> Decimal:
    """Return the level of one cell: its part of that of the run."""
    return Decimal(repr(LEVEL)) / (distributions * cells)


def _rounded(value: float) -> float:
    """Return a number as it is written: nine significant digits, so that a last bit can't tell two platforms apart."""
    return float(f"{value:.9g}")


def _cumulative(
    shares: _Shares, counts: Mapping[str, int], order: Sequence[str]
) -> Iterator[tuple[str, int, int]]:
    """Yield each label in order, with the count and the parts up to and including it."""
    count = parts = 0
    for label in order:
        count += counts.get(label, 0)
        parts += shares.parts[label]
        yield label, count, parts


def _furthest_cumulative(
    shares: _Shares, counts: Mapping[str, int], records: int, order: Sequence[str]
) -> tuple[float, str, int, float]:
    """Return sup |F_n - F|, the labels up to where it is (`16-45`), and both counts of these."""
    furthest, first, worst, observed, expected = -1, "", "", 0, 0
    for label, count, parts in _cumulative(shares, counts, order):
        first = first or label
        gap = abs(count * shares.whole - records * parts)
        if gap > furthest:
            worst = _up_to(first, label)
            furthest, observed, expected = gap, count, parts
    return furthest / (records * shares.whole), worst, observed, records * expected / shares.whole


def _up_to(first: str, last: str) -> str:
    """Return the labels from one to another: `16-45`, and of ranges `0.10 to 9.99`."""
    if first == last:
        return first
    begin, to, _ = first.partition(" to ")
    end = last.rpartition(" to ")[2]
    return f"{begin} to {end}" if to or " to " in last else f"{first}-{last}"


def _squared(part: int, whole: int, count: int, records: int) -> float:
    """Return the square of a label's z statistic: (count - n p)^2 / (n p (1 - p)); 0 where p is 0 or 1."""
    gap, spread = count * whole - records * part, records * part * (whole - part)
    return gap * gap / spread if spread else 0.0


def _furthest_cell(shares: _Shares, counts: Mapping[str, int], records: int) -> tuple[float, str]:
    """Return the largest n KL(q || p) over the labels, and its label.

    A logarithm costs more than all the rest, and n KL is never above z^2 (from ln x <= x - 1), so labels
    are looked at from the largest z^2 down, and no further than one can still be the largest.
    """
    ranked = sorted(
        (
            (_squared(part, shares.whole, counts.get(label, 0), records), label)
            for label, part in shares.parts.items()
            if part
        ),
        key=lambda pair: (-pair[0], pair[1]),
    )
    furthest, worst = -1.0, ranked[0][1]
    for squared, label in ranked:
        if squared <= furthest:
            break
        divergence = _divergence(shares.parts[label], shares.whole, counts.get(label, 0), records)
        if divergence > furthest:
            furthest, worst = divergence, label
    return furthest, worst


def _divergence(part: int, whole: int, count: int, records: int) -> float:
    """Return n KL(count / n || part / whole), in nats."""
    total = Decimal(0)
    for hits, share in ((count, part), (records - count, whole - part)):
        if hits:  # and then the share isn't 0: a count that can't be has failed already
            total += hits * (Decimal(hits * whole) / (records * share)).ln()
    return max(0.0, float(total))


def _reported(shares: _Shares, counts: Mapping[str, int], records: int, *, ordered: bool) -> dict[str, float]:
    """Return the statistics that people expect: Pearson's chi-square, the largest |z|, Kolmogorov-Smirnov's D."""
    cells = [(part, counts.get(label, 0)) for label, part in shares.parts.items() if part]
    terms = [
        (count * shares.whole - records * part) ** 2 / (records * part * shares.whole)
        for part, count in cells
    ]
    reported = {
        "chi_square": math.fsum(terms),
        "degrees_of_freedom": float(len(cells) - 1),
        "largest_z": math.sqrt(max(_squared(part, shares.whole, count, records) for part, count in cells)),
    }
    if ordered:
        order = sorted(shares.parts, key=int)
        reported["kolmogorov_smirnov"] = _furthest_cumulative(shares, counts, records, order)[0]
    return reported
