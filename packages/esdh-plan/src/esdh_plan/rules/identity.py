"""Rules that follow from the row alone: its id, its number, one value for all."""

import decimal
from collections.abc import Callable

import numpy as np
from esdh_core.columns import Boolean, Categorical, Categories, Column, Decimal, FixedText, Integer
from esdh_core.constants import MAX_RECORDS
from esdh_core.dataset import Block

from esdh_plan import language
from esdh_plan.definitions import Definition, Place, Words
from esdh_plan.errors import display
from esdh_plan.expressions import ValueType
from esdh_plan.expressions.types import MOST_DIGITS

__all__ = ["constant", "id_of", "sequence", "value"]

ID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


def id_of(_: language.Id, place: Place) -> Definition:
    """Make the ids of the rows."""
    table = place.of.table

    def at_slots(block: Block, slots: Words) -> Column:
        return FixedText(block.dataset.ids.texts(block.seed, table.entity, slots))

    return Definition(
        ValueType("string", length=36),
        lambda block: FixedText(block.ids(table)),
        "The row's id: decodes to seed, dataset, table and slot",
        role="id",
        pattern=ID_PATTERN,
        at_slots=at_slots,
    )


def sequence(rule: language.Sequence, place: Place) -> Definition:
    """Make numbers in the order of the rows."""
    of, start = place.of, rule.sequence.start
    if of.is_adrift or not place.compiler.is_sized(of):
        place.refuse_silently()
    if of.parent is not None:
        place.refuse("a sequence is for a table without a parent; write `k + 1` to number the rows below one")
    rows = MAX_RECORDS if of.is_root else of.table.rows or 1
    low, high = start, start + rows - 1

    def at_slots(_: Block, slots: Words) -> Column:
        return Integer(slots.astype(np.int64) + np.int64(start), low, high)

    return Definition(
        ValueType("integer", low=low, high=high),
        lambda block: at_slots(block, block.level(of.table).slots),
        f"Numbers in the order of the rows, from {start}",
        role="unique",
        at_slots=at_slots,
    )


def value(rule: language.Value, place: Place) -> Definition:
    """Make the same value in every row."""
    of, held = place.of, rule.value
    if isinstance(held, decimal.Decimal):
        digits = len(held.as_tuple().digits) + max(0, int(held.as_tuple().exponent))
        if max(digits, -int(held.as_tuple().exponent)) > MOST_DIGITS:
            place.at("value").refuse(
                f"{display(held)} has more than {MOST_DIGITS} digits, the most of a decimal"
            )
    kind, column = constant(held)
    return Definition(kind, lambda block: column(of.rows(block)), f"Always {held}")


def constant(held: object) -> tuple[ValueType, Callable[[int], Column]]:
    """Return the type of a value, and a function that makes a column of so many rows of it."""
    if isinstance(held, bool):
        of = ValueType("boolean", low=int(held), high=int(held), labels=(held,))
        return of, lambda rows: Boolean(np.full(rows, held), 0, 1)
    if isinstance(held, int):
        of = ValueType("integer", low=held, high=held, labels=(held,))
        return of, lambda rows: Integer(np.full(rows, held, dtype=np.int64), held, held)
    if isinstance(held, decimal.Decimal):
        scale = max(0, -int(held.as_tuple().exponent))
        unscaled = int(held.scaleb(scale))
        of = ValueType("decimal", scale=scale, low=unscaled, high=unscaled)
        return of, lambda rows: Decimal(
            np.full(rows, unscaled, dtype=np.int64), unscaled, unscaled, None, scale
        )
    text = str(held)
    categories = Categories([text])
    of = ValueType("string", labels=(text,))
    return of, lambda rows: Categorical(np.zeros(rows, dtype=np.int32), categories)
