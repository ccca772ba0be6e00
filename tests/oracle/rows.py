"""Rows, one by one: a record from its root down, each value when it is asked for."""

import datetime as dt
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from oracle import cars, patterns
from oracle.expressions import Value, evaluate, parse
from oracle.reading import Node, Text, constant_bound, get, resolve, text_of
from oracle.structure import (
    RANGES,
    Field,
    Pick,
    Plan,
    Rule,
    Table,
    alike,
    by_of,
    case_branches,
    count_of,
    distribution_of,
    draw_band,
    from_unit,
    pool_key,
    scale_of,
    split_rollup,
    unit_value,
    weigh,
)
from oracle.words import (
    all_alike,
    child_word,
    choose,
    feistel_id,
    key_word,
    meets_share,
    permute,
    root_word,
    whole_weights,
)


class Columns(Protocol):
    """Anything that a pick may draw: columns by name."""

    def value(self, column: str) -> Value:
        """Return the value of a column."""


class Cells:
    """A row of a shipped table."""

    def __init__(self, cells: Mapping[str, Value]) -> None:
        self._cells = cells

    def value(self, column: str) -> Value:
        """Return the value of a column."""
        return self._cells[column]


def weights_of(rows: Sequence[Columns], column: str) -> tuple[int, ...]:
    """Return the whole weights of rows by a column."""
    weights = []
    for row in rows:
        weight = row.value(column)
        assert isinstance(weight, int) and weight >= 1
        weights.append(Fraction(weight))
    return whole_weights(tuple(weights))


class World:
    """All rows of a plan under one seed."""

    def __init__(self, plan: Plan, seed: int, pools: Mapping[str, Sequence[str]]) -> None:
        self.plan, self.seed, self.pools = plan, seed, pools
        self._tops: dict[tuple[str, int], Row] = {}
        self._words: dict[tuple[str, str, int], int] = {}
        self._whole: dict[str, Sequence[Columns]] = {}
        self._weights: dict[tuple[str, str], tuple[int, ...]] = {}
        self._bands: dict[int, Sequence[tuple[int, int, int]]] = {}

    def word(self, stream: str, table: Table, slot: int) -> int:
        """Return the word of a stream at a slot of a table."""
        if table.parent is None:
            return root_word(self.seed, stream, slot)
        if table.count is None:
            return self.word(stream, table.parent, slot)
        key = stream, table.name, slot
        if key not in self._words:
            p, k = divmod(slot, table.factor)
            self._words[key] = child_word(self.word(stream, table.parent, p), k)
        return self._words[key]

    def top(self, table: Table, number: int) -> "Row":
        """Return a row of the root or of a fixed table without parent."""
        key = table.name, number
        if key not in self._tops:
            if table.rows is not None and number >= table.rows:
                raise ValueError(f"{table.name} has {table.rows} rows, and none at {number}")
            self._tops[key] = Row(self, table, number, parent=None, k=0, record=number)
        return self._tops[key]

    def at(self, table: Table, slot: int) -> "Row":
        """Return the row at a slot, or raise if no row stands there."""
        if table.parent is None:
            return self.top(table, slot)
        p, k = divmod(slot, table.factor) if table.count is not None else (slot, 0)
        siblings = self.at(table.parent, p).children(table)
        if k >= len(siblings):
            raise ValueError(f"{table.name} has {len(siblings)} rows below slot {p}, and none at {slot}")
        return siblings[k]

    def rows(self, table: Table, start: int = 0, records: int = 0) -> "list[Row]":
        """Return the rows of some records in ascending slots; of a fixed table, all."""
        top = table.path[0]
        numbers = range(top.rows or 0) if table.is_fixed else range(start, start + records)
        return [row for number in numbers for row in self.top(top, number).below(table)]

    def drawn(self, source: str) -> Sequence[Columns]:
        """Return the rows of a fixed or shipped table, all of them."""
        if source not in self._whole:
            tables = self.plan.tables
            self._whole[source] = (
                self.rows(tables[source])
                if source in tables
                else [Cells(cells) for cells in self.plan.shipped[source]]
            )
        return self._whole[source]

    def weights(self, source: str, column: str) -> tuple[int, ...]:
        """Return the weights of all rows of a table that is drawn from, made once."""
        if (source, column) not in self._weights:
            self._weights[source, column] = weights_of(self.drawn(source), column)
        return self._weights[source, column]

    def bands(self, rule: Rule) -> Sequence[tuple[int, int, int]]:
        """Return the bands of a rule, made once."""
        if id(rule.node) not in self._bands:
            self._bands[id(rule.node)] = self.plan.bands(rule)
        return self._bands[id(rule.node)]


