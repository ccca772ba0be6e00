"""Loads for the tests of databases: a plan's rows into one, by the library."""

import datetime as dt
from pathlib import Path

from databases import Database
from esdh_core import DEFAULT_DATASET, Dataset
from esdh_load import LoadedRows, PlanSource, load_database, open_database
from esdh_load.ddl import define_tables
from esdh_plan.references import open_dataset

KINDS_PLAN = str(Path(__file__).parent / "load" / "plans" / "kinds.yaml")
"""Every type and sort of key, and names that are SQL's own words or 63 bytes long."""
LONG_TABLE = "t" + "_wide" * 12 + "er"
NOW = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC)


def dataset_of(plan: str | None) -> Dataset:
    """Return the dataset of a plan, the default one for None."""
    return DEFAULT_DATASET if plan is None else open_dataset(plan)


def load(
    database: Database,
    plan: str | None = None,
    *,
    records: int = 60,
    seed: int = 7,
    into_existing: bool = False,
) -> LoadedRows:
    """Load a plan's rows into a database."""
    source = PlanSource(dataset_of(plan), records=records, seed=seed)
    return load_database(database.uri, source, now=NOW, into_existing=into_existing)


def load_to_change(
    database: Database, plan: str | None = None, *, records: int = 60, seed: int = 7
) -> LoadedRows:
    """Load a plan's rows into tables in which the test can change any: DuckDB's are without keys.

    DuckDB lets nobody update a row that another refers to.
    """
    if database.kind == "duckdb":
        with open_database(database.uri, create=True) as connection, connection.transaction():
            for each in define_tables(dataset_of(plan)):
                connection.execute(each.create("duckdb", keys=False))
    return load(database, plan, records=records, seed=seed, into_existing=database.kind == "duckdb")
