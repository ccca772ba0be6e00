"""The fourteen fields of a person, made with Faker and with Mimesis as their users would."""

import random
from typing import Any

from faker import Faker
from mimesis import Generic, Locale

# Made once, as a user would: their own start-up isn't what is compared.
_FAKER = Faker("en_US")
_MIMESIS = Generic(locale=Locale.EN, seed=1)
_RANDOM = random.Random(1)
STATES = ["CA", "AZ", "NV", "OR", "WA"]


def faker_persons(count: int) -> list[dict[str, Any]]:
    """Return persons made by Faker."""
    fake = _FAKER
    rows = []
    for _ in range(count):
        state = fake.random_element(STATES)
        rows.append(
            {
                "person_id": fake.uuid4(),
                "first_name": fake.first_name(),
                "last_name": fake.last_name(),
                "date_of_birth": fake.date_of_birth(minimum_age=16, maximum_age=94),
                "driver_license_number": fake.bothify("??###########"),
                "driver_license_state": state,
                "address_line_1": fake.street_address(),
                "address_line_2": fake.secondary_address() if fake.boolean(33) else None,
                "city": fake.city(),
                "state": state,
                "postal_code": fake.zipcode_in_state(state),
                "country": "US",
                "lob_type": fake.random_element(["Personal", "Commercial"]),
                "synthetic_source": "faker",
            }
        )
    return rows


def mimesis_persons(count: int) -> list[dict[str, Any]]:
    """Return persons made by Mimesis."""
    person, address, dates, rng = _MIMESIS.person, _MIMESIS.address, _MIMESIS.datetime, _RANDOM
    rows = []
    for _ in range(count):
        state = rng.choice(STATES)
        rows.append(
            {
                "person_id": _MIMESIS.cryptographic.uuid(),
                "first_name": person.first_name(),
                "last_name": person.last_name(),
                "date_of_birth": dates.date(start=1930, end=2008),
                "driver_license_number": _MIMESIS.code.pin("@@###########"),
                "driver_license_state": state,
                "address_line_1": address.address(),
                "address_line_2": f"Apt {rng.randrange(400)}" if rng.random() < 1 / 3 else None,
                "city": address.city(),
                "state": state,
                "postal_code": address.zip_code(),
                "country": "US",
                "lob_type": rng.choice(["Personal", "Commercial"]),
                "synthetic_source": "mimesis",
            }
        )
    return rows
