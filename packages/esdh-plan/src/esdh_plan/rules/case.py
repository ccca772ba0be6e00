"""The first of several rules whose condition holds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from esdh_core.columns import Boolean, Column, Integer, Numbers
from esdh_core.columns import Decimal as Decimals
from esdh_core.dataset import Block, memoized_per_block
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.definitions import Definition, Formula, Place, joined
from esdh_plan.errors import word_list
from esdh_plan.expressions import ValueType
from esdh_plan.expressions.strings import select

__all__ = ["case"]

Mask = NDArray[np.bool_]


def case(rule: language.Case, place: Place) -> Definition:
    """Make the values of the first branch whose condition holds."""
    place = place.at("case")
    branches: list[tuple[Formula | None, Definition]] = []

    def branch(number: int, words: language.Branch) -> None:
        here = place.at(number)
        when, definition = here.all(
            lambda: None if words.when is None else here.at("when").truth(words.when),
            lambda: place.compiler.rule(words.rule, here),
        )
        branches.append((when, definition))

    place.all(*(lambda n=n, b=b: branch(n, b) for n, b in enumerate(rule.case)))
    of = _common([each.type for _, each in branches], place)
    if place.ordered and of.nullable:
        place.refuse("an `ordered` field has a value on every row; a branch of this can be null")

    conditions = [when.holds for when, _ in branches if when is not None]

    *conditional, (_, last) = branches
    from_last = [(met, each.column) for met, (_, each) in zip(conditions, conditional, strict=True)][::-1]

    def column(block: Block) -> Column:
        result = _fitted(last.column(block), of)
        for met, read in from_last:
            result = _either(met(block), _fitted(read(block), of), result)
        return result

    @memoized_per_block
    def branch_numbers(block: Block) -> NDArray[np.intp]:
        numbers = np.full(place.of.rows(block), len(conditions), dtype=np.intp)
        for number, met in reversed(list(enumerate(conditions))):
            numbers = np.where(met(block), number, numbers)
        return numbers

    def takes(number: int) -> Callable[[Block], Mask]:
        return lambda block: branch_numbers(block) == number

    return Definition(
        of,
        column,
        f"The first of {len(branches)} rules whose condition holds",
        streams=joined(*(each.streams for _, each in branches)),
        depends_on=joined(
            *(() if when is None else when.depends_on for when, _ in branches),
            *(each.depends_on for _, each in branches),
        ),
        draws=tuple(
            outcomes.within(f"case {number}", takes(number))
            for number, (_, each) in enumerate(branches)
            for outcomes in each.draws
        ),
    )


def _common(types: list[ValueType], place: Place) -> ValueType:
    kinds = {of.kind for of in types}
    kind: Any = "decimal" if kinds == {"integer", "decimal"} else types[0].kind
    if len(kinds) > 1 and kind != "decimal":
        place.refuse(f"all branches of a case are of one kind; these are {word_list(sorted(kinds), 'and')}")
    nullable = any(of.nullable for of in types)
    labels: tuple[Any, ...] | None = None
    if all(of.labels is not None for of in types):
        labels = tuple(dict.fromkeys(label for of in types for label in of.labels or ()))
        labels = () if any(of.labels == () for of in types) else labels
    if kind == "string":
        lengths = [of.length for of in types]
        length = None if None in lengths else max(each for each in lengths if each is not None)
        return ValueType("string", nullable, labels=labels, length=length)
    scale = max(of.scale for of in types)
    bounds = [tuple(each * 10 ** (scale - of.scale) for each in of.bounds) for of in types]
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    return ValueType(kind, nullable, scale, low, high, labels)


def _fitted(column: Column, of: ValueType) -> Column:
    """Return numbers in the scale of all branches, within the bounds of all."""
    if not isinstance(column, Numbers) or isinstance(column, Boolean):
        return column
    low, high = of.bounds
    if of.kind == "decimal":
        factor = 10 ** (of.scale - (column.scale if isinstance(column, Decimals) else 0))
        return Decimals(column.values.astype(np.int64) * np.int64(factor), low, high, column.valid, of.scale)
    if isinstance(column, Integer):
        return Integer(column.values, low, high, column.valid)
    fitted: Any = replace(column, low=low, high=high)
    return fitted  # type: ignore[no-any-return]


def _either(first: Mask, one: Column, other: Column) -> Column:
    if not isinstance(one, Numbers) and not isinstance(other, Numbers):
        return select(first, one, other)
    if not isinstance(one, Numbers) or not isinstance(other, Numbers):
        raise TypeError("the branches of a case are of one kind")
    valid: Mask | None = None
    if one.valid is not None or other.valid is not None:
        valid = np.where(
            first,
            True if one.valid is None else one.valid,
            True if other.valid is None else other.valid,
        )
    values = np.where(first, one.values, other.values)
    result: Any = one.with_values(values, valid)
    return result  # type: ignore[no-any-return]  # a kind of numbers is a column
