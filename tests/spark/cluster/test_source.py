"""The data source on a cluster: the snapshot's rows, whoever makes them and however often."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from esdh_core import encode_id
from esdh_export import WrittenSnapshot
from esdh_plan import load_plan, plans

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

RECORDS, SEED = 9_000, 7  # of the fixture `snapshot`
BANK = {"plan": "bank", "records": RECORDS, "seed": SEED}
Read = Callable[..., "DataFrame"]


@pytest.fixture
def read(spark: "SparkSession") -> Read:
    """Return a function that reads with options."""
    return lambda **options: spark.read.format("esdh").options(**options).load()


def _of_snapshot(snapshot: WrittenSnapshot, table: str) -> pa.Table:
    assert isinstance(snapshot.folder, Path)
    return pq.read_table(snapshot.folder / snapshot.manifest.files[f"{table}_parquet"])


def _sentence(error: Exception) -> str:
    """Return the sentence that stands last in what Spark says of an error in Python."""
    lines = [line for line in str(error).splitlines() if line.startswith("pyspark_esdh.errors.SparkError: ")]
    return lines[-1].removeprefix("pyspark_esdh.errors.SparkError: ")


@pytest.mark.parametrize("table", ["merchants", "customers", "transactions"])
def test_schema_is_the_tables(read: Read, table: str) -> None:
    """Names, nullability and comments are the table's, and the types those that Spark reads from a snapshot."""
    fields = load_plan("bank").table(table).schema
    schema = read(plan="bank", table=table).schema
    assert [(field.name, field.nullable, {"comment": field.description}) for field in fields] == [
        (field.name, field.nullable, field.metadata) for field in schema
    ]


@pytest.mark.parametrize("partitions", [1, 2, 5, 1_000])
def test_rows_are_the_snapshots(read: Read, snapshot: WrittenSnapshot, partitions: int) -> None:
    """Every partitioning gives the rows of the snapshot's Parquet, in its order, and no more parts than blocks."""
    rows = read(**BANK, table="transactions", partitions=partitions)
    assert min(partitions, 5) == rows.rdd.getNumPartitions()
    expected = _of_snapshot(snapshot, "transactions")
    assert expected == rows.toArrow().cast(expected.schema).replace_schema_metadata(expected.schema.metadata)


def test_types_are_those_that_spark_reads_from_a_snapshot(
    spark: "SparkSession", read: Read, snapshot: WrittenSnapshot
) -> None:
    """Spark finds the same types in the snapshot's Parquet, and in every table the same rows."""
    for table in load_plan("bank").tables:
        assert isinstance(snapshot.folder, Path)
        parquet = spark.read.parquet(str(snapshot.folder / snapshot.manifest.files[f"{table.name}_parquet"]))
        rows = read(**BANK, table=table.name)
        assert parquet.dtypes == rows.dtypes
        assert (0, 0) == (parquet.exceptAll(rows).count(), rows.exceptAll(parquet).count())


