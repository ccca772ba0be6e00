"""verify-database names what differs, is missing or was added, and knows the testers' own rows from these."""

import random
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import esdh_load.buckets
import pytest
from databases import NEEDS_POSTGRESQL, Database, PostgreSQL
from esdh_load import DatabaseCheck, LoadError, verify_database
from loads import KINDS_PLAN, LONG_TABLE, dataset_of, load, load_to_change

_OWN = "enterprise-synthetic-data-hub kinds v1"


def _failed(database: Database, **options: bool | int) -> dict[str, DatabaseCheck]:
    """Return the checks that failed, by name."""
    outcome = verify_database(database.uri, **options)  # type: ignore[arg-type] # options of either kind
    found = {each.name: each for each in outcome.checks if each.status == "failed"}
    assert ("failed" if found else "passed") == outcome.verdict
    return found


def _first_id(database: Database, table: str, field: str, offset: int = 0) -> str:
    text = database.query(f'SELECT "{field}" FROM "{table}" ORDER BY "{field}" LIMIT 1 OFFSET {offset}')[0][0]
    return str(text)


_FORGERIES = {
    "references": "3",
    "unique": "'ZZ000000000'",
    "where": "'50%'",
    "primary": "'x'",
    "values": "17",
    "default": "5",
    "decimal_wide": "'0.001'",
    "decimal_fine": "'0.000000000000000001'",
    "decimal_money": "0.01",
    "decimal_exact": "0.0000001",
    "date": "'1999-12-31'",
    "day": "'1970-01-02'",
    "timestamp": "'1999-12-31 23:59:59Z'",
    "time": "'2024-03-31 01:00:00Z'",
    "order": "NULL",
}


def test_forged_value_is_named(database: Database) -> None:
    """One changed value of any type is found, with its row, its field, what it is and what it should be."""
    load_to_change(database, KINDS_PLAN)
    rows = dataset_of(KINDS_PLAN).rows("group", 60, 7)
    # From the last records to the first: of all that was forged so far the first is the one that is named.
    pending = iter(range(59, -1, -1))
    for forged_so_far, (field, forged) in enumerate(_FORGERIES.items(), 1):
        value = forged.replace("Z'", "'") if database.kind == "sqlite" else forged
        record = next(
            number
            for number in pending
            if str(getattr(rows[number], field)) not in {"None", forged.strip("'")}
        )
        key = rows[record].user
        database.query(f"""UPDATE "group" SET "{field}" = {value} WHERE "user" = '{key}' RETURNING 1""")
        failed = _failed(database)
        assert {"rows": forged_so_far, "digests": 1} == {name: each.failures for name, each in failed.items()}
        first = failed["rows"].first
        assert first is not None
        assert ("group", {"user": key}, record, field) == (first.table, first.key, first.record, first.field)
        assert str(getattr(rows[record], field)) == first.expected
        assert (first.found is None) == (forged == "NULL")


def test_changed_boolean_is_named(database: Database) -> None:
    """A boolean that was turned round is found."""
    load_to_change(database, KINDS_PLAN)
    row = dataset_of(KINDS_PLAN).rows("group", 60, 7)[5]
    database.query(
        f"""UPDATE "group" SET "boolean" = NOT "boolean" WHERE "user" = '{row.user}' RETURNING 1"""
    )
    first = _failed(database)["rows"].first
    assert first is not None
    assert (5, "boolean", str(not row.boolean), str(row.boolean)) == (
        first.record,
        first.field,
        first.found,
        first.expected,
    )


def test_swapped_pair_is_named(database: Database) -> None:
    """Two rows that changed places, ids apart, are both found."""
    load_to_change(database, "bank")
    one, other = (row for row in dataset_of("bank").rows("customers", 60, 7)[10:12])
    database.query(
        f"""UPDATE customers SET email = CASE customer_id WHEN '{one.customer_id}' THEN 'a@example.test' ELSE 'b@example.test' END,
        city = CASE customer_id WHEN '{one.customer_id}' THEN '{other.city}' ELSE '{one.city}' END
        WHERE customer_id IN ('{one.customer_id}', '{other.customer_id}') RETURNING 1"""
    )
    failed = _failed(database)
    assert {"rows": 2, "digests": 1} == {name: each.failures for name, each in failed.items()}
    first = failed["rows"].first
    assert first is not None
    assert (10, {"customer_id": one.customer_id}) == (first.record, first.key)


