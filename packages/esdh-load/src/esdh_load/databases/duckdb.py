"""DuckDB: one file, one process; Arrow in and out without a copy."""

from collections.abc import Callable
from contextlib import closing

import adbc_driver_duckdb.dbapi
import pyarrow as pa
from adbc_driver_manager import dbapi
from sqlglot import exp

from esdh_load.columns import FieldType, column_type
from esdh_load.databases.base import Database, ExistingColumn

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
