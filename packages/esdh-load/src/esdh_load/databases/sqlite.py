"""SQLite: one file, one writer; values stand in columns as Python's and SQLite's own functions write them."""

from collections.abc import Callable
from contextlib import closing

import adbc_driver_sqlite.dbapi
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager import dbapi
from sqlglot import exp

from esdh_load.columns import EXACT_DIGITS, FieldType
from esdh_load.databases.base import Database, ExistingColumn, Reference, TableName, UnreadableValueError

__all__ = ["SQLite"]

_CACHE = 128 << 10  # KiB of pages: with fewer, keys in no order have them read and written again and again
_WAIT = 5_000  # milliseconds for another writer
_FORMS = {
    "integer": r"^[+-]?[0-9]+$",
    "boolean": r"^[01]$",
    "decimal": r"^[+-]?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "timestamp": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.0+)?Z?$",
}


class SQLite(Database):
    """A SQLite file.

    Decimals of up to 15 digits are numbers; longer ones are texts, since SQLite would round them. Dates and
    timestamps (UTC) are texts as `date()` and `datetime()` write them; booleans are 0 and 1.
    """

    kind = "sqlite"
    dialect = "sqlite"
    has_schemas = False
    row_id = "_rowid_"  # no field has that name

    def _connect(self) -> dbapi.Connection:
        connection: dbapi.Connection = adbc_driver_sqlite.dbapi.connect(self.uri.connection, autocommit=True)
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {_WAIT}")
            cursor.execute("PRAGMA foreign_keys = ON")
        return connection

    def begin(self, *, read_only: bool) -> None:
        """Begin: as a reader, or as the one writer that there can be."""
        self.execute("BEGIN" if read_only else "BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Commit what `begin` began; the driver has no part in it, since it would begin as a reader."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Roll back."""
        self.execute("ROLLBACK")

    def lock(self, waiting: Callable[[], None] | None = None) -> None:
        """Do nothing: whoever has begun to write is alone."""

    def expect_rows(self) -> None:
        """Keep more pages in memory."""
        self.execute(f"PRAGMA cache_size = -{_CACHE}")

    def columns(self, table: str) -> list[ExistingColumn] | None:
        """Return the columns of a table."""
        name = exp.Literal.string(table).sql("sqlite")
        found = self.rows(
            f'SELECT name, type, "notnull" = 0 OR dflt_value IS NOT NULL AS optional FROM pragma_table_info({name}) ORDER BY cid'
        )
        return [ExistingColumn(each["name"], each["type"], bool(each["optional"])) for each in found] or None

    def accepts(self, field: FieldType, column: ExistingColumn) -> bool:
        """Return whether a column's affinity leaves a field's values as they are."""
        affinity = _affinity(column.type)
        match field.kind:
            case "integer" | "boolean":
                return affinity in ("INTEGER", "NUMERIC", "BLOB")
            case "decimal":
                exact = field.digits <= EXACT_DIGITS
                return affinity in ("TEXT", "BLOB") or (exact and affinity in ("NUMERIC", "REAL"))
            case "date" | "timestamp":
                return affinity in ("TEXT", "NUMERIC", "BLOB")
        return affinity in ("TEXT", "BLOB")

    def stored(self, values: pa.Array, column: ExistingColumn) -> pa.Array:
        """Return values in SQLite's few types."""
        kind = values.type
        if pa.types.is_decimal(kind):
            return (
                values.cast(pa.string()) if _affinity(column.type) in ("TEXT", "BLOB") else _doubles(values)
            )
        if pa.types.is_timestamp(kind):
            return values.cast(pa.timestamp("s")).cast(pa.string())
        if pa.types.is_date(kind):
            return values.cast(pa.string())
        return values

    def selected(self, field: FieldType, column: exp.Expression) -> exp.Expression:
        """Return a column as text: any row may hold a value of any type."""
        del field
        return exp.cast(column, "text")

    def decoded(self, name: str, values: pa.Array, field: FieldType) -> pa.Array:
        """Return texts as values of their field."""
        if field.kind == "string":
            return values.cast(pa.string())
        values = values.cast(pa.string())
        wrong = pc.invert(pc.match_substring_regex(values, _FORMS[field.kind]))
        try:
            if pc.any(wrong).as_py():
                raise _unreadable(name, values, wrong)
            return _parsed(values, field)
        except pa.ArrowInvalid:  # of a number too large, a 30th of February
            for position, value in enumerate(values.to_pylist()):
                try:
                    _parsed(pa.array([value], pa.string()), field)
                except pa.ArrowInvalid:
                    raise UnreadableValueError(name, position, str(value)) from None
            raise

    def full_name(self, table: str) -> TableName:
        """Return a table's name; there are no schemas."""
        return TableName(table, None)

    def references_to(self, table: TableName) -> list[Reference]:
        """Return the foreign keys that lead to a table; one that names no column leads to the primary key."""
        target = exp.Literal.string(table.name).sql("sqlite")
        found = self.rows(
            'SELECT m.name AS name, f.id AS id, f."from" AS field, coalesce(f."to", p.name) AS target'
            " FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f"
            f" LEFT JOIN pragma_table_info({target}) p ON p.pk = f.seq + 1"
            f""" WHERE m.type = 'table' AND f."table" = {target} COLLATE NOCASE ORDER BY m.rowid, f.id, f.seq"""
        )
        keys: dict[tuple[str, int], list[tuple[str, str]]] = {}
        for each in found:
            keys.setdefault((each["name"], each["id"]), []).append((each["field"], each["target"]))
        return [
            Reference(TableName(name, None), tuple(a for a, _ in pairs), table, tuple(b for _, b in pairs))
            for (name, _), pairs in keys.items()
        ]

    def explain(self, text: str, code: str) -> str:
        """Return what an error says, and what helps."""
        if "database is locked" in text:
            return "another program is writing to it; wait until that has ended"
        if "unable to open database file" in text or "failed to open" in text:
            return "the file can't be opened; its folder must be there, and may be written to"
        if "file is not a database" in text:
            return "the file is there and is no SQLite database"
        if "disk is full" in text:
            return "the disk is full; free some space and load again"
        return super().explain(text, code)


def _affinity(declared: str) -> str:
    """Return what SQLite makes of a declared type (datatype3.html, 3.1)."""
    upper = declared.upper()
    for words, affinity in (
        (("INT",), "INTEGER"),
        (("CHAR", "CLOB", "TEXT"), "TEXT"),
        (("BLOB",), "BLOB"),
        (("REAL", "FLOA", "DOUB"), "REAL"),
    ):
        if any(word in upper for word in words):
            return affinity
    return "NUMERIC" if upper else "BLOB"


def _doubles(values: pa.Array) -> pa.Array:
    """Return decimals as the nearest doubles: unscaled integers below 2^53 and powers of ten are exact, so one division rounds once."""
    unscaled = np.frombuffer(pa.concat_arrays([values]).buffers()[1], dtype=np.int64)[: 2 * len(values) : 2]
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    return pa.array(unscaled / 10.0**values.type.scale, mask=~valid)


def _parsed(values: pa.Array, field: FieldType) -> pa.Array:
    match field.kind:
        case "boolean":
            return values.cast(pa.int8()).cast(pa.bool_())
        case "timestamp":
            bare = pc.replace_substring_regex(values, r"(\.0+)?Z?$", "")
            return bare.cast(pa.timestamp("us")).cast(field.arrow)
        case "decimal":
            return _decimals(values, field)
    return values.cast(field.arrow)


def _decimals(values: pa.Array, field: FieldType) -> pa.Array:
    """Return texts as decimals; one with more digits is of a double, and must be the nearest to a decimal of the field.

    Raises ArrowInvalid for one that is not.
    """
    longer = pc.fill_null(pc.match_substring_regex(values, rf"[eE]|\.[0-9]{{{field.scale + 1},}}"), False)
    if not pc.any(longer).as_py():
        return values.cast(field.arrow)
    doubles = pc.if_else(longer, values, None).cast(pa.float64())
    rounded = pc.round(doubles, field.scale).cast(field.arrow)
    if not _doubles(rounded).equals(doubles):
        raise pa.ArrowInvalid("a number with more digits than its field has")
    return pc.coalesce(rounded, pc.if_else(longer, None, values).cast(field.arrow))


def _unreadable(name: str, values: pa.Array, wrong: pa.Array) -> UnreadableValueError:
    position = pc.index(wrong, True).as_py()
    return UnreadableValueError(name, position, str(values[position].as_py()))
