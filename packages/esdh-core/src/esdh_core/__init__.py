"""Deterministic synthetic persons, vehicles and profiles: a record is a pure function of (seed, stream, index)."""

from esdh_core.constants import (
    BLOCK_RECORDS,
    DATASET_SLUG,
    DATASET_VERSION,
    DEFAULT_RECORDS,
    DEFAULT_SEED,
    GENERATED_AT,
    MAX_RECORDS,
    MAX_SEED,
    REFERENCE_DATE,
    SYNTHETIC_SOURCE,
)
from esdh_core.entities import Bundle, DatasetMetadata, Person, Profile, Vehicle
from esdh_core.errors import CoreError, IdError, LookupTableError, RequestError
from esdh_core.generator import (
    Record,
    generate_bundle,
    generate_columns,
    generate_records,
    metadata_for,
    notes_for,
    reproduce_record,
)
from esdh_core.ids import RecordId, canonical_id, decode_id, encode_id
from esdh_core.plan import ENTITIES, entity_named, field_hashes, plan, plan_json, plan_sha256
from esdh_core.plan_text import plan_markdown, plan_text
from esdh_core.requests import check_records, check_seed

__all__ = [
    "BLOCK_RECORDS",
    "DATASET_SLUG",
    "DATASET_VERSION",
    "DEFAULT_RECORDS",
    "DEFAULT_SEED",
    "ENTITIES",
    "GENERATED_AT",
    "MAX_RECORDS",
    "MAX_SEED",
    "REFERENCE_DATE",
    "SYNTHETIC_SOURCE",
    "Bundle",
    "CoreError",
    "DatasetMetadata",
    "IdError",
    "LookupTableError",
    "Person",
    "Profile",
    "Record",
    "RecordId",
    "RequestError",
    "Vehicle",
    "canonical_id",
    "check_records",
    "check_seed",
    "decode_id",
    "encode_id",
    "entity_named",
    "field_hashes",
    "generate_bundle",
    "generate_columns",
    "generate_records",
    "metadata_for",
    "notes_for",
    "plan",
    "plan_json",
    "plan_markdown",
    "plan_sha256",
    "plan_text",
    "reproduce_record",
]
