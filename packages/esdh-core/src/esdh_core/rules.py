"""What a rule is: the function that makes a field's column, and what a steward must know of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from esdh_core.columns import Column
from esdh_core.lookups import LookupTable

__all__ = ["Role", "Rule"]

Role = Literal["value", "id", "copy", "unique", "marker"]
"""What a field is to its table: a value of its own, the row's id, a copy of another field, a permutation of the
row's number, or the synthetic marker."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one field is made, for machines (`column`, `role`) and for people (the rest).

    `streams` are the streams it draws from, none for a derived field; `permutation` the stream whose key word
    keys the permutation of the index that it holds; `lookups` the tables it draws from; `depends_on` the fields,
    as `table.field`, that its odds or its value depend on: of a copy, the one that it copies; `picked` whether it
    copies from a row that was drawn, not from one above; `distribution` the odds in words; `source` where they come from;
    `tags` words of its author for readers of the schema, such as `pii`.
    """

    name: str
    text: str
    column: Callable[[Any], Column]
    role: Role = "value"
    streams: tuple[str, ...] = ()
    permutation: str = ""
    lookups: tuple[LookupTable, ...] = ()
    depends_on: tuple[str, ...] = ()
    picked: bool = False
    distribution: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
