"""Plans from schemas that exist: what is imported runs, and its rows satisfy the schema that they were made for."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from esdh_core import generate_bundle
from esdh_plan import load_plan
from esdh_plan.importing import ImportSourceError, import_plan
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
