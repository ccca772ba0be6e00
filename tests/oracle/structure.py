"""A plan's tables, picks, fields and rules as they are written, and what follows before any row: F, means, types."""

import csv
import datetime as dt
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path

from oracle import bands as distributions
from oracle import cars, patterns
from oracle.expressions import (
    Expression,
    Type,
    Value,
    common,
    evaluate,
    infer,
    instant,
    integer,
    parse,
    unscaled,
)
from oracle.reading import Node, Plain, Text, constant_bound, get, mapping, number, read, resolve, text_of
from oracle.words import all_alike, choose, lo, whole_weights

EPOCH = dt.date(1970, 1, 1)
MARKER = "synthetic_source"
RANGES = ("integer", "decimal", "date", "timestamp")
RULES = (
    "id",
    "sequence",
    "value",
    "choice",
    *RANGES,
    "pattern",
    "faker",
    "vin",
    "license_number",
    "expr",
    "rollup",
    "running",
    "case",
)
ROOT_ROWS = 1 << 33


def weigh(node: Node) -> tuple[list[Plain], tuple[int, ...]]:
    """Return the values of a choice and their whole weights, in the order written."""
    if isinstance(node, list):
        values, weights = [resolve(text_of(item)) for item in node], [Fraction(1)] * len(node)
    else:
        values = [resolve(key) for key in mapping(node)]
        weights = [number(text_of(weight)) for weight in mapping(node).values()]
    return values, whole_weights(tuple(weights))


def unit_value(value: Value, kind: str, scale: int) -> int:
    """Return a value in its field's units: unscaled, days, seconds."""
    if kind == "date":
        assert isinstance(value, dt.date) and not isinstance(value, dt.datetime)
        return (value - EPOCH).days
    if kind == "timestamp":
        return int((instant(value) - instant(EPOCH)).total_seconds())
    return unscaled(value, scale)


def from_unit(units: int, kind: str, scale: int) -> Value:
    """Return the value that a number of units stands for."""
    if kind == "date":
        return EPOCH + dt.timedelta(days=units)
    if kind == "timestamp":
        return instant(EPOCH) + dt.timedelta(seconds=units)
    return Fraction(units, 10**scale) if kind == "decimal" else units


@dataclass(frozen=True)
class By:
    """Branches by the value of a coded field; `of` is keyed by its values."""

    by: Expression
    of: "dict[Plain, Node]"
    otherwise: Node | None

    def branch(self, value: Value) -> Node:
        """Return the branch of a value, null included; unlisted ones take `else`."""
        assert not isinstance(value, dt.date)
        found = self.of.get(value, self.otherwise)  # type: ignore[arg-type] # durations are no fields
        if found is None:
            raise ValueError(f"no branch for {value!r}")
        return found

    def branches(self) -> list[Node]:
        """Return all branches."""
        return [*self.of.values(), *([] if self.otherwise is None else [self.otherwise])]


def by_of(node: Node) -> By | None:
    """Return a node's branches, or None where it has no `by`."""
    if not isinstance(node, dict) or get(node, "by") is None or get(node, "of") is None:
        return None
    branches = {resolve(key): value for key, value in mapping(get(node, "of")).items()}
    return By(parse(text_of(get(node, "by"))), branches, get(node, "else"))


class Constants:
    """The names that a constant expression has: `today` alone."""

    def __init__(self, today: dt.date) -> None:
        self.today = today

    def type_of(self, base: str | None, name: str) -> Type:
        """Return the type of `today`."""
        if (base, name) != (None, "today"):
            raise NameError(f"{base}.{name} isn't constant")
        return Type("date")

    def value_of(self, base: str | None, name: str) -> Value:
        """Return the value of `today`."""
        self.type_of(base, name)
        return self.today


# --- counts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Count:
    """A count without `by`, as bands of (first, last, weight); a listed count is a band of one number."""

    bands: tuple[tuple[int, int, int], ...]

    @property
    def largest(self) -> int:
        """Return the largest count that is listed, whatever its weight."""
        return max(last for _, last, _ in self.bands)

    @property
    def smallest(self) -> int:
        """Return the smallest count that is listed, whatever its weight."""
        return min(first for first, _, _ in self.bands)

    @property
    def mean(self) -> Fraction:
        """Return the mean, exactly."""
        total = sum(weight for _, _, weight in self.bands)
        return (
            sum((Fraction(first + last, 2) * weight for first, last, weight in self.bands), Fraction(0))
            / total
        )

    def draw(self, word: int) -> int:
        """Return the count of a word."""
        return draw_band(word, self.bands)


