"""Expressions of section 5: a type for each node, and a value; Python reads the syntax and evaluates nothing.

Decimals are exact fractions while they are reckoned with; only the type knows their scale.
"""

import ast
import calendar
import datetime as dt
import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Protocol


@dataclass(frozen=True)
class Duration:
    """A number of years, months, days or hours to add to a date."""

    unit: str
    n: int


Value = str | int | bool | Fraction | dt.date | Duration | None


@dataclass(frozen=True)
class Type:
    """What is known of a value before any row is made; `low` and `high` bound a number."""

    kind: str  # string integer decimal boolean date timestamp, and within expressions ratio and duration
    nullable: bool = False
    scale: int = 0
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)

    @property
    def is_number(self) -> bool:
        """Tell whether arithmetic applies."""
        return self.kind in {"integer", "decimal", "ratio"}

    @property
    def is_time(self) -> bool:
        """Tell whether it is a date or an instant."""
        return self.kind in {"date", "timestamp"}


class Types(Protocol):
    """Where the names of an expression get their types."""

    def type_of(self, base: str | None, name: str) -> Type:
        """Return the type of `name` or `base.name`."""


class Values(Protocol):
    """Where the names of an expression get their values on one row."""

    today: dt.date

    def value_of(self, base: str | None, name: str) -> Value:
        """Return the value of `name` or `base.name`."""


@dataclass(frozen=True)
class Expression:
    """An expression's syntax tree with its text, from which numbers are read."""

    text: str
    tree: ast.expr

    def literal(self, node: ast.Constant) -> tuple[Fraction, int]:
        """Return a number as it is written, and its digits after the point."""
        written = ast.get_source_segment(self.text, node) or ""
        if "_" in written or not written.replace(".", "", 1).isdigit():
            raise ValueError(f"{written!r} is no plain number")
        return Fraction(written), len(written.partition(".")[2])


@cache
def parse(text: str) -> Expression:
    """Return an expression's syntax tree."""
    return Expression(text.strip(), ast.parse(text.strip(), mode="eval").body)


def reference(node: ast.expr) -> tuple[str | None, str] | None:
    """Return (None, name) or (base, name) of a name, or None for any other node."""
    if isinstance(node, ast.Name):
        return None, node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id, node.attr
    return None


def instant(value: Value) -> dt.datetime:
    """Return a date as its midnight, an instant as it is."""
    if isinstance(value, dt.datetime):
        return value
    assert isinstance(value, dt.date)
    return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)


def whole(value: Value) -> int:
    """Return a value that must be a whole number."""
    assert isinstance(value, int | Fraction) and value == int(value), value
    return int(value)


# --- values ---------------------------------------------------------------------------------------------------


def evaluate(expression: Expression, row: Values) -> Value:
    """Return the value of an expression on one row."""
    return _value(expression.tree, expression, row)


def _value(node: ast.expr, of: Expression, row: Values) -> Value:
    def value(inner: ast.expr) -> Value:
        return _value(inner, of, row)

    named = reference(node)
    if named is not None:
        return row.value_of(*named)
    match node:
        case ast.Constant(value=bool() | str() as constant):
            return constant
        case ast.Constant(value=int() | float()):
            exact, scale = of.literal(node)
            return exact if scale else int(exact)
        case ast.UnaryOp(op=ast.Not()):
            return _not(value(node.operand))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            operand = value(node.operand)
            if operand is None:
                return None
            assert isinstance(operand, int | Fraction)
            return -operand if isinstance(node.op, ast.USub) else operand
        case ast.BinOp():
            left, right = value(node.left), value(node.right)
            return None if left is None or right is None else _arithmetic(node.op, left, right)
        case ast.BoolOp(op=ast.And()):
            return _and(value(inner) for inner in node.values)
        case ast.BoolOp():
            return _not(_and(_not(value(inner)) for inner in node.values))
        case ast.Compare(ops=[ast.Is() | ast.IsNot() as op]):
            return (value(node.left) is None) == isinstance(op, ast.Is)
        case ast.Compare(ops=[ast.In() | ast.NotIn() as op], comparators=[ast.Tuple() | ast.List() as among]):
            equal = [_compare(ast.Eq(), value(node.left), value(inner)) for inner in among.elts]
            found = _not(_and(_not(one) for one in equal))
            return found if isinstance(op, ast.In) else _not(found)
        case ast.Compare():
            operands = [node.left, *node.comparators]
            pairs = zip(node.ops, operands, operands[1:], strict=False)
            return _and(_compare(op, value(left), value(right)) for op, left, right in pairs)
        case ast.IfExp():
            return value(node.body if value(node.test) is True else node.orelse)
        case ast.Call(func=ast.Name(id="coalesce")):
            return next((found for found in map(value, node.args) if found is not None), None)
        case ast.Call(func=ast.Name(id=function)):
            arguments = [value(inner) for inner in node.args]
            return None if None in arguments else _call(function, arguments, row.today)
    raise TypeError(f"{ast.unparse(node)!r} isn't part of the language")


