"""The rule `vin`, which a plan takes with `uses: [esdh-plan]`: VINs of cars that were never built.

As the first dataset's (contract, section 2), over any table of makes and models: position 1 is `0`, which is assigned to no region.
"""

from typing import Annotated, Any, Final

import numpy as np
from esdh_core.columns import Column, FixedText
from esdh_core.dataset import Block
from esdh_core.permutations import permute_below
from esdh_core.streams import key_word
from msgspec import Meta, Struct
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.branches import CodedTexts, coded
from esdh_plan.definitions import Capacity, Definition, Place, Reference, Words
from esdh_plan.expressions import ValueType

__all__ = ["Vin", "offer"]

# 33 characters, base-33 digits as well: the letters I, O and Q are in no VIN (49 CFR 565.13). The values of
# characters, the weights of positions and the codes of model years are those of 49 CFR 565.15, tables III to VI.
_CHARACTERS: Final = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
_VALUES: Final = [*range(10), *range(1, 9), 1, 2, 3, 4, 5, 7, 9, *range(2, 10)]
_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CHECK_DIGITS: Final = np.frombuffer(b"0123456789X", dtype=np.uint8)
_YEAR_CODES: Final = np.frombuffer(b"ABCDEFGHJKLMNPRSTVWXY123456789", dtype=np.uint8)
_FIRST_YEAR, _LAST_YEAR = 1980, 2039
_FIRST_LETTER_YEAR: Final = 2010  # position 7 is a letter from this model year on, a digit before
_BODIES: Final = "12345678"
_DIGITS: Final = 100_000  # positions 13 to 17 hold the remainder by this
_SERIAL: Final = (6, 8, 11, 12)  # positions, most significant first
_CAPACITY: Final = len(_CHARACTERS) ** len(_SERIAL) * _DIGITS
_LENGTH: Final = 17
_PATTERN: Final = "^0[0-9A-HJ-NPR-Z]{7}[0-9X][0-9A-HJ-NPR-Z]{3}[0-9]{5}$"

_VALUE_OF_BYTE = np.zeros(128, dtype=np.int32)
_VALUE_OF_BYTE[[ord(each) for each in _CHARACTERS]] = _VALUES
_CHARACTER_OF_DIGIT = np.frombuffer(_CHARACTERS.encode(), dtype=np.uint8)


class VinWords(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the characters of a VIN say of its car."""

    make: Annotated[
        language.Reference, Meta(description="A coded field: two characters of a VIN, for the make.")
    ]
    model: Annotated[
        language.Reference, Meta(description="A coded field: two characters of a VIN, for the model.")
    ]
    body: Annotated[
        language.Reference | None, Meta(description="A coded field: a digit from 1 to 8, for the body.")
    ] = None
    model_year: Annotated[
        language.Reference, Meta(description=f"An integer from {_FIRST_YEAR} to {_LAST_YEAR}.")
    ]


class Vin(language.Rule, frozen=True):
    """A VIN (49 CFR 565) with a valid check digit, of no real region, each once."""

    vin: VinWords


def column_of(rule: Vin, place: Place) -> Definition:
    """Make the VINs of cars."""
    place = place.at("vin")
    words = rule.vin
    make, model, body, year = place.all(
        lambda: _codes(place.at("make"), words.make, 2, _CHARACTERS),
        lambda: _codes(place.at("model"), words.model, 2, _CHARACTERS),
        lambda: None if words.body is None else _codes(place.at("body"), words.body, 1, _BODIES),
        lambda: _year(place.at("model_year"), words.model_year),
    )
    stream, references = place.stream, [each for each in (make, model, body, year) if each is not None]
    texts = CodedTexts()

    def column(block: Block) -> Column:
        slots: Words = block.level(place.of.table).slots
        numbers = permute_below(np.uint64(block.seed ^ key_word(stream)), slots, _CAPACITY)
        text = np.full((len(slots), _LENGTH), ord("0"), dtype=np.uint8)
        text[:, 1:3] = texts.of(make.read(block))
        text[:, 3:5] = texts.of(model.read(block))
        years = _numbers(year.read(block))
        bodies = np.uint8(ord("1")) if body is None else texts.of(body.read(block))[:, 0]
        text[:, 6] = bodies + np.where(years >= _FIRST_LETTER_YEAR, ord("A") - ord("1"), 0).astype(np.uint8)
        text[:, 9] = _YEAR_CODES.take((years - _FIRST_YEAR) % len(_YEAR_CODES))
        _write(text, numbers)
        sums = _VALUE_OF_BYTE.take(text) @ np.array(_WEIGHTS, dtype=np.int32)
        text[:, 8] = _CHECK_DIGITS.take(sums % len(_CHECK_DIGITS))
        return FixedText(text)

    return Definition(
        ValueType("string", length=_LENGTH),
        column,
        "0 (a region assigned to nobody), make and model in positions 2 to 5, body in 7, check digit in 9 and year code in "
        "10 of 49 CFR 565.15; the keyed permutation of the slot in the rest: unique within a seed",
        role="unique",
        permutation=stream,
        depends_on=tuple(dict.fromkeys(each.field for each in references if each.field)),
        lookups=tuple({lookup.table: lookup for each in references for lookup in each.lookups}.values()),
        pattern=_PATTERN,
        capacity=Capacity(_CAPACITY, lambda _: "fewer rows a record would do"),
    )


def _codes(place: Place, name: str, length: int, characters: str) -> Reference:
    found = coded(place, name)
    if found.type.kind != "string" or found.type.nullable or not found.type.labels:
        place.refuse(f"{name!r} must be text that is known when the plan is loaded, and never null")
    wrong = next(
        (
            each
            for each in found.type.labels
            if len(str(each)) != length or not set(str(each)) <= set(characters)
        ),
        None,
    )
    if wrong is not None:
        characters = (
            "a digit from 1 to 8"
            if length == 1
            else f"{length} characters of a VIN, 0-9 and A-Z without I, O, Q"
        )
        place.refuse(f"{name!r} can be {wrong!r}; expected {characters}")
    return found


def _year(place: Place, name: str) -> Reference:
    found = place.reference(name)
    if found.type.kind != "integer" or found.type.nullable:
        place.refuse(f"{name!r} must be an integer, and never null")
    low, high = found.type.bounds
    if low < _FIRST_YEAR or high > _LAST_YEAR:
        place.refuse(
            f"{name!r} is from {low} to {high}; a VIN tells years from {_FIRST_YEAR} to {_LAST_YEAR}"
        )
    return found


def _numbers(column: Column) -> NDArray[np.int64]:
    years: Any = column
    values: NDArray[np.int64] = years.values.astype(np.int64)
    return values


def _write(text: NDArray[np.uint8], numbers: Words) -> None:
    """Write the permuted slot: its remainder into 13 to 17, then base 33 into 12, 11, 8, 6, least significant first."""
    letters, digits = numbers // np.uint64(_DIGITS), numbers % np.uint64(_DIGITS)
    for position in range(_LENGTH, _LENGTH - 5, -1):
        text[:, position - 1] = ord("0") + (digits % np.uint64(10)).astype(np.uint8)
        digits //= np.uint64(10)
    for position in reversed(_SERIAL):
        text[:, position - 1] = _CHARACTER_OF_DIGIT.take((letters % np.uint64(33)).astype(np.intp))
        letters //= np.uint64(33)


offer = language.Offer(Vin, column_of)
