"""Expressions of plans: their types, their values against plain Python, and what is said of wrong ones."""

import ast
import calendar
import datetime as dt
import operator
import pickle
import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from esdh_core import columns as core
from esdh_core.columns import (
    Boolean,
    Categorical,
    Categories,
    Column,
    Concat,
    Date,
    FixedText,
    Integer,
    Text,
    Timestamp,
    concatenate,
    day_number,
)
from esdh_plan.expressions import (
    FUNCTIONS,
    ExpressionError,
    Fault,
    Node,
    Path,
    ValueType,
    evaluate,
    near,
    parse,
    parse_aggregate,
    parse_date_text,
    strings,
)
from hypothesis import given, reject, settings
from hypothesis import strategies as st

TODAY = dt.date(2024, 6, 1)
LEAST, MOST = -(2**63), 2**63 - 1


def days(*date: int) -> int:
    """Return a date's number."""
    return day_number(dt.date(*date))


def seconds(*instant: int) -> int:
    """Return an instant's number."""
    return int(dt.datetime(*instant, tzinfo=dt.UTC).timestamp())  # type: ignore[misc, arg-type] # numbers, and then the zone


TYPES: dict[str, ValueType] = {
    "amount": ValueType("decimal", scale=2, low=0, high=10_000_000),
    "fee": ValueType("decimal", nullable=True, scale=4, low=-50_000, high=50_000),
    "k": ValueType("integer", low=0, high=199),
    "n": ValueType("integer", nullable=True, low=-5, high=5),
    "big": ValueType("integer"),
    "year": ValueType("integer", low=1990, high=2024),
    "status": ValueType("string", labels=("open", "closed")),
    "name": ValueType("string", length=20),
    "memo": ValueType("string", nullable=True, length=40),
    "endless": ValueType("string", length=6_000),
    "flag": ValueType("boolean"),
    "maybe": ValueType("boolean", nullable=True),
    "born": ValueType("date", low=days(1934, 6, 1), high=days(2006, 6, 1)),
    "closed": ValueType("date", nullable=True, low=days(2005, 1, 1), high=days(2024, 6, 1)),
    "at": ValueType("timestamp", low=seconds(2005, 1, 31), high=seconds(2024, 6, 1, 12)),
    "today": ValueType("date", low=day_number(TODAY), high=day_number(TODAY)),
    "parent.born_on": ValueType("date", low=days(1934, 6, 1), high=days(2006, 6, 1)),
}


class Names:
    """A scope out of a mapping of names with points to types."""

    def __init__(self, types: Mapping[str, ValueType]) -> None:
        self.types = types

    def resolve(self, path: Path) -> ValueType:
        """Return the type of a path."""
        name = ".".join(path)
        if name in self.types:
            return self.types[name]
        raise LookupError(f"{name!r} is unknown{near(name, self.types)}")


SCOPE = Names(TYPES)


def faults(text: str) -> list[str]:
    """Return what is said of a wrong expression."""
    with pytest.raises(ExpressionError) as caught:
        parse(text, SCOPE)
    return [sentence for _, sentence in caught.value.faults]


# --- types


def _number(kind: Any, low: int, high: int, scale: int = 0, *, nullable: bool = False) -> ValueType:
    return ValueType(kind, nullable, scale, low, high)


TRUTH = ValueType("boolean", labels=(False, True))
TRUTH_OR_NULL = ValueType("boolean", nullable=True, labels=(False, True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", _number("integer", 5, 5)),
        ("-5", _number("integer", -5, -5)),
        ("0.10", _number("decimal", 10, 10, 2)),
        (".5", _number("decimal", 5, 5, 1)),
        ("'ab'", ValueType("string", length=2)),
        ("True", ValueType("boolean", low=1, high=1, labels=(False, True))),
        ("status", TYPES["status"]),
        ("k + 1", _number("integer", 1, 200)),
        ("k - n", _number("integer", -5, 204, nullable=True)),
        ("k * n", _number("integer", -995, 995, nullable=True)),
        ("-k", _number("integer", -199, 0)),
        ("+k", _number("integer", 0, 199)),
        ("k // 2", _number("integer", 0, 99)),
        ("k % 7", _number("integer", 0, 6)),
        ("amount + fee", _number("decimal", -50_000, 1_000_050_000, 4, nullable=True)),
        ("amount + 1", _number("decimal", 100, 10_000_100, 2)),
        ("amount * 0.5", _number("decimal", 0, 50_000_000, 3)),
        ("2 * 3 + 0.5", _number("decimal", 65, 65, 1)),
        ("name + memo", ValueType("string", nullable=True, length=60)),
        ("born + days(k)", _number("date", days(1934, 6, 1), days(2006, 6, 1) + 199)),
        ("born + years(18)", _number("date", days(1952, 6, 1), days(2024, 6, 1))),
        ("born - months(1)", _number("date", days(1934, 5, 1), days(2006, 5, 1))),
        ("today + hours(1)", _number("timestamp", seconds(2024, 6, 1, 1), seconds(2024, 6, 1, 1))),
        ("at + days(n)", _number("timestamp", seconds(2005, 1, 26), seconds(2024, 6, 6, 12), nullable=True)),
        ("at + months(1)", _number("timestamp", seconds(2005, 2, 28), seconds(2024, 7, 1, 12))),
        ("today - born", _number("integer", 6575, 32_873)),
        ("at - born", _number("integer", -41_990_400, 2_840_270_400)),
        ("k < amount", TRUTH),
        ("1 < n <= 3", TRUTH_OR_NULL),
        ("born < at", TRUTH),
        ("flag and maybe", TRUTH_OR_NULL),
        ("flag or not flag", TRUTH),
        ("memo in ('a', 'b')", TRUTH_OR_NULL),
        ("status not in ['a', 'b']", TRUTH),
        ("memo is None", TRUTH),
        ("memo is not None", TRUTH),
        ("k if maybe else amount", _number("decimal", 0, 10_000_000, 2)),
        (
            "born + hours(0) if flag else at",
            _number("timestamp", seconds(1934, 6, 1), seconds(2024, 6, 1, 12)),
        ),
        ("at in (born, closed)", TRUTH_OR_NULL),
        ("coalesce(-7, 3)", _number("integer", -7, -7)),
        ("round(k / (k + 1) - 1 / (1 / (k + 1)), 1)", _number("decimal", -2000, 1980, 1)),
        ("round(1 / (k / 3 + 1 / 7))", _number("integer", 0, 7)),
        ("round(1 / (k / -3 - 1 / 7))", _number("integer", -7, 0)),
        ("name if flag else memo", ValueType("string", nullable=True, length=40)),
        ("coalesce(n, k)", _number("integer", -5, 199)),
        ("coalesce(n, fee)", _number("decimal", -50_000, 50_000, 4, nullable=True)),
        ("min(k, n, 3)", _number("integer", -5, 3, nullable=True)),
        ("max(k, 50)", _number("integer", 50, 199)),
        ("round(amount)", _number("integer", 0, 100_000)),
        ("round(amount, 0)", _number("integer", 0, 100_000)),
        ("round(amount, 1)", _number("decimal", 0, 1_000_000, 1)),
        ("round(k, 2)", _number("decimal", 0, 19_900, 2)),
        ("round(n / (k + 1), 3)", _number("decimal", -5000, 5000, 3, nullable=True)),
        ("round(k / -3, 1)", _number("decimal", -663, 0, 1)),
        ("age(born)", _number("integer", 18, 90)),
        ("age(born, closed)", _number("integer", -2, 90, nullable=True)),
        ("year(at)", _number("integer", 2005, 2024)),
        ("date(year, 2, 28)", _number("date", days(1990, 2, 28), days(2024, 2, 28))),
        ("date(2024, 2, 29)", _number("date", days(2024, 2, 29), days(2024, 2, 29))),
        ("lower(name)", ValueType("string", length=20)),
        ("ascii(memo)", ValueType("string", nullable=True, length=200)),
        ("luhn(name)", ValueType("string", length=1)),
        ("left(name, 3)", ValueType("string", length=3)),
        ("right(name, 30)", ValueType("string", length=20)),
        ("pad(k, 5)", ValueType("string", length=5)),
        ("pad(big, 5)", ValueType("string", length=20)),
        ("pad(n, 2)", ValueType("string", nullable=True, length=2)),
    ],
)
def test_type(text: str, expected: ValueType) -> None:
    """The type says kind, scale, bounds and nullability exactly by the rules."""
    assert expected == parse(text, SCOPE).type


