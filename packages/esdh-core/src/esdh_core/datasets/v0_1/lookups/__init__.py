"""The curated tables of v0.1, each with its source; any change is a new dataset version."""

from esdh_core.lookups import LookupTable, load_table

__all__ = ["load"]


def load(name: str) -> LookupTable:
    """Return a lookup table of v0.1 by name; LookupTableError when the installation lacks it."""
    return load_table(__name__, name)
