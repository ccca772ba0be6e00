"""Values that the schema forbids, near the border and far from it."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from operator import mul
from typing import Any, Final

from esdh_core.columns import day_number
from esdh_core.overlay import Dice

from esdh_plan.defects.kind import Kind, Making, Misfit, Target, each_value

__all__ = ["KINDS"]

_INT64 = 1 << 63
_UNIX_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAYS = (day_number(dt.date(1, 1, 1)), day_number(dt.date(9999, 12, 31)))
_DAY = 86_400
# What a column of each type can hold, as its numbers.
_ROOM: Final = {
    "integer": (-_INT64, _INT64 - 1),
    "decimal": (1 - 10**18, 10**18 - 1),
    "date": _DAYS,
    "timestamp": (_DAYS[0] * _DAY, _DAYS[1] * _DAY),
}
# How far past the border the far values are.
_FAR: Final = {"date": 100 * 365, "timestamp": 100 * 365 * _DAY}


def _out_of_range(target: Target) -> Making:
    if target.type not in _ROOM:
        raise Misfit("is for numbers, dates and timestamps")
    (low, high), (least, most) = target.bounds, _ROOM[target.type]
    far = _FAR.get(target.type, 10 * (high - low + 1) + 1000)
    numbers = [each for each in (low - 1, high + 1, low - far, high + far) if least <= each <= most]
    if not numbers:
        raise Misfit("is for fields whose type has values that they can't have")
    values = [_value(target, each) for each in numbers]
    return Making(each_value(target, lambda _value, dice: dice.choose(values)))


def _value(target: Target, number: int) -> Any:
    """Return the value that a number stands for in a column of the target's type."""
    match target.type:
        case "decimal":
            return Decimal(number).scaleb(-target.scale)
        case "date":
            return dt.date(1970, 1, 1) + dt.timedelta(days=number)
        case "timestamp":
            return _UNIX_EPOCH + dt.timedelta(seconds=number)
    return number


def _wrong_type(target: Target) -> Making:
    if target.type not in _TEXTS:
        raise Misfit("is for fields that aren't texts")
    texts = _TEXTS[target.type]
    return Making(each_value(target, lambda value, dice: dice.choose(texts)(value)), needs_text=True)


# Texts that people and spreadsheets write where such a value is due; none reads as one.
_TEXTS: Final[dict[str, tuple[Callable[[Any], str], ...]]] = {
    "integer": (
        lambda value: f"{value} pcs",
        lambda value: f"{value},5",
        lambda _: "many",
        lambda _: "#VALUE!",
    ),
    "decimal": (
        lambda value: f"${value:f}",
        lambda value: f"{value:f}".replace(".", ",") + "-",
        lambda value: f"{value:f} EUR",
        lambda _: "#DIV/0!",
    ),
    "boolean": (
        lambda value: "Y" if value else "N",
        lambda value: "on" if value else "off",
        lambda _: "maybe",
    ),
    "date": (
        lambda value: f"{value.day:02}/{value.month:02}/{value.year:04}",
        lambda value: f"{value.day}.{value.month}.{value.year}",
        lambda value: f"{value.year:04}-{value.month + 12:02}-{value.day:02}",
        lambda value: f"{value.year:04}-02-30",
    ),
    "timestamp": (
        lambda value: f"{value.month}/{value.day}/{value.year} {value.hour}:{value.minute:02}",
        lambda value: f"{value.year:04}-{value.month:02}-{value.day:02}T25:00:00Z",
        lambda _: "yesterday",
    ),
}


def _bad_pattern(target: Target) -> Making:
    pattern = target.pattern
    if target.type != "string" or pattern is None:
        raise Misfit("is for texts with a pattern")

    def change(value: str, dice: Dice) -> str:
        misses = _near_misses(value, dice)
        first = dice.below(len(misses))
        return next((each for each in misses[first:] + misses[:first] if not pattern.search(each)), value)

    return Making(each_value(target, change))


