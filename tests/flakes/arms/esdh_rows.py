"""pytest-esdh over a plan of the model, quotes.yaml, which is the setting `esdh_plan`."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_esdh.factory import Esdh
from quotes import Claim, Customer, Vehicle


def _customer(record: Any) -> Customer:
    row, car = record.customers, record.vehicles
    return Customer(
        # field added: phone=row.phone,
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        born_on=row.born_on,
        street=row.street,
        unit=row.unit,
        city=row.city,
        state=row.state,
        postal_code=row.postal_code,
        since=row.since,
        vehicle=Vehicle(car.make, car.model, car.model_year, car.mileage, car.value),
        claims=tuple(
            Claim(each.number, each.amount, each.occurred_on, each.settled_on) for each in record.claims
        ),
    )


@pytest.fixture
def customer(esdh_record: Any) -> Customer:
    """The customer of the test's record."""
    return _customer(esdh_record)


@pytest.fixture
def customers(esdh: Esdh) -> Callable[[int], list[Customer]]:
    """Any number of customers: the next ones."""
    return lambda count: [_customer(esdh.record()) for _ in range(count)]
