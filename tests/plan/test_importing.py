"""Plans from schemas that exist: what is imported runs, and its rows satisfy the schema that they were made for."""

import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from esdh_core import generate_bundle
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import load_plan
from esdh_plan.importing import ImportSourceError, import_plan
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins
from sqlglot import exp

SCHEMAS = Path(__file__).parent / "schemas"
DIALECTS = {
    "chinook": "postgres",
    "classicmodels": "mysql",
    "employees": "mysql",
    "hr": "postgres",
    "northwind": "postgres",
    "sakila": "mysql",
    "types": "postgres",
}
EVERY_SCHEMA = pytest.mark.parametrize("name", DIALECTS)
RECORDS = 20
# Columns that are NOT NULL and null in the plan, since no rule reaches the rows that they refer to: a note names each.
CUT = {
    "sakila": ["store.manager_staff_id", "rental.inventory_id", "rental.customer_id", "payment.staff_id"],
}


def imported(folder: Path, text: str, dialect: str | None = None, root: str | None = None) -> str:
    """Return the plan that a text of DDL becomes."""
    path = folder / "given.sql"
    path.write_text(text, encoding="utf-8")
    return import_plan(path, dialect=dialect, root=root).text


def refused(folder: Path, content: str | bytes, name: str = "given.sql", **options: Any) -> str:
    """Return the sentence that a source is refused with."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ImportSourceError) as error:
        import_plan(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def bundle_of(folder: Path, text: str, records: int = RECORDS) -> list[list[tuple[Any, ...]]]:
    """Return the rows of each table of a plan, without the marker, in the plan's order."""
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    dataset = load_plan(path)
    bundle: dict[str, Any] = to_builtins(generate_bundle(records, dataset=dataset))
    names = re.findall(r"^  (\w+):(?:  #.*)?$", text, re.MULTILINE)
    assert {table.name for table in dataset.tables} == set(names)
    return [
        [tuple(value for name, value in row.items() if name != "synthetic_source") for row in bundle[name]]
        for name in names
    ]


def sqlite_tables(text: str, dialect: str, cut: list[str], notes: str) -> list[tuple[str, str]]:
    """Return each table's name and statement for SQLite, in the order of the DDL.

    `cut` columns may be null, and checks that `notes` tell aren't held are left out.
    """
    tables: dict[str, exp.Create] = {}
    for statement in sqlglot.parse(text, read=dialect):
        if isinstance(statement, exp.Create) and statement.kind == "TABLE":
            statement.set("properties", None)
            _plain(statement)
            tables[statement.this.this.name] = statement
        elif isinstance(statement, exp.Alter):  # SQLite adds no constraint to a table that is there
            added = [each for action in statement.args["actions"] for each in action.expressions]
            tables[statement.this.name].this.expressions.extend(added)
    for create in tables.values():
        for check in list(create.find_all(exp.CheckColumnConstraint, exp.Check)):
            if f"the check isn't held: {check.this.sql(dialect)}" in notes:
                (check.parent if isinstance(check.parent, exp.Constraint) else check).pop()
    for each in cut:
        table, _, name = each.partition(".")
        column = next(c for c in tables[table].this.expressions if c.name == name)
        column.set("constraints", [])
    return [(name, create.sql("sqlite")) for name, create in tables.items()]


_UNKNOWN = (exp.IndexColumnConstraint, exp.AutoIncrementColumnConstraint, exp.OnUpdateColumnConstraint)


def _plain(create: exp.Create) -> None:
    """Take from a statement what SQLite has no words for: indexes, counters, and the types that hold texts."""
    for part in list(create.find_all(*_UNKNOWN)):
        (part.parent if isinstance(part.parent, exp.ColumnConstraint) else part).pop()
    for unique in create.find_all(exp.UniqueColumnConstraint):
        if isinstance(unique.this, exp.Schema):
            unique.this.set("this", None)  # its name
    types = (exp.DataType.Type.ENUM, exp.DataType.Type.SET, exp.DataType.Type.ARRAY)
    for column in create.find_all(exp.ColumnDef):
        if column.kind is not None and column.kind.this in types:
            column.set("kind", exp.DataType.build("text"))


