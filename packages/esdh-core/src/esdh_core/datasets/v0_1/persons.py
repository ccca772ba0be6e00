"""The rules of a person: how each field of `Person` is made."""

from fractions import Fraction
from functools import cache, partial
from math import lcm

import numpy as np
from numpy.typing import NDArray

from esdh_core.choices import Choice
from esdh_core.columns import (
    FOUR_DIGITS,
    Categorical,
    Categories,
    Column,
    Concat,
    Date,
    FixedText,
    Integer,
    day_number,
)
from esdh_core.dataset import Block, Table, memoized_per_block
from esdh_core.datasets.v0_1.constants import REFERENCE_DATE, SYNTHETIC_SOURCE
from esdh_core.datasets.v0_1.entities import Person
from esdh_core.datasets.v0_1.lookups import load
from esdh_core.datasets.v0_1.tallies import AgeTally
from esdh_core.division import divmod_array
from esdh_core.permutations import unpermute
from esdh_core.stats import Statistic, ValueTally
from esdh_core.streams import bounded, high32, low32

__all__ = ["PERSONS", "ages", "license_index"]

PERSONS = Table("persons", Person, "A person who never existed.", singular="person")

LOB_TYPES = ("Personal", "Commercial")
_LOB = Choice([[70, 30]])
_LOB_CATEGORIES = Categories(LOB_TYPES)
_MIN_COMMERCIAL_AGE = 21


@PERSONS.rule(
    "person_id", "The record's id: decodes to seed, dataset version, entity person and index", role="id"
)
def person_id(block: Block) -> Column:
    return FixedText(block.ids(PERSONS))


# --- names -------------------------------------------------------------------------------------------

_FIRST_NAMES, _LAST_NAMES = load("first_names"), load("last_names")
_FIRST_NAME = Choice([_FIRST_NAMES.integers("weight")])
_LAST_NAME = Choice([_LAST_NAMES.integers("weight")])
_FIRST_CATEGORIES = Categories(_FIRST_NAMES.texts("name"))
_LAST_CATEGORIES = Categories(_LAST_NAMES.texts("name"))


@PERSONS.rule(
    "first_name",
    "A given name from the table, whatever the person's age",
    streams=("person.first_name",),
    lookups=(load("first_names"),),
    distribution="proportional to the weight of each name",
    source=_FIRST_NAMES.source,
)
def first_name(block: Block) -> Column:
    return Categorical(_FIRST_NAME.codes(high32(block.draws("person.first_name"))), _FIRST_CATEGORIES)


@PERSONS.rule(
    "last_name",
    "A family name from the table",
    streams=("person.last_name",),
    lookups=(load("last_names"),),
    distribution="proportional to the weight of each name",
    source=_LAST_NAMES.source,
)
def last_name(block: Block) -> Column:
    return Categorical(_LAST_NAME.codes(high32(block.draws("person.last_name"))), _LAST_CATEGORIES)


# --- line of business and age ------------------------------------------------------------------------


@memoized_per_block
def lob_codes(block: Block) -> NDArray[np.int32]:
    """Return 0 for Personal and 1 for Commercial, shape (count,)."""
    return _LOB.codes(high32(block.draws("person.lob_type")))


_DRIVERS = load("licensed_driver_ages")


