"""The checks that hold for every dataset, from the roles of its fields: ids, the marker, references and copies."""

from collections.abc import Callable, Iterator

import pyarrow.compute as pc
from esdh_core import Dataset, IdError, Table, encode_id
from esdh_core.columns import FixedText
from esdh_core.rules import Rule
from esdh_export import array

from esdh_proof.checks.finding import Finding, Tables, copy, differing, slots, texts_of, to_mask
from esdh_proof.reading import Rows

__all__ = ["describe_id", "integrity", "rules", "synthetic"]


def synthetic(dataset: Dataset, tables: Tables, seed: int) -> Iterator[Finding]:
    """Check that every row is of this seed and at its own place, and that it carries the marker."""
    for table in dataset.tables:
        if table.name not in tables:
            continue
        rows = tables[table.name]
        for rule in table.rules:
            if rule.role == "id":
                ids = array(FixedText(dataset.ids.texts(seed, table.entity, slots(rows))))
                yield Finding(
                    rows,
                    rule.name,
                    differing(rows.arrays[rule.name], ids),
                    _id_of(dataset, seed, table, rows),
                    describe_id(dataset),
                )
            elif rule.role == "marker":
                marker = to_mask(pc.not_equal(rows.arrays[rule.name], dataset.marker))
                yield Finding(rows, rule.name, marker, dataset.marker)


def integrity(dataset: Dataset, tables: Tables, seed: int) -> Iterator[Finding]:
    """Check references, whether or not the table that they point at is there, and copies where it is."""
    for table in dataset.tables:
        if table.name not in tables:
            continue
        rows = tables[table.name]
        for rule in table.rules:
            source = dataset.copied(rule)
            if source is None:
                continue
            owner = _owner_of_id(dataset, table, rule)
            if owner is not None:
                ids = array(FixedText(dataset.ids.texts(seed, owner.entity, slots(rows))))
                wrong = differing(rows.arrays[rule.name], ids)
                yield Finding(rows, rule.name, wrong, texts_of(ids), describe_id(dataset))
            elif source.table.name in tables:
                yield copy(rows, rule.name, tables[source.table.name].arrays[source.rule.name])


def rules(dataset: Dataset, tables: Tables, seed: int) -> Iterator[Finding]:  # noqa: ARG001 - as every check
    """Check nothing: what a dataset's rules say beside its schema and its roles, it says itself."""
    return iter(())


def _owner_of_id(dataset: Dataset, table: Table, rule: Rule) -> Table | None:
    """Return the table whose ids a field holds, None for a field that holds no id."""
    while (source := dataset.copied(rule)) is not None:
        table, rule = source
    return table if rule.role == "id" else None


def _id_of(dataset: Dataset, seed: int, table: Table, rows: Rows) -> Callable[[int], str]:
    return lambda row: (
        f"{encode_id(seed, table.name, rows.start + row, dataset=dataset)}, {table.entity} {rows.start + row}"
    )


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
