"""Faker's own fixture for pytest alone, which is seeded with one seed before every test: beside the study, in its sweep of seeds."""

import os

import pytest

from arms.faker_fixture import customer, customers

__all__ = ["customer", "customers", "faker_seed"]


@pytest.fixture(autouse=True)
def faker_seed() -> int:
    """The seed of every test, as Faker's fixture takes it."""
    return int(os.environ.get("STUDY_SEED", "0"))
