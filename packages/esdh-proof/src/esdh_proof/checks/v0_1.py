"""The second statement of dataset version v0.1: its contract, stated again by code that generates nothing."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import Table
from esdh_core.columns import day_number
from esdh_core.dataset import Block
from esdh_core.datasets.v0_1.constants import REFERENCE_DATE
from esdh_core.datasets.v0_1.lookups import load
from esdh_core.permutations import permute, unpermute
from esdh_export.encoding.buffers import null_mask, numbers, text_array, truth_array
from numpy.typing import NDArray

from esdh_proof.checks import roles
from esdh_proof.checks.by_value import (
    differs_from,
    differs_from_source,
    failing,
    matrix_of,
    nulls,
    parts_at_blank,
    per_row,
    split_at_blank,
    unlike,
    values_of,
)
from esdh_proof.checks.finding import (
    Finding,
    Mask,
    Tables,
    beside,
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

_NO_REGION = "^0"


def synthetic(block: Block, tables: Tables) -> Iterator[Finding]:
    """Check that every row is of this seed and at its own place, and that nothing could be a real one's."""
    yield from roles.synthetic(block, tables)
    for name, field, pattern, expected in (
        ("vehicles", "vin", _NO_REGION, "a VIN that begins with 0, a region assigned to nobody"),
        (
            "profiles",
            "primary_vehicle_vin",
            _NO_REGION,
            "a VIN that begins with 0, a region assigned to nobody",
        ),
        (
            "persons",
            "driver_license_number",
            "^[A-Z]{2}[0-9]{11}$",
            "two letters and eleven digits, a form that no state issues",
        ),
    ):
        if name in tables:
            yield Finding(tables[name], field, unlike(tables[name], field, pattern), expected)


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
            ids = roles.ids_of(block, dataset.table(entity), slots(rows))
            wrong = differs_from(rows, field, ids)
            yield Finding(rows, field, wrong, roles.text_of(ids), roles.describe_id(dataset))
    for plural, field, source, original in _COPIES:
        if plural in tables and source in tables:
            yield _copied(tables[plural], field, tables[source], original)
    if "profiles" in tables and "persons" in tables:
        yield _full_name(tables["profiles"], tables["persons"])
    if "profiles" in tables and "vehicles" in tables:
        yield _summary(tables["profiles"], tables["vehicles"])
    for plural, field, stream, number in (
        ("persons", "driver_license_number", "person.driver_license_number", _license_number),
        ("vehicles", "vin", "vehicle.vin", _vin_number),
        ("profiles", "primary_vehicle_vin", "vehicle.vin", _vin_number),
    ):
        if plural in tables:
            yield _own_row(tables[plural], field, seed, stream, number)


def _copied(rows: Rows, field: str, source: Rows, original: str) -> Finding:
    wrong = differs_from_source(rows, field, source, original, None)
    values, reads = source.arrays[original], beside(source, original)
    if wrong is None:
        return copy(rows, field, values, *reads)
    return Finding(rows, field, wrong, texts_of(values), reads=reads)


def _full_name(profiles: Rows, persons: Rows) -> Finding:
    """Check that a full name is the first and the last name, with a blank between."""
    first, last = split_at_blank(profiles, "full_name")
    names = ("first_name", "last_name")
    parts, reads = (first.column, last.column), beside(persons, *names)
    if None not in parts and parts == tuple(map(persons.column, names)):  # the very same
        none = np.zeros(len(profiles), dtype=np.bool_)
        return Finding(profiles, "full_name", none, "the name of the person", reads=reads)
    of = persons.arrays
    return copy(profiles, "full_name", _spaced(of["first_name"], of["last_name"]), *reads)


def _summary(profiles: Rows, vehicles: Rows) -> Finding:
    """Check that a vehicle's summary is its year, its make and its model, with blanks between."""
    names = ("model_year", "make", "model")
    reads = beside(vehicles, *names)
    if profiles.columns is not None and vehicles.columns is not None:
        fields = [values_of(vehicles, each) for each in names]
        wrong = failing(profiles, _is_no_summary, "vehicle_summary", *fields)
        expected = "the year, the make and the model of the vehicle"
        return Finding(profiles, "vehicle_summary", wrong, expected, reads=reads)
    of = vehicles.arrays
    return copy(profiles, "vehicle_summary", _summaries(of["model_year"], of["make"], of["model"]), *reads)


def _summaries(years: pa.Array, makes: pa.Array, models: pa.Array) -> pa.Array:
    return _spaced(years.cast(pa.string()), makes, models)


