"""Makes known_bands.json: bands by mpmath, with 90 digits and none of our arithmetic, in some minutes.

    uv run --with mpmath python tests/plan/mpmath_bands.py

The file never changes once a plan's data are published, since bands decide values; it may get more cases.
Quantiles are found by halving alone, Poisson's probabilities each by the gamma function, Zipf's sums by
Hurwitz's zeta function, and tails by the complementary error function.
"""

import hashlib
import json
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from mpmath import mp, mpf

CASES = [
    ("zipf", {"s": "1.1"}, 1, 1000, 0),
    ("geometric", {"mean": "12"}, 0, 200, 0),
    ("lognormal", {"median": "42", "sigma": "1.1"}, 1, 5_000_000, 2),
    ("normal", {"mean": "5000.5", "sd": "900"}, 1, 10_000, 0),  # F(5000) is 1/2 exactly
    ("normal", {"mean": "15000", "sd": "2000"}, 0, 19_875, 0),
    ("normal", {"mean": "0", "sd": "1"}, 15_000_000, 16_000_000, 6),
    ("normal", {"mean": "0", "sd": "1"}, -12_000, -11_500, 3),
    ("normal", {"mean": "0.5", "sd": "1/1000"}, 0, 3, 0),
    ("normal", {"mean": "1/3", "sd": "1000000000000000000"}, -(2**63), 2**63 - 1, 0),
    ("lognormal", {"median": "100", "sigma": "1/1000"}, 0, 10_000_000, 4),
    ("lognormal", {"median": "3", "sigma": "2"}, -100, 2_000_000, 2),
    ("exponential", {"mean": "30"}, 19_000, 29_000, 0),
    ("exponential", {"mean": "0.003"}, -10, 10_000, 4),
    ("exponential", {"mean": "1000000000000"}, 0, 1_000_000, 0),
    ("geometric", {"mean": "1000000"}, 0, 100_000_000, 0),
    ("geometric", {"mean": "1/3"}, 3, 5000, 0),
    ("poisson", {"mean": "4.5"}, 0, 20_000, 0),
    ("poisson", {"mean": "1000000"}, 0, 100_000_000, 0),
    ("poisson", {"mean": "1000000"}, 1_010_000, 1_020_000, 0),
    ("poisson", {"mean": "10"}, 1000, 1500, 0),
    ("poisson", {"mean": "5000"}, -5, 4000, 0),
    ("zipf", {"s": "1.1"}, 1, 10**9, 0),
    ("zipf", {"s": "1"}, 1, 10**9, 0),
    ("zipf", {"s": "1/2"}, -5, 10**9, 0),
    ("zipf", {"s": "0.999999999999"}, 1, 5000, 0),
    ("zipf", {"s": "5"}, 0, 5000, 0),
]


def number(text: str) -> Any:
    """Return an exact number, or the nearest of 90 digits."""
    above, _, below = text.partition("/")
    return mpf(above) / mpf(below or "1")


def normal(p: dict[str, Any], x: Any, y: Any) -> Any:
    """Return the normal share between two points, by the tail that is smaller."""
    x, y = ((point - p["mean"]) / p["sd"] for point in (x, y))
    if x > 0:
        x, y = -y, -x
    return (mp.erfc(-y / mp.sqrt(2)) - mp.erfc(-x / mp.sqrt(2))) / 2


def lognormal(p: dict[str, Any], x: Any, y: Any) -> Any:
    """Return the normal share between two logarithms."""
    x, y = (mp.log(point / p["median"]) if point > 0 else -mp.inf for point in (x, y))
    return normal({"mean": 0, "sd": p["sigma"]}, x, y)


def exponential(p: dict[str, Any], x: Any, y: Any) -> Any:
    """Return what is left at the first point less what is left at the second."""
    return mp.exp(-max(x, 0) / p["mean"]) - mp.exp(-max(y, 0) / p["mean"])


