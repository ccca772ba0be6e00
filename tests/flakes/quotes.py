"""Quotes and claims of a small motor insurer: the application of the study, with latent faults that only some data meet.

It is written as such code is written; where a fault lies, and which data meet it, stands in `test_faults.py`. Don't mend it.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

__all__ = ["Claim", "Customer", "Vehicle"]

CENT = Decimal("0.01")
LABEL_WIDTH = 30
BASE = Decimal(480)
SURCHARGE = {True: Decimal("1.25"), False: Decimal(1)}
DEPRECIATION = {0: 100, 1: 85, 2: 75, 3: 67, 4: 60, 5: 54}


@dataclass(frozen=True)
class Vehicle:
    """A customer's car."""

    make: str
    model: str
    model_year: int
    mileage: int
    value: Decimal


@dataclass(frozen=True)
class Claim:
    """A claim; one that is open has no day of settlement."""

    number: str
    amount: Decimal
    occurred_on: date
    settled_on: date | None


@dataclass(frozen=True)
class Customer:
    """A customer with a car and any number of claims."""

    first_name: str
    last_name: str
    email: str
    born_on: date
    street: str
    unit: str | None
    city: str
    state: str
    postal_code: str
    since: date
    vehicle: Vehicle
    claims: tuple[Claim, ...]
    phone: str = ""

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


# --- customers


def full_address(customer: Customer) -> str:
    """Return the address in one line."""
    return ", ".join([customer.street, customer.unit, customer.city, customer.state])  # type: ignore[list-item]


def postal_bar(customer: Customer) -> str:
    """Return the digits under an envelope's bar code."""
    return f"*{int(customer.postal_code)}*"


def label(customer: Customer) -> str:
    """Return the first line of a label, as the printer has room for it."""
    return customer.email[:LABEL_WIDTH]


def display_name(typed: str) -> str:
    """Return a name as it is printed, however it was typed."""
    return " ".join(word.capitalize() for word in typed.split())


def customer_code(customer: Customer) -> str:
    """Return the code of a customer: three letters of the first name, two of the last, and the year of birth."""
    return f"{customer.first_name[:3]}{customer.last_name[:2]}{customer.born_on.year}".upper()


def register(customers: Iterable[Customer]) -> dict[str, Customer]:
    """Return the customers by their names."""
    return {customer.name: customer for customer in customers}


def by_unit(customers: Iterable[Customer]) -> list[Customer]:
    """Return the customers in the order of their units."""
    return sorted(customers, key=lambda customer: customer.unit)  # type: ignore[arg-type, return-value]


def find(customers: Iterable[Customer], last_name: str) -> list[str]:
    """Return the e-mail addresses of the customers of a last name."""
    database = sqlite3.connect(":memory:")
    try:
        database.execute("CREATE TABLE customers (last_name TEXT, email TEXT)")
        database.executemany(
            "INSERT INTO customers VALUES (?, ?)", [(c.last_name, c.email) for c in customers]
        )
        query = f"SELECT email FROM customers WHERE last_name = '{last_name}'"
        return [email for (email,) in database.execute(query)]
    finally:
        database.close()


# --- quotes


def age(customer: Customer, today: date) -> int:
    """Return the age in whole years."""
    born = customer.born_on
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def next_birthday(customer: Customer, today: date) -> date:
    """Return the next birthday, today's included."""
    birthday = customer.born_on.replace(year=today.year)
    return birthday if birthday >= today else customer.born_on.replace(year=today.year + 1)


def age_band(customer: Customer, today: date) -> str:
    """Return the band of the age: young, adult or senior."""
    years = age(customer, today)
    if years < 25:
        return "young"
    if 25 < years < 65:
        return "adult"
    return "senior"


def vehicle_age(vehicle: Vehicle, today: date) -> int:
    """Return the age of a car by its model year."""
    return today.year - vehicle.model_year


def residual(vehicle: Vehicle, today: date) -> Decimal:
    """Return what a car is worth by now; after five years it keeps half."""
    years = vehicle_age(vehicle, today)
    percent = 50 if years > 5 else DEPRECIATION[years]
    return (vehicle.value * percent / 100).quantize(CENT)


def miles_a_year(vehicle: Vehicle, today: date) -> int:
    """Return how many miles a car goes a year."""
    return vehicle.mileage // vehicle_age(vehicle, today)


def premium(customer: Customer, today: date) -> Decimal:
    """Return the yearly premium."""
    young = SURCHARGE[age(customer, today) < 25]
    claims = min(len(customer.claims), 3)
    return (BASE * young * (10 + claims) / 10 + customer.vehicle.value / 100).quantize(CENT)


def monthly(customer: Customer, today: date) -> list[Decimal]:
    """Return the twelve instalments of a premium."""
    whole = premium(customer, today)
    part = (whole / 12).quantize(CENT)
    return [part] * 11 + [whole - part * 11]


def days_to_renewal(customer: Customer, today: date | None = None) -> int:
    """Return the days until the contract is renewed, from today unless told."""
    day = today or date.today()
    anniversary = customer.since + timedelta(days=365 * (day.year - customer.since.year))
    if anniversary < day:
        anniversary += timedelta(days=365)
    return (anniversary - day).days


# --- claims


def mean_claim(customer: Customer) -> Decimal:
    """Return the mean amount of a customer's claims."""
    return (sum((claim.amount for claim in customer.claims), Decimal(0)) / len(customer.claims)).quantize(
        CENT
    )


def own_share(claim: Claim) -> Decimal:
    """Return what a customer bears of a claim: two and a half percent, half a cent rounded up."""
    return Decimal(str(round(float(claim.amount) * 0.025, 2))).quantize(CENT)


def paid_a_day(claim: Claim) -> Decimal | None:
    """Return how much of a settled claim was paid for each day that it took."""
    if claim.settled_on is None:
        return None
    return (claim.amount / (claim.settled_on - claim.occurred_on).days).quantize(CENT)


def payment_due(claim: Claim) -> date | None:
    """Return when a settled claim must be paid: a month later, at the latest on that month's last day."""
    if claim.settled_on is None:
        return None
    day = claim.settled_on
    return day.replace(month=day.month + 1) if day.month < 12 else day.replace(year=day.year + 1, month=1)


def ledger_line(claim: Claim) -> str:
    """Return a claim as the ledger takes it: twelve places for the number, eight for the amount."""
    return f"{claim.number:<12}{claim.amount:>8,.2f}"


def read_ledger_line(line: str) -> tuple[str, Decimal]:
    """Return number and amount of a line of the ledger."""
    return line[:12].strip(), Decimal(line[12:20].replace(",", ""))


def large(claims: Iterable[Claim]) -> list[Claim]:
    """Return the claims that a supervisor looks at."""
    return [claim for claim in claims if claim.amount > 5000]


def settled_in(customer: Customer, year: int) -> Decimal:
    """Return what was settled in a year."""
    return sum((c.amount for c in customer.claims if c.settled_on and c.settled_on.year == year), Decimal(0))


def last_claim(customer: Customer) -> Claim:
    """Return the newest claim."""
    return max(customer.claims, key=lambda claim: claim.occurred_on)


def claim_free_years(customer: Customer, today: date) -> int:
    """Return the whole years since the newest claim, or since the contract began."""
    since = last_claim(customer).occurred_on if customer.claims else customer.since
    return (today - since).days // 365
