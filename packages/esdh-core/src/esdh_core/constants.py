"""The constants of dataset version v0.1, as the data contract fixes them."""

import datetime as dt
from typing import Final

DATASET_VERSION: Final = "v0.1"
DATASET_SLUG: Final = "v0_1"
VERSION_ORDINAL: Final = 1  # how v0.1 is written inside an id
DEFAULT_SEED: Final = 20240601
MAX_SEED: Final = 2**53 - 1  # the largest integer that every JSON reader keeps exact
DEFAULT_RECORDS: Final = 200
MAX_RECORDS: Final = 2**33
BLOCK_RECORDS: Final = 65_536  # of generation, digest and Parquet row groups
REFERENCE_DATE: Final = dt.date(2024, 6, 1)  # "today" for every age
GENERATED_AT: Final = "2024-06-01T00:00:00"  # no wall clock enters an output
SYNTHETIC_SOURCE: Final = "enterprise-synthetic-data-hub v0.1"
