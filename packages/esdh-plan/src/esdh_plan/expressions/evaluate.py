"""Typed nodes computed over columns, a block at a time: NumPy on numbers, `strings` on text.

Numbers are worked on as int64 with truths of which rows have a value. Where bounds don't fit (within round() and
in comparisons of scales alone) they are worked on as Python's integers, slowly and exactly: the bounds decide it,
so that all blocks are of one kind. A row without a value holds one within the bounds, so that nothing overflows.
"""

import datetime as dt
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from esdh_core.columns import (
    Boolean,
    Categorical,
    Column,
    Concat,
    Date,
    Decimal,
    FixedText,
    Integer,
    Numbers,
    Text,
    Timestamp,
)
from numpy.typing import NDArray

from esdh_plan.expressions import strings
from esdh_plan.expressions.strings import COMPARISONS, Mask
from esdh_plan.expressions.types import DAY, INT64, Node, Path

__all__ = ["constant_value", "evaluate"]

Lookup = Callable[[Path], Column]


class Vector(NamedTuple):
    """Values, one a row or one for all, and which rows have one (None: all)."""

    values: NDArray[Any]
    valid: Mask | None


def evaluate(node: Node, lookup: Lookup, rows: int) -> Column:
    """Return the values of an expression on `rows` rows; `lookup` gives the column of a path, of as many.

    The class of the column follows from the node and the classes (and widths) of the columns that it reads.
    """
    if isinstance(node.value, tuple):
        return lookup(node.value)
    evaluation = _Evaluation(lookup, rows)
    if node.type.kind == "string":
        return strings.as_column(evaluation.text(node), rows)
    values, valid = evaluation.numbers(node)
    if len(values) != rows:
        values = np.repeat(values, rows)
    if valid is not None and len(valid) != rows:
        valid = np.repeat(valid, rows)
    return _column(node, values, valid)


def constant_value(node: Node) -> str | int:
    """Return the value of an expression that reads nothing, unscaled if it is a number."""

    def nothing(path: Path) -> Column:
        raise LookupError(path)

    evaluation = _Evaluation(nothing, 1)
    if node.type.kind == "string":
        text = evaluation.text(node)
        return text if isinstance(text, str) else str(text.tolist()[0])
    return int(evaluation.numbers(node).values[0])


def _column(node: Node, values: NDArray[Any], valid: Mask | None) -> Column:
    low, high = node.type.bounds
    match node.type.kind:
        case "boolean":
            return Boolean(values.astype(np.bool_), 0, 1, valid)
        case "date":
            return Date(values.astype(np.int32), low, high, valid)
        case "timestamp":
            return Timestamp(values.astype(np.int64), low, high, valid)
        case "decimal":
            return Decimal(values.astype(np.int64), low, high, valid, node.type.scale)
        case _:
            return Integer(values.astype(np.int64), low, high, valid)


class _Evaluation:
    """One evaluation: what has been computed of a node is kept, for nodes that stand at several places."""

    def __init__(self, lookup: Lookup, rows: int) -> None:
        self.lookup = lookup
        self.rows = rows
        self._numbers: dict[int, Vector] = {}
        self._texts: dict[int, strings.Operand] = {}
        self._names: dict[Path, Vector] = {}

    def numbers(self, node: Node) -> Vector:
        """Return the values of a node that isn't text."""
        if id(node) not in self._numbers:
            self._numbers[id(node)] = _NUMBERS[node.op](self, node)
        return self._numbers[id(node)]

    def text(self, node: Node) -> strings.Operand:
        """Return the values of a text; a constant as itself."""
        if id(node) not in self._texts:
            self._texts[id(node)] = _TEXTS[node.op](self, node)
        return self._texts[id(node)]

    def valid(self, node: Node) -> Mask | None:
        """Return which rows of a node have a value, None where all have."""
        if not node.type.nullable:
            return None
        if node.type.kind != "string":
            return self.numbers(node).valid
        text = self.text(node)
        return None if isinstance(text, str) else strings.valid_rows(text)

    def named(self, node: Node) -> Vector:
        """Return the numbers that a path names."""
        path = node.value
        if not isinstance(path, tuple):
            raise TypeError(f"{path!r} is no path")
        if path not in self._names:
            column = self.lookup(path)
            if not isinstance(column, Numbers):
                raise TypeError(f"{'.'.join(path)} is a {type(column).__name__}, not {node.type.kind}")
            values: NDArray[Any] = column.values.astype(
                np.bool_ if node.type.kind == "boolean" else np.int64, copy=False
            )
            valid = column.valid if node.type.nullable else None
            if valid is not None:
                values = np.where(valid, values, values.dtype.type(node.type.bounds[0]))
            self._names[path] = Vector(values, valid)
        return self._names[path]

    def column(self, node: Node) -> strings.Column:
        """Return the values of a text as a column."""
        return strings.as_column(self.text(node), self.rows)


