"""The content digest of a DataFrame, on a cluster: the manifest's, for what Spark wrote and for what it made."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from esdh_export import WrittenSnapshot
from pyspark_esdh import SparkError, content_digest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BANK = {"plan": "bank", "records": 9_000, "seed": 7}  # of the fixture `snapshot`


@pytest.mark.parametrize("table", ["merchants", "customers", "transactions"])
def test_what_spark_writes_has_the_manifests_digest(
    spark: "SparkSession", snapshot: WrittenSnapshot, tmp_path: Path, table: str
) -> None:
    """Rows that Spark wrote to Parquet in another order and read back have the digest of the snapshot's manifest."""
    import pyspark.sql.functions as F  # noqa: N812 - as everybody calls it

    rows = spark.read.format("esdh").options(**BANK, table=table, partitions=3).load()
    rows.orderBy(F.rand(1)).write.parquet(str(tmp_path / table))
    written = spark.read.parquet(str(tmp_path / table))
    expected = snapshot.manifest.content[table]
    assert expected == content_digest(written, table=table, plan="bank", records=9_000, seed=7)
    assert expected == content_digest(rows, table=table, plan="bank", records=9_000, seed=7)


def test_changed_row_has_another_digest(spark: "SparkSession", snapshot: WrittenSnapshot) -> None:
    """One value that was changed gives another digest."""
    import pyspark.sql.functions as F  # noqa: N812 - as everybody calls it

    rows = spark.read.format("esdh").options(**BANK, table="customers").load()
    first = rows.head().customer_id
    changed = rows.withColumn(
        "synthetic_source", F.when(rows.customer_id == first, "x").otherwise(rows.synthetic_source)
    )
    digest = content_digest(changed, table="customers", plan="bank", records=9_000, seed=7)
    assert snapshot.manifest.content["customers"] != digest


def test_what_is_no_row_of_the_table_is_named(spark: "SparkSession") -> None:
    """Rows of another seed, columns that differ and options that can't be get one sentence."""
    rows = spark.read.format("esdh").options(**BANK, table="merchants").load()
    customers = spark.read.format("esdh").options(**BANK, table="customers").load()
    with pytest.raises(
        SparkError, match="customers of bank v1, seed 8, in its first 9000 records has no row with"
    ):
        content_digest(customers, table="customers", plan="bank", records=9_000, seed=8)
    with pytest.raises(SparkError, match="the DataFrame isn't merchants of bank v1: it has no column 'name'"):
        content_digest(rows.drop("name"), table="merchants", plan="bank")
    with pytest.raises(SparkError, match="it has a column 'more', which the table hasn't; drop it first"):
        content_digest(rows.withColumn("more", rows.name), table="merchants", plan="bank")
    with pytest.raises(SparkError, match="merchant_id is int, not bigint"):
        content_digest(
            rows.withColumn("merchant_id", rows.merchant_id.cast("int")), table="merchants", plan="bank"
        )
    with pytest.raises(SparkError, match="did you mean 'merchants'"):
        content_digest(rows, table="merchant", plan="bank")
