"""The functions of the expression language: what each takes, what it gives and what it means, one entry each.

The reference in the guide is made of these entries.
"""

import calendar
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from esdh_core.columns import day_number

from esdh_plan.expressions.nodes import (
    A_KIND,
    Duration,
    Operand,
    Ratio,
    Refused,
    any_null,
    common_type,
    extreme,
    integer,
    rounded,
    text_type,
    unified,
)
from esdh_plan.expressions.types import DAY, MOST_DIGITS, Kind, Node, ValueType

__all__ = ["DURATIONS", "FUNCTIONS", "Function", "Parameter", "call"]

MOST_PADDED = 1_000  # characters: more would ask for memory that no plan has declared
DURATIONS = ("years", "months", "days", "hours")
_TIMES: tuple[Kind, ...] = ("date", "timestamp")
_NUMBERS: tuple[Kind, ...] = ("integer", "decimal")
_EPOCH = dt.date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a function takes at one place: its name, and the kinds that fit (none: any)."""

    name: str
    kinds: tuple[Kind, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """One function: `required` parameters must be given, `variadic` ones go on as the last."""

    name: str
    parameters: tuple[Parameter, ...]
    description: str
    build: "Callable[[Call], Operand]"
    required: int
    variadic: bool = False

    @property
    def signature(self) -> str:
        """The function with its parameters, as `left(s, n)`."""
        names = [parameter.name for parameter in self.parameters]
        needed, optional = (
            ", ".join(names[: self.required]),
            "".join(f"[, {n}]" for n in names[self.required :]),
        )
        return f"{self.name}({needed}{optional}{', ...' if self.variadic else ''})"


@dataclass(frozen=True, slots=True)
class Call:
    """A call: how it is written, the operands and how each of them is. `today` resolves that name."""

    quote: str
    operands: Sequence[Operand]
    quotes: Sequence[str]
    today: Callable[[], Node]

    @property
    def nodes(self) -> list[Node]:
        """The arguments; only round() takes others."""
        return [operand for operand in self.operands if isinstance(operand, Node)]


FUNCTIONS: dict[str, Function] = {}

Build = Callable[[Call], Operand]


def _function(
    name: str, *parameters: Parameter, description: str, required: int | None = None, variadic: bool = False
) -> Callable[[Build], Build]:
    def bind(build: Build) -> Build:
        least = len(parameters) if required is None else required
        FUNCTIONS[name] = Function(name, parameters, description, build, least, variadic)
        return build

    return bind


def call(
    function: Function, operands: Sequence[Operand], quotes: Sequence[str], today: Callable[[], Node]
) -> Operand:
    """Return a call of a function; Refused where the arguments don't fit.

    `quotes` are the call as it is written, then each operand as it is written.
    """
    whole, *quotes = quotes
    _check_number(function, len(operands))
    if function.name != "round":  # round looks at its own: a quotient stands there alone
        for i, operand in enumerate(operands):
            _check_kind(
                function, function.parameters[min(i, len(function.parameters) - 1)], operand, quotes[i]
            )
    return function.build(Call(whole, operands, quotes, today))


def _check_number(function: Function, count: int) -> None:
    least, most = function.required, None if function.variadic else len(function.parameters)
    if least <= count and (most is None or count <= most):
        return
    number = f"at least {least}" if most is None else str(least) if least == most else f"{least} or {most}"
    plural = "argument" if number == "1" else "arguments"
    raise Refused(f"{function.name} takes {number} {plural}, not {count}: {function.signature}")


def _check_kind(function: Function, parameter: Parameter, operand: Operand, quote: str) -> None:
    if isinstance(operand, Duration):
        raise Refused(f"{quote} is a duration; it stands only after + or - of a date or timestamp")
    if isinstance(operand, Ratio):
        raise TypeError("only round() is given a quotient")
    if parameter.kinds and operand.type.kind not in parameter.kinds:
        expected = " or ".join(A_KIND[kind] for kind in parameter.kinds)
        raise Refused(
            f"{quote} is {A_KIND[operand.type.kind]}; {function.name} takes {expected} there: {function.signature}"
        )


# --- durations and dates


def _duration(unit: str) -> None:
    rest = " (a day that the month doesn't have becomes its last)" if unit in ("years", "months") else ""

    @_function(
        unit,
        Parameter("n", ("integer",)),
        description=f"A duration of n {unit}, to be added to or taken from a date or timestamp{rest}.",
    )
    def build(call: Call) -> Operand:
        return Duration(unit, call.nodes[0])


for _unit in DURATIONS:
    _duration(_unit)


@_function(
    "date",
    Parameter("y", ("integer",)),
    Parameter("m", ("integer",)),
    Parameter("d", ("integer",)),
    description="The date of a year, a month and a day.",
)
def _date(call: Call) -> Operand:
    (y_low, y_high), (m_low, m_high), (d_low, d_high) = (node.type.bounds for node in call.nodes)
    written = call.quote
    what = "isn't" if all(node.is_constant for node in call.nodes) else "isn't always"
    if y_low < dt.MINYEAR or y_high > dt.MAXYEAR:
        raise Refused(f"{written} {what} a date; a year lies between 1 and 9999")
    if m_low < 1 or m_high > 12:
        raise Refused(f"{written} {what} a date; a month lies between 1 and 12")
    year = y_low if y_low == y_high else 2023  # a common year: February has 28 days in one of several
    shortest = min(calendar.monthrange(year, month)[1] for month in range(m_low, m_high + 1))
    if d_low < 1 or d_high > shortest:
        raise Refused(f"{written} {what} a date; a day lies between 1 and {shortest} there")
    low = day_number(dt.date(y_low, m_low, d_low))
    high = day_number(dt.date(y_high, m_high, d_high))
    return Node.of("date", ValueType("date", any_null(*call.nodes), 0, low, high), *call.nodes)


def _day(time: Node, place: int) -> dt.date:
    """Return the first (0) or last (1) day that a time can lie on."""
    bound = time.type.bounds[place]
    return dt.date.fromordinal((bound // DAY if time.type.kind == "timestamp" else bound) + _EPOCH)


def full_years(born: dt.date, on: dt.date) -> int:
    """Return the whole years from one day to another."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


