"""Generates records: Structs for people and services, columns for exporters."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, SupportsIndex, TypeVar
from uuid import UUID

import msgspec

from esdh_core.columns import Column
from esdh_core.constants import DATASET_VERSION, DEFAULT_RECORDS, DEFAULT_SEED, GENERATED_AT
from esdh_core.entities import Bundle, DatasetMetadata, Person, Profile, Vehicle
from esdh_core.ids import RecordId, decode_id
from esdh_core.persons import PERSON
from esdh_core.plan import ENTITIES, entity_named
from esdh_core.profiles import PROFILE
from esdh_core.requests import check_seed, check_window
from esdh_core.rules import Block, Entity
from esdh_core.vehicles import VEHICLE

__all__ = [
    "Record",
    "generate_bundle",
    "generate_columns",
    "generate_records",
    "metadata_for",
    "notes_for",
    "reproduce_record",
]


S = TypeVar("S", bound=msgspec.Struct)


class Record(NamedTuple):
    """One record with the id it was asked for by."""

    id: RecordId
    person: Person
    vehicle: Vehicle
    profile: Profile


def notes_for(seed: int) -> str:
    """Return the sentence that a manifest and an answer carry as `notes`."""
    return f"Deterministic snapshot generated from rule-based distributions (seed={seed})."


def metadata_for(
    records: SupportsIndex, seed: SupportsIndex, *, entities: Iterable[Entity] = ENTITIES
) -> DatasetMetadata:
    """Return the metadata of `records` records of each of the entities."""
    seed, (_, records) = check_seed(seed), check_window(0, records)
    counts = {f"record_count_{entity.plural}": records for entity in entities}
    return DatasetMetadata(
        dataset_version=DATASET_VERSION, generated_at=GENERATED_AT, notes=notes_for(seed), **counts
    )


def generate_columns(
    start: SupportsIndex,
    count: SupportsIndex,
    seed: SupportsIndex = DEFAULT_SEED,
    *,
    entities: Sequence[str] = (),
) -> dict[str, dict[str, Column]]:
    """Return records `start` to `start + count - 1` as columns: plural entity name to field to column.

    Every column has `count` rows; fields come in the Struct's order. Blocks of 65,536 records fit the
    cache and are fastest. `entities` names the entities wanted, in singular or plural (all, when empty);
    an entity's values are the same whichever others are made.

    Raises RequestError for a seed, a window or an entity that can't be.
    """
    seed, (start, count) = check_seed(seed), check_window(start, count)
    wanted = [entity_named(name) for name in entities] or list(ENTITIES)
    block = Block(seed=seed, start=start, count=count)
    return {entity.plural: entity.columns(block) for entity in ENTITIES if entity in wanted}


def generate_bundle(
    records: SupportsIndex = DEFAULT_RECORDS, seed: SupportsIndex = DEFAULT_SEED, start: SupportsIndex = 0
) -> Bundle:
    """Return records `start` to `start + records - 1` of a seed as typed Structs.

    The same call gives the same bundle on any machine, for ever; `generate_bundle(3)` is the start of
    `generate_bundle(200)`.

    Raises RequestError for a seed that is not an integer from 0 to 2^53 - 1, or a window that is not
    within records 0 to 2^33 - 1.
    """
    seed, (start, records) = check_seed(seed), check_window(start, records)
    block = Block(seed=seed, start=start, count=records)

    return Bundle(
        metadata=metadata_for(records, seed),
        persons=_structs(Person, PERSON, block),
        vehicles=_structs(Vehicle, VEHICLE, block),
        profiles=_structs(Profile, PROFILE, block),
    )


def generate_records(
    entity: str,
    records: SupportsIndex = DEFAULT_RECORDS,
    seed: SupportsIndex = DEFAULT_SEED,
    start: SupportsIndex = 0,
) -> list[msgspec.Struct]:
    """Return one entity's records `start` to `start + records - 1` of a seed, as its typed Structs.

    They equal those of `generate_bundle`, without the other entities' cost. `entity` is a name in
    singular or plural.

    Raises RequestError for an entity, a seed or a window that can't be.
    """
    wanted = entity_named(entity)
    seed, (start, records) = check_seed(seed), check_window(start, records)
    return _structs(wanted.record, wanted, Block(seed=seed, start=start, count=records))


def _structs(record: type[S], entity: Entity, block: Block) -> list[S]:
    """Return an entity's rows as its Struct; the columns come in the Struct's order."""
    columns = entity.columns(block).values()
    return [record(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def reproduce_record(value: str | UUID) -> Record:
    """Return the record behind an id of any entity, from the id alone; no other record is made.

    `value` is the id in any spelling that `canonical_id` reads, or a uuid.UUID. Raises IdError, with the
    reason, for what is no id of a dataset version known here.
    """
    origin = decode_id(value)
    bundle = generate_bundle(1, origin.seed, origin.index)
    return Record(origin, bundle.persons[0], bundle.vehicles[0], bundle.profiles[0])
