"""Operations of typed nodes: what fits what, the type of the outcome and its bounds, by interval arithmetic.

Each takes nodes and gives a node, or raises `Refused` with the sentence that says what doesn't fit.
"""

import calendar
import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Context
from decimal import Decimal as Exact
from fractions import Fraction
from functools import reduce

from esdh_core.columns import day_number

from esdh_plan.expressions.types import DAY, MOST_CHARACTERS, MOST_DIGITS, RANGES, Kind, Node, ValueType

__all__ = [
    "A_KIND",
    "Duration",
    "Operand",
    "Ratio",
    "Refused",
    "added",
    "any_null",
    "boolean",
    "chained",
    "checked",
    "common_type",
    "constant_integer",
    "decimal_text",
    "divide",
    "extreme",
    "floored",
    "integer",
    "multiplied",
    "negated",
    "rounded",
    "shifted",
    "subtracted",
    "text_type",
    "unified",
]

A_KIND: dict[Kind, str] = {
    "string": "a string",
    "integer": "an integer",
    "decimal": "a decimal",
    "boolean": "a boolean",
    "date": "a date",
    "timestamp": "a timestamp",
}
_MOST_SHOWN = 40  # digits of a number in a message
_EPOCH = dt.date(1970, 1, 1)


class Refused(Exception):  # noqa: N818 # never leaves the package: the parser makes faults of it
    """An operation that can't be, with the sentence for the author of the expression."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A number of `years`, `months`, `days` or `hours`, to be added to a date or a timestamp."""

    unit: str
    count: Node


@dataclass(frozen=True, slots=True)
class Ratio:
    """An exact quotient of two numbers, to be rounded, and what bounds it; the denominator is above 0."""

    above: Node
    below: Node
    low: Fraction
    high: Fraction


Operand = Node | Duration | Ratio


# --- types


def any_null(*nodes: Node) -> bool:
    """Whether a null operand can make the outcome null."""
    return any(node.type.nullable for node in nodes)


def boolean(*nodes: Node) -> ValueType:
    """Return the type of a truth about some values, null where one of them is."""
    return ValueType("boolean", any_null(*nodes), labels=(False, True))


def integer(low: int, high: int, *, nullable: bool) -> ValueType:
    """Return the type of an integer within bounds."""
    return ValueType("integer", nullable, 0, low, high)


def text_type(length: int | None, *, nullable: bool) -> ValueType:
    """Return the type of a text of so many characters at most."""
    return ValueType("string", nullable, length=length)


def constant_integer(value: int) -> Node:
    """Return an integer that stands in the expression."""
    return Node.constant(integer(value, value, nullable=False), value)


def decimal_text(unscaled: int, scale: int) -> str:
    """Return a number as people write it; a very long one is rounded."""
    if len(str(abs(unscaled))) > _MOST_SHOWN:
        return f"{Exact(unscaled).scaleb(-scale, Context(prec=3)):.1e}"
    return f"{Exact(unscaled).scaleb(-scale, Context(prec=_MOST_SHOWN)):f}"


def checked(node: Node, quote: str) -> Node:
    """Return a node whose values its kind has room for; else Refused."""
    of = node.type
    if of.kind == "string":
        if of.length is not None and of.length > MOST_CHARACTERS:
            raise Refused(
                f"{quote} can have {of.length} characters; a text that is put together has at most {MOST_CHARACTERS}"
            )
        return node
    if of.scale > MOST_DIGITS:
        raise Refused(
            f"{quote} has {of.scale} digits after the point; at most {MOST_DIGITS} are possible, and round(x, s) leaves fewer"
        )
    low, high = RANGES[of.kind]
    least, most = of.bounds
    if low <= least and most <= high:
        return node
    if of.is_time:
        raise Refused(f"{quote} can leave the years 1 to 9999")
    reached = decimal_text(most if most > high else least, of.scale)
    if node.is_constant:
        raise Refused(f"{reached} is too large; an integer lies between {low} and {high}")
    if of.kind == "decimal":
        raise Refused(f"{quote} can reach {reached}; a decimal has at most {MOST_DIGITS} digits")
    raise Refused(f"{quote} can reach {reached}; an integer lies between {low} and {high}")