def _near_misses(value: str, dice: Dice) -> list[str]:
    """Return texts that are nearly a value, and two that are far from it."""
    at = dice.below(len(value)) if value else 0
    return [
        value[:-1],
        f"{value}{dice.choose('0X')}",
        f"{value[:at]}{'#' if value[at : at + 1].isalnum() else '0'}{value[at + 1 :]}",
        value.swapcase(),
        f" {value}",
        "0",
        "unknown",
    ]


def _bad_enum(target: Target) -> Making:
    known = set(target.values)
    if not known:
        raise Misfit("is for texts whose values the schema lists")

    def change(value: str, dice: Dice) -> str:
        near = (
            value.swapcase(),
            value.upper(),
            f"{value} ",
            f"{value}s",
            value[:-1],
            "Other",
            "UNDEFINED",
            "?",
        )
        return str(dice.choose([each for each in near if each not in known]))

    return Making(each_value(target, change))


# --- check digits


def _luhn(text: str) -> bool:
    """Return whether the digits of a text pass Luhn's test (ISO/IEC 7812-1, annex B)."""
    digits = [int(each) for each in text if each in "0123456789"]
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])
    return len(digits) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _mod_97(text: str) -> bool:
    """Return whether a text's check digits hold as those of an IBAN or an LEI (ISO 7064, MOD 97-10)."""
    if not text.isascii() or not text.isalnum() or len(text) < 5:
        return False
    ends = (text, text[4:] + text[:4])
    return any(int("".join(str(int(each, 36)) for each in end)) % 97 == 1 for end in ends)


_VIN_VALUES = dict(
    zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "012345678912345678123457923456789"), strict=True)
)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def _vin(text: str) -> bool:
    """Return whether a VIN's ninth character is its check digit (49 CFR 565.15)."""
    if len(text) != len(_VIN_WEIGHTS) or not _VIN_VALUES.keys() >= set(text):
        return False
    values = map(_VIN_VALUES.__getitem__, text)
    total = sum(map(mul, values, _VIN_WEIGHTS))
    return text[8] == "0123456789X"[total % 11]


def _bad_check_digit(target: Target) -> Making:
    texts = target.texts if target.type == "string" else []
    check = next((each for each in (_vin, _mod_97, _luhn) if texts and all(map(each, texts))), None)
    if check is None:
        raise Misfit("is for texts with a check digit of Luhn's, of ISO 7064 MOD 97-10 or of a VIN")

    def change(value: str, dice: Dice) -> str:
        places = 2 * len(value) - 1  # each character, then each two that are neighbours
        first, step = dice.below(places), 1 + dice.below(9)
        for tried in range(places):
            at = (first + tried) % places
            if at < len(value):
                digit = value[at]
                wrong = str((int(digit) + step) % 10) if digit in "0123456789" else digit
                candidate = f"{value[:at]}{wrong}{value[at + 1 :]}"
            else:
                at -= len(value)
                candidate = f"{value[:at]}{value[at + 1]}{value[at]}{value[at + 2 :]}"
            if not check(candidate):
                return candidate
        return value

    return Making(each_value(target, change))


KINDS = (
    Kind(
        "out_of_range",
        "a value just past the field's bounds, or far past them",
        "numbers, dates and timestamps",
        _out_of_range,
    ),
    Kind(
        "wrong_type",
        "a text where a number, a date, an instant or a truth is due; for text formats only",
        "fields that aren't texts",
        _wrong_type,
    ),
    Kind(
        "bad_pattern", "a text that doesn't match the field's pattern", "texts with a pattern", _bad_pattern
    ),
    Kind(
        "bad_check_digit",
        "a digit changed, or two neighbours transposed, so that the check digit doesn't hold",
        "texts with a check digit of Luhn's, of ISO 7064 MOD 97-10 (IBAN, LEI) or of a VIN",
        _bad_check_digit,
    ),
    Kind(
        "bad_enum",
        "a text that isn't among the field's values",
        "texts whose values the schema lists",
        _bad_enum,
    ),
)