def load_into_sqlite(tables: list[tuple[str, str]], rows: list[list[tuple[Any, ...]]]) -> int:
    """Put rows into tables that hold every constraint, and return how many there are."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.create_function("REGEXP", 2, lambda pattern, text: bool(re.search(pattern, text)))
        for _, statement in tables:
            database.execute(statement)
        database.execute("BEGIN")
        database.execute("PRAGMA defer_foreign_keys = ON")  # the order of the DDL is no order of parents
        count = 0
        for (name, _), of in zip(tables, rows, strict=True):
            signs = ", ".join("?" * len(of[0])) if of else ""
            database.executemany(f'INSERT INTO "{name}" VALUES ({signs})', of)
            count += len(of)
        database.execute("COMMIT")
        return count


@EVERY_SCHEMA
def test_rows_satisfy_the_schema(name: str, tmp_path: Path) -> None:
    """Rows of an imported plan go into tables of the same DDL: every foreign key, key, check and NOT NULL holds."""
    text = (SCHEMAS / f"{name}.sql").read_text(encoding="utf-8")
    plan = import_plan(SCHEMAS / f"{name}.sql", dialect=DIALECTS[name])
    tables = sqlite_tables(text, DIALECTS[name], CUT.get(name, []), "\n".join(plan.notes))
    assert RECORDS <= load_into_sqlite(tables, bundle_of(tmp_path, plan.text))


@EVERY_SCHEMA
def test_dialect_is_guessed(name: str) -> None:
    """Without a dialect the same plan comes out, but for a note that says how the text was read."""
    told, guessed = (
        import_plan(SCHEMAS / f"{name}.sql", dialect=dialect) for dialect in (DIALECTS[name], None)
    )
    assert [] == [note for note in told.notes if "dialect" in note]
    assert guessed.notes[0].startswith("no dialect was given; ")
    assert told.text.splitlines() == [
        line for line in guessed.text.splitlines() if not line.startswith("# no dialect")
    ]


@EVERY_SCHEMA
def test_cut_columns_are_noted(name: str) -> None:
    """A column that is null though it is NOT NULL there has a note that says what to decide."""
    notes = "\n".join(import_plan(SCHEMAS / f"{name}.sql").notes)
    assert [] == [column for column in CUT.get(name, []) if column not in notes]


# --- what becomes of columns and keys


def test_names_that_the_language_refuses_are_renamed() -> None:
    """CamelCase, keywords and reserved words become names that a plan takes, and a comment keeps the old one."""
    text = import_plan(SCHEMAS / "types.sql").text
    assert "  desk:  # was Desk" in text
    for line in (r"class_: .*# was class$", r"from_: .*# was from$", r"^      plan: "):
        assert re.search(line, text, re.MULTILINE), line


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        ("c char(4) NOT NULL CHECK (c ~ '^[A-Z]{2}[0-9]{2}$')", "{pattern: '[A-Z]{2}[0-9]{2}'}"),
        ("c char(2) NOT NULL", "{pattern: '[A-Z]{2}'}"),
        ("c smallint NOT NULL CHECK (c BETWEEN 2 AND 8)", "{integer: {from: 2, to: 8}}"),
        ("c smallint NOT NULL CHECK (c > 2 AND 8 > c)", "{integer: {from: 3, to: 7}}"),
        ("c numeric(3,1) NOT NULL", "{decimal: {from: 0, to: 99.9, scale: 1}}"),
        ("c text NOT NULL CHECK (c IN ('a', 'b'))", "{choice: [a, b]}"),
        ("c text NOT NULL DEFAULT 'b' CHECK (c IN ('a', 'b'))", "{choice: {a: 1, b: 3}}"),
        ("c boolean NOT NULL", "{choice: {true: 70, false: 30}}"),
        ("c jsonb NOT NULL", "{value: '{}'}  # JSON is text, an empty object here"),
        ("c time NOT NULL", "{pattern: '[01][0-9]:[0-5][0-9]:[0-5][0-9]'}  # a time of day is text"),
        ("c bytea NOT NULL", "{pattern: '[0-9a-f]{8}'}  # bytes are text in hexadecimal digits"),
        ("email varchar(80) NOT NULL UNIQUE", r"{pattern: '[a-z]{6}[0-9]{3}@example\.test', unique: true}"),
        ("first_name varchar(80) NOT NULL", "given.name  # its name"),
        ("c date", "{date: {from: today - years(5), to: today}, missing: 5%}"),
    ],
)
def test_column_becomes(column: str, rule: str, tmp_path: Path) -> None:
    """A column becomes the rule that its type, checks, default and name tell, within what they allow."""
    text = imported(tmp_path, f"CREATE TABLE t (id int PRIMARY KEY, {column});", "postgres")
    begin = f"      {column.split(maxsplit=1)[0]}: {rule}"
    assert [] != [line for line in text.splitlines() if line.startswith(begin)]


TWO = "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, x int {} REFERENCES a (id));"


def test_root_may_be_said(tmp_path: Path) -> None:
    """The root is the table with most below it, and another one if it is named; what it refers to is fixed then."""
    assert "  a:\n    # The root" in imported(tmp_path, TWO.format(""))
    text = imported(tmp_path, TWO.format(""), root="b")
    assert "  b:\n    # The root" in text
    assert "x: x.id" not in text  # a pick has a name of its own
    assert "x: a.id" in text or "x: x_row.id" in text


def test_cycle_is_named_with_the_edge_that_is_cut(tmp_path: Path) -> None:
    """Foreign keys that go round are told with the tables and the column that is null."""
    path = tmp_path / "given.sql"
    path.write_text(
        "CREATE TABLE a (id int PRIMARY KEY, b int REFERENCES b (id));"
        "CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a (id));",
        encoding="utf-8",
    )
    (note,) = [each for each in import_plan(path, dialect="postgres").notes if "circle" in each]
    assert (
        "the foreign keys of a -> b -> a go round in a circle; a.b was cut: it is null, as b hangs below a"
        == note
    )


def test_key_to_a_table_that_is_not_there_is_noted(tmp_path: Path) -> None:
    """A foreign key to a table outside the source is left out, and said."""
    path = tmp_path / "given.sql"
    path.write_text("CREATE TABLE a (id int PRIMARY KEY, b int REFERENCES other (id));", encoding="utf-8")
    assert (
        "a: the foreign key (b) refers to other, which isn't in the source; it is left out"
        in import_plan(path).notes
    )


# --- the other sources

PACKAGE = """{"resources": [
  {"name": "shops", "schema": {"fields": [{"name": "code", "type": "string", "constraints": {"maxLength": 6}}], "primaryKey": "code"}},
  {"name": "sales", "schema": {"fields": [
     {"name": "id", "type": "integer", "constraints": {"required": true}},
     {"name": "shop", "type": "string", "constraints": {"required": true}},
     {"name": "paid", "type": "number", "constraints": {"required": true, "minimum": 2, "maximum": 3}}],
   "primaryKey": ["id"], "foreignKeys": [{"fields": "shop", "reference": {"resource": "shops", "fields": "code"}}]}}]}"""
JSON_SCHEMA = """{"type": "object", "required": ["id", "lines", "state"], "properties": {
  "id": {"type": "string", "format": "uuid"}, "state": {"enum": ["new", "paid"]},
  "home": {"type": "object", "properties": {"town": {"type": ["string", "null"], "maxLength": 9}}},
  "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}},
  "$defs": {"line": {"type": "object", "required": ["quantity"], "properties": {"quantity": {"type": "integer", "minimum": 1, "exclusiveMaximum": 4}}}}}"""
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: customers
    properties:
      - {name: customer_no, logicalType: integer, primaryKey: true, primaryKeyPosition: 1, required: true}
  - name: orders
    description: What was ordered
    properties:
      - {name: order_no, logicalType: integer, primaryKey: true, required: true}
      - {name: customer_no, logicalType: integer, required: true, relationships: [{type: foreignKey, to: customers.customer_no}]}
      - {name: total, logicalType: number, physicalType: "decimal(6,3)", required: true, logicalTypeOptions: {minimum: 1, maximum: 2}}
"""


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        (
            "shop.json",
            PACKAGE,
            ["  shops:", "    per: shops", "      shop: parent.code  # refers to shops", "      paid: {decimal: {from: 2, to: 3, scale: 2}}"],
        ),
        (
            "orders.json",
            JSON_SCHEMA,
            ["  orders:", "  orders_lines:", "    per: orders", "      orders_id: parent.id  # refers to orders", "      quantity: {integer: {from: 1, to: 3}}  # its name", "      state: {choice: [new, paid]}"],
        ),
        (
            "orders.yaml",
            CONTRACT,
            ["    per: customers", "    description: What was ordered", "      total: {decimal: {from: 1, to: 2, scale: 3}}"],
        ),
        (
            "desks.json",
            '{"fields": [{"name": "n", "type": "integer", "constraints": {"unique": true, "required": true}}], "primaryKey": "n"}',
            ["  desks:", "      n: {sequence: {start: 1}}"],
        ),
    ],
    ids=["package", "json-schema", "contract", "table-schema"],
)  # fmt: skip
def test_source_becomes_a_plan(name: str, content: str, lines: list[str], tmp_path: Path) -> None:
    """Each kind of source becomes a plan that gives rows, with the tables, keys and bounds that it tells."""
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    text = import_plan(path).text
    assert f"name: {path.stem}" in text.splitlines()
    assert [] == [line for line in lines if line not in text.splitlines()]
    assert all(bundle_of(tmp_path, text))