def _not(operand: Value) -> bool | None:
    return None if operand is None else not operand


def _and(operands: Iterable[Value]) -> bool | None:
    result: bool | None = True
    for operand in operands:
        if operand is False:
            return False
        if operand is None:
            result = None
    return result


def _compare(op: ast.cmpop, left: Value, right: Value) -> bool | None:
    if left is None or right is None:
        return None
    if isinstance(left, dt.date):
        left, right = instant(left), instant(right)
    equal, less = left == right, left < right  # type: ignore[operator] # one kind on both sides: infer() sees to it
    return {
        ast.Eq: equal,
        ast.NotEq: not equal,
        ast.Lt: less,
        ast.LtE: less or equal,
        ast.Gt: not less and not equal,
        ast.GtE: not less,
    }[type(op)]


def _arithmetic(op: ast.operator, left: Value, right: Value) -> Value:
    if isinstance(left, dt.date) and isinstance(right, Duration):
        return _shift(left, right, 1 if isinstance(op, ast.Add) else -1)
    if isinstance(left, dt.datetime) or isinstance(right, dt.datetime):
        return int((instant(left) - instant(right)).total_seconds())
    if isinstance(left, dt.date) and isinstance(right, dt.date):
        return (left - right).days
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    assert isinstance(left, int | Fraction) and isinstance(right, int | Fraction)
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return Fraction(left) / right
        case ast.FloorDiv():
            return left // right
        case ast.Mod():
            return left % right
    raise TypeError(f"{op} isn't part of the language")


def _shift(start: dt.date, by: Duration, sign: int) -> dt.date:
    n = by.n * sign
    if by.unit == "days":
        return start + dt.timedelta(days=n)
    if by.unit == "hours":
        return instant(start) + dt.timedelta(hours=n)
    months = start.year * 12 + start.month - 1 + (12 * n if by.unit == "years" else n)
    year, month = months // 12, months % 12 + 1
    return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))


def full_years(born: dt.date, on: dt.date) -> int:
    """Return whole years from one date to another."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def luhn(digits: str) -> str:
    """Return the digit that makes a number pass Luhn's test when it is appended."""
    total = 0
    for place, digit in enumerate(reversed([int(c) for c in digits if c in "0123456789"])):
        total += digit if place % 2 else digit * 2 - 9 * (digit > 4)
    return str(-total % 10)


def round_half_even(value: Fraction, scale: int) -> Fraction:
    """Return a number rounded to a scale, half to even (as Python rounds a Fraction)."""
    return Fraction(round(value * 10**scale), 10**scale)


def _only(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(c) if c.isascii() else c for c in text)


def _call(function: str, arguments: Sequence[Value], today: dt.date) -> Value:
    match function, arguments:
        case (("years" | "months" | "days" | "hours"), [n]):
            return Duration(function, whole(n))
        case "date", [y, m, d]:
            return dt.date(whole(y), whole(m), whole(d))
        case "age", [dt.date() as born]:
            return full_years(born, today)
        case "age", [dt.date() as born, dt.date() as on]:
            return full_years(born, on)
        case "year", [dt.date() as when]:
            return when.year
        case "min", [_, _, *_]:
            return _extreme(arguments, -1)
        case "max", [_, _, *_]:
            return _extreme(arguments, 1)
        case "round", [int() | Fraction() as x]:
            return round(Fraction(x))
        case "round", [int() | Fraction() as x, s]:
            return round_half_even(Fraction(x), whole(s)) if s else round(Fraction(x))
        case "lower", [str() as text]:
            return _only(text, str.lower)
        case "upper", [str() as text]:
            return _only(text, str.upper)
        case "ascii", [str() as text]:
            return "".join(c for c in unicodedata.normalize("NFKD", text) if c.isascii())
        case "left", [str() as text, n]:
            return text[: whole(n)]
        case "right", [str() as text, n]:
            return text[max(0, len(text) - whole(n)) :]
        case "pad", [x, n]:
            return str(x).rjust(whole(n), "0")
        case "pad", [x, n, str() as fill]:
            return str(x).rjust(whole(n), fill)
        case "luhn", [str() as digits]:
            return luhn(digits)
    raise TypeError(f"{function} takes no {arguments}")