class Row:
    """One row: its place, and its values as they are asked for."""

    def __init__(
        self, world: World, table: Table, slot: int, *, parent: "Row | None", k: int, record: int
    ) -> None:
        self.world, self.table, self.slot, self.parent, self.k = world, table, slot, parent, k
        self.record = record
        self.today: dt.date = world.plan.today
        self._values: dict[str, Value] = {}
        self._raw: dict[str, Value] = {}
        self._picked: dict[str, Columns | None] = {}
        self._children: dict[str, list[Row]] = {}
        self._begun: set[str] = set()

    # --- the tree

    def word(self, stream: str) -> int:
        """Return the word of a stream at this row."""
        return self.world.word(stream, self.table, self.slot)

    def count(self, table: Table) -> int:
        """Return how many rows a table has below this one."""
        node = table.count
        if node is None:
            return 1
        while (by := by_of(node)) is not None:
            node = by.branch(evaluate(by.by, self))
        return count_of(node).draw(self.word(f"{table.stream}#count"))

    def children(self, table: Table) -> "list[Row]":
        """Return the rows of a table right below this one."""
        if table.name not in self._children:
            factor = table.factor
            if self.count(table) > factor:
                raise ValueError(f"{table.name} has no room for {self.count(table)} rows")
            self._children[table.name] = [
                Row(self.world, table, self.slot * factor + k, parent=self, k=k, record=self.record)
                for k in range(self.count(table))
            ]
        return self._children[table.name]

    def below(self, table: Table) -> "list[Row]":
        """Return this row if it is the table's, or else all rows of the table below it, in ascending slots."""
        if table is self.table:
            return [self]
        step = table.path[len(self.table.path)]
        return [row for child in self.children(step) for row in child.below(table)]

    def siblings(self) -> "list[Row]":
        """Return the rows of this table below the same parent, this one among them."""
        if self.parent is None:
            raise ValueError(f"rows of {self.table.name} have no parent, and so no siblings")
        return self.parent.children(self.table)

    # --- names of expressions

    def value_of(self, base: str | None, name: str) -> Value:
        """Return the value of `name` or `base.name` on this row."""
        if base is None:
            return self.today if name == "today" else self.k if name == "k" else self.value(name)
        if base == "parent":
            assert self.parent is not None
            return self.parent.value(name)
        if base in {"prev", "next"}:
            k, siblings = self.k + (1 if base == "next" else -1), self.siblings()
            return siblings[k].value(name) if 0 <= k < len(siblings) else None
        if base == "row":
            assert self.table.cells is not None
            return self.table.cells[self.slot][name]
        if base in self.table.picks:
            picked = self.picked(base)
            return None if picked is None else picked.value(name)
        ancestor = self.parent
        while ancestor is not None and ancestor.table.name != base:
            ancestor = ancestor.parent
        assert ancestor is not None, base
        return ancestor.value(name)

    # --- picks

    def picked(self, name: str) -> Columns | None:
        """Return the row that a pick draws."""
        if name not in self._picked:
            self._picked[name] = self._pick(self.table.picks[name])
        return self._picked[name]

    def _pick(self, pick: Pick) -> Columns | None:
        word = self.word(pick.stream)
        if pick.among == "earlier":
            root = self.world.plan.tables[pick.source]
            return self.world.top(root, word * self.record >> 64) if self.record else None
        if pick.among == "siblings":
            assert self.parent is not None
            there = self.parent.children(self.world.plan.tables[pick.source])
            return there[word * len(there) >> 64] if there else None
        rows = self.world.drawn(pick.source)
        if pick.distinct:
            assert self.parent is not None
            return rows[permute(self.k, len(rows), self.parent.word(pick.stream))]
        if pick.where:
            wanted = {column: evaluate(value, self) for column, value in pick.where.items()}
            if None in wanted.values():
                raise ValueError(f"{pick.name} looks for null")
            rows = [row for row in rows if all(row.value(column) == is_ for column, is_ in wanted.items())]
        if pick.weight is None:
            return rows[all_alike(word, len(rows))]
        if pick.where:
            return rows[choose(word, weights_of(rows, pick.weight))]
        return rows[choose(word, self.world.weights(pick.source, pick.weight))]

    # --- fields

    def value(self, name: str) -> Value:
        """Return the value of a field."""
        if name not in self._values:
            if name in self._begun:
                raise RecursionError(f"{self.table.name}.{name} depends on itself")
            self._begun.add(name)
            self._values[name] = self._value(self.table.fields[name])
        return self._values[name]

    def _value(self, field: Field) -> Value:
        if field.when is not None and evaluate(field.when, self) is not True:
            return None
        if field.missing is not None and meets_share(self.word(f"{field.stream}.missing"), field.missing):
            return None
        if not field.ordered:
            return self.raw(field)
        drawn = [row.raw(field) for row in self.siblings()]
        present = [value for value in drawn if value is not None]
        if not present:
            return None
        assert len(present) == len(drawn), "bounds of an ordered field depend on the parent alone"
        return sorted(present)[self.k]  # type: ignore[type-var] # one type, as rule_type() knows

    def raw(self, field: Field) -> Value:
        """Return what a field's rule makes, before order, `when` and `missing`."""
        if field.name not in self._raw:
            self._raw[field.name] = self._made(field, field.rule)
        return self._raw[field.name]

    def _made(self, field: Field, rule: Rule) -> Value:
        node, plan = rule.node, self.world.plan
        match rule.kind:
            case "id":
                return row_id(plan, self.world.seed, self.table, self.slot)
            case "sequence":
                if self.table.parent is not None:
                    raise ValueError("a sequence stands in root and fixed tables")
                return int(text_of(get(rule.body, "start"))) + self.slot
            case "value":
                return resolve(text_of(node))
            case "choice":
                return self._choice(field, node)
            case "pattern":
                capacity = patterns.capacity(text_of(node))
                number = self._number(field, capacity, self.word(field.stream) * capacity >> 64)
                return patterns.render(text_of(node), number)
            case "faker":
                pool = self.world.pools[pool_key(rule)]
                return pool[self._number(field, len(pool), all_alike(self.word(field.stream), len(pool)))]
            case "vin" | "license_number":
                return self._of_car(field, rule)
            case "expr":
                return evaluate(parse(text_of(node)), self)
            case "rollup":
                function, below, column = split_rollup(text_of(node))
                return aggregate(function, self.below(plan.tables[below]), column)
            case "running":
                function, _, inner = text_of(node).rstrip(")").partition("(")
                return aggregate(function, self.siblings()[: self.k + 1], inner or None)
            case "case":
                for when, branch in case_branches(node):
                    if when is None or evaluate(when, self) is True:
                        return self._made(field, branch)
        assert rule.kind in RANGES, rule.kind
        return self._range(field, rule)

    def _number(self, field: Field, capacity: int, drawn: int) -> int:
        """Return the number drawn, or the permuted slot where the field is unique."""
        if not field.unique:
            return drawn
        return permute(self.slot, capacity, self.world.seed ^ key_word(field.stream))

    def _of_car(self, field: Field, rule: Rule) -> str:
        """Return a VIN or a licence number, which hold the permuted slot."""
        number = permute(self.slot, cars.CAPACITIES[rule.kind], self.world.seed ^ key_word(field.stream))
        told = {
            key: evaluate(parse(text_of(get(rule.body, key))), self)
            for key in ("make", "model", "body", "model_year", "state")
            if get(rule.body, key) is not None
        }
        if rule.kind == "license_number":
            return cars.license_number(number, str(told["state"]))
        year = told["model_year"]
        assert isinstance(year, int)
        return cars.vin(number, str(told["make"]), str(told["model"]), str(told.get("body", "1")), year)

    def _choice(self, field: Field, node: Node) -> Value:
        by = by_of(node)
        if by is not None:
            return self._choice(field, by.branch(evaluate(by.by, self)))
        values, weights = weigh(node)
        return values[choose(self.word(field.stream), weights)]

    def _range(self, field: Field, rule: Rule) -> Value:
        scale, word = scale_of(rule), self.word(field.stream)
        if get(rule.body, "bands") is not None or distribution_of(rule) is not None:
            return from_unit(draw_band(word, self.world.bands(rule)), rule.kind, scale)
        if field.unique:
            first, last = self.world.plan.constant_bounds(rule)
            return from_unit(first + self._number(field, last - first + 1, 0), rule.kind, scale)
        bounds = [self._bound(text_of(get(rule.body, key)), rule.kind, scale) for key in ("from", "to")]
        if bounds[0] is None or bounds[1] is None:
            return None
        return from_unit(alike(word, bounds[0], bounds[1]), rule.kind, scale)

    def _bound(self, text: Text, kind: str, scale: int) -> int | None:
        known: Value = constant_bound(text)
        value = evaluate(parse(text), self) if known is None else known
        return None if value is None else unit_value(value, kind, scale)


def aggregate(function: str, rows: Sequence[Row], column: str | None) -> Value:
    """Return sum, count, min, max, first or last over rows, nulls passed over."""
    if function == "count":
        return len(rows)
    assert column is not None
    values = [value for value in (row.value(column) for row in rows) if value is not None]
    if function == "sum":
        total: int | Fraction = 0
        for value in values:
            assert isinstance(value, int | Fraction)
            total += value
        return total
    if not values:
        return None
    match function:
        case "first":
            return values[0]
        case "last":
            return values[-1]
        case "min":
            return min(values)  # type: ignore[type-var] # one type, as aggregate_type() knows
        case "max":
            return max(values)  # type: ignore[type-var] # one type, as aggregate_type() knows
    raise ValueError(f"{function} is no rollup")


def row_id(plan: Plan, seed: int, table: Table, slot: int) -> str:
    """Return the id of a row: section 3."""
    return feistel_id(seed << 8 | 0, plan.tag(table) << 44 | slot)