def _is_no_summary(found: pa.Array, *vehicle: pa.Array) -> Mask:
    return differing(found, _summaries(*vehicle))


def _spaced(*texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*texts, _BLANK)


def _own_row(
    rows: Rows, field: str, seed: int, stream: str, number: Callable[[NDArray[np.uint8]], NDArray[np.uint64]]
) -> Finding:
    """Check that the permuted index which a unique value holds is that of its own row."""
    width = 17 if number is _vin_number else 13

    def holds_another(values: pa.Array) -> Mask:
        matrix, shaped = _matrix(values, width)
        other: Mask = number(matrix) != permute(seed, stream, slots(rows))
        return other | ~shaped

    matrix = matrix_of(rows, field, width)
    if matrix is None:
        wrong = holds_another(rows.arrays[field])
    else:
        known = "own row", stream, id(rows.column(field))  # a copy needn't be asked again
        if known not in rows.memo:
            rows.memo[known] = number(matrix) != permute(seed, stream, slots(rows))
        wrong = rows.memo[known]

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
    shaped = ~null_mask(values) & (numbers(pc.binary_length(values)) == width)
    shaped &= numbers(pc.utf8_length(values)) == width  # so that each character is a byte
    zeros = text_array(["0" * width], values.type)[0]
    even = values if shaped.all() else pc.if_else(truth_array(shaped), values, zeros)
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

_MISSING_WORDS = text_array(("none", "na", "n/a", "nan", "null", "nil", "true", "false", ""), pa.string())
_JOINT = "\x1f"
_SEPARATOR = text_array([_JOINT], pa.string())[0]


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
    for field in table.schema:
        if field.type == "string" and not {"pattern", "enum"} & set(field.constraints):
            if parts_at_blank(rows, field.name) is not None:
                continue  # made of two parts with a blank between, which no such word has
            wrong = failing(rows, _is_missing_word, field.name)
            yield Finding(rows, field.name, wrong, "no word that readers take for a missing value")


def _is_missing_word(values: pa.Array) -> Mask:
    return to_mask(pc.is_in(pc.utf8_lower(values), value_set=_MISSING_WORDS))


def _joined(*texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*texts, _SEPARATOR)


@cache
def _names(table: str) -> pa.Array:
    return text_array(load(table).texts("name"), pa.string())


@cache
def _places() -> pa.Array:
    cities = load("cities")
    columns = (cities.texts("state"), cities.texts("city"), cities.text_lists("postal_codes"))
    places = [
        _JOINT.join((state, city, code))
        for state, city, codes in zip(*columns, strict=True)
        for code in codes
    ]
    return text_array(places, pa.string())


@cache
def _streets() -> pa.Array:
    words = load("street_stems").texts("word"), load("street_endings").texts("word")
    streets = [
        f"{stem}{ending} {kind}" for stem, ending, kind in product(*words, load("street_kinds").texts("kind"))
    ]
    return text_array(streets, pa.string())


@cache
def _units() -> pa.Array:
    table = load("unit_designators")
    columns = (table.texts("designator"), table.integers("first"), table.integers("last"))
    units = [
        f"{designator} {number}"
        for designator, first, last in zip(*columns, strict=True)
        for number in range(first, last + 1)
    ]
    return text_array(units, pa.string())


def _no_first_name(names: pa.Array) -> Mask:
    return outside(names, _names("first_names"))


def _no_last_name(names: pa.Array) -> Mask:
    return outside(names, _names("last_names"))


def _no_number(numbers: pa.Array) -> Mask:
    return ~to_mask(pc.match_substring_regex(numbers, "^[1-9][0-9]{2,3}$"))


def _no_street(streets: pa.Array) -> Mask:
    return outside(streets, _streets())


def _no_unit(units: pa.Array) -> Mask:
    return outside(units, _units()) & ~null_mask(units)


def _no_letters_of_state(numbers: pa.Array, states: pa.Array) -> Mask:
    return differing(pc.utf8_slice_codeunits(numbers, 0, 2), states)


