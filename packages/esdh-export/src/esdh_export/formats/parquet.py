"""Parquet: date32, int64, zstd, a row group a block, the synthetic marker and the seed in the file's metadata."""

import pyarrow as pa
import pyarrow.parquet as pq
from esdh_core import BLOCK_RECORDS
from esdh_core.columns import FixedText, Joined
from esdh_core.rules import Block, Entity

from esdh_export.arrow import BlockArrays, schema
from esdh_export.files import HashedFile

__all__ = ["EXTENSION", "Writer"]

EXTENSION = "parquet"


class Writer:
    """Writes one entity's blocks to one Parquet file, a row group a block."""

    def __init__(self, sink: HashedFile, entity: Entity, *, seed: int) -> None:
        self._entity = entity
        self._schema = schema(entity, seed=seed)
        self._file = pa.PythonFile(sink, mode="w")
        # A dictionary of values that are all different only costs: the writer builds it, then gives it up.
        kinds = entity.columns(Block(seed=seed, start=0, count=0))
        repeating = [name for name, column in kinds.items() if not isinstance(column, FixedText | Joined)]
        self._writer = pq.ParquetWriter(
            self._file, self._schema, compression="zstd", store_schema=False, use_dictionary=repeating
        )
        self._writer.add_key_value_metadata(self._schema.metadata)

    def write(self, block: BlockArrays) -> None:
        """Append the rows of a block as a row group."""
        self._writer.write_batch(block.batch(self._entity, self._schema), row_group_size=BLOCK_RECORDS)

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()