def _scaled(node: Node, factor: int, kind: Kind, scale: int) -> Node:
    """Return a node's values in a finer unit."""
    if factor == 1 and node.type.kind == kind:
        return node
    low, high = node.type.bounds
    of = ValueType(kind, node.type.nullable, scale, low * factor, high * factor)
    if node.is_constant and isinstance(node.value, int):
        return Node.constant(of, node.value * factor)
    return Node.of("scale", of, node, value=factor)


def _to_scale(node: Node, scale: int) -> Node:
    kind: Kind = "decimal" if scale or node.type.kind == "decimal" else "integer"
    return _scaled(node, 10 ** (scale - node.type.scale), kind, scale)


def _to_timestamp(node: Node) -> Node:
    """Return a date as its midnight, a timestamp as it is."""
    return node if node.type.kind == "timestamp" else _scaled(node, DAY, "timestamp", 0)


_DATE = re.compile(r"([0-9]{4})-0?([0-9]{1,2})-0?([0-9]{1,2})", re.ASCII)


def _as_date(nodes: Sequence[Node]) -> str:
    """Return the advice for a date that stands as a string beside dates, or nothing."""
    if not any(node.type.is_time for node in nodes):
        return ""
    texts = (str(node.value) for node in nodes if node.is_constant and node.type.kind == "string")
    found = next(filter(None, map(_DATE.match, texts)), None)
    return f"; write date({', '.join(found.groups())})" if found else ""


def unified(
    nodes: Sequence[Node], quotes: Sequence[str], where: str, *, midnights: bool = False
) -> list[Node]:
    """Return nodes in the one unit that fits all: the larger scale; beside timestamps dates as their `midnights`.

    Refused where they aren't of one kind; `where` begins the advice: "both branches of if".
    """
    kinds = {node.type.kind for node in nodes}
    if kinds <= {"integer", "decimal"}:
        if kinds == {"integer"}:
            return list(nodes)
        scale = max(node.type.scale for node in nodes)
        return [_scaled(node, 10 ** (scale - node.type.scale), "decimal", scale) for node in nodes]
    if midnights and kinds == {"date", "timestamp"}:
        return [_to_timestamp(node) for node in nodes]
    if len(kinds) > 1:
        other = next(i for i, node in enumerate(nodes) if node.type.kind != nodes[0].type.kind)
        raise Refused(
            f"{quotes[0]} is {A_KIND[nodes[0].type.kind]} and {quotes[other]} is {A_KIND[nodes[other].type.kind]}; "
            f"{where} must be of one kind{_as_date(nodes) or _as_timestamp(kinds)}"
        )
    return list(nodes)


def _as_timestamp(kinds: set[Kind]) -> str:
    return ", and + hours(0) makes a timestamp of a date" if kinds == {"date", "timestamp"} else ""


def common_type(nodes: Sequence[Node], *, nullable: bool) -> ValueType:
    """Return the type of a value that is one of some unified values."""
    first = nodes[0].type
    if first.kind == "string":
        lengths = [node.type.length for node in nodes]
        return text_type(
            None if None in lengths else max(each for each in lengths if each is not None), nullable=nullable
        )
    bounds = [node.type.bounds for node in nodes]
    labels = (False, True) if first.kind == "boolean" else None
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    return ValueType(first.kind, nullable, first.scale, low, high, labels)


def extreme(op: str, nodes: Sequence[Node]) -> Node:
    """Return the `min` or `max` of unified values, null where one of them is."""
    of = common_type(nodes, nullable=any_null(*nodes))
    if of.kind != "string":
        bounds = [node.type.bounds for node in nodes]
        if op == "min":
            of = replace(of, high=min(high for _, high in bounds))
        else:
            of = replace(of, low=max(low for low, _ in bounds))
    return Node.of(op, of, *nodes)


