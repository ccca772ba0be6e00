"""Values that are fine alone and wrong together."""

import calendar
import datetime as dt
import hashlib
from decimal import Decimal
from typing import Any

import numpy as np
from esdh_core.columns import Column
from esdh_core.constants import MAX_SEED
from esdh_core.dataset import Block
from esdh_core.overlay import Dice, Values
from numpy.typing import NDArray

from esdh_plan.conditions import RowNames
from esdh_plan.defects.kind import Kind, Making, Misfit, Target, each_value
from esdh_plan.errors import near

__all__ = ["KINDS", "near_dates"]

_DATED = ("date", "timestamp")


def _swapped_fields(target: Target) -> Making:
    other = target.more.get("with_")
    alike = [
        each.name
        for each, rule in zip(target.table.schema, target.table.rules, strict=True)
        if (each.type, each.scale) == (target.type, target.schema.scale)
        and each.name != target.rule.name
        and rule.role != "marker"
    ]
    if not alike:
        raise Misfit("is for a field with another of its type in the table")
    if other is None:
        raise Misfit(f"needs `with`, the field that it changes places with: {', '.join(alike)}", True)
    if other not in alike:
        raise Misfit(
            f"needs another field of its type as `with`, and {other!r} is none{near(other, alike)}", True
        )

    def edit(values: Values, _dice: Dice, _evidence: Values) -> Values:
        one, two = values
        return values if one is None or two is None else (two, one)

    return Making(edit, others=(other,))


def _shifted_date(target: Target) -> Making:
    if target.type not in _DATED:
        raise Misfit("is for dates and timestamps")

    def change(value: dt.date, dice: Dice) -> dt.date:
        centuries = (_with_year(value, value.year + years) for years in (-100, 100))
        result: dt.date = dice.choose([*near_dates(value), *(each for each in centuries if each is not None)])
        return result

    return Making(each_value(target, change))


def near_dates(value: dt.date) -> list[dt.date]:
    """Return what a date is mistaken for: a day or a year off, or with day and month exchanged."""
    dates = [_by_days(value, days) for days in (-1, 1)]
    dates += [_with_year(value, value.year + years) for years in (-1, 1)]
    if value.day <= 12:
        dates.append(value.replace(month=value.day, day=value.month))
    return [each for each in dates if each not in (None, value)]


def _by_days(value: dt.date, days: int) -> dt.date | None:
    try:
        return value + dt.timedelta(days=days)
    except OverflowError:
        return None


def _with_year(value: dt.date, year: int) -> dt.date | None:
    if not dt.MINYEAR <= year <= dt.MAXYEAR:
        return None
    return value.replace(year=year, day=min(value.day, calendar.monthrange(year, value.month)[1]))


def _time_travel(target: Target) -> Making:
    if target.type not in _DATED:
        raise Misfit("is for dates and timestamps")
    before = target.more.get("before")
    if before is None:
        raise Misfit(
            "needs `before`, the date that it comes to stand before, such as `parent.opened_on`", True
        )
    names = RowNames(target.dataset, target.table)
    try:
        kind = names.resolve(tuple(before.split("."))).kind
    except LookupError as unknown:
        raise Misfit(f"needs a date as `before`: {unknown.args[0]}", True) from None
    if kind not in _DATED:
        raise Misfit(f"needs a date as `before`, and {before!r} is of the type {kind}", True)

    def edit(values: Values, dice: Dice, evidence: Values) -> Values:
        (value,), (bound,) = values, evidence
        if value is None or bound is None or isinstance(value, str):
            return values
        earlier = _by_days(bound, -1 - dice.below(365))
        return values if earlier is None else (_of_type(earlier, value),)

    return Making(
        edit, evidence=(lambda block, rows: names.read(tuple(before.split(".")), block).take(rows),)
    )


def _of_type(day: dt.date, value: dt.date) -> dt.date:
    """Return a day, or an instant, as a value's type has it."""
    if isinstance(value, dt.datetime):
        return dt.datetime.combine(day, value.timetz())
    return day.date() if isinstance(day, dt.datetime) else day


def _stale_copy(target: Target) -> Making:
    rule, dataset = target.rule, target.dataset
    if rule.role != "copy" or rule.picked or dataset.origin(rule).role != "value":
        raise Misfit("is for fields that copy a value of a table above with one row a record")
    source = dataset.field(rule.depends_on[0])

    if not source.table.one_a_record or target.table.is_fixed:
        raise Misfit("is for fields that copy a value of a table above with one row a record")

    def read(block: Block, rows: NDArray[np.integer]) -> Column:
        """Return what the source would hold in each row's record, were the seed another: a value it might have had."""
        digest = hashlib.sha256(f"{block.seed}/{target.table.name}.{rule.name}".encode()).digest()
        earlier = dataset.block(block.start, block.count, int.from_bytes(digest[:8], "big") & MAX_SEED)
        column = source.rule.column(earlier)
        records = block.rows_of(target.table, target.table.top)
        return column.take(rows if records is None else records.take(rows))

    def edit(values: Values, _dice: Dice, evidence: Values) -> Values:
        return values if values[0] is None or evidence[0] is None else evidence

    return Making(edit, evidence=(read,))


def _wrong_total(target: Target) -> Making:
    rule = target.rule
    drawn = rule.streams or rule.permutation or rule.picked
    if target.type not in ("integer", "decimal") or rule.role != "value" or drawn:
        raise Misfit("is for numbers that are computed of others")
    low, high = target.bounds
    if low == high:
        raise Misfit("is for numbers that are computed of others")
    unit = Decimal(1).scaleb(-target.scale) if target.type == "decimal" else 1
    least, most = low * unit, high * unit

    def change(value: Any, dice: Dice) -> Any:
        totals = [value + unit, value - unit, value * 10, -value, value + 100 * unit, value - 9 * unit]
        able = [each for each in totals if least <= each <= most and each != value]
        return dice.choose(able) if able else value

    return Making(each_value(target, change))


KINDS = (
    Kind(
        "swapped_fields",
        "two fields of a row that have changed places; `with` names the other",
        "a field with another of its type in the table",
        _swapped_fields,
    ),
    Kind(
        "shifted_date",
        "a date that is a day, a year or a century off, or has day and month exchanged",
        "dates and timestamps",
        _shifted_date,
    ),
    Kind(
        "time_travel",
        "a date before another that it can't be before; `before` names that, such as `parent.opened_on`",
        "dates and timestamps",
        _time_travel,
    ),
    Kind(
        "stale_copy",
        "a copy that differs from what it is a copy of",
        "fields that copy a value of a table above with one row a record",
        _stale_copy,
    ),
    Kind(
        "wrong_total",
        "a number that isn't what it is computed of: off by little, by ten, or with the wrong sign",
        "numbers that are computed of others",
        _wrong_total,
    ),
)