def test_parquet_tells_columns(tmp_path: Path) -> None:
    """A Parquet file's schema becomes a table: exact kinds, nullability, and what has no kind of its own is noted."""
    schema = pa.schema(
        [
            pa.field("n", pa.int16(), nullable=False),
            pa.field("price", pa.decimal128(6, 2), nullable=False),
            pa.field("at", pa.timestamp("us"), nullable=True),
            pa.field("share", pa.float64(), nullable=False),
            pa.field("label", pa.dictionary(pa.int8(), pa.string()), nullable=False),
            pa.field("parts", pa.list_(pa.int8()), nullable=False),
        ]
    )
    path = tmp_path / "rows.parquet"
    pq.write_table(schema.empty_table(), path)
    made = import_plan(path)
    assert "rows.share: double has no kind of its own; it is a decimal of 2 digits" in made.notes
    for line in (
        r"n: \{integer: ",
        r"price: \{decimal: .*scale: 2",
        r"at: \{timestamp: .*missing: 5%",
        r"label: \{pattern: ",
    ):
        assert re.search(rf"^      {line}", made.text, re.MULTILINE), line
    assert [RECORDS] == [len(rows) for rows in bundle_of(tmp_path, made.text)]


def test_own_package_comes_back(tmp_path: Path) -> None:
    """The Data Package of a snapshot of ours imports: its tables hang together as they did."""
    write_snapshot(
        tmp_path / "s", SnapshotRequest(dataset=load_plan("bank"), records=2, formats=("csv", "ndjson"))
    )
    text = import_plan(tmp_path / "s" / "datapackage.json").text
    assert re.findall(r"^  (\w+):$|^    per: (\w+)$", text, re.MULTILINE) == [
        *(("merchants", ""), ("customers", ""), ("accounts", ""), ("", "customers")),
        *(("transactions", ""), ("", "accounts")),
    ]
    assert all(bundle_of(tmp_path, text))


