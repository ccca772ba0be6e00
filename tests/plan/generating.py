"""Plans that hypothesis draws: any tables, every rule and modifier, well typed by construction.

A plan is built in the order in which its parts need each other, so that nothing is cyclic, and written in another.
Every name is drawn once in a plan (`t1`, `f2`, `p3`), so that what a part needs is what its text names.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st
from oracle import Oracle

__all__ = ["POOLS", "Field", "Plan", "Raw", "Table", "plans"]

POOLS = {"company/de_DE/5": ["Aal", "Buch", "Cent", "Dorf", "Eck"], "city/en_US/3": ["Ames", "Bath", "Ames"]}
"""The pools of the lock that every drawn plan has."""

TODAY = date(2024, 6, 1)
LABELS = [
    *("red", "green", "blue", "", " spaced ", 'quo"te', "com,ma", "back\\slash", "Ærø", "日本", "ﬁ½", "😀"),
    *("Null", "true", "7", "0.50", "2024-01-01", "'", "#no", "[x]", "{y}", "a\u2028b", "NA", "-", "é"),
]
MOST = 10**14  # of a number that is reckoned with, unscaled: its JSON is a number, whoever bounds it
_NAMES = re.compile(r"\b[tfp][0-9]+\b")
_EPOCH = date(1970, 1, 1)
_DAY = 86_400
_CALENDAR = 3_652_059  # days


class Raw(str):
    """A scalar that is written without quotes."""


def days(day: date) -> int:
    """Return a date as a number of days."""
    return (day - _EPOCH).days


# --- writing


def written(value: Any) -> str:
    """Return a value as YAML in one line."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{written(key)}: {written(inner)}" for key, inner in value.items()) + "}"
    return "[" + ", ".join(map(written, value)) + "]"


@dataclass(frozen=True)
class Type:
    """What is known of a value: `low` and `high` bound an unscaled number, days or seconds; `labels` as by the page."""

    kind: str
    nullable: bool = False
    scale: int = 0
    low: int = 0
    high: int = 0
    labels: tuple[Any, ...] | None = None
    length: int = 0

    def at_scale(self, scale: int) -> tuple[int, int]:
        """Return the bounds of a number in a finer unit."""
        factor = 10 ** (scale - self.scale)
        return self.low * factor, self.high * factor


@dataclass(frozen=True)
class Field:
    """A field of a drawn plan: what is written of it, and its type."""

    name: str
    body: Any
    type: Type

    @property
    def text(self) -> str:
        """What is written of it."""
        return written(self.body)

    def has(self, word: str) -> bool:
        """Return whether a rule or a modifier stands there."""
        return isinstance(self.body, dict) and bool(self.body.get(word))


@dataclass
class Table:
    """A table of a drawn plan."""

    name: str
    parent: "Table | None" = None
    rows: Any = None
    count: Any = None
    room: int | None = None
    stream: str | None = None
    largest: int = 1
    smallest: int = 1
    factor: int = 1
    picks: dict[str, dict[str, Any]] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)
    cells: dict[str, Type] = field(default_factory=dict)
    key: list[str] = field(default_factory=list)

    @property
    def path(self) -> "list[Table]":
        """The tables from the top down to this one."""
        return [*(self.parent.path if self.parent else []), self]

    @property
    def is_fixed(self) -> bool:
        """Whether it doesn't hang below the root."""
        return self.path[0].rows is not None

    @property
    def fixed_rows(self) -> int:
        """The fewest rows that a fixed table has."""
        rows = self.path[0].rows
        total: int = rows if isinstance(rows, int) else rows["lines"]
        for each in self.path[1:]:
            total *= each.smallest
        return total

    @property
    def most_rows(self) -> int:
        """The most rows a record (a row of its top) has."""
        total = 1
        for each in self.path[1:]:
            total *= each.largest
        return total

    @property
    def span(self) -> int:
        """The slots that a record has room for."""
        total = 1
        for each in self.path[1:]:
            total *= each.factor
        return total

    def lines(self) -> Iterator[str]:
        """Yield what is written of it."""
        yield f"  {self.name}:"
        if self.parent is not None:
            yield f"    per: {self.parent.name}"
        if isinstance(self.rows, dict):
            yield f"    rows: {written({'file': self.rows['file'], 'types': self.rows['types']})}"
        elif self.rows is not None:
            yield f"    rows: {self.rows}"
        for word in ("count", "room", "stream"):
            if getattr(self, word) is not None:
                yield f"    {word}: {written(getattr(self, word))}"
        if self.key:
            yield f"    key: {written(self.key)}"
        if self.picks:
            yield "    pick:"
            yield from (f"      {name}: {written(body)}" for name, body in self.picks.items())
        yield "    fields:"
        yield from (f"      {each.name}: {each.text}" for each in self.fields.values())


@dataclass
class Plan:
    """A drawn plan: its tables in the order of writing, and the files beside it."""

    tables: dict[str, Table]
    files: dict[str, str]
    name: str = "drawn"
    version: int = 1

    @property
    def text(self) -> str:
        """The plan file."""
        top = [
            "esdh: plan/1",
            f"name: {self.name}",
            f"version: {self.version}",
            f"reference_date: {TODAY}",
            "tables:",
        ]
        return (
            "\n".join([*top, *(line for table in self.tables.values() for line in table.lines())]).replace(
                "\u2028", "\\L"
            )
            + "\n"
        )

    def __str__(self) -> str:
        files = "".join(f"\n--- {name}\n{text}" for name, text in self.files.items())
        return f"\n{self.text}{files}"

    def __repr__(self) -> str:
        return f"<Plan of {', '.join(self.tables)}>"

    @property
    def root(self) -> Table:
        """The table whose rows are the records."""
        return next(table for table in self.tables.values() if table.parent is None and table.rows is None)

    def needs(self) -> dict[str, set[str]]:
        """Return what each table, pick and field names, its own table among them."""
        found: dict[str, set[str]] = {}
        for table in self.tables.values():
            parent = {table.parent.name} if table.parent else set()
            found[table.name] = parent | names(written(table.count)) | set(table.key)
            for name, body in table.picks.items():
                found[name] = names(written(body)) | {table.name}
            for each in table.fields.values():
                found[each.name] = names(each.text) | {table.name}
        return found

    def closure(self, wanted: Iterable[str]) -> set[str]:
        """Return names with all that they need."""
        needs, found, todo = self.needs(), set[str](), list(wanted)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += needs[name]
        return found

    def only(self, kept: set[str]) -> "Plan":
        """Return the plan with no tables, picks and fields but those that are named."""
        tables: dict[str, Table] = {}
        for name, table in self.tables.items():
            if name in kept:
                tables[name] = replace(
                    table,
                    picks={pick: body for pick, body in table.picks.items() if pick in kept},
                    fields={each: held for each, held in table.fields.items() if each in kept},
                )
        return replace(self, tables=tables)


