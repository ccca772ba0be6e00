"""Logarithm, exponential and normal distribution in whole numbers, to as many bits as asked for.

A real number x stands as the integer x * 2^bits. Results are within 2^8 units of the exact value; nothing
is a float, so they are the same on every machine. The series are textbook ones: each function first goes
to the nearest of a few tabled points, so that a dozen terms do.
"""

import math
from functools import cache

__all__ = ["exp", "ln", "normal"]

_GUARD = 16  # more bits for what is tabled: the sum of hundreds of rounded terms stays exact to the last unit


def ln(numerator: int, denominator: int, bits: int) -> int:
    """Return the natural logarithm of a positive fraction."""
    power = numerator.bit_length() - denominator.bit_length()
    if numerator < denominator << power if power > 0 else numerator << -power < denominator:
        power -= 1
    shift = bits - power
    # from 1 to below 2
    mantissa = (numerator << shift) // denominator if shift > 0 else numerator // (denominator << -shift)
    step = (mantissa >> (bits - 6)) - 64
    near = (64 + step) << (bits - 6)
    rest = _atanh(((mantissa - near) << bits) // (mantissa + near), bits)
    return power * _ln_step(64, bits) + _ln_step(step, bits) + 2 * rest


def exp(x: int, bits: int) -> int:
    """Return e to the power of x, for x of 0 or below."""
    if -x >> bits > bits:
        return 0
    power, rest = divmod(x, _ln_step(64, bits))
    step = rest >> (bits - 6)
    series = _exp_series(rest - (step << (bits - 6)), bits)
    return _exp_step(step, bits) * series >> (bits - power)


def normal(z: int, bits: int) -> int:
    """Return the share of the standard normal distribution below z."""
    if z > 0:
        return (1 << bits) - normal(-z, bits)
    if z * z >> 2 * bits > 2 * bits:
        return 0
    eighths = (z + (1 << (bits - 4))) >> (bits - 3)
    step = z - (eighths << (bits - 3))
    total = 0
    for factor in _normal_series(eighths, bits):
        total = (total * step >> bits) + factor
    return total


def _atanh(x: int, bits: int) -> int:
    square, total, n = x * x >> bits, 0, 1
    while x:
        total += x // n
        x = x * square >> bits
        n += 2
    return total


def _exp_series(x: int, bits: int) -> int:
    total = term = 1 << bits
    n = 1
    while term := (term * x >> bits) // n:
        total += term
        n += 1
    return total


@cache
def _ln_step(step: int, bits: int) -> int:
    """Return the logarithm of 1 + step / 64."""
    return 2 * _atanh((step << (bits + _GUARD)) // (128 + step), bits + _GUARD) >> _GUARD


@cache
def _exp_step(step: int, bits: int) -> int:
    """Return the exponential of step / 64."""
    return _exp_series(step << (bits + _GUARD - 6), bits + _GUARD) >> _GUARD


@cache
def _normal_series(eighths: int, bits: int) -> tuple[int, ...]:
    """Return the Taylor series of the normal share at -0, -1, -2, ... eighths, highest power first."""
    squared = eighths * eighths
    inner = bits + _GUARD + squared // 64  # the sum below grows to exp(z^2 / 2), which is below 2^(z^2)
    root = math.isqrt(2 * _pi(inner) << inner)
    density = (exp(-(squared << inner) // 128, inner) << inner) // root
    total, term, n = 0, -eighths << (inner - 3), 1
    while term:  # z + z^3 / 3 + z^5 / (3 * 5) + ..., times the density, is the share between 0 and z
        total += term
        n += 2
        term = term * squared // (64 * n)
    series = [(1 << (inner - 1)) - (density * total >> inner)]
    # The density's derivative is -z times itself, so that its series goes d(n + 1) = -(z d(n) + d(n - 1)) / (n + 1).
    before, now, n = 0, density, 1
    while abs(now) >> 4 * n > 1 << _GUARD or abs(before) >> 4 * n > 1 << _GUARD:  # a step is at most 1/16
        series.append(now // n)
        before, now = now, -((eighths * now >> 3) + before) // n
        n += 1
    return tuple(factor >> (inner - bits) for factor in reversed(series))


def _pi(bits: int) -> int:
    """Return pi, by Machin's formula, 16 arctan(1/5) - 4 arctan(1/239)."""
    return 4 * (4 * _arctan_of_one_over(5, bits) - _arctan_of_one_over(239, bits))


def _arctan_of_one_over(x: int, bits: int) -> int:
    total, term, n = 0, (1 << bits) // x, 1
    while term:
        total += term // n
        term //= -x * x
        n += 2
    return total
