"""Parquet: types as Arrow has them, zstd, a row group a block, the synthetic marker and the seed in the file's metadata."""

from esdh_core import BLOCK_RECORDS, Dataset, Table
from esdh_core.columns import Categorical, Integer, Numbers
from esdh_core.overlay import FileShape

from esdh_export.encoding.block import EncodedBlock
from esdh_export.io.hashed_file import HashedFile

__all__ = ["EXTENSION", "MEDIA_TYPE", "RANK", "Writer"]

EXTENSION = "parquet"
MEDIA_TYPE = "application/vnd.apache.parquet"
RANK = 1  # it holds the types
_GATHERED_BYTES = 1 << 20  # pages are written one by one, and most are small
_PAGE_BYTES = 16 << 20  # more than the texts of any column of a block take
_FEW_NUMBERS = 1 << 14  # that a dictionary is worth building for


class Writer:
    """Writes one table's blocks to one Parquet file, a row group a block.

    Categorical columns are given to Arrow as indices into a dictionary, which it stores as they are; in the file
    they are texts like any other.
    """

    def __init__(
        self,
        sink: HashedFile,
        table: Table,
        *,
        dataset: Dataset,
        seed: int,
        shape: FileShape = FileShape(),  # noqa: ARG002, B008 - of text formats; a tuple
    ) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        from esdh_export.encoding.schema import schema

        self._table = table
        named = schema(table, dataset=dataset, seed=seed)
        nothing = dataset.block(0, 0, seed)
        of = dataset.block_of(dataset.table(table.name), nothing) if table.is_fixed else nothing
        kinds = table.columns(of)
        indexed = pa.dictionary(pa.int32(), pa.string())
        self._schema = pa.schema(
            [
                field.with_type(indexed) if isinstance(kinds[field.name], Categorical) else field
                for field in named
            ]
        )
        # Values that hardly repeat gain nothing by a dictionary, which the writer builds and then gives up: they are
        # PLAIN, which every reader has. A block of random rows holds nearly every text that there is, so that the
        # least and the greatest would help no reader to skip it.
        self._file = pa.BufferedOutputStream(pa.PythonFile(sink, mode="w"), _GATHERED_BYTES)
        self._writer = pq.ParquetWriter(
            self._file,
            self._schema,
            compression="zstd",
            store_schema=False,
            data_page_size=_PAGE_BYTES,  # one page a column of a block: nothing is begun twice
            max_rows_per_page=BLOCK_RECORDS,
            write_batch_size=BLOCK_RECORDS,
            use_dictionary=[name for name, column in kinds.items() if _few_values(column)],
            write_statistics=[name for name, column in kinds.items() if isinstance(column, Numbers)],
        )
        self._writer.add_key_value_metadata(named.metadata)

    def write(self, block: EncodedBlock) -> None:
        """Append the rows of a block as a row group."""
        import pyarrow as pa

        if not len(next(iter(block.columns[self._table.name].values()))):
            return  # a row group has rows
        arrays = block.arrays(self._table.name)
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        self._writer.write_batch(
            batch, row_group_size=max(BLOCK_RECORDS, len(batch))
        )  # some rows are there twice

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()
        self._file.flush()


def _few_values(column: object) -> bool:
    """Return whether a column's values repeat so often that a dictionary of them is worth its place."""
    few = isinstance(column, Integer) and column.high - column.low < _FEW_NUMBERS
    return few or isinstance(column, Categorical)
