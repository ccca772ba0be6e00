"""The tables that ship, as data for any plan: names, states and cities of the default dataset."""

from esdh_core.datasets.v0_1.lookups import load
from esdh_core.lookups import LookupTable

__all__ = ["shipped_table"]


def shipped_table(name: str) -> LookupTable:
    """Return a table that ships, by name; LookupTableError when the installation lacks it."""
    return load(name)
