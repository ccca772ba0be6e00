"""Rows for tests: a window of records that follows from a test's name alone, so that no order and no other test changes it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, SupportsIndex

from esdh_core.constants import DEFAULT_SEED, MAX_SEED
from esdh_core.dataset import Block, Dataset
from esdh_core.datasets import DEFAULT_DATASET
from esdh_core.errors import RequestError
from esdh_core.requests import check_records, check_seed

__all__ = ["Window", "window_for"]

_DOMAIN: Final = "esdh window/1"


@dataclass(frozen=True)
class Window:
    """Records of a dataset: the one numbered `start`, the next ones, and after the last that there can be the first.

    `seed` is the seed of the rows, as their ids say it. Every function of the library takes the two:
    `generate_records(table, 3, window.seed, window.start)`.
    """

    dataset: Dataset
    seed: int
    start: int

    @property
    def capacity(self) -> int:
        """The most records that the window has: all that the dataset has room for."""
        return self.dataset.max_records

    def blocks(self, records: SupportsIndex = 1, skip: int = 0) -> Iterator[Block]:
        """Yield the blocks of so many records after the first `skip`: one, or two where the last record is passed.

        Raises RequestError where the dataset has no room for so many.
        """
        count = check_records(records)
        if skip + count > self.capacity:
            raise RequestError(
                f"{skip + count:,} records are more than {self.dataset.dataset_version} has room for: {self.capacity:,}"
            )
        first = (self.start + skip) % self.capacity
        before_end = min(count, self.capacity - first)
        yield self.dataset.block(first, before_end, self.seed)
        if before_end < count:
            yield self.dataset.block(0, count - before_end, self.seed)

    def rows(self, table: str, records: SupportsIndex = 1, skip: int = 0) -> list[Any]:
        """Return one table's rows of so many records after the first `skip`, as its Struct; of a fixed table, all.

        Raises RequestError for a table that there isn't, or more records than the dataset has room for.

        >>> from esdh_core import DEFAULT_DATASET
        >>> name = DEFAULT_DATASET.root.name
        >>> window = window_for("tests/test_quote.py::test_discount")
        >>> window.rows(name, 3)[1:] == window.rows(name, 2, skip=1)
        True
        """
        chosen = self.dataset.table(table)
        if chosen.is_fixed:
            return chosen.structs(self.dataset.block_of(chosen, self.dataset.block(0, 0, self.seed)))
        return [row for block in self.blocks(records, skip) for row in chosen.structs(block)]

    def record(self, skip: int = 0) -> Any:
        """Return the record after the first `skip`, with its rows of every table that isn't fixed, as `Dataset.record` does."""
        (block,) = self.blocks(1, skip)
        return self.dataset.record(block.start, self.seed)


def window_for(
    name: str, *, seed: SupportsIndex = DEFAULT_SEED, dataset: Dataset = DEFAULT_DATASET
) -> Window:
    """Return the window of a name, such as a test's: the same on every machine, whatever else is run.

    Seed and start are hashed (SHA-256) from `name` and `seed`, so that windows of different names share a row only
    if 53 bits of their hashes are the same: for n names the odds are below n^2 / 2^54, which is 6 in 10^9 for
    10,000 tests. A dataset with fixed tables keeps `seed` itself, since one seed means one content of those, to which
    the records of all tests refer. There the start alone is hashed, and the odds are about n^2 r / capacity for r
    records a test.

    The plugin pytest-esdh takes a test's node id for its name. Raises RequestError for a seed that can't be.

    >>> window = window_for("tests.test_quote.QuoteTest.test_discount")
    >>> window == window_for("tests.test_quote.QuoteTest.test_discount")
    True
    """
    checked = check_seed(seed)
    digest = hashlib.sha256(f"{_DOMAIN}\n{checked}\n{name}".encode(errors="surrogatepass")).digest()
    has_fixed = any(table.is_fixed for table in dataset.tables)
    own = checked if has_fixed else int.from_bytes(digest[:8], "big") & MAX_SEED
    # 128 bits: what the remainder prefers is far below anything that could be seen.
    return Window(dataset, own, int.from_bytes(digest[8:24], "big") % dataset.max_records)
