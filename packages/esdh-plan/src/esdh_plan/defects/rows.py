"""Rows that are wrong among rows: there twice, or written a second time a little otherwise, missing, or elsewhere."""

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from esdh_core.columns import Column, FixedText, Integer
from esdh_core.dataset import Block
from esdh_core.overlay import Dice, Effect, Evidence, Values
from esdh_core.rules import Rule
from numpy.typing import NDArray

from esdh_plan.defects.inconsistent import near_dates
from esdh_plan.defects.kind import Making, Misfit, RowKind, TableTarget
from esdh_plan.defects.relations import rank_among_siblings
from esdh_plan.defects.texts import truncated, typo, wrong_case
from esdh_plan.errors import word_list

__all__ = ["KINDS"]

_GROUP: Final = 64  # records, or rows of a fixed table, within which a row moves
_MOST_EDITS: Final = 3  # where it isn't said how many


def _simple(effect: Effect) -> Callable[[TableTarget], Making]:
    def make(_target: TableTarget) -> Making:
        return Making(lambda values, _dice, _evidence: values, effect=effect)

    return make


def _reordered(target: TableTarget) -> Making:
    table, dataset = target.table, target.dataset
    # Rows of one group are made together, whichever tables are asked for.
    group = min(_GROUP, *(each.block_records for each in dataset.tables if not each.is_fixed))

    def rank(block: Block, rows: NDArray[np.integer]) -> Column:
        """Return how many rows stand before each, in its group or among its siblings: so many places it can move."""
        if table.one_a_record or table.is_fixed:
            ranks = (block.level(table).slots % np.uint64(group)).astype(np.int64)
        else:
            ranks = rank_among_siblings(table, block)
        return Integer(ranks.take(rows), 0, np.iinfo(np.int64).max)

    def edit(_values: Values, dice: Dice, evidence: Values) -> Values:
        return (1 + dice.below(evidence[0]) if evidence[0] else 0,)

    return Making(edit, evidence=(rank,), effect="earlier")


def _near_duplicate(target: TableTarget) -> Making:
    table = target.table
    fresh = [rule for rule in table.rules if rule.role in ("id", "unique")]
    if table.is_fixed or not (table.one_a_record or all(rule.role == "id" for rule in fresh)):
        raise Misfit(
            "is for tables with one row a record, and for others that aren't fixed and have no unique field but the id"
        )
    names = target.more.get("fields")
    types = {each.name: each.type for each in table.schema}
    able = [name for name in types if _written_by_hand(target, name)]
    if names is None:
        names = able
        if not names:
            raise Misfit(
                "is for tables with a text or a date that is written by hand, or needs `fields`, those that differ"
            )
    unfit = [name for name in names if types[name] not in _CHANGES or name in {rule.name for rule in fresh}]
    if unfit:
        raise Misfit(
            f"writes texts and dates otherwise, but no keys, and {unfit[0]!r} is none of them; there are {word_list(able, 'and')}",
            True,
        )
    edits = target.more.get("edits")
    numbers = list(range(1, min(_MOST_EDITS, len(names)) + 1)) if edits is None else edits
    numbers = numbers if isinstance(numbers, list) else [numbers]
    if max(numbers) > len(names):
        more = "; `fields` may name others" if target.more.get("fields") is None else ""
        raise Misfit(
            f"can't write {max(numbers)} fields otherwise, with {len(names)} that may be: {word_list(names, 'and')}{more}",
            True,
        )
    changes = [_CHANGES[types[name]] for name in names]

    def edit(values: Values, dice: Dice, _evidence: Values) -> Values:
        wrong = list(values)
        places = [at for at, value in enumerate(values) if value is not None]
        left = dice.choose(numbers)
        while left and places:
            at = places.pop(dice.below(len(places)))
            wrong[at] = changes[at](values[at], dice)
            left -= wrong[at] != values[at]
        return tuple(wrong)

    evidence = tuple(_far(target, rule) for rule in fresh)
    return Making(
        edit,
        others=tuple(names),
        evidence=evidence,
        effect="second",
        fresh=tuple(rule.name for rule in fresh),
        reaches_far=True,
    )


def _written_by_hand(target: TableTarget, name: str) -> bool:
    """Return whether a field holds what people may write in more than one way: a text that is no code, or a date."""
    rule = next(each for each in target.table.rules if each.name == name)
    field = target.field(rule)
    if rule.role != "value" or not (rule.streams or rule.permutation) or field.type not in ("string", "date"):
        return False
    return field.pattern is None and not field.values


def _far(target: TableTarget, rule: Rule) -> Evidence:
    """Return a function that gives a unique field's values of the records that are as far from the last there can be."""
    table, dataset = target.table, target.dataset

    def of_ids(block: Block, rows: NDArray[np.integer]) -> Column:
        slots = block.level(table).slots.take(rows)
        records, rest = np.divmod(slots, np.uint64(table.span))
        far = (np.uint64(dataset.max_records - 1) - records) * np.uint64(table.span) + rest
        return FixedText(dataset.ids.texts(block.seed, table.entity, far))

    def of_records(block: Block, rows: NDArray[np.integer]) -> Column:
        start = dataset.max_records - block.start - block.count
        far = rule.column(dataset.block(start, block.count, block.seed))
        return far.take(block.count - 1 - rows)

    return of_ids if rule.role == "id" else of_records


def _changed_text(value: str, dice: Dice) -> str:
    change = dice.choose((typo, typo, typo, wrong_case, truncated))
    return str(change(value, dice))


def _changed_date(value: dt.date, dice: Dice) -> dt.date:
    result: dt.date = dice.choose(near_dates(value))
    return result


_CHANGES: Final[dict[str, Callable[[Any, Dice], Any]]] = {"string": _changed_text, "date": _changed_date}

KINDS = (
    RowKind("duplicate_row", "the row once more behind itself", "every table", _simple("twice")),
    RowKind("missing_row", "no row", "every table", _simple("absent")),
    RowKind(
        "near_duplicate",
        "a second row behind it, with a key of its own, that is the same one with one to three fields written otherwise",
        "tables with one row a record, and others that aren't fixed and have no unique field but the id",
        _near_duplicate,
    ),
    RowKind(
        "reordered",
        "the row some places earlier, among up to 64 or among its siblings",
        "every table",
        _reordered,
    ),
)
