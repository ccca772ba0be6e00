"""Bands of distributions: section 2 of datasets.md, by direct sums and bisection on long decimals."""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from functools import cache, lru_cache

Band = tuple[int, int, int]

DISCRETE = ("zipf", "poisson", "geometric")
CONTINUOUS = ("normal", "lognormal", "exponential")
PARAMETERS = {
    "normal": ("mean", "sd"),
    "lognormal": ("median", "sigma"),
    "exponential": ("mean",),
    "zipf": ("s",),
    "poisson": ("mean",),
    "geometric": ("mean",),
}

DIGITS = 100
PI = Decimal(
    "3.1415926535897932384626433832795028841971693993751058209749445923078164062862089986280348253421170679"
)
# What decimals can't tell apart from a limit is at the limit: F = 1/2 of a symmetric cut must not fall a hair short.
HAIR = Decimal(10) ** -40


def _decimal(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / Decimal(number.denominator)


def _erf(x: Decimal) -> Decimal:
    """Return the error function by the series 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (1 * 3 * ... (2n+1))."""
    term, total, n = x, x, 0
    while term and abs(term) > abs(total) * Decimal(10) ** -(DIGITS + 2):
        n += 1
        term = term * 2 * x * x / (2 * n + 1)
        total += term
    return 2 / PI.sqrt() * (-x * x).exp() * total


def _continuous(name: str, parameters: Sequence[Fraction]) -> Callable[[Fraction], Decimal]:
    """Return the mass below a point, before any cut."""
    first = _decimal(parameters[0])
    if name == "exponential":
        return lambda x: 1 - (-_decimal(x) / first).exp() if x > 0 else Decimal(0)
    spread = _decimal(parameters[1])
    if name == "normal":
        return lambda x: (1 + _erf((_decimal(x) - first) / spread / Decimal(2).sqrt())) / 2
    return lambda x: (
        (1 + _erf((_decimal(x).ln() - first.ln()) / spread / Decimal(2).sqrt())) / 2 if x > 0 else Decimal(0)
    )


def _masses(name: str, parameters: Sequence[Fraction], first: int, last: int) -> list[Decimal]:
    """Return the mass of each whole number of a range, up to a common factor."""
    p = _decimal(parameters[0])
    if name == "zipf":
        return [Decimal(v - first + 1) ** -p for v in range(first, last + 1)]
    if name == "poisson":
        return [p**v / math.factorial(v) if v >= 0 else Decimal(0) for v in range(first, last + 1)]
    return [(p / (1 + p)) ** v if v >= 0 else Decimal(0) for v in range(first, last + 1)]


def half_even(x: Decimal) -> int:
    """Return the whole number nearest to x, the even one if x lies half way."""
    below = int(x.to_integral_value("ROUND_FLOOR"))
    rest = x - below - Decimal("0.5")
    if abs(rest) < HAIR:
        return below + below % 2
    return below + (rest > 0)


def make(name: str, parameters: Mapping[str, Fraction], first: int, last: int, unit: Fraction) -> list[Band]:
    """Return the bands of a distribution cut to first .. last, both in units."""
    return list(_make(name, tuple(parameters[key] for key in PARAMETERS[name]), first, last, unit))


@cache
def _make(
    name: str, parameters: tuple[Fraction, ...], first: int, last: int, unit: Fraction
) -> tuple[Band, ...]:
    with localcontext(Context(prec=DIGITS, Emin=-(10**9), Emax=10**9)):
        share = _shares(name, parameters, first, last, unit)
        bands, begin, before = [], first, 0
        for end in _ends(share, first, last):
            reached = half_even(share(end) * 2**31)
            bands.append((begin, end, reached - before))
            begin, before = end + 1, reached
        return tuple(bands)


def _shares(
    name: str, parameters: tuple[Fraction, ...], first: int, last: int, unit: Fraction
) -> Callable[[int], Decimal]:
    """Return F: the share up to and including a value, cut and scaled to 1."""
    if name in DISCRETE:
        running, cumulated = Decimal(0), []
        for mass in _masses(name, parameters, first, last):
            running += mass
            cumulated.append(running)
        total = running
        return lambda v: cumulated[v - first] / total
    below = _continuous(name, parameters)
    start = below((first - Fraction(1, 2)) * unit)
    whole = below((last + Fraction(1, 2)) * unit) - start
    return lru_cache(maxsize=None)(lambda v: (below((v + Fraction(1, 2)) * unit) - start) / whole)


def _ends(share: Callable[[int], Decimal], first: int, last: int) -> list[int]:
    if last - first + 1 <= 1024:
        return list(range(first, last + 1))
    limits = {Fraction(i, 512) for i in range(1, 512)}
    limits |= {Fraction(1, 2**j) for j in range(10, 31)} | {1 - Fraction(1, 2**j) for j in range(10, 31)}
    ends = {last}
    for limit in limits:
        low, high = first, last
        while low < high:
            middle = (low + high) // 2
            if share(middle) >= _decimal(limit) - HAIR:
                high = middle
            else:
                low = middle + 1
        ends.add(low)
    return sorted(ends)


def written(bands: Sequence[tuple[int, int, Fraction]]) -> list[Band]:
    """Return the bands that a plan writes itself, their weights made to sum to 2^31."""
    total = sum((weight for _, _, weight in bands), Fraction(0))
    running, before, found = Fraction(0), 0, []
    for first, last, weight in bands:
        running += weight
        reached = round(running / total * 2**31)
        found.append((first, last, reached - before))
        before = reached
    return found
