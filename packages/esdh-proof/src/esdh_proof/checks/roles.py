"""The checks that hold for every dataset, from the roles of its fields: ids, the marker, references and copies.

Which rows there are and where they hang follows from counts, which the block has made again from the seed; their
values are those that were read.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import Dataset, IdError, Table
from esdh_core.columns import FixedText
from esdh_core.dataset import Block, FieldRef
from esdh_core.rules import Rule
from esdh_export import array
from numpy.typing import NDArray

from esdh_proof.checks.derived import derived, is_emptied
from esdh_proof.checks.finding import Finding, Mask, Tables, copy, differing, outside, texts_of, to_mask
from esdh_proof.reading import Rows

__all__ = ["CLAIMS", "describe_id", "integrity", "rules", "synthetic"]

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
                ids = _ids(block, table, slots)
                wrong = differing(rows.arrays[rule.name], ids) & ~_emptied(block, table, rule, rows)
                yield Finding(rows, rule.name, wrong, _id_of(table, ids, slots), describe_id(block.dataset))
            elif rule.role == "marker":
                marker = to_mask(pc.not_equal(rows.arrays[rule.name], block.dataset.marker))
                yield Finding(rows, rule.name, marker, block.dataset.marker)


def integrity(block: Block, tables: Tables) -> Iterator[Finding]:
    """Check references, whether or not the table that they point at is there, and copies where it is.

    A field of a row above has one value for the row; of any other table, a fixed one that a row was drawn from,
    every value that it has.
    """
    for table in _tables(block, tables):
        rows = tables[table.name]
        for rule in table.rules:
            source = block.dataset.copied(rule)
            if source is None:
                continue
            found, picked = rows.arrays[rule.name], rule.picked  # of a row that was drawn
            owner = _owner_of_id(block.dataset, table, rule)
            if not picked and _is_above(table, source.table):
                if owner is not None and _is_above(table, owner):
                    ids = _ids(block, owner, _slots(block, table, owner, len(rows)))
                    wrong = differing(found, ids) & ~_emptied(block, table, rule, rows)
                    yield Finding(rows, rule.name, wrong, texts_of(ids), describe_id(block.dataset))
                elif source.table.name in tables:
                    values = tables[source.table.name].arrays[source.rule.name]
                    copied = copy(rows, rule.name, _of_ancestor(block, table, source, values, len(rows)))
                    if is_emptied(block.dataset, table, rule.name):
                        copied = replace(copied, wrong=copied.wrong & ~_nulls(rows, rule))
                    yield copied
            elif source.table.is_fixed and source.table.name in tables:
                values = tables[source.table.name].arrays[source.rule.name]
                wrong = outside(found, values) & found.is_valid().to_numpy(zero_copy_only=False)
                yield Finding(rows, rule.name, wrong, f"a value of {source.table.name}.{source.rule.name}")


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
    return _nulls(rows, rule)


def _nulls(rows: Rows, rule: Rule) -> Mask:
    nulls: Mask = rows.arrays[rule.name].is_null().to_numpy(zero_copy_only=False)
    return nulls


def _tables(block: Block, tables: Tables) -> Iterator[Table]:
    """Yield the tables whose rows are those of the block; others are there to be pointed at."""
    for table in block.dataset.tables:
        if table.name in tables and table.top is block.top:
            yield table


def _is_above(table: Table, other: Table) -> bool:
    """Return whether a row of a table has one row of another: its own, its parent's, and so on."""
    return table is other or (table.parent is not None and _is_above(table.parent, other))


def _slots(block: Block, table: Table, owner: Table, count: int) -> NDArray[np.uint64]:
    """Return, for the first rows of a table, the slot of its row of a table above."""
    if table.one_a_record:  # whatever a file holds beyond the records
        return np.arange(block.start, block.start + count, dtype=np.uint64)
    slots, positions = block.level(owner).slots, block.rows_of(table, owner)
    return slots[:count] if positions is None else slots.take(positions[:count])


def _ids(block: Block, table: Table, slots: NDArray[np.uint64]) -> pa.Array:
    return array(FixedText(block.dataset.ids.texts(block.seed, table.entity, slots)))


def _of_ancestor(block: Block, table: Table, source: FieldRef, values: pa.Array, count: int) -> pa.Array:
    """Return, for the first rows of a table, the value that was read of its row above, as far as there is one."""
    positions = block.rows_of(table, source.table)
    if positions is None:
        return values
    positions = positions[:count]
    return values.take(pa.array(positions[positions < len(values)]))  # they ascend


def _owner_of_id(dataset: Dataset, table: Table, rule: Rule) -> Table | None:
    """Return the table above whose ids a field holds, None for a field that holds none, or that of a row that was drawn."""
    while (source := dataset.copied(rule)) is not None:
        if rule.picked:
            return None
        table, rule = source
    return table if rule.role == "id" else None


def _id_of(table: Table, ids: pa.Array, slots: NDArray[np.uint64]) -> Callable[[int], str]:
    return lambda row: f"{ids[row].as_py()}, {table.entity} {slots[row]}"


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
