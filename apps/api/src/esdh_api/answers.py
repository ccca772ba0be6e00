"""The bodies of the API's answers, as Structs: what is encoded is what the OpenAPI document describes."""

from typing import Annotated, Literal

import msgspec
from esdh_core import ENTITIES, Bundle, DatasetMetadata, Person, Profile, Vehicle
from msgspec import Meta, Struct

__all__ = ["ENTITY_ANSWERS", "BundleAnswer", "HealthAnswer", "PlanSteps", "RecordAnswer"]

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
        namespace={"__doc__": f"A window of {entity.plural}."},
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
