"""How messages, documents and the page name a dataset's tables in a sentence."""

from collections.abc import Sequence

from esdh_core import Dataset, Table

__all__ = ["a_row_of", "capitalized", "joined", "with_ids"]


def capitalized(name: str) -> str:
    """Return a name with its first letter in upper case."""
    return name[:1].upper() + name[1:]


def joined(words: Sequence[str], conjunction: str = "and") -> str:
    """Return words as a sentence lists them.

    >>> joined(["suppliers", "parcels", "claims"])
    'suppliers, parcels and claims'
    """
    *others, last = words
    return f"{', '.join(others)} {conjunction} {last}" if others else last


def a_row_of(table: Table) -> str:
    """Return what one row of a table is called, with its article."""
    if table.singular is None:
        return f"a row of {table.name}"
    return f"{'an' if table.singular[0] in 'aeiou' else 'a'} {table.singular}"


def with_ids(dataset: Dataset) -> list[Table]:
    """Return the tables whose rows have ids; all of them where none has."""
    return [table for table in dataset.tables if table.field_with("id")] or list(dataset.tables)