Compute = Callable[[_Evaluation, Node], Vector]
_NUMBERS: dict[str, Compute] = {"name": _Evaluation.named}
_TEXTS: dict[str, Callable[[_Evaluation, Node], strings.Operand]] = {}


def _number(*ops: str) -> Callable[[Compute], Compute]:
    def bind(compute: Compute) -> Compute:
        _NUMBERS.update(dict.fromkeys(ops, compute))
        return compute

    return bind


def _both(*valids: Mask | None) -> Mask | None:
    """Return the rows on which all have a value."""
    known = [valid for valid in valids if valid is not None]
    if not known:
        return None
    first, *others = known
    for other in others:
        first = first & other
    return first


# --- numbers


@_number("const")
def _constant(_: _Evaluation, node: Node) -> Vector:
    if node.type.kind == "boolean":
        return Vector(np.array([bool(node.value)]), None)
    return Vector(np.array([node.value], dtype=np.int64 if node.type.fits_int64 else object), None)


def _reckoned(of: _Evaluation, node: Node, compute: Callable[..., NDArray[Any]]) -> Vector:
    """Return what `compute` makes of the arguments' values: null where one is, exact whatever the bounds are."""
    vectors = [of.numbers(each) for each in node.args]
    values: list[NDArray[Any]] = [each.values for each in vectors]
    valid = _both(*(each.valid for each in vectors))
    if not all(each.type.fits_int64 for each in (node, *node.args)):
        values = [each.astype(object) for each in values]
    return Vector(_narrowed(node, compute(*values)), valid)


def _narrowed(node: Node, values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.int64) if values.dtype == object and node.type.fits_int64 else values


@_number("add")
def _add(of: _Evaluation, node: Node) -> Vector:
    return _reckoned(of, node, np.add)


@_number("sub")
def _sub(of: _Evaluation, node: Node) -> Vector:
    return _reckoned(of, node, np.subtract)


@_number("mul")
def _mul(of: _Evaluation, node: Node) -> Vector:
    return _reckoned(of, node, np.multiply)


@_number("floordiv")
def _floordiv(of: _Evaluation, node: Node) -> Vector:
    return _reckoned(of, node, np.floor_divide)


@_number("mod")
def _mod(of: _Evaluation, node: Node) -> Vector:
    return _reckoned(of, node, np.mod)


@_number("neg")
def _neg(of: _Evaluation, node: Node) -> Vector:
    return _reckoned(of, node, np.negative)


@_number("scale")
def _scale(of: _Evaluation, node: Node) -> Vector:
    """Return the values in a finer unit, which by itself may not fit."""
    factor = np.array([node.value], dtype=np.int64 if int(str(node.value)) <= INT64[1] else object)
    return _reckoned(of, node, lambda values: values * factor)


