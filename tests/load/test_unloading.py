"""unload-database removes exactly a load's rows, and nothing that others have attached to them unless that is asked for."""

import pytest
from databases import NEEDS_POSTGRESQL, Database
from esdh_load import (
    AttachedRowsError,
    LoadError,
    open_database,
    read_loads,
    unload_database,
    verify_database,
)
from loads import KINDS_PLAN, LONG_TABLE, dataset_of, load, load_to_change


def _count(database: Database, table: str) -> int:
    return int(database.query(f'SELECT count(*) FROM "{table}"')[0][0])


def _contents(database: Database, *tables: str) -> list[list[tuple[object, ...]]]:
    return [sorted(database.query(f'SELECT * FROM "{table}"'), key=repr) for table in tables]


def _person(key: str, license_number: str) -> str:
    """Return a statement that puts in a person of the testers' own, a copy of another."""
    fields = ", ".join(f'"{name}"' for name in dataset_of(None).tables[0].fields)
    copied = fields.replace('"person_id"', f"'{key}'").replace(
        '"driver_license_number"', f"'{license_number}'"
    )
    copied = copied.replace('"synthetic_source"', "'by hand'")
    return f"INSERT INTO persons ({fields}) SELECT {copied} FROM persons LIMIT 1; SELECT 1"


def _vehicle(key: str, person: str, vin: str) -> str:
    """Return a statement that puts in a vehicle of the testers' own, which a person has."""
    fields = ", ".join(f'"{name}"' for name in dataset_of(None).table("vehicle").fields)
    copied = (
        fields.replace('"vehicle_id"', f"'{key}'")
        .replace('"person_id"', f"'{person}'")
        .replace('"vin"', f"'{vin}'")
        .replace('"synthetic_source"', "'by hand'")
    )
    return f"INSERT INTO vehicles ({fields}) SELECT {copied} FROM vehicles LIMIT 1; SELECT 1"


def test_own_rows_stay(database: Database) -> None:
    """Rows of the testers' own in our tables, and their own tables, are as they were; our changed rows go too."""
    load_to_change(database, None, records=30)
    ours = dataset_of(None).rows("person", 2, 7)
    database.query(_person("own-1", "X1"))
    database.query(_vehicle("own-2", "own-1", "1M8GDM9AXKP042788"))
    database.query(
        "CREATE TABLE visits (visit INTEGER PRIMARY KEY, person TEXT); INSERT INTO visits VALUES (1, 'own-1'); SELECT 1"
    )
    database.query(
        f"UPDATE persons SET city = 'Elsewhere' WHERE person_id = '{ours[0].person_id}' RETURNING 1"
    )
    database.query(
        "DELETE FROM profiles WHERE profile_id = (SELECT min(profile_id) FROM profiles) RETURNING 1"
    )
    own = [
        database.query("SELECT * FROM persons WHERE person_id = 'own-1'"),
        database.query("SELECT * FROM vehicles WHERE vehicle_id = 'own-2'"),
        database.query("SELECT * FROM visits"),
    ]
    removed = unload_database(database.uri)
    assert {"persons": 30, "vehicles": 30, "profiles": 29} == removed.rows
    assert ({}, {"profiles": 1}) == (removed.attached, removed.absent)
    assert [*own, []] == _contents(database, "persons", "vehicles", "visits", "profiles")


def test_other_load_stays(database: Database) -> None:
    """Of two loads in the same tables only the named one goes, and the other is still proved."""
    load(database, None, records=30, seed=1)
    load(database, None, records=20, seed=2, into_existing=True)
    with pytest.raises(LoadError, match=r"2 loads.*--load N"):
        unload_database(database.uri)
    assert {"persons": 30, "vehicles": 30, "profiles": 30} == unload_database(database.uri, load=1).rows
    assert "passed" == verify_database(database.uri, exact=True).verdict
    assert 20 == _count(database, "persons")
    unload_database(database.uri)
    with open_database(database.uri) as connection:
        assert [] == read_loads(connection)