def _drivers_by_age() -> dict[int, int]:
    """Return a weight for every single age: a group's drivers spread evenly over its ages."""
    groups = list(zip(*map(_DRIVERS.integers, ("first_age", "last_age", "drivers")), strict=True))
    scale = lcm(*(last - first + 1 for first, last, _ in groups))  # keeps the weights whole numbers
    return {
        age: drivers * (scale // (last - first + 1))
        for first, last, drivers in groups
        for age in range(first, last + 1)
    }


_AGE_WEIGHTS = _drivers_by_age()
AGES = tuple(_AGE_WEIGHTS)
_AGE = Choice(
    [
        list(_AGE_WEIGHTS.values()),
        [weight if age >= _MIN_COMMERCIAL_AGE else 0 for age, weight in _AGE_WEIGHTS.items()],
    ]
)


def _years_before(years: int) -> int:
    """Return the day number of the reference date `years` years earlier (1 June is in every year)."""
    return day_number(REFERENCE_DATE.replace(year=REFERENCE_DATE.year - years))


# Someone of age a was born after the reference date a + 1 years ago and not after it a years ago.
_FIRST_BIRTHDAY = np.array([_years_before(age + 1) + 1 for age in AGES], dtype=np.int64)
_BIRTHDAYS = np.array([_years_before(age) - _years_before(age + 1) for age in AGES], dtype=np.uint64)
_FIRST_DAY, _LAST_DAY = int(_FIRST_BIRTHDAY.min()), _years_before(AGES[0])


@memoized_per_block
def _birth_draws(block: Block) -> NDArray[np.uint64]:
    return block.draws("person.date_of_birth")


@memoized_per_block
def _age_codes(block: Block) -> NDArray[np.int32]:
    return divmod_array(_AGE.codes(high32(_birth_draws(block)), lob_codes(block)), len(AGES))[1]


@memoized_per_block
def ages(block: Block) -> NDArray[np.int32]:
    """Return the age in whole years on the reference date, shape (count,)."""
    return _age_codes(block) + np.int32(AGES[0])


def lob_shares() -> dict[str, Fraction]:
    """Return the declared share of each line of business."""
    return dict(zip(LOB_TYPES, _LOB.shares(), strict=True))


def age_shares(lob: int) -> list[Fraction]:
    """Return the declared share of each of `AGES` within a line of business (0 Personal, 1 Commercial)."""
    return _AGE.shares(lob)


def _all_age_shares() -> dict[str, Fraction]:
    personal, commercial = lob_shares().values()
    shares = zip(AGES, age_shares(0), age_shares(1), strict=True)
    return {str(age): personal * p + commercial * c for age, p, c in shares}


@PERSONS.rule(
    "date_of_birth",
    f"A day that gives an age on {REFERENCE_DATE}: the age by the upper half of the draw, the day of that year "
    f"of life, all alike, by the lower half; nobody is under {AGES[0]}, no Commercial driver under {_MIN_COMMERCIAL_AGE}",
    streams=("person.date_of_birth",),
    lookups=(load("licensed_driver_ages"),),
    depends_on=("person.lob_type",),
    distribution="licensed drivers by age, a group's drivers spread evenly over its ages; "
    f"for Commercial the same from {_MIN_COMMERCIAL_AGE} on",
    source=_DRIVERS.source,
)
def date_of_birth(block: Block) -> Column:
    age = _age_codes(block)
    day = bounded(low32(_birth_draws(block)), _BIRTHDAYS.take(age)).astype(np.int64)
    day += _FIRST_BIRTHDAY.take(age)
    return Date(day.astype(np.int32), _FIRST_DAY, _LAST_DAY)


# --- where the person lives --------------------------------------------------------------------------

_STATES, _CITIES = load("states"), load("cities")
STATE_CODES = tuple(_STATES.texts("code"))
_STATE = Choice([_STATES.integers("population")])
_CITY_STATES, _CITY_NAMES = _CITIES.texts("state"), _CITIES.texts("city")
_CITY_POPULATIONS = _CITIES.integers("population")
_CITY_POSTAL_CODES = _CITIES.text_lists("postal_codes")
# The table lists the cities of a state together, in the order of the states, so that a city's number in
# the choice is its row.
_CITY = Choice(
    [
        [people for people, at in zip(_CITY_POPULATIONS, _CITY_STATES, strict=True) if at == state]
        for state in STATE_CODES
    ]
)
_POSTAL_COUNTS = np.array([len(codes) for codes in _CITY_POSTAL_CODES], dtype=np.uint64)
_FIRST_POSTAL = np.concatenate([[0], np.cumsum(_POSTAL_COUNTS)[:-1]]).astype(np.uint64)
_POSTAL_CITIES = [city for city, codes in enumerate(_CITY_POSTAL_CODES) for _ in codes]
# City, state and postal code are three views of one code, the postal code's number: a text writer can
# then render the three as one piece.
_POSTAL_CATEGORIES = Categories([code for codes in _CITY_POSTAL_CODES for code in codes])
_CITY_CATEGORIES = Categories([_CITY_NAMES[city] for city in _POSTAL_CITIES])
_STATE_CATEGORIES = Categories([_CITY_STATES[city] for city in _POSTAL_CITIES])


@memoized_per_block
def _state_codes(block: Block) -> NDArray[np.int32]:
    return _STATE.codes(high32(block.draws("person.state")))


@memoized_per_block
def _postal_codes(block: Block) -> NDArray[np.int32]:
    city_number = _CITY.codes(high32(block.draws("person.city")), _state_codes(block))
    within = bounded(high32(block.draws("person.postal_code")), _POSTAL_COUNTS.take(city_number))
    return (within + _FIRST_POSTAL.take(city_number)).astype(np.int32)


def state_shares() -> dict[str, Fraction]:
    """Return the declared share of each state."""
    return dict(zip(STATE_CODES, _STATE.shares(), strict=True))


@cache
def city_shares() -> dict[str, Fraction]:
    """Return the declared share of each city name."""
    states = state_shares()
    within = [share for group in range(len(STATE_CODES)) for share in _CITY.shares(group)]
    shares: dict[str, Fraction] = {}
    for name, state, share in zip(_CITY_NAMES, _CITY_STATES, within, strict=True):
        shares[name] = shares.get(name, Fraction(0)) + states[state] * share  # Glendale is in CA and in AZ
    return shares


@PERSONS.rule(
    "state",
    "One of the five states",
    streams=("person.state",),
    lookups=(load("states"),),
    distribution="proportional to population",
    source=_STATES.source,
)
def state(block: Block) -> Column:
    return Categorical(_postal_codes(block), _STATE_CATEGORIES)


@PERSONS.rule(
    "city",
    "A city of the state",
    streams=("person.city",),
    lookups=(load("cities"),),
    depends_on=("person.state",),
    distribution="proportional to population within the state",
    source=_CITIES.source,
)
def city(block: Block) -> Column:
    return Categorical(_postal_codes(block), _CITY_CATEGORIES)


@PERSONS.rule(
    "postal_code",
    "A postal code of the city",
    streams=("person.postal_code",),
    lookups=(load("cities"),),
    depends_on=("person.city",),
    distribution="all postal codes of the city alike",
    source=_CITIES.source,
)
def postal_code(block: Block) -> Column:
    return Categorical(_postal_codes(block), _POSTAL_CATEGORIES)


@PERSONS.rule("driver_license_state", "The person's state", role="copy", depends_on=("person.state",))
def driver_license_state(block: Block) -> Column:
    return state(block)


# --- address -----------------------------------------------------------------------------------------

_HOUSE_NUMBERS = (100, 9999)
_STEMS, _ENDINGS, _KINDS = load("street_stems"), load("street_endings"), load("street_kinds")
_STREETS = Categories(
    [
        f"{stem}{ending} {kind}"
        for stem in _STEMS.texts("word")
        for ending in _ENDINGS.texts("word")
        for kind in _KINDS.texts("kind")
    ]
)
_UNITS = load("unit_designators")
_UNIT_CATEGORIES = Categories(
    [None]
    + [
        f"{designator} {number}"
        for designator, first, last in zip(
            _UNITS.texts("designator"), _UNITS.integers("first"), _UNITS.integers("last"), strict=True
        )
        for number in range(first, last + 1)
    ]
)
_HAS_UNIT = Choice([[2, 1]])  # two thirds of addresses have no second line


@PERSONS.rule(
    "address_line_1",
    f"A house number from {_HOUSE_NUMBERS[0]} to {_HOUSE_NUMBERS[1]} by the upper half of the draw, and by the lower "
    "half a street compounded of invented words",
    streams=("person.address_line_1",),
    lookups=(
        load("street_stems"),
        load("street_endings"),
        load("street_kinds"),
    ),
    distribution="all house numbers alike; all streets alike",
    source=_STEMS.source,
)
def address_line_1(block: Block) -> Column:
    words = block.draws("person.address_line_1")
    first, last = _HOUSE_NUMBERS
    number = bounded(high32(words), last - first + 1).astype(np.int32) + np.int32(first)
    street = bounded(low32(words), len(_STREETS)).astype(np.int32)
    return Concat((Integer(number, first, last), " ", Categorical(street, _STREETS)))


@PERSONS.rule(
    "address_line_2",
    "Null, or an apartment or unit: which of the two by the upper half of the draw, its number by the lower",
    streams=("person.address_line_2",),
    lookups=(load("unit_designators"),),
    distribution="null 2 : unit 1; all units alike",
    source=_UNITS.source,
)
def address_line_2(block: Block) -> Column:
    words = block.draws("person.address_line_2")
    unit = bounded(low32(words), len(_UNIT_CATEGORIES) - 1).astype(np.int32) + np.int32(1)
    return Categorical(unit * _HAS_UNIT.codes(high32(words)), _UNIT_CATEGORIES)


# --- what every person has ---------------------------------------------------------------------------

_COUNTRY = Categories(["US"])
_SOURCE = Categories([SYNTHETIC_SOURCE])


@memoized_per_block
def _zeros(block: Block) -> NDArray[np.int32]:
    return np.zeros(block.count, dtype=np.int32)


@PERSONS.rule("country", "Always US")
def country(block: Block) -> Column:
    return Categorical(_zeros(block), _COUNTRY)


@PERSONS.rule(
    "lob_type",
    "Personal or Commercial",
    streams=("person.lob_type",),
    distribution="Personal 70 : Commercial 30",
    source="The data contract of v0.1",
)
def lob_type(block: Block) -> Column:
    return Categorical(lob_codes(block), _LOB_CATEGORIES)


@PERSONS.rule("synthetic_source", "The synthetic marker, the same on every row", role="marker")
def synthetic_source(block: Block) -> Column:
    return Categorical(_zeros(block), _SOURCE)


# --- driver's license --------------------------------------------------------------------------------

_LICENSE_STREAM = "person.driver_license_number"
# The first four characters, of which state and number each give two.
_STATE_WORDS = np.frombuffer("".join(f"{code}\0\0" for code in STATE_CODES).encode("ascii"), dtype=np.uint32)
_PAIR_WORDS = np.frombuffer(b"".join(b"\0\0%02d" % n for n in range(100)), dtype=np.uint32)
_LICENSE = np.dtype(
    {
        "names": ["first", "second", "third", "last"],
        "formats": [np.uint32, np.uint32, np.uint32, np.uint8],
        "offsets": [0, 4, 8, 12],
        "itemsize": 13,
    }
)


@PERSONS.rule(
    "driver_license_number",
    "The state's two letters, then the keyed permutation of the index in eleven digits: unique within a seed, "
    "and in a form that none of the five states issues",
    role="unique",
    permutation=_LICENSE_STREAM,
    depends_on=("person.state",),
)
def driver_license_number(block: Block) -> Column:
    pair, rest = divmod_array(block.permuted(_LICENSE_STREAM), 10**9)
    upper, rest32 = divmod_array(rest.astype(np.uint32), 10**5)
    lower, last = divmod_array(rest32, 10)
    text = np.empty((block.count, 13), dtype=np.uint8)
    parts = text.reshape(-1).view(_LICENSE)
    parts["first"] = _STATE_WORDS.take(_state_codes(block)) | _PAIR_WORDS.take(pair)
    parts["second"] = FOUR_DIGITS.take(upper)
    parts["third"] = FOUR_DIGITS.take(lower)
    parts["last"] = last + np.uint32(ord("0"))
    return FixedText(text)


def license_index(seed: int, number: str) -> int:
    """Return the index that a license number of this seed holds: the inverse of its eleven digits."""
    return int(unpermute(seed, _LICENSE_STREAM, np.array([int(number[2:])], dtype=np.uint64))[0])


PERSONS.statistics = (
    Statistic(
        "ages",
        "date_of_birth",
        partial(AgeTally, REFERENCE_DATE),
        _all_age_shares,
        ordered=True,
        cumulative=True,
    ),
    Statistic("lines_of_business", "lob_type", ValueTally, lob_shares),
    Statistic("states", "state", ValueTally, state_shares),
    Statistic("cities", "city", ValueTally, city_shares),
)