def test_months_mix_times_of_day() -> None:
    """Days that come to lie on the last of a month bring any time of day with them; the bounds know it."""
    within = ValueType("timestamp", low=seconds(2005, 1, 28, 12), high=seconds(2006, 1, 31, 1))
    expected = _number("timestamp", seconds(2005, 2, 28), seconds(2006, 2, 28) + 86_399)
    assert expected == parse("t + months(1)", Names({"t": within})).type
    assert within == parse("t + months(0)", Names({"t": within})).type


def test_names() -> None:
    """A node tells all paths that it reads; `today` is a constant."""
    node = parse("parent.born_on if k > 1 and age(born) > 3 else closed", SCOPE)
    assert {("parent", "born_on"), ("k",), ("born",), ("closed",)} == node.names


def test_constants_are_folded() -> None:
    """What reads nothing is a constant, so that nothing of it is computed for a row."""
    for text in (
        "2 * (3 + 4)",
        "date(2005, 1, 1) + months(1)",
        "lower('AB') + pad(7, 3)",
        "1 < 2 or 'a' == 'b'",
    ):
        assert parse(text, SCOPE).is_constant


def test_nodes_are_pickled() -> None:
    """A node survives pickling, the deepest one too."""
    node = parse("not " * 60 + "flag", SCOPE)
    again: Node = pickle.loads(pickle.dumps(node))
    assert node == again
    assert node.names == again.names


def test_errors_are_pickled() -> None:
    """An error keeps its faults when it comes from another process."""
    with pytest.raises(ExpressionError) as caught:
        parse("amont + k", SCOPE)
    again = pickle.loads(pickle.dumps(caught.value))
    assert caught.value.faults == again.faults
    assert str(caught.value) == str(again)


# --- wrong expressions

WRONG = {
    "": "the expression is empty; write a value, such as amount * 2",
    "amont * 2": "'amont' is unknown; did you mean 'amount'?",
    "parent.born": "'parent.born' is unknown; did you mean 'parent.born_on'?",
    "amount.__class__": "'amount.__class__' is unknown",
    r"'\d'": r""" "'\d'" can't be read from "'\d'" on""".strip(),
    "not " * 70
    + "flag": "the expression is nested 71 deep; at most 64 are possible, so spread it over several fields",
    "k in ("
    + "1, " * 199
    + ")": "the expression has 202 parts; at most 200 are possible, so spread it over several fields",
    "(k + 1).x": "'(k + 1).x' is no name; a point stands only between names, as in parent.x",
    "'a'.b": "\"'a'.b\" is no name; a point stands only between names, as in parent.x",
    "true": "'true' is unknown; write True",
    "null == k": "'null' is unknown; write x is None, or coalesce(x, y)",
    "lower": "'lower' is a function; write lower(s)",
    "None": "None stands only in x is None and x is not None",
    "k == None": "None stands only in x is None and x is not None",
    "1 if flag else None": "None stands only in x is None and x is not None",
    "amount = 2": "'=' is no operator; write ==",
    "flag && flag": "'&&' is no operator; write and",
    "name || 'x'": "'||' is no operator; write or",
    "flag ? k : 1": "'?' is no operator; write x if c else y",
    "!flag": "'!' is no operator; write not",
    "name <> 'x'": "'<>' is no operator; write !=",
    "1 + 2)": "'1 + 2)' can't be read: a bracket is closed that isn't open",
    "k; k": "'k; k' can't be read from '; k' on",
    "a\x07": "the character U+0007 is no text; remove it",
    "k ** 2": "'k ** 2': ** is no part of the language; write x * x",
    "k & 1": "'k & 1': & is no part of the language; write and",
    "k << 2": "'k << 2': << is no part of the language",
    "~k": "'~k': ~ is no part of the language; write not",
    "amount / 2": "'amount / 2': / stands only within round(x, s), such as round(a / b, 2)",
    "round(k if k / 2 else 1, 2)": "'k / 2': / stands only within round(x, s), such as round(a / b, 2)",
    "amount + name": "'amount' is a decimal and 'name' is a string; + takes two numbers, two strings, or a date and a duration",
    "name + k": "'name' is a string and 'k' is an integer; pad(x, 1) makes a string of an integer",
    "born + 5": "'born' is a date and 5 is an integer; write a duration, such as days(n), after +",
    "born - k": "'born' is a date and 'k' is an integer; write a duration, such as days(n), after -",
    "days(5) + born": "'days(5)' is a duration and 'born' is a date; write the date first, then the duration",
    "at - name": "'at' is a timestamp and 'name' is a string; - takes two numbers, two dates, or a date and a duration",
    "days(5)": "'days(5)' is a duration; it stands only after + or - of a date or timestamp",
    "min(days(5), 3)": "'days(5)' is a duration; it stands only after + or - of a date or timestamp",
    "days(1) == days(2)": "'days(1)' is a duration; it stands only after + or - of a date or timestamp",
    "name * 2": "'name' is a string and 2 is an integer; * takes two numbers",
    "-name": "'name' is a string; - takes a number",
    "-days(1)": "'days(1)' is a duration; - takes a number",
    "amount // 2": "'amount' is a decimal and 2 is an integer; // takes two integers",
    "k // n": "'n' can be 0, by which nothing can be divided; max(n, 1), say, can't be",
    "k % 0": "nothing can be divided by 0",
    "round(1 / (k / 3), 2)": "'k / 3' can be 0, by which nothing can be divided; max(k / 3, 1), say, can't be",
    "round((born + years(9000)) + months(1))": "'born + years(9000)' can leave the years 1 to 9999",
    "coalesce(closed, at)": "'closed' is a date and 'at' is a timestamp; the arguments of coalesce must be of one kind, and + hours(0) makes a timestamp of a date",
    "round(k / (n + 1), 2)": "'n + 1' can be 0, by which nothing can be divided; max(n + 1, 1), say, can't be",
    "not amount": "'amount' is a decimal; not takes a boolean",
    "flag and k": "'k' is an integer; and takes a boolean",
    "flag or 'x'": "'x' is a string; or takes a boolean",
    "k if k else n": "'k' is an integer; if takes a boolean",
    "k if flag else 'x'": "'k' is an integer and 'x' is a string; both branches of if must be of one kind",
    "k == 'x'": "'k' is an integer and 'x' is a string; what is compared must be of one kind",
    "flag == 1": "'flag' is a boolean and 1 is an integer; what is compared must be of one kind",
    "born < 'x'": "'born' is a date and 'x' is a string; what is compared must be of one kind",
    "k is 5": "'k is 5': only None stands after is; write ==",
    "k is not n": "'k is not n': only None stands after is; write !=",
    "1 < k in (1, 2)": "'1 < k in (1, 2)' chains is or in; write each by itself, with and between them",
    "name in ('open')": "'open' is no list; after in write one, such as ('open',)",
    "name not in memo": "'memo' is no list; after not in write one, such as (memo,)",
    "name in ()": "'name in ()' has an empty list; in takes at least one value",
    "name in ('a', 1)": "'name' is a string and 1 is an integer; the values of in must be of one kind",
    "(1, 2)": "'(1, 2)' is a list, which stands only after in and not in",
    "lambda: 1": "'lambda: 1' is a lambda, which is no part of the language",
    "[x for x in k]": "'[x for x in k]' is a comprehension, which is no part of the language",
    "f'{k}'": "\"f'{k}'\" is an f-string, which is no part of the language; join strings with +",
    "name[0]": "'name[0]' is an index, which is no part of the language; left(s, n) and right(s, n) cut strings",
    "(k := 5)": "'k := 5' is an assignment, which is no part of the language; make it a field of its own",
    "{1: 2}": "'{1: 2}' is a mapping, which is no part of the language",
    "{1, 2}": "'{1, 2}' is a set, which is no part of the language; write a list, such as (1, 2), after in",
    "await k": "'await k' is await, which is no part of the language",
    "b'x'": "b'x' is no value of the language; write a string, a number, True or False",
    "...": "... is no value of the language; write a string, a number, True or False",
    "1j": "1j is no value of the language; write a string, a number, True or False",
    "1_000": "'1_000' is no plain number; write it like 1500 or 0.25",
    "0x10": "'0x10' is no plain number; write it like 1500 or 0.25",
    "1e5": "'1e5' is no plain number; write it like 1500 or 0.25",
    "1.": "'1.' is no plain number; write it like 1500 or 0.25",
    "12345678901234567890": "'12345678901234567890' has 20 digits; at most 19 are possible",
    "0.1234567890123456789": "'0.1234567890123456789' has 19 digits; at most 18 are possible",
    "9999999999999999999": "9999999999999999999 is too large; an integer lies between -9223372036854775808 and 9223372036854775807",
    "'a\\nb'": "'a\\nb' has the character U+000A, which no string can have",
    "big + 1": "'big + 1' can reach 9223372036854775808; an integer lies between -9223372036854775808 and 9223372036854775807",
    "-big": "'-big' can reach 9223372036854775808; an integer lies between -9223372036854775808 and 9223372036854775807",
    "amount * amount * amount": "'amount * amount * amount' can reach 1000000000000000.000000; a decimal has at most 18 digits",
    "fee * fee * fee * 0.00000001": "'fee * fee * fee * 0.00000001' has 20 digits after the point; at most 18 are possible, and round(x, s) leaves fewer",
    "round(big / 1, 5)": "'round(big / 1, 5)' can reach 9223372036854775807.00000; a decimal has at most 18 digits",
    "coalesce(big, 0.5)": "'coalesce(big, 0.5)' can reach 9223372036854775807.0; a decimal has at most 18 digits",
    "born + years(9000)": "'born + years(9000)' can leave the years 1 to 9999",
    "born - years(3000)": "'born - years(3000)' can leave the years 1 to 9999",
    "at + hours(big)": "'at + hours(big)' can leave the years 1 to 9999",
    "endless + endless": "'endless + endless' can have 12000 characters; a text that is put together has at most 10000",
    "lowr(name)": "'lowr' is no function of the language; did you mean 'lower'?",
    "__import__('os')": "'__import__' is no function of the language",
    "name.lower()": "'name.lower' is no function of the language; write lower(s)",
    "(lambda: 1)()": "'lambda: 1' is no function of the language",
    "today()": "'today' is no function; write today without parentheses",
    "sum(amount)": "'sum' adds up rows, which an expression can't; make it a field of its own, with rollup or running",
    "left(name)": "left takes 2 arguments, not 1: left(s, n)",
    "round(amount, 1, 2)": "round takes 1 or 2 arguments, not 3: round(x[, s])",
    "lower()": "lower takes 1 argument, not 0: lower(s)",
    "min(k)": "min takes at least 2 arguments, not 1: min(x, y, ...)",
    "left(name, n=1)": "left takes its arguments without names: left(s, n)",
    "left(*name)": "'*name' is a starred value, which is no part of the language",
    "left(amount, 2)": "'amount' is a decimal; left takes a string there: left(s, n)",
    "left(name, n)": "'n' can be -5, which is no number of characters for left; it takes one from 0",
    "right(name, -1)": "-1 is no number of characters for right; it takes one from 0",
    "pad(name, 1001)": "1001 is no number of characters for pad; it takes one from 0 to 1000",
    "pad(amount, 5)": "'amount' is a decimal; pad takes a string or an integer there: pad(x, n[, fill])",
    "pad(name, 5, 'xy')": "'xy' can't fill; pad takes one character in quotes",
    "pad(name, 5, memo)": "'memo' can't fill; pad takes one character in quotes",
    "coalesce(memo, k)": "'memo' is a string and 'k' is an integer; the arguments of coalesce must be of one kind",
    "round(name, 2)": "'name' is a string; round takes a number",
    "round(born)": "'born' is a date; round takes a number",
    "round(amount, k)": "'k' doesn't stand for one number; round takes an integer from 0 to 18 as s",
    "round(amount, 19)": "19 is no number of digits; round takes an integer from 0 to 18 as s",
    "date(2023, 2, 29)": "'date(2023, 2, 29)' isn't a date; a day lies between 1 and 28 there",
    "date(0, 1, 1)": "'date(0, 1, 1)' isn't a date; a year lies between 1 and 9999",
    "date(year, k, 1)": "'date(year, k, 1)' isn't always a date; a month lies between 1 and 12",
    "date(year, 2, 29)": "'date(year, 2, 29)' isn't always a date; a day lies between 1 and 28 there",
    "age(k)": "'k' is an integer; age takes a date or a timestamp there: age(born[, on])",
    "year(name)": "'name' is a string; year takes a date or a timestamp there: year(t)",
    "years(amount)": "'amount' is a decimal; years takes an integer there: years(n)",
}


