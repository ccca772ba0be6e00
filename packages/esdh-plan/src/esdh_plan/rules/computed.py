"""Rules that compute: expressions, rollups over the rows below, running values over the siblings."""

from dataclasses import replace
from typing import Any

import numpy as np
from esdh_core.columns import Column, Integer, Numbers
from esdh_core.dataset import Block
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.definitions import Definition, Place
from esdh_plan.expressions import ExpressionError, ValueType
from esdh_plan.siblings import Runs, masked, ranks, runs_below, siblings, taken

__all__ = ["expr", "rollup", "running"]

Longs = NDArray[np.int64]


def expr(rule: language.Expr, place: Place) -> Definition:
    """Make the values of an expression."""
    of = place.path if isinstance(place.compiler.written(place.path), str) else (*place.path, "expr")
    formula = Place(place.compiler, place.of, of).formula(rule.expr)
    if place.ordered and formula.type.nullable:
        place.refuse("an `ordered` field has a value on every row; this can be null")
    path = formula.node.value
    differ = _numbers_siblings(formula.node)
    if isinstance(path, tuple) and formula.references[path].copies:
        found = formula.references[path]
        return Definition(
            formula.type,
            found.read,
            f"A copy of {'.'.join(path)}",
            role="copy" if found.field else "value",
            depends_on=(found.field,) if found.field else (),
            picked=found.picked,
            pattern=found.definition.pattern if found.definition else "",
            lookups=found.lookups,
            siblings_differ=found.siblings_differ,
        )
    return Definition(
        formula.type,
        formula.column,
        f"Computed: {' '.join(rule.expr.split())}",
        depends_on=formula.depends_on,
        siblings_differ=differ,
    )


def _numbers_siblings(node: Any) -> bool:
    """Return whether an expression is `k`, or `k` and a constant: different on every sibling."""
    if node.op == "name":
        return bool(node.value == ("k",))
    if node.op in ("add", "sub") and len(node.args) == 2:
        first, second = node.args
        pairs = ((first, second), (second, first))
        return any(one.value == ("k",) and other.is_constant for one, other in pairs)
    return False


class _Below:
    """The fields of rows below, as names of a rollup."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def resolve(self, path: tuple[str, ...]) -> ValueType:
        compiler = self.place.compiler
        if len(path) != 2:
            raise LookupError(
                f"{'.'.join(path)!r} is no field of rows below; write it like transactions.amount"
            )
        compiler.check_below(self.place.of, path[0])
        return compiler.field_type(path[0], path[1])


class _Own:
    """The fields of the row, as names of a running value."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def resolve(self, path: tuple[str, ...]) -> ValueType:
        if len(path) != 1:
            raise LookupError(f"{'.'.join(path)!r} is no field of this table; a running value is of one")
        return self.place.compiler.field_type(self.place.of.name, path[0])


def rollup(rule: language.Rollup, place: Place) -> Definition:
    """Make a value over the rows below."""
    place = place.at("rollup")
    compiler, of = place.compiler, place.of
    aggregate = compiler.aggregate(rule.rollup, _Below(place), place, running=False)
    name = aggregate.path[0]
    try:
        compiler.check_below(of, name)
    except LookupError as unknown:
        place.refuse(str(unknown.args[0]))
    below = compiler.table(name)
    between = below.path[len(of.path) :]
    for each in between:
        compiler.count(each)
    most = fewest = 1
    for each in between:
        most, fewest = most * each.largest, fewest * each.smallest
    kind = _over(aggregate, fewest, most, place)
    read = None if aggregate.of is None else compiler.field_reader(name, aggregate.path[1])
    field = name if read is None else f"{name}.{aggregate.path[1]}"

    def column(block: Block) -> Column:
        runs = runs_below(block, below.table, of.table)
        if read is None:
            return Integer(runs.counts.astype(np.int64), 0, most)
        return gathered(aggregate.function, read(block), runs, kind)

    depends = () if read is None else (field,)
    return Definition(kind, column, f"Over the rows below: {rule.rollup}", depends_on=depends)


def _over(aggregate: Any, fewest: int, most: int, place: Place) -> ValueType:
    try:
        found: ValueType = aggregate.over(fewest, most)
    except ExpressionError as error:
        place.refuse(str(error))
    return found


def _values(column: Column) -> Longs:
    if not isinstance(column, Numbers):
        raise TypeError(f"a {type(column).__name__} column has no numbers")
    values = column.values.astype(np.int64)
    return values if column.valid is None else np.where(column.valid, values, 0)


