"""What holds for every dataset: the bounds of a request and its defaults."""

from typing import Final

DEFAULT_SEED: Final = 20240601
MAX_SEED: Final = 2**53 - 1  # the largest integer that every JSON reader keeps exact
DEFAULT_RECORDS: Final = 200
MAX_RECORDS: Final = 2**33
BLOCK_RECORDS: Final = 65_536  # the most records of a block: of generation, digest and Parquet row groups