# --- arithmetic


def _corners(a: Node, b: Node) -> list[tuple[int, int]]:
    return [(x, y) for x in a.type.bounds for y in b.type.bounds]


def _is_number(operand: Operand) -> bool:
    return isinstance(operand, Ratio) or (isinstance(operand, Node) and operand.type.is_number)


def _numbers(op: str, a: Operand, b: Operand, quotes: Sequence[str]) -> None:
    if not (_is_number(a) and _is_number(b)):
        raise Refused(f"{_kinds(a, b, quotes)}; {op} takes two numbers")


def _kinds(a: Operand, b: Operand, quotes: Sequence[str]) -> str:
    return f"{quotes[0]} is {_a_kind(a)} and {quotes[1]} is {_a_kind(b)}"


def _a_kind(operand: Operand) -> str:
    if isinstance(operand, Duration):
        return "a duration"
    return "a quotient" if isinstance(operand, Ratio) else A_KIND[operand.type.kind]


def _ratio(operand: Operand) -> Ratio:
    if isinstance(operand, Ratio):
        return operand
    if isinstance(operand, Duration):
        raise TypeError("a duration is no number")
    low, high = operand.type.bounds
    unit = 10**operand.type.scale
    return Ratio(operand, constant_integer(1), Fraction(low, unit), Fraction(high, unit))


def _quotient(above: Node, below: Node, bounds: Sequence[Fraction]) -> Ratio:
    """Return above / below within bounds; below is above 0, whatever its own bounds say."""
    return Ratio(above, below, min(bounds), max(bounds))


def _sum(op: str, a: Node, b: Node) -> Node:
    """Return a + b or a - b of numbers, in the larger scale."""
    scale = max(a.type.scale, b.type.scale)
    kind: Kind = "decimal" if "decimal" in (a.type.kind, b.type.kind) else "integer"
    a, b = _to_scale(a, scale), _to_scale(b, scale)
    return Node.of(op, ValueType(kind, any_null(a, b), scale, *_sum_bounds(op, a, b)), a, b)


def _sum_bounds(op: str, a: Node, b: Node) -> tuple[int, int]:
    (a_low, a_high), (b_low, b_high) = a.type.bounds, b.type.bounds
    return (a_low + b_low, a_high + b_high) if op == "add" else (a_low - b_high, a_high - b_low)


def _product(a: Node, b: Node) -> Node:
    products = [x * y for x, y in _corners(a, b)]
    kind: Kind = "decimal" if "decimal" in (a.type.kind, b.type.kind) else "integer"
    of = ValueType(kind, any_null(a, b), a.type.scale + b.type.scale, min(products), max(products))
    return Node.of("mul", of, a, b)


def negated(operand: Operand, quote: str) -> Operand:
    """Return a number with the other sign."""
    if isinstance(operand, Ratio):
        return Ratio(_negative(operand.above), operand.below, -operand.high, -operand.low)
    if not _is_number(operand) or isinstance(operand, Duration):
        raise Refused(f"{quote} is {_a_kind(operand)}; - takes a number")
    return _negative(operand)


def _negative(node: Node) -> Node:
    low, high = node.type.bounds
    of = ValueType(node.type.kind, node.type.nullable, node.type.scale, -high, -low)
    return Node.of("neg", of, node)


def added(a: Operand, b: Operand, quotes: Sequence[str]) -> Operand:
    """Return a + b: of numbers, of texts, of a time and a duration."""
    if isinstance(a, Node) and isinstance(b, Duration) and a.type.is_time:
        return shifted(a, b, 1)
    if isinstance(a, Node) and isinstance(b, Node) and a.type.kind == b.type.kind == "string":
        a_length, b_length = a.type.length, b.type.length
        length = None if a_length is None or b_length is None else a_length + b_length
        return Node.of("concat", text_type(length, nullable=any_null(a, b)), a, b)
    return _added_numbers("+", a, b, quotes)