@cache
def _weights(bands: tuple[tuple[int, int, int], ...]) -> tuple[int, ...]:
    return tuple(weight for _, _, weight in bands)


def draw_band(word: int, bands: Sequence[tuple[int, int, int]]) -> int:
    """Return the value of a word: the band by `hi`, the place in it by `lo`."""
    first, last, _ = bands[choose(word, _weights(tuple(bands)))]
    return first + (lo(word) * (last - first + 1) >> 32)


def count_of(node: Node) -> Count:
    """Return a count that has no `by`."""
    if isinstance(node, Text):
        if node.isdigit():
            return Count(((int(node), int(node), 1),))
        share = number(node)
        if not 0 <= share <= 1:
            raise ValueError(f"{node} is no share")
        none, one = whole_weights((1 - share, share))
        return Count(((0, 0, none), (1, 1, one)))
    if isinstance(node, dict) and get(node, "bands") is not None:
        return Count(tuple(_written_bands(node, int)))
    if isinstance(node, dict) and get(node, "from") is not None:
        first, last = int(text_of(get(node, "from"))), int(text_of(get(node, "to")))
        name = next((name for name in distributions.PARAMETERS if get(node, name) is not None), None)
        if name is None:
            return Count(tuple((n, n, 1) for n in range(first, last + 1)))
        parameters = {str(key): number(text_of(value)) for key, value in mapping(get(node, name)).items()}
        return Count(tuple(distributions.make(name, parameters, first, last, Fraction(1))))
    values, weights = weigh(node)
    listed = sorted(zip((int(str(value)) for value in values), weights, strict=True))
    return Count(tuple((n, n, weight) for n, weight in listed))


def _written_bands(node: "Mapping[Text, Node]", units: Callable[[Text], int]) -> list[distributions.Band]:
    listed = get(node, "bands")
    assert isinstance(listed, list)
    found = []
    for band in listed:
        assert isinstance(band, list)
        first, last, weight = map(text_of, band)
        found.append((units(first), units(last), number(weight)))
    return distributions.written(found)


def counts_of(node: Node) -> Iterator[Count]:
    """Yield every branch of a count, however deep."""
    by = by_of(node)
    if by is None:
        yield count_of(node)
    else:
        for branch in by.branches():
            yield from counts_of(branch)


# --- fields, picks, tables ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """One rule with its node."""

    kind: str
    node: Node

    @property
    def body(self) -> "dict[Text, Node]":
        """Return the node, a mapping."""
        return mapping(self.node)


@dataclass(frozen=True)
class Field:
    """A field: its rule and modifiers."""

    name: str
    stream: str
    rule: Rule
    when: Expression | None = None
    missing: Fraction | None = None
    unique: bool = False
    ordered: bool = False


@dataclass(frozen=True)
class Pick:
    """A pick: where it draws from, and how."""

    name: str
    stream: str
    source: str
    weight: str | None
    where: dict[str, Expression]
    distinct: bool
    among: str | None


@dataclass
class Table:
    """A table as it is written."""

    name: str
    stream: str
    parent: "Table | None"
    is_root: bool
    count: Node | None
    room: int | None
    rows: int | None
    cells: list[dict[str, Value]] | None
    cell_types: dict[str, Type]
    picks: dict[str, Pick] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)

    @property
    def is_fixed(self) -> bool:
        """Tell whether the table doesn't hang below the root."""
        return self.parent.is_fixed if self.parent else not self.is_root

    @property
    def path(self) -> "list[Table]":
        """Return the tables from the top down to this one."""
        return [*(self.parent.path if self.parent else []), self]

    @property
    def largest(self) -> int:
        """Return the largest count."""
        return 1 if self.count is None else max(count.largest for count in counts_of(self.count))

    @property
    def smallest(self) -> int:
        """Return the smallest count."""
        return 1 if self.count is None else min(count.smallest for count in counts_of(self.count))

    @property
    def factor(self) -> int:
        """Return F, the room for children below one slot."""
        if self.room is not None:
            return self.room
        power = 1
        while power < self.largest:
            power *= 2
        return power

    @property
    def mean(self) -> Fraction:
        """Return m, the product of the mean counts from the top down."""
        means = [
            max(count.mean for count in counts_of(table.count))
            for table in self.path
            if table.count is not None
        ]
        return math.prod(means, start=Fraction(1))

    @property
    def block(self) -> int:
        """Return B, the records of a block."""
        if self.is_fixed:
            return 65_536
        power = 65_536
        while power > 1 and power * self.mean > 65_536:
            power //= 2
        return power

    @property
    def tag_name(self) -> str:
        """Return the table's name in id tags."""
        return self.stream.partition(":")[2]


