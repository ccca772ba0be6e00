"""What the seed gives for a table of a load: its rows, a block at a time, and which rows of a database are of it."""

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from esdh_core import BLOCK_RECORDS, Dataset, Table
from esdh_core.dataset import Block
from esdh_export import EncodedBlock, block_digest, schema
from esdh_proof.reencode import column_digests
from numpy.typing import NDArray

from esdh_load.records import Load

__all__ = ["ExpectedBlock", "ExpectedTable", "row_key"]


class ExpectedBlock(NamedTuple):
    """The rows of a block: their slots in ascending order, and a batch of the table's own schema."""

    slots: NDArray[np.int64]
    rows: pa.RecordBatch


class ExpectedTable:
    """The rows of one table of a load; a block is as in the content digest, but all rows of a fixed table are one."""

    def __init__(self, load: Load, dataset: Dataset, table: Table) -> None:
        self.load = load
        self.dataset = dataset
        self.table = table
        self._block = lru_cache(maxsize=2)(self._make)
        self._counts: dict[int, int] = {}

    @cached_property
    def blocks(self) -> int:
        """How many blocks there are."""
        return 1 if self.table.is_fixed else -(-self.load.records // self.table.block_records)

    def block(self, number: int) -> ExpectedBlock:
        """Return a block's rows, made again from the seed."""
        block = self._block(number)
        encoded = EncodedBlock({self.table.name: self.table.columns(block)})
        arrays = [encoded.array(column) for column in encoded.columns[self.table.name].values()]
        return ExpectedBlock(
            self._slots(block), pa.RecordBatch.from_arrays(arrays, schema=schema(self.table))
        )

    def count(self, number: int) -> int:
        """Return how many rows a block has; cheaper than its rows."""
        if number not in self._counts:
            self._counts[number] = len(self._slots(self._block(number)))
        return self._counts[number]

    def keys(self, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        """Yield the values of some fields of all rows, a batch a block."""
        rules = [rule for rule in self.table.rules if rule.name in names]
        for number in range(self.blocks):
            block = self._block(number)
            encoded = EncodedBlock({})
            arrays = [encoded.array(rule.column(block)) for rule in rules]
            yield pa.RecordBatch.from_arrays(arrays, names=[rule.name for rule in rules])

    def block_numbers(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the block that a row stands in, by its slot; -1 for a slot past the load's records."""
        tops = slots // self.table.span
        most = self.load.records if self.table.top.rows is None else self.table.top.rows
        numbers = np.zeros_like(tops) if self.table.is_fixed else tops // self.table.block_records
        return np.where((slots >= 0) & (tops < most), numbers, -1)

    def digests(self, rows: pa.RecordBatch) -> list[bytes]:
        """Return the block digests, raw, of rows of a block of this table in the order of their slots."""
        if not self.table.is_fixed:
            return [self._digest(rows)]
        return [self._digest(rows.slice(at, BLOCK_RECORDS)) for at in range(0, len(rows), BLOCK_RECORDS)]

    def _digest(self, rows: pa.RecordBatch) -> bytes:
        arrays = dict(zip(self.table.fields, rows.columns, strict=True))
        return block_digest(column_digests(arrays, self.table) if len(rows) else [])

    def _make(self, number: int) -> Block:
        dataset, load = self.dataset, self.load
        if self.table.is_fixed:
            return dataset.block_of(self.table, dataset.block(0, 0, load.seed))
        start = number * self.table.block_records
        return dataset.block(start, min(self.table.block_records, load.records - start), load.seed)

    def _slots(self, block: Block) -> NDArray[np.int64]:
        return block.level(self.table).slots.astype(np.int64)


def row_key(table: Table) -> tuple[str, ...]:
    """Return the fields that name a row of a load: its id, its key, or a unique field; none where there are none."""
    if (own := table.field_with("id")) is not None:
        return (own,)
    nullable = {field.name for field in table.schema if field.nullable}
    unique = [rule.name for rule in table.rules if rule.role == "unique" and rule.name not in nullable]
    return table.key or tuple(unique[:1])
