"""Dataset version v0.1: persons, vehicles and profiles, fixed for ever (docs/DATA_CONTRACT.md)."""

from typing import NamedTuple

from esdh_core.dataset import Dataset
from esdh_core.datasets.v0_1.constants import (
    DATASET_VERSION,
    REFERENCE_DATE,
    SYNTHETIC_SOURCE,
    VERSION_ORDINAL,
)
from esdh_core.datasets.v0_1.entities import Bundle, DatasetMetadata, Person, Profile, Vehicle
from esdh_core.datasets.v0_1.persons import PERSONS
from esdh_core.datasets.v0_1.profiles import PROFILES
from esdh_core.datasets.v0_1.vehicles import VEHICLES
from esdh_core.ids import OrdinalIds, RecordId

__all__ = ["DEFAULT_DATASET", "ENTITIES", "GENERATED_AT", "Record"]


class Record(NamedTuple):
    """One record with the id it was asked for by."""

    id: RecordId
    person: Person
    vehicle: Vehicle
    profile: Profile


DEFAULT_DATASET = Dataset(
    dataset_version=DATASET_VERSION,
    marker=SYNTHETIC_SOURCE,
    reference_date=REFERENCE_DATE,
    tables=(PERSONS, VEHICLES, PROFILES),
    ids=OrdinalIds(DATASET_VERSION, VERSION_ORDINAL, {"person": 1, "vehicle": 2, "profile": 3}),
    location=f"{__name__}:DEFAULT_DATASET",
    note="Record i is person i, vehicle i and profile i. Ages count to the reference instant, which is also given as "
    "the date of publication.",
    privacy_note="None: the persons don't exist.",
    pictures=("ages", "states", "makes", "model_years", "lines_of_business", "risk_ratings"),
    bundle_type=Bundle,
    metadata_type=DatasetMetadata,
    record_type=Record,
)
ENTITIES = DEFAULT_DATASET.tables
GENERATED_AT = DEFAULT_DATASET.generated_at