@pytest.mark.parametrize(("text", "expected"), WRONG.items())
def test_wrong(text: str, expected: str) -> None:
    """A wrong expression is told in one sentence: the value, what would be right and what is near."""
    assert [expected] == faults(text)


def test_all_faults_at_once() -> None:
    """Faults that don't hide each other are told together, each with its place in characters."""
    text = " 'é' + amont + left(name)\n if k else (1 < 'x')".replace("\n", "")
    with pytest.raises(ExpressionError) as caught:
        parse(text, SCOPE)
    expected = (
        Fault(7, "'amont' is unknown; did you mean 'amount'?"),
        Fault(15, "left takes 2 arguments, not 1: left(s, n)"),
        Fault(37, "1 is an integer and 'x' is a string; what is compared must be of one kind"),
    )
    assert expected == caught.value.faults


def test_place_on_a_later_line() -> None:
    """The place of a fault counts the lines before it."""
    with pytest.raises(ExpressionError) as caught:
        parse("  (k +\n amont)", SCOPE)
    assert (Fault(8, "'amont' is unknown; did you mean 'amount'?"),) == caught.value.faults


def test_age_without_today() -> None:
    """Where there is no today, age() says that it needs a second date."""
    with pytest.raises(ExpressionError, match="age needs a second date here, where there is no today"):
        parse("age(born)", Names({"born": TYPES["born"]}))


@pytest.mark.parametrize(
    "text",
    [
        "10**10**10",
        "9" * 2_000,
        "(" * 1_000 + ")" * 1_000,
        "-" * 1_999 + "1",
        "not " * 499 + "flag",
        "[" * 1_999,
        "k" + "*9999999999999999999" * 95,
        "k+" * 999 + "k",
        "a." * 999 + "a",
        "f(" * 999,
        "lambda: " * 249 + "1",
        "'" + "a" * 1_998 + "'" + "a",
        "k" * 2_001,
        "if " * 600,
        "\ud800",
        "k\x00",
        "1 if flag else " * 130 + "1",
        "round(1 / " * 60 + "3" + ", 2)" * 60,
        "pad(" * 60 + "k" + ", 1000)" * 60 + "+ pad(k, 1000)" * 12,
    ],
)
def test_hostile(text: str) -> None:
    """An expression that is huge, deep or endless is refused by what it is, not by running it."""
    assert faults(text)


def test_quotients_of_any_size() -> None:
    """Within round() numbers may grow past 18 digits, and are exact."""
    node = parse(
        "round(" + "9999999999999999999 * " * 40 + "k / (" + "9999999999999999999 * " * 40 + "1), 2)", SCOPE
    )
    column = evaluate(node, lambda _: Integer(np.array([7]), 0, 199), 1)
    assert [Decimal("7.00")] == column.tolist()


# --- dates and aggregates


