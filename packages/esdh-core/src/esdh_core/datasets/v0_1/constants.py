"""The constants of dataset version v0.1, as the data contract fixes them."""

import datetime as dt
from typing import Final

DATASET_VERSION: Final = "v0.1"
DATASET_SLUG: Final = "v0_1"
VERSION_ORDINAL: Final = 1  # how v0.1 is written inside an id
REFERENCE_DATE: Final = dt.date(2024, 6, 1)  # "today" for every age
SYNTHETIC_SOURCE: Final = "enterprise-synthetic-data-hub v0.1"