def geometric(p: dict[str, Any], _cut: tuple[int, int], a: int, b: int) -> Any:
    """Return what is left behind a value less what is left behind another."""
    rest = p["mean"] / (1 + p["mean"])
    return rest ** (max(a, -1) + 1) - rest ** (max(b, -1) + 1)


def zipf(p: dict[str, Any], cut: tuple[int, int], a: int, b: int) -> Any:
    """Return the difference of two infinite sums, or of two harmonic numbers."""
    a, b = a - cut[0] + 2, b - cut[0] + 2
    return mp.digamma(b) - mp.digamma(a) if p["s"] == 1 else mp.zeta(p["s"], a) - mp.zeta(p["s"], b)


def poisson(p: dict[str, Any], cut: tuple[int, int], a: int, b: int) -> Any:
    """Return the difference of two sums of probabilities."""
    low, sums = poisson_sums(p["mean"], *cut)
    start, end = (sums[max(0, min(v - low + 1, len(sums) - 1))] for v in (a, b))
    return end - start


@cache
def poisson_sums(mean: Any, first: int, last: int) -> tuple[int, list[Any]]:
    """Return the value from which on probabilities show, and their sums, from 0 on."""
    middle, reach = min(max(int(mean), first), last), 20 * int(mp.sqrt(mean) + 20)
    low = max(first, 0, middle - reach)
    values = range(low, min(last, middle + reach) + 1)
    masses = (mp.exp(v * mp.log(mean) - mean - mp.loggamma(v + 1)) for v in values)
    return low, list(accumulate(masses, initial=mpf(0)))


CONTINUOUS = {"normal": normal, "lognormal": lognormal, "exponential": exponential}
DISCRETE = {"geometric": geometric, "zipf": zipf, "poisson": poisson}


def bands(kind: str, given: dict[str, str], first: int, last: int, scale: int) -> list[tuple[int, int, int]]:
    """Return the bands as datasets.md, section 2, says."""
    p = {name: number(text) for name, text in given.items()}

    def between(a: int, b: int) -> Any:
        """Return the mass of the values after a, up to and including b."""
        if kind in DISCRETE:
            return DISCRETE[kind](p, (first, last), a, b)
        return CONTINUOUS[kind](p, *((v + mpf(1) / 2) / mpf(10) ** scale for v in (a, b)))

    total = between(first - 1, last)

    def share(v: int) -> Any:
        """Return F(v) to 60 places."""
        return mp.nint(between(first - 1, v) / total * mpf(10) ** 60) / mpf(10) ** 60

    if last - first < 1024:
        ends = list(range(first, last + 1))
    else:
        quantiles = {mpf(i) / 512 for i in range(1, 512)}
        quantiles |= {mpf(2) ** -j for j in range(10, 31)} | {1 - mpf(2) ** -j for j in range(10, 31)}
        ends, low = [], first
        for quantile in sorted(quantiles):
            high = last
            while low < high:
                middle = (low + high) // 2
                low, high = (low, middle) if share(middle) >= quantile else (middle + 1, high)
            ends.append(low)
        ends = sorted({*ends, last})
    edges = [0, *(int(mp.nint(share(end) * 2**31)) for end in ends)]  # nint rounds half to even
    firsts = [first, *(end + 1 for end in ends)]
    return [
        (a, b, after - before) for a, b, before, after in zip(firsts, ends, edges, edges[1:], strict=False)
    ]


def main() -> None:
    """Write the known answers."""
    mp.dps = 90
    known = []
    for kind, given, first, last, scale in CASES:
        made = bands(kind, given, first, last, scale)
        digest = hashlib.sha256(json.dumps(made).encode()).hexdigest()
        case = {"distribution": kind, "parameters": given, "first": first, "last": last, "scale": scale}
        known.append({**case, "bands": len(made), "begin": made[:3], "end": made[-3:], "sha256": digest})
        print(kind, given, first, last, len(made), flush=True)
        lines = ",\n".join(json.dumps(case) for case in known)
        Path(__file__).with_name("known_bands.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
