"""The checks that hold for every dataset, from the roles of its fields: ids, the marker, references and copies.

Which rows there are and where they hang follows from counts, which the block has made again from the seed; their
values are those that were read.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import Dataset, IdError, Table
from esdh_core.columns import FixedText
from esdh_core.dataset import Block, FieldRef
from esdh_core.rules import Rule
from esdh_export.encoding.buffers import integer_array, null_mask, text_array
from numpy.typing import NDArray

from esdh_proof.checks.by_value import differs_from, differs_from_source, failing, nulls
from esdh_proof.checks.derived import derived, is_emptied
from esdh_proof.checks.finding import Finding, LookUp, Mask, Tables, above, copy, id_origins, outside, to_mask
from esdh_proof.reading import Rows

__all__ = ["CLAIMS", "describe_id", "ids_of", "integrity", "is_above", "rules", "synthetic", "text_of"]

CLAIMS = {
    "synthetic": "every row carries the marker, and an id of this seed and its own row",
    "integrity": "every row hangs where the counts of the plan say; references and copies agree",
    "rules": "every row keeps the rules of the plan that the files can tell of",
}


def synthetic(block: Block, tables: Tables) -> Iterator[Finding]:
    """Check that every row is of this seed and at its own place, and that it carries the marker."""
    for table in _tables(block, tables):
        rows = tables[table.name]
        for rule in table.rules:
            if rule.role == "id":
                slots = _slots(block, table, table, len(rows))
                ids = ids_of(block, table, slots)
                wrong = differs_from(rows, rule.name, ids) & ~_emptied(block, table, rule, rows)
                yield Finding(rows, rule.name, wrong, _id_of(table, ids, slots), describe_id(block.dataset))
            elif rule.role == "marker":
                marker = block.dataset.marker
                wrong = failing(rows, partial(_is_not, value=marker), rule.name, key=("is not", marker))
                yield Finding(rows, rule.name, wrong, marker)


def _is_not(values: pa.Array, *, value: str) -> Mask:
    return to_mask(pc.not_equal(values, text_array([value], pa.string())[0]))


def integrity(block: Block, tables: Tables) -> Iterator[Finding]:
    """Check references, whether or not the table that they point at is there, and copies where it is.

    A field of a row above has one value for the row; of a fixed table that a row was drawn from, every value that it has; and
    the id of a row that was drawn among records says which it is.
    """
    for table in _tables(block, tables):
        rows = tables[table.name]
        for rule in table.rules:
            source = block.dataset.copied(rule)
            if source is None:
                continue
            owner = _owner_of_id(block.dataset, table, rule)
            if not rule.picked and is_above(table, source.table):
                if owner is not None and is_above(table, owner):
                    ids = ids_of(block, owner, _slots(block, table, owner, len(rows)))
                    wrong = differs_from(rows, rule.name, ids) & ~_emptied(block, table, rule, rows)
                    yield Finding(rows, rule.name, wrong, text_of(ids), describe_id(block.dataset))
                elif source.table.name in tables:
                    yield _copied(block, table, rule, source, tables)
            elif source.table.is_fixed and source.table.name in tables:  # of a row that was drawn
                known = tables[source.table.name]
                values = known.arrays[source.rule.name]
                key = "outside", source.table.name, source.rule.name
                wrong = failing(rows, partial(_outside, known=values), rule.name, key=key)
                yield Finding(
                    rows,
                    rule.name,
                    wrong,
                    f"a value of {source.table.name}.{source.rule.name}",
                    reads=(LookUp(known, source.rule.name),),
                )
            elif not source.table.is_fixed and block.dataset.origin(rule).role == "id":
                yield _drawn_id(block, table, rule, rows)


def _copied(block: Block, table: Table, rule: Rule, source: FieldRef, tables: Tables) -> Finding:
    """Compare a copy with its source in a table above."""
    rows, source_rows = tables[table.name], tables[source.table.name]
    positions = block.rows_of(table, source.table)
    read = above(source_rows, source.rule.name, positions)
    known = differs_from_source(rows, rule.name, source_rows, source.rule.name, positions)
    if known is not None:
        return Finding(rows, rule.name, known, "the value of its source", reads=(read,))
    values = _of_ancestor(positions, source_rows.arrays[source.rule.name], len(rows))
    found = copy(rows, rule.name, values, read)
    if is_emptied(block.dataset, table, rule.name):
        return replace(found, wrong=found.wrong & ~nulls(rows, rule.name))
    return found


def _drawn_id(block: Block, table: Table, rule: Rule, rows: Rows) -> Finding:
    """Check that a field holds ids of rows that were drawn: of this seed, and of a record that is no later than its own."""
    owner, at = table, rule
    while (source := block.dataset.copied(at)) is not None:
        owner, at = source
    found = rows.arrays[rule.name]
    seeds, slots = id_origins(block.dataset, owner, found)
    records = (_slots(block, table, table, len(rows)) // np.uint64(table.span)).astype(np.int64)
    wrong = ((seeds != block.seed) | (slots // owner.span > records)) & ~null_mask(found)
    return Finding(rows, rule.name, wrong, f"an id of {owner.name} of this seed", describe_id(block.dataset))


def _outside(values: pa.Array, *, known: pa.Array) -> Mask:
    return outside(values, known) & ~null_mask(values)


def rules(block: Block, tables: Tables) -> Iterator[Finding]:
    """Check the values that follow from others, as the plan says of them."""
    for table in _tables(block, tables):
        yield from derived(block, table, tables[table.name], tables)


def _emptied(block: Block, table: Table, rule: Rule, rows: Rows) -> Mask:
    """Return where an id, or a copy of one, is null and may be: by its own `when` or `missing`, or of what it copies."""
    dataset, owner, at = block.dataset, table, rule
    while not is_emptied(dataset, owner, at.name):
        source = dataset.copied(at)
        if source is None:
            return np.zeros(len(rows), dtype=np.bool_)
        owner, at = source
    return nulls(rows, rule.name)


def _tables(block: Block, tables: Tables) -> Iterator[Table]:
    """Yield the tables whose rows are those of the block; others are there to be pointed at."""
    for table in block.dataset.tables:
        if table.name in tables and table.top is block.top:
            yield table


def is_above(table: Table, other: Table) -> bool:
    """Return whether a row of a table has one row of another: its own, its parent's, and so on."""
    return table is other or (table.parent is not None and is_above(table.parent, other))


