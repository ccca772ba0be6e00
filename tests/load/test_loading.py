"""A load: what stands in a database afterwards, and what it refuses and leaves as it was."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from databases import NEEDS_POSTGRESQL, Database
from esdh_load import (
    DatabaseError,
    LoadedRows,
    LoadError,
    PlanSource,
    load_database,
    open_database,
    verify_database,
)
from esdh_load.records import read_loads
from esdh_load.source import Chunk
from esdh_plan import load_plan
from loads import NOW, dataset_of

OWN_ROW = "'own', 'C1', 'a', 'b', 'retail', '1990-01-01', 'x', 'CA', NULL, NULL, 0, 0, 'ours'"


def _load(
    database: Database,
    plan: str = "bank",
    *,
    records: int = 30,
    seed: int = 7,
    entities: tuple[str, ...] = ("customers", "accounts"),
    schema: str | None = None,
    replace: bool = False,
    number: int | None = None,
    into_existing: bool = False,
) -> LoadedRows:
    source = PlanSource(dataset_of(plan), records=records, seed=seed, entities=entities)
    return load_database(
        database.uri,
        source,
        now=NOW,
        schema=schema,
        replace=replace,
        number=number,
        into_existing=into_existing,
    )


def _count(database: Database, table: str) -> int:
    return int(database.query(f"SELECT count(*) FROM {table}")[0][0])


def _tables(database: Database) -> set[str]:
    query = {
        "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
        "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'table'",
        "duckdb": "SELECT table_name FROM duckdb_tables()",
    }[database.kind]
    return {str(row[0]) for row in database.query(query)}


def test_load_says_what_it_is(database: Database) -> None:
    """esdh_loads has one row a load: its plan, seed, records, digests, tables and time, from which it is made again."""
    loaded = _load(database)
    with open_database(database.uri) as opened, opened.transaction(read_only=True):
        (record,) = read_loads(opened)
    assert (1, "bank v1", 7, 30, NOW) == (
        record.load,
        record.dataset_version,
        record.seed,
        record.records,
        record.loaded_at,
    )
    assert dataset_of("bank") is record.dataset()
    assert [(name, rows, loaded.content[name], True) for name, rows in loaded.rows.items()] == [
        (each.name, each.rows, each.content, each.created) for each in record.tables
    ]


def test_keys_and_checks_hold(database: Database) -> None:
    """The tables refuse a second row of a key and a value that the plan doesn't know, and take a tester's own row."""
    _load(database)
    database.query(f"INSERT INTO customers VALUES ({OWN_ROW}) RETURNING 1")
    for wrong in (OWN_ROW, OWN_ROW.replace("own", "other").replace("C1", "C2").replace("retail", "none")):
        with pytest.raises(Exception, match=r"(?i)unique|duplicate|check"):
            database.query(f"INSERT INTO customers VALUES ({wrong}) RETURNING 1")
    assert 31 == _count(database, "customers")


def test_same_load_again_is_refused(database: Database) -> None:
    """A database that holds a load already says so, and which it is; with --replace it is loaded again."""
    _load(database)
    with pytest.raises(LoadError, match=r"holds this already, as load 1 \(bank v1, seed 7, 30 records\)"):
        _load(database)
    loaded = _load(database, replace=True)
    assert (2, 1, 30) == (loaded.load, loaded.replaced, _count(database, "customers"))


def test_other_load_needs_a_word(database: Database) -> None:
    """Another load of the same tables is refused, unless it is to replace the earlier or to stand beside it."""
    _load(database)
    with pytest.raises(
        LoadError, match="--replace puts this load in its place, and --into-existing adds to it"
    ):
        _load(database, seed=8)
    with pytest.raises(LoadError, match="rows of this seed already"):
        _load(database, records=31, into_existing=True)
    beside = _load(database, seed=8, into_existing=True)
    assert ((2, [1], []), 60) == (
        (beside.load, beside.others, beside.created),
        _count(database, "customers"),
    )
    with pytest.raises(
        LoadError, match=r"has several loads of these tables: load 1 .*say which with --load N"
    ):
        _load(database, seed=9, replace=True)
    with pytest.raises(LoadError, match="has no load 5; there is load 1"):
        _load(database, seed=9, replace=True, number=5)
    replaced = _load(database, seed=9, records=10, replace=True, number=1)
    assert (1, 40) == (replaced.replaced, _count(database, "customers"))


def test_replace_leaves_rows_of_others(database: Database) -> None:
    """A load takes the place of an earlier one, and a tester's own rows stay where they are."""
    _load(database)
    database.query(f"INSERT INTO customers VALUES ({OWN_ROW}) RETURNING 1")
    _load(database, seed=8, records=12, replace=True)
    assert 13 == _count(database, "customers")
    assert [("own",)] == database.query("SELECT customer_id FROM customers WHERE synthetic_source = 'ours'")


