"""What a DataFrame is asked to hold: the options of a read, checked, and the partitions that its work is cut into."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from esdh_core import (
    DEFAULT_DATASET,
    DEFAULT_RECORDS,
    DEFAULT_SEED,
    CoreError,
    Dataset,
    Table,
    check_seed,
)
from esdh_core.columns import Column
from esdh_plan import PlanError, load_plan
from esdh_plan.errors import near, word_list

from pyspark_esdh.errors import SparkError

__all__ = ["MAX_PARTITIONS", "OPTIONS", "ReadRequest", "Window"]

OPTIONS: Final = ("plan", "table", "records", "seed", "start", "partitions", "columns")
_INTEGERS: Final = frozenset(("records", "seed", "start", "partitions"))
MAX_PARTITIONS: Final = 1 << 17  # of the most records in the largest blocks: a block each
_PARTITION_BLOCKS: Final = 8  # of about 65,536 rows: a task of half a second
_DEFAULT_PARTITIONS: Final = 4_096  # past so many they get larger instead: a driver keeps an eye on each

Window = tuple[int, int]
"""Some records: the first, and how many."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What is read: records `start` to `start + records - 1` of a seed, of one table the named fields.

    `partitions` is the most parts that the work is cut into, None for as many as are sensible. It pickles with its
    dataset's recipe, so that it means the same on a machine that has no plan file.
    """

    dataset: Dataset
    table: str
    fields: tuple[str, ...]
    records: int = DEFAULT_RECORDS
    seed: int = DEFAULT_SEED
    start: int = 0
    partitions: int | None = None

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> "ReadRequest":
        """Return the request that the options of a read make, their names in any case.

        Raises SparkError, with one sentence, for the first that can't be; of a plan file with all its faults.
        """
        values = {name.lower(): value for name, value in options.items()}
        if "provider" in values:  # a property of a catalog's table
            raise SparkError(
                "a table of a catalog can't be of the data source esdh, since Spark drops the options of CREATE TABLE; "
                "CREATE TEMPORARY VIEW ... USING esdh OPTIONS (...) keeps them"
            )
        for name in values:
            if name not in OPTIONS:
                raise SparkError(
                    f"the data source esdh has no option {name!r}{near(name, OPTIONS)}; it has {word_list(OPTIONS, 'and')}"
                )
        dataset = _dataset(values.get("plan"))
        table = _table(dataset, values.get("table"))
        numbers = {name: _integer(name, values[name]) for name in values.keys() & _INTEGERS}
        records, start = numbers.get("records", DEFAULT_RECORDS), numbers.get("start", 0)
        partitions = numbers.get("partitions")
        try:
            seed = check_seed(numbers.get("seed", DEFAULT_SEED))
            dataset.check_records(records)
        except CoreError as error:
            raise SparkError(str(error)) from None
        if not 0 <= start <= (last := dataset.max_records - records):
            raise SparkError(
                f"start {start} is not an integer from 0 to {last}: of {records} records the last would be past "
                f"{dataset.max_records - 1}, the last there can be"
            )
        if partitions is not None and not 1 <= partitions <= MAX_PARTITIONS:
            raise SparkError(f"partitions {partitions} is not an integer from 1 to {MAX_PARTITIONS}")
        fields = _fields(dataset, table, values.get("columns"))
        return cls(dataset, table.name, fields, records, seed, start, partitions)

    @property
    def source(self) -> Table:
        """The table that is read."""
        return self.dataset.table(self.table)

    def windows(self) -> list[Window]:
        """Return the partitions: ranges of whole blocks of the table; of a fixed table one, which is of no record."""
        table = self.source
        if table.is_fixed:
            return [(0, 0)]
        size = table.block_records
        first, last = self.start // size, (self.start + self.records - 1) // size
        blocks = last - first + 1
        parts = min(blocks, self.partitions or min(-(-blocks // _PARTITION_BLOCKS), _DEFAULT_PARTITIONS))
        bounds = [(first + blocks * part // parts) * size for part in range(parts + 1)]
        bounds[0], bounds[-1] = self.start, self.start + self.records
        return [(start, end - start) for start, end in itertools.pairwise(bounds)]

    def blocks(self, window: Window) -> Iterator[dict[str, Column]]:
        """Yield the columns of each block of a partition: of its fields, which are all that is drawn."""
        table = self.source
        if table.is_fixed:
            whole = self.dataset.block_of(table, self.dataset.block(0, 0, self.seed))
            yield {rule.name: rule.column(whole) for rule in table.rules if rule.name in self.fields}
            return
        start, count = window
        size, end = table.block_records, start + count
        while start < end:
            stop = min(end, (start // size + 1) * size)
            block = self.dataset.block(start, stop - start, self.seed)
            yield {rule.name: rule.column(block) for rule in table.rules if rule.name in self.fields}
            start = stop


def _dataset(plan: str | None) -> Dataset:
    if plan is None:
        return DEFAULT_DATASET
    try:
        return load_plan(plan)
    except PlanError as error:
        raise SparkError(str(error)) from None


def _table(dataset: Dataset, name: str | None) -> Table:
    tables = {each: table for table in dataset.tables for each in (table.name, table.singular) if each}
    known = f"it has {word_list((table.name for table in dataset.tables), 'and')}"
    if name is None:
        raise SparkError(
            f"the option 'table' is missing, which names a table of {dataset.dataset_version}; {known}"
        )
    if name not in tables:
        raise SparkError(f"{dataset.dataset_version} has no table {name!r}{near(name, tables)}; {known}")
    return tables[name]


def _integer(name: str, value: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,30}", value):
        raise SparkError(f"the option {name!r} takes an integer, and {value!r} is none")
    return int(value)


def _fields(dataset: Dataset, table: Table, columns: str | None) -> tuple[str, ...]:
    if columns is None:
        return table.fields
    names = tuple(name.strip() for name in columns.split(","))
    for name in names:
        if name not in table.fields:
            raise SparkError(
                f"{table.name} of {dataset.dataset_version} has no column {name!r}{near(name, table.fields)}"
            )
    if len(set(names)) < len(names):
        raise SparkError(f"the option 'columns' names a column twice: {columns!r}")
    return names
