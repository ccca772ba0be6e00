"""Typed nodes computed over columns, a block at a time: NumPy on numbers, `strings` on text.

Numbers are worked on as int64 with truths of which rows have a value. Where bounds don't fit (within round() and
in comparisons of scales alone) they are worked on as Python's integers, slowly and exactly: the bounds decide it,
so that all blocks are of one kind. A row without a value holds one within the bounds, so that nothing overflows.

Each node becomes a function of the rows once, when its formula is first read. What follows from types and constants is
decided there: a block of one record costs what is done of it, and little more.
"""

import datetime as dt
import operator
from collections import Counter
from collections.abc import Callable
from functools import lru_cache, partial, reduce
from typing import Any, TypeVar

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
from esdh_plan.expressions.types import DAY, INT64, Node, Path, ValueType

__all__ = ["compiled", "constant_value", "evaluate"]

Lookup = Callable[[Path], Column]
Vector = tuple[NDArray[Any], Mask | None]
"""Values, one a row or one for all, and which rows have one (None: all)."""


class _Rows:
    """The rows of one evaluation: what names are on them, how many there are, and what has been computed."""

    __slots__ = ("count", "known", "lookup")

    def __init__(self, lookup: Lookup, count: int) -> None:
        self.lookup = lookup
        self.count = count
        self.known: dict[object, Any] = {}


NumberFunction = Callable[[_Rows], Vector]
TextFunction = Callable[[_Rows], strings.Operand]


def evaluate(node: Node, lookup: Lookup, rows: int) -> Column:
    """Return the values of an expression on `rows` rows; `lookup` gives the column of a path, of as many.

    The class of the column follows from the node and the classes (and widths) of the columns that it reads.
    """
    return compiled(node)(lookup, rows)


def compiled(node: Node) -> Callable[[Lookup, int], Column]:
    """Return the function of a lookup and a number of rows that `evaluate` is for one expression."""
    path = node.value
    if isinstance(path, tuple):
        return lambda lookup, _: lookup(path)
    program = _Program(node)
    if node.type.kind == "string":
        text = program.text(node)
        return lambda lookup, rows: strings.as_column(text(_Rows(lookup, rows)), rows)
    numbers, column = program.numbers(node), _column(node.type)

    def of_numbers(lookup: Lookup, rows: int) -> Column:
        values, valid = numbers(_Rows(lookup, rows))
        return column(_each(values, rows), None if valid is None else _each(valid, rows))

    return of_numbers


def constant_value(node: Node) -> str | int:
    """Return the value of an expression that reads nothing, unscaled if it is a number."""

    def nothing(path: Path) -> Column:
        raise LookupError(path)

    program, rows = _Program(node), _Rows(nothing, 1)
    if node.type.kind == "string":
        text = program.text(node)(rows)
        return text if isinstance(text, str) else str(text.tolist()[0])
    return int(program.numbers(node)(rows)[0][0])


def _each(values: NDArray[Any], rows: int) -> NDArray[Any]:
    """Return one value for all rows as one a row, values that are so many as they are."""
    return values if len(values) == rows else np.repeat(values, rows)


def _column(of: ValueType) -> Callable[[NDArray[Any], Mask | None], Column]:
    """Return the function from the values of a type to a column."""
    low, high = of.bounds
    make: Any
    dtype: Any = np.int64
    scale: tuple[int, ...] = ()
    match of.kind:
        case "boolean":
            make, dtype, low, high = Boolean, np.bool_, 0, 1
        case "date":
            make, dtype = Date, np.int32
        case "timestamp":
            make = Timestamp
        case "decimal":
            make, scale = Decimal, (of.scale,)
        case _:
            make = Integer
    return lambda values, valid: make(values.astype(dtype, copy=False), low, high, valid, *scale)