def _kill_executor(marker: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return a function that once, in the second partition and after its first rows, kills its executor."""

    def rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        for batch in batches:
            yield batch
            task = TaskContext.get()
            if task is not None and task.partitionId() == 1 and not Path(marker).exists():
                executor = next(each for each in psutil.Process().parents() if each.name() == "java")
                Path(marker).write_text(str(executor.pid), encoding="ascii")
                os.kill(executor.pid, signal.SIGKILL)

    return rows


def test_killed_executor_changes_nothing(read: Read, snapshot: WrittenSnapshot, tmp_path: Path) -> None:
    """An executor that is killed in the middle of a write has its partitions made again elsewhere, the same."""
    marker = tmp_path / "killed"
    rows = read(**BANK, table="transactions", partitions=4)
    rows.mapInArrow(_kill_executor(str(marker)), rows.schema).write.parquet(str(tmp_path / "out"))
    assert not psutil.pid_exists(int(marker.read_text(encoding="ascii")))
    expected = _of_snapshot(snapshot, "transactions")
    found = pq.read_table(tmp_path / "out").cast(expected.schema)
    order = "transaction_id"
    assert expected.sort_by(order) == found.sort_by(order).replace_schema_metadata(expected.schema.metadata)


def test_plan_file_is_read_once(read: Read, tmp_path: Path) -> None:
    """A plan of one's own is read when the DataFrame is made: executors need no file."""
    file = tmp_path / "own.yaml"
    file.write_text(plans.source("shop"), encoding="utf-8")
    rows = read(plan=str(file), table="orders", records=3, seed=SEED)
    expected = read(plan="shop", table="orders", records=3, seed=SEED).collect()
    file.unlink()
    assert expected == rows.collect()


def test_columns_are_chosen_by_option(read: Read) -> None:
    """`columns` gives the DataFrame these columns alone, in the order asked for."""
    rows = read(**BANK, table="transactions", columns="amount, transaction_id")
    assert ["amount", "transaction_id"] == rows.columns
    expected = read(**BANK, table="transactions").select("amount", "transaction_id")
    assert expected.head(5) == rows.head(5)


def test_id_in_a_table_of_eight_billion_records_is_one_record(read: Read) -> None:
    """Equality on an id plans one partition, whatever the size of the table, and gives the row."""
    record = 8_000_000_000
    dataset = load_plan("bank")
    expected = dataset.columns(record, 1, SEED, tables=["transactions"])["transactions"]
    rows = read(plan="bank", table="transactions", records=2**33, seed=SEED)
    ids = expected["transaction_id"].tolist()
    one = rows.where(rows.transaction_id == ids[-1])
    assert 1 == one.rdd.getNumPartitions()
    assert [expected["amount"].tolist()[-1]] == [row.amount for row in one.collect()]
    account = expected["account_id"].tolist()[0]
    of_account = rows.where(rows.account_id == account)
    assert 1 == of_account.rdd.getNumPartitions()
    assert expected["account_id"].tolist().count(account) == of_account.count()
    several = rows.where(rows.transaction_id.isin(ids[0], ids[1], "none"))
    assert 1 == several.rdd.getNumPartitions()
    assert ids[:2] == [row.transaction_id for row in several.collect()]


def test_id_that_no_row_has_gives_none(read: Read) -> None:
    """An id of another seed, table or record, a text that is none, and two ids at once give no row and plan one partition."""
    rows = read(**BANK, table="accounts")
    bank = load_plan("bank")
    others = {
        "seed": encode_id(SEED + 1, "accounts", 0, dataset=bank),
        "table": encode_id(SEED, "customers", 0, dataset=bank),
        "record": encode_id(SEED, "accounts", 4 * RECORDS, dataset=bank),
        "text": "none",
        "capitals": encode_id(SEED, "accounts", 0, dataset=bank).upper(),
    }
    for name, value in others.items():
        found = rows.where(rows.account_id == value)
        assert (name, 1, []) == (name, found.rdd.getNumPartitions(), found.collect())
    first, second = (encode_id(SEED, "accounts", slot, dataset=bank) for slot in (0, 4))
    assert [] == rows.where((rows.account_id == first) & (rows.customer_id == second)).collect()
    assert [] == rows.where((rows.account_id == first) & (rows.account_id == second)).collect()


def test_other_filters_are_sparks(read: Read) -> None:
    """A filter that says no record, and one that is negated, is judged by Spark row by row."""
    rows = read(plan="bank", table="accounts", records=100, seed=SEED)
    total = rows.count()
    first = rows.head().account_id
    assert total - 1 == rows.where(rows.account_id != first).count()
    assert total == rows.where((rows.account_id == first) | (rows.account_id != first)).count()
    states = {row.status for row in rows.select("status").collect()}
    assert total == sum(rows.where(rows.status == status).count() for status in states)


def test_many_ids_are_looked_up_in_parts(read: Read) -> None:
    """More ids than a partition looks up are cut into several, each record once."""
    rows = read(plan="bank", table="customers", records=5_000, seed=SEED, columns="customer_id")
    ids = [encode_id(SEED, "customers", record, dataset=load_plan("bank")) for record in range(0, 4_998, 2)]
    found = rows.where("customer_id IN ('" + "', '".join(ids) + "')")
    assert 3 == found.rdd.getNumPartitions()
    assert ids == [row.customer_id for row in found.collect()]


def test_reading_needs_no_push_down(spark: "SparkSession", read: Read) -> None:
    """Where Spark's filter push-down is off, as it is by default, the same rows are found by reading them all."""
    key = "spark.sql.python.filterPushdown.enabled"
    first = encode_id(SEED, "customers", 3, dataset=load_plan("bank"))
    spark.conf.set(key, "false")
    try:
        rows = read(**BANK, table="customers", partitions=2)
        assert [first] == [row.customer_id for row in rows.where(rows.customer_id == first).collect()]
        assert RECORDS == rows.count()
    finally:
        spark.conf.set(key, "true")


def test_view_in_sql(spark: "SparkSession") -> None:
    """SQL makes a view of it; a table of a catalog, which would lose its options, is refused with that advice."""
    from pyspark.errors import AnalysisException

    spark.sql("CREATE TEMPORARY VIEW shops USING esdh OPTIONS (plan 'bank', table 'merchants')")
    assert [(500,)] == [tuple(row) for row in spark.sql("SELECT count(*) FROM shops").collect()]
    with pytest.raises(AnalysisException) as refused:
        spark.sql("CREATE TABLE kept USING esdh OPTIONS (plan 'bank', table 'merchants')")
    assert "CREATE TEMPORARY VIEW" in _sentence(refused.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"plan": "bnak", "table": "accounts"}, "did you mean 'bank'?"),
        ({"plan": "bank", "table": "acounts"}, "did you mean 'accounts'?"),
        ({"plan": "bank", "table": "accounts", "record": 5}, "did you mean 'records'?"),
        (
            {"plan": "bank", "table": "accounts", "records": 2**33 + 1},
            "is not an integer from 1 to 8589934592",
        ),
        (
            {"plan": "bank", "table": "accounts", "partitions": 0},
            "partitions 0 is not an integer from 1 to 131072",
        ),
    ],
)
def test_bad_option_ends_in_one_sentence(read: Read, options: dict[str, Any], sentence: str) -> None:
    """What can't be read is refused by `load`, and the last line says what would be right."""
    from pyspark.errors import AnalysisException

    with pytest.raises(AnalysisException) as refused:
        read(**options)
    assert sentence in _sentence(refused.value)


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ("merchant_id bigint, nam string", "it has no column 'nam'; did you mean 'name'?"),
        ("merchant_id int", "merchant_id is bigint, not int"),
        ("merchant_id bigint", "its columns are merchant_id, "),
    ],
)
def test_schema_that_differs_is_refused(spark: "SparkSession", schema: str, sentence: str) -> None:
    """A schema that a user gives is the table's, or the last line says where it differs."""
    from pyspark.errors import AnalysisException

    reader = spark.read.format("esdh").options(plan="bank", table="merchants").schema(schema)
    with pytest.raises(AnalysisException) as refused:
        reader.load().collect()
    assert "the schema that was given differs from that of merchants of bank v1: " in _sentence(refused.value)
    assert sentence in _sentence(refused.value)


def test_own_schema_is_taken(spark: "SparkSession", read: Read) -> None:
    """The table's own schema, and one that only lets more be null, is taken."""
    from pyspark.sql.types import StructField, StructType

    rows = read(plan="bank", table="merchants")
    looser = StructType([StructField(field.name, field.dataType) for field in rows.schema])
    for schema in (rows.schema, looser):
        reader = spark.read.format("esdh").options(plan="bank", table="merchants").schema(schema)
        assert rows.collect() == reader.load().collect()


def test_streaming_is_refused(spark: "SparkSession") -> None:
    """A stream of rows that are there already is no stream: Spark says that the source has none."""
    from pyspark.errors import PySparkException

    with pytest.raises(PySparkException, match=r"[sS]tream"):
        spark.readStream.format("esdh").options(plan="bank", table="accounts").load().writeStream.format(
            "noop"
        ).start().awaitTermination()