def test_date_text() -> None:
    """A bound that is written as a date or an instant is a constant; another text is none."""
    date, instant = parse_date_text("2024-06-01"), parse_date_text("2024-06-01T12:00:01Z")
    assert date is not None
    assert instant is not None
    assert (_number("date", days(2024, 6, 1), days(2024, 6, 1)), days(2024, 6, 1)) == (date.type, date.value)
    assert seconds(2024, 6, 1, 12, 0, 1) == instant.value
    assert parse_date_text("today") is None
    assert parse_date_text("2024-06-1") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-30", "'2024-02-30' is no date of the calendar"),
        ("2024-02-01T24:00:00Z", "'2024-02-01T24:00:00Z' is no date and time of the calendar"),
    ],
)
def test_wrong_date_text(text: str, expected: str) -> None:
    """A day that there isn't is told."""
    with pytest.raises(ExpressionError) as caught:
        parse_date_text(text)
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("text", "rows", "expected"),
    [
        ("count(accounts)", (1, 3), _number("integer", 0, 3)),
        ("sum(n)", (2, 10), _number("integer", -50, 50)),
        ("sum(k)", (2, 10), _number("integer", 0, 1990)),
        ("sum( year )", (2, 10), _number("integer", 0, 20_240)),
        ("sum(fee)", (0, 2), _number("decimal", -100_000, 100_000, 4)),
        ("min(parent.born_on)", (1, 2), TYPES["parent.born_on"]),
        ("first(status)", (0, 2), ValueType("string", nullable=True, labels=("open", "closed"))),
        ("last(memo)", (1, 2), TYPES["memo"]),
    ],
)
def test_aggregate(text: str, rows: tuple[int, int], expected: ValueType) -> None:
    """A rollup has its function, its path, and a type by the rows that there can be."""
    found = parse_aggregate(text, SCOPE)
    assert text.partition("(")[0] == found.function
    assert expected == found.over(*rows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "amount",
            "'amount' is no function over rows; write one of sum, count, min, max, first, last, such as sum(transactions.amount)",
        ),
        (
            "summ(amount)",
            "'summ' is no function over rows; there are sum, count, min, max, first, last; did you mean 'sum'?",
        ),
        (
            "sum(amount + 1)",
            "'sum(amount + 1)' names no field; sum takes one, such as sum(transactions.amount)",
        ),
        ("sum(name)", "'name' is a string; sum takes a number"),
        ("sum(amont)", "'amont' is unknown; did you mean 'amount'?"),
        (
            "count(a.b)",
            "'count(a.b)' counts no rows; count takes the name of a table, such as count(a)",
        ),
        ("count()", "'count()' counts no rows; count takes the name of a table, such as count(accounts)"),
    ],
)
def test_wrong_aggregate(text: str, expected: str) -> None:
    """A wrong rollup is told in one sentence."""
    with pytest.raises(ExpressionError) as caught:
        parse_aggregate(text, SCOPE)
    assert expected == str(caught.value)


def test_running_count() -> None:
    """A running count takes nothing, or a field, and no table."""
    assert () == parse_aggregate("count()", SCOPE, running=True).path
    assert ("k",) == parse_aggregate("count(k)", SCOPE, running=True).path
    with pytest.raises(ExpressionError, match="'accounts' is unknown"):
        parse_aggregate("count(accounts)", SCOPE, running=True)


def test_sum_that_can_leave() -> None:
    """A sum over so many rows that it can leave 64 bits is refused."""
    with pytest.raises(ExpressionError, match="over 2 rows can reach 18446744073709551614; an integer lies"):
        parse_aggregate("sum(big)", SCOPE).over(0, 2)


# --- values of examples