Cells = list[dict[str, Value]]


class Plan:
    """A plan: its tables by name, and the types of their fields."""

    def __init__(self, text: str, folder: Path | None, shipped: Mapping[str, Cells]) -> None:
        top = mapping(read(text))
        self.name, self.version = str(text_of(get(top, "name"))), int(text_of(get(top, "version")))
        self.today = dt.date.fromisoformat(text_of(get(top, "reference_date")))
        self.marker = f"enterprise-synthetic-data-hub {self.name} v{self.version}"
        self.shipped = shipped
        self.tables: dict[str, Table] = {}
        nodes = {str(name): mapping(node) for name, node in mapping(get(top, "tables")).items()}
        pending = dict(nodes)
        while pending:
            for name, node in list(pending.items()):
                per = get(node, "per")
                if per is None or str(per) in self.tables:
                    self.tables[name] = self._table(name, node, folder)
                    del pending[name]
                elif str(per) not in nodes:
                    raise NameError(f"no table {per}")
        self.tables = {name: self.tables[name] for name in nodes}
        (self.root,) = [table for table in self.tables.values() if table.is_root]
        self._types: dict[tuple[str, str], Type | None] = {}

    def _table(self, name: str, node: "Mapping[Text, Node]", folder: Path | None) -> Table:
        per, rows, room = get(node, "per"), get(node, "rows"), get(node, "room")
        stream = f"{self.name}:{get(node, 'stream') or name}"
        cells, cell_types = None, dict[str, Type]()
        if isinstance(rows, dict):
            assert folder is not None
            cells, cell_types = read_cells(folder / text_of(get(rows, "file")), mapping(get(rows, "types")))
        table = Table(
            name=name,
            stream=stream,
            parent=None if per is None else self.tables[str(per)],
            is_root=per is None and rows is None,
            count=get(node, "count"),
            room=None if room is None else int(text_of(room)),
            rows=int(rows) if isinstance(rows, Text) else None if cells is None else len(cells),
            cells=cells,
            cell_types=cell_types,
        )
        for key, pick in mapping(get(node, "pick")).items():
            table.picks[str(key)] = _pick(str(key), stream, mapping(pick))
        for key, written in mapping(get(node, "fields")).items():
            table.fields[str(key)] = _field(str(key), stream, written)
        table.fields[MARKER] = Field(MARKER, f"{stream}.{MARKER}", Rule("value", quoted(self.marker)))
        return table

    # --- types

    def type_of(self, table: Table, name: str) -> Type:
        """Return the type of a field."""
        key = (table.name, name)
        if key not in self._types:
            self._types[key] = None
            written = table.fields[name]
            found = self.rule_type(table, written.rule)
            if written.when is not None or written.missing is not None:
                found = _nullable(found)
            self._types[key] = found
        known = self._types[key]
        if known is None:
            raise RecursionError(f"{table.name}.{name} depends on itself")
        return known

    def column_type(self, source: str, column: str) -> Type:
        """Return the type of a column of a table that is drawn from."""
        if source in self.tables:
            return self.type_of(self.tables[source], column)
        cells = [row[column] for row in self.shipped[source]]
        numbers = [cell for cell in cells if isinstance(cell, int)]
        return integer(min(numbers), max(numbers)) if numbers else Type("string")

    def rule_type(self, table: Table, rule: Rule) -> Type:
        """Return the type of what a rule makes."""
        scope = Scope(self, table)
        match rule.kind:
            case "id" | "pattern" | "faker" | "vin" | "license_number":
                return Type("string")
            case "sequence":
                start = int(text_of(get(rule.body, "start")))
                return integer(start, start + (ROOT_ROWS if table.is_root else table.rows or 1) - 1)
            case "value":
                return _literal_type(text_of(rule.node))
            case "choice":
                return self._choice_type(rule.node)
            case "expr":
                return infer(parse(text_of(rule.node)), scope)
            case "rollup":
                return self._rollup_type(table, text_of(rule.node))
            case "running":
                function, _, inner = text_of(rule.node).rstrip(")").partition("(")
                operand = None if function == "count" else self.type_of(table, inner)
                return aggregate_type(function, operand, table.largest, maybe_none=False)
            case "case":
                return common([self.rule_type(table, branch) for _, branch in case_branches(rule.node)])
        return self._range_type(table, rule)

    def _choice_type(self, node: Node) -> Type:
        by = by_of(node)
        if by is not None:
            return common([self._choice_type(branch) for branch in by.branches()])
        return common([_plain_type(value) for value in weigh(node)[0]])

    def _range_type(self, table: Table, rule: Rule) -> Type:
        scale = scale_of(rule)
        if get(rule.body, "bands") is not None:
            bands = self.bands(rule)
            low, high = bands[0][0], bands[-1][1]
            return Type(rule.kind, False, scale, *_range_bounds(rule.kind, low, high, scale))
        first, last = (
            self._bound_type(table, text_of(get(rule.body, key)), rule.kind) for key in ("from", "to")
        )
        if max(first.scale, last.scale) > scale:
            raise TypeError("a bound has more digits after the point than its field")
        return Type(rule.kind, first.nullable or last.nullable, scale, first.low, max(first.high, last.high))

    def _bound_type(self, table: Table, text: Text, kind: str) -> Type:
        constant = constant_bound(text)
        if constant is not None:
            found = Type("timestamp" if isinstance(constant, dt.datetime) else "date")
        else:
            found = infer(parse(text), Scope(self, table))
        if common([found, Type(kind, low=found.low, high=found.high)], midnights=True).kind != kind:
            raise TypeError(f"{text} is no bound of a {kind}")
        return found

    def _rollup_type(self, table: Table, text: Text) -> Type:
        function, below, column = split_rollup(text)
        target = self.tables[below]
        between = target.path[len(table.path) :]
        if target.path[: len(table.path)] != table.path or not between:
            raise TypeError(f"{below} isn't below {table.name}")
        rows = math.prod(one.largest for one in between)
        maybe_none = any(one.smallest == 0 for one in between)
        operand = None if column is None else self.type_of(target, column)
        return aggregate_type(function, operand, rows, maybe_none=maybe_none)

    # --- ranges

    def bands(self, rule: Rule) -> list[distributions.Band]:
        """Return the bands of a rule that has any."""
        scale, constants = scale_of(rule), Constants(self.today)

        def constant(text: Text) -> Value:
            known = constant_bound(text)
            return evaluate(parse(text), constants) if known is None else known

        def units(text: Text) -> int:
            return unit_value(constant(text), rule.kind, scale)

        if get(rule.body, "bands") is not None:
            return _written_bands(rule.body, units)
        name = distribution_of(rule)
        assert name is not None
        if name in distributions.DISCRETE and rule.kind != "integer":
            raise TypeError(f"{name} is a distribution of integers, and {rule.kind} holds others")
        parameters = {}
        for key, node in mapping(get(rule.body, name)).items():
            is_place = (
                rule.kind in {"date", "timestamp"} and key in {"mean", "median"} and name.endswith("normal")
            )
            try:
                parameters[str(key)] = number(text_of(node))
            except ValueError:
                if not is_place:
                    raise
                parameters[str(key)] = Fraction(units(text_of(node)))
        first, last = units(text_of(get(rule.body, "from"))), units(text_of(get(rule.body, "to")))
        return distributions.make(name, parameters, first, last, Fraction(1, 10**scale))

    def capacity(self, rule: Rule, pools: Mapping[str, Sequence[str]]) -> int:
        """Return how many values a unique rule has."""
        if rule.kind == "pattern":
            return patterns.capacity(text_of(rule.node))
        if rule.kind == "faker":
            return len(pools[pool_key(rule)])
        if rule.kind in cars.CAPACITIES:
            return cars.CAPACITIES[rule.kind]
        first, last = self.constant_bounds(rule)
        return last - first + 1

    def constant_bounds(self, rule: Rule) -> tuple[int, int]:
        """Return the bounds of a range that has constant ones, in units."""
        constants, found = Constants(self.today), []
        for key in ("from", "to"):
            text = text_of(get(rule.body, key))
            known = constant_bound(text)
            value = evaluate(parse(text), constants) if known is None else known
            found.append(unit_value(value, rule.kind, scale_of(rule)))
        return found[0], found[1]

    def tag(self, table: Table) -> int:
        """Return the tag of a table's ids."""
        name = f"{self.name} v{self.version}/{table.tag_name}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big") >> 7