def names(text: str) -> set[str]:
    """Return the names of tables, picks and fields in a text."""
    return set(_NAMES.findall(text))


# --- drawing

Draw = Callable[..., Any]
Typed = tuple[str, Type]


@dataclass
class _Scope:
    """The names that an expression on a table's rows may use, with their types."""

    table: Table
    named: list[Typed]

    def of(self, kinds: Sequence[str], accept: Callable[[Type], bool] = lambda _: True) -> list[Typed]:
        return [(name, one) for name, one in self.named if one.kind in kinds and accept(one)]


class _Expressions:
    """Draws typed expressions."""

    def __init__(self, draw: Draw, scope: _Scope) -> None:
        self.draw, self.scope = draw, scope

    def one(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def of(self, kind: str, depth: int = 2) -> Typed:
        """Return an expression of a kind, and its type."""
        atoms = self.scope.of([kind])
        if depth == 0 or self.draw(st.integers(0, 3)) == 0:
            return (
                self.draw(st.sampled_from(atoms)) if atoms and self.one(True, False) else self.constant(kind)
            )
        text, found = getattr(self, f"_{kind}")(depth - 1)
        if found.kind in ("integer", "decimal") and max(abs(found.low), abs(found.high)) > MOST:
            return self.constant(kind)
        if found.kind == "string" and found.length > 200:
            return self.constant(kind)
        if found.kind in ("date", "timestamp"):
            unit = _DAY if found.kind == "timestamp" else 1
            if found.low < -150_000 * unit or found.high > 150_000 * unit:
                return self.constant(kind)
        return text, found

    def constant(self, kind: str) -> Typed:
        draw = self.draw
        if kind == "integer":
            value = draw(st.integers(0, 12) | st.integers(0, 10**6))
            return str(value), Type(kind, low=value, high=value)
        if kind == "decimal":
            scale = draw(st.integers(1, 3))
            value = draw(st.integers(0, 5_000))
            return f"{Decimal(value).scaleb(-scale):f}", Type(kind, scale=scale, low=value, high=value)
        if kind == "string":
            label = draw(st.sampled_from([each for each in LABELS if each not in ("\\", "back\\slash")]))
            quoted = json.dumps(label, ensure_ascii=False)
            return quoted.replace("\u2028", "\\u2028"), Type(kind, length=len(label))
        if kind == "boolean":
            return draw(st.sampled_from(["True", "False"])), Type(kind, labels=(False, True))
        if kind == "date":
            day = draw(st.sampled_from([date(2020, 2, 29), date(2024, 1, 31), date(1999, 12, 31)]))
            text = draw(st.sampled_from(["today", f"date({day.year}, {day.month}, {day.day})"]))
            value = days(TODAY if text == "today" else day)
            return text, Type(kind, low=value, high=value)
        hours = draw(st.integers(-50, 50))
        value = days(TODAY) * _DAY + hours * 3600
        return f"(today + hours({hours}))", Type("timestamp", low=value, high=value)

    # numbers

    def _number(self, depth: int) -> Typed:
        return self.of(self.one("integer", "decimal"), depth)

    def _integer(self, depth: int) -> Typed:
        form = self.one(
            "+", "-", "*", "//", "%", "neg", "round", "days", "age", "year", "pick", "if", "ratio"
        )
        if form in ("+", "-", "*"):
            (a, a_type), (b, b_type) = self.of("integer", depth), self.of("integer", depth)
            return f"({a} {form} {b})", _arithmetic(form, a_type, b_type, "integer")
        if form in ("//", "%"):
            (a, a_type), (b, b_type) = self.of("integer", depth), self.of("integer", depth)
            if self.one(True, False):
                divisor, low, high = f"max({b}, 1)", max(1, b_type.low), max(1, b_type.high)
            else:
                divisor, low, high = f"min({b}, -2)", min(-2, b_type.low), min(-2, b_type.high)
            corners = [x // y for x in (a_type.low, a_type.high) for y in (low, high)]
            if form == "%":
                corners = [min(0, low + 1), max(0, high - 1)]
            nullable = a_type.nullable or b_type.nullable
            return f"({a} {form} {divisor})", Type("integer", nullable, low=min(corners), high=max(corners))
        if form == "neg":
            a, of = self.of("integer", depth)
            return f"(-{a})", replace(of, low=-of.high, high=-of.low, labels=None)
        if form == "round":
            a, of = self.of("decimal", depth)
            unit = 10**of.scale
            arguments = self.one(f"{a}", f"{a}, 0")
            return f"round({arguments})", Type(
                "integer", of.nullable, low=of.low // unit, high=of.high // unit + 1
            )
        if form == "ratio":
            text, of = self._ratio(depth, 0)
            return text, replace(of, kind="integer")
        if form == "days":
            kind = self.one("date", "timestamp")
            (a, a_type), (b, b_type) = self.of(kind, depth), self.of(self.one(kind, "date"), depth)
            wide = _CALENDAR * (_DAY if "timestamp" in (a_type.kind, b_type.kind) else 1)
            return f"({a} - {b})", Type("integer", a_type.nullable or b_type.nullable, low=-wide, high=wide)
        if form == "age":
            (a, a_type), (b, b_type) = self._time(depth), self._time(depth)
            if self.one(True, False):
                return f"age({a})", Type("integer", a_type.nullable, low=-10_000, high=10_000)
            return f"age({a}, {b})", Type(
                "integer", a_type.nullable or b_type.nullable, low=-10_000, high=10_000
            )
        if form == "year":
            a, of = self._time(depth)
            return f"year({a})", Type("integer", of.nullable, low=1, high=9_999)
        return self._either(form, "integer", depth)

    def _ratio(self, depth: int, scale: int) -> Typed:
        (a, a_type), (b, b_type) = self._number(depth), self.of("integer", depth)
        (c, c_type) = self._number(depth)
        divisor = f"max({b}, 3)"
        sign = self.one("+", "-", "*")
        a_low, a_high = (bound / 10**a_type.scale for bound in (a_type.low, a_type.high))
        c_low, c_high = (bound / 10**c_type.scale for bound in (c_type.low, c_type.high))
        most = max(abs(a_low), abs(a_high)) / 3
        other = max(abs(c_low), abs(c_high))
        reached = (most * other if sign == "*" else most + other) + 1
        nullable = a_type.nullable or b_type.nullable or c_type.nullable
        bound = int(reached * 10**scale) + 1
        places = f", {scale}" if scale or self.one(True, False) else ""
        return f"round({a} / {divisor} {sign} {c}{places})", Type("decimal", nullable, scale, -bound, bound)

    def _decimal(self, depth: int) -> Typed:
        form = self.one("+", "-", "*", "neg", "round", "ratio", "pick", "if")
        if form in ("+", "-", "*"):
            a, a_type = self.of("decimal", depth)
            b, b_type = self._number(depth)
            if form == "*" and a_type.scale + b_type.scale > 6:
                return a, a_type
            return f"({a} {form} {b})", _arithmetic(form, a_type, b_type, "decimal")
        if form == "neg":
            a, of = self.of("decimal", depth)
            return f"(-{a})", replace(of, low=-of.high, high=-of.low)
        if form == "round":
            a, of = self._number(depth)
            scale = self.draw(st.integers(1, 4))
            unit = 10**of.scale
            low, high = of.low * 10**scale // unit, of.high * 10**scale // unit + 1
            return f"round({a}, {scale})", Type("decimal", of.nullable, scale, low, high)
        if form == "ratio":
            return self._ratio(depth, self.draw(st.integers(1, 4)))
        return self._either(form, "decimal", depth)

    def _either(self, form: str, kind: str, depth: int) -> Typed:
        """Return one of several values: min, max, coalesce, or a conditional."""
        other = self.one("integer", "decimal") if kind == "decimal" else kind
        a, a_type = self.of(kind, depth)
        b, b_type = self.of(other, depth)
        of = _merged([a_type, b_type])
        if form == "if":
            condition, _ = self.of("boolean", depth)
            return f"({a} if {condition} else {b})", of
        function = self.one("min", "max", "coalesce")
        more = [self.of(kind, depth)] if self.one(False, True) else []
        of = _merged([a_type, b_type, *(one for _, one in more)])
        if function == "coalesce":
            of = replace(of, nullable=all(one.nullable for one in (a_type, b_type, *(t for _, t in more))))
        return f"{function}({', '.join([a, b, *(text for text, _ in more)])})", of

    # texts

    def _string(self, depth: int) -> Typed:
        form = self.one("+", "lower", "upper", "ascii", "left", "right", "pad", "luhn", "pick", "if")
        if form == "+":
            (a, a_type), (b, b_type) = self.of("string", depth), self.of("string", depth)
            return f"({a} + {b})", Type(
                "string", a_type.nullable or b_type.nullable, length=a_type.length + b_type.length
            )
        if form in ("lower", "upper", "ascii", "luhn"):
            a, of = self.of("string", depth)
            length = {"ascii": of.length * 5, "luhn": 1}.get(form, of.length)
            return f"{form}({a})", Type("string", of.nullable, length=length)
        if form in ("left", "right"):
            a, of = self.of("string", depth)
            n, n_type = self.of("integer", depth)
            if n_type.low < 0:
                n, n_type = f"max({n}, 0)", replace(n_type, low=0, high=max(0, n_type.high))
            return f"{form}({a}, {n})", Type("string", of.nullable or n_type.nullable, length=of.length)
        if form == "pad":
            a, of = self.of(self.one("string", "integer"), depth)
            n = self.draw(st.integers(0, 9))
            fill = self.one("", ", ' '", ", 'é'", ", '0'")
            own = 20 if of.kind == "integer" else of.length
            return f"pad({a}, {n}{fill})", Type("string", of.nullable, length=max(own, n))
        return self._either(form, "string", depth)

    # truths

    def _boolean(self, depth: int) -> Typed:
        form = self.one("<", "in", "is", "and", "or", "not", "chain", "if")
        if form in ("and", "or"):
            (a, a_type), (b, b_type) = self.of("boolean", depth), self.of("boolean", depth)
            return f"({a} {form} {b})", _truth(a_type, b_type)
        if form == "not":
            a, of = self.of("boolean", depth)
            return f"(not {a})", _truth(of)
        if form == "is":
            a, _ = self.of(self.one("integer", "string", "date", "decimal", "boolean"), depth)
            return f"({a} {self.one('is', 'is not')} None)", _truth()
        if form == "if":
            return self._either("if", "boolean", depth)
        kinds = self.one(("integer", "decimal"), ("string",), ("date", "timestamp"), ("integer",))
        (a, a_type), (b, b_type), (c, c_type) = (self.of(self.one(*kinds), depth) for _ in range(3))
        if form == "in":
            return f"({a} {self.one('in', 'not in')} ({b}, {c}))", _truth(a_type, b_type, c_type)
        signs = ("==", "!=", "<", "<=", ">", ">=")
        if form == "<":
            return f"({a} {self.one(*signs)} {b})", _truth(a_type, b_type)
        return f"({a} {self.one(*signs)} {b} {self.one(*signs)} {c})", _truth(a_type, b_type, c_type)

    # times

    def _time(self, depth: int) -> Typed:
        return self.of(self.one("date", "timestamp"), depth)

    def _shifted(self, kind: str, units: Sequence[str], depth: int) -> Typed:
        """Return a time some years, months, days or hours later or earlier."""
        a, of = self.of(kind, depth)
        unit, sign = self.one(*units), self.one("+", "-")
        n, n_type = self.of("integer", depth)
        if max(abs(n_type.low), abs(n_type.high)) > 60:
            value = self.draw(st.integers(-30, 30))
            n, n_type = str(value), Type("integer", low=value, high=value)
        by = [n_type.low, n_type.high] if sign == "+" else [-n_type.high, -n_type.low]
        lengths = {"years": (365, 366), "months": (28, 31), "days": (1, 1), "hours": (0, 1)}[unit]
        low, high = min(by[0] * each for each in lengths) - 3, max(by[1] * each for each in lengths) + 3
        seconds = _DAY if "hours" in units else 1
        own = seconds if kind == "date" else 1
        return f"({a} {sign} {unit}({n}))", Type(
            "timestamp" if "hours" in units else "date",
            of.nullable or n_type.nullable,
            low=of.low * own + low * seconds,
            high=of.high * own + high * seconds,
        )

    def _date(self, depth: int) -> Typed:
        form = self.one("shift", "date", "pick", "if")
        if form == "shift":
            return self._shifted("date", ("years", "months", "days"), depth)
        if form == "date":
            n, of = self.of("integer", depth)
            text = f"date(2000 + {n} % 30, max({n} % 13, 1), 1 + {n} % 28)"
            return text, Type("date", of.nullable, low=days(date(2000, 1, 1)), high=days(date(2030, 1, 1)))
        return self._either(form, "date", depth)

    def _timestamp(self, depth: int) -> Typed:
        form = self.one("shift", "hours", "pick", "if")
        if form == "shift":
            return self._shifted("timestamp", ("years", "months", "days", "hours"), depth)
        if form == "hours":
            return self._shifted("date", ("hours",), depth)
        return self._either(form, "timestamp", depth)


def _arithmetic(form: str, a: Type, b: Type, kind: str) -> Type:
    nullable = a.nullable or b.nullable
    if form == "*":
        corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
        return Type(kind, nullable, a.scale + b.scale, min(corners), max(corners))
    scale = max(a.scale, b.scale)
    (a_low, a_high), (b_low, b_high) = a.at_scale(scale), b.at_scale(scale)
    low, high = (a_low + b_low, a_high + b_high) if form == "+" else (a_low - b_high, a_high - b_low)
    return Type(kind, nullable, scale, low, high)


def _merged(types: Sequence[Type]) -> Type:
    kind = "decimal" if {one.kind for one in types} == {"integer", "decimal"} else types[0].kind
    scale = max(one.scale for one in types)
    bounds = [one.at_scale(scale) for one in types]
    labels = (False, True) if kind == "boolean" else None
    return Type(
        kind,
        any(one.nullable for one in types),
        scale,
        min(low for low, _ in bounds),
        max(high for _, high in bounds),
        labels,
        max(one.length for one in types),
    )


def _truth(*operands: Type) -> Type:
    return Type("boolean", any(one.nullable for one in operands), labels=(False, True))


# --- rules


class _Builder:
    """Draws one plan."""

    def __init__(self, draw: Draw, depth: int) -> None:
        self.draw, self.depth = draw, depth
        self.tables: list[Table] = []
        self.files: dict[str, str] = {}
        self._names = {"t": 0, "f": 0, "p": 0}
        self._pick_types: dict[str, tuple[str, dict[str, Type]]] = {}

    def one(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def number(self, low: int, high: int) -> int:
        found: int = self.draw(st.integers(low, high))
        return found

    def name(self, letter: str) -> str:
        self._names[letter] += 1
        return f"{letter}{self._names[letter]}"

    # tables

    def plan(self) -> Plan:
        for _ in range(self.number(0, 2)):
            self.fixed()
        self.tables.append(Table(self.name("t")))
        self.fill(self.tables[-1])
        for _ in range(self.number(0, 4)):
            self.below()
        for _ in range(self.number(0, 6)):
            self.late()
        order = self.draw(st.permutations(self.tables))
        for table in self.tables:
            table.fields = {
                name: table.fields[name] for name in self.draw(st.permutations(list(table.fields)))
            }
        return Plan({table.name: table for table in order}, self.files)

    def fixed(self) -> None:
        table = Table(self.name("t"))
        if self.one(True, False):
            table.rows = self.number(3, 12)
        else:
            self._file(table)
        self.tables.append(table)
        self.fill(table)

    def _file(self, table: Table) -> None:
        columns: dict[str, tuple[str, list[str]]] = {}
        lines = self.number(1, 6)
        table.rows = {"file": f"{table.name}.csv", "lines": lines, "types": {}}
        for number, kind in enumerate(
            self.draw(st.lists(st.sampled_from(list(_CELLS)), min_size=1, max_size=4))
        ):
            column = f"c_{number}"
            cells = self.draw(st.lists(_CELLS[kind], min_size=lines, max_size=lines))
            columns[column] = kind, cells
            if kind != "string":
                table.rows["types"][column] = Raw(kind)
            table.cells[column] = _cell_type(kind, cells)
        self.files[f"{table.name}.csv"] = (
            "\n".join(
                ",".join(map(_quoted, row))
                for row in [list(columns), *zip(*(cells for _, cells in columns.values()), strict=True)]
            )
            + "\n"
        )

    def below(self) -> None:
        parents = [table for table in self.tables if len(table.path) < self.depth and table.span < 5_000]
        parent = self.one(*reversed(parents))
        table = Table(self.name("t"), parent)
        form = self.one("one", "number", "range", "listed", "weights", "share", "spread", "by", "by")
        if form != "one":
            table.count, table.smallest, table.largest = self.count(form, parent)
            table.factor = 1 << max(table.largest - 1, 0).bit_length()
            if self.one(False, False, True):
                table.factor = table.room = table.factor * self.one(1, 2, 8)
        self.tables.append(table)
        self.fill(table)

    def count(self, form: str, parent: Table) -> tuple[Any, int, int]:
        low, high = sorted((self.number(0, 4), self.number(0, 4)))
        if form == "number":
            return high, high, high
        if form == "range":
            return {"from": low, "to": high}, low, high
        if form == "listed":
            many = self.draw(st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True))
            return many, min(many), max(many)
        if form == "weights":
            many = self.draw(st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True))
            return self.weights(many), min(many), max(many)
        if form == "share":
            return self.share(), 0, 1
        if form == "spread":
            body, low, high = self.one(
                ({"geometric": {"mean": Raw("1.5")}, "from": 0, "to": 9}, 0, 9),
                ({"poisson": {"mean": 2}, "from": 1, "to": 6}, 1, 6),
                ({"zipf": {"s": 1}, "from": 0, "to": 5}, 0, 5),
                ({"bands": [[0, 1, 3], [3, 4, Raw("0.5")]]}, 0, 4),
                ({"normal": {"mean": 3, "sd": 2}, "from": 0, "to": 6}, 0, 6),
            )
            return body, low, high
        coded = [
            (name, of)
            for name, of in self.scope(parent).named
            if of.labels is not None and _is_reference(name)
        ]
        if not coded:
            return self.count("weights", parent)
        name, of = self.one(*coded)
        found: list[tuple[int, int]] = []

        def branch() -> Any:
            body, least, most = self.count(self.one("number", "weights", "share", "range", "by"), parent)
            found.append((least, most))
            return body

        body = self.by(name, of, branch)
        return body, min(least for least, _ in found), max(most for _, most in found)

    def by(self, name: str, of: Type, branch: Callable[[], Any]) -> dict[str, Any]:
        """Return branches by a coded field: each value has one, or there is an `else`."""
        known: list[Any] = [*(of.labels or ()), *([None] if of.nullable else [])]
        listed = (
            self.draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique_by=repr))
            if known
            else []
        )
        if not listed:
            listed = [None] if of.nullable else ["red"]
            if of.kind == "integer":
                listed = [3]
        body = {"by": name, "of": {label: branch() for label in listed}}
        if not of.labels or len(listed) < len(known) or self.one(False, False, True):
            body["else"] = branch()
        return body

    # fields

    def fill(self, table: Table) -> None:
        """Add fields and picks to a table that is new."""
        if self.one(True, False) or not self.one(*table.cells, True):
            name = self.add(table, {"id": True}, Type("string", length=36))
            if self.one(False, True):
                table.key = [name]
        for _ in range(self.number(0, 5)):
            if self.one(False, False, True):
                self.pick(table)
            else:
                self.field(table)
        for column in table.cells:
            if self.one(True, True, False):
                self.add(table, f"row.{column}", table.cells[column])
        if not table.fields:
            self.add(table, {"id": True}, Type("string", length=36))

    def late(self) -> None:
        """Add a field to a table whose tables below stand already."""
        table = self.one(*self.tables)
        below = [each for each in self.tables if table in each.path[:-1]]
        forms = [
            "field",
            *(["rollup", "rollup"] if below else []),
            *(["running", "beside"] if table.parent else []),
        ]
        form = self.one(*forms)
        if form == "rollup":
            self.rollup(table, self.one(*below))
        elif form == "running":
            self.running(table)
        else:
            self.field(table)

    def add(self, table: Table, body: Any, of: Type) -> str:
        name = self.name("f")
        table.fields[name] = Field(name, body, of)
        return name

    def scope(self, table: Table, *, beside: bool = True, picks: bool = True) -> _Scope:
        """Return the names that a table's rows may use by now."""
        named: list[Typed] = [("today", Type("date", low=days(TODAY), high=days(TODAY)))]
        if table.parent is not None:
            named.append(("k", Type("integer", high=max(table.largest - 1, 0))))
        for each in table.fields.values():
            named.append((each.name, each.type))
            if beside and table.parent is not None:
                nullable = replace(each.type, nullable=True, labels=None)
                named += [(f"prev.{each.name}", nullable), (f"next.{each.name}", nullable)]
        for above in table.path[:-1]:
            for each in above.fields.values():
                named.append((f"{above.name}.{each.name}", each.type))
                if above is table.parent:
                    named.append((f"parent.{each.name}", each.type))
        for column, of in table.cells.items():
            named.append((f"row.{column}", of))
        for name in table.picks if picks else ():
            named += [(f"{name}.{column}", of) for column, of in self._pick_types[name][1].items()]
        return _Scope(table, named)

    def weights(self, labels: Sequence[Any]) -> dict[Any, Any]:
        weights = self.draw(st.lists(_WEIGHTS, min_size=len(labels), max_size=len(labels)))
        if all(str(each) in ("0", "0%") for each in weights):
            weights[0] = 1
        return dict(zip(labels, weights, strict=True))

    def share(self) -> Raw:
        return Raw(self.one("70%", "0.5", "1/3", "0%", "100%", "99.9%"))

    def labels(self) -> list[Any]:
        pool: st.SearchStrategy[Any] = self.one(
            st.sampled_from(LABELS),
            st.sampled_from(["CA", "AZ", "NV"]),
            st.integers(-5, 5) | st.sampled_from([10**12, -(1 << 63), (1 << 63) - 1]),
            st.booleans(),
        )
        found: list[Any] = self.draw(st.lists(pool, min_size=1, max_size=4, unique_by=repr))
        return found

    def choice(self, table: Table, depth: int = 2, like: type | None = None) -> tuple[Any, Type]:
        """Return a choice, of labels of a kind if one is named."""
        coded = [
            each for each in self.scope(table).named if each[1].labels is not None and _is_reference(each[0])
        ]
        if depth and coded and self.one(False, True):
            name, of = self.one(*coded)
            found: list[Type] = []

            def branch() -> Any:
                kind = like if not found else _PYTHON[found[0].kind]
                body, one = self.choice(table, depth - 1, kind)
                found.append(one)
                return body

            words = self.by(name, of, branch)
            return words, _coded(tuple(dict.fromkeys(label for one in found for label in one.labels or ())))
        labels = self.labels()
        if like is not None and type(labels[0]) is not like:
            labels = ["x", "red"] if like is str else [1, 2] if like is int else [True, False]
        return labels if self.one(False, True) else self.weights(labels), _coded(tuple(labels))

    def range(
        self, table: Table, kind: str, *, constant: bool = False, above: bool = False
    ) -> tuple[Any, Type]:
        """Return a range's words, and its type."""
        scale = self.number(0, 4) if kind == "decimal" else 0
        form = self.one("alike", "alike", "bounds", "spread", "bands")
        if constant or (form == "bounds" and kind in ("integer", "decimal") and above):
            form = "alike"
        extra = {"scale": scale} if kind == "decimal" else {}
        if form == "spread":
            body, low, high = self.one(*_SPREADS[kind])
            if kind == "decimal":
                scale = 2
                extra = {"scale": 2}
            return {**body, **extra}, Type(kind, False, scale, low, high)
        if form == "bands":
            ends = sorted(self.draw(st.lists(st.integers(-50, 400), min_size=4, max_size=4, unique=True)))
            first, last = [ends[0], ends[1]], [ends[2], ends[3]]
            weights = self.weights([0, 1])
            bands = [
                [*(self.unit(each, kind, scale) for each in pair), weights[number]]
                for number, pair in enumerate((first, last))
            ]
            return {"bands": bands, **extra}, Type(kind, False, scale, *_units(kind, ends[0], ends[3]))
        if form == "bounds":
            words = _Expressions(self.draw, self.scope_above(table) if above else self.scope(table))
            kinds = {"decimal": ("decimal", "integer"), "timestamp": ("timestamp", "date")}.get(kind, (kind,))
            (a, a_type), (b, b_type) = (self.bound(words, self.one(*kinds), kind) for _ in range(2))
            if kind == "decimal":
                scale = max(a_type.scale, b_type.scale, scale)
                extra = {"scale": scale}
            a_bounds, b_bounds = (_bounds(one, kind, scale) for one in (a_type, b_type))
            slack = {"date": 800, "timestamp": 800 * _DAY}.get(kind, 0)
            if a_bounds[0] + slack > b_bounds[1]:
                a, b, a_bounds, b_bounds = b, a, b_bounds, a_bounds
            if a_bounds[0] + slack <= b_bounds[1]:
                nullable = a_type.nullable or b_type.nullable
                low, high = a_bounds[0], max(a_bounds[1], b_bounds[1])
                return {"from": a, "to": b, **extra}, Type(kind, nullable, scale, low, high)
        if kind == "integer":
            low, high = self.one(
                (0, 9), (-3, 3), (5, 5), (0, 10**6), (-(1 << 63), (1 << 63) - 1), (0, 1 << 40)
            )
        else:
            low, high = sorted((self.number(-400, 400), self.number(-400, 20_000)))
        bounds = {"from": self.unit(low, kind, scale), "to": self.unit(high, kind, scale)}
        return {**bounds, **extra}, Type(kind, False, scale, *_units(kind, low, high))

    def bound(self, words: _Expressions, kind: str, whose: str) -> Typed:
        """Return an expression that bounds a field, which has room for it in any scale."""
        text, of = words.of(kind, 1)
        is_wide = whose == "decimal" and max(abs(of.low), abs(of.high)) > 10**11
        return words.constant(kind) if is_wide else (text, of)

    def scope_above(self, table: Table) -> _Scope:
        """Return the names of constants and rows above."""
        above = {each.name for each in table.path[:-1]} | {"parent"}
        scope = self.scope(table)
        return _Scope(
            table, [each for each in scope.named if each[0] == "today" or each[0].partition(".")[0] in above]
        )

    def unit(self, value: int, kind: str, scale: int) -> Any:
        """Return a value of a range as it is written."""
        if kind == "date":
            return str(TODAY + timedelta(days=value))
        if kind == "timestamp":
            return f"{TODAY + timedelta(days=value)}T{value % 24:02}:{value % 60:02}:07Z"
        return Raw(f"{Decimal(value).scaleb(-scale):f}") if kind == "decimal" and scale else value

    def rule(self, table: Table, *, branch: bool = False) -> tuple[dict[str, Any], Type]:
        """Return a rule, and its type."""
        words = [
            "value",
            "choice",
            "choice",
            "integer",
            "decimal",
            "date",
            "timestamp",
            "pattern",
            "expr",
            "faker",
        ]
        if not branch:
            words += ["case", "expr", "expr", "id"]
            if table.parent is None:
                words += ["sequence"]
        word = self.one(*words)
        if word == "id":
            return {"id": True}, Type("string", length=36)
        if word == "value":
            value = self.one("US", "", "ä,b", 7, True, Raw("1.250"), -3)
            return {"value": value}, _value_type(value)
        if word == "choice":
            body, of = self.choice(table)
            return {"choice": body}, of
        if word in ("integer", "decimal", "date", "timestamp"):
            body, of = self.range(table, word)
            return {word: body}, of
        if word == "pattern":
            pattern = self.one(
                "[A-C]x",
                "[0-9]{3}",
                "Ab-[α-γ]",
                r"\d{2}\.[xyz]{2}",
                'q"[,;]',
                "[A-Z]{9}[0-9]{5}",
                "é",
                r"[\-\]\\a]{2}[\d_]",
            )
            return {"pattern": pattern}, Type("string", length=20)
        if word == "faker":
            name = self.one(*POOLS)
            provider, locale, pool = name.split("/")
            return {"faker": {"provider": provider, "locale": locale, "pool": int(pool)}}, Type(
                "string", length=4
            )
        if word == "sequence":
            start = self.number(-5, 10**6)
            rows = (1 << 33) if table.rows is None else table.fixed_rows
            return {"sequence": {"start": start}}, Type("integer", low=start, high=start + rows - 1)
        if word == "case":
            return self.case(table)
        kind = self.one("integer", "decimal", "string", "boolean", "date", "timestamp")
        text, of = _Expressions(self.draw, self.scope(table)).of(kind, 3)
        return {"expr": text}, replace(
            of, labels=of.labels if _is_reference(text) or kind == "boolean" else None
        )

    def case(self, table: Table) -> tuple[dict[str, Any], Type]:
        first, of = self.rule(table, branch=True)
        branches, types = [first], [of]
        for _ in range(self.number(1, 2)):
            body, one = self.rule(table, branch=True)
            if not _one_kind(of, one):
                text, one = _Expressions(self.draw, self.scope(table)).constant(of.kind)
                body = {"expr": text}
                one = replace(one, labels=one.labels if of.kind == "boolean" else None)
            branches.append(body)
            types.append(one)
        words = _Expressions(self.draw, self.scope(table))
        conditional = [{"when": words.of("boolean", 2)[0], **branch} for branch in branches[:-1]]
        merged = _merged(types)
        if merged.kind == "decimal" and max(abs(merged.low), abs(merged.high)) > MOST:
            return {"case": branches[:1]}, of
        labels = None
        if all(one.labels is not None for one in types):
            labels = tuple(dict.fromkeys(label for one in types for label in one.labels or ()))
            labels = () if any(one.labels == () for one in types) else labels
        return {"case": [*conditional, branches[-1]]}, replace(merged, labels=labels)

    def field(self, table: Table) -> None:
        """Add a field with a rule and perhaps modifiers."""
        form = self.one("plain", "plain", "copy", "modified", "modified", "unique", "ordered")
        if form == "ordered" and table.parent is not None:
            self.ordered(table)
        elif form == "unique":
            self.unique(table)
        elif form == "copy":
            copies = [each for each in self.scope(table, beside=False).named if each[0] not in ("k", "today")]
            if copies:
                name, of = self.one(*copies)
                self.add(table, name, of)
        else:
            body, of = self.rule(table)
            if form == "modified":
                body, of = self.modified(table, body, of)
            self.add(table, self.one(body["expr"], body) if list(body) == ["expr"] else body, of)

    def modified(self, table: Table, body: dict[str, Any], of: Type) -> tuple[dict[str, Any], Type]:
        body = dict(body)
        word = self.one("missing", "when", "both", "words")
        if word in ("missing", "both"):
            body["missing"] = self.share()
        if word in ("when", "both"):
            body["when"] = _Expressions(self.draw, self.scope(table)).of("boolean", 2)[0]
        if word == "words":
            body |= {"description": "What it is.", "tags": ["pii"]}
        return body, replace(of, nullable=of.nullable or word != "words")

    def unique(self, table: Table) -> None:
        """Add a unique field, whose capacity is above the slots of some records."""
        least = table.span * (table.fixed_rows if table.is_fixed and table.parent is None else 1)
        if table.is_fixed:
            rows = table.path[0].rows
            least = table.span * (rows if isinstance(rows, int) else rows["lines"])
        kind = self.one("pattern", "integer", "date", "decimal", "faker")
        digits = max(len(str(least)) + self.number(0, 3), 1)
        if kind == "faker" and least <= 3:
            self.add(
                table, {"faker": {"provider": "city", "pool": 3}, "unique": True}, Type("string", length=4)
            )
            return
        if kind == "date" and least <= 20_000:
            last = TODAY + timedelta(days=least + self.number(0, 30_000))
            body: dict[str, Any] = {"date": {"from": str(TODAY), "to": str(last)}}
            of = Type("date", low=days(TODAY), high=days(last))
        elif kind in ("integer", "decimal"):
            low = self.number(-50, 50)
            high = low + least + self.number(0, 10**5)
            scale = 2 if kind == "decimal" else 0
            ends = {"from": self.unit(low, kind, scale), "to": self.unit(high, kind, scale)}
            body = {kind: {**ends, **({"scale": 2} if scale else {})}}
            of = Type(kind, False, scale, low, high)
        else:
            body = {"pattern": f"{self.one('A', '[A-F]', '')}[0-9]{{{digits}}}{self.one('', '-[xyz]')}"}
            of = Type("string", length=digits + 3)
        body["unique"] = True
        if table.parent is not None and self.one(False, False, True):
            body["ordered"] = True
        if self.one(False, False, False, True):
            body, of = self.modified(table, body, of)
        self.add(table, body, of)

    def ordered(self, table: Table) -> None:
        word = self.one("timestamp", "date", "integer", "decimal", "choice", "pattern", "faker", "case")
        if word == "choice":
            body, of = self.choice(table)
            body = {"choice": body}
        elif word == "pattern":
            body, of = {"pattern": self.one("[A-C]x[0-9]", "[é-î]")}, Type("string", length=3)
        elif word == "faker":
            body = {"faker": {"provider": "city", "locale": "en_US", "pool": 3}}
            of = Type("string", length=4)
        elif word == "case":
            condition = _Expressions(self.draw, self.scope(table)).of("boolean", 1)[0]
            body = {"case": [{"when": condition, "integer": {"from": 0, "to": 9}}, {"value": 5}]}
            of = Type("integer", low=0, high=9)
        else:
            body, of = self.range(table, word, above=True)
            body = {word: body}
        body["ordered"] = True
        if self.one(False, False, True):
            body, of = self.modified(table, body, of)
        self.add(table, body, of)

    # picks

    def pick(self, table: Table) -> None:
        """Add a pick."""
        fixed = [
            each for each in self.tables if each.is_fixed and each not in table.path and each.fixed_rows > 0
        ]
        beside = [
            each for each in self.tables if each is not table and table.parent and each.parent is table.parent
        ]
        forms = ["shipped", "shipped where"]
        forms += ["fixed", "fixed", "distinct"] if fixed else []
        forms += ["siblings", "siblings"] if beside else []
        forms += ["earlier"] if not table.is_fixed else []
        form = self.one(*forms)
        name = self.name("p")
        if form == "siblings":
            source = self.one(*beside)
            columns = {each.name: replace(each.type, nullable=True) for each in source.fields.values()}
            body: dict[str, Any] = {"from": source.name, "among": "siblings"}
        elif form == "earlier":
            root = table.path[0]
            columns = {
                each.name: replace(each.type, nullable=True, labels=None)
                for each in root.fields.values()
                if _by_slot(each)
            }
            body = {"from": root.name, "among": "earlier"}
        elif form in ("fixed", "distinct"):
            source = self.one(*fixed)
            columns = {each.name: each.type for each in source.fields.values()}
            body = {"from": source.name}
            weights = [
                each.name
                for each in source.fields.values()
                if each.type.kind == "integer" and not each.type.nullable and each.type.low >= 1
            ]
            if form == "distinct" and table.parent is not None and table.largest <= source.fixed_rows:
                body["distinct"] = True
            elif weights and self.one(True, False):
                body["weight"] = self.one(*weights)
        else:
            body, columns = self._shipped(table, where=form == "shipped where")
        columns = {
            column: replace(of, labels=of.labels or () if of.kind == "string" else of.labels)
            for column, of in columns.items()
        }
        if form == "earlier":
            columns = {column: replace(of, labels=None) for column, of in columns.items()}
        self._pick_types[name] = body["from"], columns
        table.picks[name] = body
        for column in list(columns)[:2]:
            if self.one(True, False):
                self.add(table, f"{name}.{column}", columns[column])

    def _shipped(self, table: Table, *, where: bool) -> tuple[dict[str, Any], dict[str, Type]]:
        states = [
            name
            for name, of in self.scope(table).named
            if of.kind == "string"
            and not of.nullable
            and of.labels
            and set(of.labels) <= {"CA", "AZ", "NV"}
            and _is_reference(name)
        ]
        people = Type("integer", low=1, high=10**9)
        if where:
            if not states:
                name = self.add(
                    table,
                    {"choice": self.one(["CA"], {"CA": 2, "NV": 1}, ["NV", "AZ"])},
                    _coded(("CA", "AZ", "NV")),
                )
                labels = table.fields[name].body["choice"]
                table.fields[name] = replace(table.fields[name], type=_coded(tuple(labels)))
                states = [name]
            body: dict[str, Any] = {"from": "cities", "where": {"state": self.one(*states)}}
            if self.one(True, False):
                body["weight"] = "population"
            return body, {**_texts("cities", "state", "city"), "population": people}
        source, columns, weight = self.one(
            ("states", {**_texts("states", "code", "name"), "population": people}, "population"),
            ("first_names", {**_texts("first_names", "name"), "weight": people}, "weight"),
            ("cities", {**_texts("cities", "state", "city"), "population": people}, "population"),
        )
        body = {"from": source}
        if self.one(True, False):
            body["weight"] = weight
        return body, dict(columns)

    # over rows

    def rollup(self, table: Table, below: Table) -> None:
        rows = 1
        fewest = 1
        for each in below.path[len(table.path) :]:
            rows, fewest = rows * each.largest, fewest * each.smallest
        function = self.one("count", "sum", "min", "max", "first", "last")
        fields = list(below.fields.values())
        body, of = self.aggregate(function, fields, rows, maybe_none=fewest == 0, prefix=f"{below.name}.")
        if function == "count" or body is None:
            body, of = f"count({below.name})", Type("integer", high=rows)
        held: dict[str, Any] = {"rollup": body}
        if self.one(False, False, True):
            held, of = self.modified(table, held, of)
        self.add(table, held, of)

    def running(self, table: Table) -> None:
        function = self.one("count", "sum", "min", "max", "first", "last")
        body, of = self.aggregate(
            function, list(table.fields.values()), table.largest, maybe_none=False, prefix=""
        )
        if function == "count" or body is None:
            name = self.one(*table.fields)
            body, of = self.one("count()", f"count({name})"), Type("integer", high=table.largest)
        self.add(table, {"running": body}, of)

    def aggregate(
        self, function: str, fields: list[Field], rows: int, *, maybe_none: bool, prefix: str
    ) -> tuple[str | None, Type]:
        if function == "sum":
            fields = [
                each
                for each in fields
                if each.type.kind in ("integer", "decimal")
                and max(abs(each.type.low), abs(each.type.high)) * max(rows, 1) < MOST
            ]
        if not fields or function == "count":
            return None, Type("integer")
        found = self.one(*fields)
        of = found.type
        text = f"{function}({prefix}{found.name})"
        if function == "sum":
            low, high = min(0, of.low * rows), max(0, of.high * rows)
            return text, Type(of.kind, False, of.scale, low, high)
        return text, replace(of, nullable=of.nullable or maybe_none, labels=None)