def test_attached_rows_are_named(database: Database) -> None:
    """Rows of others that refer to ours are named with their table, and the database is left as it was."""
    load(database, None, records=30)
    ours = dataset_of(None).rows("person", 3, 7)
    database.query(_vehicle("own-1", ours[2].person_id, "1M8GDM9AXKP042788"))
    database.query(
        "CREATE TABLE visits (visit INTEGER PRIMARY KEY, person TEXT REFERENCES persons (person_id));"
        f" INSERT INTO visits VALUES (1, '{ours[0].person_id}'), (2, '{ours[1].person_id}'); SELECT 1"
    )
    tables = ("persons", "vehicles", "profiles", "visits")
    before = _contents(database, *tables)
    with pytest.raises(AttachedRowsError) as error:
        unload_database(database.uri)
    assert f"1 of vehicles (vehicle_id own-1, person_id {ours[2].person_id})" in str(error.value)
    assert f"2 of visits (visit 1, person {ours[0].person_id})" in str(error.value)
    assert "nothing was removed" in str(error.value)
    assert before == _contents(database, *tables)
    assert "passed" == verify_database(database.uri).verdict


def test_cascade_removes_what_is_attached(database: Database) -> None:
    """With cascade go the rows that refer to ours and those that refer to these, and no others."""
    load(database, None, records=30)
    ours = dataset_of(None).rows("person", 3, 7)
    database.query(_person("own-1", "X1"))
    database.query(_vehicle("own-2", ours[2].person_id, "1M8GDM9AXKP042788"))
    database.query(
        "CREATE TABLE visits (visit INTEGER PRIMARY KEY, person TEXT REFERENCES persons (person_id));"
        "CREATE TABLE bills (bill INTEGER PRIMARY KEY, visit INTEGER REFERENCES visits (visit));"
        f" INSERT INTO visits VALUES (1, '{ours[0].person_id}'), (2, 'own-1'), (3, NULL);"
        " INSERT INTO bills VALUES (10, 1), (20, 2), (30, 1), (40, NULL); SELECT 1"
    )
    removed = unload_database(database.uri, cascade=True)
    assert {"vehicles": 1, "visits": 1, "bills": 2} == removed.attached
    assert {"persons": 30, "vehicles": 30, "profiles": 30} == removed.rows
    assert (["2", "3"], ["20", "40"]) == (
        [str(row[0]) for row in database.query("SELECT visit FROM visits ORDER BY 1")],
        [str(row[0]) for row in database.query("SELECT bill FROM bills ORDER BY 1")],
    )
    assert [("own-1",)] == database.query("SELECT person_id FROM persons")


def test_attached_row_in_a_table_without_constraints_is_named(database: Database) -> None:
    """Where tables that were there have no foreign keys, the plan's references tell what is attached."""
    fields = {table.name: table.fields for table in dataset_of("bank").tables}
    for table in dataset_of("bank").tables:
        types = {"integer": "BIGINT", "date": "DATE", "timestamp": "TIMESTAMP", "decimal": "DECIMAL(18,2)"}
        columns = ", ".join(
            f'"{field.name}" {types.get(field.type, "VARCHAR(200)")}' for field in table.schema
        )
        database.query(f"CREATE TABLE {table.name} ({columns}); SELECT 1")
    load(database, "bank", records=20, into_existing=True)
    customer = dataset_of("bank").rows("customers", 1, 7)[0].customer_id
    copied = (
        ", ".join(fields["accounts"])
        .replace("account_id", "'own'", 1)
        .replace("customer_id", f"'{customer}'", 1)
    )
    database.query(f"INSERT INTO accounts SELECT {copied} FROM accounts LIMIT 1; SELECT 1")
    with pytest.raises(AttachedRowsError, match=r"1 of accounts \(account_id own, customer_id"):
        unload_database(database.uri)
    assert {"accounts": 1} == unload_database(database.uri, cascade=True).attached
    assert [0, 0, 0, 0] == [_count(database, name) for name in fields]


def test_row_that_equals_one_of_ours_stays(database: Database) -> None:
    """In a table without a key as many rows go as the load put there: an equal one of the testers' own stays."""
    load(database, KINDS_PLAN)
    some = "user_text = 'alike' AND score IS NULL AND exact"
    before = _count(database, "notes")
    assert 0 < int(database.query(f"SELECT count(*) FROM notes WHERE {some}")[0][0])
    database.query(f"INSERT INTO notes SELECT * FROM notes WHERE {some} LIMIT 1; SELECT 1")
    assert before == unload_database(database.uri).rows["notes"]
    assert [("alike", None)] == database.query("SELECT user_text, score FROM notes")
    assert [0, 0, 0, 0] == [_count(database, name) for name in ("table", "constants", "group", LONG_TABLE)]


