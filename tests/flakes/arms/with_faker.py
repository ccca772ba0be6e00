"""A customer by Faker, for the three arms that differ in nothing but how Faker is seeded."""

from datetime import date, timedelta
from decimal import Decimal

from faker import Faker
from quotes import Claim, Customer, Vehicle

__all__ = ["MODELS", "customer_of"]

MODELS = {"Toyota": ("Camry", "Corolla"), "Ford": ("F-150", "Escape"), "Honda": ("Civic", "CR-V")}


def customer_of(fake: Faker) -> Customer:
    """Return a customer."""
    # field added: phone = fake.phone_number()
    make = fake.random_element(list(MODELS))
    return Customer(
        # field added: phone=phone,
        first_name=fake.first_name(),
        last_name=fake.last_name(),
        email=fake.email(),
        born_on=fake.date_of_birth(minimum_age=18, maximum_age=90),
        street=fake.street_address(),
        unit=fake.secondary_address() if fake.boolean(40) else None,
        city=fake.city(),
        state=fake.state_abbr(),
        postal_code=fake.postcode(),
        since=fake.date_between("-10y", "today"),
        vehicle=Vehicle(
            make,
            fake.random_element(MODELS[make]),
            fake.random_int(2008, 2027),
            fake.random_int(0, 180_000),
            fake.pydecimal(min_value=1500, max_value=60_000, right_digits=2),
        ),
        claims=tuple(_claim(fake) for _ in range(fake.random_element((0, 0, 1, 1, 2, 3)))),
    )


def _claim(fake: Faker) -> Claim:
    occurred_on = fake.date_between("-5y", "today")
    settled_on = min(occurred_on + timedelta(fake.random_int(0, 120)), date.today())
    return Claim(
        fake.bothify("CL########"),
        Decimal(fake.pydecimal(min_value=50, max_value=15_000, right_digits=2)),
        occurred_on,
        settled_on if fake.boolean(70) else None,
    )