_PYTHON: dict[str, type] = {"string": str, "integer": int, "boolean": bool}
_WEIGHTS = st.sampled_from(
    [1, 2, 3, 70, 0, Raw("0.7"), Raw("12.5%"), Raw("2/3"), Raw("0"), 4_294_967_296, Raw("1/4294967299")]
)
_SPREADS: dict[str, list[tuple[dict[str, Any], int, int]]] = {
    "integer": [
        ({"zipf": {"s": Raw("1.1")}, "from": 1, "to": 30}, 1, 30),
        ({"poisson": {"mean": 4}, "from": 0, "to": 20}, 0, 20),
        ({"geometric": {"mean": Raw("2.5")}, "from": 1, "to": 12}, 1, 12),
        ({"normal": {"mean": 0, "sd": 3}, "from": -9, "to": 9}, -9, 9),
        ({"lognormal": {"median": 40, "sigma": 1}, "from": 1, "to": 90}, 1, 90),
        ({"exponential": {"mean": 5}, "from": 0, "to": 40}, 0, 40),
        ({"zipf": {"s": 1}, "from": 0, "to": 1_999}, 0, 1_999),
    ],
    "decimal": [
        ({"normal": {"mean": Raw("0.25"), "sd": Raw("0.1")}, "from": Raw("-0.5"), "to": 1}, -50, 100),
        ({"lognormal": {"median": 1, "sigma": 1}, "from": Raw("0.01"), "to": 2}, 1, 200),
        ({"exponential": {"mean": Raw("0.3")}, "from": 0, "to": Raw("1.50")}, 0, 150),
    ],
    "date": [
        (
            {"normal": {"mean": "2024-01-01", "sd": 20}, "from": "2023-11-01", "to": "2024-03-01"},
            *(19_662, 19_783),
        ),
        ({"exponential": {"mean": 9000}, "from": "1990-01-01", "to": "1991-01-01"}, *(7_305, 7_670)),
    ],
    "timestamp": [
        (
            {
                "normal": {"mean": "2024-01-01T00:00:30Z", "sd": 9},
                "from": "2024-01-01",
                "to": "2024-01-01T00:01:00Z",
            },
            *(19_723 * _DAY, 19_723 * _DAY + 60),
        ),
    ],
}
_CELLS: dict[str, st.SearchStrategy[str]] = {
    "string": st.sampled_from([each for each in LABELS if each != "a\u2028b"]),
    "integer": st.sampled_from(["", "0", "-7", "12", "9223372036854775807", "1000"]),
    "decimal(2)": st.sampled_from(["", "0.5", "-1.25", "3", "0.05"]),
    "boolean": st.sampled_from(["", "true", "false"]),
    "date": st.sampled_from(["", "2024-02-29", "1969-12-31"]),
    "timestamp": st.sampled_from(["", "2024-02-29T23:59:59Z", "1969-12-31T00:00:00Z"]),
}


