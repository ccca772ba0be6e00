"""factory_boy over Faker, as it comes: factories of the model, no seed."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import factory
import pytest
from quotes import Claim, Customer, Vehicle


class VehicleFactory(factory.Factory[Vehicle]):  # type: ignore[misc]  # without types
    """Makes cars."""

    class Meta:
        """What is made."""

        model = Vehicle

    make = factory.Faker("random_element", elements=("Toyota", "Ford", "Honda"))
    model = factory.Faker("random_element", elements=("Camry", "Escape", "Civic"))
    model_year = factory.Faker("random_int", min=2008, max=2027)
    mileage = factory.Faker("random_int", min=0, max=180_000)
    value = factory.Faker("pydecimal", min_value=1500, max_value=60_000, right_digits=2)


class ClaimFactory(factory.Factory[Claim]):  # type: ignore[misc]  # without types
    """Makes claims."""

    class Meta:
        """What is made."""

        model = Claim

    class Params:
        """What decides."""

        days = factory.Faker("random_int", min=0, max=120)
        is_settled = factory.Faker("boolean", chance_of_getting_true=70)

    number = factory.Faker("bothify", text="CL########")
    amount = factory.Faker("pydecimal", min_value=50, max_value=15_000, right_digits=2)
    occurred_on = factory.Faker("date_between", start_date="-5y", end_date="today")
    settled_on = factory.LazyAttribute(
        lambda o: min(o.occurred_on + timedelta(o.days), date.today()) if o.is_settled else None
    )


class CustomerFactory(factory.Factory[Customer]):  # type: ignore[misc]  # without types
    """Makes customers."""

    class Meta:
        """What is made."""

        model = Customer

    class Params:
        """What decides."""

        has_unit = factory.Faker("boolean", chance_of_getting_true=40)
        a_unit = factory.Faker("secondary_address")
        claim_count = factory.Faker("random_element", elements=(0, 0, 1, 1, 2, 3))

    # field added: phone = factory.Faker("phone_number")
    first_name = factory.Faker("first_name")
    last_name = factory.Faker("last_name")
    email = factory.LazyAttribute(lambda o: f"{o.first_name}.{o.last_name}@example.org".lower())
    born_on = factory.Faker("date_of_birth", minimum_age=18, maximum_age=90)
    street = factory.Faker("street_address")
    unit = factory.LazyAttribute(lambda o: o.a_unit if o.has_unit else None)
    city = factory.Faker("city")
    state = factory.Faker("state_abbr")
    postal_code = factory.Faker("postcode")
    since = factory.Faker("date_between", start_date="-10y", end_date="today")
    vehicle = factory.SubFactory(VehicleFactory)
    claims = factory.LazyAttribute(lambda o: tuple(ClaimFactory.build_batch(o.claim_count)))


@pytest.fixture
def customer() -> Any:
    """A customer."""
    return CustomerFactory.build()


@pytest.fixture
def customers() -> Callable[[int], list[Any]]:
    """Any number of customers."""
    return CustomerFactory.build_batch  # type: ignore[no-any-return]
