"""What a load into a database costs, beside the quickest way that each database has for rows that are there already.

Both sides make the same tables with the same keys and checks by the same statements, in one transaction, and both are
timed from the first statement to the commit. Ours makes the rows meanwhile; the others find theirs made.
"""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from budgets import Row
from databases import NEEDS_POSTGRESQL, Database, PostgreSQL, empty_database, postgresql
from esdh_core import Dataset
from esdh_export import SnapshotRequest, write_snapshot
from esdh_load import PlanSource, load_database
from esdh_load.ddl import TableDefinition, define_tables
from esdh_plan import load_plan
from measuring import Command, in_turn, peak_memory, ratios
from pytest_benchmark.fixture import BenchmarkFixture
from writers import ESDH

SEED = 7
RECORDS = 30_000  # some 640,000 rows
SQLITE_RECORDS = 15_000  # whose rows its peer holds in memory
MANY_RECORDS, FEW_RECORDS = 10_000_000 // 3, 1_000_000 // 3  # of three rows each
ROUNDS = 3
BEST = f"best of {ROUNDS} rounds in turn"
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MB = 1e6


@pytest.fixture(scope="module")
def bank() -> Dataset:
    """The plan of a bank: four tables that hang together."""
    return load_plan("bank")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A PostgreSQL of this run."""
    with postgresql() as running:
        yield running


@pytest.fixture
def postgres(server: PostgreSQL, tmp_path: Path) -> Iterator[Database]:
    """An empty database of that server."""
    with empty_database("postgresql", tmp_path, server) as database:
        yield database


def _files(folder: Path, dataset: Dataset, form: str, records: int) -> dict[str, Path]:
    """Write a snapshot and return the file of each table."""
    request = SnapshotRequest(
        dataset=dataset, records=records, seed=SEED, formats=(form,), shard_rows=1 << 23
    )
    write_snapshot(folder / "rows", request)
    return {table.name: next((folder / "rows").glob(f"{table.name}_*.{form}")) for table in dataset.tables}


def _load(uri: str, dataset: Dataset, records: int, schema: str | None = None) -> int:
    source = PlanSource(dataset, records=records, seed=SEED)
    return sum(load_database(uri, source, now=NOW, schema=schema).rows.values())


def _rate(rows: int, times: list[float]) -> str:
    return f"{rows / min(times):,.0f} rows/s ({rows:,} in {min(times):.2f} s)"


@NEEDS_POSTGRESQL
def test_postgresql_beside_copy(
    row: Row, folder: Path, bank: Dataset, postgres: Database, benchmark: BenchmarkFixture
) -> None:
    """Rows are made and loaded at nearly the rate at which psql copies them from files that are there."""
    files, definitions, rows = _files(folder, bank, "csv", RECORDS), define_tables(bank), 0

    def ours() -> None:
        nonlocal rows
        rows = _load(postgres.uri, bank, RECORDS, schema="ours")

    def copy() -> None:
        statements = ["BEGIN", "CREATE SCHEMA theirs"]
        statements += [each.create("postgres", "theirs", keys=False) for each in definitions]
        statements += [text for each in definitions for text in each.comments("postgres", "theirs")]
        script = "".join(f"{text};\n" for text in statements)
        script += "".join(
            f"\\copy theirs.{each.name} FROM '{files[each.name]}' (FORMAT csv, HEADER)\n"
            for each in definitions
        )
        keys = [text for each in definitions for text in each.add_keys("postgres", "theirs")]
        keys += [text for each in definitions for text in each.add_references("postgres", "theirs")]
        postgres.query(script + "".join(f"{text};\n" for text in [*keys, "COMMIT"]))

    def clear() -> None:
        postgres.query("DROP SCHEMA IF EXISTS ours CASCADE; DROP SCHEMA IF EXISTS theirs CASCADE; CHECKPOINT")

    mine, other = in_turn(benchmark, ours, copy, rounds=ROUNDS, before=clear)
    row(
        "load-postgresql",
        min(other) / min(mine),
        rounds=ratios(other, mine),
        ours=_rate(rows, mine),
        theirs=_rate(rows, other),
        how=BEST,
    )


def _values(path: Path) -> list[tuple[Any, ...]]:
    """Return the rows of a Parquet file as Python's sqlite3 takes them."""
    columns = []
    for column in pq.read_table(path).columns:
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("s"))  # noqa: PLW2901 - the same column in another form
        if pa.types.is_decimal(column.type):
            column = column.cast(pa.float64())  # noqa: PLW2901
        elif not pa.types.is_integer(column.type):
            column = column.cast(pa.string())  # noqa: PLW2901
        columns.append(column.to_pylist())
    return list(zip(*columns, strict=True))