class Scope:
    """The names that an expression of a table's row may use, with their types."""

    def __init__(self, plan: Plan, table: Table) -> None:
        self.plan, self.table = plan, table

    def type_of(self, base: str | None, name: str) -> Type:
        """Return the type of `name` or `base.name`."""
        plan, table = self.plan, self.table
        if base is None:
            if name == "today":
                return Type("date")
            if name == "k":
                if table.parent is None:
                    raise NameError("k counts siblings, and a table without a parent has none")
                return integer(0, max(table.largest - 1, 0))
            return plan.type_of(table, name)
        if base == "parent":
            assert table.parent is not None
            return plan.type_of(table.parent, name)
        if base in {"prev", "next"}:
            return _nullable(plan.type_of(table, name))
        if base == "row":
            return table.cell_types[name]
        if base in table.picks:
            pick = table.picks[base]
            found = plan.column_type(pick.source, name)
            return _nullable(found) if pick.among else found
        ancestor = next(one for one in table.path[:-1] if one.name == base)
        return plan.type_of(ancestor, name)


def quoted(text: str) -> Text:
    """Return a text that is no number or truth value, whatever it looks like."""
    found = Text(text)
    found.plain = False
    return found


def _nullable(found: Type) -> Type:
    return Type(found.kind, True, found.scale, found.low, found.high)


