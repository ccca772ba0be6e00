"""The data source `esdh`: what Spark calls to learn the schema, to plan a read, and to read a partition."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from esdh_export import EncodedBlock
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import StructType

from pyspark_esdh.lookup import record_fields, records_of
from pyspark_esdh.request import ReadRequest, Window
from pyspark_esdh.schema import arrow_schema, check_schema, spark_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.datasource import Filter

__all__ = ["DefaultSource", "Reader", "RecordRanges"]

_LOOKUPS = 1_024  # records that are looked up, one by one, in one partition
_BATCH_ROWS = 1 << 16  # of a fixed table; every other comes in blocks of about as many


class DefaultSource(DataSource):
    """Rows of a table that exist nowhere: `spark.read.format("esdh").option("table", ...).load()`.

    The options are `plan`, `table`, `records`, `seed`, `start`, `partitions` and `columns`.
    """

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return "esdh"

    @cached_property
    def request(self) -> ReadRequest:
        """What is read: it is made once, on the driver, and travels with its compiled plan."""
        return ReadRequest.parse(self.options)

    def schema(self) -> StructType:
        """Return the schema of the table: names, types, nullability and comments."""
        return spark_schema(self.request)

    def reader(self, schema: StructType) -> "Reader":
        """Return a reader of the rows. Raises SparkError where the schema isn't the table's."""
        check_schema(schema, self.request)
        return Reader(self.request, schema)


@dataclass(frozen=True)
class RecordRanges(InputPartition):
    """A partition: ranges of records, each its first and how many."""

    windows: tuple[Window, ...]


class Reader(DataSourceReader):
    """Plans the partitions of a read on the driver, and makes the rows of one wherever Spark runs it."""

    def __init__(self, request: ReadRequest, schema: StructType) -> None:
        self.request = request
        self.schema = schema
        self.records: list[int] | None = None  # that can have a row, where a filter says so

    @property
    def pushFilters(self) -> "_Push":  # noqa: N802 - Spark's name
        """What Spark calls with the filters of a query, where its configuration has filter push-down on."""
        return _Push(self)

    def partitions(self) -> list[RecordRanges]:
        """Return ranges of whole blocks; where ids are looked up, their records alone."""
        if self.records is None or self.request.source.is_fixed:
            return [RecordRanges((window,)) for window in self.request.windows()]
        found = [(number, 1) for number in self.records]
        chunks = range(
            0, len(found) or 1, _LOOKUPS
        )  # one partition where there is none: no partition means all to Spark
        return [RecordRanges(tuple(found[at : at + _LOOKUPS])) for at in chunks]

    def read(self, partition: RecordRanges) -> "Iterator[pa.RecordBatch]":
        """Yield the rows of a partition, a block a batch."""
        import pyarrow as pa

        schema = arrow_schema(self.request, self.schema)
        name = self.request.table
        for window in partition.windows:
            for columns in self.request.blocks(window):
                block = EncodedBlock({name: columns})
                arrays = [block.array(columns[field]) for field in self.request.fields]
                batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
                for start in range(0, batch.num_rows, _BATCH_ROWS) if self.request.source.is_fixed else (0,):
                    yield batch.slice(start, _BATCH_ROWS)

    def narrow(self, filters: "Iterable[Filter]") -> None:
        """Keep to the records that can have a row of which all filters hold."""
        from pyspark.sql.datasource import EqualTo, In

        request = self.request
        fields = record_fields(request.dataset, request.source)
        known = range(request.start, request.start + request.records)
        for each in filters:
            if not isinstance(each, EqualTo | In):
                continue
            owner = fields.get(each.attribute[0])
            if owner is None:
                continue
            values = each.value if isinstance(each, In) else (each.value,)
            found = {
                record
                for record in records_of(request.dataset, owner, values, seed=request.seed)
                if record in known
            }
            self.records = sorted(found if self.records is None else found.intersection(self.records))


class _Push:
    """What stands in a reader for its method `pushFilters`.

    Spark refuses a reader with a `pushFilters` of its own unless its configuration has filter push-down on, which by
    default it hasn't. `__func__` is what it looks at; the inherited one there lets a read work either way.
    """

    __func__ = staticmethod(DataSourceReader.pushFilters)

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __call__(self, filters: "list[Filter]") -> "list[Filter]":
        """Narrow the read to what the filters can hold of; Spark goes on to judge every row by all of them."""
        self._reader.narrow(filters)
        return filters