class _Program:
    """The functions of an expression's nodes; what stands at several places is computed once for some rows."""

    def __init__(self, node: Node) -> None:
        self._uses: Counter[int] = Counter()
        self._functions: dict[int, Any] = {}
        self._count(node)

    def _count(self, node: Node) -> None:
        for each in node.args:
            self._uses[id(each)] += 1
            if self._uses[id(each)] == 1:
                self._count(each)

    def numbers(self, node: Node) -> NumberFunction:
        """Return the function of a node that isn't text."""
        return self._function(node, _NUMBERS)  # type: ignore[no-any-return]  # the table says what it is

    def text(self, node: Node) -> TextFunction:
        """Return the function of a text; it gives a constant as itself."""
        return self._function(node, _TEXTS)  # type: ignore[no-any-return]  # the table says what it is

    def value(self, node: Node) -> Callable[[_Rows], Any]:
        """Return the function of a node, text or not."""
        return self.text(node) if node.type.kind == "string" else self.numbers(node)

    def column(self, node: Node) -> Callable[[_Rows], strings.Column]:
        """Return the function of a text, which gives it as a column."""
        text = self.text(node)
        return lambda rows: strings.as_column(text(rows), rows.count)

    def _function(self, node: Node, makers: dict[str, Any]) -> Any:
        if id(node) not in self._functions:
            function = makers[node.op](self, node)
            self._functions[id(node)] = (
                _once(function) if self._uses[id(node)] > 1 and node.args else function
            )
        return self._functions[id(node)]


def _once(function: Callable[[_Rows], Any]) -> Callable[[_Rows], Any]:
    def known(rows: _Rows) -> Any:
        if function not in rows.known:
            rows.known[function] = function(rows)
        return rows.known[function]

    return known


def _valid_text(node: Node, text: strings.Operand) -> Mask | None:
    """Return which rows of a node's text have a value, None where all have."""
    return strings.valid_rows(text) if node.type.nullable and not isinstance(text, str) else None


_NUMBERS: dict[str, Callable[[_Program, Node], NumberFunction]] = {}
_TEXTS: dict[str, Callable[[_Program, Node], TextFunction]] = {}

Compile = TypeVar("Compile", bound=Callable[[_Program, Node], Any])


def _number(*ops: str) -> Callable[[Compile], Compile]:
    """Say that a function makes the functions of some operations that give numbers."""

    def bind(compile_node: Compile) -> Compile:
        _NUMBERS.update(dict.fromkeys(ops, compile_node))
        return compile_node

    return bind


def _writes(*ops: str) -> Callable[[Compile], Compile]:
    """Say that a function makes the functions of some operations that give text."""

    def bind(compile_node: Compile) -> Compile:
        _TEXTS.update(dict.fromkeys(ops, compile_node))
        return compile_node

    return bind


def _both(*valids: Mask | None) -> Mask | None:
    """Return the rows on which all have a value."""
    both: Mask | None = None
    for valid in valids:
        if valid is not None:
            both = valid if both is None else both & valid
    return both


# --- numbers


@_number("name")
def _named(_: _Program, node: Node) -> NumberFunction:
    path, of = node.value, node.type
    if not isinstance(path, tuple):
        raise TypeError(f"{path!r} is no path")
    dtype = np.bool_ if of.kind == "boolean" else np.int64
    instead = dtype(of.bounds[0])

    def read(rows: _Rows) -> Vector:
        if path in rows.known:
            return rows.known[path]  # type: ignore[no-any-return]  # a path's is a vector
        column = rows.lookup(path)
        if not isinstance(column, Numbers):
            raise TypeError(f"{'.'.join(path)} is a {type(column).__name__}, not {of.kind}")
        values: NDArray[Any] = column.values.astype(dtype, copy=False)
        valid = column.valid if of.nullable else None
        if valid is not None:
            values = np.where(valid, values, instead)
        rows.known[path] = vector = values, valid
        return vector

    return read


@_number("const")
def _constant(_: _Program, node: Node) -> NumberFunction:
    of = node.type
    dtype: Any = np.bool_ if of.kind == "boolean" else np.int64 if of.fits_int64 else object
    values = np.array([node.value], dtype=dtype)
    values.setflags(write=False)  # a column may hold them
    vector = values, None
    return lambda _: vector


def _reckoned(program: _Program, node: Node, compute: Callable[..., NDArray[Any]]) -> NumberFunction:
    """Return what `compute` makes of the arguments' values: null where one is, exact whatever the bounds are."""
    args = [program.numbers(each) for each in node.args]
    if not all(each.type.fits_int64 for each in (node, *node.args)):

        def exact(rows: _Rows) -> Vector:
            vectors = [each(rows) for each in args]
            values = compute(*(each.astype(object) for each, _ in vectors))
            return _narrowed(node, values), _both(*(valid for _, valid in vectors))

        return exact
    if any(each.type.nullable for each in node.args):

        def nullable(rows: _Rows) -> Vector:
            vectors = [each(rows) for each in args]
            return compute(*[values for values, _ in vectors]), _both(*[valid for _, valid in vectors])

        return nullable
    return lambda rows: (compute(*[each(rows)[0] for each in args]), None)


