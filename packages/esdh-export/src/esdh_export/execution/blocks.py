"""The blocks of a shard: records made some at a time, and a table's columns joined until its block is whole."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from esdh_core import BLOCK_RECORDS, Table
from esdh_core.columns import Column, concatenate
from esdh_core.dataset import Block
from esdh_core.overlay import DefectiveRows, Edits

from esdh_export.request import Shard, SnapshotRequest

__all__ = ["BlockJoiner", "fixed_blocks", "record_steps"]

Columns = dict[str, dict[str, Column]]


def record_steps(request: SnapshotRequest, shard: Shard) -> Iterator[Block]:
    """Yield the records of a shard, of which nothing is computed yet, by as many as the smallest block has."""
    size = min(table.block_records for table in request.tables_of(shard))
    for done in range(0, shard.count, size):
        yield request.dataset.block(shard.start + done, min(size, shard.count - done), request.seed)


class BlockJoiner:
    """Joins the columns of the records that follow each other, so that every table has blocks of its own size."""

    def __init__(self, request: SnapshotRequest, tables: Sequence[Table]) -> None:
        self._request = request
        self._waiting: dict[Table, list[Mapping[str, Column]]] = {table: [] for table in tables}
        self._edits: dict[Table, list[tuple[int, Edits]]] = {table: [] for table in tables}

    def ends(self, table: Table, stop: int) -> bool:
        """Return whether a block of a table ends with the records before `stop`."""
        return any(stop % size == 0 for size in (table.block_records, self._request.shard_rows)) or (
            stop == self._request.records
        )

    def add(self, records: Block, columns: Mapping[str, Mapping[str, Column]]) -> Columns:
        """Take the columns of the next records by table; return the blocks that end with them.

        A block of these records alone has their very columns.
        """
        ended: Columns = {}
        for table, parts in self._waiting.items():
            parts.append(columns[table.name])
            if self.ends(table, records.start + records.count):
                ended[table.name] = {
                    name: concatenate([part[name] for part in parts]) for name in table.fields
                }
                parts.clear()
        return ended

    def add_defective(
        self, records: Block, rows: Mapping[str, DefectiveRows]
    ) -> tuple[Columns, dict[str, Edits]]:
        """Take the next records, of which some cells are wrong; return the blocks that end with them, and what is wrong there."""
        edits: dict[str, Edits] = {}
        for table, parts in self._edits.items():
            of = rows[table.name]
            parts.append((len(next(iter(of.columns.values()))), of.edits))
            if self.ends(table, records.start + records.count):
                edits[table.name] = Edits.concatenate(parts)
                parts.clear()
        return self.add(records, {name: of.columns for name, of in rows.items()}), edits


def fixed_blocks(table: Table, whole: Block) -> Iterator[dict[str, Column]]:
    """Yield the columns of the blocks of a fixed table out of its rows: 65,536 a block, whatever the records."""
    columns = table.columns(whole)
    rows = len(next(iter(columns.values())))
    for start in range(0, rows, BLOCK_RECORDS):
        at = np.arange(start, min(start + BLOCK_RECORDS, rows))
        yield (
            {name: column.take(at) for name, column in columns.items()} if rows > BLOCK_RECORDS else columns
        )