def aggregate_type(function: str, operand: Type | None, rows: int, *, maybe_none: bool) -> Type:
    """Return the type of sum, count, min, max, first or last over at most `rows` rows."""
    if function == "count":
        return integer(0, rows)
    assert operand is not None
    if function == "sum":
        if not operand.is_number:
            raise TypeError(f"a sum of {operand.kind}")
        low, high = min(operand.low * rows, Fraction(0)), max(operand.high * rows, Fraction(0))
        return Type(operand.kind, False, operand.scale, low, high)
    return _nullable(operand) if maybe_none else operand


def _plain_type(value: Plain) -> Type:
    if isinstance(value, bool):
        return Type("boolean")
    if isinstance(value, int):
        return integer(value, value)
    if isinstance(value, str):
        return Type("string")
    raise TypeError(f"{value!r} is no value of a choice")


def _literal_type(text: Text) -> Type:
    value = resolve(text)
    if isinstance(value, Fraction):
        return Type("decimal", False, len(text.partition(".")[2]), value, value)
    return _plain_type(value)


def scale_of(rule: Rule) -> int:
    """Return the scale of a rule."""
    return int(text_of(get(rule.body, "scale"))) if rule.kind == "decimal" else 0


def _range_bounds(kind: str, low: int, high: int, scale: int) -> tuple[Fraction, Fraction]:
    if kind in {"date", "timestamp"}:
        return Fraction(0), Fraction(0)
    return Fraction(low, 10**scale), Fraction(high, 10**scale)


def distribution_of(rule: Rule) -> str | None:
    """Return the name of a range's distribution; None if all values are alike or it has bands of its own."""
    return next((name for name in distributions.PARAMETERS if get(rule.body, name) is not None), None)


def pool_key(rule: Rule) -> str:
    """Return the name of a pool in the lock."""
    provider, pool = get(rule.body, "provider"), get(rule.body, "pool")
    return f"{provider}/{get(rule.body, 'locale') or 'en_US'}/{pool}"


def split_rollup(text: str) -> tuple[str, str, str | None]:
    """Return function, table and column of `sum(transactions.amount)` or `count(accounts)`."""
    function, _, inner = text.rstrip(")").partition("(")
    table, _, column = inner.partition(".")
    return function, table, column or None


