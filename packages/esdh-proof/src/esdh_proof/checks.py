"""What holds for the rows of a block: the synthetic, integrity and rules checks, a column at a time.

Each check is a second statement of the data contract, made from the values that were read: nothing here
generates a row. A check yields findings: a field, which rows fail, and what each of them should hold.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import ENTITIES, REFERENCE_DATE, SYNTHETIC_SOURCE, IdError, decode_id, encode_id, plan
from esdh_core.columns import FixedText
from esdh_core.ids import id_text, invert, permute
from esdh_core.lookups import load
from esdh_core.rules import Entity
from esdh_export import array
from numpy.typing import NDArray

from esdh_proof.reading import Rows

__all__ = ["Finding", "differing", "integrity", "rules", "schema_rules", "synthetic"]

Mask = NDArray[np.bool_]
Tables = Mapping[str, Rows]  # by plural entity name


@dataclass(frozen=True, slots=True)
class Finding:
    """Which rows of a field fail, and what each of them should hold instead.

    `wrong` has one element a row. `expected` is a text, or a function of the row's position. `told`,
    where given, says more of a found value than the value does.
    """

    rows: Rows
    field: str
    wrong: Mask
    expected: str | Callable[[int], str]
    told: Callable[[str], str] | None = None


def _mask(values: pa.Array) -> Mask:
    """Return an Arrow array of truths as NumPy's; a null is a failure."""
    mask: Mask = pc.fill_null(values, True).to_numpy(zero_copy_only=False)
    return mask


def differing(found: pa.Array, expected: pa.Array) -> Mask:
    """Return where two arrays of one length differ; two nulls are equal."""
    return _mask(pc.not_equal(found, expected)) & ~_mask(pc.and_(found.is_null(), expected.is_null()))


def _outside(found: pa.Array, values: pa.Array) -> Mask:
    """Return where a value is none of some values; a null is none of them."""
    return _mask(pc.invert(pc.is_in(found, value_set=values)))


def _at(values: pa.Array) -> Callable[[int], str]:
    """Return a function that gives the value of a row as a text."""
    return lambda row: str(values[row].as_py())


# --- schema ------------------------------------------------------------------------------------------


def schema_rules(rows: Rows, entity: Entity) -> Iterator[Finding]:
    """Check nulls, enumerations, patterns and bounds against the Struct's own schema."""
    for field in next(each for each in plan().entities if each.name == entity.name).fields:
        values = rows.arrays[field.name]
        if not field.nullable:
            yield Finding(rows, field.name, _mask(values.is_null()), "a value, never a null")
        for constraint, bound in field.constraints.items():
            yield Finding(rows, field.name, _violates(values, constraint, bound), _told(constraint, bound))


def _violates(values: pa.Array, constraint: str, bound: object) -> Mask:
    """Return which values break a constraint of JSON Schema; a null breaks none."""
    match constraint:
        case "enum":
            kept = pc.is_in(values, value_set=pa.array(bound, values.type))
        case "pattern":
            kept = pc.match_substring_regex(values, bound)
        case "minLength":
            kept = pc.greater_equal(pc.utf8_length(values), bound)
        case "minimum":
            kept = pc.greater_equal(values, bound)
        case "maximum":
            kept = pc.less_equal(values, bound)
        case _:
            raise TypeError(f"the Structs use the constraint {constraint!r}, which no check knows")
    return _mask(pc.and_(values.is_valid(), pc.invert(pc.fill_null(kept, False))))


def _told(constraint: str, bound: object) -> str:
    if constraint == "enum" and isinstance(bound, list):
        return f"one of {', '.join(map(str, bound))}"
    words = {"pattern": "a text like", "minLength": "a text of length at least", "minimum": "at least"}
    return f"{words.get(constraint, 'at most')} {bound}"


# --- synthetic ---------------------------------------------------------------------------------------


