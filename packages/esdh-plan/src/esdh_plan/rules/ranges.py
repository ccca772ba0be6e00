"""Ranges of integers, decimals, dates and timestamps: all alike, by a distribution, or by bands."""

import decimal
import re
from typing import Any

import numpy as np
from esdh_core.columns import Column
from esdh_core.dataset import Block, memoized_per_block
from esdh_core.permutations import permute_below
from esdh_core.streams import key_word
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.arithmetic import BandDraw, alike, alike_per_row
from esdh_plan.definitions import Capacity, Definition, Formula, Place, column_of, joined
from esdh_plan.draws import Ranges
from esdh_plan.errors import display
from esdh_plan.expressions import ExpressionError, Node, ValueType, parse_date_text
from esdh_plan.expressions.types import MOST_DIGITS, RANGES

__all__ = ["bound", "date", "decimal_of", "in_units", "integer", "timestamp"]

Longs = NDArray[np.int64]
_DAY = 86_400
_DATE_LIKE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")


def integer(rule: language.Integer, place: Place) -> Definition:
    """Make whole numbers."""
    return _range(rule.integer, place.at("integer"), "integer", 0)


def decimal_of(rule: language.DecimalRule, place: Place) -> Definition:
    """Make decimals."""
    return _range(rule.decimal, place.at("decimal"), "decimal", rule.decimal.scale)


def date(rule: language.Date, place: Place) -> Definition:
    """Make dates."""
    return _range(rule.date, place.at("date"), "date", 0)


def timestamp(rule: language.Timestamp, place: Place) -> Definition:
    """Make timestamps."""
    return _range(rule.timestamp, place.at("timestamp"), "timestamp", 0)


def number_node(value: int | decimal.Decimal) -> Node:
    """Return a number that stands in the plan as a constant."""
    if isinstance(value, int):
        return Node.constant(ValueType("integer", low=value, high=value), value)
    scale = max(0, -int(value.as_tuple().exponent))
    unscaled = int(value.scaleb(scale))
    return Node.constant(ValueType("decimal", scale=scale, low=unscaled, high=unscaled), unscaled)


def bound(value: Any, place: Place, kind: str, scale: int) -> Formula:
    """Return a bound of a range, which must fit the field's kind and scale."""
    if isinstance(value, int | decimal.Decimal):
        formula = Formula(number_node(value), {}, place.of.rows)
    else:
        try:
            node = parse_date_text(value)
        except ExpressionError as error:
            place.refuse(str(error))
        if node is None and kind in ("date", "timestamp") and _DATE_LIKE.match(value):
            place.refuse(
                f"{display(value)} is no date; write it like 2024-06-01, or 2024-06-01T12:00:00Z for a timestamp, and within "
                "an expression like date(2024, 6, 1)"
            )
        formula = place.formula(value) if node is None else Formula(node, {}, place.of.rows)
    fitting = {
        "integer": ("integer",),
        "decimal": ("integer", "decimal"),
        "date": ("date",),
        "timestamp": ("date", "timestamp"),
    }
    found = formula.type
    if found.kind not in fitting[kind]:
        place.refuse(
            f"a bound of {_an(kind)} is {_an(' or a '.join(fitting[kind][::-1]))}; this is {_an(found.kind)}"
        )
    if found.scale > scale:
        place.refuse(
            f"the bound has {found.scale} digits after the point, and the field {scale}; round(x, {scale}) leaves as many"
        )
    low, high = (in_units(each, found, kind, scale) for each in found.bounds)
    least, most = RANGES[kind]  # type: ignore[index]  # the four kinds
    if low < least or high > most:
        room = (
            f"with scale {scale}, a decimal has at most {MOST_DIGITS - scale} digits before the point"
            if kind == "decimal"
            else f"an integer lies between {least} and {most}"
        )
        place.refuse(f"{display(value)} is out of range; {room}")
    return formula