def _extreme(values: Sequence[Value], sign: int) -> Value:
    best = values[0]
    for value in values[1:]:
        if _compare(ast.Gt() if sign > 0 else ast.Lt(), value, best):
            best = value
    return best


# --- types ----------------------------------------------------------------------------------------------------


def infer(expression: Expression, names: Types) -> Type:
    """Return the type of an expression, or raise if its parts don't fit."""
    return _infer(expression.tree, expression, names)


def integer(low: int | Fraction, high: int | Fraction, nullable: bool = False) -> Type:
    """Return an integer type with its bounds."""
    return Type("integer", nullable, 0, Fraction(low), Fraction(high))


def common(types: Sequence[Type], *, midnights: bool = False) -> Type:
    """Return the one type that holds the values of several: the larger scale, the wider bounds.

    Dates stand beside timestamps, as their midnights, only where `midnights` says so.
    """
    kinds = {one.kind for one in types}
    if kinds == {"integer", "decimal"}:
        kinds = {"decimal"}
    if midnights and kinds == {"date", "timestamp"}:
        kinds = {"timestamp"}
    if len(kinds) != 1:
        raise TypeError(f"{sorted(kinds)} are not of one type")
    return Type(
        kinds.pop(),
        any(one.nullable for one in types),
        max(one.scale for one in types),
        min(one.low for one in types),
        max(one.high for one in types),
    )


def _infer(node: ast.expr, of: Expression, names: Types) -> Type:
    def infer_(inner: ast.expr) -> Type:
        return _infer(inner, of, names)

    named = reference(node)
    if named is not None:
        return names.type_of(*named)
    match node:
        case ast.Constant(value=bool()):
            return Type("boolean")
        case ast.Constant(value=str()):
            return Type("string")
        case ast.Constant(value=int() | float()):
            exact, scale = of.literal(node)
            return Type("decimal" if scale else "integer", False, scale, exact, exact)
        case ast.UnaryOp(op=ast.Not()):
            return _boolean([infer_(node.operand)], {"boolean"})
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            operand = infer_(node.operand)
            if not operand.is_number:
                raise TypeError(f"{ast.unparse(node)!r} is no number")
            negative = isinstance(node.op, ast.USub)
            return replace(operand, low=-operand.high, high=-operand.low) if negative else operand
        case ast.BinOp():
            return _arithmetic_type(node.op, infer_(node.left), infer_(node.right))
        case ast.BoolOp():
            return _boolean([infer_(inner) for inner in node.values], {"boolean"})
        case ast.Compare(ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant(value=None)]):
            infer_(node.left)
            return Type("boolean")
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[ast.Tuple() | ast.List() as among]):
            return _boolean([infer_(node.left), *map(infer_, among.elts)])
        case ast.Compare():
            return _boolean([infer_(node.left), *map(infer_, node.comparators)])
        case ast.IfExp():
            _boolean([infer_(node.test)], {"boolean"})
            return common([infer_(node.body), infer_(node.orelse)])
        case ast.Call(func=ast.Name(id=function), keywords=[]):
            return _call_type(function, [infer_(inner) for inner in node.args], node)
    raise TypeError(f"{ast.unparse(node)!r} isn't part of the language")


def _boolean(operands: Sequence[Type], kinds: Iterable[str] = ()) -> Type:
    both = common(operands, midnights=not kinds)
    if kinds and both.kind not in kinds:
        raise TypeError(f"a {both.kind} stands where {sorted(kinds)} belongs")
    return Type("boolean", both.nullable)


DAYS = dt.date.max.toordinal()


