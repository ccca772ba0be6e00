"""A real Spark cluster on this machine: a driver, and two workers whose executors are processes of their own."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from esdh_export import SnapshotRequest, WrittenSnapshot, write_snapshot
from esdh_plan import load_plan

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PARTS = {
    "pyspark, which `just test-spark` brings": importlib.util.find_spec("pyspark"),
    "Java 17 or later, such as Debian's openjdk-17-jre-headless": shutil.which("java"),
}
MISSING = [name for name, found in PARTS.items() if not found]
RECORDS, SEED = 9_000, 7  # of transactions five blocks


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests here where a part is missing; under CI nothing is skipped: it fails. PySpark warns of pandas 3."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
            )
            if MISSING and os.environ.get("CI") != "true":
                item.add_marker(pytest.mark.skip(reason=f"needs {' and '.join(MISSING)}"))


@pytest.fixture(scope="session")
def spark_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of the installed PySpark, in one that workers may write into."""
    import pyspark

    home = tmp_path_factory.mktemp("spark-home")
    for part in Path(pyspark.__file__).parent.iterdir():
        (home / part.name).symlink_to(part)
    os.environ |= {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
    return home


@pytest.fixture(scope="module")
def master() -> str:
    """The cluster: two workers with an executor of one core and 1 GB each."""
    return "local-cluster[2,1,1024]"


@pytest.fixture(scope="module")
def spark(spark_home: Path, master: str) -> Iterator["SparkSession"]:
    """A session with speculation and filter push-down, in a time zone that isn't UTC."""
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master(master)
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.local.dir", str(spark_home / "local"))
        .config("spark.sql.warehouse.dir", str(spark_home / "warehouse"))
        .config("spark.sql.session.timeZone", "America/New_York")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.python.filterPushdown.enabled", "true")
        .config("spark.speculation", "true")
        .config("spark.speculation.quantile", "0.5")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> WrittenSnapshot:
    """The same records as a snapshot, in Parquet."""
    request = SnapshotRequest(dataset=load_plan("bank"), records=RECORDS, seed=SEED, formats=("parquet",))
    return write_snapshot(tmp_path_factory.mktemp("snapshot") / "bank", request)