@cache
def _cells(table: str) -> list[dict[str, Any]]:
    return Oracle.shipped()[table]


def _texts(table: str, *columns: str) -> dict[str, Type]:
    """Return the types of the text columns of a table that ships."""
    labels = {column: tuple(dict.fromkeys(row[column] for row in _cells(table))) for column in columns}
    return {column: replace(_coded(found), length=40) for column, found in labels.items()}


def _quoted(cell: str) -> str:
    needed = any(c in cell for c in ',"\n') or cell[:1] == " "
    return '"' + cell.replace('"', '""') + '"' if needed or cell == "" else cell


def _cell_type(kind: str, cells: Sequence[str]) -> Type:
    present = [cell for cell in cells if cell]
    nullable = len(present) < len(cells)
    name, _, scale = kind.rstrip(")").partition("(")
    low = high = 0
    if name in ("integer", "decimal"):
        numbers = [int(Decimal(cell).scaleb(int(scale or 0))) for cell in present] or [0]
        low, high = min(numbers), max(numbers)
    elif name in ("date", "timestamp"):
        unit = _DAY if name == "timestamp" else 1
        low, high = -400 * unit, 20_000 * unit
    labels: tuple[Any, ...] | None = (False, True) if name == "boolean" else None
    if name == "string":
        labels = tuple(dict.fromkeys(present))
    return Type(name, nullable, int(scale or 0), low, high, labels, max(map(len, cells), default=0))