# --- refusals


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.sql", "CREATE TABLE t (id int,\n  x int REFERENCES (", r"it doesn't parse as \w+: line 2, at .*"),
        ("a.sql", "CREATE TABLE t (x text DEFAULT 'open);", r"it doesn't parse as \w+: .*"),
        ("a.sql", "", "there is no CREATE TABLE in it; give a file of DDL"),
        ("a.sql", "INSERT INTO t VALUES (1);", "there is no CREATE TABLE in it; give a file of DDL"),
        ("a.sql", "CREATE TABLE t (a int); CREATE TABLE T (a int);", "the table 'T' is created twice"),
        ("a.sql", "CREATE TABLE t (a int, A int);", "the table 't' has the column 'a' twice"),
        ("a.sql", "CREATE TABLE t (a int, PRIMARY KEY (aa));", "table 't' has no column 'aa'; did you mean 'a'.*"),
        ("a.sql", "".join(f"CREATE TABLE t{n} (a int);" for n in range(2000)), "it has 2,000 tables; a plan has at most 1,000"),
        ("a.sql", b"CREATE TABLE \xff", "it isn't UTF-8, from byte 13 on"),
        ("a.csv", "a,b", r"its name ends in .csv; a source ends in .sql, .*\.parquet"),
        ("a.json", "{", "it isn't JSON: line 1, column 2: .*"),
        ("a.json", "[" * 5000 + "]" * 5000, "it is nested more than 100 deep"),
        ("a.json", "[]", "the document is a list of 0; it must be keys and values"),
        ("a.json", "{}", "it is no Data Package .*"),
        ("a.json", '{"resources": [{"name": "r", "path": "r.csv"}]}', "none of its resources has a schema; .*"),
        ("a.json", '{"fields": [{"name": "a"}], "primaryKey": "b"}', "a key of a names the field 'b', which isn't there"),
        ("a.json", '{"fields": []}', "the table 'a' has no columns"),
        ("a.json", '{"properties": {"a": {"$ref": "#/properties/a"}}}', r"\$ref .* refers to itself, or by more than 20 others"),
        ("a.json", '{"properties": {"a": {"$ref": "http://x"}}}', r"\$ref 'http://x' leaves the document; .*"),
        ("a.json", '{"properties": {"a": {"type": "array", "items": {"$ref": "#"}}}}', ".* deep, or within itself"),
        ("a.yaml", "kind: DataContract\napiVersion: v2.2.2\n", "its apiVersion is 'v2.2.2'; version 3 of the Open Data .*"),
        ("a.yaml", "esdh: plan/1\n", "it is no data contract: .*"),
        ("a.yaml", "a: &b 1\n", "line 1: .*"),
        ("a.parquet", b"PAR1", "it is no Parquet file: .*"),
    ],
)  # fmt: skip
def test_source_is_refused(name: str, content: str | bytes, sentence: str, tmp_path: Path) -> None:
    """A source that is wrong or hostile gets one sentence that says what is wrong."""
    assert re.fullmatch(sentence, refused(tmp_path, content, name))


