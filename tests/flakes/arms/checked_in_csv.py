"""Forty customers in CSV files that are checked in: every test gets the first ones, as such files are used."""

import csv
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from quotes import Claim, Customer, Vehicle


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _read(name: str) -> list[dict[str, str]]:
    with Path(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _customers() -> list[Customer]:
    claims: dict[str, list[Claim]] = {}
    for row in _read("claims.csv"):
        settled_on = _day(row["settled_on"]) if row["settled_on"] else None
        claim = Claim(row["number"], Decimal(row["amount"]), _day(row["occurred_on"]), settled_on)
        claims.setdefault(row["customer"], []).append(claim)
    return [
        Customer(
            # field added: phone=row["phone"],
            first_name=row["first_name"],
            last_name=row["last_name"],
            email=row["email"],
            born_on=_day(row["born_on"]),
            street=row["street"],
            unit=row["unit"] or None,
            city=row["city"],
            state=row["state"],
            postal_code=row["postal_code"],
            since=_day(row["since"]),
            vehicle=Vehicle(
                row["make"], row["model"], int(row["model_year"]), int(row["mileage"]), Decimal(row["value"])
            ),
            claims=tuple(claims.get(row["customer"], ())),
        )
        for row in _read("customers.csv")
    ]


@pytest.fixture
def customer() -> Customer:
    """The first customer of the file."""
    return _customers()[0]


@pytest.fixture
def customers() -> Callable[[int], list[Customer]]:
    """The first customers of the file."""
    return lambda count: _customers()[:count]