def test_swapped_keys_are_found(database: Database) -> None:
    """Two rows whose ids were swapped are both found: a row belongs where its id says."""
    load_to_change(database, "people")
    one, other = dataset_of("people").rows("people", 60, 7)[3:5]
    key = dataset_of("people").tables[0].fields[0]
    a, b = getattr(one, key), getattr(other, key)
    database.query(f"""UPDATE people SET "{key}" = 'aside' WHERE "{key}" = '{a}' RETURNING 1""")
    database.query(f"""UPDATE people SET "{key}" = '{a}' WHERE "{key}" = '{b}' RETURNING 1""")
    database.query(f"""UPDATE people SET "{key}" = '{b}' WHERE "{key}" = 'aside' RETURNING 1""")
    failed = _failed(database)
    assert (2, 3) == (failed["rows"].failures, failed["rows"].first.record if failed["rows"].first else None)


def test_deleted_rows_are_named(database: Database) -> None:
    """Rows that are gone are counted, and the first is named by its key and its record."""
    load(database, "bank")
    accounts = dataset_of("bank").rows("accounts", 60, 7)
    transactions = [
        row
        for row in dataset_of("bank").rows("transactions", 60, 7)
        if row.account_id == accounts[4].account_id
    ]
    database.query(f"DELETE FROM transactions WHERE account_id = '{accounts[4].account_id}' RETURNING 1")
    failed = _failed(database)
    assert ["missing", "digests"] == list(failed)
    assert len(transactions) == failed["missing"].failures
    first = failed["missing"].first
    assert first is not None
    assert ("transactions", {"transaction_id": transactions[0].transaction_id}, None) == (
        first.table,
        first.key,
        first.found,
    )


def _copied(key: str) -> str:
    """Return what is selected for a copy of a person under another key."""
    fields = ", ".join(dataset_of(None).tables[0].fields)
    return fields.replace("person_id", f"'{key}'", 1).replace("driver_license_number", "'X1'", 1)


def test_added_row_is_named(database: Database) -> None:
    """A row that bears the marker, or an id of the dataset, and is of no load, is found."""
    load(database, None, records=20)
    copied = _copied("added")
    database.query(f"INSERT INTO persons SELECT {copied} FROM persons LIMIT 1 RETURNING 1")
    failed = _failed(database)
    assert {"foreign": 1} == {name: each.failures for name, each in failed.items()}
    first = failed["foreign"].first
    assert first is not None
    assert ("persons", {"person_id": "added"}) == (first.table, first.key)
    stray = dataset_of(None).rows("person", 1, 7, 20)[0].person_id  # an id of the next record
    database.query(
        f"UPDATE persons SET person_id = '{stray}', synthetic_source = 'mine' WHERE person_id = 'added' RETURNING 1"
    )
    first = _failed(database)["foreign"].first
    assert first is not None
    assert {"person_id": stray} == first.key


def test_own_rows_are_told_apart(database: Database) -> None:
    """A row of the testers' own, by its id and its marker, is named and fails nothing, unless that is asked for."""
    load(database, None, records=20)
    own = _copied("own-1").replace("synthetic_source", "'by hand'")
    database.query(f"INSERT INTO persons SELECT {own} FROM persons LIMIT 1 RETURNING 1")
    outcome = verify_database(database.uri)
    notes = {each.name: each.notes for each in outcome.checks if each.notes}
    assert "passed" == outcome.verdict
    assert {"foreign": ["persons has 1 row of the testers' own, such as person_id = own-1"]} == notes
    assert ["foreign"] == list(_failed(database, exact=True))


def test_rows_of_other_loads_are_passed_over(database: Database) -> None:
    """Of two loads in the same tables each is proved by itself, and damage to one doesn't touch the other."""
    load_to_change(database, None, records=30, seed=1)
    load(database, None, records=20, seed=2, into_existing=True)
    assert ([{}, {}]) == [_failed(database, load=number, exact=True) for number in (1, 2)]
    victim = dataset_of(None).rows("person", 1, 2, 5)[0].person_id
    database.query(f"UPDATE persons SET city = 'Nowhere' WHERE person_id = '{victim}' RETURNING 1")
    assert [[], ["rows", "digests"]] == [list(_failed(database, load=number)) for number in (1, 2)]
    with pytest.raises(LoadError, match=r"2 loads.*--load N"):
        verify_database(database.uri)
    with pytest.raises(LoadError, match="no load 3; there is 1, 2"):
        verify_database(database.uri, load=3)


