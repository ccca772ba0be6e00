"""Findings that are right although the cell they name is clean: it is wrong only beside a labelled one.

A tool can't know which of two cells that contradict each other is the wrong one. So a finding counts as right, and as
finding the label, where the cell is the other holder of a value that a labelled cell of a unique field repeats; where it refers to
a row that is missing, or whose key is labelled; and where it copies a labelled cell, or a labelled cell copies it. A finding in the
last row of a truncated file is of the file, one behind a column that the schema doesn't have is of that column, and one that a whole file can't be read is right where a label of bytes explains it.
"""

from collections.abc import Iterator
from functools import lru_cache

from esdh_core import Dataset, Rule, Table
from esdh_core.dataset import FieldRef

from esdh_proof.scoring.labels import EXTRA_COLUMN, MISSING_ROW, RAGGED_ROW, TRUNCATED_FILE, Label
from esdh_proof.scoring.snapshot import LabelledSnapshot

__all__ = ["labels_behind", "labels_behind_file"]

_WITHOUT_KEY = frozenset((MISSING_ROW, RAGGED_ROW))  # kinds of rows that may have no key


def labels_behind_file(snapshot: LabelledSnapshot, table: Table) -> list[Label]:
    """Return the labels by which a reader may give up a table's file, or that of a table that it refers to."""
    references = (snapshot.dataset.reference(rule) for rule in table.rules)
    tables = dict.fromkeys((table.name, *(each.table.name for each in references if each is not None)))
    return [label for name in tables for label in snapshot.labels.unreadable(name)]


def labels_behind(snapshot: LabelledSnapshot, table: Table, slot: int, field: str) -> list[Label]:
    """Return the labels that make a clean cell wrong; none where nothing does."""
    rule = next(rule for rule in table.rules if rule.name == field)
    return [
        *_repeated(snapshot, table, slot, rule),
        *_referred(snapshot, table, slot, rule),
        *_copied(snapshot, table, slot, rule),
        *_cut_off(snapshot, table, slot),
        *_displaced(snapshot, table, field),
    ]


def _repeated(snapshot: LabelledSnapshot, table: Table, slot: int, rule: Rule) -> Iterator[Label]:
    """Yield the labels of other rows' cells that hold the value of this one, in a field where no two may."""
    found = snapshot.labels.found_in(table.name, rule.name)
    unique = snapshot.dataset.is_unique(table, rule) or table.key == (rule.name,)
    if found and unique:
        yield from found.get(snapshot.clean_text(table, slot, rule.name), [])


def _referred(snapshot: LabelledSnapshot, table: Table, slot: int, rule: Rule) -> Iterator[Label]:
    """Yield the labels of the key of the row that a reference names, or that say that this row is missing."""
    reference = snapshot.dataset.reference(rule)
    if reference is None:
        return
    above = reference.table
    keys = snapshot.labels.found_in(above.name, reference.rule.name)
    if not keys and not _WITHOUT_KEY & {*snapshot.labels.kinds}:
        return
    target = _slot_above(table, slot, reference, rule)
    if target is None:
        target = snapshot.slot_of(above, reference.rule.name, snapshot.clean_text(table, slot, rule.name))
    if target is not None:
        for label in snapshot.labels.of_row(above.name, target):
            if label.field == reference.rule.name or label.kind in _WITHOUT_KEY:
                yield label


def _copied(snapshot: LabelledSnapshot, table: Table, slot: int, rule: Rule) -> Iterator[Label]:
    """Yield the labels of the cells that this one copies, and of those of rows one to one with it that copy it."""
    labels, dataset = snapshot.labels, snapshot.dataset
    at, place, source = table, slot, rule
    while (original := dataset.copied(source)) is not None:
        above = _slot_above(at, place, original, source)
        if above is None:
            break
        at, place, source = original.table, above, original.rule
        yield from labels.of_cell_alone(at.name, place, source.name)
    for other, name in _copies(dataset, table, rule.name):
        if other in snapshot.tables:
            yield from labels.of_cell_alone(other.name, slot, name)


def _cut_off(snapshot: LabelledSnapshot, table: Table, slot: int) -> Iterator[Label]:
    """Yield the label of a truncated file, of its last row."""
    for label in snapshot.labels.of_file(table.name):
        if label.kind == TRUNCATED_FILE and snapshot.last_slot(table) == slot:
            yield label


def _displaced(snapshot: LabelledSnapshot, table: Table, field: str) -> Iterator[Label]:
    """Yield the label of a column that the schema doesn't have, of the fields behind it: a tool may go by their places."""
    places = [place for place, _ in snapshot.defects.shape(table, snapshot.manifest.seed).extra]
    if places and min(places) <= table.fields.index(field):
        yield from (label for label in snapshot.labels.of_file(table.name) if label.kind == EXTRA_COLUMN)


@lru_cache(maxsize=1024)
def _copies(dataset: Dataset, table: Table, field: str) -> list[tuple[Table, str]]:
    """Return the fields that copy a field, of tables whose rows are one to one with its rows."""
    copies = ((other, rule, dataset.copied(rule)) for other in dataset.tables for rule in other.rules)
    return [
        (other, rule.name)
        for other, rule, source in copies
        if source is not None and (source.table, source.rule.name) == (table, field)
        if _slot_above(other, 1, source, rule) == 1
    ]


def _slot_above(table: Table, slot: int, source: FieldRef, rule: Rule) -> int | None:
    """Return the slot of the row above that a field copies from, None where its row was picked, or is no row above."""
    above = source.table
    if rule.picked or table.top is not above.top or table.span % above.span:
        return None
    return slot // (table.span // above.span)