def masked(values: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Return the truths of a list with nulls."""
    return None if None not in values else np.array([value is not None for value in values])


def numbers(values: Sequence[int | None], low: int, high: int, null: int = 0) -> dict[str, Any]:
    """Return the fields of a column of numbers; a null holds what may not be read."""
    return {
        "values": np.array([null if value is None else value for value in values], dtype=np.int64),
        "low": low,
        "high": high,
        "valid": masked(values),
    }


def column_of(of: ValueType, values: Sequence[Any]) -> Column:
    """Return a column of Python's values."""
    if of.kind == "string":
        return Text.of(values)
    low, high = of.bounds
    match of.kind:
        case "decimal":
            unscaled = [None if value is None else int(Decimal(value).scaleb(of.scale)) for value in values]
            return core.Decimal(**numbers(unscaled, low, high, LEAST), scale=of.scale)
        case "date":
            return Date(**numbers([None if v is None else day_number(v) for v in values], low, high))
        case "timestamp":
            return Timestamp(
                **numbers([None if v is None else int(v.timestamp()) for v in values], low, high)
            )
        case "boolean":
            truths = np.array([int(bool(value)) for value in values], dtype=np.uint8)
            return Boolean(truths, 0, 1, masked(values))
        case _:
            return Integer(**numbers(values, low, high, LEAST))


def value(text: str, **columns: Sequence[Any]) -> list[Any]:
    """Return what an expression gives for columns of names of SCOPE."""
    rows = len(next(iter(columns.values()), [0]))
    made = {name: column_of(TYPES[name], values) for name, values in columns.items()}
    made["today"] = column_of(TYPES["today"], [TODAY] * rows)
    return evaluate(parse(text, SCOPE), lambda path: made[".".join(path)], rows).tolist()


def date(*parts: int) -> dt.date:
    """Return a date."""
    return dt.date(*parts)


def at(*parts: int) -> dt.datetime:
    """Return an instant."""
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc, arg-type] # numbers, and then the zone


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("7", {"k": [1, 2]}, [7, 7]),
        ("'a' + 'b'", {"k": [1, 2]}, ["ab", "ab"]),
        ("amount * 3 - fee", {"amount": ["1.25", "2.00"], "fee": ["0.0001", None]}, [Decimal("3.7499"), None]),
        ("0.1 + 0.2 == 0.3", {"k": [1]}, [True]),
        ("big == 9223372036854775807", {"big": [MOST, LEAST]}, [True, False]),
        ("big < 9223372036854.5", {"big": [9223372036854, 9223372036855, LEAST]}, [True, False, True]),
        ("big >= 0.000000000000000001", {"big": [MOST, 0, LEAST]}, [True, False, False]),
        ("-7 // 2 * k", {"k": [1]}, [-4]),
        ("n % 3", {"n": [-5, 5, None]}, [1, 2, None]),
        ("n % -3", {"n": [-5, 5, None]}, [-2, -1, None]),
        ("round(k / 2)", {"k": [1, 3, 5, 4]}, [0, 2, 2, 2]),
        ("round(-k / 2)", {"k": [1, 3, 5, 4]}, [0, -2, -2, -2]),
        ("round(k / -2)", {"k": [1, 3, 5, 4]}, [0, -2, -2, -2]),
        ("round(fee, 3)", {"fee": ["0.0005", "0.0015", "-0.0025", None]}, [0, Decimal("0.002"), Decimal("-0.002"), None]),
        ("round(k / 3 + 1 / 7, 5)", {"k": [1]}, [Decimal("0.47619")]),
        ("round(k / 3 * 3, 2)", {"k": [7]}, [Decimal("7.00")]),
        ("round(2 / (k + 1) / (1 / 3), 2)", {"k": [1]}, [Decimal("3.00")]),
        ("round(1 / (k / -3 - 1 / 7), 2)", {"k": [1, 0]}, [Decimal("-2.10"), Decimal("-7.00")]),
        ("round(big / 3, 0)", {"big": [MOST, LEAST]}, [3074457345618258602, -3074457345618258603]),
        ("born + months(1)", {"born": [date(2001, 1, 31), date(2004, 1, 30)]}, [date(2001, 2, 28), date(2004, 2, 29)]),
        ("born + years(1)", {"born": [date(2004, 2, 29)]}, [date(2005, 2, 28)]),
        ("born - years(4)", {"born": [date(2004, 2, 29)]}, [date(2000, 2, 29)]),
        ("born - months(13)", {"born": [date(1960, 3, 31)]}, [date(1959, 2, 28)]),
        ("at + months(n)", {"at": [at(2005, 1, 31, 7)] * 2, "n": [1, None]}, [at(2005, 2, 28, 7), None]),
        ("at - hours(25)", {"at": [at(2020, 3, 1)]}, [at(2020, 2, 28, 23)]),
        ("born + hours(0)", {"born": [date(1950, 1, 2)]}, [at(1950, 1, 2)]),
        ("today - born", {"born": [date(2001, 6, 1)]}, [8401]),
        ("at - born", {"at": [at(2006, 1, 2, 0, 0, 1)], "born": [date(2006, 1, 1)]}, [86_401]),
        ("at == born", {"at": [at(2006, 1, 1), at(2006, 1, 1, 1)], "born": [date(2006, 1, 1)] * 2}, [True, False]),
        ("age(born)", {"born": [date(2004, 6, 1), date(2004, 6, 2), date(2004, 2, 29)]}, [20, 19, 20]),
        ("age(born, closed)", {"born": [date(2004, 2, 29)] * 3, "closed": [date(2005, 2, 28), date(2005, 3, 1), None]}, [0, 1, None]),
        ("age(closed, born)", {"born": [date(2005, 1, 2)], "closed": [date(2005, 1, 3)]}, [-1]),
        ("year(at) + year(born)", {"at": [at(2005, 12, 31, 23)], "born": [date(1969, 12, 31)]}, [3974]),
        ("date(year, 3, 1) - days(1)", {"year": [2023, 2024]}, [date(2023, 2, 28), date(2024, 2, 29)]),
        ("maybe and flag", {"maybe": [True, None, None, False], "flag": [True, True, False, True]}, [True, None, False, False]),
        ("maybe or flag", {"maybe": [True, None, None, False], "flag": [True, True, False, False]}, [True, True, None, False]),
        ("not maybe", {"maybe": [True, None, False]}, [False, None, True]),
        ("k if maybe else 0", {"k": [1, 2, 3], "maybe": [True, None, False]}, [1, 0, 0]),
        ("n in (1, 2)", {"n": [1, 3, None]}, [True, False, None]),
        ("k in (1, n)", {"k": [1, 3, 3], "n": [None, None, 3]}, [True, None, True]),
        ("k not in (1, n)", {"k": [1, 3, 4], "n": [None, None, 3]}, [False, None, True]),
        ("memo in ('a', 'b')", {"memo": ["a", "c", None]}, [True, False, None]),
        ("1 < n < 4", {"n": [1, 2, None]}, [False, True, None]),
        ("k < 1 < n", {"k": [1, 0], "n": [None, None]}, [False, None]),
        ("memo is None", {"memo": ["", None]}, [False, True]),
        ("n + 1 is not None", {"n": [1, None]}, [True, False]),
        ("k is None", {"k": [1]}, [False]),
        ("coalesce(n, fee, k)", {"n": [1, None, None], "fee": [None, "0.5", None], "k": [7, 8, 9]}, [1, Decimal("0.5"), 9]),
        ("coalesce(memo, name)", {"memo": ["", None], "name": ["x", "yé"]}, ["", "yé"]),
        ("coalesce(closed, today)", {"closed": [date(2020, 1, 1), None]}, [date(2020, 1, 1), TODAY]),
        ("min(k, n, 1.5)", {"k": [1, 2], "n": [5, None]}, [1, None]),
        ("max(born + hours(0), at)", {"born": [date(2006, 1, 1)] * 2, "at": [at(2005, 5, 5), at(2006, 1, 1, 3)]}, [at(2006, 1, 1), at(2006, 1, 1, 3)]),
        ("max(name, memo)", {"name": ["b", "é", "x"], "memo": ["a", "\U0001f600", None]}, ["b", "\U0001f600", None]),
        ("name < '～'", {"name": ["\U0001f600", "é"]}, [False, True]),
        ("lower(name)", {"name": ["AÉz-9", ""]}, ["aÉz-9", ""]),
        ("upper(memo)", {"memo": ["aéz-9", None]}, ["AéZ-9", None]),
        ("ascii(name)", {"name": ["Zoë Müller", "ﬁßé½", "plain"]}, ["Zoe Muller", "fie12", "plain"]),
        ("left(name, 2)", {"name": ["éaß", "a", ""]}, ["éa", "a", ""]),
        ("right(name, 2)", {"name": ["aéß", "a", ""]}, ["éß", "a", ""]),
        ("left(name, k)", {"name": ["éaß", "abc"], "k": [1, 0]}, ["é", ""]),
        ("right(memo, k)", {"memo": ["éaß", None], "k": [9, 1]}, ["éaß", None]),
        ("pad(name, 3)", {"name": ["é", "abcd", ""]}, ["00é", "abcd", "000"]),
        ("pad(name, k, 'é')", {"name": ["é", "abcd"], "k": [3, 1]}, ["ééé", "abcd"]),
        ("pad(k, 4)", {"k": [0, 7, 199]}, ["0000", "0007", "0199"]),
        ("pad(k, 4, 'x')", {"k": [0, 7, 199]}, ["xxx0", "xxx7", "x199"]),
        ("pad(k, 2, ' ')", {"k": [0, 7, 199]}, [" 0", " 7", "199"]),
        ("pad(n, 3)", {"n": [-5, None, 5]}, ["0-5", None, "005"]),
        ("pad(big, 25)", {"big": [MOST, LEAST]}, ["000000" + str(MOST), "00000" + str(LEAST)]),
        ("luhn(name)", {"name": ["7992739871", "4-9927 39871", "", "é"]}, ["3", "6", "0", "0"]),
    ],
)  # fmt: skip
def test_value(text: str, columns: dict[str, Sequence[Any]], expected: list[Any]) -> None:
    """An operation gives what the language says, row by row."""
    assert expected == value(text, **columns)


# --- classes and identity


def coded(values: Sequence[str | None], codes: Sequence[int]) -> Categorical:
    """Return text of categories."""
    return Categorical(np.array(codes, dtype=np.uint8), Categories(values))


def fixed(*values: str) -> FixedText:
    """Return text of one width."""
    return FixedText(
        np.array([list(each.encode()) for each in values], dtype=np.uint8).reshape(len(values), -1)
    )


def of_text(text: str, **columns: Column) -> Column:
    """Return what an expression makes of columns of text."""
    types = {name: ValueType("string", nullable=column.valid is not None) for name, column in columns.items()}
    types["flag"], rows = TYPES["flag"], len(next(iter(columns.values())))
    truths = Boolean(1 - np.arange(rows) % 2)
    return evaluate(parse(text, Names(types)), lambda path: {**columns, "flag": truths}[path[0]], rows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("upper(c)", Categorical),
        ("left(c, 1)", Categorical),
        ("pad(c, 4)", Categorical),
        ("luhn(c)", Categorical),
        ("'a'", Categorical),
        ("'a' if flag else c", Categorical),
        ("c if flag else c", Categorical),
        ("coalesce(c, 'x')", Categorical),
        ("max(c, 'x')", Categorical),
        ("upper(f)", FixedText),
        ("left(f, 1)", FixedText),
        ("right(f, 1)", FixedText),
        ("ascii(f)", FixedText),
        ("pad(f, 4)", FixedText),
        ("pad(f, 4, ' ')", Text),
        ("luhn(f)", FixedText),
        ("f if flag else f", FixedText),
        ("f if flag else c", Text),
        ("c + f", Concat),
        ("lower(c + '-' + f)", Concat),
        ("left(c + f, 2)", Text),
        ("c + t", Text),
        ("lower(t)", Text),
        ("t if flag else c", Text),
    ],
)
def test_class(text: str, expected: type[Column]) -> None:
    """Text keeps the form that costs least, whatever the rows are, even where there are none."""
    for rows in (2, 0):
        columns: dict[str, Column] = {
            "c": coded(["Aé", "b"], [0, 1]),
            "f": fixed("A1", "b2"),
            "t": Text.of(["Aé", "b"]),
        }
        if not rows:
            columns = {name: column.take(np.arange(0)) for name, column in columns.items()}
        assert expected is type(of_text(text, **columns))


