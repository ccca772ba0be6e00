"""The application's faults are there: data that meet one make the tests that are marked with it fail, and no others."""

import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import time_machine

HERE = Path(__file__).parent


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


quotes = _module("quotes")
suite = _module("test_quotes")
TESTS = {name: test for name, test in vars(suite).items() if name.startswith("test_")}
CLAIM = quotes.Claim("CL00000001", Decimal("1200.00"), date(2025, 3, 3), date(2025, 4, 12))
CAR = quotes.Vehicle("Ford", "Escape", 2016, 90_000, Decimal("18000.00"))
PLAIN = quotes.Customer(
    first_name="Emma",
    last_name="Smith",
    email="emma@example.test",
    born_on=date(1980, 5, 17),
    street="12 Elm Street",
    unit="Unit 4",
    city="Salem",
    state="OR",
    postal_code="97301",
    since=date(2026, 1, 15),
    vehicle=CAR,
    claims=(CLAIM,),
)


def _claim(**changes: Any) -> dict[str, Any]:
    return {"claims": (replace(CLAIM, **changes),)}


def _car(**changes: Any) -> dict[str, Any]:
    return {"vehicle": replace(CAR, **changes)}


ONE: dict[str, dict[str, Any]] = {
    "apostrophe": {"last_name": "O'Brien"},
    "leap-day birthday": {"born_on": date(1980, 2, 29)},
    "no unit": {"unit": None},
    "next year's model": _car(model_year=2027),
    "car newer than a year": _car(model_year=2026),
    "half a cent": _claim(amount=Decimal("1003.80")),
    "long e-mail": {"email": "maximiliana.featherstonehaugh@example.test"},
    "ZIP code with a zero": {"postal_code": "02134"},
    "capitals within a name": {"last_name": "McBride"},
    "age of exactly 25": {"born_on": date(2001, 6, 1)},
    "no claims": {"claims": ()},
    "settled on the same day": _claim(settled_on=CLAIM.occurred_on),
    "end of a month": _claim(settled_on=date(2025, 3, 31)),
    "amount of five digits": _claim(amount=Decimal("12000.00")),
    "two-letter name": {"first_name": "Al"},
    "contract over leap years": {"since": date(2016, 12, 1)},
}
# What data that meet a fault meet as well.
ALSO = {"apostrophe": ["capitals within a name"], "next year's model": ["car newer than a year"]}
SEVERAL: dict[str, dict[str, Any]] = {
    "two of one name": {"first_name": "Emma"},
    "units that can't be sorted": {"unit": None},
}


def _failed(customer: Any, customers: Callable[[int], list[Any]]) -> set[str]:
    """Return the faults that the failing tests are marked with, "" for one without a mark."""
    found = set()
    with time_machine.travel("2026-11-02T09:00:00+00:00"):
        for test in TESTS.values():
            given = {"customer": customer, "customers": customers}
            try:
                test(**{name: given[name] for name in inspect.signature(test).parameters})
            except Exception:  # whatever a fault raises
                marks = [mark.args[0] for mark in getattr(test, "pytestmark", ()) if mark.name == "fault"]
                found.add(marks[0] if marks else "")
    return found


def _plain(count: int) -> list[Any]:
    names = [f"Emm{chr(97 + at % 26)}{'a' * (at // 26)}" for at in range(count)]
    return [replace(PLAIN, first_name=name, email=f"{name}@example.test".lower()) for name in names]


def test_plain_data_meet_no_fault() -> None:
    """Where no data are special every test of the suite passes; there are seventy."""
    assert (70, set()) == (len(TESTS), _failed(PLAIN, _plain))


@pytest.mark.parametrize("fault", ONE)
def test_fault_fails_its_tests_alone(fault: str) -> None:
    """A customer who meets a fault makes tests fail that are marked with it, and no others."""
    special = replace(PLAIN, **ONE[fault])
    assert {fault, *ALSO.get(fault, ())} == _failed(special, _plain)


@pytest.mark.parametrize("fault", SEVERAL)
def test_fault_of_several_fails_its_tests_alone(fault: str) -> None:
    """Customers who meet a fault together make tests fail that are marked with it, and no others."""

    def customers(count: int) -> list[Any]:
        first, *others = _plain(count)
        return [first, *(replace(each, **SEVERAL[fault]) for each in others)]

    assert {fault} == _failed(PLAIN, customers)


def test_every_fault_has_data() -> None:
    """Every fault that a test is marked with has data here that meet it."""
    marked = {
        mark.args[0] for test in TESTS.values() for mark in getattr(test, "pytestmark", ()) if mark.args
    }
    assert {*ONE, *SEVERAL} == marked
