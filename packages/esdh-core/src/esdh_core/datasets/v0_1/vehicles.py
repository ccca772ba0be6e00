"""The rules of a vehicle: how each field of `Vehicle` is made."""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from operator import mul

import numpy as np
from numpy.typing import NDArray

from esdh_core.choices import Choice
from esdh_core.columns import FOUR_DIGITS, Categorical, Categories, Column, FixedText, Integer
from esdh_core.dataset import Block, Table, memoized_per_block
from esdh_core.datasets.v0_1 import persons
from esdh_core.datasets.v0_1.constants import REFERENCE_DATE
from esdh_core.datasets.v0_1.entities import Vehicle
from esdh_core.datasets.v0_1.lookups import load
from esdh_core.datasets.v0_1.tallies import BandTally, PrefixTally
from esdh_core.division import divmod_array
from esdh_core.permutations import unpermute
from esdh_core.stats import Statistic, ValueTally
from esdh_core.streams import high32

__all__ = ["VEHICLES", "vin_index"]

VEHICLES = Table(
    "vehicles", Vehicle, "A vehicle that was never built.", singular="vehicle", parent=persons.PERSONS
)

_MODELS, _YEARS, _RISK = load("vehicle_models"), load("model_years"), load("risk_odds")
_MODEL_MAKES, _MODEL_NAMES = _MODELS.texts("make"), _MODELS.texts("model")
_MODEL_BODIES, _MODEL_WEIGHTS = _MODELS.texts("body_style"), _MODELS.integers("weight")
_MODEL_SOLD = _MODELS.ranges("sold")
_MAKES = tuple(dict.fromkeys(_MODEL_MAKES))  # the table lists the models of a make together
MODEL_YEARS = tuple(_YEARS.integers("model_year"))
_COMMERCIAL_BODIES = ("SUV", "Truck")


@VEHICLES.rule(
    "vehicle_id", "The record's id: decodes to seed, dataset version, entity vehicle and index", role="id"
)
def vehicle_id(block: Block) -> Column:
    return FixedText(block.ids(VEHICLES))


@VEHICLES.rule("person_id", "The person of the same record", role="copy", depends_on=("person.person_id",))
def person_id(block: Block) -> Column:
    return persons.person_id(block)


# --- make, model, model year -------------------------------------------------------------------------

# One row of weights a line of business, Personal first: a model that it doesn't draw weighs nothing.
_WEIGHTS_BY_LOB = [
    _MODEL_WEIGHTS,
    [w if body in _COMMERCIAL_BODIES else 0 for w, body in zip(_MODEL_WEIGHTS, _MODEL_BODIES, strict=True)],
]


def _of_make(weights: list[int], make: str) -> list[int]:
    return [weight for weight, at in zip(weights, _MODEL_MAKES, strict=True) if at == make]


_MAKE = Choice([[sum(_of_make(weights, make)) for make in _MAKES] for weights in _WEIGHTS_BY_LOB])
_MODEL = Choice([_of_make(weights, make) for weights in _WEIGHTS_BY_LOB for make in _MAKES])
# One row of weights a model: a year in which it wasn't sold weighs nothing.
_WEIGHTS_OF_YEARS = [
    [
        weight if any(first <= year <= last for first, last in sold) else 0
        for year, weight in zip(MODEL_YEARS, _YEARS.integers("weight"), strict=True)
    ]
    for sold in _MODEL_SOLD
]
_YEAR = Choice(_WEIGHTS_OF_YEARS)


@memoized_per_block
def _model_codes(block: Block) -> NDArray[np.int32]:
    """Return the row of each vehicle's model in the table, shape (count,)."""
    lob = persons.lob_codes(block)
    # A make's code runs through both lines of business, and so numbers the groups of models.
    make = _MAKE.codes(high32(block.draws("vehicle.make")), lob)
    return divmod_array(_MODEL.codes(high32(block.draws("vehicle.model")), make), len(_MODEL_NAMES))[1]


@memoized_per_block
def model_and_year_codes(block: Block) -> NDArray[np.int32]:
    """Return model row * number of model years + model year's number, shape (count,)."""
    return _YEAR.codes(high32(block.draws("vehicle.model_year")), _model_codes(block))