def synthetic(tables: Tables, seed: int) -> Iterator[Finding]:
    """Check that every row is of this seed and at its own place, and that nothing could be a real one's."""
    for entity in _entities(tables):
        rows = tables[entity.plural]
        ids = array(FixedText(id_text(seed, entity.name, _index(rows))))
        field = f"{entity.name}_id"
        yield Finding(rows, field, differing(rows.arrays[field], ids), _id_of(seed, entity, rows), _id_told)
        marker = _mask(pc.not_equal(rows.arrays["synthetic_source"], SYNTHETIC_SOURCE))
        yield Finding(rows, "synthetic_source", marker, SYNTHETIC_SOURCE)
    for plural, field, pattern, expected in (
        ("vehicles", "vin", "^0", "a VIN that begins with 0, a region assigned to nobody"),
        ("profiles", "primary_vehicle_vin", "^0", "a VIN that begins with 0, a region assigned to nobody"),
        (
            "persons",
            "driver_license_number",
            "^[A-Z]{2}[0-9]{11}$",
            "two letters and eleven digits, a form that no state issues",
        ),
    ):
        if plural in tables:
            rows = tables[plural]
            real = pc.invert(pc.match_substring_regex(rows.arrays[field], pattern))
            yield Finding(rows, field, _mask(real), expected)


def _entities(tables: Tables) -> list[Entity]:
    return [entity for entity in ENTITIES if entity.plural in tables]


def _index(rows: Rows) -> NDArray[np.uint64]:
    return np.arange(rows.start, rows.start + len(rows), dtype=np.uint64)


def _id_of(seed: int, entity: Entity, rows: Rows) -> Callable[[int], str]:
    return lambda row: f"{encode_id(seed, entity.name, rows.start + row)}, {entity.name} {rows.start + row}"


def _id_told(text: str) -> str:
    """Return an id with what it decodes to, or with why it decodes to nothing."""
    try:
        origin = decode_id(text)
    except IdError as error:
        return str(error)
    return f"{text}, which is {origin.entity} {origin.index} of seed {origin.seed}"


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


def integrity(tables: Tables, seed: int) -> Iterator[Finding]:
    """Check references, copies, and that unique values give back the row that they stand in."""
    for plural, field, entity in _REFERENCES:
        if plural in tables:
            rows = tables[plural]
            ids = array(FixedText(id_text(seed, entity, _index(rows))))
            yield Finding(rows, field, differing(rows.arrays[field], ids), _at(ids), _id_told)
    for plural, field, source, original in _COPIES:
        if plural in tables and source in tables:
            yield _copy(tables[plural], field, tables[source].arrays[original])
    if "profiles" in tables and "persons" in tables:
        person = tables["persons"].arrays
        yield _copy(tables["profiles"], "full_name", _spaced(person["first_name"], person["last_name"]))
    if "profiles" in tables and "vehicles" in tables:
        vehicle = tables["vehicles"].arrays
        year = vehicle["model_year"].cast(pa.string())
        summary = _spaced(year, vehicle["make"], vehicle["model"])
        yield _copy(tables["profiles"], "vehicle_summary", summary)
    for plural, field, stream, number in (
        ("persons", "driver_license_number", "person.driver_license_number", _license_number),
        ("vehicles", "vin", "vehicle.vin", _vin_number),
        ("profiles", "primary_vehicle_vin", "vehicle.vin", _vin_number),
    ):
        if plural in tables:
            yield _own_row(tables[plural], field, seed, stream, number)


def _spaced(*texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*texts, " ")


def _copy(rows: Rows, field: str, source: pa.Array) -> Finding:
    """Compare a copied field with its source, over the rows that both have."""
    count = min(len(rows), len(source))
    wrong = np.zeros(len(rows), dtype=np.bool_)
    wrong[:count] = differing(rows.arrays[field].slice(0, count), source.slice(0, count))
    return Finding(rows, field, wrong, _at(source))


def _own_row(
    rows: Rows, field: str, seed: int, stream: str, number: Callable[[NDArray[np.uint8]], NDArray[np.uint64]]
) -> Finding:
    """Check that the permuted index which a unique value holds is that of its own row."""
    width = 17 if number is _vin_number else 13
    matrix, shaped = _matrix(rows.arrays[field], width)
    held = number(matrix)
    wrong = (held != permute(seed, stream, _index(rows))) | ~shaped

    def told(text: str) -> str:
        single, right = _matrix(pa.array([text]), width)
        permuted = number(single)
        if not right[0] or int(permuted[0]) >= 1 << 36:
            return f"{text}, which holds no row's number"
        return f"{text}, which holds the number of row {int(invert(seed, stream, permuted)[0])}"

    return Finding(
        rows, field, wrong, lambda row: f"a value that holds the number of row {rows.start + row}", told
    )


def _matrix(values: pa.Array, width: int) -> tuple[NDArray[np.uint8], Mask]:
    """Return texts as bytes, shape (n, width), and which of them have that width; the others become zeros."""
    shaped = ~_mask(pc.not_equal(pc.binary_length(values), width))
    ascii_only = ~_mask(pc.not_equal(pc.utf8_length(values), width))
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