# --- tables without ids


def test_keyed_row_is_named(database: Database) -> None:
    """In a table whose key is no id, a forged, a deleted and an added row are found by that key."""
    load(database, KINDS_PLAN)
    rows = dataset_of(KINDS_PLAN).rows(LONG_TABLE, 60, 7)
    forged, gone = (row for row in rows[5:7])

    def where(row: object) -> str:
        return f"""WHERE "user" = '{getattr(row, "user")}' AND "number" = {getattr(row, "number")}"""  # noqa: B009

    database.query(f'UPDATE "{LONG_TABLE}" SET amount = 1.23 {where(forged)} RETURNING 1')
    database.query(f'DELETE FROM "{LONG_TABLE}" {where(gone)} RETURNING 1')
    database.query(f"""INSERT INTO "{LONG_TABLE}" VALUES ('{gone.user}', 99, 1, '{_OWN}') RETURNING 1""")
    failed = _failed(database)
    assert {"rows": 1, "missing": 1, "foreign": 1, "digests": 1} == {
        name: each.failures for name, each in failed.items()
    }
    changed, missing, added = (failed[name].first for name in ("rows", "missing", "foreign"))
    assert changed is not None
    assert missing is not None
    assert added is not None
    assert ({"user": forged.user, "number": str(forged.number)}, "amount", "1.23") == (
        changed.key,
        changed.field,
        changed.found,
    )
    assert {"user": gone.user, "number": str(gone.number)} == missing.key
    assert {"user": gone.user, "number": "99"} == added.key


def test_rows_without_a_key_are_a_multiset(database: Database) -> None:
    """In a table without a key, one of several equal rows that is gone, or comes twice, is found."""
    load(database, KINDS_PLAN)
    ids = {"postgresql": "ctid", "sqlite": "rowid", "duckdb": "rowid"}[database.kind]
    values = "user_text = 'alike' AND score = 1 AND exact"
    some = f"{ids} = (SELECT min({ids}) FROM notes WHERE {values})"
    count = int(database.query(f"SELECT count(*) FROM notes WHERE {values}")[0][0])
    assert 1 < count
    database.query(f"INSERT INTO notes SELECT * FROM notes WHERE {some} RETURNING 1")
    failed = _failed(database)
    assert {"foreign": 1} == {name: each.failures for name, each in failed.items()}
    for _ in range(2):
        database.query(f"DELETE FROM notes WHERE {some} RETURNING 1")
    failed = _failed(database)
    assert {"missing": 1, "digests": 1} == {name: each.failures for name, each in failed.items()}
    assert failed["missing"].first is not None
    assert "alike" == failed["missing"].first.key["user_text"]


# --- any order, and little memory


@pytest.mark.parametrize("most_bytes", [0, 64 << 20])
def test_order_of_rows_is_no_matter(database: Database, most_bytes: int) -> None:
    """Rows in any order are proved alike, in memory and outside it; and a wrong one among them is found."""
    load(database, "bank", records=3_000)
    columns = ", ".join(f'"{name}"' for name in dataset_of("bank").table("transactions").fields)
    database.query(f"CREATE TABLE aside AS SELECT {columns} FROM transactions ORDER BY amount; SELECT 1")
    database.query(
        f"DELETE FROM transactions; INSERT INTO transactions ({columns}) SELECT {columns} FROM aside; SELECT 1"
    )
    with patch.object(esdh_load.buckets, "_MOST_BYTES", most_bytes):
        assert {} == _failed(database, exact=True)
        victim = _first_id(database, "transactions", "transaction_id", 40_000)
        victim = str(
            database.query(
                f"SELECT transaction_id FROM transactions WHERE transaction_id > '{victim}' AND memo = 'card' ORDER BY 1 LIMIT 1"
            )[0][0]
        )
        database.query(f"UPDATE transactions SET memo = 'cash' WHERE transaction_id = '{victim}' RETURNING 1")
        failed = _failed(database)
    assert ["rows", "digests"] == list(failed)
    assert failed["rows"].first is not None
    assert ({"transaction_id": victim}, "memo") == (failed["rows"].first.key, failed["rows"].first.field)


# --- tables and esdh_loads