@memoized_per_block
def _year_codes(block: Block) -> NDArray[np.int32]:
    """Return the number of each vehicle's model year among `MODEL_YEARS`, shape (count,)."""
    return divmod_array(model_and_year_codes(block), len(MODEL_YEARS))[1]


def _for_each_year(values: list[str]) -> Categories:
    """Return a vocabulary for model-and-year codes out of one value a model."""
    return Categories([value for value in values for _ in MODEL_YEARS])


_MAKE_CATEGORIES = _for_each_year(_MODEL_MAKES)
_MODEL_CATEGORIES = _for_each_year(_MODEL_NAMES)
_BODY_CATEGORIES = _for_each_year(_MODEL_BODIES)
_YEAR_CATEGORIES = Categories([str(year) for _ in _MODEL_NAMES for year in MODEL_YEARS])
SUMMARIES = Categories(
    [
        f"{year} {make} {model}"
        for make, model in zip(_MODEL_MAKES, _MODEL_NAMES, strict=True)
        for year in MODEL_YEARS
    ]
)
_LOB_SHARES = list(persons.lob_shares().values())


@cache
def _model_shares_by_row() -> list[Fraction]:
    totals = [sum(weights) for weights in _WEIGHTS_BY_LOB]
    return [
        sum(
            (
                share * Fraction(weights[row], total)
                for share, weights, total in zip(_LOB_SHARES, _WEIGHTS_BY_LOB, totals, strict=True)
            ),
            Fraction(0),
        )
        for row in range(len(_MODEL_NAMES))
    ]