def _slots(block: Block, table: Table, owner: Table, count: int) -> NDArray[np.uint64]:
    """Return, for the first rows of a table, the slot of its row of a table above."""
    if table.one_a_record:  # whatever a file holds beyond the records
        return np.arange(block.start, block.start + count, dtype=np.uint64)
    slots, positions = block.level(owner).slots, block.rows_of(table, owner)
    return slots[:count] if positions is None else slots.take(positions[:count])


def ids_of(block: Block, table: Table, slots: NDArray[np.uint64]) -> FixedText:
    """Return the ids that rows of a table in some slots have; those of the block's own rows are put together once."""
    if np.array_equal(slots, block.level(table).slots):
        return FixedText(block.ids(table))
    return FixedText(block.dataset.ids.texts(block.seed, table.entity, slots))


def text_of(ids: FixedText) -> Callable[[int], str]:
    """Return a function that gives the id of a row as a text."""
    return lambda row: ids.matrix[row].tobytes().decode()


def _of_ancestor(positions: NDArray[np.intp] | None, values: pa.Array, count: int) -> pa.Array:
    """Return, for the first rows of a table, the value that was read of its row above, as far as there is one."""
    if positions is None:
        return values
    positions = positions[:count]
    return values.take(integer_array(positions[positions < len(values)]))  # they ascend


def _owner_of_id(dataset: Dataset, table: Table, rule: Rule) -> Table | None:
    """Return the table above whose ids a field holds, None for a field that holds none, or that of a row that was drawn."""
    while (source := dataset.copied(rule)) is not None:
        if rule.picked:
            return None
        table, rule = source
    return table if rule.role == "id" else None


def _id_of(table: Table, ids: FixedText, slots: NDArray[np.uint64]) -> Callable[[int], str]:
    text = text_of(ids)
    return lambda row: f"{text(row)}, {table.entity} {slots[row]}"


def describe_id(dataset: Dataset) -> Callable[[str], str]:
    """Return a function that says what an id decodes to."""

    def describe(text: str) -> str:
        """Return an id with what it decodes to, or with why it decodes to nothing."""
        try:
            origin = dataset.ids.decode(text)
        except IdError as error:
            return str(error)
        return f"{text}, which is {origin.entity} {origin.index} of seed {origin.seed}"

    return describe