@pytest.mark.parametrize(
    "text", ["lower(c)", "left(c, 2)", "c if flag else 'x'", "max(c, d)", "coalesce(c, d)"]
)
def test_categories_are_made_once(text: str) -> None:
    """The same categories give the same object for every block, so that what is rendered of it is kept."""
    c, d = coded(["A", "b"], [0, 1]), coded(["x", None], [1, 0])
    one, other = of_text(text, c=c, d=d), of_text(text, c=c.take(np.array([1])), d=d.take(np.array([0])))
    assert isinstance(one, Categorical)
    assert isinstance(other, Categorical)
    assert one.categories is other.categories


def test_sum_of_texts_is_flat() -> None:
    """Texts are put side by side once, neighbouring literals as one."""
    c, f = coded(["A", "b"], [0, 1]), fixed("A1", "b2")
    column = of_text("'<' + (c + '-') + ('+' + f) + '>'", c=c, f=f)
    assert isinstance(column, Concat)
    assert ["<", "-+", ">"] == [part for part in column.parts if isinstance(part, str)]
    assert ["<A-+A1>", "<b-+b2>"] == column.tolist()


def test_nulls_of_parts_are_the_whole_s() -> None:
    """A text of parts is null where a part is, and says so once."""
    f = FixedText(fixed("A1", "b2").matrix, np.array([True, False]))
    column = of_text("f + '-' + c", f=f, c=coded(["x", None], [0, 0]))
    assert isinstance(column, Concat)
    assert isinstance(column.parts[0], FixedText)
    assert column.parts[0].valid is None
    assert ["A1-x", None] == column.tolist()


def test_digits_in_parts_stay() -> None:
    """Integers within a text are its digits: they stay what they are under lower()."""
    column = Concat(("No", Integer(np.array([7, 8]), 7, 8)))
    assert ["no7", "no8"] == of_text("lower(x)", x=column).tolist()
    assert ["o7", "o8"] == of_text("right(x, 2)", x=column).tolist()


def test_a_name_is_its_column() -> None:
    """A bare name gives the very column, which is how an exporter knows a copy."""
    column = coded(["a"], [0])
    assert column is of_text("c", c=column)


def test_dates_from_a_table() -> None:
    """Many rows are looked up in a table of all days; it says what the calendar says of one."""
    chance = random.Random(1)
    born = [
        dt.date.fromordinal(chance.randint(*(day + 719_163 for day in TYPES["born"].bounds)))
        for _ in range(5_000)
    ]
    instants = [at(2005, 1, 31, 23) + dt.timedelta(hours=chance.randint(0, 160_000)) for _ in born]
    for text in (
        "born + months(13)",
        "age(born)",
        "at - months(7)",
        "year(at) - year(born)",
        "age(at, born)",
    ):
        single = [value(text, born=[a], at=[b])[0] for a, b in zip(born[::50], instants[::50], strict=True)]
        assert single == value(text, born=born, at=instants)[::50]


def test_text_is_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long texts are laid out a few rows at a time."""
    monkeypatch.setattr(strings, "_CHUNK_BYTES", 16)
    names = ["abcdefgh", "b", "", "abcdefgi", "é"]
    assert [True, False, True, False, False] == value("name <= 'abcdefgh'", name=names)
    assert ["0", "8", "6", "4", "2"] == value("luhn(name)", name=["", "x1", "2", "3", "4"])


def test_functions_are_described() -> None:
    """Every function has its entry: the guide's reference is made of them."""
    expected = {
        "years(n)", "months(n)", "days(n)", "hours(n)", "date(y, m, d)", "age(born[, on])", "year(t)",
        "coalesce(x, y, ...)", "min(x, y, ...)", "max(x, y, ...)", "round(x[, s])",
        "lower(s)", "upper(s)", "ascii(s)", "luhn(s)", "left(s, n)", "right(s, n)", "pad(x, n[, fill])",
    }  # fmt: skip
    assert expected == {function.signature for function in FUNCTIONS.values()}
    assert all(function.description.endswith(".") for function in FUNCTIONS.values())


# --- values against an interpreter of single values

RANDOM_TYPES: dict[str, ValueType] = {
    "i": ValueType("integer", low=-50, high=50),
    "j": ValueType("integer", nullable=True, low=0, high=9),
    "p": ValueType("integer", low=1, high=7),
    "d": ValueType("decimal", scale=2, low=-1000, high=1000),
    "e": ValueType("decimal", nullable=True, scale=3, low=-99, high=5000),
    "f": ValueType("boolean"),
    "g": ValueType("boolean", nullable=True),
    "born": ValueType("date", low=days(1960, 1, 1), high=days(2004, 2, 29)),
    "closed": ValueType("date", nullable=True, low=days(1999, 12, 31), high=days(2024, 6, 1)),
    "today": TYPES["today"],
    "at": ValueType("timestamp", low=seconds(1969, 12, 31), high=seconds(2004, 3, 1)),
    "seen": ValueType("timestamp", nullable=True, low=seconds(2000, 1, 1), high=seconds(2000, 1, 5)),
    "cat": ValueType("string", length=6),
    "catn": ValueType("string", nullable=True, length=6),
    "fix": ValueType("string", length=3),
    "fixn": ValueType("string", nullable=True, length=2),
    "text": ValueType("string", length=6),
    "textn": ValueType("string", nullable=True, length=6),
    "both": ValueType("string", length=12),
    "bothn": ValueType("string", nullable=True, length=12),
}
RANDOM_SCOPE = Names(RANDOM_TYPES)
LETTERS = "aZ9 é-ßﬁ\U0001f600'"
PLAIN = "aZ9-"


def random_number(chance: random.Random, of: ValueType) -> Any:
    """Return a value that a type foresees, its bounds more often."""
    drawn = chance.choice([chance.randint(*of.bounds), *of.bounds])
    match of.kind:
        case "decimal":
            return Decimal(drawn).scaleb(-of.scale)
        case "date":
            return dt.date(1970, 1, 1) + dt.timedelta(days=drawn)
        case "timestamp":
            return at(1970, 1, 1) + dt.timedelta(seconds=drawn)
        case "boolean":
            return bool(drawn)
        case _:
            return drawn


def random_columns(chance: random.Random, rows: int) -> dict[str, Column]:
    """Return a column for each name, in the form that its name says."""

    def text(letters: str = LETTERS) -> str:
        return "".join(chance.choice(letters) for _ in range(chance.randint(0, 6)))

    def categorical(*, nulls: bool) -> Categorical:
        values = [text() for _ in range(chance.randint(1, 4))] + [None] * nulls
        return coded(values, [chance.randrange(len(values)) for _ in range(rows)])

    def same_width(width: int, *, nulls: bool) -> FixedText:
        codes = [[ord(chance.choice(PLAIN)) for _ in range(width)] for _ in range(rows)]
        matrix = np.array(codes, dtype=np.uint8).reshape(rows, width)
        return FixedText(
            matrix, np.array([chance.random() < 0.6 for _ in range(rows)], np.bool_) if nulls else None
        )

    def parts(*, nulls: bool) -> Concat:
        numbers = np.array([chance.randint(-3, 12) for _ in range(rows)], dtype=np.int64)
        valid = np.array([chance.random() < 0.6 for _ in range(rows)], np.bool_) if nulls else None
        return Concat(
            (categorical(nulls=False), "é-", Integer(numbers, -3, 12), same_width(2, nulls=False)), valid
        )

    def plain(of: ValueType) -> Column:
        values = [
            None if of.nullable and chance.random() < 0.4 else random_number(chance, of) for _ in range(rows)
        ]
        return column_of(of, values)

    return {
        **{name: plain(of) for name, of in RANDOM_TYPES.items() if of.kind != "string"},
        "cat": categorical(nulls=False),
        "catn": categorical(nulls=True),
        "fix": same_width(3, nulls=False),
        "fixn": same_width(2, nulls=True),
        "text": Text.of([text() for _ in range(rows)]),
        "textn": Text.of([None if chance.random() < 0.4 else text() for _ in range(rows)]),
        "both": parts(nulls=False),
        "bothn": parts(nulls=True),
    }