def subtracted(a: Operand, b: Operand, quotes: Sequence[str]) -> Operand:
    """Return a - b: of numbers, of a time and a duration, of two dates (in days) or timestamps (in seconds)."""
    if isinstance(a, Node) and isinstance(b, Duration) and a.type.is_time:
        return shifted(a, b, -1)
    if isinstance(a, Node) and isinstance(b, Node) and a.type.is_time and b.type.is_time:
        a, b = unified((a, b), quotes, "both", midnights=True)
        return Node.of("sub", integer(*_sum_bounds("sub", a, b), nullable=any_null(a, b)), a, b)
    return _added_numbers("-", a, b, quotes)


def _added_numbers(sign: str, a: Operand, b: Operand, quotes: Sequence[str]) -> Operand:
    if not (_is_number(a) and _is_number(b)):
        raise Refused(f"{_kinds(a, b, quotes)}; {_advice(sign, a, b)}")
    op = "add" if sign == "+" else "sub"
    if isinstance(a, Node) and isinstance(b, Node):
        return _sum(op, a, b)
    x, y = _ratio(a), _ratio(b)
    above = _sum(op, _product(x.above, y.below), _product(y.above, x.below))
    bounds = (x.low + y.low, x.high + y.high) if sign == "+" else (x.low - y.high, x.high - y.low)
    return _quotient(above, _product(x.below, y.below), bounds)


def _advice(sign: str, a: Operand, b: Operand) -> str:
    """Return what + or - would take, by what its author seems to want."""
    a_time, b_time = (isinstance(each, Node) and each.type.is_time for each in (a, b))
    if isinstance(a, Duration) and b_time and sign == "+":
        return "write the date first, then the duration"
    if a_time and _is_number(b):
        return f"write a duration, such as days(n), after {sign}"
    kinds = {each.type.kind for each in (a, b) if isinstance(each, Node)}
    if sign == "+" and kinds == {"string", "integer"}:
        return "pad(x, 1) makes a string of an integer"
    if sign == "+":
        return "+ takes two numbers, two strings, or a date and a duration"
    return "- takes two numbers, two dates, or a date and a duration"


def multiplied(a: Operand, b: Operand, quotes: Sequence[str]) -> Operand:
    """Return a * b, which has the digits after the point of both."""
    _numbers("*", a, b, quotes)
    if isinstance(a, Node) and isinstance(b, Node):
        return _product(a, b)
    x, y = _ratio(a), _ratio(b)
    bounds = [p * q for p in (x.low, x.high) for q in (y.low, y.high)]
    return _quotient(_product(x.above, y.above), _product(x.below, y.below), bounds)


def divide(a: Operand, b: Operand, quotes: Sequence[str]) -> Operand:
    """Return a / b, exact, for round(); Refused where b can be 0."""
    _numbers("/", a, b, quotes)
    x, y = _ratio(a), _ratio(b)
    _refuse_zero(y.low, y.high, quotes[1])
    above, below = _product(x.above, y.below), _product(x.below, y.above)
    if y.high < 0:
        above, below = _negative(above), _negative(below)
    return _quotient(above, below, [p / q for p in (x.low, x.high) for q in (y.low, y.high)])


def _refuse_zero(low: Fraction | int, high: Fraction | int, quote: str) -> None:
    if low <= 0 <= high:
        if low == high:
            raise Refused("nothing can be divided by 0")
        one = quote.strip("'\"")
        raise Refused(f"{quote} can be 0, by which nothing can be divided; max({one}, 1), say, can't be")