def test_sqlite_beside_executemany(
    row: Row, folder: Path, bank: Dataset, benchmark: BenchmarkFixture
) -> None:
    """Rows are made and loaded quicker than Python's executemany inserts those that it holds in memory."""
    files = _files(folder, bank, "parquet", SQLITE_RECORDS)
    held = {name: _values(path) for name, path in files.items()}
    rows = sum(map(len, held.values()))
    path = folder / "test.db"

    def executemany() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            for each in define_tables(bank):
                connection.execute(each.create("sqlite"))
            for each in define_tables(bank):
                marks = ", ".join("?" * len(each.fields))
                connection.executemany(f'INSERT INTO "{each.name}" VALUES ({marks})', held[each.name])
            connection.execute("COMMIT")

    mine, other = in_turn(
        benchmark,
        lambda: _load(f"sqlite:///{path}", bank, SQLITE_RECORDS),
        executemany,
        rounds=ROUNDS,
        before=lambda: path.unlink(missing_ok=True),
    )
    row(
        "load-sqlite",
        min(other) / min(mine),
        rounds=ratios(other, mine),
        ours=_rate(rows, mine),
        theirs=_rate(rows, other),
        how=BEST,
    )


def test_duckdb_beside_parquet(row: Row, folder: Path, bank: Dataset, benchmark: BenchmarkFixture) -> None:
    """Rows are made and loaded in little more time than DuckDB takes to insert them from Parquet files."""
    files, path, rows = _files(folder, bank, "parquet", RECORDS), folder / "test.duckdb", 0

    def ours() -> None:
        nonlocal rows
        rows = _load(f"duckdb:///{path}", bank, RECORDS)

    def insert(each: TableDefinition) -> str:
        return f"INSERT INTO \"{each.name}\" SELECT * FROM read_parquet('{files[each.name]}')"

    def select() -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute("BEGIN")
            for each in define_tables(bank):
                connection.execute(each.create("duckdb"))
            for each in define_tables(bank):
                connection.execute(insert(each))
            connection.execute("COMMIT")

    mine, other = in_turn(benchmark, ours, select, rounds=ROUNDS, before=lambda: path.unlink(missing_ok=True))
    row(
        "load-duckdb",
        min(mine) / min(other),
        rounds=ratios(mine, other),
        ours=_rate(rows, mine),
        theirs=_rate(rows, other),
        how=BEST,
    )


@NEEDS_POSTGRESQL
def test_memory_is_flat(row: Row, postgres: Database) -> None:
    """Ten million rows take no more memory than one million."""

    def command(records: int) -> Command:
        return [
            ESDH,
            "load-database",
            postgres.uri,
            "--quiet",
            "--records",
            str(records),
            "--db-schema",
            f"of_{records}",
        ]

    few, many = (peak_memory(command(records)).tree for records in (FEW_RECORDS, MANY_RECORDS))
    row(
        "load-memory-growth",
        many / few,
        ours=f"{many / MB:.0f} MB for {3 * MANY_RECORDS:,} rows",
        theirs=f"{few / MB:.0f} MB for {3 * FEW_RECORDS:,} rows",
        how="once, PostgreSQL's own processes not counted",
    )