def test_replace_by_another_plan_makes_its_tables(database: Database, tmp_path: Path) -> None:
    """A plan that has changed gets its own columns in place of those of the load that it replaces."""
    plan = tmp_path / "things.yaml"
    text = "esdh: plan/1\nname: things\nversion: 1\nreference_date: 2024-06-01\ntables:\n  things:\n    fields:\n      thing_id: {id: true}\n"
    plan.write_text(text, encoding="utf-8")
    _load(database, str(plan), entities=())
    plan.write_text(text + "      size: {choice: {small: 1, large: 2}}\n", encoding="utf-8")
    loaded = _load(database, str(plan), entities=(), replace=True)
    assert (["things"], 30) == (loaded.created, _count(database, "things WHERE size IN ('small', 'large')"))


def test_table_of_others_is_refused(database: Database) -> None:
    """A table that no load made stays as it is, and the message says what would do."""
    database.query("CREATE TABLE customers (a INTEGER)")
    with pytest.raises(
        LoadError, match=r"has a table customers that no load of esdh's made; .*--into-existing"
    ):
        _load(database)
    assert {"customers"} == _tables(database)
    with pytest.raises(LoadError, match="table customers has no column customer_id"):
        _load(database, into_existing=True)
    assert {"customers"} == _tables(database)


def test_columns_are_compared(database: Database) -> None:
    """A column of another type, and one more that must have a value, are refused by name."""
    text = "VARCHAR" if database.kind != "sqlite" else "TEXT"
    columns = {
        **dict.fromkeys(dataset_of("bank").table("accounts").fields, text),
        "opened_on": "DATE",
        "closed_on": "DATE",
    }
    declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    database.query(f"CREATE TABLE accounts ({declared.replace('opened_on DATE', 'opened_on INTEGER')})")
    with pytest.raises(
        LoadError, match=r"table accounts, column opened_on is (?i:integer), which can't hold"
    ):
        _load(database, entities=("accounts",), into_existing=True)
    database.query("DROP TABLE accounts")
    fitting = declared.replace("balance " + text, "balance DECIMAL(18,2)")
    database.query(f"CREATE TABLE accounts ({fitting}, owner {text} NOT NULL)")
    with pytest.raises(LoadError, match="has a column owner that must have a value"):
        _load(database, entities=("accounts",), into_existing=True)
    assert 0 == _count(database, "accounts")


def test_append_to_a_table_of_others(database: Database) -> None:
    """Rows go into a table with other columns, in another order, that have defaults or may be null."""
    database.query(
        "CREATE TABLE merchants (note VARCHAR(9) DEFAULT 'x', synthetic_source VARCHAR(99), popularity INTEGER,"
        " category VARCHAR(20), name VARCHAR(20), merchant_id BIGINT)"
    )
    loaded = _load(database, entities=("merchants",), into_existing=True)
    assert ([], 500) == (loaded.created, _count(database, "merchants WHERE note = 'x' AND popularity > 0"))


@NEEDS_POSTGRESQL
def test_append_to_columns_of_uuid_and_enum(postgres: Database) -> None:
    """PostgreSQL's own uuid, enum and timestamp without a zone take ids, labels and instants."""
    postgres.query(
        "CREATE TYPE kind AS ENUM ('checking', 'loan', 'savings'); CREATE TABLE accounts (account_id uuid PRIMARY KEY,"
        " customer_id uuid, type kind, opened_on date, status text, closed_on date, balance numeric, synthetic_source text)"
    )
    _load(postgres, entities=("accounts",), into_existing=True)
    first = next(iter(dataset_of("bank").rows("accounts", 30, 7)))
    assert [(first.account_id, first.type)] == postgres.query(
        f"SELECT account_id, type FROM accounts WHERE account_id = '{first.account_id}'"
    )


class _Broken(PlanSource):
    """A source whose rows end with an error."""

    def chunks(self) -> Iterator[Chunk]:
        yield from super().chunks()
        raise RuntimeError("no more rows")


def test_failure_leaves_the_database_as_it_was(database: Database) -> None:
    """Rows that end with an error leave neither rows nor tables, and no file where there was none."""
    with pytest.raises(RuntimeError, match="no more rows"):
        load_database(database.uri, _Broken(dataset_of("bank"), records=30, seed=7), now=NOW)
    if database.kind == "postgresql":
        assert set() == _tables(database)
    else:
        assert not Path(database.uri.partition(":///")[2]).exists()


