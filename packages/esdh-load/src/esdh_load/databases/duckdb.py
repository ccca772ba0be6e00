"""DuckDB: one file, one process; Arrow in and out without a copy."""

from collections.abc import Callable, Mapping
from contextlib import closing

import adbc_driver_duckdb.dbapi
import pyarrow as pa
from adbc_driver_manager import dbapi
from sqlglot import exp

from esdh_load.columns import FieldType, column_type
from esdh_load.databases.base import Database, ExistingColumn, Reference, TableName
from esdh_load.errors import DatabaseError

__all__ = ["DuckDB"]

_INTEGERS = (
    "BIGINT",
    "INTEGER",
    "SMALLINT",
    "TINYINT",
    "HUGEINT",
    "UBIGINT",
    "UINTEGER",
    "USMALLINT",
    "UTINYINT",
)
_STAGING = "esdh_staging"


class DuckDB(Database):
    """A DuckDB file."""

    kind = "duckdb"
    dialect = "duckdb"

    def _connect(self) -> dbapi.Connection:
        connection: dbapi.Connection = adbc_driver_duckdb.dbapi.connect(self.uri.connection, autocommit=False)
        with closing(connection.cursor()) as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
        return connection

    def lock(self, waiting: Callable[[], None] | None = None) -> None:
        """Do nothing: a file is open in one process at a time."""

    def has_schema(self) -> bool:
        """Return whether the schema is there."""
        if self.schema is None:
            return True
        return bool(
            self.rows(
                f"SELECT 1 AS n FROM duckdb_schemas() WHERE schema_name = {_text(self.schema)} AND NOT internal"
            )
        ) or self.schema in ("main", "temp")

    def columns(self, table: str) -> list[ExistingColumn] | None:
        """Return the columns of a table."""
        found = self.rows(
            "SELECT column_name AS name, data_type AS type, is_nullable OR column_default IS NOT NULL AS optional"
            f" FROM duckdb_columns() WHERE schema_name = {_text(self.schema or 'main')} AND table_name = {_text(table)}"
            " AND database_name = current_database() ORDER BY column_index"
        )
        return [ExistingColumn(each["name"], each["type"], each["optional"]) for each in found] or None

    def accepts(self, field: FieldType, column: ExistingColumn) -> bool:
        """Return whether a column takes a field's values; what is too large is refused row by row."""
        found = column.type.upper()
        match field.kind:
            case "string":
                return found in ("VARCHAR", "UUID") or found.startswith("ENUM")
            case "integer":
                return found in _INTEGERS
            case "decimal":
                return found.startswith("DECIMAL(") and int(found[:-1].split(",")[1]) >= field.scale
            case "timestamp":
                return found in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP")
        return found == field.kind.upper()

    def stored(self, values: pa.Array, column: ExistingColumn) -> pa.Array:
        """Return values as they are; DuckDB takes Arrow's types for its own."""
        del column
        return values

    def selected(self, field: FieldType, column: exp.Expression) -> exp.Expression:
        """Return a column as the type that our own tables have."""
        return exp.cast(column, self.column_type(field), dialect="duckdb")

    def execute(self, statement: str | exp.Expression) -> int:
        """Run a statement to its end: the driver goes on with it only as its result is taken."""
        text = statement if isinstance(statement, str) else self.sql(statement)
        with self._translated(), closing(self.connection.cursor()) as cursor:
            cursor.execute(text)
            rows = cursor.fetchall()
        return int(rows[0][0]) if rows and isinstance(rows[0][0], int) else -1

    def expect_rows(self) -> None:
        """Take rows by one thread: keys are checked by one anyway, and others that wait for it cost half as much again."""
        self.execute("SET threads = 1")

    def _ingest(self, table: str, reader: pa.RecordBatchReader, columns: list[ExistingColumn]) -> None:
        """Append by position, which is all that the driver can; where columns differ, by a temporary table."""
        existing = [(each.name, each.type) for each in columns]
        if existing == [(field.name, _duck(field.type)) for field in reader.schema]:
            super()._ingest(table, reader, columns)
            return
        names = ", ".join(exp.to_identifier(each, quoted=True).sql("duckdb") for each in reader.schema.names)
        declared = ", ".join(
            f"{exp.to_identifier(field.name, quoted=True).sql('duckdb')} {_duck(field.type)}"
            for field in reader.schema
        )
        self.execute(f"CREATE TEMP TABLE {_STAGING} ({declared})")
        with self._translated(table=table), closing(self.connection.cursor()) as cursor:
            cursor.adbc_ingest(_STAGING, reader, mode="append", **self._temporary)
        with self._translated(table=table):
            self.execute(
                f"INSERT INTO {self.sql(self.name(table))} ({names}) SELECT {names} FROM temp.{_STAGING}"
            )
        self.execute(f"DROP TABLE temp.{_STAGING}")

    def full_name(self, table: str) -> TableName:
        """Return a table's name with its schema."""
        return TableName(table, self.schema or "main")

    def references_to(self, table: TableName) -> list[Reference]:
        """Return the foreign keys that lead to a table; DuckDB has them within a schema alone."""
        found = self.rows(
            "SELECT table_name AS name, constraint_column_names AS fields, referenced_column_names AS targets"
            " FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY' AND database_name = current_database()"
            f" AND schema_name = {_text(table.schema or 'main')} AND referenced_table = {_text(table.name)}"
            " ORDER BY table_oid, constraint_index"
        )
        return [
            Reference(
                TableName(each["name"], table.schema), tuple(each["fields"]), table, tuple(each["targets"])
            )
            for each in found
        ]

    def remove(self, marked: Mapping[TableName, str]) -> None:
        """Delete rows, those first that refer to others.

        Where a row that was referred to goes, DuckDB doesn't see within a transaction that the other has gone. Then
        the tables are made again, as they were, with the rows that stay.
        """
        if not any(self.references_to(table) for table in marked):
            super().remove(marked)
            return
        definitions = {table: self._definition(table) for table in marked}
        for number, (table, mark) in enumerate(marked.items()):
            self.execute(
                f"CREATE TEMP TABLE esdh_rest_{number} AS SELECT rowid AS esdh_id, * FROM {self.qualified(table)}"
                f" WHERE rowid NOT IN (SELECT id FROM temp.{self.quoted(mark)})"
            )
        for table in marked:
            self.execute(f"DROP TABLE {self.qualified(table)}")
        for number, table in reversed(list(enumerate(marked))):
            create, *others = definitions[table]
            self.execute(create)
            self._put_back(table, f"temp.esdh_rest_{number}")
            for statement in others:
                self.execute(statement)

    def _definition(self, table: TableName) -> list[str]:
        """Return the statements that make a table, its indexes and its comments."""
        place = f"database_name = current_database() AND schema_name = {_text(table.schema or 'main')}"
        place += f" AND table_name = {_text(table.name)}"
        name = self.qualified(table)
        (described,) = self.rows(f"SELECT sql, comment FROM duckdb_tables() WHERE {place}")
        statements = [described["sql"]]
        statements += [
            each["sql"]
            for each in self.rows(f"SELECT sql FROM duckdb_indexes() WHERE {place}")
            if each["sql"]
        ]
        if described["comment"] is not None:
            statements.append(f"COMMENT ON TABLE {name} IS {_text(described['comment'])}")
        comments = self.rows(
            f"SELECT column_name AS name, comment FROM duckdb_columns() WHERE {place} AND comment IS NOT NULL"
        )
        return statements + [
            f"COMMENT ON COLUMN {name}.{self.quoted(each['name'])} IS {_text(each['comment'])}"
            for each in comments
        ]

    def _put_back(self, table: TableName, rest: str) -> None:
        """Insert rows, those first that others of the same table refer to: DuckDB looks for them row by row."""
        name = self.qualified(table)
        own = [each for each in self.references_to(table) if each.table == table]
        ready = " AND ".join(
            f"({' OR '.join(f'r.{self.quoted(field)} IS NULL' for field in each.fields)} OR EXISTS (SELECT 1 FROM {name} t"
            f" WHERE {' AND '.join(f't.{self.quoted(b)} = r.{self.quoted(a)}' for a, b in zip(each.fields, each.targets, strict=True))}))"
            for each in own
        )
        before = -1
        while (left := self.rows(f"SELECT count(*) AS n FROM {rest}")[0]["n"]) and left != before:
            before = left
            self.execute(
                f"CREATE OR REPLACE TEMP TABLE esdh_ready AS SELECT esdh_id FROM {rest} r WHERE {ready or 'true'}"
            )
            rows = f"FROM {rest} WHERE esdh_id IN (SELECT esdh_id FROM temp.esdh_ready)"
            self.execute(f"INSERT INTO {name} SELECT * EXCLUDE (esdh_id) {rows} ORDER BY esdh_id")
            self.execute(f"DELETE {rows}")
        if left:
            raise DatabaseError(f"{self.uri}: rows of {table.name} that stay refer to each other in a ring")

    def explain(self, text: str, code: str) -> str:
        """Return what an error says, and what helps."""
        if "Could not set lock on file" in text:
            return "another process has the file open; close it there, or wait until that has ended"
        return super().explain(text, code)


def _text(value: str) -> str:
    return exp.Literal.string(value).sql("duckdb")


def _duck(kind: pa.DataType) -> str:
    """Return what DuckDB calls an Arrow type of ours."""
    return column_type(FieldType.of(kind), "duckdb")