def test_tables_keep_what_was_built_on_them(database: Database) -> None:
    """Keys, checks, indexes, views and comments of the testers' own and ours stay, with rows that refer to each other."""
    load(database, KINDS_PLAN, records=30)
    dataset = dataset_of(KINDS_PLAN)
    fields = ", ".join(f'"{name}"' for name in dataset.table("group").fields)

    def copied(key: str, unique: str, order: str) -> str:
        values = (
            fields.replace('"user"', f"'{key}'").replace('"unique"', f"'{unique}'").replace('"order"', order)
        )
        values = values.replace('"references"', "99").replace('"synthetic_source"', "'by hand'")
        return f'INSERT INTO "group" ({fields}) SELECT {values} FROM "group" LIMIT 1; '

    database.query("""INSERT INTO "table" VALUES (99, '', 'by hand'); SELECT 1""")
    database.query(
        'CREATE INDEX own_index ON "group" ("day"); CREATE VIEW own_view AS SELECT "user" FROM "group"; SELECT 1'
    )
    for statement in (copied("own-1", "AA000000001", "NULL"), copied("own-2", "AA000000002", "'own-1'")):
        database.query(f"{statement} SELECT 1")
    unload_database(database.uri)
    assert [("own-1", None), ("own-2", "own-1")] == database.query(
        'SELECT "user", "order" FROM "group" ORDER BY 1'
    )
    assert [("own-1",), ("own-2",)] == database.query("SELECT * FROM own_view ORDER BY 1")
    indexes = {
        "postgresql": "SELECT indexname FROM pg_indexes WHERE indexname = 'own_index'",
        "sqlite": "SELECT name FROM sqlite_schema WHERE name = 'own_index'",
        "duckdb": "SELECT index_name FROM duckdb_indexes()",
    }
    assert [("own_index",)] == database.query(indexes[database.kind])
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        database.query(copied("own-3", "AA000000002", "NULL") + " SELECT 1")
    if database.kind == "duckdb":
        comment = "SELECT comment FROM duckdb_tables() WHERE table_name = 'group'"
        assert [(dataset.table("group").description,)] == database.query(comment)


def test_load_can_be_repeated_after_removal(database: Database) -> None:
    """The tables stay, and take the same load again without a word, unless somebody has rows in them."""
    load(database, KINDS_PLAN)
    unload_database(database.uri)
    load(database, KINDS_PLAN)
    assert "passed" == verify_database(database.uri, exact=True).verdict


def test_rows_that_stay_ask_for_a_word(database: Database) -> None:
    """Where a removal left rows of the testers' own, the next load is refused until it is told to append."""
    load(database, None, records=5)
    database.query(_person("own-1", "X1"))
    unload_database(database.uri)
    with pytest.raises(LoadError, match=r"has a table persons with rows of its own; .*--into-existing"):
        load(database, None, records=5)
    load(database, None, records=5, into_existing=True)
    assert "passed" == verify_database(database.uri).verdict


def test_table_that_is_gone_is_no_matter(database: Database) -> None:
    """Where a table was dropped, its rows count as gone already."""
    written = load(database, "bank", records=20)
    database.query("DROP TABLE transactions; SELECT 1")
    removed = unload_database(database.uri)
    assert {"transactions": written.rows["transactions"]} == removed.absent
    assert {name: count for name, count in written.rows.items() if name != "transactions"} == removed.rows


@NEEDS_POSTGRESQL
def test_partitioned_table_is_refused(postgres: Database) -> None:
    """Rows of a partitioned table aren't told apart by what marks them, so nothing is removed from one."""
    load(postgres, "people", records=20)
    postgres.query("CREATE TABLE part () INHERITS (people); SELECT 1")
    with pytest.raises(LoadError, match="people is made of partitions"):
        unload_database(postgres.uri)
    assert 20 == _count(postgres, "people")


@NEEDS_POSTGRESQL
def test_attached_rows_of_another_schema_are_named(postgres: Database) -> None:
    """A foreign key from another schema attaches too, and its rows go with cascade."""
    load(postgres, "people", records=20)
    key = dataset_of("people").tables[0].fields[0]
    postgres.query(
        f"CREATE SCHEMA other; CREATE TABLE other.people (own INTEGER, person TEXT REFERENCES public.people ({key}));"
        f" INSERT INTO other.people SELECT 5, min({key}) FROM public.people; SELECT 1"
    )
    with pytest.raises(AttachedRowsError, match=r"1 of people \(own 5, person"):
        unload_database(postgres.uri)
    assert {"people": 1} == unload_database(postgres.uri, cascade=True).attached