def _narrowed(node: Node, values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.int64) if values.dtype == object and node.type.fits_int64 else values


def _operation(op: str, compute: Callable[..., NDArray[Any]]) -> None:
    """Say what an operation makes of its arguments' values alone."""
    _number(op)(lambda program, node: _reckoned(program, node, compute))


_operation("add", np.add)
_operation("sub", np.subtract)
_operation("mul", np.multiply)
_operation("floordiv", np.floor_divide)
_operation("mod", np.mod)
_operation("neg", np.negative)


@_number("scale")
def _scale(program: _Program, node: Node) -> NumberFunction:
    """Return the values in a finer unit, which by itself may not fit."""
    factor = np.array([node.value], dtype=np.int64 if int(str(node.value)) <= INT64[1] else object)
    return _reckoned(program, node, lambda values: values * factor)


def _rounded(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return a / b, b above 0, rounded half to even."""
    quotient = a // b
    rest = a - quotient * b
    other = b - rest
    up = (rest > other) | ((rest == other) & (quotient & 1 == 1))
    rounded: NDArray[Any] = np.add(quotient, up)
    return rounded


_operation("round", _rounded)


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


def _later(node: Node, times: NDArray[Any], by: NDArray[Any]) -> NDArray[Any]:
    """Return times some months later."""
    days = _days(node, times)
    months, day = _months_of(node.args[0], days)
    first, after = _first_days(months + by), _first_days(months + by + 1)
    later: NDArray[Any] = first + np.minimum(day, after - first - 1)
    return later if node.type.kind == "date" else later * DAY + (times - days * DAY)


@_number("months")
def _months(program: _Program, node: Node) -> NumberFunction:
    return _reckoned(program, node, partial(_later, node))


_operation("date", lambda y, m, d: _first_days((y - 1970) * 12 + m - 1) + d - 1)


@_number("year")
def _year(program: _Program, node: Node) -> NumberFunction:
    (time,) = node.args
    return _reckoned(program, node, lambda times: _months_of(time, _days(time, times))[0] // 12 + 1970)


def _full_years(node: Node, born: NDArray[Any], on: NDArray[Any]) -> NDArray[Any]:
    """Return the whole years from one time to another."""
    (born_months, born_day), (months, day) = (
        _months_of(arg, _days(arg, times)) for arg, times in zip(node.args, (born, on), strict=True)
    )
    # Whole months, the last one not full before its day; 12 of them are a year, down also where it is below 0.
    full: NDArray[Any] = (months - born_months - (day < born_day)) // 12
    return full


@_number("age")
def _age(program: _Program, node: Node) -> NumberFunction:
    return _reckoned(program, node, partial(_full_years, node))


# --- truths


Compare = Callable[[Any, Any, int], Vector]


def _comparison(op: str, a: Node, b: Node) -> Compare:
    """Return the function that compares what two nodes are on so many rows: two texts, or two vectors."""
    compare = COMPARISONS[op]
    if a.type.kind != "string":
        return lambda x, y, _: (compare(x[0], y[0]), _both(x[1], y[1]))

    def of_texts(x: strings.Operand, y: strings.Operand, rows: int) -> Vector:
        return strings.compared(op, x, y, rows), _both(_valid_text(a, x), _valid_text(b, y))

    return of_texts


@_number(*COMPARISONS)
def _compare(program: _Program, node: Node) -> NumberFunction:
    (one, other), compare = map(program.value, node.args), _comparison(node.op, *node.args)
    return lambda rows: compare(one(rows), other(rows), rows.count)


@_number("in")
def _in(program: _Program, node: Node) -> NumberFunction:
    value, *among = node.args
    of_value, others = (
        program.value(value),
        [(program.value(each), _comparison("eq", value, each)) for each in among],
    )
    constants = frozenset(each.value for each in among if each.is_constant and isinstance(each.value, str))
    is_constant = all(each.is_constant and isinstance(each.value, str) for each in among)

    def found(rows: _Rows) -> Vector:
        x = of_value(rows)
        among_categories = strings.contained(x, constants) if is_constant else None
        if among_categories is not None:
            return among_categories, _valid_text(value, x)
        return _any([equal(x, other(rows), rows.count) for other, equal in others])

    return found


def _any(truths: list[Vector]) -> Vector:
    """Return `or` of truths: true where one is, else null where one is."""
    whole: Mask = reduce(operator.or_, map(_met, truths))
    valid = _both(*[valid for _, valid in truths])
    return whole, None if valid is None else whole | valid


@_number("or")
def _or(program: _Program, node: Node) -> NumberFunction:
    args = [program.numbers(each) for each in node.args]
    return lambda rows: _any([each(rows) for each in args])


@_number("and")
def _and(program: _Program, node: Node) -> NumberFunction:
    """Return `and` of truths: not (not a or not b)."""
    args = [program.numbers(each) for each in node.args]
    return lambda rows: _opposite(_any([_opposite(each(rows)) for each in args]))


@_number("not")
def _not(program: _Program, node: Node) -> NumberFunction:
    truth = program.numbers(node.args[0])
    return lambda rows: _opposite(truth(rows))


def _opposite(truth: Vector) -> Vector:
    return ~truth[0], truth[1]


@_number("isnull")
def _isnull(program: _Program, node: Node) -> NumberFunction:
    (arg,) = node.args
    if not arg.type.nullable:
        never = np.zeros(1, dtype=np.bool_), None
        return lambda _: never
    value = program.value(arg)

    def null(rows: _Rows) -> Vector:
        found: Any = value(rows)
        valid = _valid_text(arg, found) if arg.type.kind == "string" else found[1]
        return np.zeros(1, dtype=np.bool_) if valid is None else ~valid, None

    return null


def _met(truth: Vector) -> Mask:
    """Return where a condition holds: where it is null it doesn't."""
    values, valid = truth
    return values if valid is None else values & valid


# --- one of several


def _where(first: Mask, a: Vector, b: Vector) -> Vector:
    (a_values, a_valid), (b_values, b_valid) = a, b
    valid = None
    if a_valid is not None or b_valid is not None:
        valid = np.where(first, True if a_valid is None else a_valid, True if b_valid is None else b_valid)
    return np.where(first, a_values, b_values), valid


@_number("if")
def _if(program: _Program, node: Node) -> NumberFunction:
    condition, one, other = (program.numbers(each) for each in node.args)

    def chosen(rows: _Rows) -> Vector:
        values, valid = _where(_met(condition(rows)), one(rows), other(rows))
        return _narrowed(node, values), valid

    return chosen


@_number("coalesce")
def _coalesce(program: _Program, node: Node) -> NumberFunction:
    first, *others = (program.numbers(each) for each in node.args)

    def chosen(rows: _Rows) -> Vector:
        found = first(rows)
        for other in others:
            if found[1] is None:
                break
            found = _where(found[1], found, other(rows))
        return _narrowed(node, found[0]), found[1] if node.type.nullable else None

    return chosen


@_number("min", "max")
def _extreme(program: _Program, node: Node) -> NumberFunction:
    args = [program.numbers(each) for each in node.args]
    better = np.minimum if node.op == "min" else np.maximum

    def extreme(rows: _Rows) -> Vector:
        vectors = [each(rows) for each in args]
        values = reduce(better, [values for values, _ in vectors])
        return _narrowed(node, values), _both(*[valid for _, valid in vectors])

    return extreme


# --- text


@_writes("const")
def _constant_text(_: _Program, node: Node) -> TextFunction:
    text = str(node.value)
    return lambda _: text


@_writes("name")
def _named_text(_: _Program, node: Node) -> TextFunction:
    path = node.value
    if not isinstance(path, tuple):
        raise TypeError(f"{path!r} is no path")

    def read(rows: _Rows) -> strings.Operand:
        column = rows.lookup(path)
        if not isinstance(column, Categorical | FixedText | Text | Concat):
            raise TypeError(f"{'.'.join(path)} is a {type(column).__name__}, not a string")
        return column

    return read


@_writes("concat")
def _concat(program: _Program, node: Node) -> TextFunction:
    one, other = (program.text(each) for each in node.args)

    def joined(rows: _Rows) -> strings.Operand:
        a, b = one(rows), other(rows)
        if isinstance(a, str) and isinstance(b, str):
            return a + b
        return strings.joined(a, b, rows.count)

    return joined


_CHANGES: dict[str, Callable[[strings.Operand], strings.Operand]] = {
    "lower": strings.lower,
    "upper": strings.upper,
    "ascii": strings.ascii_only,
}


@_writes(*_CHANGES)
def _changed(program: _Program, node: Node) -> TextFunction:
    text, change = program.text(node.args[0]), _CHANGES[node.op]
    return lambda rows: change(text(rows))


@_writes("luhn")
def _luhn(program: _Program, node: Node) -> TextFunction:
    column = program.column(node.args[0])
    return lambda rows: strings.luhn(column(rows))


def _number_of_characters(
    program: _Program, node: Node
) -> Callable[[_Rows], tuple[strings.Count, Mask | None]]:
    """Return the function that gives a number of characters: one for all rows, or one a row."""
    if node.is_constant and isinstance(node.value, int):
        constant = node.value, None
        return lambda _: constant
    numbers = program.numbers(node)

    def counts(rows: _Rows) -> tuple[strings.Count, Mask | None]:
        values, valid = numbers(rows)
        return _each(values, rows.count), valid

    return counts


@_writes("left", "right")
def _part(program: _Program, node: Node) -> TextFunction:
    text, count_of = program.column(node.args[0]), _number_of_characters(program, node.args[1])
    cut = strings.left if node.op == "left" else strings.right

    def part(rows: _Rows) -> strings.Operand:
        count, valid = count_of(rows)
        found = cut(text(rows), count)
        return found if valid is None else found.masked(valid)

    return part


@_writes("pad")
def _pad(program: _Program, node: Node) -> TextFunction:
    (value, _), fill = node.args, str(node.value)
    count_of = _number_of_characters(program, node.args[1])
    if value.type.kind == "string":
        text = program.column(value)

        def pad_text(rows: _Rows) -> strings.Operand:
            count, valid = count_of(rows)
            padded = strings.padded(text(rows), count, fill)
            return padded if valid is None else padded.masked(valid)

        return pad_text
    numbers, (low, high) = program.numbers(value), value.type.bounds
    digits = len(str(high))

    def pad_number(rows: _Rows) -> strings.Operand:
        (count, count_valid), (values, valid) = count_of(rows), numbers(rows)
        values, valid = _each(values, rows.count), _both(count_valid, valid)
        padded: strings.Column
        if low >= 0 and isinstance(count, int) and digits <= count and strings.is_plain(fill):
            padded = strings.padded_digits(values, digits, count, fill)
        elif isinstance(count, int) and high - low < _MOST_TEXTS:
            places = values - low if valid is None else np.where(valid, values - low, 0)
            padded = Categorical(places, strings.padded_range(low, high, count, fill))
        else:
            padded = strings.padded(strings.integers(values), count, fill)
        return padded if valid is None else padded.masked(valid)

    return pad_number


@_writes("if")
def _if_text(program: _Program, node: Node) -> TextFunction:
    condition, a, b = node.args
    truth, one, other = program.numbers(condition), program.text(a), program.text(b)
    return lambda rows: strings.select(_each(_met(truth(rows)), rows.count), one(rows), other(rows))


@_writes("coalesce")
def _coalesce_text(program: _Program, node: Node) -> TextFunction:
    args = [program.text(each) for each in node.args]

    def chosen(rows: _Rows) -> strings.Operand:
        text, *others = (each(rows) for each in args)
        for other in others:
            valid = None if isinstance(text, str) else strings.valid_rows(text)
            holds = np.ones(rows.count, dtype=np.bool_) if valid is None else valid
            text = strings.select(holds, text, other)
        return text

    return chosen


@_writes("min", "max")
def _extreme_text(program: _Program, node: Node) -> TextFunction:
    op = "le" if node.op == "min" else "ge"
    args = [program.text(each) for each in node.args]

    def extreme(rows: _Rows) -> strings.Operand:
        texts = [each(rows) for each in args]
        text, *others = texts
        for other in others:
            holds = _each(strings.compared(op, text, other, rows.count), rows.count)
            text = strings.select(holds, text, other)
        valid = _both(*map(_valid_text, node.args, texts))
        return text if valid is None or isinstance(text, str) else text.masked(valid)

    return extreme
