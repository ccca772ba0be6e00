"""Every type and null of a dataset goes into each database and stands there as another program reads it."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from databases import Database
from esdh_core import Table
from esdh_load import unload_database, verify_database
from loads import KINDS_PLAN, LONG_TABLE, dataset_of, load

_RECORDS = 400


def _expression(kind: str, field: str, type_: str) -> str:
    """Return SQL that gives a column as a text that doesn't hang on a time zone, in each database's own functions."""
    if type_ == "timestamp" and kind == "postgresql":
        return f"""to_char("{field}" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"""
    if type_ == "timestamp" and kind == "duckdb":
        return f'CAST(make_timestamp(epoch_us("{field}")) AS VARCHAR)'
    return f'"{field}"' if kind == "sqlite" else f'CAST("{field}" AS VARCHAR)'


def _text(value: Any, type_: str, scale: int) -> str | None:
    """Return a value as a database's client gives it, or as it was made, in one form for both."""
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    if type_ == "decimal":
        return str(
            Decimal(repr(value) if isinstance(value, float) else str(value)).quantize(
                Decimal(1).scaleb(-scale)
            )
        )
    if type_ == "boolean":
        return str(value).lower().replace("1", "true").replace("0", "false")
    return str(value)


def _rows(database: Database, table: Table) -> list[tuple[str | None, ...]]:
    columns = ", ".join(_expression(database.kind, field.name, field.type) for field in table.schema)
    found = database.query(f'SELECT {columns} FROM "{table.name}"')
    return [
        tuple(_text(value, field.type, field.scale) for value, field in zip(row, table.schema, strict=True))
        for row in found
    ]


def _sorted(rows: list[tuple[str | None, ...]]) -> list[tuple[str | None, ...]]:
    return sorted(rows, key=lambda row: [(value is None, value or "") for value in row])


def test_values_are_read_back_by_another_program(database: Database) -> None:
    """Each value of every type, to its ends, and each null is in the database as the seed gives it, whoever reads it."""
    load(database, KINDS_PLAN, records=_RECORDS)
    dataset = dataset_of(KINDS_PLAN)
    for table in dataset.tables:
        expected = [
            tuple(
                _text(value, field.type, field.scale) for value, field in zip(row, table.schema, strict=True)
            )
            for row in (
                [getattr(each, name) for name in table.fields]
                for each in dataset.rows(table.name, _RECORDS, 7)
            )
        ]
        assert _sorted(expected) == _sorted(_rows(database, table))


@pytest.mark.parametrize("plan", [None, "bank", "shop", "insurance", "people", KINDS_PLAN])
def test_load_is_verified_and_removed(database: Database, plan: str | None) -> None:
    """What is loaded of each plan that ships is proved, and removed to the last row."""
    written = load(database, plan)
    outcome = verify_database(database.uri, exact=True)
    assert ("passed", []) == (outcome.verdict, [each for each in outcome.checks if each.status != "passed"])
    assert written.content == outcome.content
    removed = unload_database(database.uri)
    assert (written.rows, {}, {}) == (
        removed.rows,
        removed.attached,
        removed.absent,
    )
    counts = {table: database.query(f'SELECT count(*) FROM "{table}"')[0][0] for table in removed.rows}
    assert dict.fromkeys(removed.rows, 0) == {table: int(count) for table, count in counts.items()}


def test_long_name_is_whole(database: Database) -> None:
    """A name of 63 bytes is that of the table, not a part of it."""
    load(database, KINDS_PLAN, records=4)
    query = "sqlite_schema" if database.kind == "sqlite" else "information_schema.tables"
    column = "name" if database.kind == "sqlite" else "table_name"
    assert [(LONG_TABLE,)] == database.query(
        f"SELECT {column} FROM {query} WHERE {column} LIKE 't%wide%' LIMIT 1"
    )