def _totals(values: Longs) -> Longs:
    """Return the sums of the values before each row, and of all; they wrap, and their differences are exact."""
    totals = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=totals[1:])
    return totals


def gathered(function: str, column: Column, runs: Runs, of: ValueType) -> Column:
    """Return a value for each run of rows; nulls are passed over."""
    ends = runs.starts + runs.counts
    if function == "sum":
        totals = _totals(_values(column))
        return _with(column, totals.take(ends) - totals.take(runs.starts), of)
    present = np.arange(len(column)) if column.valid is None else np.flatnonzero(column.valid)
    if function in ("min", "max"):
        order = np.lexsort((ranks(column).take(present), runs.parents.take(present)))
        present = present.take(order)
    counts = np.bincount(runs.parents.take(present), minlength=len(runs.counts))
    firsts = np.cumsum(counts) - counts
    at = firsts if function in ("min", "first") else firsts + counts - 1
    some = counts > 0
    if len(present) == 0:
        return taken(column, np.zeros(len(counts), dtype=np.intp), some if of.nullable else None)
    places = present.take(np.where(some, at, 0))
    whole = (
        replace(column, valid=None)
        if isinstance(column, Numbers) and not isinstance(column, Integer)
        else column
    )
    return masked(whole.take(places), some if of.nullable else None)


def _with(column: Column, values: Longs, of: ValueType) -> Column:
    low, high = of.bounds
    if not isinstance(column, Numbers):
        raise TypeError(f"a {type(column).__name__} column has no sum")
    if isinstance(column, Integer):
        return Integer(values, low, high)
    result: Any = replace(column, values=values, low=low, high=high, valid=None)
    return result  # type: ignore[no-any-return]


def running(rule: language.Running, place: Place) -> Definition:
    """Make a value over the siblings up to each row."""
    place = place.at("running")
    compiler, of = place.compiler, place.of
    if of.parent is None:
        place.refuse("a running value is over siblings, and a table without a parent has none")
    aggregate = compiler.aggregate(rule.running, _Own(place), place, running=True)
    compiler.count(of)
    kind = _over(aggregate, 1, of.largest, place)
    read = None
    depends: tuple[str, ...] = ()
    if aggregate.of is not None:
        read = compiler.field_reader(of.name, aggregate.path[0])
        depends = (f"{of.name}.{aggregate.path[0]}",)

    def column(block: Block) -> Column:
        runs = siblings(block, of.table)
        if read is None or aggregate.function == "count":
            places = np.arange(len(runs.parents)) - runs.starts.take(runs.parents) + 1
            return Integer(places.astype(np.int64), 0, of.largest)
        return accumulated(aggregate.function, read(block), runs, kind)

    return Definition(kind, column, f"Over the siblings up to the row: {rule.running}", depends_on=depends)


def accumulated(function: str, column: Column, runs: Runs, of: ValueType) -> Column:
    """Return a value for each row over those of its run up to it; nulls are passed over."""
    rows = len(column)
    starts = runs.starts.take(runs.parents)
    if function == "sum":
        totals = _totals(_values(column))
        return _with(column, totals[1:] - totals.take(starts), of)
    valid = np.ones(rows, dtype=np.bool_) if column.valid is None else column.valid
    if rows == 0:
        return column
    own = np.arange(rows)
    if function == "last":
        at = np.maximum.accumulate(np.where(valid, own, -1))
    elif function == "first":
        firsts = np.full(len(runs.counts), rows, dtype=np.intp)
        present = np.flatnonzero(valid)[::-1]
        firsts[runs.parents.take(present)] = present
        at = firsts.take(runs.parents)
        at = np.where(at <= own, at, -1)
    else:
        # The best so far: ranks above those of all runs before, so that one pass over all rows does it.
        distinct, rank = np.unique(ranks(column), return_inverse=True)
        rank = rank.reshape(-1) + 1
        if function == "min":
            rank = len(distinct) + 1 - rank
        keys = runs.parents.astype(np.int64) * (len(distinct) + 1) + np.where(valid, rank, 0)
        best = np.maximum.accumulate(keys)
        at = (
            np.searchsorted(keys, best, side="left")
            if bool((np.diff(keys) >= 0).all())
            else _first_of(keys, best)
        )
        at = np.where(best % (len(distinct) + 1) > 0, at, -1)
    some = at >= starts
    whole = column.take(np.where(some, at, 0))
    return masked(whole, some if of.nullable else None)


def _first_of(keys: Longs, queries: Longs) -> Longs:
    """Return where each wanted key stands first."""
    distinct, first = np.unique(keys, return_index=True)
    return first.take(np.searchsorted(distinct, queries)).astype(np.int64)
