"""A standalone cluster of two hosts, between which Spark runs a slow task twice."""

import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from esdh_export import WrittenSnapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BANK = {"plan": "bank", "records": 9_000, "seed": 7}  # of the fixture `snapshot`


def _read_on(stream: IO[str]) -> None:
    """Read what a process goes on to print, so that it never waits for a reader."""
    threading.Thread(target=stream.read, daemon=True).start()


@contextmanager
def _started(home: Path, host: str, role: str, *arguments: str, until: str) -> Iterator[str]:
    """Run a part of a cluster on a loopback address; give what it prints once it is ready."""
    command = [str(home / "bin/spark-class"), f"org.apache.spark.deploy.{role}", "--host", host, *arguments]
    environment = {**os.environ, "SPARK_LOCAL_IP": host}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = next((line for line in process.stderr if re.search(until, line)), None)
            assert line is not None, f"{role} ended with {process.wait()}"
            _read_on(process.stderr)
            yield line
        finally:
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def master(spark_home: Path) -> Iterator[str]:
    """The cluster: a master, and a worker of one core on each of two loopback addresses; Spark runs no task twice on one host."""
    with ExitStack() as stack:
        options = ("--port", "0", "--webui-port", "0")
        ready = stack.enter_context(
            _started(spark_home, "127.0.0.1", "master.Master", *options, until="Starting Spark master at")
        )
        url = ready.split("Starting Spark master at ")[1].strip()
        for number in (1, 2):
            limits = ("--cores", "1", "--memory", "1g", "--work-dir", str(spark_home / f"work-{number}"))
            stack.enter_context(
                _started(
                    spark_home,
                    f"127.0.0.{number}",
                    "worker.Worker",
                    *options,
                    *limits,
                    url,
                    until="Successfully registered with master",
                )
            )
        yield url


def _wait_for_another_try(fifo: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return a function whose first try of the first partition, after its first rows, waits for a second that has some."""

    def rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        task = TaskContext.get()
        for number, batch in enumerate(batches):
            yield batch
            if task is not None and task.partitionId() == 0 and number == 0:
                with open(fifo, "r" if task.attemptNumber() == 0 else "w", encoding="ascii") as end:  # noqa: PTH123 - pickled
                    if end.readable():
                        end.read()

    return rows


def test_task_that_runs_twice_counts_once(
    spark: "SparkSession", snapshot: WrittenSnapshot, tmp_path: Path
) -> None:
    """A task that Spark runs a second time beside the first gives its rows once, the snapshot's."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    rows = spark.read.format("esdh").options(**BANK, table="transactions", partitions=4).load()
    rows.mapInArrow(_wait_for_another_try(str(fifo)), rows.schema).write.parquet(str(tmp_path / "out"))
    assert isinstance(snapshot.folder, Path)
    expected = pq.read_table(snapshot.folder / snapshot.manifest.files["transactions_parquet"])
    found = pq.read_table(tmp_path / "out").cast(expected.schema)
    order = "transaction_id"
    assert expected.sort_by(order) == found.sort_by(order).replace_schema_metadata(expected.schema.metadata)