class Writer:
    """Writes random expressions that are well typed."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw

    def one(self, options: Sequence[Any]) -> Any:
        """Return one of several."""
        return self.draw(st.sampled_from(options))

    def of(self, kind: str, depth: int) -> str:
        """Return an expression of a kind."""
        if depth == 0 or self.draw(st.integers(0, 5)) == 0:
            return self.leaf(kind)
        form = self.draw(st.integers(0, 5))
        if form == 0:
            return f"({self.of(kind, depth - 1)} if {self.of('boolean', depth - 1)} else {self.of(self.kin(kind), depth - 1)})"
        if form == 1:
            return f"coalesce({self.of(kind, depth - 1)}, {self.of(self.kin(kind), depth - 1)})"
        if form == 2:
            return f"{self.one(['min', 'max'])}({self.of(kind, depth - 1)}, {self.of(self.kin(kind), depth - 1)})"
        written: str = getattr(self, kind)(depth - 1)
        return written

    def kin(self, kind: str) -> str:
        """Return a kind that stands beside another and leaves it as it is."""
        wider = {"decimal": ["decimal", "integer"]}
        return str(self.one(wider.get(kind, [kind])))

    def leaf(self, kind: str) -> str:
        """Return a name or a constant."""
        literals = {
            "integer": ["0", "3", "-7"],
            "decimal": ["0.5", "-1.25", "0.001"],
            "boolean": ["True", "False"],
            "date": ["date(2000, 2, 29)"],
            "timestamp": ["(date(2000, 1, 31) + hours(30))"],
            "string": ["''", "'aZ'", "'é-1'"],
        }
        return str(
            self.one([*(name for name, of in RANDOM_TYPES.items() if of.kind == kind), *literals[kind]])
        )

    def number(self, depth: int) -> str:
        """Return an integer or a decimal."""
        return self.of(str(self.one(["integer", "decimal"])), depth)

    def integer(self, depth: int) -> str:
        """Return an operation that gives an integer."""
        n = self.draw(st.integers(0, 8))
        if n < 3:
            return f"({self.of('integer', depth)} {'+-*'[n]} {self.of('integer', depth)})"
        forms: Any = [
            lambda: f"(-{self.of('integer', depth)})",
            lambda: f"({self.of('integer', depth)} {self.one(['//', '%'])} {self.one(['p', '(-p)', '3'])})",
            lambda: f"round({self.quotient(depth)})",
            lambda: f"age({self.time(depth)}, {self.time(depth)})",
            lambda: f"year({self.time(depth)})",
            lambda: f"({self.of('date', depth)} - {self.of('date', depth)})",
        ]
        return str(forms[n - 3]())

    def decimal(self, depth: int) -> str:
        """Return an operation that gives a decimal."""
        n = self.draw(st.integers(0, 4))
        if n < 3:
            return f"({self.of('decimal', depth)} {'+-*'[n]} {self.number(depth)})"
        return f"round({self.quotient(depth)}, {self.one([1, 2, 4])})"

    def quotient(self, depth: int) -> str:
        """Return what round() takes."""
        above = self.number(depth)
        return str(
            self.one([above, f"{above} / p", f"{above} / -p * {self.number(0)}", f"{above} / 7 - d / p / 3"])
        )

    def time(self, depth: int) -> str:
        """Return a date or a timestamp."""
        return self.of(str(self.one(["date", "timestamp"])), depth)

    def boolean(self, depth: int) -> str:
        """Return an operation that gives a boolean."""
        n, op = self.draw(st.integers(0, 7)), self.one(["==", "!=", "<", "<=", ">", ">="])
        text = self.of("string", depth)
        forms: Any = [
            lambda: f"({self.number(depth)} {op} {self.number(depth)})",
            lambda: f"({self.time(depth)} {op} {self.time(depth)})",
            lambda: f"({text} {op} {self.of('string', depth)})",
            lambda: f"({text} {self.one(['in', 'not in'])} ('aZ', {self.of('string', 0)}))",
            lambda: f"({self.number(depth)} {self.one(['in', 'not in'])} [1, {self.number(depth)}])",
            lambda: f"({self.number(0)} < {self.number(depth)} {op} {self.number(0)})",
            lambda: (
                f"({self.of('boolean', depth)} {self.one(['and', 'or'])} not {self.of('boolean', depth)})"
            ),
            lambda: f"({self.one([text, self.number(depth)])} {self.one(['is', 'is not'])} None)",
        ]
        return str(forms[n]())

    def date(self, depth: int) -> str:
        """Return a later or an earlier date."""
        unit, sign = self.one(["years", "months", "days"]), self.one(["+", "-"])
        return f"({self.of('date', depth)} {sign} {unit}({self.one(['j', '1', 'i', 'p'])}))"

    def timestamp(self, depth: int) -> str:
        """Return a later or an earlier instant."""
        unit, sign = self.one(["years", "months", "days", "hours"]), self.one(["+", "-"])
        return f"({self.of('timestamp', depth)} {sign} {unit}({self.one(['j', '1', 'i', 'p'])}))"

    def string(self, depth: int) -> str:
        """Return an operation that gives text."""
        n, text = self.draw(st.integers(0, 5)), self.of("string", depth)
        forms: Any = [
            lambda: f"({text} + {self.of('string', depth)})",
            lambda: f"{self.one(['lower', 'upper', 'ascii', 'luhn'])}({text})",
            lambda: f"{self.one(['left', 'right'])}({text}, {self.one(['0', '1', '2', '9', 'j', 'p'])})",
            lambda: (
                f"pad({text}, {self.one(['0', '3', '9', 'j', 'p'])}{self.one(['', ', ' + repr('x'), ', ' + repr('é')])})"
            ),
            lambda: (
                f"pad({self.of('integer', depth)}, {self.one(['0', '3', '9', 'j'])}{self.one(['', ', ' + repr('x'), ', ' + repr(' ')])})"
            ),
            lambda: f"lower({text} + '-' + {self.of('string', 0)})",
        ]
        return str(forms[n]())


@st.composite
def expressions(draw: Any) -> str:
    """Draw an expression of any kind."""
    writer = Writer(draw)
    return writer.of(
        str(writer.one(["string", "string", "integer", "decimal", "boolean", "date", "timestamp"])), 3
    )


class Interpreter:
    """The value of an expression on one row, by Python's own numbers and dates; numbers are exact fractions."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.row = row

    def value(self, tree: ast.expr) -> Any:
        """Return the value of a part."""
        return getattr(self, f"visit_{type(tree).__name__.lower()}")(tree)

    def visit_name(self, tree: ast.Name) -> Any:
        """Return what the row holds."""
        return exact(self.row[tree.id])

    def visit_constant(self, tree: ast.Constant) -> Any:
        """Return a constant; the few decimals here are exact from their text."""
        return Fraction(repr(tree.value)) if isinstance(tree.value, float) else tree.value

    def visit_unaryop(self, tree: ast.UnaryOp) -> Any:
        """Return an opposite."""
        operand = self.value(tree.operand)
        if operand is None:
            return None
        return not operand if isinstance(tree.op, ast.Not) else -operand

    def visit_binop(self, tree: ast.BinOp) -> Any:
        """Return a sum, a difference, a product or a quotient."""
        if isinstance(tree.right, ast.Call) and getattr(tree.right.func, "id", "") in (
            "years",
            "months",
            "days",
            "hours",
        ):
            sign = 1 if isinstance(tree.op, ast.Add) else -1
            return self.later(self.value(tree.left), tree.right.func.id, self.value(tree.right.args[0]), sign)  # type: ignore[attr-defined] # it has an id
        a, b = self.value(tree.left), self.value(tree.right)
        if a is None or b is None:
            return None
        if isinstance(a, dt.date):
            return (a - b).days
        if isinstance(tree.op, ast.Div):
            return Fraction(a) / b
        by = {
            ast.Add: operator.add,
            ast.Sub: operator.sub,
            ast.Mult: operator.mul,
            ast.FloorDiv: operator.floordiv,
            ast.Mod: operator.mod,
        }
        return by[type(tree.op)](a, b)

    @staticmethod
    def later(time: Any, unit: str, n: int | None, sign: int) -> Any:
        """Return a date or an instant so much later."""
        if time is None or n is None:
            return None
        if unit == "days":
            return time + dt.timedelta(days=sign * n)
        if unit == "hours":
            return instant(time) + dt.timedelta(hours=sign * n)
        year, month = divmod(time.year * 12 + time.month - 1 + sign * n * (12 if unit == "years" else 1), 12)
        return time.replace(
            year=year, month=month + 1, day=min(time.day, calendar.monthrange(year, month + 1)[1])
        )

    def visit_boolop(self, tree: ast.BoolOp) -> Any:
        """Return `and` or `or` as SQL has them."""
        values = [self.value(each) for each in tree.values]
        decisive = isinstance(tree.op, ast.Or)
        return decisive if decisive in values else None if None in values else not decisive

    def visit_compare(self, tree: ast.Compare) -> Any:
        """Return a comparison, a chain of them, `in` or `is`."""
        left, right = self.value(tree.left), tree.comparators[0]
        if isinstance(tree.ops[0], ast.Is | ast.IsNot):
            return (left is None) == isinstance(tree.ops[0], ast.Is)
        if isinstance(right, ast.Tuple | ast.List):
            found = [compare(ast.Eq, left, self.value(each)) for each in right.elts]
            among = True if True in found else None if None in found else False
            return among if among is None or isinstance(tree.ops[0], ast.In) else not among
        operands = [left, *map(self.value, tree.comparators)]
        pairs = [compare(type(op), a, b) for op, a, b in zip(tree.ops, operands, operands[1:], strict=False)]
        return False if False in pairs else None if None in pairs else True

    def visit_ifexp(self, tree: ast.IfExp) -> Any:
        """Return a branch."""
        return self.value(tree.body if self.value(tree.test) is True else tree.orelse)

    def visit_call(self, tree: ast.Call) -> Any:
        """Return what a function gives: null for a null, but for coalesce."""
        arguments = [self.value(each) for each in tree.args]
        name = getattr(tree.func, "id", "")
        if name == "coalesce":
            return next((each for each in arguments if each is not None), None)
        return None if None in arguments else getattr(self, f"call_{name}")(*arguments)

    @staticmethod
    def call_min(a: Any, b: Any) -> Any:
        """Return the less."""
        return b if compare(ast.Lt, b, a) else a

    @staticmethod
    def call_max(a: Any, b: Any) -> Any:
        """Return the greater."""
        return b if compare(ast.Gt, b, a) else a

    @staticmethod
    def call_round(x: Any, s: int = 0) -> Any:
        """Return a number rounded half to even."""
        return Fraction(round(Fraction(x) * 10**s), 10**s)

    call_date = staticmethod(dt.date)

    @staticmethod
    def call_age(born: Any, on: Any) -> int:
        """Return whole years."""
        return int(on.year - born.year - ((on.month, on.day) < (born.month, born.day)))

    @staticmethod
    def call_year(time: Any) -> int:
        """Return the year."""
        return int(time.year)

    @staticmethod
    def call_lower(s: str) -> str:
        """Return a text with A to Z in small letters."""
        return "".join(c.lower() if c.isascii() else c for c in s)

    @staticmethod
    def call_upper(s: str) -> str:
        """Return a text with a to z in capitals."""
        return "".join(c.upper() if c.isascii() else c for c in s)

    @staticmethod
    def call_ascii(s: str) -> str:
        """Return a text without marks and without what isn't ASCII."""
        return unicodedata.normalize("NFKD", s).encode("ascii", "ignore").decode()

    @staticmethod
    def call_luhn(s: str) -> str:
        """Return the one digit that completes the digits."""
        digits = [int(c) for c in s if c in "0123456789"]
        return next(str(d) for d in range(10) if luhn_holds([*digits, d]))

    @staticmethod
    def call_left(s: str, n: int) -> str:
        """Return the first characters."""
        return s[:n]

    @staticmethod
    def call_right(s: str, n: int) -> str:
        """Return the last characters."""
        return s[max(0, len(s) - n) :]

    @staticmethod
    def call_pad(x: str | int, n: int, fill: str = "0") -> str:
        """Return a text filled on its left."""
        return str(x).rjust(n, fill)