def _arithmetic_type(op: ast.operator, left: Type, right: Type) -> Type:
    nullable = left.nullable or right.nullable
    match op, left.kind, right.kind:
        case ((ast.Add() | ast.Sub()), ("date" | "timestamp"), "duration"):
            return Type("timestamp" if right.scale else left.kind, nullable)
        case ast.Sub(), "date", "date":
            return integer(-DAYS, DAYS, nullable)
        case ast.Sub(), ("date" | "timestamp"), ("date" | "timestamp"):
            return integer(-DAYS * 86_400, DAYS * 86_400, nullable)
        case ast.Add(), "string", "string":
            return Type("string", nullable)
        case ((ast.FloorDiv() | ast.Mod()), "integer", "integer"):
            return _division_type(op, left, right, nullable)
    if not (left.is_number and right.is_number):
        raise TypeError(f"{type(op).__name__} of {left.kind} and {right.kind}")
    kind = (
        "ratio"
        if isinstance(op, ast.Div) or "ratio" in {left.kind, right.kind}
        else "decimal"
        if "decimal" in {left.kind, right.kind}
        else "integer"
    )
    larger = max(left.scale, right.scale)
    if isinstance(op, ast.Add):
        return Type(kind, nullable, larger, left.low + right.low, left.high + right.high)
    if isinstance(op, ast.Sub):
        return Type(kind, nullable, larger, left.low - right.high, left.high - right.low)
    if isinstance(op, ast.Mult):
        corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
        return Type(kind, nullable, left.scale + right.scale, min(corners), max(corners))
    if isinstance(op, ast.Div):
        _refuse_zero(right)
        corners = [a / b for a in (left.low, left.high) for b in (right.low, right.high)]
        return Type(kind, nullable, 0, min(corners), max(corners))
    raise TypeError(f"{type(op).__name__} isn't part of the language")


def _refuse_zero(divisor: Type) -> None:
    if divisor.low <= 0 <= divisor.high:
        raise TypeError("a divisor may be 0")


def _division_type(op: ast.operator, left: Type, right: Type, nullable: bool) -> Type:
    _refuse_zero(right)
    if isinstance(op, ast.FloorDiv):
        corners = sorted(Fraction(a // b) for a in (left.low, left.high) for b in (right.low, right.high))
        return integer(corners[0], corners[-1], nullable)
    return integer(min(Fraction(0), right.low + 1), max(Fraction(0), right.high - 1), nullable)


def _call_type(function: str, arguments: Sequence[Type], node: ast.Call) -> Type:
    nullable = any(argument.nullable for argument in arguments)
    kinds = [argument.kind for argument in arguments]
    match function, kinds:
        case (("years" | "months" | "days" | "hours"), ["integer"]):
            return Type("duration", nullable, int(function == "hours"))
        case "date", ["integer", "integer", "integer"]:
            return Type("date", nullable)
        case "age", [("date" | "timestamp")] | [("date" | "timestamp"), ("date" | "timestamp")]:
            return integer(-10_000, 10_000, nullable)
        case "year", [("date" | "timestamp")]:
            return integer(1, 9999, nullable)
        case "coalesce", [_, *_]:
            return replace(common(arguments), nullable=all(argument.nullable for argument in arguments))
        case "min", [_, _, *_]:
            return replace(common(arguments), high=min(argument.high for argument in arguments))
        case "max", [_, _, *_]:
            return replace(common(arguments), low=max(argument.low for argument in arguments))
        case "round", [_, *scales] if arguments[0].is_number and scales in ([], ["integer"]):
            if scales and not isinstance(node.args[1], ast.Constant):
                raise TypeError("the scale of round() is a number that stands there")
            scale = int(arguments[1].low) if scales else 0
            low, high = (round_half_even(bound, scale) for bound in (arguments[0].low, arguments[0].high))
            return Type("decimal" if scale else "integer", nullable, scale, low, high)
        case (("lower" | "upper" | "ascii" | "luhn"), ["string"]):
            return Type("string", nullable)
        case (("left" | "right"), ["string", "integer"]):
            return Type("string", nullable)
        case "pad", [("string" | "integer"), "integer", *fill] if fill in ([], ["string"]):
            return Type("string", nullable)
    raise TypeError(f"{function} takes no {kinds}, or isn't part of the language")


def unscaled(value: Value, scale: int) -> int:
    """Return a number in units of 10^-scale, which it must be whole in."""
    assert isinstance(value, int | Fraction)
    number = value * 10**scale
    if number != math.floor(number):
        raise ValueError(f"{value} has more than {scale} digits after the point")
    return int(number)
