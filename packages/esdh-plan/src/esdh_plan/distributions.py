"""Distributions as bands, weights as whole numbers: what a plan draws from, the same to the bit everywhere.

The rules are in datasets.md, section 2: which values share a band, and how its weight is rounded. A share
is taken as its exact value rounded to 60 digits; two that agree in them are equal. Most comparisons are
clear with far fewer digits, so that a first look with 64 bits settles them and 200 bits settle the rest.
Floats only guess where a quantile may lie; the comparison of exact shares finds it, whatever the guess.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache, cached_property, lru_cache
from itertools import accumulate, pairwise
from statistics import NormalDist
from typing import NamedTuple, Protocol

from esdh_plan.fixed_point import exp, ln, normal

__all__ = ["PARAMETERS", "Band", "bands", "listed_bands", "mean", "merge_bands", "scale_weights"]

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "normal": ("mean", "sd"),
    "lognormal": ("median", "sigma"),
    "exponential": ("mean",),
    "zipf": ("s",),
    "poisson": ("mean",),
    "geometric": ("mean",),
}
"""The distributions and the names of their parameters."""

_WEIGHTS = 31  # bits: a distribution's weights sum to 2^31
_QUANTILES = 30  # bits: each quantile is a multiple of 2^-30
_SINGLE = 1024  # up to so many values have a band each
_LARGEST_POISSON = 10**9  # its probabilities are added one by one, over some 24 of its square roots
_LARGEST_NUMBER = 10**60  # above or below the fraction's line: what would cost time without end is refused
_DISCRETE = {"zipf", "poisson", "geometric"}
_FIRST, _LAST = 64, 200  # bits of a share: a first look, and 60 digits


class Band(NamedTuple):
    """The values from `first` to `last`, all alike, in unscaled units; `weight` of 2^31 draws fall here."""

    first: int
    last: int
    weight: int


def bands(
    distribution: str, parameters: Mapping[str, Fraction | int], first: int, last: int, scale: int = 0
) -> tuple[Band, ...]:
    """Return the bands of a distribution cut to `first`..`last`; their weights sum to 2^31.

    `first` and `last` are unscaled: a decimal of scale s counts in 10^-s, dates in days and timestamps in
    seconds from 1970. `parameters`, those that `PARAMETERS` names, are exact and in the field's unit,
    so that the mean of dates is a day number; they mean the distribution before the cut. Exponential,
    geometric and poisson distributions begin at 0, zipf at `first`. Raises ValueError, with a sentence,
    for parameters that can't be and for a range in which the distribution has no mass.
    """
    names = PARAMETERS.get(distribution)
    if names is None:
        raise ValueError(f"There is no distribution '{distribution}'; there are {', '.join(PARAMETERS)}.")
    if sorted(parameters) != sorted(names):
        found = ", ".join(parameters) or "none"
        raise ValueError(f"The parameters of {distribution} are {', '.join(names)}, not {found}.")
    return _bands(distribution, tuple(Fraction(parameters[name]) for name in names), first, last, scale)


def listed_bands(listed: Sequence[tuple[int, int, Fraction | int]]) -> tuple[Band, ...]:
    """Return the bands that a user lists as (first, last, weight), with weights brought to a sum of 2^31.

    A weight is R(end) - R(end before), as in a distribution's bands, R being the exact cumulated share times
    2^31, rounded half to even: so every weight is within one of its exact share, and their sum is exact.
    """
    if not listed:
        raise ValueError("There are no bands; at least one is needed.")
    for first, last, weight in listed:
        if first > last:
            raise ValueError(
                f"The band from {first} to {last} is empty; its first value must not be above its last."
            )
        if weight < 0:
            raise ValueError(
                f"The band from {first} to {last} has the weight {weight}; weights are 0 or more."
            )
    for (first, last, _), (following, end, _) in pairwise(listed):
        if following <= last:
            raise ValueError(
                f"The band from {following} to {end} stands after the one from {first} to {last}; "
                "bands must ascend and not overlap."
            )
    total = sum(Fraction(weight) for _, _, weight in listed)
    if not total:
        raise ValueError("All bands have the weight 0; at least one must have more.")
    cumulated = accumulate(Fraction(weight) / total for _, _, weight in listed)
    edges = [0, *(round(share * 2**_WEIGHTS) for share in cumulated)]  # Python rounds half to even
    return tuple(
        Band(first, last, after - before)
        for (first, last, _), (before, after) in zip(listed, pairwise(edges), strict=True)
    )


def mean(bands: Sequence[Band]) -> Fraction:
    """Return the exact mean of what the bands give, in unscaled units."""
    doubled = sum((band.first + band.last) * band.weight for band in bands)
    return Fraction(doubled, 2 * sum(band.weight for band in bands))


def merge_bands(bands: Sequence[Band], most: int = 64) -> tuple[Band, ...]:
    """Return the bands joined to at most `most` ranges of about equal weight, for statistics.

    Up to `most` bands stay as they are. Else a range ends with the band that brings the cumulated weight
    to the next multiple of the `most`th part of the whole, or past it.
    """
    if len(bands) <= most:
        return tuple(bands)
    ranges: dict[int, Band] = {}
    total = sum(band.weight for band in bands)
    cumulated = 0
    for band in bands:
        cumulated += band.weight
        place = max(cumulated - 1, 0) * most // total
        before = ranges.get(place)
        ranges[place] = Band(before.first, band.last, before.weight + band.weight) if before else band
    return tuple(ranges.values())


def scale_weights(weights: Sequence[Fraction | int]) -> tuple[int, ...]:
    """Return exact weights as the smallest whole numbers with the same ratios, their sum below 2^32.

    A sum that isn't below is brought there by shifting every weight right by the same smallest number of
    bits; a weight that becomes 0 is never chosen.
    """
    for weight in weights:
        if weight < 0:
            raise ValueError(f"The weight {weight} is below 0; weights are 0 or more.")
    if not any(weights):
        raise ValueError("There is no weight above 0; at least one is needed.")
    exact = [Fraction(weight) for weight in weights]
    common = math.lcm(*(weight.denominator for weight in exact))
    whole = [int(weight * common) for weight in exact]
    divisor = math.gcd(*whole)
    whole = [weight // divisor for weight in whole]
    # One bit less can't do: all that the shift cuts off is less than one a weight.
    shift = max(sum(whole).bit_length() - 33, 0)
    while sum(weight >> shift for weight in whole) >= 1 << 32:
        shift += 1
    return tuple(weight >> shift for weight in whole)


@lru_cache(maxsize=256)
def _bands(
    kind: str, parameters: tuple[Fraction, ...], first: int, last: int, scale: int
) -> tuple[Band, ...]:
    if first > last:
        raise ValueError(f"The range is empty: its first value, {first}, is above its last, {last}.")
    _check(kind, parameters, scale)
    shares = _Shares(_law(kind, parameters, first, last, scale), kind, first, last)
    ends = range(first, last + 1) if last - first < _SINGLE else _ends(shares)
    edges = pairwise([(first - 1, 0), *((end, shares.rounded(end)) for end in ends)])
    return tuple(Band(before + 1, end, after - weight) for (before, weight), (end, after) in edges)


class _Law(Protocol):
    """A distribution before its shares are scaled to 1."""

    def upto(self, v: int, bits: int) -> int:
        """Return the mass of all values up to and including v, in 2^-bits, within 2^16 units."""

    def guess(self, mass: int, bits: int) -> float:
        """Return about the smallest v whose `upto` reaches a mass."""


class _Shares:
    """F: the cumulated shares of a law within its cut."""

    def __init__(self, law: _Law, kind: str, first: int, last: int) -> None:
        self.law, self.first, self.last = law, first, last
        self._known: dict[int, int] = {}
        self._cuts: dict[int, tuple[int, int, int]] = {}
        # Few bits say how many bits the cut's mass costs when it is large, many when it is small.
        for bits in (96, 320):
            mass = law.upto(last, bits) - law.upto(first - 1, bits)
            if mass >> 64:
                break
        if mass * 10**60 < 1 << bits:
            raise ValueError(
                f"The {kind} distribution has no share within its bounds that 60 digits can tell; "
                "move the bounds to where it has some, or its parameters."
            )
        self._lost = max(bits - mass.bit_length(), 0) + 1

    def reaches(self, v: int, quantile: int) -> bool:
        """Return whether F(v) is at least a quantile, in 2^-30."""
        more = self._first_look(v) - (quantile << (_FIRST - _QUANTILES))
        if -1 <= more <= 1:
            more = self._share(v, _LAST) - (quantile << (_LAST - _QUANTILES))
        return more >= 0

    def rounded(self, v: int) -> int:
        """Return R(v): F(v) in 2^-31, rounded half to even."""
        for bits in (_FIRST, _LAST):
            share = self._first_look(v) if bits == _FIRST else self._share(v, bits)
            whole, rest = divmod(share, 1 << (bits - _WEIGHTS))
            over = rest - (1 << (bits - _WEIGHTS - 1))
            if abs(over) > 1:
                break
        return whole + (over > 0 or (over == 0 and whole % 2 == 1))

    def guess(self, quantile: int) -> int:
        """Return about the smallest v that reaches a quantile; it may be wrong by any amount."""
        bits, below, mass = self._cut(_FIRST)
        try:
            v = self.law.guess(below + (mass * quantile >> _QUANTILES), bits)
            return min(max(-int(-v // 1), self.first), self.last)
        except (ArithmeticError, ValueError):  # out of a float's range
            return self.first

    def _first_look(self, v: int) -> int:
        """Return F(v) in 2^-64, rounded to the nearest; within one unit."""
        share = self._known.get(v)
        if share is None:
            share = self._known[v] = self._share(v, _FIRST)
        return share

    def _share(self, v: int, bits: int) -> int:
        """Return F(v) in 2^-bits, rounded to the nearest; within one unit."""
        inner, below, mass = self._cuts.get(bits) or self._cut(bits)
        return (((self.law.upto(v, inner) - below << bits + 1) // mass) + 1) >> 1

    def _cut(self, bits: int) -> tuple[int, int, int]:
        """Return, for shares of so many bits: the bits to reckon with, the mass below the cut, the mass within it."""
        if bits not in self._cuts:
            inner = -(-(bits + 24 + self._lost) // 32) * 32  # few different ones, so that tables are shared
            below = self.law.upto(self.first - 1, inner)
            self._cuts[bits] = inner, below, self.law.upto(self.last, inner) - below
        return self._cuts[bits]


def _ends(shares: _Shares) -> Iterator[int]:
    """Return the last values of the bands of more than 1,024 values, ascending, each once."""
    end = shares.first - 1
    for quantile in _quantiles():
        if end < shares.first or not shares.reaches(end, quantile):
            end = _smallest(shares, quantile, end + 1)
            yield end
    if end < shares.last:
        yield shares.last


@cache
def _quantiles() -> tuple[int, ...]:
    """Return where bands end, in 2^-30, ascending."""
    one = 1 << _QUANTILES
    quantiles = {i * one // 512 for i in range(1, 512)}
    quantiles |= {one >> j for j in range(10, 31)} | {one - (one >> j) for j in range(10, 31)}
    return tuple(sorted(quantiles))


def _smallest(shares: _Shares, quantile: int, low: int) -> int:
    """Return the smallest v from `low` on that reaches a quantile: strides away from a guess, then halving."""
    reaches = shares.reaches
    below, reached = low - 1, shares.last
    v, stride = max(shares.guess(quantile), low), 1
    if reaches(v, quantile):
        reached = v
        while (v := reached - stride) > below:
            if not reaches(v, quantile):
                below = v
                break
            reached, stride = v, 2 * stride
    else:
        below = v
        while (v := below + stride) < reached:
            if reaches(v, quantile):
                reached = v
                break
            below, stride = v, 2 * stride
    while reached - below > 1:
        v = (below + reached) // 2
        if reaches(v, quantile):
            reached = v
        else:
            below = v
    return reached


def _check(kind: str, parameters: tuple[Fraction, ...], scale: int) -> None:
    """Raise a ValueError that says what is wrong with a parameter."""
    for name, value in zip(PARAMETERS[kind], parameters, strict=True):
        if value <= 0 and (kind, name) != ("normal", "mean"):
            raise ValueError(f"The {name} of {kind} is {value}; it must be above 0.")
        if max(abs(value.numerator), value.denominator) > _LARGEST_NUMBER:
            raise ValueError(f"The {name} of {kind} has more than 60 digits; 60 are the most.")
    if kind in _DISCRETE and scale:
        raise ValueError(
            f"A {kind} distribution gives whole numbers; take an integer, or a decimal of scale 0."
        )
    if kind == "poisson" and parameters[0] > _LARGEST_POISSON:
        raise ValueError(
            f"The mean of poisson is {parameters[0]}; it must not be above {_LARGEST_POISSON}. "
            "Take a normal distribution with this mean, and its square root as sd."
        )


def _law(kind: str, parameters: tuple[Fraction, ...], first: int, last: int, scale: int) -> _Law:
    half = Fraction(1, 2 * 10**scale)  # half a unit: so far from a value ends its part of a continuum
    match kind:
        case "normal":
            return _Normal(parameters[0] / half, parameters[1] / half)
        case "lognormal":
            return _Lognormal(parameters[0] / half, parameters[1])
        case "exponential":
            rate = half / parameters[0]
            return _Decay(
                2, max(2 * first - 1, 0), last, lambda bits: (rate.numerator << bits) // rate.denominator
            )
        case "geometric":
            up, down = (parameters[0] + 1).numerator, parameters[0].numerator  # of the same denominator
            return _Decay(1, max(first, 0), last, lambda bits: ln(up, down, bits))
        case "poisson":
            return _Poisson(parameters[0], first, last)
        case _:
            return _Zipf(parameters[0], first, last)


def _normal_guess(mass: int, bits: int) -> float:
    one = 1 << bits
    # The smaller tail tells more: near 1, a float can't tell shares apart.
    return _inv_cdf(mass / one) if 2 * mass < one else -_inv_cdf((one - mass) / one)


_inv_cdf = NormalDist().inv_cdf


class _Normal:
    """In half units: the value v ends at 2v + 1."""

    def __init__(self, mean: Fraction, sd: Fraction) -> None:
        self.mean, self.sd = mean, sd
        # (2v + 1 - mean) / sd as whole numbers: (a * (2v + 1) - b) / c
        a, self.c = sd.denominator * mean.denominator, sd.numerator * mean.denominator
        self.a, self.b = a, mean.numerator * sd.denominator

    @cached_property
    def floats(self) -> tuple[float, float]:
        return float(self.mean), float(self.sd)

    def upto(self, v: int, bits: int) -> int:
        return normal((((2 * v + 1) * self.a - self.b) << bits) // self.c, bits)

    def guess(self, mass: int, bits: int) -> float:
        mean, sd = self.floats
        return (mean + sd * _normal_guess(mass, bits) - 1) / 2


class _Lognormal:
    """In half units: the value v ends at 2v + 1."""

    def __init__(self, median: Fraction, sigma: Fraction) -> None:
        self.median, self.sigma = median, sigma
        self.up, self.down = median.denominator, median.numerator
        self.times, self.by = sigma.denominator, sigma.numerator
        self.more = (self.times // self.by).bit_length()  # a small sigma enlarges errors

    @cached_property
    def floats(self) -> tuple[float, float]:
        return float(self.median), float(self.sigma)

    def upto(self, v: int, bits: int) -> int:
        if v < 0:
            return 0
        z = ln((2 * v + 1) * self.up, self.down, bits + self.more)
        return normal(z * self.times // self.by >> self.more, bits)

    def guess(self, mass: int, bits: int) -> float:
        median, sigma = self.floats
        return (median * math.exp(sigma * _normal_guess(mass, bits)) - 1) / 2


class _Decay:
    """Exponential and geometric: what is left falls by the same factor a step, wherever the cut begins.

    So the mass is counted from the cut's begin, which keeps its digits in the farthest tail. The value v
    ends `times` * v + 1 - `start` steps behind it.
    """

    def __init__(self, times: int, start: int, last: int, rate: Callable[[int], int]) -> None:
        self.times, self.start, self.rate = times, start, cache(rate)
        self.more = max(times * last + 1 - start, 1).bit_length()  # the steps enlarge the rate's error

    def upto(self, v: int, bits: int) -> int:
        steps = self.times * v + 1 - self.start
        return (
            (1 << bits) - exp(-(steps * self.rate(bits + self.more) >> self.more), bits) if steps > 0 else 0
        )

    def guess(self, mass: int, bits: int) -> float:
        steps = -math.log(((1 << bits) - mass) / (1 << bits)) * (1 << bits) / self.rate(bits)
        return (steps - 1 + self.start) / self.times


class _Poisson:
    """The probabilities in the cut, as multiples of the largest one, added up: so no digit is lost anywhere."""

    def __init__(self, mean: Fraction, first: int, last: int) -> None:
        self.mean, self.first, self.last = mean, max(first, 0), last
        self.table = cache(self._table)

    def upto(self, v: int, bits: int) -> int:
        low, sums = self.table(bits)
        return sums[min(v - low, len(sums) - 1)] if v >= low else 0

    def guess(self, mass: int, bits: int) -> float:
        low, sums = self.table(bits)
        return low + bisect_left(sums, mass)

    def _table(self, bits: int) -> tuple[int, list[int]]:
        """Return the smallest value whose probability shows, and the cumulated ones from there on."""
        if self.last < self.first:
            return 0, [0]
        guard = 48  # the errors of up to 2^20 terms, each with those of all terms before it
        up, down = self.mean.numerator, self.mean.denominator
        mode = min(max(up // down, self.first), self.last)
        falling, term, v = [], 1 << (bits + guard), mode
        while v > self.first and (term := term * v * down // up):
            falling.append(term)
            v -= 1
        rising, term, v = [1 << (bits + guard)], 1 << (bits + guard), mode
        while v < self.last and (term := term * up // ((v + 1) * down)):
            rising.append(term)
            v += 1
        sums = accumulate(falling[::-1] + rising)
        return mode - len(falling), [share >> guard for share in sums]


class _Zipf:
    """Ranks from 1 to n; the sum of k^-s to 256 (to 1,024 if that is all), and by Euler and Maclaurin behind.

    Their formula is an integral and a series of derivatives, which errs by less than the first term that is left out.
    """

    def __init__(self, s: Fraction, first: int, last: int) -> None:
        self.s, self.first = s, first
        self.n = last - first + 1
        self.tabled = self.n if self.n <= _SINGLE else 256
        # What the integral's errors grow by: its length, and 1 / |1 - s|.
        self.more = self.n.bit_length() + (int(1 / abs(1 - s)).bit_length() if s != 1 else 0)
        self.table, self.series = cache(self._table), cache(self._series)
        self.start = cache(lambda bits: self._formula(self.tabled, bits))

    def upto(self, v: int, bits: int) -> int:
        rank = v - self.first + 1
        if rank <= self.tabled:
            return self.table(bits)[max(rank, 0)]
        return self.table(bits)[-1] + self._formula(rank, bits) - self.start(bits)

    def guess(self, mass: int, bits: int) -> float:
        sums = self.table(bits)
        if mass <= sums[-1]:
            return self.first - 1 + bisect_left(sums, mass)
        # The sum behind the table is nearly the integral from half a rank behind its last one.
        s, rest, start = float(self.s), float(1 - self.s), self.tabled + 0.5
        integral = (mass - sums[-1]) / (1 << bits) + s / 24 * start ** (-s - 1)
        grown = integral * start**-rest
        return self.first - 1 + start * math.exp(math.log1p(rest * grown) / rest if rest else grown) - 0.5

    def _table(self, bits: int) -> list[int]:
        """Return the sums up to each rank, from rank 0 on; only primes need an exponential."""
        powers = [0, 1 << bits]
        for rank in range(2, self.tabled + 1):
            factor = next((p for p in range(2, math.isqrt(rank) + 1) if rank % p == 0), rank)
            if factor == rank:
                power = exp(-(ln(rank, 1, bits) * self.s.numerator // self.s.denominator), bits)
            else:
                power = powers[factor] * powers[rank // factor] >> bits
            powers.append(power)
        return list(accumulate(powers))

    def _formula(self, rank: int, bits: int) -> int:
        """Euler and Maclaurin's formula at one end of a sum: two of these differ by the sum between them."""
        inner = bits + self.more
        log = ln(rank, 1, inner)
        power = exp(-(log * self.s.numerator // self.s.denominator), inner)
        rest = 1 - self.s
        total = power * rank * rest.denominator // rest.numerator if rest else log
        total += power // 2
        term = power // rank
        for factor in self.series(inner):
            step = factor * term >> inner
            if abs(step) < 1 << self.more:
                break
            total -= step
            term //= rank * rank
        return total >> self.more

    def _series(self, bits: int) -> list[int]:
        """Return what the powers rank^(1 - s - 2j) are multiplied by: B(2j) / (2j)! * s (s + 1) ... (s + 2j - 2)."""
        factors, rising = [], self.s
        for j, bernoulli in enumerate(_bernoulli(32), 1):
            factor = bernoulli * rising
            factors.append((factor.numerator << bits) // factor.denominator)
            rising *= (self.s + 2 * j - 1) * (self.s + 2 * j)
        return factors


@cache
def _bernoulli(terms: int) -> list[Fraction]:
    """B(2j) / (2j)! for j from 1 on, by Euler's recurrence; 32 are ample for 256 bits from rank 256 on."""
    numbers = [Fraction(1, 12)]
    while len(numbers) < terms:
        products = sum((x * y for x, y in zip(numbers, reversed(numbers), strict=True)), Fraction(0))
        numbers.append(-products / (2 * len(numbers) + 3))
    return numbers