def luhn_holds(digits: list[int]) -> bool:
    """Return whether a number passes Luhn's test."""
    doubled = [sum(divmod(d * 2, 10)) if i % 2 else d for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def exact(value: Any) -> Any:
    """Return a decimal as a fraction, any other value as it is."""
    return Fraction(value) if isinstance(value, Decimal) else value


def instant(time: Any) -> dt.datetime:
    """Return a date as its midnight."""
    return time if isinstance(time, dt.datetime) else at(time.year, time.month, time.day)


def compare(op: type[ast.cmpop], a: Any, b: Any) -> bool | None:
    """Return whether a comparison holds, null if one side is."""
    if a is None or b is None:
        return None
    if isinstance(a, dt.date):
        a, b = instant(a), instant(b)
    by = {
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
    }
    return bool(by[op](a, b))


def unscaled(value: Any, of: ValueType) -> Any:
    """Return a value in the unit of its bounds."""
    match of.kind:
        case "decimal":
            return Fraction(value) * 10**of.scale
        case "date":
            return day_number(value)
        case "timestamp":
            return int(value.timestamp())
        case _:
            return value


def holds_type(value: Any, of: ValueType) -> bool:
    """Return whether a value is one that its type foresees."""
    if value is None:
        return of.nullable
    if of.kind == "string":
        return of.length is not None and len(value) <= of.length
    low, high = of.bounds
    return bool(low <= unscaled(value, of) <= high)


BOUNDS = ("can reach", "can leave", "digits after the point", "can be")


def parsed_or_rejected(text: str) -> Node:
    """Return a well-typed expression; put it aside where its values can leave what there is room for."""
    try:
        return parse(text, RANDOM_SCOPE)
    except ExpressionError as error:
        if not all(any(reason in sentence for reason in BOUNDS) for _, sentence in error.faults):
            raise
    reject()


@settings(max_examples=400, deadline=None)
@given(expressions(), st.integers(0, 2**32), st.integers(0, 6), st.integers(0, 6))
def test_against_an_interpreter(text: str, seed: int, rows: int, cut: int) -> None:
    """Any well-typed expression gives what plain Python gives on each row, within its type, however rows are cut."""
    node = parsed_or_rejected(text)
    columns = random_columns(random.Random(seed), rows)
    whole = evaluate(node, lambda path: columns[path[0]], rows)
    objects = {name: column.tolist() for name, column in columns.items()}
    tree = ast.parse(text, mode="eval").body
    expected = [
        Interpreter({name: values[i] for name, values in objects.items()}).value(tree) for i in range(rows)
    ]
    actual = whole.tolist()
    assert expected == list(map(exact, actual))
    assert all(holds_type(each, node.type) for each in actual)
    pieces = []
    for places in (np.arange(min(cut, rows)), np.arange(min(cut, rows), rows)):
        taken = {name: column.take(places) for name, column in columns.items()}
        pieces.append(evaluate(node, lambda path, taken=taken: taken[path[0]], len(places)))  # type: ignore[misc] # bound at once
    assert actual == concatenate(pieces).tolist()
    assert {type(whole)} == {type(piece) for piece in pieces}


def test_what_stands_at_several_places_is_computed_once() -> None:
    """What stands between two comparisons is computed once."""
    reads: list[Path] = []

    def lookup(path: Path) -> core.Column:
        reads.append(path)
        return Text.of(["m", "z"])

    node = parse("'A' < upper(s) < 'Q'", Names({"s": ValueType("string")}))
    assert [True, False] == evaluate(node, lookup, 2).tolist()
    assert [("s",)] == reads


def test_constants_of_a_column_are_not_written_to() -> None:
    """The value of a constant, which every block's column may have, can't be changed through one."""
    columns: dict[Path, core.Column] = {}
    column = evaluate(parse("7", SCOPE), columns.__getitem__, 1)
    assert isinstance(column, core.Integer)
    with pytest.raises(ValueError, match="read-only"):
        column.values[0] = 8