@_function(
    "age",
    Parameter("born", _TIMES),
    Parameter("on", _TIMES),
    required=1,
    description="The whole years from one day to another, by default to today. A time of day doesn't count.",
)
def _age(call: Call) -> Operand:
    born, on = call.nodes if len(call.nodes) > 1 else (call.nodes[0], call.today())
    low, high = full_years(_day(born, 1), _day(on, 0)), full_years(_day(born, 0), _day(on, 1))
    return Node.of("age", integer(low, high, nullable=any_null(born, on)), born, on)


@_function("year", Parameter("t", _TIMES), description="The year of a date or timestamp.")
def _year(call: Call) -> Operand:
    (time,) = call.nodes
    of = integer(_day(time, 0).year, _day(time, 1).year, nullable=time.type.nullable)
    return Node.of("year", of, time)


# --- of any kind


@_function(
    "coalesce",
    Parameter("x"),
    Parameter("y"),
    variadic=True,
    description="The first of the values that isn't null.",
)
def _coalesce(call: Call) -> Operand:
    nodes = unified(call.nodes, call.quotes, "the arguments of coalesce")
    nullable = all(node.type.nullable for node in nodes)
    return Node.of("coalesce", common_type(nodes, nullable=nullable), *nodes)


def _extreme(name: str, which: str) -> None:
    @_function(
        name,
        Parameter("x"),
        Parameter("y"),
        variadic=True,
        description=f"The {which} of the values; null where one of them is null.",
    )
    def build(call: Call) -> Operand:
        return extreme(name, unified(call.nodes, call.quotes, f"the arguments of {name}"))


