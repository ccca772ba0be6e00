"""Mimesis with a seed for its providers, made once."""

import os
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from mimesis import Generic
from mimesis.locales import Locale
from quotes import Claim, Customer, Vehicle

_G = Generic(Locale.EN, seed=int(os.environ.get("STUDY_SEED", "20240601")))
_MAKES = {"Toyota": ("Camry", "Corolla"), "Ford": ("F-150", "Escape"), "Honda": ("Civic", "CR-V")}


def _money(low: int, high: int) -> Decimal:
    return Decimal(str(_G.numeric.float_number(low, high, precision=2))).quantize(Decimal("0.01"))


def _claim() -> Claim:
    today = date.today()
    occurred_on = today - timedelta(_G.numeric.integer_number(0, 5 * 365))
    settled_on = min(occurred_on + timedelta(_G.numeric.integer_number(0, 120)), today)
    return Claim(
        _G.code.pin("CL########"),
        _money(50, 15_000),
        occurred_on,
        settled_on if _G.development.boolean() else None,
    )


def _customer() -> Customer:
    # field added: phone = _G.person.phone_number()
    make = _G.choice(list(_MAKES))
    this_year = date.today().year
    return Customer(
        # field added: phone=phone,
        first_name=_G.person.first_name(),
        last_name=_G.person.last_name(),
        email=_G.person.email(),
        born_on=_G.person.birthdate(this_year - 89, this_year - 19),
        street=_G.address.address(),
        unit=f"Unit {_G.numeric.integer_number(1, 99)}" if _G.numeric.integer_number(1, 10) > 6 else None,
        city=_G.address.city(),
        state=_G.address.state(abbr=True),
        postal_code=_G.address.zip_code(),
        since=date.today() - timedelta(_G.numeric.integer_number(0, 3650)),
        vehicle=Vehicle(
            make,
            _G.choice(_MAKES[make]),
            _G.numeric.integer_number(2008, 2027),
            _G.numeric.integer_number(0, 180_000),
            _money(1500, 60_000),
        ),
        claims=tuple(_claim() for _ in range(_G.choice((0, 0, 1, 1, 2, 3)))),
    )


@pytest.fixture
def customer() -> Customer:
    """A customer."""
    return _customer()


@pytest.fixture
def customers() -> Callable[[int], list[Customer]]:
    """Any number of customers."""
    return lambda count: [_customer() for _ in range(count)]
