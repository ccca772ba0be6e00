"""The bodies of the API's answers, as Structs: what is encoded is what the OpenAPI document describes."""

from functools import cache
from importlib.metadata import version
from typing import Annotated, Literal

import msgspec
from esdh_core import (
    DATASET_VERSION,
    DEFAULT_RECORDS,
    DEFAULT_SEED,
    ENTITIES,
    Bundle,
    DatasetMetadata,
    Person,
    Profile,
    Vehicle,
    canonical_id,
    generate_bundle,
    generate_records,
    metadata_for,
    plan,
    reproduce_record,
)
from esdh_core.rules import Entity
from msgspec import Meta, Struct

from esdh_api.requests import Window
from esdh_api.settings import Settings

__all__ = [
    "ENTITY_ANSWERS",
    "BundleAnswer",
    "HealthAnswer",
    "PlanSteps",
    "RecordAnswer",
    "bundle_answer",
    "entity_answer",
    "entity_rows",
    "health_answer",
    "record_answer",
]

_Seed = Annotated[int, Meta(description="The effective seed: given again, it gives the same records")]
_Requested = Annotated[int, Meta(description="How many records were asked for")]
_Count = Annotated[int, Meta(description="How many rows the answer has")]

ENTITY_ANSWERS: dict[str, type[Struct]] = {
    entity.name: msgspec.defstruct(
        f"{entity.name.capitalize()}Answer",
        [
            ("metadata", DatasetMetadata),
            (entity.plural, list[entity.record]),  # type: ignore[name-defined]  # a list of this entity's Struct
            ("record_count", _Count),
            ("seed", _Seed),
            ("records_requested", _Requested),
        ],
        frozen=True,
    )
    for entity in ENTITIES
}


class BundleAnswer(Bundle, frozen=True):
    """A window of every entity: `persons[i]`, `vehicles[i]` and `profiles[i]` are one record."""

    seed: _Seed
    records_requested: _Requested


class RecordAnswer(Struct, frozen=True):
    """The record behind an id, and what the id says."""

    id: str
    seed: _Seed
    dataset_version: str
    entity: Annotated[str, Meta(description="The entity that the id names")]
    index: Annotated[int, Meta(description="The record's number in its data set, from 0")]
    person: Person
    vehicle: Vehicle
    profile: Profile


class PlanSteps(Struct, frozen=True):
    """What is generated, in order."""

    steps: Annotated[list[str], Meta(description="Each field as entity.field; GET /plan tells them in full")]


class HealthAnswer(Struct, frozen=True):
    """That the app is up, what it generates by default, and what it asks of a client."""

    status: Literal["ok"]
    dataset_version: str
    version: Annotated[str, Meta(description="The version of this app")]
    default_seed: int
    seed: Annotated[int, Meta(description="The default seed")]
    target_records: Annotated[int, Meta(description="The records of the default snapshot")]
    plan: PlanSteps
    api_key_required: Annotated[bool, Meta(description="Whether /generate and /records need X-API-Key")]
    max_records: Annotated[int, Meta(description="The most records of one request")]


def entity_rows(entity: Entity, window: Window) -> list[Struct]:
    """Return an entity's rows of a window."""
    return generate_records(entity.name, window.records, window.seed, window.start)


def entity_answer(entity: Entity, window: Window) -> Struct:
    """Return the answer with an entity's rows of a window; its metadata counts every entity's."""
    rows = entity_rows(entity, window)
    metadata = metadata_for(window.records, window.seed)
    return ENTITY_ANSWERS[entity.name](metadata, rows, len(rows), window.seed, window.records)


def bundle_answer(window: Window) -> BundleAnswer:
    """Return the answer with every entity's rows of a window."""
    bundle = generate_bundle(window.records, window.seed, window.start)
    return BundleAnswer(
        metadata=bundle.metadata,
        persons=bundle.persons,
        vehicles=bundle.vehicles,
        profiles=bundle.profiles,
        seed=window.seed,
        records_requested=window.records,
    )


def record_answer(id: str) -> RecordAnswer:  # noqa: A002 - the field's name
    """Return the answer with the record behind an id.

    Raises IdError, with the reason, for an id that is not ours.
    """
    record = reproduce_record(id)
    return RecordAnswer(
        id=canonical_id(id),
        seed=record.id.seed,
        dataset_version=record.id.dataset_version,
        entity=record.id.entity,
        index=record.id.index,
        person=record.person,
        vehicle=record.vehicle,
        profile=record.profile,
    )


@cache
def health_answer(settings: Settings) -> HealthAnswer:
    """Return what an app with these settings says of itself."""
    steps = [f"{entity.name}.{field.name}" for entity in plan().entities for field in entity.fields]
    return HealthAnswer(
        status="ok",
        dataset_version=DATASET_VERSION,
        version=version("esdh-api"),
        default_seed=DEFAULT_SEED,
        seed=DEFAULT_SEED,
        target_records=DEFAULT_RECORDS,
        plan=PlanSteps(steps),
        api_key_required=settings.api_key is not None,
        max_records=settings.max_records,
    )
