"""The second statement of dataset version v0.1: its contract, stated again by code that generates nothing."""

import datetime as dt
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import Table
from esdh_core.columns import FixedText
from esdh_core.dataset import Block
from esdh_core.datasets.v0_1.constants import REFERENCE_DATE
from esdh_core.datasets.v0_1.lookups import load
from esdh_core.permutations import permute, unpermute
from esdh_export import array
from numpy.typing import NDArray

from esdh_proof.checks import roles
from esdh_proof.checks.finding import (
    Finding,
    Mask,
    Tables,
    copy,
    differing,
    outside,
    slots,
    texts_of,
    to_mask,
)
from esdh_proof.reading import Rows

__all__ = ["integrity", "rules", "synthetic"]


# --- synthetic ---------------------------------------------------------------------------------------


def synthetic(block: Block, tables: Tables) -> Iterator[Finding]:
    """Check that every row is of this seed and at its own place, and that nothing could be a real one's."""
    yield from roles.synthetic(block, tables)
    for name, field, pattern, expected in (
        ("vehicles", "vin", "^0", "a VIN that begins with 0, a region assigned to nobody"),
        ("profiles", "primary_vehicle_vin", "^0", "a VIN that begins with 0, a region assigned to nobody"),
        (
            "persons",
            "driver_license_number",
            "^[A-Z]{2}[0-9]{11}$",
            "two letters and eleven digits, a form that no state issues",
        ),
    ):
        if name in tables:
            rows = tables[name]
            real = pc.invert(pc.match_substring_regex(rows.arrays[field], pattern))
            yield Finding(rows, field, to_mask(real), expected)


# --- integrity ---------------------------------------------------------------------------------------

# Section 2 of the contract: whose value each of these is. (entity, field) of the copy, then of the source.
_COPIES = (
    ("vehicles", "person_id", "persons", "person_id"),
    ("vehicles", "lob_type", "persons", "lob_type"),
    ("vehicles", "garaging_state", "persons", "state"),
    ("vehicles", "garaging_postal_code", "persons", "postal_code"),
    ("profiles", "person_id", "persons", "person_id"),
    ("profiles", "lob_type", "persons", "lob_type"),
    ("profiles", "residence_state", "persons", "state"),
    ("profiles", "city", "persons", "city"),
    ("profiles", "postal_code", "persons", "postal_code"),
    ("profiles", "vehicle_id", "vehicles", "vehicle_id"),
    ("profiles", "garaging_state", "vehicles", "garaging_state"),
    ("profiles", "primary_vehicle_vin", "vehicles", "vin"),
    ("profiles", "risk_rating", "vehicles", "risk_rating"),
)
# References point at a record whether or not its entity is in the snapshot.
_REFERENCES = (
    ("vehicles", "person_id", "person"),
    ("profiles", "person_id", "person"),
    ("profiles", "vehicle_id", "vehicle"),
)


def integrity(block: Block, tables: Tables) -> Iterator[Finding]:
    """Check references, copies, and that unique values give back the row that they stand in."""
    dataset, seed = block.dataset, block.seed
    for plural, field, entity in _REFERENCES:
        if plural in tables:
            rows = tables[plural]
            ids = array(FixedText(dataset.ids.texts(seed, entity, slots(rows))))
            yield Finding(
                rows, field, differing(rows.arrays[field], ids), texts_of(ids), roles.describe_id(dataset)
            )
    for plural, field, source, original in _COPIES:
        if plural in tables and source in tables:
            yield copy(tables[plural], field, tables[source].arrays[original])
    if "profiles" in tables and "persons" in tables:
        person = tables["persons"].arrays
        yield copy(tables["profiles"], "full_name", _spaced(person["first_name"], person["last_name"]))
    if "profiles" in tables and "vehicles" in tables:
        vehicle = tables["vehicles"].arrays
        year = vehicle["model_year"].cast(pa.string())
        summary = _spaced(year, vehicle["make"], vehicle["model"])
        yield copy(tables["profiles"], "vehicle_summary", summary)
    for plural, field, stream, number in (
        ("persons", "driver_license_number", "person.driver_license_number", _license_number),
        ("vehicles", "vin", "vehicle.vin", _vin_number),
        ("profiles", "primary_vehicle_vin", "vehicle.vin", _vin_number),
    ):
        if plural in tables:
            yield _own_row(tables[plural], field, seed, stream, number)


