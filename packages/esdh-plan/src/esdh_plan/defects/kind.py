"""What a kind of defect is: which fields or tables it fits, and what it makes of a value or a row."""

import datetime as dt
import decimal
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from esdh_core.columns import Column, Decimal, Numbers
from esdh_core.dataset import Dataset, Table
from esdh_core.overlay import Dice, Edit, Effect, Evidence, Values
from esdh_core.rules import Rule
from esdh_core.schema import FieldSchema

__all__ = ["Change", "Kind", "Making", "Misfit", "RowKind", "TableTarget", "Target", "each_value"]

_SAMPLE = 64  # records whose values tell what a field's texts have in common

_PYTHON: Final[dict[str, type]] = {
    "string": str,
    "integer": int,
    "decimal": decimal.Decimal,
    "boolean": bool,
    "date": dt.date,
    "timestamp": dt.datetime,
}

Change = Callable[[Any, Dice], Any]
"""From a value that isn't null to the one that stands there instead: the same where it can't be changed."""


class Misfit(ValueError):  # noqa: N818 - no error of its own: it becomes a fault of a file
    """A kind doesn't fit a field, or needs to be told more; the text goes on after `kind <word>`."""


@dataclass(frozen=True, kw_only=True)
class TableTarget:
    """The table that a defect is for; `more` are the keys that its kind alone has."""

    dataset: Dataset
    table: Table
    more: dict[str, Any]

    def field(self, rule: Rule) -> "Target":
        """Return one of its fields as what a defect is for."""
        return Target(dataset=self.dataset, table=self.table, more=self.more, rule=rule)


@dataclass(frozen=True, kw_only=True)
class Target(TableTarget):
    """The field that a defect is for."""

    rule: Rule

    @cached_property
    def schema(self) -> FieldSchema:
        """What the Struct says of the field."""
        return next(each for each in self.table.schema if each.name == self.rule.name)

    @property
    def type(self) -> str:
        """The field's type."""
        return self.schema.type

    @cached_property
    def column(self) -> Column:
        """The field's values in a few records: its kind, and its bounds if it is of numbers."""
        some = self.dataset.block(0, min(_SAMPLE, self.dataset.max_records))
        return self.rule.column(self.dataset.block_of(self.table, some))

    @cached_property
    def texts(self) -> list[str]:
        """Some of its values, if it is of text."""
        return [value for value in self.column.tolist() if isinstance(value, str)]

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest number of the field, as its column holds them. TypeError for a text's."""
        if not isinstance(self.column, Numbers):
            raise TypeError(f"{self.table.name}.{self.rule.name} has no numbers")
        return self.column.low, self.column.high

    @property
    def scale(self) -> int:
        """The digits of a decimal after the point."""
        return self.column.scale if isinstance(self.column, Decimal) else 0

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """The pattern of its texts, if it has one."""
        pattern = self.schema.constraints.get("pattern")
        return None if pattern is None else re.compile(pattern)

    @property
    def values(self) -> Sequence[str]:
        """The texts that it can have, if the schema lists them."""
        constraints = self.schema.constraints
        return constraints.get("enum") or ([constraints["const"]] if "const" in constraints else [])


class Making(NamedTuple):
    """What a kind makes of a field or a row: the edit, the (other) fields, what it looks at of each row, and the effect."""

    edit: Edit
    others: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    may_be_null: bool = False
    needs_text: bool = False
    effect: Effect = "cells"
    fresh: tuple[str, ...] = ()
    reaches_far: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of defect: the word for it, what it does, the fields that it fits, in words, and the function that makes it.

    `make` raises Misfit for a field that the kind doesn't fit.
    """

    word: str
    about: str
    fits: str
    make: Callable[[Target], Making]

    def suits(self, target: Target) -> bool:
        """Return whether the kind fits a field, if it is told what it needs to know beside it."""
        try:
            self.make(target)
        except Misfit as misfit:
            return misfit.args[-1] is True
        return True


@dataclass(frozen=True)
class RowKind:
    """A kind of defect of whole rows, as `Kind`; `make` raises Misfit for a table that it doesn't fit."""

    word: str
    about: str
    fits: str
    make: Callable[[TableTarget], Making]

    def suits(self, target: TableTarget) -> bool:
        """Return whether the kind fits a table, if its keys do."""
        try:
            self.make(target)
        except Misfit as misfit:
            return misfit.args[-1] is True
        return True


def each_value(target: Target, change: Change) -> Edit:
    """Return the edit that changes the value of one field of a type; a null, or a text where none is due, stays."""
    of = _PYTHON[target.type]

    def edit(values: Values, dice: Dice, _: Values) -> Values:
        (value,) = values
        return (change(value, dice),) if type(value) is of else values

    return edit
