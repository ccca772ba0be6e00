"""DDL: what it says, and that each database takes it."""

import sqlite3
from pathlib import Path

import duckdb
import pytest
import sqlglot
from databases import NEEDS_POSTGRESQL, Database
from esdh_core import Dataset
from esdh_load.ddl import DIALECTS, define_tables, render_ddl
from esdh_plan import load_plan
from loads import KINDS_PLAN, dataset_of

PLANS = ["v0.1", "bank", "shop", "insurance", "people", KINDS_PLAN]
PLAN = r"""
esdh: plan/1
name: parcels
version: 1
reference_date: 2024-06-01
tables:
  senders:
    description: Who sends */ parcels.
    fields:
      sender_id: {id: true}
      code: {pattern: "[A-C]{2}-[0-9]{4}", unique: true, description: "It's unique", tags: [pii, code]}
      area: {pattern: "[A-Zb]{2}[0-9.*]", missing: 10%}
      size: {choice: {small: 1, large: 2}}
      weight: {decimal: {from: -1.50, to: 20.25, scale: 2}}
      wide: {decimal: {from: 0, to: 9999999999999999.99, scale: 2}}
      sent_on: {date: {from: 2024-01-01, to: 2024-02-29}}
      booked_at: {timestamp: {from: 2024-01-01T00:00:00Z, to: 2024-01-31T12:00:00Z}}
      pieces: {integer: {from: -3, to: 12}}
  parcels:
    per: senders
    count: {from: 0, to: 3}
    key: [sender_id, number]
    fields:
      sender_id: parent.sender_id
      number: k + 1
  scans:
    per: parcels
    count: 2
    fields:
      scan_id: {id: true}
      sender_id: parent.sender_id
"""


@pytest.fixture(scope="module")
def parcels(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset with every sort of check and key."""
    path = tmp_path_factory.mktemp("ddl") / "parcels.yaml"
    path.write_text(PLAN, encoding="utf-8")
    return load_plan(path)


def _statement(ddl: str, table: str) -> dict[str, str]:
    """Return the lines of a table's columns by their names, and of its keys by their words."""
    lines = ddl.partition(f"{table}")[2].partition("\n)")[0].splitlines()[1:]
    return {line.split()[0].strip('"`'): line.strip().rstrip(",") for line in lines}


@pytest.mark.parametrize(
    ("dialect", "lines"),
    [
        (
            "postgres",
            {
                "sender_id": '"sender_id" text NOT NULL',
                "code": '"code" text NOT NULL',
                "area": """"area" text CHECK ("area" ~ '^[A-Zb]{2}[0-9.*]$')""",
                "size": """"size" text NOT NULL CHECK ("size" IN ('large', 'small'))""",
                "weight": '"weight" numeric(18,2) NOT NULL CHECK ("weight" BETWEEN -1.50 AND 20.25)',
                "sent_on": """"sent_on" date NOT NULL CHECK ("sent_on" BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-02-29' AS DATE))""",
                "pieces": '"pieces" bigint NOT NULL CHECK ("pieces" BETWEEN -3 AND 12)',
                "synthetic_source": '"synthetic_source" text NOT NULL',
                "PRIMARY": 'PRIMARY KEY ("sender_id")',
                "UNIQUE": 'UNIQUE ("code")',
            },
        ),
        (
            "sqlite",
            {
                "area": """"area" TEXT CHECK ("area" GLOB '[A-Zb][A-Zb][*.0-9]')""",
                "wide": '"wide" TEXT NOT NULL',
                "booked_at": """"booked_at" TIMESTAMP NOT NULL CHECK ("booked_at" BETWEEN '2024-01-01 00:00:00' AND '2024-01-31 12:00:00')""",
            },
        ),
        (
            "mysql",
            {
                "sender_id": "`sender_id` VARCHAR(36) NOT NULL",
                "code": "`code` VARCHAR(7) NOT NULL COMMENT 'It''s unique [pii, code]'",
                "booked_at": "`booked_at` DATETIME NOT NULL CHECK (`booked_at` BETWEEN '2024-01-01 00:00:00' AND '2024-01-31 12:00:00')",
            },
        ),
    ],
)
def test_columns_say_what_the_struct_says(parcels: Dataset, dialect: str, lines: dict[str, str]) -> None:
    """Types, NOT NULL, checks and keys follow from a table's Struct and roles; ids, uniques and the marker have no check."""
    found = _statement(render_ddl(parcels, dialect), "senders")
    for name, line in lines.items():
        assert found[name].startswith(line), found[name]
        if "CHECK" not in line:
            assert "CHECK" not in found[name]


def test_keys_follow_from_roles(parcels: Dataset) -> None:
    """A declared key is the primary key, and a copy of a copy refers to the table whose id it is."""
    _, second, third = define_tables(parcels)
    assert ("sender_id", "number") == second.primary_key
    assert [("sender_id", "senders", "sender_id")] == [
        (each.field, each.table, each.target) for each in third.foreign_keys
    ]


def test_tags_and_descriptions_are_comments(parcels: Dataset) -> None:
    """A description, with the tags after it, is a comment, and ends no statement or comment."""
    ddl = render_ddl(parcels, "postgres")
    assert """COMMENT ON COLUMN "senders"."code" IS 'It''s unique [pii, code]';""" in ddl
    assert "/* It's unique [pii, code] */" in render_ddl(parcels, "sqlite")
    assert "/* Who sends * / parcels. */" in render_ddl(parcels, "sqlite")


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_ddl_parses_in_its_dialect(plan: str, dialect: str) -> None:
    """What is printed for a database is that database's SQL, as another reader of it sees it, one table a dataset's."""
    dataset = load_plan(plan) if plan == "v0.1" else dataset_of(plan)
    created = [
        each
        for each in sqlglot.parse(render_ddl(dataset, dialect), read=dialect)
        if each and each.key == "create"
    ]
    assert sorted(table.name for table in dataset.tables) == sorted(each.this.this.name for each in created)


@pytest.mark.parametrize("plan", PLANS)
def test_files_take_the_ddl(plan: str, tmp_path: Path) -> None:
    """SQLite and DuckDB run what is printed for them."""
    dataset = load_plan(plan) if plan == "v0.1" else dataset_of(plan)
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.executescript(render_ddl(dataset, "sqlite"))
    connection.close()
    with duckdb.connect() as memory:
        memory.execute(render_ddl(dataset, "duckdb"))


@NEEDS_POSTGRESQL
@pytest.mark.parametrize("plan", PLANS)
def test_postgresql_takes_the_ddl(plan: str, postgres: Database) -> None:
    """PostgreSQL runs what is printed for it."""
    dataset = load_plan(plan) if plan == "v0.1" else dataset_of(plan)
    postgres.query(render_ddl(dataset, "postgres"))
    (count,) = postgres.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    assert str(len(dataset.tables)) == count[0]
