"""The plan: what a dataset generates and how, as data.

The command line's `show-plan`, the manifest's `plan` and `plan_sha256`, the descriptors and the documentation all
read it. It follows from the Structs and the rules; nothing is said here that isn't said there.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import msgspec

from esdh_core.rules import Rule
from esdh_core.schema import FieldSchema, record_schema
from esdh_core.stats import Group, Statistic

__all__ = ["EntityPlan", "FieldPlan", "Plan", "StatisticPlan", "TablePlan", "describe_table"]

_SHARE_DIGITS = 9


class TablePlan(msgspec.Struct, frozen=True):
    """A lookup table that a field uses."""

    name: str
    sha256: str
    rows: int


class FieldPlan(msgspec.Struct, frozen=True, rename={"depends_on": "given", "lookups": "tables"}):
    """One field: its schema, its rule and, where it is random, its streams and its odds."""

    name: str
    type: str
    nullable: bool
    description: str
    rule: str
    streams: tuple[str, ...]
    permutation: str | None
    depends_on: tuple[str, ...]
    distribution: str | None
    source: str | None
    lookups: list[TablePlan]
    constraints: dict[str, Any]


class StatisticPlan(msgspec.Struct, frozen=True):
    """A count that the manifest keeps, and the shares that the rules declare, rounded to nine digits.

    `field` is empty for what is no field's: a count or a pick.
    """

    name: str
    field: str
    shares: dict[str, float] | None


class EntityPlan(msgspec.Struct, frozen=True):
    """One table: its names, its fields in order, and the statistics kept of it."""

    name: str
    plural: str
    description: str
    fields: list[FieldPlan]
    statistics: list[StatisticPlan]


class Plan(msgspec.Struct, frozen=True):
    """Everything that a dataset generates."""

    dataset_version: str
    generated_at: str
    synthetic_source: str
    default_seed: int
    default_records: int
    max_records: int
    block_records: int
    entities: list[EntityPlan]


def describe_table(
    *,
    name: str,
    plural: str,
    description: str,
    record: type[msgspec.Struct],
    rules: Sequence[Rule],
    statistics: Sequence[Statistic],
    groups: Sequence[tuple[str, Group]] = (),
) -> EntityPlan:
    """Return the plan of a table out of its Struct, its rules, its statistics and its draws' groups, each with its field."""
    return EntityPlan(
        name=name,
        plural=plural,
        description=description,
        fields=[_field(rule, schema) for rule, schema in zip(rules, record_schema(record), strict=True)],
        statistics=[
            *(_counted(each.name, each.field, each.expected and each.expected()) for each in statistics),
            *(_counted(group.name, field, group.expected) for field, group in groups),
        ],
    )


def _counted(name: str, field: str, shares: Mapping[str, Fraction] | None) -> StatisticPlan:
    rounded = None if shares is None else {label: _rounded(share) for label, share in shares.items()}
    return StatisticPlan(name=name, field=field, shares=rounded)


def _field(rule: Rule, schema: FieldSchema) -> FieldPlan:
    return FieldPlan(
        name=rule.name,
        type=schema.type,
        nullable=schema.nullable,
        description=schema.description,
        rule=rule.text,
        streams=rule.streams,
        permutation=rule.permutation or None,
        depends_on=rule.depends_on,
        distribution=rule.distribution or None,
        source=rule.source or None,
        lookups=[TablePlan(each.table, each.sha256, len(each.rows)) for each in rule.lookups],
        constraints=schema.constraints,
    )


def _rounded(share: Fraction) -> float:
    """Return `float(round(share, _SHARE_DIGITS))`, ties to even; fractions of fractions take five times as long."""
    scale = 10**_SHARE_DIGITS
    whole, rest = divmod(share.numerator * scale, share.denominator)
    twice = 2 * rest
    up = twice > share.denominator or (twice == share.denominator and whole % 2 == 1)
    return float((whole + up) / scale)
