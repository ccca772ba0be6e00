"""Rows that are wrong among rows: missing, there twice, or before one that they should follow, as their ids say."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from esdh_core import IdError, Table
from esdh_core.dataset import Block

from esdh_proof.checks import Finding
from esdh_proof.checks.finding import Mask, Read, above
from esdh_proof.checks.roles import is_above
from esdh_proof.verification.table_rows import TableRows

__all__ = ["out_of_place", "slot_of", "unattached"]


def slot_of(block: Block, table: Table, text: Any) -> int | None:
    """Return the slot that an id of a table's row in this seed says; None for any other value."""
    try:
        origin = block.dataset.ids.decode(text or "")
    except IdError:
        return None
    return origin.index if (origin.entity, origin.seed) == (table.entity, block.seed) else None


def out_of_place(rows: TableRows) -> Iterator[Finding]:
    """Check that each row is there once and in its place, as far as the ids of the written rows say so.

    Rows whose id is wrong are passed over: what else is wrong with them, nobody can tell who has the files alone.
    """
    name = rows.table.field_with("id")
    if name is None or rows.written.order is None:
        return
    known = _with_own_id(rows, name)
    often = np.bincount(rows.order[known], minlength=len(rows.slots))
    entity, slots = rows.table.entity, rows.slots

    def expected(position: int) -> str:
        return f"{entity} {slots[position]} once, and before those that follow it"

    for wrong, found in (
        (often == 0, "no row of this id"),
        (often > 1, "more than one row of this id"),
        (rows.moved(known), "a row that stands too early"),
    ):
        yield Finding(rows.rows, name, wrong, expected, partial(_say, found), (Read(rows.rows, None),))


def _say(found: str, _: str) -> str:
    return found


def unattached(block: Block, tables: Mapping[str, TableRows]) -> Iterator[Finding]:
    """Check that the rows which others refer to by their ids are there, in the tables whose rows a block has."""
    for rows in tables.values():
        for rule in rows.table.rules:
            source = block.dataset.reference(rule)
            if source is None or rule.picked or source.rule.role != "id":
                continue
            owners = tables.get(source.table.name)
            if owners is None or not is_above(rows.table, source.table):
                continue
            if owners.written.order is None and source.rule.name not in owners.edited_fields:
                continue
            positions = block.rows_of(rows.table, source.table)
            there = np.bincount(
                owners.order[_with_own_id(owners, source.rule.name)], minlength=len(owners.slots)
            )
            wrong = there == 0 if positions is None else (there == 0).take(positions)
            reads = (
                above(owners.rows, source.rule.name, positions),
                above(owners.rows, None, positions),
            )
            expected = f"the {source.rule.name} of a row of {source.table.name}"
            yield Finding(rows.rows, rule.name, wrong, expected, reads=reads)


def _with_own_id(rows: TableRows, name: str) -> Mask:
    """Return which written rows have the id of their clean row."""
    own = ~rows.is_second
    own[list(rows.written.cells.get(name, {}))] = False
    return own
