"""PostgreSQL: COPY in both directions, keys after the rows, an advisory lock."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import adbc_driver_postgresql.dbapi
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager import dbapi
from sqlglot import exp

from esdh_load.columns import FieldType
from esdh_load.databases.base import Database, ExistingColumn, Reference, TableName
from esdh_load.errors import DatabaseError

__all__ = ["PostgreSQL"]

_LOCK = 0x65736468_6C6F6164  # "esdhload": the key of the advisory lock that loads hold
_TEXTS = ("text", "character varying", "character", "bpchar", "citext", "enum", "uuid")
_INTEGERS = {"bigint": pa.int64(), "integer": pa.int32(), "smallint": pa.int16()}
_UUID = r"^[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$"


class PostgreSQL(Database):
    """A PostgreSQL server's database."""

    kind = "postgresql"
    dialect = "postgres"
    adds_constraints = True
    batch_rows = 2_048  # so few that the server reads them while the driver writes the next
    row_id = "ctid"
    row_id_type = "tid"
    _temporary: ClassVar[dict[str, Any]] = {"db_schema_name": "pg_temp"}

    def _connect(self) -> dbapi.Connection:
        connection: dbapi.Connection = adbc_driver_postgresql.dbapi.connect(_with_name(self.uri.connection))
        with connection.cursor() as cursor:  # notices would be printed to the standard error
            cursor.execute("SET client_min_messages = warning")
        connection.commit()
        return connection

    def begin(self, *, read_only: bool) -> None:
        """Choose what the transaction, which the driver has begun, may see and do."""
        if read_only:
            self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def lock(self, waiting: Callable[[], None] | None = None) -> None:
        """Take the lock of all loads of this database; another one's end is waited for."""
        (row,) = self.rows(f"SELECT pg_try_advisory_xact_lock({_LOCK}) AS taken")
        if not row["taken"]:
            if waiting is not None:
                waiting()
            self.rows(f"SELECT pg_advisory_xact_lock({_LOCK})::text AS taken")

    def has_schema(self) -> bool:
        """Return whether the schema is there."""
        if self.schema is None:
            return True
        found = self.rows(f"SELECT 1 AS n FROM pg_namespace WHERE nspname = {_text(self.schema)}")
        return bool(found)

    def expect_rows(self) -> None:
        """Do nothing: the server is its administrator's, and sees to that."""

    def columns(self, table: str) -> list[ExistingColumn] | None:
        """Return the columns of a table, or of a temporary one of that name where no schema is asked for."""
        name = self.sql(self.name(table))
        (row,) = self.rows(f"SELECT to_regclass({_text(name)})::oid::bigint AS oid")
        if row["oid"] is None:
            return None
        found = self.rows(
            "SELECT a.attname::text AS name, CASE t.typtype WHEN 'e' THEN 'enum' ELSE format_type(a.atttypid, a.atttypmod) END"
            " AS type, NOT a.attnotnull OR a.atthasdef OR a.attidentity <> '' AS optional"
            " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
            f" WHERE a.attrelid = {row['oid']} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
        return [ExistingColumn(each["name"], each["type"], each["optional"]) for each in found]

    def accepts(self, field: FieldType, column: ExistingColumn) -> bool:
        """Return whether a column takes a field's values; what is too long or too large is refused row by row."""
        base, numbers = _parsed(column.type)
        match field.kind:
            case "string":
                return base in _TEXTS
            case "integer":
                return base in _INTEGERS
            case "decimal":
                return base == "numeric" and (len(numbers) < 2 or numbers[1] >= field.scale)
            case "timestamp":
                return base in ("timestamp with time zone", "timestamp without time zone")
        return base == field.kind

    def stored(self, values: pa.Array, column: ExistingColumn) -> pa.Array:
        """Return values in the binary form of their column."""
        base, _ = _parsed(column.type)
        if base in _INTEGERS:
            return values.cast(_INTEGERS[base])
        if base == "uuid":
            return _uuids(values)
        if base == "timestamp without time zone":
            return values.cast(pa.timestamp("us"))
        return values

    def selected(self, field: FieldType, column: exp.Expression) -> exp.Expression:
        """Return a column as a type that the driver gives back whole; numeric it gives as text."""
        if field.kind == "timestamp":  # one without a zone holds UTC
            return exp.cast(exp.cast(column, "timestamptz"), "timestamptz")
        return exp.cast(
            column, "text" if field.kind in ("string", "decimal") else field.kind.replace("integer", "bigint")
        )

    def ordered(self, field: FieldType, column: exp.Expression) -> exp.Expression:
        """Return a column in the order of bytes, whatever language the database is of."""
        if field.kind != "string":
            return column
        return exp.Collate(this=exp.cast(column, "text"), expression=exp.to_identifier("C", quoted=True))

    def full_name(self, table: str) -> TableName:
        """Return a table's name with its schema; one that is made of others can't be held, nor its rows be known."""
        name = _text(self.sql(self.name(table)))
        (row,) = self.rows(
            "SELECT n.nspname::text AS schema, EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = c.oid) AS parts"
            f" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass({name})"
        )
        if row["parts"]:
            raise DatabaseError(
                f"{self.uri}: table {table} is made of partitions, from which rows can't be removed"
            )
        return TableName(table, row["schema"])

    def references_to(self, table: TableName) -> list[Reference]:
        """Return the foreign keys that lead to a table; of a partitioned table, those of its partitions."""
        columns = (
            "(SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest({0}key) WITH ORDINALITY k(at, n)"
            " JOIN pg_attribute a ON a.attrelid = f.{0}relid AND a.attnum = k.at)"
        )
        found = self.rows(
            f"SELECT n.nspname::text AS schema, c.relname::text AS name, {columns.format('con')} AS fields,"
            f" {columns.format('conf')} AS targets FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE f.contype = 'f' AND c.relkind = 'r'"
            f" AND f.confrelid = to_regclass({_text(self.qualified(table))}) ORDER BY 1, 2, f.oid"
        )
        return [
            Reference(
                TableName(each["name"], each["schema"]), tuple(each["fields"]), table, tuple(each["targets"])
            )
            for each in found
        ]

    def hold(self, tables: Sequence[TableName]) -> None:
        """Let nobody change rows of some tables until the transaction ends; they can be read."""
        names = ", ".join(self.qualified(each) for each in tables)
        self.execute(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")

    def remove(self, marked: Mapping[TableName, str]) -> None:
        """Delete rows of all tables in one statement, after which foreign keys are looked at."""
        for mark in marked.values():
            self.execute(f"ANALYZE {self.quoted(mark)}")
        deleted = [
            f"d{number} AS (DELETE FROM {self.qualified(table)} WHERE ctid IN (SELECT id FROM {self.quoted(mark)}))"
            for number, (table, mark) in enumerate(marked.items())
        ]
        self.execute(f"WITH {', '.join(deleted)} SELECT 1")

    def explain(self, text: str, code: str) -> str:
        """Return what an error says, and what helps."""
        if code == "42501":
            return f"{text}; the role lacks the right, which its owner can GRANT"
        if code == "25006":
            return f"{text}; it is read-only, a standby say: load the primary"
        return text


def _with_name(uri: str) -> str:
    """Return a URI by which the server's administrator sees who is connected."""
    if "application_name=" in uri:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}fallback_application_name=esdh"


def _text(value: str) -> str:
    return exp.Literal.string(value).sql("postgres")


def _parsed(type_: str) -> tuple[str, list[int]]:
    """Return a type's name and its numbers: `numeric(18,2)` is numeric and 18, 2."""
    numbers = re.search(r"\(([0-9, ]+)\)", type_)
    base = re.sub(r"\([0-9, ]+\)", "", type_)
    return base, [int(each) for each in numbers[1].split(",")] if numbers else []


def _uuids(values: pa.Array) -> pa.Array:
    """Return texts of UUIDs as their 16 bytes; a text that is none stays one, which the server refuses with its words."""
    if not pc.all(pc.match_substring_regex(values.drop_null(), _UUID)).as_py() and len(values.drop_null()):
        return values
    filled = pc.fill_null(pc.utf8_lower(values), "0" * 8 + "-0000" * 3 + "-" + "0" * 12)
    digits = pc.replace_substring(filled, "-", "")
    text = "".join(digits.to_pylist())
    data = np.frombuffer(bytes.fromhex(text), dtype=np.uint8)
    raw = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(values), [None, pa.py_buffer(data)])
    return pc.if_else(values.is_valid(), raw, pa.scalar(None, pa.binary(16)))