def floored(op: str, a: Operand, b: Operand, quotes: Sequence[str]) -> Operand:
    """Return a // b or a % b of integers, as Python has them; Refused where b can be 0."""
    sign = "//" if op == "floordiv" else "%"
    if not all(isinstance(each, Node) and each.type.kind == "integer" for each in (a, b)):
        raise Refused(f"{_kinds(a, b, quotes)}; {sign} takes two integers")
    if not (isinstance(a, Node) and isinstance(b, Node)):
        raise TypeError("they are nodes: it was looked at")
    low, high = b.type.bounds
    _refuse_zero(low, high, quotes[1])
    if op == "floordiv":
        quotients = [x // y for x, y in _corners(a, b)]
        return Node.of(op, integer(min(quotients), max(quotients), nullable=any_null(a, b)), a, b)
    return Node.of(op, integer(min(0, low + 1), max(0, high - 1), nullable=any_null(a, b)), a, b)


def rounded(operand: Operand, scale: int, quote: str) -> Node:
    """Return a number rounded half to even, with `scale` digits after the point; an integer for scale 0."""
    if isinstance(operand, Duration) or not _is_number(operand):
        raise Refused(f"{quote} is {_a_kind(operand)}; round takes a number")
    ratio = _ratio(operand)
    above, below = ratio.above, ratio.below
    finer = scale - above.type.scale + below.type.scale
    if finer >= 0:
        above = _scaled(above, 10**finer, "decimal", above.type.scale + finer)
    else:
        below = _scaled(below, 10**-finer, "decimal", below.type.scale - finer)
    low, high = (round(bound * 10**scale) for bound in (ratio.low, ratio.high))
    of = ValueType("decimal" if scale else "integer", any_null(above, below), scale, low, high)
    return Node.of("round", of, above, below)


# --- times


def shifted(time: Node, by: Duration, sign: int) -> Node:
    """Return a date or timestamp so much later, or earlier for a negative sign."""
    count = by.count if sign > 0 else _negative(by.count)
    if by.unit in ("years", "months"):
        months = _scaled(count, 12 if by.unit == "years" else 1, "integer", 0)
        return Node.of("months", _months_type(time, months), time, months)
    unit = 1
    if by.unit == "hours" or time.type.kind == "timestamp":
        time, unit = _to_timestamp(time), 3600 if by.unit == "hours" else DAY
    count = _scaled(count, unit, "integer", 0)
    bounds = _sum_bounds("add", time, count)
    return Node.of("add", ValueType(time.type.kind, any_null(time, count), 0, *bounds), time, count)


def _months_type(time: Node, months: Node) -> ValueType:
    """Return the type of a time some months later: a later day never comes to lie before an earlier one."""
    (low, high), (fewest, most) = time.type.bounds, months.type.bounds
    nullable = any_null(time, months)
    if time.type.kind == "date":
        return ValueType("date", nullable, 0, _months_later(low, fewest), _months_later(high, most))
    # Days that come to lie on one day, the last of a short month, mix their times of day.
    (low_day, low_second), (high_day, high_second) = divmod(low, DAY), divmod(high, DAY)
    first, last = _months_later(low_day, fewest), _months_later(high_day, most)
    if low_day < high_day and _months_later(low_day + 1, fewest) == first:
        low_second = 0
    if low_day < high_day and _months_later(high_day - 1, most) == last:
        high_second = DAY - 1
    return ValueType("timestamp", nullable, 0, first * DAY + low_second, last * DAY + high_second)


def _months_later(day: int, months: int) -> int:
    """Return a day some months later; a day before or after all days where there is none."""
    date = dt.date.fromordinal(_EPOCH.toordinal() + day)
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    if not dt.MINYEAR <= year <= dt.MAXYEAR:
        low, high = RANGES["date"]
        return low - 1 if year < dt.MINYEAR else high + 1
    last = calendar.monthrange(year, month + 1)[1]
    return day_number(dt.date(year, month + 1, min(date.day, last)))


def chained(op: str, nodes: Sequence[Node]) -> Node:
    """Return `and` or `or` of truths."""
    return reduce(lambda a, b: Node.of(op, boolean(a, b), a, b), nodes)
