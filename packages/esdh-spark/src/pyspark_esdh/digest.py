"""The content digest of a DataFrame, computed on the cluster: its rows are shuffled to their blocks, and hashed there.

Rows of a DataFrame have no order. Each is put back where it stands by the id that it holds, so that the digest
depends on the rows alone, and not on files and partitions.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import BLOCK_RECORDS, DEFAULT_RECORDS, DEFAULT_SEED, Table
from esdh_export import EncodedBlock, array_digest, block_digest, entity_digest
from numpy.typing import NDArray

from pyspark_esdh.errors import SparkError
from pyspark_esdh.lookup import record_fields
from pyspark_esdh.request import ReadRequest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["content_digest"]

# No field of a table begins with an underscore.
_BLOCK: Final = "_esdh_block"
_SLOT: Final = "_esdh_slot"
_RESULT: Final = f"{_BLOCK} bigint, digests binary, fault string"
_ID_WIDTH: Final = 36
_ELSEWHERE: Final = -1  # the block of a row that no block of the table has


def content_digest(
    df: "DataFrame",
    *,
    table: str,
    plan: str | Path | None = None,
    records: int = DEFAULT_RECORDS,
    seed: int = DEFAULT_SEED,
) -> str:
    """Return the content digest of a DataFrame that has a table's rows, in lowercase hexadecimal.

    It is the one that the manifest of a snapshot gives as the table's `content`, and that the data source's rows have,
    exactly when the DataFrame has the same rows, in whatever order. They are shuffled once; of each block 32 bytes
    reach the driver.

    `plan`, `table`, `records` and `seed` say whose rows they are, as the options of the data source do. Raises
    SparkError where columns aren't the table's, for a row that is none of the table's rows by its id or key, and for
    a table of which no field holds the id of a row of its record.
    """
    options = {"table": table, "records": str(records), "seed": str(seed)}
    order = _Order.of(ReadRequest.parse(options if plan is None else options | {"plan": str(plan)}))
    _check_columns(df, order.request)
    rows = df.select(*order.request.fields)
    columns = [f"`{field.name}` {field.dataType.simpleString()}" for field in rows.schema]

    # Spark reads the types of these two, so they are functions of their own; what they hold pickles by a recipe.
    def place(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return _place(order, batches)

    def digest(block: pa.Table) -> pa.Table:
        return _hash(order, block)

    placed = rows.mapInArrow(place, ", ".join([*columns, f"{_BLOCK} bigint", f"{_SLOT} bigint"]))
    digests: dict[int, bytes] = {}
    for row in placed.groupBy(_BLOCK).applyInArrow(digest, _RESULT).collect():
        if row["fault"] is not None:
            raise SparkError(row["fault"])
        digests[row[_BLOCK]] = bytes(row["digests"])
    return order.entity_digest(digests)


def _check_columns(df: "DataFrame", request: ReadRequest) -> None:
    from pyspark_esdh.schema import spark_schema

    own = spark_schema(request)
    where = f"the DataFrame isn't {request.table} of {request.dataset.dataset_version}"
    for name in own.names:
        if name not in df.columns:
            raise SparkError(f"{where}: it has no column {name!r}")
    for name in df.columns:
        if name not in own.names:
            raise SparkError(f"{where}: it has a column {name!r}, which the table hasn't; drop it first")
    for field in own:
        found = df.schema[field.name].dataType
        if found != field.dataType:
            raise SparkError(
                f"{where}: {field.name} is {found.simpleString()}, not {field.dataType.simpleString()}"
            )


@dataclass(frozen=True, slots=True)
class _Order:
    """Where each row of a table stands: in the block of the record that `field` says, an id of a row of `owner`.

    With `by_slot` the id is of one row alone, and its slot is the row's place; else rows are found among those that
    the block has. A fixed table may have no such field; all its rows are one group.
    """

    request: ReadRequest
    field: str | None = None
    owner: str = ""
    by_slot: bool = False

    @classmethod
    def of(cls, request: ReadRequest) -> "_Order":
        """Return the order of a table's rows. Raises SparkError where none can be found."""
        dataset, table = request.dataset, request.source
        nullable = {field.name for field in table.schema if field.nullable}
        owners = {
            name: owner.name for name, owner in record_fields(dataset, table).items() if name not in nullable
        }
        for rule in table.rules:
            if rule.name in owners and dataset.is_unique(table, rule):
                return cls(request, rule.name, owners[rule.name], True)
        if table.is_fixed:
            return cls(request)
        if not owners:
            raise SparkError(
                f"{table.name} of {dataset.dataset_version} has no field that always holds the id of a row of its record, "
                "by which its rows could be put in their order; give it an id, or a copy of its parent's"
            )
        field, owner = next(iter(owners.items()))
        return cls(request, field, owner)

    @property
    def block_records(self) -> int:
        """The records of a block."""
        return self.request.source.block_records

    @property
    def blocks(self) -> int:
        """The number of groups of rows: blocks, or one for all rows of a fixed table."""
        return 1 if self.request.source.is_fixed else -(-self.request.records // self.block_records)

    def places(self, batch: pa.RecordBatch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the block and the slot of each row; the slot means nothing where rows have none of their own."""
        if self.field is None:
            zeros = np.zeros(len(batch), dtype=np.int64)
            return zeros, zeros
        request, owner = self.request, self.request.dataset.table(self.owner)
        slots, known = request.dataset.ids.slots_of(
            request.seed, owner.entity, _id_texts(batch.column(self.field))
        )
        numbers = slots // np.uint64(owner.span)
        rows = owner.top.rows
        known &= numbers < (request.records if rows is None else rows)
        blocks = numbers // np.uint64(self.block_records) if rows is None else np.zeros_like(numbers)
        return np.where(known, blocks.astype(np.int64), _ELSEWHERE), slots.astype(np.int64)

    def positions(self, rows: pa.Table, block: int) -> NDArray[np.int64]:
        """Return where each row of a block stands among them. Raises SparkError for a row that the block hasn't."""
        if self.by_slot:
            slots: NDArray[np.int64] = rows.column(_SLOT).to_numpy()
            return slots
        table, size = self.request.source, self.block_records
        key = table.key or table.fields
        window = block * size, min(size, self.request.records - block * size)
        own: dict[tuple[object, ...], list[int]] = {}
        for columns in replace(self.request, fields=key).blocks(window):
            encoded = EncodedBlock({table.name: columns})
            values = (encoded.array(columns[name]).to_pylist() for name in key)
            for position, row in enumerate(zip(*values, strict=True)):
                own.setdefault(row, []).append(position)
        found = []
        for row in zip(*(rows.column(name).to_pylist() for name in key), strict=True):
            left = own.get(row)
            if not left:
                values_of_key = ", ".join(f"{name} {value!r}" for name, value in zip(key, row, strict=True))
                raise SparkError(f"{self._where} has no row, or no further one, with {values_of_key}")
            found.append(left.pop(0))
        return np.array(found, dtype=np.int64)

    def entity_digest(self, digests: Mapping[int, bytes]) -> str:
        """Return the digest of the table from those of its groups of rows."""
        none = (
            b"" if self.request.source.is_fixed else block_digest([])
        )  # without rows, a fixed table has no block
        return entity_digest(digests.get(block, none) for block in range(self.blocks))

    def stranger(self, rows: pa.Table) -> str:
        """Return the sentence for rows that are in no block."""
        value = rows.column(self.field)[0].as_py()
        return f"{self._where} has no row with {self.field} {value!r}"

    @property
    def _where(self) -> str:
        request = self.request
        within = "" if request.source.is_fixed else f" in its first {request.records} records"
        return f"{request.table} of {request.dataset.dataset_version}, seed {request.seed},{within}".rstrip(
            ","
        )


def _id_texts(column: pa.Array) -> NDArray[np.uint8]:
    """Return texts as a matrix of 36 bytes each; one of another length, or a null, as an id that nobody has."""
    fits = pc.fill_null(pc.equal(pc.binary_length(column), _ID_WIDTH), False)
    fixed = pc.if_else(fits, column, "-" * _ID_WIDTH).cast(pa.binary()).cast(pa.binary(_ID_WIDTH))
    data = np.frombuffer(fixed.buffers()[1], dtype=np.uint8)
    return data.reshape(-1, _ID_WIDTH)[fixed.offset : fixed.offset + len(fixed)]


def _place(order: _Order, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield batches with the block and the slot of each row; of rows that are in no block, the first of each batch."""
    for batch in batches:
        if not len(batch):
            continue
        blocks, slots = order.places(batch)
        batch = batch.append_column(_BLOCK, pa.array(blocks)).append_column(_SLOT, pa.array(slots))  # noqa: PLW2901
        strangers = np.flatnonzero(blocks == _ELSEWHERE)
        if len(strangers) > 1:  # any number of them would gather in one place, and one is enough to fail
            remaining = blocks != _ELSEWHERE
            remaining[strangers[0]] = True
            batch = batch.filter(pa.array(remaining))  # noqa: PLW2901
        yield batch


def _hash(order: _Order, rows: pa.Table) -> pa.Table:
    """Return the digest of a block, of a fixed table those of all its blocks, or what is wrong with its rows."""
    block = rows.column(_BLOCK)[0].as_py()
    digests, fault = b"", None
    try:
        if block == _ELSEWHERE:
            raise SparkError(order.stranger(rows))
        rows = rows.take(np.argsort(order.positions(rows, block), kind="stable"))
        size = BLOCK_RECORDS if order.request.source.is_fixed else len(rows)
        digests = b"".join(
            _digest(order.request.source, rows.slice(at, size)) for at in range(0, len(rows), size)
        )
    except ValueError as error:
        fault = str(error)
    return pa.table(
        {
            _BLOCK: [block],
            "digests": pa.array([digests], pa.binary()),
            "fault": pa.array([fault], pa.string()),
        }
    )


def _digest(table: Table, rows: pa.Table) -> bytes:
    return block_digest(
        array_digest(rows.column(field.name).combine_chunks(), nullable=field.nullable)
        for field in table.schema
    )