def rules(tables: Tables, seed: int) -> Iterator[Finding]:  # noqa: ARG001 - the same as the other checks
    """Check the rules of section 2 of the contract."""
    for entity in _entities(tables):
        yield from _no_missing_words(tables[entity.plural], entity)
    if "persons" in tables:
        yield from _person_rules(tables["persons"])
    if "vehicles" in tables:
        yield from _vehicle_rules(tables["vehicles"])
    if "profiles" in tables:
        yield from _profile_rules(tables["profiles"])


def _no_missing_words(rows: Rows, entity: Entity) -> Iterator[Finding]:
    words = pa.array(_MISSING_WORDS)
    for field in next(each for each in plan().entities if each.name == entity.name).fields:
        if field.type == "string" and not {"pattern", "enum"} & set(field.constraints):
            wrong = pc.fill_null(pc.is_in(pc.utf8_lower(rows.arrays[field.name]), value_set=words), False)
            yield Finding(rows, field.name, _mask(wrong), "no word that readers take for a missing value")


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
    yield Finding(
        rows, "first_name", _outside(of["first_name"], _names("first_names")), "a name of the table"
    )
    yield Finding(rows, "last_name", _outside(of["last_name"], _names("last_names")), "a name of the table")
    yield from _place(rows, of["state"], of["city"], of["postal_code"])
    yield Finding(
        rows,
        "driver_license_state",
        differing(of["driver_license_state"], of["state"]),
        _at(of["state"]),
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
    wrong = _mask(pc.invert(number)) | _outside(street, _streets())
    yield Finding(rows, "address_line_1", wrong, "a number from 100 to 9999 and a street of the tables")
    unit = of["address_line_2"]
    wrong = _outside(unit, _units()) & unit.is_valid().to_numpy(zero_copy_only=False)
    yield Finding(rows, "address_line_2", wrong, "null, or a unit of the table")


def _place(rows: Rows, state: pa.Array, city: pa.Array, postal_code: pa.Array) -> Iterator[Finding]:
    wrong = _outside(_joined(state, city, postal_code), _places())
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
    wrong = _mask(pc.greater(born, _born(16))) | _mask(pc.less(born, pa.scalar(oldest, pa.date32())))
    yield Finding(rows, "date_of_birth", wrong, f"an age from 16 to {_oldest()} on {REFERENCE_DATE}")
    commercial = _mask(pc.equal(rows.arrays["lob_type"], "Commercial"))
    young = commercial & _mask(pc.greater(born, _born(21)))
    yield Finding(rows, "date_of_birth", young, f"an age of 21 or more on {REFERENCE_DATE}, since Commercial")


_RATINGS = pa.array(
    [_JOINT.join(pair) for pair in (("Personal", "Low"), ("Personal", "Medium"), ("Commercial", "Medium"))]
    + [_JOINT.join(("Commercial", "High"))]
)
_RATING_TOLD = "Low or Medium for Personal, Medium or High for Commercial"
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
        _mask(known.is_null()),
        "a model of the make, with its body style, in a model year in which it was sold",
    )
    sedan = pc.and_(pc.equal(of["lob_type"], "Commercial"), pc.equal(of["body_style"], "Sedan"))
    yield Finding(rows, "body_style", _mask(sedan), "SUV or Truck, since Commercial")
    yield _rating(rows)
    yield from _vin(rows, "vin", known)


def _rating(rows: Rows) -> Finding:
    found = _joined(rows.arrays["lob_type"], rows.arrays["risk_rating"])
    return Finding(rows, "risk_rating", _outside(found, _RATINGS), _RATING_TOLD)


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
    wrong = _outside(first, _names("first_names")) | _outside(last, _names("last_names"))
    yield Finding(rows, "full_name", wrong, "a first and a last name of the tables")
    yield from _place(rows, of["residence_state"], of["city"], of["postal_code"])
    moved = differing(of["garaging_state"], of["residence_state"])
    yield Finding(rows, "garaging_state", moved, _at(of["residence_state"]))
    known = pc.index_in(of["vehicle_summary"], value_set=models.summaries)
    yield Finding(rows, "vehicle_summary", _mask(known.is_null()), "a model in a year in which it was sold")
    yield _rating(rows)
    yield from _vin(rows, "primary_vehicle_vin", known)