def _spaced(*texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*texts, " ")


def _own_row(
    rows: Rows, field: str, seed: int, stream: str, number: Callable[[NDArray[np.uint8]], NDArray[np.uint64]]
) -> Finding:
    """Check that the permuted index which a unique value holds is that of its own row."""
    width = 17 if number is _vin_number else 13
    matrix, shaped = _matrix(rows.arrays[field], width)
    held = number(matrix)
    wrong = (held != permute(seed, stream, slots(rows))) | ~shaped

    def describe(text: str) -> str:
        single, right = _matrix(pa.array([text]), width)
        permuted = number(single)
        if not right[0] or int(permuted[0]) >= 1 << 36:
            return f"{text}, which holds no row's number"
        return f"{text}, which holds the number of row {int(unpermute(seed, stream, permuted)[0])}"

    return Finding(
        rows, field, wrong, lambda row: f"a value that holds the number of row {rows.start + row}", describe
    )


def _matrix(values: pa.Array, width: int) -> tuple[NDArray[np.uint8], Mask]:
    """Return texts as bytes, shape (n, width), and which of them have that width; the others become zeros."""
    shaped = ~to_mask(pc.not_equal(pc.binary_length(values), width))
    ascii_only = ~to_mask(pc.not_equal(pc.utf8_length(values), width))
    shaped &= ascii_only
    even = values if shaped.all() else pc.if_else(pa.array(shaped), values, "0" * width)
    data = pa.concat_arrays([even]).cast(pa.binary(width)).buffers()[1]
    matrix: NDArray[np.uint8] = np.frombuffer(data, np.uint8)[: len(values) * width].reshape(-1, width)
    return matrix, shaped


