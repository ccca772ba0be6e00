"""Keys that are another row's, and references to rows that there aren't."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import numpy as np
from esdh_core import IdError
from esdh_core.columns import Categorical, Categories, Column, Integer
from esdh_core.constants import MAX_SEED
from esdh_core.dataset import Block, FieldRef, Table
from esdh_core.overlay import Dice, Values
from numpy.typing import NDArray

from esdh_plan.defects.kind import Kind, Making, Misfit, Target

__all__ = ["KINDS", "rank_among_siblings"]

_UNKNOWN: Final = 8  # values that no row of a fixed table has
_ALIKE: Final = ("0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def rank_among_siblings(table: Table, block: Block) -> NDArray[np.int64]:
    """Return the number of each row of a table below its parent, or below the parent of the row that it is one to one with."""
    while table.count is None and table.parent is not None:
        table = table.parent
    rank, rows = block.level(table).k, len(block.level(table).slots)
    return np.zeros(rows, dtype=np.int64) if rank is None else rank


def _duplicate_key(target: Target) -> Making:
    if not target.dataset.is_unique(target.table, target.rule):
        raise Misfit("is for ids and other unique fields")
    table, column = target.table, target.rule.column

    def of_row_before(block: Block, rows: NDArray[np.integer]) -> Column:
        """Return the value of the row before each; the first of all has its own."""
        if table.is_fixed or not block.start:
            return column(block).take(np.maximum(rows - 1, 0))
        return column(target.dataset.block(block.start - 1, block.count, block.seed)).take(rows)

    def of_sibling(block: Block, rows: NDArray[np.integer]) -> Column:
        """Return the value of the sibling before each, of the first that of the second; an only child has its own."""
        rank = rank_among_siblings(table, block)
        followed = np.append(rank[1:] > 0, [False])[: len(rank)].take(rows)
        return column(block).take(np.where(rank.take(rows) > 0, rows - 1, np.where(followed, rows + 1, rows)))

    def edit(values: Values, _dice: Dice, evidence: Values) -> Values:
        return values if None in (*values, *evidence) else evidence

    # Neither follows from what else is in the block: a row's defect is known without the others.
    return Making(edit, evidence=(of_row_before if table.is_fixed or table.one_a_record else of_sibling,))


def _orphan(target: Target) -> Making:
    source = target.dataset.reference(target.rule)
    if source is None:
        raise Misfit("is for fields that refer to another table's rows")
    while (further := target.dataset.reference(source.rule)) is not None:  # the key itself, not a copy of it
        source = further
    if source.rule.role == "id":
        return _orphan_of_id(target, source.table)
    if source.table.is_fixed and target.type in ("string", "integer"):
        return _orphan_of_fixed(target, source)
    if source.table.one_a_record and target.table.top is source.table.top:
        return _orphan_of_record(target, source)
    raise Misfit(
        "is for references to ids, to rows of fixed tables, and to fields that are unique with one row a record"
    )


def _orphan_of_id(target: Target, above: Table) -> Making:
    """Return the edit of an id into that of the same row of another seed, or of a row far behind the last one."""
    ids, span = target.dataset.ids, above.span
    records = target.dataset.max_records // 2 if above.top.rows is None else above.top.rows

    def edit(values: Values, dice: Dice, _evidence: Values) -> Values:
        try:
            origin = ids.decode(values[0] or "")
        except IdError:  # what another defect has made of it
            return values
        seed, slot = dice.choose(
            [
                ((origin.seed ^ 1 + dice.below(255)) & MAX_SEED, origin.index),
                (origin.seed, origin.index + records * span),
            ]
        )
        texts = ids.texts(seed, above.entity, np.array([slot], dtype=np.uint64))
        return (texts.tobytes().decode(),)

    return Making(edit, reaches_far=not above.is_fixed)


def _orphan_of_record(target: Target, source: FieldRef) -> Making:
    """Return the edit of a unique value into that of a record far behind the last one."""
    records = target.dataset.max_records // 2

    def read(block: Block, rows: NDArray[np.integer]) -> Column:
        far = source.rule.column(target.dataset.block(block.start + records, block.count, block.seed))
        own = block.rows_of(target.table, target.table.top)
        return far.take(rows if own is None else own.take(rows))

    def edit(values: Values, _dice: Dice, evidence: Values) -> Values:
        return values if None in (*values, *evidence) else evidence

    return Making(edit, evidence=(read,), reaches_far=True)


def _orphan_of_fixed(target: Target, source: FieldRef) -> Making:
    """Return the edit of a unique value of a fixed table into one that none of the table's rows has."""

    def read(block: Block, rows: NDArray[np.integer]) -> Column:
        """Return for each row one of a few such values."""
        known = source.rule.column(target.dataset.block_of(source.table, block)).tolist()
        slots = block.level(target.table).slots.take(rows)
        at = (slots % np.uint64(_UNKNOWN)).astype(np.int64)
        if target.type == "integer":
            last = max(known)
            return Integer(last + 1 + at, last + 1, last + _UNKNOWN)
        unknown = list(islice(_unknown([str(each) for each in known]), _UNKNOWN))
        return Categorical(at % len(unknown), Categories(unknown))

    def edit(values: Values, _dice: Dice, evidence: Values) -> Values:
        return values if values[0] is None else evidence

    return Making(edit, evidence=(read,))


def _unknown(known: list[str]) -> Iterator[str]:
    """Yield texts that are like some texts, and none of them: with a digit or letter that is another, or one more."""
    for text in known:
        for at in range(len(text) - 1, -1, -1):
            for letter in next((of for of in _ALIKE if text[at] in of), ""):
                other = f"{text[:at]}{letter}{text[at + 1 :]}"
                if other not in known:
                    yield other
    yield f"{max(known, default='')}0"


KINDS = (
    Kind(
        "orphan",
        "a reference to a row that there isn't: of another seed, beyond the last one, or of none at all",
        "fields that refer to another table's rows",
        _orphan,
    ),
    Kind(
        "duplicate_key",
        "the key of the row before, or of a sibling",
        "ids and other unique fields",
        _duplicate_key,
    ),
)