def test_dialects_that_differ_are_asked_for(tmp_path: Path) -> None:
    """Where two dialects read a text differently the dialect must be said, and is taken when it is."""
    text = "CREATE TABLE t ([a] TINYINT NOT NULL);"  # from 0 to 255 in tsql alone
    assert "sqlite and tsql read it differently; say which it is with --dialect" == refused(tmp_path, text)
    assert "{integer: " in imported(tmp_path, text, "tsql")


def test_dialect_is_of_sql(tmp_path: Path) -> None:
    """A dialect beside another source is a mistake."""
    sentence = refused(tmp_path, PACKAGE, "a.json", dialect="mysql")
    assert "a dialect (mysql) is of SQL, and this is no SQL file; leave it out" == sentence


def test_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, one sentence says what is missing and how to get it."""
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    monkeypatch.delitem(sys.modules, "esdh_plan.importing.ddl", raising=False)
    sentence = refused(tmp_path, TWO.format(""))
    assert "sqlglot, which reads such a file, is not installed here; install esdh-plan[import]" == sentence


def test_large_file_is_refused(tmp_path: Path) -> None:
    """A file that is no schema by its size is refused before it is read."""
    assert "it has 16,777,217 bytes; a schema has at most 16,777,216" == refused(
        tmp_path, b" " * ((1 << 24) + 1)
    )


# --- drawn schemas

TYPES = ["int", "smallint", "varchar(3)", "char(5)", "text", "numeric(7,2)", "date", "boolean", "timestamp"]


@st.composite
def schemas(draw: st.DrawFn) -> str:
    """Draw the DDL of a few tables whose keys refer to any of them, themselves included."""
    count = draw(st.integers(1, 5))
    statements = []
    for number in range(count):
        columns = [f"id{number} {draw(st.sampled_from(['int', 'bigint', 'varchar(12)']))} PRIMARY KEY"]
        columns += [
            f"c{at} {draw(st.sampled_from(TYPES))}{draw(st.sampled_from(['', ' NOT NULL']))}"
            for at in range(draw(st.integers(0, 3)))
        ]
        for at in range(draw(st.integers(0, 3))):
            other = draw(st.integers(0, count - 1))
            columns.append(
                f"f{at} int{draw(st.sampled_from(['', ' NOT NULL']))} REFERENCES t{other} (id{other})"
            )
        statements.append(f"CREATE TABLE t{number} ({', '.join(columns)})")
    return ";\n".join(statements)


@settings(max_examples=25, deadline=None)
@given(schemas())
def test_any_schema_becomes_a_plan_whose_foreign_keys_hold(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Whatever refers to what, the plan runs, and a key that isn't null refers to a row that is there."""
    folder = tmp_path_factory.mktemp("drawn")
    rows = bundle_of(folder, imported(folder, text, "postgres"))
    tables = sqlite_tables(text.replace(" NOT NULL", ""), "postgres", [], "")
    assert load_into_sqlite(tables, rows)