def _an(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def in_units(value: Any, of: ValueType, kind: str, scale: int) -> Any:
    """Return an unscaled value of a bound's type in the units of the field."""
    if kind == "timestamp" and of.kind == "date":
        return value * _DAY
    return value * 10 ** (scale - of.scale) if scale > of.scale else value


def constant_units(formula: Formula, place: Place, kind: str, scale: int) -> int:
    """Return a bound that must be constant, in units."""
    if not formula.is_constant:
        place.refuse(
            "with a distribution, bands or `unique` a bound is constant: of numbers, dates and `today`"
        )
    return int(in_units(formula.type.bounds[0], formula.type, kind, scale))


def _range(words: Any, place: Place, kind: Any, scale: int) -> Definition:
    if words.distribution is not None:
        return _spread(words, place, kind, scale)
    first, last = place.all(
        lambda: bound(words.from_, place.at("from"), kind, scale),
        lambda: bound(words.to, place.at("to"), kind, scale),
    )
    (low, high_first), (low_last, high) = (
        tuple(in_units(each, of.type, kind, scale) for each in of.type.bounds) for of in (first, last)
    )
    if low > high:
        place.refuse("the range is empty on every row: `from` is always above `to`")
    of = ValueType(kind, first.type.nullable or last.type.nullable, scale, low, max(high_first, high))
    if place.ordered:
        _check_above(place, first, last)
    if place.unique:
        for name, each in (("from", first), ("to", last)):
            constant_units(each, place.at(name), kind, scale)
        return _unique(place, of, low, high)
    fields = joined(first.depends_on, last.depends_on)
    if first.is_constant and last.is_constant:

        def column(block: Block) -> Column:
            drawn = alike(place.words(block), high - low + 1)
            return column_of((drawn + np.uint64(low % (1 << 64))).astype(np.int64), of)

        return Definition(of, column, "All values of the range alike", streams=(place.stream,))
    most, fewest = max(high - low + 1, 1), max(low_last - high_first + 1, 1)

    def per_row(block: Block) -> Column:
        a, a_valid = _bound_values(first, block, kind, scale, low)
        b, b_valid = _bound_values(last, block, kind, scale, low)
        valid = b_valid if a_valid is None else a_valid if b_valid is None else a_valid & b_valid
        return column_of(alike_per_row(place.words(block), a, b, most, fewest), of, valid)

    return Definition(
        of, per_row, "All values of the row's range alike", streams=(place.stream,), depends_on=fields
    )


def _bound_values(formula: Formula, block: Block, kind: str, scale: int, instead: int) -> tuple[Longs, Any]:
    if formula.is_constant:
        held = in_units(formula.type.bounds[0], formula.type, kind, scale)
        return np.full(1, held, dtype=np.int64), None
    column = formula.column(block)
    values = in_units(column.values.astype(np.int64), formula.type, kind, scale)  # type: ignore[union-attr]  # its kind has numbers
    if column.valid is not None:
        values = np.where(column.valid, values, instead)
    return values, column.valid


def _check_above(place: Place, *bounds: Formula) -> None:
    for formula in bounds:
        own = [path for path in formula.node.names if not formula.references[path].above]
        if own:
            place.refuse(
                f"the bounds of an `ordered` field are of constants and rows above; {'.'.join(own[0])!r} is none"
            )


def _unique(place: Place, of: ValueType, low: int, high: int) -> Definition:
    capacity = high - low + 1
    stream = place.stream

    def at_slots(block: Block, slots: Any) -> Column:
        number = permute_below(np.uint64(block.seed ^ key_word(stream)), slots, capacity)
        return column_of(number.astype(np.int64) + np.int64(low), of)

    return Definition(
        of,
        lambda block: at_slots(block, block.level(place.of.table).slots),
        "All values of the range, each once",
        role="unique",
        permutation=stream,
        at_slots=at_slots,
        capacity=Capacity(capacity, lambda needed: f"a range of at least {needed:,} values would do"),
    )


def _spread(words: Any, place: Place, kind: Any, scale: int) -> Definition:
    """Make values by a distribution or by bands."""
    if place.unique:
        place.refuse("`unique` is for values that are all alike; take the distribution out")
    if kind != "integer":
        for name in ("zipf", "poisson", "geometric"):
            if getattr(words, name) is not None:
                place.at(name).refuse(f"{name} is for integers and counts; this is {_an(kind)}")

    def units(value: Any, at: Place) -> int:
        return constant_units(bound(value, at, kind, scale), at, kind, scale)

    draw = BandDraw(place.compiler.bands(words, place, units, scale, kind))
    of = ValueType(kind, False, scale, draw.bands[0].first, draw.bands[-1].last)

    @memoized_per_block
    def column(block: Block) -> Column:
        return column_of(draw.draw(place.words(block)), of)

    return Definition(
        of,
        column,
        f"By the distribution {words.distribution}" if words.distribution != "bands" else "By bands",
        streams=(place.stream,),
        bands=draw,
        draws=(Ranges(draw.bands, of).outcomes(column),),
    )
