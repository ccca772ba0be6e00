"""Where a row stands, by an id that it holds: the fields whose value is the id of a row of the same record."""

from collections.abc import Iterable

from esdh_core import Dataset, IdError, Table

__all__ = ["record_fields", "records_of"]


def record_fields(dataset: Dataset, table: Table) -> dict[str, Table]:
    """Return the fields of a table that hold its own id or a copy of the id of a row above, each with that row's table.

    A copy from a row that was drawn is none: that row may stand in any record.
    """
    fields = {}
    for rule in table.rules:
        owner, origin = table, rule
        while (source := dataset.copied(origin)) is not None and not origin.picked:
            owner, origin = source
        if origin.role == "id" and owner.top is table.top:
            fields[rule.name] = owner
    return fields


def records_of(dataset: Dataset, table: Table, values: Iterable[object], *, seed: int) -> set[int]:
    """Return the records that have the rows of a table with these ids; a value that is no such id has none."""
    records = set()
    for value in values:
        try:
            origin = dataset.decode(str(value))
        except IdError:
            continue
        if origin.seed == seed and dataset.table(origin.entity) is table:
            records.add(origin.index // table.span)
    return records
