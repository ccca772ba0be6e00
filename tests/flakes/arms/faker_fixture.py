"""Faker's own fixture for pytest, with pytest-randomly, which seeds it in every run and prints the seed."""

from collections.abc import Callable

import pytest
from faker import Faker
from quotes import Customer

from arms.with_faker import customer_of


@pytest.fixture
def customer(faker: Faker) -> Customer:
    """A customer."""
    return customer_of(faker)


@pytest.fixture
def customers(faker: Faker) -> Callable[[int], list[Customer]]:
    """Any number of customers."""
    return lambda count: [customer_of(faker) for _ in range(count)]