def _coded(labels: tuple[Any, ...]) -> Type:
    first = labels[0]
    if isinstance(first, bool):
        return Type("boolean", labels=labels)
    if isinstance(first, int):
        return Type("integer", low=min(labels), high=max(labels), labels=labels)
    return Type("string", labels=labels, length=max(map(len, labels)))


def _value_type(value: Any) -> Type:
    if isinstance(value, Raw):
        return Type("decimal", False, 3, 1_250, 1_250)
    return _coded((value,))


def _is_reference(name: str) -> bool:
    """Return whether a name can stand after `by`: a field, or one of above."""
    return re.fullmatch(r"((parent|row|[tp][0-9]+)\.)?([a-z_]+[0-9]*)", name) is not None and name not in (
        "k",
        "today",
    )


def _one_kind(a: Type, b: Type) -> bool:
    return a.kind == b.kind or {a.kind, b.kind} == {"integer", "decimal"}


def _by_slot(each: Field) -> bool:
    """Return whether a field follows from the slot alone."""
    plain = isinstance(each.body, dict) and not each.has("missing") and not each.has("when")
    return plain and (each.has("id") or each.has("sequence") or each.has("unique"))


def _bounds(of: Type, kind: str, scale: int) -> tuple[int, int]:
    if kind == "timestamp" and of.kind == "date":
        return of.low * _DAY, of.high * _DAY
    return of.at_scale(max(scale, of.scale))


def _units(kind: str, low: int, high: int) -> tuple[int, int]:
    if kind == "date":
        return days(TODAY) + low, days(TODAY) + high
    if kind == "timestamp":
        return (days(TODAY) + low - 1) * _DAY, (days(TODAY) + high + 1) * _DAY
    return low, high


@st.composite
def plans(draw: Draw, *, depth: int = 4) -> Plan:
    """Draw a plan of tables that are at most `depth` deep."""
    return _Builder(draw, depth).plan()
