"""The datasets that ship with esdh-core, and the typed façade of the default one."""

from esdh_core.datasets.v0_1 import V0_1, Record
from esdh_core.datasets.v0_1.constants import DATASET_SLUG, DATASET_VERSION, REFERENCE_DATE, SYNTHETIC_SOURCE
from esdh_core.datasets.v0_1.entities import Bundle, DatasetMetadata, Person, Profile, Vehicle

__all__ = [
    "DATASET_SLUG",
    "DATASET_VERSION",
    "DEFAULT_DATASET",
    "ENTITIES",
    "GENERATED_AT",
    "REFERENCE_DATE",
    "SYNTHETIC_SOURCE",
    "Bundle",
    "DatasetMetadata",
    "Person",
    "Profile",
    "Record",
    "Vehicle",
]

DEFAULT_DATASET = V0_1
ENTITIES = V0_1.tables
GENERATED_AT = V0_1.generated_at