def test_rows_that_a_driver_loses_are_missed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load whose rows a driver took and didn't put into the table isn't committed."""

    def lose(self: object, table: str, reader: pa.RecordBatchReader, columns: object) -> None:
        del self, table, columns
        reader.read_all()

    with open_database(database.uri, create=True) as opened:
        monkeypatch.setattr(type(opened), "_ingest", lose)
    with pytest.raises(LoadError, match="has 0 rows of customers where 30 should be"):
        _load(database)
    assert database.kind != "postgresql" or set() == _tables(database)


def test_refused_row_leaves_the_database_as_it_was(database: Database) -> None:
    """A row that the database refuses takes the whole load with it, those tables too that had taken theirs."""
    _load(database)
    before = {table: _count(database, table) for table in _tables(database)}
    if database.kind == "sqlite":
        database.query(
            "CREATE TRIGGER stop BEFORE INSERT ON accounts BEGIN SELECT RAISE(ABORT, 'stop here'); END;"
        )
    elif database.kind == "postgresql":
        database.query("ALTER TABLE accounts ADD CONSTRAINT never CHECK (balance IS NULL) NOT VALID")
    else:
        database.query("CREATE UNIQUE INDEX own ON customers (customer_no)")
        row = next(iter(dataset_of("bank").rows("customers", 1, 8)))
        database.query(f"INSERT INTO customers VALUES ({OWN_ROW.replace('C1', row.customer_no)}) RETURNING 1")
        before["customers"] += 1
    with pytest.raises(DatabaseError, match="refuses rows of"):
        _load(database, seed=8, into_existing=True)
    assert before == {table: _count(database, table) for table in before}


@NEEDS_POSTGRESQL
def test_schema_is_made_and_kept_apart(postgres: Database) -> None:
    """A schema that isn't there is made; the same tables stand in another one beside it."""
    _load(postgres, schema="one two")
    _load(postgres, schema="three")
    assert [("30", "30")] == postgres.query(
        'SELECT (SELECT count(*) FROM "one two".customers), (SELECT count(*) FROM three.customers)'
    )


@NEEDS_POSTGRESQL
def test_second_load_waits_for_the_first(postgres: Database) -> None:
    """Of two loads at once the second is told that it waits, and goes on when the first has ended."""
    waits = threading.Event()
    results: list[LoadedRows] = []

    def second() -> None:
        source = PlanSource(load_plan("shop"), records=5, seed=1)
        results.append(load_database(postgres.uri, source, now=NOW, waiting=waits.set))

    thread = threading.Thread(target=second)
    with open_database(postgres.uri) as first, first.transaction():
        first.lock()
        thread.start()
        assert waits.wait(60)
    thread.join(60)
    assert [1] == [each.load for each in results]


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_second_writer_of_a_file_is_told(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another program writes to is refused with that word, and the other's work isn't touched."""
    monkeypatch.setattr("esdh_load.databases.sqlite._WAIT", 10)
    path = tmp_path / "a.db"
    program = (
        f"import sqlite3; c = sqlite3.connect({str(path)!r}, isolation_level=None); c.execute('begin immediate')"
        if kind == "sqlite"
        else f"import duckdb; c = duckdb.connect({str(path)!r})"
    )
    holder = [sys.executable, "-c", f"{program}\nprint('ready', flush=True)\ninput()"]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert "ready\n" == other.stdout.readline()
        with pytest.raises(
            DatabaseError, match=r"another program is writing to it|another process has the file open"
        ):
            load_database(f"{kind}:///{path}", PlanSource(load_plan("shop"), records=5, seed=1), now=NOW)
        other.communicate("\n")
    assert path.exists()


@NEEDS_POSTGRESQL
def test_lost_connection_leaves_the_database_as_it_was(postgres: Database) -> None:
    """A connection that the server ends in the middle of a load is told of, and the earlier load is whole."""
    _load(postgres)
    before = {table: _count(postgres, table) for table in _tables(postgres)}

    class Ending(PlanSource):
        def chunks(self) -> Iterator[Chunk]:
            for chunk in super().chunks():
                yield chunk
                postgres.query(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    with pytest.raises(DatabaseError, match=r"terminating connection|connection .*(closed|lost)"):
        load_database(postgres.uri, Ending(dataset_of("bank"), records=30, seed=8), now=NOW, replace=True)
    assert before == {table: _count(postgres, table) for table in _tables(postgres)}


@pytest.mark.skipif(sys.platform == "win32", reason="it has no limits on the size of a file")
@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_full_disk_leaves_the_file_as_it_was(kind: str, tmp_path: Path) -> None:
    """Where a file can't grow the load ends with a sentence, and the earlier load in it is whole."""
    path = tmp_path / "a.db"
    uri = f"{kind}:///{path}"
    load_database(uri, PlanSource(load_plan("shop"), records=50, seed=1), now=NOW)
    limit = path.stat().st_size + 100_000
    program = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); from esdh_cli.main import main; main()"
    options = ["--plan", "shop", "--records", "3000", "--seed", "2", "--replace", "--quiet"]
    command = [sys.executable, "-c", program, "load-database", uri, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (1, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    outcome = verify_database(uri, exact=True)
    assert ("passed", 1) == (outcome.verdict, outcome.seed)
