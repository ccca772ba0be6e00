"""Values that aren't there: nulls, empty texts, white space, and what people type where they know nothing."""

import datetime as dt
from decimal import Decimal
from typing import Any, Final

from esdh_core.overlay import Dice

from esdh_plan.defects.kind import Kind, Making, Misfit, Target, each_value

__all__ = ["KINDS"]

_SPACES = (" ", "  ", "   ", "\u00a0")
_PLACEHOLDERS: Final[dict[str, tuple[Any, ...]]] = {
    "string": ("N/A", "n/a", "NULL", "None", "unknown", "UNKNOWN", "TBD", "-", "?", "xxx"),
    "integer": (-1, 0, 999, 9999, 99999, 999999),
    "date": (dt.date(9999, 12, 31), dt.date(1900, 1, 1), dt.date(1970, 1, 1), dt.date(1, 1, 1)),
    "timestamp": (
        dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC),
        dt.datetime(1900, 1, 1, tzinfo=dt.UTC),
        dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
    ),
}
_DIGITS = 18  # of a decimal


def _missing(target: Target) -> Making:
    if target.schema.nullable:
        raise Misfit("is for fields that are never null")
    return Making(lambda values, dice, evidence: (None,) * len(values), may_be_null=True)  # noqa: ARG005


def _text(target: Target) -> None:
    if target.type != "string":
        raise Misfit("is for texts")


def _blank(target: Target) -> Making:
    _text(target)
    return Making(each_value(target, lambda _value, _dice: ""))


def _whitespace(target: Target) -> Making:
    _text(target)
    return Making(each_value(target, lambda _value, dice: dice.choose(_SPACES)))


def _placeholder(target: Target) -> Making:
    if target.type == "boolean":
        raise Misfit("is for every type but boolean")
    words = _PLACEHOLDERS.get(target.type) or tuple(
        Decimal(number).scaleb(-target.scale)
        for number in (-(10**target.scale), 0, 9999 * 10**target.scale, 999999 * 10**target.scale)
        if abs(number) < 10**_DIGITS
    )

    def change(value: Any, dice: Dice) -> Any:
        others = [word for word in words if word != value]
        # Of a decimal with 18 digits behind the point 0 alone is one.
        return dice.choose(others) if others else value

    return Making(each_value(target, change))


KINDS = (
    Kind("missing", "a null where none may be", "fields that are never null", _missing),
    Kind("blank", 'the empty text, `""`', "texts", _blank),
    Kind("whitespace", "white space alone", "texts", _whitespace),
    Kind(
        "placeholder",
        "`N/A`, 9999-12-31, -1: a value that stands for none",
        "every type but boolean",
        _placeholder,
    ),
)
