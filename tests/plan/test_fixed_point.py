"""Logarithm, exponential and normal distribution are right to the last bits."""

from decimal import Decimal, localcontext

import pytest
from esdh_plan.fixed_point import exp, ln, normal
from hypothesis import given
from hypothesis import strategies as st

POSITIVE = st.integers(1, 2**80)
BITS = st.sampled_from([96, 128, 256, 448])
FEW = 2**8  # units in the last place


def fixed(x: Decimal, bits: int) -> int:
    """Return a decimal in 2^-bits."""
    return int(x * 2**bits)


@given(POSITIVE, POSITIVE, BITS)
def test_logarithm_is_that_of_decimal(numerator: int, denominator: int, bits: int) -> None:
    """The logarithm of a fraction is what the standard library's decimals give."""
    with localcontext(prec=200):
        expected = fixed((Decimal(numerator) / Decimal(denominator)).ln(), bits)
    assert abs(expected - ln(numerator, denominator, bits)) < FEW


@given(st.integers(0, 2**76), BITS)
def test_exponential_is_that_of_decimal(x: int, bits: int) -> None:
    """The exponential from -4,096 to 0 is what the standard library's decimals give."""
    with localcontext(prec=200):
        expected = fixed((Decimal(-x) / 2**64).exp(), bits)
    assert abs(expected - exp(-x << (bits - 64), bits)) < FEW


# By mpmath, with 75 digits: `mpmath.ncdf(z)`.
KNOWN = {
    "0": "0.5",
    "1": "0.841344746068542948585232545632037922477912966726604390987394450243",
    "-2.3125": "0.0103750726580580038711514488946766889647936991542806714897642764009",
    "-16": "6.38875440053808728127548257491766662488672023537043255396600948849e-58",
}


@pytest.mark.parametrize("z", KNOWN)
def test_normal_share_is_known(z: str) -> None:
    """The normal distribution's share is right, on tabled points and between them, in the middle and the tail."""
    with localcontext(prec=90):
        expected, x = (fixed(Decimal(text), 200) for text in (KNOWN[z], z))
    assert abs(expected - normal(x, 200)) < FEW


@given(st.integers(-20 * 2**32, 20 * 2**32), BITS)
def test_normal_share_is_symmetric_and_grows(z: int, bits: int) -> None:
    """Shares below z and above -z are the same to the last bit; a larger z has no smaller share."""
    x = z << (bits - 32)
    assert 1 << bits == normal(x, bits) + normal(-x, bits)
    assert normal(x, bits) <= normal(x + (1 << (bits - 16)), bits)