def test_missing_table_and_column_are_named(database: Database) -> None:
    """A table or a column that is gone fails the schema, and the other tables are proved all the same."""
    load(database, "bank")
    database.query("DROP TABLE transactions; SELECT 1")
    database.query("ALTER TABLE merchants RENAME COLUMN category TO kind; SELECT 1")
    failed = _failed(database)
    assert ["schema"] == list(failed)
    first = failed["schema"].first
    assert first is not None
    assert (2, "merchants", "category", None) == (
        failed["schema"].failures,
        first.table,
        first.field,
        first.found,
    )


def test_own_column_is_no_matter(database: Database) -> None:
    """A column that the testers added to a table of ours is left alone."""
    load(database, "bank")
    database.query("ALTER TABLE customers ADD COLUMN seen_by TEXT; SELECT 1")
    assert {} == _failed(database, exact=True)


def test_value_of_another_type_is_named(tmp_path: Path) -> None:
    """A text in a number's column, which SQLite lets in, is named with its row, and the rows after it are read."""
    from databases import empty_database

    with empty_database("sqlite", tmp_path, None) as database:
        load(database, "people")
        table = dataset_of("people").tables[0]
        field = next(each.name for each in table.schema if each.type == "date")
        rows = dataset_of("people").rows("people", 60, 7)
        for row in (rows[9], rows[40]):
            key = getattr(row, table.fields[0])
            database.query(
                f"""UPDATE people SET "{field}" = '1999-02-30' WHERE "{table.fields[0]}" = '{key}' RETURNING 1"""
            )
        failed = _failed(database)
        first = failed["schema"].first
        assert first is not None
        assert (2, field, "1999-02-30") == (failed["schema"].failures, first.field, first.found)
        assert {table.fields[0]: getattr(rows[9], table.fields[0])} == first.key


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("records = records - 1", "digests"),
        ("seed = seed + 1", "rows"),
        ("tables = replace(tables, 'content\":\"', 'content\":\"0')", "digests"),
        ("recipe = replace(recipe, 'retail', 'detail')", "load"),
        ("plan_sha256 = 'abc'", "load"),
    ],
)
def test_edited_claims_fail(database: Database, change: str, check: str) -> None:
    """What esdh_loads says is held against the rows and the plan: an edited row of it fails."""
    load(database, "bank", records=30)
    database.query(f"UPDATE esdh_loads SET {change}; SELECT 1")
    failed = _failed(database)
    if change.startswith("seed"):
        assert "missing" in failed
    else:
        assert check in failed


def test_database_without_loads_is_refused(database: Database) -> None:
    """A database that nothing was loaded into is refused in a sentence, not proved."""
    database.query("CREATE TABLE own (a INTEGER); SELECT 1")
    with pytest.raises(LoadError, match="has no load of esdh's; `esdh load-database` makes one"):
        verify_database(database.uri)


def test_nothing_is_changed(database: Database) -> None:
    """A verification changes nothing, not even by temporary tables."""
    load(database, KINDS_PLAN)
    query = "sqlite_schema" if database.kind == "sqlite" else "information_schema.tables"
    before = database.query(f"SELECT * FROM {query} ORDER BY 2, 3")
    verify_database(database.uri)
    assert before == database.query(f"SELECT * FROM {query} ORDER BY 2, 3")


@NEEDS_POSTGRESQL
def test_right_to_read_is_enough(postgres: Database, server: PostgreSQL) -> None:
    """A role that may only read proves a load, in a transaction that is read-only."""
    load(postgres, KINDS_PLAN)
    role = f"reader_{random.Random(postgres.uri).getrandbits(40)}"
    postgres.query(
        f"CREATE ROLE {role} LOGIN PASSWORD 'r'; ALTER ROLE {role} SET default_transaction_read_only = on;"
        f" GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; SELECT 1"
    )
    try:
        name = postgres.uri.rpartition("/")[2]
        assert "passed" == verify_database(server.uri(name, user=role, password="r")).verdict
    finally:
        postgres.query(f"DROP OWNED BY {role}; DROP ROLE {role}; SELECT 1")


def test_progress_counts_every_row(database: Database) -> None:
    """Progress adds up to all rows of the load."""
    written = load(database, "bank")
    calls: list[tuple[int, int]] = []
    report: Callable[[int, int], None] = lambda done, total: calls.append((done, total))  # noqa: E731
    verify_database(database.uri, progress=report)
    total = sum(written.rows.values())
    assert (total, {total}) == (sum(done for done, _ in calls), {each for _, each in calls})