def _person_rules(rows: Rows) -> Iterator[Finding]:
    of = rows.arrays
    wrong = failing(rows, _no_first_name, "first_name")
    yield Finding(rows, "first_name", wrong, "a name of the table")
    wrong = failing(rows, _no_last_name, "last_name")
    yield Finding(rows, "last_name", wrong, "a name of the table")
    yield from _place(rows, "state", "city", "postal_code")
    yield Finding(
        rows,
        "driver_license_state",
        failing(rows, differing, "driver_license_state", "state"),
        lambda row: str(of["state"][row].as_py()),
        reads=beside(rows, "state"),
    )
    yield Finding(
        rows,
        "driver_license_number",
        failing(rows, _no_letters_of_state, "driver_license_number", "state"),
        lambda row: f"a number that begins with the state, {of['state'][row].as_py()}",
        reads=beside(rows, "state"),
    )
    yield from _ages(rows)
    number, street = split_at_blank(rows, "address_line_1")
    wrong = failing(rows, _no_number, number) | failing(rows, _no_street, street)
    yield Finding(rows, "address_line_1", wrong, "a number from 100 to 9999 and a street of the tables")
    wrong = failing(rows, _no_unit, "address_line_2")
    yield Finding(rows, "address_line_2", wrong, "null, or a unit of the table")


def _no_place(states: pa.Array, cities: pa.Array, codes: pa.Array) -> Mask:
    return outside(_joined(states, cities, codes), _places())


def _place(rows: Rows, state: str, city: str, postal_code: str) -> Iterator[Finding]:
    of = rows.arrays
    yield Finding(
        rows,
        postal_code,
        failing(rows, _no_place, state, city, postal_code),
        lambda row: (
            f"a postal code of the city, {of[city][row].as_py()}, and a city of the state, {of[state][row].as_py()}"
        ),
        reads=beside(rows, city, state),
    )


def _born(years: int) -> int:
    """Return the day, from 1970 on, on which somebody is born who is so many years old at the reference date."""
    return day_number(REFERENCE_DATE.replace(year=REFERENCE_DATE.year - years))


@cache
def _oldest() -> int:
    return max(load("licensed_driver_ages").integers("last_age"))


def _ages(rows: Rows) -> Iterator[Finding]:
    """Check the ages: nobody under 16, no Commercial driver under 21, nobody older than the table's oldest."""
    born, missing = numbers(rows.arrays["date_of_birth"]), nulls(rows, "date_of_birth")
    wrong = (born > _born(16)) | (born < _born(_oldest() + 1) + 1) | missing
    yield Finding(rows, "date_of_birth", wrong, f"an age from 16 to {_oldest()} on {REFERENCE_DATE}")
    commercial = failing(rows, _is_commercial, "lob_type")
    young = commercial & ((born > _born(21)) | missing)
    yield Finding(
        rows,
        "date_of_birth",
        young,
        f"an age of 21 or more on {REFERENCE_DATE}, since Commercial",
        reads=beside(rows, "lob_type"),
    )


def _is_commercial(lines: pa.Array) -> Mask:
    return to_mask(pc.equal(lines, _COMMERCIAL))


_BLANK, _COMMERCIAL, _SEDAN = text_array([" ", "Commercial", "Sedan"], pa.string())
_RATINGS = text_array(
    [_JOINT.join(pair) for pair in (("Personal", "Low"), ("Personal", "Medium"), ("Commercial", "Medium"))]
    + [_JOINT.join(("Commercial", "High"))],
    pa.string(),
)
_RATING_RULE = "Low or Medium for Personal, Medium or High for Commercial"
# 49 CFR 565.15: the value of each letter, the weight of each position, the code of each model year.
_VALUES = np.zeros(256, dtype=np.uint16)
_VALUES[[ord(each) for each in "0123456789"]] = range(10)
_VALUES[[ord(each) for each in "ABCDEFGHJKLMNPRSTUVWXYZ"]] = [
    *(1, 2, 3, 4, 5, 6, 7, 8),
    *(1, 2, 3, 4, 5, 7, 9),
    *(2, 3, 4, 5, 6, 7, 8, 9),
]
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_WEIGHTED = [_VALUES * np.uint16(weight) for weight in _WEIGHTS]
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
        self.vehicles = text_array([_JOINT.join(row[:4]) for row in rows], pa.string())
        self.summaries = text_array([f"{row[3]} {row[0]} {row[1]}" for row in rows], pa.string())
        # Positions 1 to 5 and 10; position 7 tells only on which side of 2010 the year lies.
        text = "".join(f"{row[4]}{row[5]}" for row in rows).encode()
        self.characters = np.frombuffer(text, np.uint8).reshape(-1, 6)
        self.letter = np.array([int(row[3]) >= 2010 for row in rows])


_models = cache(_Models)


def _vehicles(makes: pa.Array, models: pa.Array, bodies: pa.Array, years: pa.Array) -> NDArray[np.int64]:
    """Return the row of `_Models` of each vehicle, -1 where there is none."""
    found = pc.index_in(_joined(makes, models, bodies, years.cast(pa.string())), value_set=_models().vehicles)
    return _rows_or_none(found)