_extreme("min", "least")
_extreme("max", "greatest")


@_function(
    "round",
    Parameter("x", _NUMBERS),
    Parameter("s", ("integer",)),
    required=1,
    description=(
        "A number rounded to s digits after the point, half to even; to an integer without s. "
        "Only here may / stand: round(a / b, 2). The divisor must be a number that can't be 0."
    ),
)
def _round(call: Call) -> Operand:
    scale = 0
    if len(call.operands) > 1:
        (operand, digits), (_, quote) = call.operands, call.quotes
        if not (isinstance(digits, Node) and digits.is_constant and digits.type.kind == "integer"):
            raise Refused(
                f"{quote} doesn't stand for one number; round takes an integer from 0 to {MOST_DIGITS} as s"
            )
        scale = int(str(digits.value))
        if not 0 <= scale <= MOST_DIGITS:
            raise Refused(
                f"{scale} is no number of digits; round takes an integer from 0 to {MOST_DIGITS} as s"
            )
        return rounded(operand, scale, call.quotes[0])
    return rounded(call.operands[0], scale, call.quotes[0])


# --- text


def _of_text(name: str, description: str) -> None:
    @_function(name, Parameter("s", ("string",)), description=description)
    def build(call: Call) -> Operand:
        (node,) = call.nodes
        of = node.type
        # One character can become several; none of Unicode's becomes more than 5 of ASCII ("rad/s" and a 2).
        length = None if of.length is None else of.length * (5 if name == "ascii" else 1)
        return Node.of(name, text_type(1 if name == "luhn" else length, nullable=of.nullable), node)


_of_text("lower", "The text with A to Z as a to z; other letters stay.")
_of_text("upper", "The text with a to z as A to Z; other letters stay.")
_of_text("ascii", "The text without accents and other marks (é is e); what then isn't ASCII is left out (ß).")
_of_text("luhn", "The digit that, put behind the digits of the text, makes a number that passes Luhn's test.")


def _check_characters(name: str, count: Node, quote: str, most: int | None = None) -> None:
    low, high = count.type.bounds
    if low >= 0 and (most is None or high <= most):
        return
    expected = "from 0" if most is None else f"from 0 to {most}"
    reached = low if low < 0 else high
    what = f"{reached} is" if count.is_constant else f"{quote} can be {reached}, which is"
    raise Refused(f"{what} no number of characters for {name}; it takes one {expected}")


def _part(name: str, which: str) -> None:
    @_function(
        name,
        Parameter("s", ("string",)),
        Parameter("n", ("integer",)),
        description=f"The {which} n characters of a text; all of it where it has fewer.",
    )
    def build(call: Call) -> Operand:
        node, count = call.nodes
        high = count.type.bounds[1]
        _check_characters(name, count, call.quotes[1])
        length = high if node.type.length is None else min(high, node.type.length)
        return Node.of(name, text_type(length, nullable=any_null(node, count)), node, count)


_part("left", "first")
_part("right", "last")


@_function(
    "pad",
    Parameter("x", ("string", "integer")),
    Parameter("n", ("integer",)),
    Parameter("fill", ("string",)),
    required=2,
    description="A text, or an integer as text, filled on its left to n characters: with 0, or with fill.",
)
def _pad(call: Call) -> Operand:
    value, count = call.nodes[:2]
    high = count.type.bounds[1]
    _check_characters("pad", count, call.quotes[1], MOST_PADDED)
    fill: object = "0"
    if len(call.nodes) > 2:
        fill = call.nodes[2].value if call.nodes[2].is_constant else None
    if not isinstance(fill, str) or len(fill) != 1:
        raise Refused(f"{call.quotes[2]} can't fill; pad takes one character in quotes")
    own = value.type.length
    if value.type.kind == "integer":
        own = max(len(str(bound)) for bound in value.type.bounds)
    length = None if own is None else max(own, high)
    return Node.of("pad", text_type(length, nullable=any_null(value, count)), value, count, value=fill)