@_number("round")
def _round(of: _Evaluation, node: Node) -> Vector:
    """Return a / b, b above 0, rounded half to even."""

    def compute(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        quotient = a // b
        rest = a - quotient * b
        other = b - rest
        up = (rest > other) | ((rest == other) & (quotient % 2 == 1))
        rounded: NDArray[Any] = np.add(quotient, up)
        return rounded

    return _reckoned(of, node, compute)


# --- times


_FEW_TIMES = 4_096  # times: fewer are worked out one by one, without a table of all that there can be
_MOST_TEXTS = 1 << 14  # of a range of integers that is written out once
_MOST_DAYS = 200_000  # that a table is made for: five centuries

Days = NDArray[np.int64]


def _days(node: Node, values: NDArray[Any]) -> Days:
    return values // DAY if node.type.kind == "timestamp" else values


def _months_of(node: Node, days: Days) -> tuple[Days, Days]:
    """Return the months from 1970-01 to the month of each day of a node, and the day's number in it, from 0."""
    low, high = node.type.bounds
    if node.type.kind == "timestamp":
        low, high = low // DAY, high // DAY
    if len(days) < _FEW_TIMES or high - low > _MOST_DAYS:
        return _calendar_of(days)
    months, day = _calendar(low, high)
    return months.take(days - low), day.take(days - low)


@lru_cache(maxsize=16)
def _calendar(low: int, high: int) -> tuple[Days, Days]:
    return _calendar_of(np.arange(low, high + 1, dtype=np.int64))


def _calendar_of(days: Days) -> tuple[Days, Days]:
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    return months.astype(np.int64), days - months.astype("datetime64[D]").astype(np.int64)


_FIRST_MONTH = (dt.MINYEAR - 1970) * 12


@lru_cache(maxsize=1)
def _beginnings() -> Days:
    """Return the first day of every month from the year 1 to 9999, and of the one after them."""
    months = np.arange(_FIRST_MONTH, (dt.MAXYEAR + 1 - 1970) * 12 + 1, dtype=np.int64)
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _first_days(months: Days) -> Days:
    return _beginnings().take(months - _FIRST_MONTH)


@_number("months")
def _months(of: _Evaluation, node: Node) -> Vector:
    def compute(times: NDArray[Any], by: NDArray[Any]) -> NDArray[Any]:
        days = _days(node, times)
        months, day = _months_of(node.args[0], days)
        first, after = _first_days(months + by), _first_days(months + by + 1)
        later: NDArray[Any] = first + np.minimum(day, after - first - 1)
        return later if node.type.kind == "date" else later * DAY + (times - days * DAY)

    return _reckoned(of, node, compute)


@_number("date")
def _date(of: _Evaluation, node: Node) -> Vector:
    return _reckoned(of, node, lambda y, m, d: _first_days((y - 1970) * 12 + m - 1) + d - 1)


@_number("year")
def _year(of: _Evaluation, node: Node) -> Vector:
    return _reckoned(
        of, node, lambda times: _months_of(node.args[0], _days(node.args[0], times))[0] // 12 + 1970
    )


@_number("age")
def _age(of: _Evaluation, node: Node) -> Vector:
    def compute(born: NDArray[Any], on: NDArray[Any]) -> NDArray[Any]:
        (born_months, born_day), (months, day) = (
            _months_of(arg, _days(arg, times)) for arg, times in zip(node.args, (born, on), strict=True)
        )
        # Whole months, the last one not full before its day; 12 of them are a year, down also where it is below 0.
        full: NDArray[Any] = (months - born_months - (day < born_day)) // 12
        return full

    return _reckoned(of, node, compute)


# --- truths


def _is_text(node: Node) -> bool:
    return node.type.kind == "string"


@_number(*COMPARISONS)
def _compare(of: _Evaluation, node: Node) -> Vector:
    a, b = node.args
    if _is_text(a):
        holds = strings.compared(node.op, of.text(a), of.text(b), of.rows)
        return Vector(holds, _both(of.valid(a), of.valid(b)))
    x, y = of.numbers(a), of.numbers(b)
    return Vector(COMPARISONS[node.op](x.values, y.values), _both(x.valid, y.valid))


@_number("in")
def _in(of: _Evaluation, node: Node) -> Vector:
    value, *among = node.args
    constants = [each.value for each in among if each.is_constant and isinstance(each.value, str)]
    if len(constants) == len(among):
        found = strings.contained(of.text(value), constants)
        if found is not None:
            return Vector(found, of.valid(value))
    equal = [_compare(of, Node.of("eq", node.type, value, each)) for each in among]
    return _any(equal)


def _any(truths: list[Vector]) -> Vector:
    """Return `or` of truths: true where one is, else null where one is."""
    if all(each.valid is None for each in truths):
        return Vector(np.logical_or.reduce(np.broadcast_arrays(*(each.values for each in truths))), None)
    true = [each.values if each.valid is None else each.values & each.valid for each in truths]
    whole = np.logical_or.reduce(np.broadcast_arrays(*true))
    valid = _both(*(each.valid for each in truths))
    return Vector(whole, whole if valid is None else whole | valid)


@_number("or")
def _or(of: _Evaluation, node: Node) -> Vector:
    return _any([of.numbers(each) for each in node.args])


@_number("and")
def _and(of: _Evaluation, node: Node) -> Vector:
    """Return `and` of truths: not (not a or not b)."""
    whole = _any([_opposite(of.numbers(each)) for each in node.args])
    return _opposite(whole)


@_number("not")
def _not(of: _Evaluation, node: Node) -> Vector:
    return _opposite(of.numbers(node.args[0]))


def _opposite(truth: Vector) -> Vector:
    return Vector(~truth.values, truth.valid)


@_number("isnull")
def _isnull(of: _Evaluation, node: Node) -> Vector:
    valid = of.valid(node.args[0])
    return Vector(np.zeros(1, dtype=np.bool_) if valid is None else ~valid, None)


def _met(of: _Evaluation, condition: Node) -> Mask:
    """Return where a condition holds: where it is null it doesn't."""
    values, valid = of.numbers(condition)
    return values if valid is None else values & valid


# --- one of several


def _where(first: Mask, a: Vector, b: Vector) -> Vector:
    valid = None
    if a.valid is not None or b.valid is not None:
        valid = np.where(first, True if a.valid is None else a.valid, True if b.valid is None else b.valid)
    return Vector(np.where(first, a.values, b.values), valid)


@_number("if")
def _if(of: _Evaluation, node: Node) -> Vector:
    condition, a, b = node.args
    result = _where(_met(of, condition), of.numbers(a), of.numbers(b))
    return Vector(_narrowed(node, result.values), result.valid)


@_number("coalesce")
def _coalesce(of: _Evaluation, node: Node) -> Vector:
    first, *others = (of.numbers(each) for each in node.args)
    for other in others:
        if first.valid is None:
            break
        first = _where(first.valid, first, other)
    return Vector(_narrowed(node, first.values), first.valid if node.type.nullable else None)


@_number("min", "max")
def _extreme(of: _Evaluation, node: Node) -> Vector:
    vectors = [of.numbers(each) for each in node.args]
    better = np.minimum if node.op == "min" else np.maximum
    values = vectors[0].values
    for other in vectors[1:]:
        values = better(values, other.values)
    return Vector(_narrowed(node, values), _both(*(each.valid for each in vectors)))


# --- text

Write = Callable[[_Evaluation, Node], strings.Operand]


def _writes(*ops: str) -> Callable[[Write], Write]:
    def bind(write: Write) -> Write:
        _TEXTS.update(dict.fromkeys(ops, write))
        return write

    return bind


@_writes("const")
def _constant_text(_: _Evaluation, node: Node) -> strings.Operand:
    return str(node.value)


@_writes("name")
def _named_text(of: _Evaluation, node: Node) -> strings.Operand:
    path = node.value
    if not isinstance(path, tuple):
        raise TypeError(f"{path!r} is no path")
    column = of.lookup(path)
    if not isinstance(column, Categorical | FixedText | Text | Concat):
        raise TypeError(f"{'.'.join(path)} is a {type(column).__name__}, not a string")
    return column


@_writes("concat")
def _concat(of: _Evaluation, node: Node) -> strings.Operand:
    a, b = (of.text(each) for each in node.args)
    if isinstance(a, str) and isinstance(b, str):
        return a + b
    return strings.joined(a, b, of.rows)


@_writes("lower")
def _lower(of: _Evaluation, node: Node) -> strings.Operand:
    return strings.lower(of.text(node.args[0]))


@_writes("upper")
def _upper(of: _Evaluation, node: Node) -> strings.Operand:
    return strings.upper(of.text(node.args[0]))


@_writes("ascii")
def _ascii(of: _Evaluation, node: Node) -> strings.Operand:
    return strings.ascii_only(of.text(node.args[0]))


@_writes("luhn")
def _luhn(of: _Evaluation, node: Node) -> strings.Operand:
    return strings.luhn(of.column(node.args[0]))


def _count(of: _Evaluation, node: Node) -> tuple[strings.Count, Mask | None]:
    """Return a number of characters: one for all rows, or one a row."""
    if node.is_constant and isinstance(node.value, int):
        return node.value, None
    values, valid = of.numbers(node)
    return np.broadcast_to(values, of.rows), valid


@_writes("left", "right")
def _part(of: _Evaluation, node: Node) -> strings.Operand:
    count, valid = _count(of, node.args[1])
    part = (strings.left if node.op == "left" else strings.right)(of.column(node.args[0]), count)
    return part if valid is None else part.masked(valid)


@_writes("pad")
def _pad(of: _Evaluation, node: Node) -> strings.Operand:
    (value, _), fill = node.args, str(node.value)
    count, valid = _count(of, node.args[1])
    if value.type.kind == "string":
        padded = strings.padded(of.column(value), count, fill)
    else:
        numbers = of.numbers(value)
        values, valid = np.broadcast_to(numbers.values, of.rows), _both(valid, numbers.valid)
        low, high = value.type.bounds
        digits = len(str(high))
        if low >= 0 and isinstance(count, int) and digits <= count and strings.is_plain(fill):
            padded = strings.padded_digits(values, digits, count, fill)
        elif isinstance(count, int) and high - low < _MOST_TEXTS:
            places = values - low if valid is None else np.where(valid, values - low, 0)
            padded = Categorical(places, strings.padded_range(low, high, count, fill))
        else:
            padded = strings.padded(strings.integers(values), count, fill)
    return padded if valid is None else padded.masked(valid)


@_writes("if")
def _if_text(of: _Evaluation, node: Node) -> strings.Operand:
    condition, a, b = node.args
    return strings.select(np.broadcast_to(_met(of, condition), of.rows), of.text(a), of.text(b))


@_writes("coalesce")
def _coalesce_text(of: _Evaluation, node: Node) -> strings.Operand:
    first, *others = node.args
    text = of.text(first)
    for other in others:
        valid = None if isinstance(text, str) else strings.valid_rows(text)
        holds = np.ones(of.rows, dtype=np.bool_) if valid is None else valid
        text = strings.select(holds, text, of.text(other))
    return text


@_writes("min", "max")
def _extreme_text(of: _Evaluation, node: Node) -> strings.Operand:
    op = "le" if node.op == "min" else "ge"
    first, *others = node.args
    text = of.text(first)
    for other in others:
        against = of.text(other)
        holds = np.broadcast_to(strings.compared(op, text, against, of.rows), of.rows)
        text = strings.select(holds, text, against)
    valid = _both(*(of.valid(each) for each in node.args))
    return text if valid is None or isinstance(text, str) else text.masked(valid)
