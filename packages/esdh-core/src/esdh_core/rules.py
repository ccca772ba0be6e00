"""What a rule is: the block it works on, the field it makes, and what it tells a steward.

An entity's file binds each field of its Struct to a rule. A rule is a function from a block (a seed and
a range of records) to a column, computed once a block, so that another entity's rule may take its values
from it. What a rule declares beside that (streams, tables, words) is what the plan shows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from esdh_core.columns import Column
from esdh_core.ids import id_text, permute
from esdh_core.stats import Statistic
from esdh_core.streams import draws

__all__ = ["Block", "Entity", "Rule", "once"]

T = TypeVar("T")


class Block:
    """Records `start` to `start + count - 1` of a seed, and what has been computed of them so far."""

    def __init__(self, *, seed: int, start: int, count: int) -> None:
        self.seed = seed
        self.start = start
        self.count = count
        self.index = np.arange(start, start + count, dtype=np.uint64)
        self.streams: list[str] = []
        self._done: dict[Callable[[Block], Any], Any] = {}

    def draws(self, stream: str) -> NDArray[np.uint64]:
        """Return the draws of a stream for these records."""
        self.streams.append(stream)
        return draws(self.seed, stream, self.start, self.count)

    def ids(self, entity: str) -> NDArray[np.uint8]:
        """Return the ids of an entity's records as text, shape (count, 36)."""
        return id_text(self.seed, entity, self.index)

    def permuted(self, stream: str) -> NDArray[np.uint64]:
        """Return the permuted indices of these records, below 2^36."""
        return permute(self.seed, stream, self.index)

    def value(self, compute: "Callable[[Block], T]") -> T:
        """Return `compute(self)`, computed at most once for this block."""
        if compute not in self._done:
            self._done[compute] = compute(self)
        result: T = self._done[compute]
        return result


def once(compute: Callable[[Block], T]) -> Callable[[Block], T]:
    """Make a function of a block that is computed at most once a block."""

    def value(block: Block) -> T:
        return block.value(compute)

    value.__doc__ = compute.__doc__
    return value


@dataclass(frozen=True, slots=True)
class Rule:
    """How one field is made, for machines (`column`) and for people (the rest).

    `streams` are the streams it draws from, none for a derived field; `permutation` the stream whose
    key word keys the permutation of the index that it holds; `tables` the lookup tables it uses;
    `given` the fields, as `entity.field`, that its odds or its value depend on; `distribution` the odds in
    words; `source` where they come from.
    """

    entity: str
    name: str
    text: str
    column: Callable[[Block], Column]
    streams: tuple[str, ...] = ()
    permutation: str = ""
    tables: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    distribution: str = ""
    source: str = ""


@dataclass(slots=True)
class Entity:
    """One entity: its names, its Struct, the rule of each of its fields and the statistics kept of it."""

    name: str
    plural: str
    record: type[msgspec.Struct]
    _rules: dict[str, Rule] = field(default_factory=dict)
    statistics: tuple[Statistic, ...] = ()
    description: str = ""  # data: a docstring is gone under `python -OO`

    def rule(
        self, name: str, text: str, **declared: Any
    ) -> Callable[[Callable[[Block], Column]], Callable[[Block], Column]]:
        """Bind the decorated function to a field of this entity's Struct; `declared` as in `Rule`.

        Raises TypeError for a field that the Struct doesn't have or that has a rule already.
        """
        if name not in self.record.__struct_fields__ or name in self._rules:
            raise TypeError(f"{self.record.__name__} has no field {name!r} that still needs a rule")

        def bind(compute: Callable[[Block], Column]) -> Callable[[Block], Column]:
            column = once(compute)
            self._rules[name] = Rule(entity=self.name, name=name, text=text, column=column, **declared)
            return column

        return bind

    @property
    def fields(self) -> tuple[str, ...]:
        """The field names, in the Struct's order."""
        return self.record.__struct_fields__

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in the Struct's order; TypeError when a field has none."""
        missing = [name for name in self.fields if name not in self._rules]
        if missing:
            raise TypeError(f"{self.record.__name__} has no rule for {', '.join(missing)}")
        return tuple(self._rules[name] for name in self.fields)

    def columns(self, block: Block) -> dict[str, Column]:
        """Return the columns of this entity over a block, in field order."""
        return {rule.name: rule.column(block) for rule in self.rules}
