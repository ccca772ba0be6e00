"""Faker with `Faker.seed` in conftest, as its documentation shows it."""

import os
from collections.abc import Callable

import pytest
from faker import Faker
from quotes import Customer

from arms.with_faker import customer_of

Faker.seed(int(os.environ.get("STUDY_SEED", "20240601")))
_FAKE = Faker()


@pytest.fixture
def customer() -> Customer:
    """A customer."""
    return customer_of(_FAKE)


@pytest.fixture
def customers() -> Callable[[int], list[Customer]]:
    """Any number of customers."""
    return lambda count: [customer_of(_FAKE) for _ in range(count)]