@cache
def _year_shares_by_lob() -> list[list[Fraction]]:
    """Return the share of each model year within each line of business."""
    # Over one denominator: sums of fractions, reduced one by one, take ten times as long.
    totals = [sum(years) for years in _WEIGHTS_OF_YEARS]
    whole = math.lcm(*totals)
    result = []
    for weights in _WEIGHTS_BY_LOB:
        parts = [weight * (whole // total) for weight, total in zip(weights, totals, strict=True)]
        of_years = [sum(map(mul, parts, of_models)) for of_models in zip(*_WEIGHTS_OF_YEARS, strict=True)]
        result.append([Fraction(part, whole * sum(weights)) for part in of_years])
    return result


def _sum_by(labels: list[str], shares: list[Fraction]) -> dict[str, Fraction]:
    sums: dict[str, Fraction] = {}
    for label, share in zip(labels, shares, strict=True):
        sums[label] = sums.get(label, Fraction(0)) + share
    return sums


def _make_shares() -> dict[str, Fraction]:
    return _sum_by(_MODEL_MAKES, _model_shares_by_row())


def _model_shares() -> dict[str, Fraction]:
    return _sum_by(_MODEL_NAMES, _model_shares_by_row())


def _year_shares() -> dict[str, Fraction]:
    personal, commercial = (
        [share * within for within in years]
        for share, years in zip(_LOB_SHARES, _year_shares_by_lob(), strict=True)
    )
    return {str(year): p + c for year, p, c in zip(MODEL_YEARS, personal, commercial, strict=True)}


@VEHICLES.rule(
    "make",
    "A make; Commercial draws only makes of SUVs and Trucks",
    streams=("vehicle.make",),
    lookups=(load("vehicle_models"),),
    depends_on=("person.lob_type",),
    distribution="proportional to the summed weight of the make's models that the line of business draws",
    source=_MODELS.source,
)
def make(block: Block) -> Column:
    return Categorical(model_and_year_codes(block), _MAKE_CATEGORIES)


@VEHICLES.rule(
    "model",
    "A model of the make; Commercial draws only SUVs and Trucks",
    streams=("vehicle.model",),
    lookups=(load("vehicle_models"),),
    depends_on=("vehicle.make", "person.lob_type"),
    distribution="proportional to weight within the make",
    source=_MODELS.source,
)
def model(block: Block) -> Column:
    return Categorical(model_and_year_codes(block), _MODEL_CATEGORIES)


@VEHICLES.rule(
    "model_year",
    "A model year in which the model was sold",
    streams=("vehicle.model_year",),
    lookups=(
        load("vehicle_models"),
        load("model_years"),
    ),
    depends_on=("vehicle.model",),
    distribution="proportional to the vehicles of that model year on the road, over the years the model was sold",
    source=_YEARS.source,
)
def model_year(block: Block) -> Column:
    years = _year_codes(block) + np.int32(MODEL_YEARS[0])
    shared = Categorical(model_and_year_codes(block), _YEAR_CATEGORIES)
    return Integer(years, MODEL_YEARS[0], MODEL_YEARS[-1], shared=shared)


@VEHICLES.rule(
    "body_style",
    "The body style of the model",
    lookups=(load("vehicle_models"),),
    depends_on=("vehicle.model",),
)
def body_style(block: Block) -> Column:
    return Categorical(model_and_year_codes(block), _BODY_CATEGORIES)


# --- risk --------------------------------------------------------------------------------------------

RISK_RATINGS = ("Low", "Medium", "High")
_RISK_CATEGORIES = Categories(RISK_RATINGS)
_LARGEST_VEHICLE_AGE = REFERENCE_DATE.year - MODEL_YEARS[0]


def _risk_bands() -> tuple[NDArray[np.int32], Choice]:
    """Return the band of every (line of business, age, vehicle age), shape (2, ages, vehicle ages), and its odds."""
    bands = np.full((len(persons.LOB_TYPES), len(persons.AGES), _LARGEST_VEHICLE_AGE + 1), -1, dtype=np.int32)
    limits = ("first_age", "last_age", "first_vehicle_age", "last_vehicle_age")
    spans = zip(*map(_RISK.integers, limits), strict=True)
    for band, (lob, (first, last, newest, oldest)) in enumerate(
        zip(_RISK.texts("lob_type"), spans, strict=True)
    ):
        youngest = persons.AGES[0]
        bands[persons.LOB_TYPES.index(lob), first - youngest : last - youngest + 1, newest : oldest + 1] = (
            band
        )
    return bands, Choice(list(zip(*map(_RISK.integers, ("low", "medium", "high")), strict=True)))


_RISK_BANDS, _RISK_RATING = _risk_bands()


@cache
def risk_shares() -> dict[str, Fraction]:
    """Return the declared share of each risk rating."""
    totals = [Fraction(0)] * len(RISK_RATINGS)
    vehicle_ages = [REFERENCE_DATE.year - year for year in MODEL_YEARS]
    by_band: dict[int, Fraction] = {}
    for lob, (lob_share, years) in enumerate(zip(_LOB_SHARES, _year_shares_by_lob(), strict=True)):
        # Given the line of business, the driver's age and the model year are independent.
        drivers: dict[tuple[int, ...], Fraction] = {}  # by the bands that their age has, few of them distinct
        for bands, share in zip(_RISK_BANDS[lob].tolist(), persons.age_shares(lob), strict=True):
            drivers[tuple(bands)] = drivers.get(tuple(bands), Fraction(0)) + share
        for bands, driver_share in drivers.items():
            both = lob_share * driver_share
            for vehicle_age, year_share in zip(vehicle_ages, years, strict=True):
                band = bands[vehicle_age]
                by_band[band] = by_band.get(band, Fraction(0)) + both * year_share
    for band, share in by_band.items():
        if share:
            for rating, within in enumerate(_RISK_RATING.shares(band)):
                totals[rating] += share * within
    return dict(zip(RISK_RATINGS, totals, strict=True))


@VEHICLES.rule(
    "risk_rating",
    "Low or Medium for Personal, Medium or High for Commercial",
    streams=("vehicle.risk_rating",),
    lookups=(load("risk_odds"),),
    depends_on=("person.lob_type", "person.date_of_birth", "vehicle.model_year"),
    distribution="odds by line of business, age band and vehicle age band",
    source=_RISK.source,
)
def risk_rating(block: Block) -> Column:
    vehicle_age = np.int32(_LARGEST_VEHICLE_AGE) - _year_codes(block)
    age = persons.ages(block) - np.int32(persons.AGES[0])
    _, ages, vehicle_ages = _RISK_BANDS.shape
    band = _RISK_BANDS.take(
        (persons.lob_codes(block) * np.int32(ages) + age) * np.int32(vehicle_ages) + vehicle_age
    )
    codes = _RISK_RATING.codes(high32(block.draws("vehicle.risk_rating")), band)
    return Categorical(divmod_array(codes, len(RISK_RATINGS))[1], _RISK_CATEGORIES)


# --- copies ------------------------------------------------------------------------------------------


@VEHICLES.rule("lob_type", "The person's line of business", role="copy", depends_on=("person.lob_type",))
def lob_type(block: Block) -> Column:
    return persons.lob_type(block)


@VEHICLES.rule("garaging_state", "The person's state", role="copy", depends_on=("person.state",))
def garaging_state(block: Block) -> Column:
    return persons.state(block)


@VEHICLES.rule(
    "garaging_postal_code", "The person's postal code", role="copy", depends_on=("person.postal_code",)
)
def garaging_postal_code(block: Block) -> Column:
    return persons.postal_code(block)


@VEHICLES.rule("synthetic_source", "The synthetic marker, the same on every row", role="marker")
def synthetic_source(block: Block) -> Column:
    return persons.synthetic_source(block)


# --- VIN ---------------------------------------------------------------------------------------------

_VIN_STREAM = "vehicle.vin"
# 33 characters, base-33 digits as well: the letters I, O and Q are in no VIN (49 CFR 565.13).
_VIN_CHARACTERS = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
# The value of each character and the weight of each position in the check digit, and the code of each
# model year (49 CFR 565.15, tables III to VI).
_VIN_VALUES = dict(
    zip(_VIN_CHARACTERS, [*range(10), *range(1, 9), 1, 2, 3, 4, 5, 7, 9, *range(2, 10)], strict=True)
)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CHECK_DIGITS = b"0123456789X"
_YEAR_CODES = dict(zip(range(2001, 2031), "123456789ABCDEFGHJKLMNPRSTVWXY", strict=True))
_FIRST_LETTER_YEAR = 2010  # position 7 is a letter from this model year on, a digit before
_BODY_LETTERS = {"Sedan": ("1", "A"), "SUV": ("2", "B"), "Truck": ("3", "C")}
_DIGITS = 100_000  # positions 13 to 17 hold the remainder by this
_BASE = 33
# Characters are put together eight at a time, as words, and the check sum with them: its parts, each
# below 11, add up in the byte where the check digit will stand.
_WORD = np.dtype("<u8")
_VIN_FIELDS = np.dtype(
    {
        "names": ["first", "second", "last"],
        "formats": [_WORD, _WORD, np.uint8],
        "offsets": [0, 8, 16],
        "itemsize": 17,
    }
)
_VALUE_OF_BYTE = np.zeros(128, dtype=np.int32)
_VALUE_OF_BYTE[[ord(c) for c in _VIN_VALUES]] = list(_VIN_VALUES.values())
_CHECK_POSITION = 9


def _ascii(texts: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8).reshape(len(texts), -1)


class _Characters:
    """Some characters of a VIN for every value of a code: `first` holds positions 1 to 8, `second` 9 to 16.

    The lowest byte of `second` holds their part of the check sum; all other positions are zero. `last` is
    position 17.
    """

    def __init__(self, *runs: tuple[int, Sequence[str] | NDArray[np.uint8]]) -> None:
        """Take the position (1 to 17) of each run, and its characters for each value of the code: texts, or ASCII."""
        text = np.zeros((len(runs[0][1]), 17), dtype=np.uint8)
        sums = np.zeros(len(text), dtype=np.int32)
        for position, texts in runs:
            matrix = texts if isinstance(texts, np.ndarray) else _ascii(texts)
            places = slice(position - 1, position - 1 + matrix.shape[1])
            text[:, places] = matrix
            sums += _VALUE_OF_BYTE[matrix] @ np.array(_VIN_WEIGHTS[places], dtype=np.int32)
        text[:, _CHECK_POSITION - 1] = sums % len(_CHECK_DIGITS)
        words = np.ascontiguousarray(text[:, :16]).view(_WORD)
        self.first, self.second = np.ascontiguousarray(words.T)
        self.last = text[:, 16].copy()


_VIN_MODELS = _Characters(
    (
        1,
        [
            f"0{make_code}{model_code}"
            for make_code, model_code in zip(
                _MODELS.texts("make_code"), _MODELS.texts("model_code"), strict=True
            )
            for _ in MODEL_YEARS
        ],
    ),
    (7, [_BODY_LETTERS[body][year >= _FIRST_LETTER_YEAR] for body in _MODEL_BODIES for year in MODEL_YEARS]),
    (10, [_YEAR_CODES[year] for _ in _MODEL_BODIES for year in MODEL_YEARS]),
)
_PAIRS = [first + second for first in _VIN_CHARACTERS for second in _VIN_CHARACTERS]
_VIN_11_12 = _Characters((11, _PAIRS))
_VIN_6_8 = _Characters((6, [pair[0] for pair in _PAIRS]), (8, [pair[1] for pair in _PAIRS]))
_VIN_13_16 = _Characters((13, FOUR_DIGITS.view(np.uint8).reshape(-1, 4)))
_VIN_17 = _Characters((17, "0123456789"))
# By the sum of five parts: the check digit (49 CFR 565.15) in the byte that held the sum.
_VIN_CHECKS = np.array(
    [_CHECK_DIGITS[n % len(_CHECK_DIGITS)] for n in range(5 * len(_CHECK_DIGITS))], dtype=_WORD
)


@VEHICLES.rule(
    "vin",
    "0 (a region assigned to nobody), make and model in positions 2 to 5, body style in 7, check digit in 9 and year "
    "code in 10 of 49 CFR 565.15; the keyed permutation of the index in the rest: unique within a seed",
    role="unique",
    permutation=_VIN_STREAM,
    lookups=(load("vehicle_models"),),
    depends_on=("vehicle.model", "vehicle.model_year"),
)
def vin(block: Block) -> Column:
    letters, digits = divmod_array(block.permuted(_VIN_STREAM), _DIGITS)
    p6_8, p11_12 = divmod_array(letters, _BASE * _BASE)
    p13_16, p17 = divmod_array(digits, 10)
    vehicle = model_and_year_codes(block)
    second = _VIN_MODELS.second.take(vehicle)
    for characters, codes in ((_VIN_6_8, p6_8), (_VIN_11_12, p11_12), (_VIN_13_16, p13_16), (_VIN_17, p17)):
        second += characters.second.take(codes)
    sums = second & np.uint64(0xFF)
    text = np.empty((block.count, 17), dtype=np.uint8)
    parts = text.reshape(-1).view(_VIN_FIELDS)
    parts["first"] = _VIN_MODELS.first.take(vehicle) | _VIN_6_8.first.take(p6_8)
    parts["second"] = second ^ sums | _VIN_CHECKS.take(sums)
    parts["last"] = _VIN_17.last.take(p17)
    return FixedText(text)


def vin_index(seed: int, vin: str) -> int:
    """Return the index that a VIN of this seed holds: the inverse of positions 6, 8, 11, 12 and 13 to 17."""
    letters = 0
    for position in (6, 8, 11, 12):  # most significant first
        letters = letters * _BASE + _VIN_CHARACTERS.index(vin[position - 1])
    permuted = letters * _DIGITS + int(vin[12:])
    return int(unpermute(seed, _VIN_STREAM, np.array([permuted], dtype=np.uint64))[0])


def _prefix_shares() -> dict[str, Fraction]:
    return _sum_by([f"0{code}" for code in _MODELS.texts("make_code")], _model_shares_by_row())


VEHICLES.statistics = (
    Statistic("makes", "make", ValueTally, _make_shares),
    Statistic("models", "model", ValueTally, _model_shares),
    Statistic("vin_prefixes", "vin", PrefixTally, _prefix_shares),
    Statistic("model_years", "model_year", ValueTally, _year_shares, ordered=True),
    Statistic("model_year_bands", "model_year", BandTally),
    Statistic("risk_ratings", "risk_rating", ValueTally, risk_shares),
    Statistic("lines_of_business", "lob_type", ValueTally, persons.lob_shares),
    Statistic("states", "garaging_state", ValueTally, persons.state_shares),
)