def case_branches(node: Node) -> list[tuple[Expression | None, Rule]]:
    """Return the branches of a case: a condition, or None for the last, and a rule."""
    assert isinstance(node, list)
    found = []
    for branch in node:
        body = mapping(branch)
        when = get(body, "when")
        found.append((None if when is None else parse(text_of(when)), _rule(body)))
    return found


def _rule(body: "Mapping[Text, Node]") -> Rule:
    ((kind, node),) = [(str(key), node) for key, node in body.items() if key in RULES]
    return Rule(kind, node)


def _is_true(node: Node | None) -> bool:
    return node is not None and resolve(text_of(node)) is True


def _field(name: str, table_stream: str, node: Node) -> Field:
    if isinstance(node, Text):
        return Field(name, f"{table_stream}.{name}", Rule("expr", node))
    body = mapping(node)
    when, missing = get(body, "when"), get(body, "missing")
    return Field(
        name=name,
        stream=f"{table_stream}.{get(body, 'stream') or name}",
        rule=_rule(body),
        when=None if when is None else parse(text_of(when)),
        missing=None if missing is None else number(text_of(missing)),
        unique=_is_true(get(body, "unique")),
        ordered=_is_true(get(body, "ordered")),
    )


def _pick(name: str, table_stream: str, body: "Mapping[Text, Node]") -> Pick:
    weight, among = get(body, "weight"), get(body, "among")
    return Pick(
        name=name,
        stream=f"{table_stream}@{name}",
        source=str(text_of(get(body, "from"))),
        weight=None if weight is None else str(weight),
        where={str(key): parse(text_of(value)) for key, value in mapping(get(body, "where")).items()},
        distinct=_is_true(get(body, "distinct")),
        among=None if among is None else str(among),
    )


def read_cells(path: Path, types: "Mapping[Text, Node]") -> tuple[Cells, dict[str, Type]]:
    """Return the rows of a CSV file with a header, an empty cell as null, and the types of its columns."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file))
    written = {column: str(get(types, column) or "string") for column in header}
    cells = [
        {column: _cell(cell, written[column]) for column, cell in zip(header, line, strict=True)}
        for line in lines
    ]
    found = {}
    for column, kind in written.items():
        values = [row[column] for row in cells if row[column] is not None]
        numbers = [value for value in values if isinstance(value, int | Fraction)]
        name, _, scale = kind.rstrip(")").partition("(")
        found[column] = Type(
            name,
            len(values) < len(cells),
            int(scale or 0),
            Fraction(min(numbers, default=0)),
            Fraction(max(numbers, default=0)),
        )
    return cells, found


def _cell(text: str, kind: str) -> Value:
    if text == "":
        return None
    match kind.partition("(")[0]:
        case "integer":
            return int(text)
        case "decimal":
            return Fraction(text)
        case "boolean":
            return {"true": True, "false": False}[text]
        case "date" | "timestamp":
            return constant_bound(text)
    return text


def shipped_cells(folder: Path) -> dict[str, Cells]:
    """Return the tables that ship, by name, from the data files below a folder; what isn't there yet is left out."""
    wanted = {
        "first_names": ("name", "weight"),
        "last_names": ("name", "weight"),
        "states": ("code", "name", "population"),
        "cities": ("state", "city", "population"),
        "places": ("zip", "city", "state", "population"),
        "area_codes": ("area_code", "state"),
        "street_stems": ("word",),
        "street_endings": ("word",),
        "street_kinds": ("kind",),
        "vehicle_models": (
            *("make", "model", "body_style", "model_year"),
            *("make_code", "model_code", "body_code", "weight"),
        ),
    }
    found: dict[str, Cells] = {}
    for name, columns in wanted.items():
        # A table of plans stands nearer to the top than one of the same name that only v0.1 draws from.
        path = min(folder.rglob(f"{name}.json"), key=lambda each: len(each.parts), default=None)
        if path is None:
            continue
        document = json.loads(path.read_text(encoding="utf-8"))
        places = [document["columns"].index(column) for column in columns]
        found[name] = [
            {column: row[place] for column, place in zip(columns, places, strict=True)}
            for row in document["rows"]
        ]
    return found


def alike(word: int, first: int, last: int) -> int:
    """Return a number of first .. last, all alike; where the bounds cross, the first."""
    return first if first > last else first + all_alike(word, last - first + 1)
