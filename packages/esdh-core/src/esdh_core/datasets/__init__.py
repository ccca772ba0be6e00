"""The datasets that ship with esdh-core, and the typed façade of the default one."""

from typing import TYPE_CHECKING

from esdh_core.lazy import lazy_names

if TYPE_CHECKING:
    from esdh_core.datasets.tables import shipped_table as shipped_table
    from esdh_core.datasets.v0_1 import DEFAULT_DATASET as DEFAULT_DATASET
    from esdh_core.datasets.v0_1 import ENTITIES as ENTITIES
    from esdh_core.datasets.v0_1 import GENERATED_AT as GENERATED_AT
    from esdh_core.datasets.v0_1 import Record as Record
    from esdh_core.datasets.v0_1.constants import DATASET_SLUG as DATASET_SLUG
    from esdh_core.datasets.v0_1.constants import DATASET_VERSION as DATASET_VERSION
    from esdh_core.datasets.v0_1.constants import REFERENCE_DATE as REFERENCE_DATE
    from esdh_core.datasets.v0_1.constants import SYNTHETIC_SOURCE as SYNTHETIC_SOURCE
    from esdh_core.datasets.v0_1.entities import Bundle as Bundle
    from esdh_core.datasets.v0_1.entities import DatasetMetadata as DatasetMetadata
    from esdh_core.datasets.v0_1.entities import Person as Person
    from esdh_core.datasets.v0_1.entities import Profile as Profile
    from esdh_core.datasets.v0_1.entities import Vehicle as Vehicle

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
    "shipped_table",
]

__getattr__ = lazy_names(
    __name__,
    {
        "v0_1": ("DEFAULT_DATASET", "ENTITIES", "GENERATED_AT", "Record"),
        "v0_1.constants": ("DATASET_SLUG", "DATASET_VERSION", "REFERENCE_DATE", "SYNTHETIC_SOURCE"),
        "v0_1.entities": ("Bundle", "DatasetMetadata", "Person", "Profile", "Vehicle"),
        "tables": ("shipped_table",),
    },
)