def _license_number(text: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the number in the eleven digits of each license number."""
    return _digits(text[:, 2:], 10)


def _vin_number(text: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the permuted index of each VIN: base 33 in positions 6, 8, 11 and 12, then five digits."""
    letters = _digits(text[:, [5, 7, 10, 11]], 33)
    return letters * np.uint64(100_000) + _digits(text[:, 12:], 10)


_DIGIT_VALUES = np.zeros(128, dtype=np.uint64)
_DIGIT_VALUES[[ord(each) for each in "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"]] = range(33)


def _digits(text: NDArray[np.uint8], base: int) -> NDArray[np.uint64]:
    """Return the number that the characters of each row write, most significant first."""
    number = np.zeros(len(text), dtype=np.uint64)
    for column in text.T:
        number = number * np.uint64(base) + _DIGIT_VALUES.take(column & 127)
    return number


# --- rules -------------------------------------------------------------------------------------------

_MISSING_WORDS = ("none", "na", "n/a", "nan", "null", "nil", "true", "false", "")
_JOINT = "\x1f"


def rules(block: Block, tables: Tables) -> Iterator[Finding]:
    """Check the rules of section 2 of the contract."""
    for table in block.dataset.tables:
        if table.name in tables:
            yield from _no_missing_words(tables[table.name], table)
    if "persons" in tables:
        yield from _person_rules(tables["persons"])
    if "vehicles" in tables:
        yield from _vehicle_rules(tables["vehicles"])
    if "profiles" in tables:
        yield from _profile_rules(tables["profiles"])


def _no_missing_words(rows: Rows, table: Table) -> Iterator[Finding]:
    words = pa.array(_MISSING_WORDS)
    for field in table.schema:
        if field.type == "string" and not {"pattern", "enum"} & set(field.constraints):
            wrong = pc.fill_null(pc.is_in(pc.utf8_lower(rows.arrays[field.name]), value_set=words), False)
            yield Finding(rows, field.name, to_mask(wrong), "no word that readers take for a missing value")


def _joined(*texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*texts, _JOINT)


@cache
def _names(table: str) -> pa.Array:
    return pa.array(load(table).texts("name"))


@cache
def _places() -> pa.Array:
    cities = load("cities")
    columns = (cities.texts("state"), cities.texts("city"), cities.text_lists("postal_codes"))
    return pa.array(
        _JOINT.join((state, city, code))
        for state, city, codes in zip(*columns, strict=True)
        for code in codes
    )


@cache
def _streets() -> pa.Array:
    words = load("street_stems").texts("word"), load("street_endings").texts("word")
    return pa.array(
        f"{stem}{ending} {kind}" for stem, ending, kind in product(*words, load("street_kinds").texts("kind"))
    )


@cache
def _units() -> pa.Array:
    table = load("unit_designators")
    columns = (table.texts("designator"), table.integers("first"), table.integers("last"))
    return pa.array(
        f"{designator} {number}"
        for designator, first, last in zip(*columns, strict=True)
        for number in range(first, last + 1)
    )


def _person_rules(rows: Rows) -> Iterator[Finding]:
    of = rows.arrays
    yield Finding(rows, "first_name", outside(of["first_name"], _names("first_names")), "a name of the table")
    yield Finding(rows, "last_name", outside(of["last_name"], _names("last_names")), "a name of the table")
    yield from _place(rows, of["state"], of["city"], of["postal_code"])
    yield Finding(
        rows,
        "driver_license_state",
        differing(of["driver_license_state"], of["state"]),
        texts_of(of["state"]),
    )
    letters = pc.utf8_slice_codeunits(of["driver_license_number"], 0, 2)
    yield Finding(
        rows,
        "driver_license_number",
        differing(letters, of["state"]),
        lambda row: f"a number that begins with the state, {of['state'][row].as_py()}",
    )
    yield from _ages(rows)
    number = pc.match_substring_regex(of["address_line_1"], "^[1-9][0-9]{2,3} ")
    street = pc.replace_substring_regex(of["address_line_1"], "^[0-9]+ ", "")
    wrong = to_mask(pc.invert(number)) | outside(street, _streets())
    yield Finding(rows, "address_line_1", wrong, "a number from 100 to 9999 and a street of the tables")
    unit = of["address_line_2"]
    wrong = outside(unit, _units()) & unit.is_valid().to_numpy(zero_copy_only=False)
    yield Finding(rows, "address_line_2", wrong, "null, or a unit of the table")


def _place(rows: Rows, state: pa.Array, city: pa.Array, postal_code: pa.Array) -> Iterator[Finding]:
    wrong = outside(_joined(state, city, postal_code), _places())
    yield Finding(
        rows,
        "postal_code",
        wrong,
        lambda row: (
            f"a postal code of the city, {city[row].as_py()}, and a city of the state, {state[row].as_py()}"
        ),
    )


def _born(years: int) -> pa.Scalar:
    return pa.scalar(REFERENCE_DATE.replace(year=REFERENCE_DATE.year - years), pa.date32())


@cache
def _oldest() -> int:
    return max(load("licensed_driver_ages").integers("last_age"))


def _ages(rows: Rows) -> Iterator[Finding]:
    """Check the ages: nobody under 16, no Commercial driver under 21, nobody older than the table's oldest."""
    born = rows.arrays["date_of_birth"]
    oldest = _born(_oldest() + 1).as_py() + dt.timedelta(days=1)
    wrong = to_mask(pc.greater(born, _born(16))) | to_mask(pc.less(born, pa.scalar(oldest, pa.date32())))
    yield Finding(rows, "date_of_birth", wrong, f"an age from 16 to {_oldest()} on {REFERENCE_DATE}")
    commercial = to_mask(pc.equal(rows.arrays["lob_type"], "Commercial"))
    young = commercial & to_mask(pc.greater(born, _born(21)))
    yield Finding(rows, "date_of_birth", young, f"an age of 21 or more on {REFERENCE_DATE}, since Commercial")


_RATINGS = pa.array(
    [_JOINT.join(pair) for pair in (("Personal", "Low"), ("Personal", "Medium"), ("Commercial", "Medium"))]
    + [_JOINT.join(("Commercial", "High"))]
)
_RATING_RULE = "Low or Medium for Personal, Medium or High for Commercial"
# 49 CFR 565.15: the value of each letter, the weight of each position, the code of each model year.
_VALUES = np.zeros(128, dtype=np.int64)
_VALUES[[ord(each) for each in "0123456789"]] = range(10)
_VALUES[[ord(each) for each in "ABCDEFGHJKLMNPRSTUVWXYZ"]] = [
    *(1, 2, 3, 4, 5, 6, 7, 8),
    *(1, 2, 3, 4, 5, 7, 9),
    *(2, 3, 4, 5, 6, 7, 8, 9),
]
_WEIGHTS = np.array([8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2], dtype=np.int64)
_CHECK_DIGITS = np.frombuffer(b"0123456789X", np.uint8)
_YEARS = "ABCDEFGHJKLMNPRSTVWXY123456789"  # the code of 2010 and on, and of every thirtieth year from there


class _Models:
    """Every (make, model, body style, model year) that there can be, and the VIN characters of each."""

    def __init__(self) -> None:
        table = load("vehicle_models")
        columns = (
            *(table.texts(name) for name in ("make", "model", "body_style", "make_code", "model_code")),
            table.ranges("sold"),
        )
        rows = [
            (make, model, body, str(year), f"0{make_code}{model_code}", _YEARS[(year - 2010) % 30])
            for make, model, body, make_code, model_code, sold in zip(*columns, strict=True)
            for first, last in sold
            for year in range(first, last + 1)
            if 2008 <= year <= 2024
        ]
        self.vehicles = pa.array([_JOINT.join(row[:4]) for row in rows])
        self.summaries = pa.array([f"{row[3]} {row[0]} {row[1]}" for row in rows])
        # Positions 1 to 5 and 10; position 7 tells only on which side of 2010 the year lies.
        text = "".join(f"{row[4]}{row[5]}" for row in rows).encode()
        self.characters = np.frombuffer(text, np.uint8).reshape(-1, 6)
        self.letter = np.array([int(row[3]) >= 2010 for row in rows])


_models = cache(_Models)


def _vehicle_rules(rows: Rows) -> Iterator[Finding]:
    of, models = rows.arrays, _models()
    vehicle = _joined(of["make"], of["model"], of["body_style"], of["model_year"].cast(pa.string()))
    known = pc.index_in(vehicle, value_set=models.vehicles)
    yield Finding(
        rows,
        "model",
        to_mask(known.is_null()),
        "a model of the make, with its body style, in a model year in which it was sold",
    )
    sedan = pc.and_(pc.equal(of["lob_type"], "Commercial"), pc.equal(of["body_style"], "Sedan"))
    yield Finding(rows, "body_style", to_mask(sedan), "SUV or Truck, since Commercial")
    yield _rating(rows)
    yield from _vin(rows, "vin", known)


def _rating(rows: Rows) -> Finding:
    found = _joined(rows.arrays["lob_type"], rows.arrays["risk_rating"])
    return Finding(rows, "risk_rating", outside(found, _RATINGS), _RATING_RULE)


def _vin(rows: Rows, field: str, known: pa.Array) -> Iterator[Finding]:
    """Check a VIN's check digit, and that its characters name the vehicle, a row of `_Models` (or null)."""
    models = _models()
    text, shaped = _matrix(rows.arrays[field], 17)
    digits = _CHECK_DIGITS.take((_VALUES[text & 127] @ _WEIGHTS) % 11)
    wrong = (digits != text[:, 8]) | ~shaped
    yield Finding(rows, field, wrong, lambda row: f"check digit {chr(digits[row])} in position 9")
    vehicle = pc.fill_null(known, 0).to_numpy(zero_copy_only=False)
    named = models.characters[vehicle]
    wrong = (named != text[:, [0, 1, 2, 3, 4, 9]]).any(axis=1)
    wrong |= models.letter[vehicle] != (text[:, 6] >= ord("A"))
    wrong &= known.is_valid().to_numpy(zero_copy_only=False)

    def expected(row: int) -> str:
        characters = named[row].tobytes().decode()
        kind = "a letter" if models.letter[vehicle[row]] else "a digit"
        return f"{characters[:5]} in positions 1 to 5, {kind} in 7, {characters[5]} in 10"

    yield Finding(rows, field, wrong, expected)


def _profile_rules(rows: Rows) -> Iterator[Finding]:
    of, models = rows.arrays, _models()
    first = pc.replace_substring_regex(of["full_name"], " .*$", "")
    last = pc.replace_substring_regex(of["full_name"], "^[^ ]* ", "")
    wrong = outside(first, _names("first_names")) | outside(last, _names("last_names"))
    yield Finding(rows, "full_name", wrong, "a first and a last name of the tables")
    yield from _place(rows, of["residence_state"], of["city"], of["postal_code"])
    moved = differing(of["garaging_state"], of["residence_state"])
    yield Finding(rows, "garaging_state", moved, texts_of(of["residence_state"]))
    known = pc.index_in(of["vehicle_summary"], value_set=models.summaries)
    yield Finding(rows, "vehicle_summary", to_mask(known.is_null()), "a model in a year in which it was sold")
    yield _rating(rows)
    yield from _vin(rows, "primary_vehicle_vin", known)
