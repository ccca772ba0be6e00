"""The plan: what is generated and how, as data.

The command line's `show-plan`, the manifest's `plan` and `plan_sha256` and the documentation all read it.
It follows from the Structs and the rules; nothing is said here that isn't said there.
"""

import hashlib
from fractions import Fraction
from functools import cache
from typing import Any

import msgspec

from esdh_core.constants import (
    BLOCK_RECORDS,
    DATASET_VERSION,
    DEFAULT_RECORDS,
    DEFAULT_SEED,
    GENERATED_AT,
    MAX_RECORDS,
    SYNTHETIC_SOURCE,
)
from esdh_core.errors import RequestError
from esdh_core.lookups import load
from esdh_core.persons import PERSON
from esdh_core.profiles import PROFILE
from esdh_core.rules import Entity, Rule
from esdh_core.vehicles import VEHICLE

__all__ = [
    "ENTITIES",
    "EntityPlan",
    "FieldPlan",
    "Plan",
    "StatisticPlan",
    "TablePlan",
    "entity_named",
    "field_hashes",
    "plan",
    "plan_json",
    "plan_sha256",
]

ENTITIES: tuple[Entity, ...] = (PERSON, VEHICLE, PROFILE)
_SHARE_DIGITS = 9


class TablePlan(msgspec.Struct, frozen=True):
    """A lookup table that a field uses."""

    name: str
    sha256: str
    rows: int


class FieldPlan(msgspec.Struct, frozen=True):
    """One field: its schema, its rule and, where it is random, its streams and its odds."""

    name: str
    type: str
    nullable: bool
    description: str
    rule: str
    streams: tuple[str, ...]
    permutation: str | None
    given: tuple[str, ...]
    distribution: str | None
    source: str | None
    tables: list[TablePlan]
    constraints: dict[str, Any]


class StatisticPlan(msgspec.Struct, frozen=True):
    """A count that the manifest keeps, and the shares that the rules declare, rounded to nine digits."""

    name: str
    field: str
    shares: dict[str, float] | None


class EntityPlan(msgspec.Struct, frozen=True):
    """One entity: its names, its fields in order, and the statistics kept of it."""

    name: str
    plural: str
    description: str
    fields: list[FieldPlan]
    statistics: list[StatisticPlan]


class Plan(msgspec.Struct, frozen=True):
    """Everything that dataset version v0.1 generates."""

    dataset_version: str
    generated_at: str
    synthetic_source: str
    default_seed: int
    default_records: int
    max_records: int
    block_records: int
    entities: list[EntityPlan]


def entity_named(name: str) -> Entity:
    """Return an entity by its singular or plural name.

    Raises RequestError for any other name.
    """
    for entity in ENTITIES:
        if name in (entity.name, entity.plural):
            return entity
    known = ", ".join(f"{entity.name} ({entity.plural})" for entity in ENTITIES)
    raise RequestError(f"{name!r} is no entity; known are {known}")


def _schema(entity: Entity) -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each field, as msgspec derives it from the Struct."""
    (_,), components = msgspec.json.schema_components([entity.record])
    properties: dict[str, dict[str, Any]] = components[entity.record.__name__]["properties"]
    return properties


def _field(rule: Rule, schema: dict[str, Any]) -> FieldPlan:
    branches = schema.get("anyOf", [schema])
    nullable = any(branch.get("type") == "null" for branch in branches)
    value = next(branch for branch in branches if branch.get("type") != "null")
    kind = "date" if value.get("format") == "date" else value.get("type", "string")
    tables = [TablePlan(name, load(name).sha256, len(load(name).rows)) for name in rule.tables]
    return FieldPlan(
        name=rule.name,
        type=kind,
        nullable=nullable,
        description=schema.get("description", ""),
        rule=rule.text,
        streams=rule.streams,
        permutation=rule.permutation or None,
        given=rule.given,
        distribution=rule.distribution or None,
        source=rule.source or None,
        tables=tables,
        constraints={k: v for k, v in value.items() if k not in ("type", "format", "description")},
    )


def _fields(entity: Entity) -> list[FieldPlan]:
    schema = _schema(entity)
    return [_field(rule, schema[rule.name]) for rule in entity.rules]


def _rounded(share: Fraction) -> float:
    """Return `float(round(share, _SHARE_DIGITS))`, ties to even; fractions of fractions take five times as long."""
    scale = 10**_SHARE_DIGITS
    whole, rest = divmod(share.numerator * scale, share.denominator)
    twice = 2 * rest
    up = twice > share.denominator or (twice == share.denominator and whole % 2 == 1)
    return float((whole + up) / scale)


@cache
def plan() -> Plan:
    """Return the plan of the dataset version that this program generates."""
    return Plan(
        dataset_version=DATASET_VERSION,
        generated_at=GENERATED_AT,
        synthetic_source=SYNTHETIC_SOURCE,
        default_seed=DEFAULT_SEED,
        default_records=DEFAULT_RECORDS,
        max_records=MAX_RECORDS,
        block_records=BLOCK_RECORDS,
        entities=[
            EntityPlan(
                name=entity.name,
                plural=entity.plural,
                description=entity.description,
                fields=_fields(entity),
                statistics=[
                    StatisticPlan(
                        name=statistic.name,
                        field=statistic.field,
                        shares=None
                        if statistic.expected is None
                        else {label: _rounded(share) for label, share in statistic.expected().items()},
                    )
                    for statistic in entity.statistics
                ],
            )
            for entity in ENTITIES
        ],
    )


def plan_json() -> bytes:
    """Return the plan as the bytes that `show-plan --format json` prints: two-space JSON and a line end."""
    return msgspec.json.format(msgspec.json.encode(plan()), indent=2) + b"\n"


@cache
def plan_sha256() -> str:
    """Return the SHA-256 of `plan_json()`, in hexadecimal."""
    return hashlib.sha256(plan_json()).hexdigest()


@cache
def field_hashes() -> dict[str, str]:
    """Return, for each `entity.field`, the SHA-256 of its plan: schema, rule, streams, odds and tables."""
    return {
        f"{entity.name}.{each.name}": hashlib.sha256(msgspec.json.encode(each)).hexdigest()
        for entity in plan().entities
        for each in entity.fields
    }