def _summarized(summaries: pa.Array) -> NDArray[np.int64]:
    """Return a row of `_Models` of each summary, -1 where there is none."""
    return _rows_or_none(pc.index_in(summaries, value_set=_models().summaries))


def _rows_or_none(found: pa.Array) -> NDArray[np.int64]:
    return np.where(null_mask(found), -1, numbers(found)).astype(np.int64)


def _vehicle_rules(rows: Rows) -> Iterator[Finding]:
    known = per_row(rows, _vehicles, "make", "model", "body_style", "model_year")
    yield Finding(
        rows,
        "model",
        known < 0,
        "a model of the make, with its body style, in a model year in which it was sold",
        reads=beside(rows, "make", "body_style", "model_year"),
    )
    sedan = failing(rows, _is_commercial_sedan, "lob_type", "body_style")
    yield Finding(rows, "body_style", sedan, "SUV or Truck, since Commercial", reads=beside(rows, "lob_type"))
    yield _rating(rows)
    yield from _vin(rows, "vin", known, "make", "model", "body_style", "model_year")


def _is_commercial_sedan(lines: pa.Array, bodies: pa.Array) -> Mask:
    return to_mask(pc.and_(pc.equal(lines, _COMMERCIAL), pc.equal(bodies, _SEDAN)))


def _no_rating(lines: pa.Array, ratings: pa.Array) -> Mask:
    return outside(_joined(lines, ratings), _RATINGS)


def _rating(rows: Rows) -> Finding:
    wrong = failing(rows, _no_rating, "lob_type", "risk_rating")
    return Finding(rows, "risk_rating", wrong, _RATING_RULE, reads=beside(rows, "lob_type"))


def _check_digits(text: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the check digit that each VIN must have."""
    sums = np.zeros(len(text), dtype=np.uint16)
    for weighted, column in zip(_WEIGHTED, text.T, strict=True):
        sums += weighted.take(column)
    return _CHECK_DIGITS.take(sums % np.uint16(11))


def _vin(rows: Rows, field: str, known: NDArray[np.int64], *named_by: str) -> Iterator[Finding]:
    """Check a VIN's check digit, and that its characters name the vehicle, a row of `_Models` (or -1) that other fields say."""
    models = _models()
    matrix = matrix_of(rows, field, 17)
    if matrix is None:
        text, shaped = _matrix(rows.arrays[field], 17)
        digits = _check_digits(text)
    else:
        text, shaped = matrix, np.ones(len(matrix), dtype=np.bool_)
        known_digits = "check digits", id(matrix)  # a copy needn't be asked again
        if known_digits not in rows.memo:
            rows.memo[known_digits] = _check_digits(text)
        digits = rows.memo[known_digits]
    wrong = (digits != text[:, 8]) | ~shaped
    yield Finding(rows, field, wrong, lambda row: f"check digit {chr(digits[row])} in position 9")
    vehicle = np.maximum(known, 0)
    named = models.characters[vehicle]
    wrong = (named != text[:, [0, 1, 2, 3, 4, 9]]).any(axis=1)
    wrong |= models.letter[vehicle] != (text[:, 6] >= ord("A"))
    wrong &= known >= 0

    def expected(row: int) -> str:
        characters = named[row].tobytes().decode()
        kind = "a letter" if models.letter[vehicle[row]] else "a digit"
        return f"{characters[:5]} in positions 1 to 5, {kind} in 7, {characters[5]} in 10"

    yield Finding(rows, field, wrong, expected, reads=beside(rows, *named_by))


def _profile_rules(rows: Rows) -> Iterator[Finding]:
    of = rows.arrays
    first, last = split_at_blank(rows, "full_name")
    wrong = failing(rows, _no_first_name, first) | failing(rows, _no_last_name, last)
    yield Finding(rows, "full_name", wrong, "a first and a last name of the tables")
    yield from _place(rows, "residence_state", "city", "postal_code")
    moved = failing(rows, differing, "garaging_state", "residence_state")
    yield Finding(
        rows,
        "garaging_state",
        moved,
        lambda row: str(of["residence_state"][row].as_py()),
        reads=beside(rows, "residence_state"),
    )
    known = per_row(rows, _summarized, "vehicle_summary")
    yield Finding(rows, "vehicle_summary", known < 0, "a model in a year in which it was sold")
    yield _rating(rows)
    yield from _vin(rows, "primary_vehicle_vin", known, "vehicle_summary")
