"""The databases that there are, one file each."""

from esdh_load.columns import FieldType
from esdh_load.databases.base import (
    Database,
    ExistingColumn,
    Reference,
    TableName,
    UnreadableValueError,
)
from esdh_load.uri import parse_uri

__all__ = [
    "Database",
    "ExistingColumn",
    "FieldType",
    "Reference",
    "TableName",
    "UnreadableValueError",
    "open_database",
]


def open_database(uri: str, *, schema: str | None = None, create: bool = False) -> Database:
    """Return the database that a URI names, open; `schema` is where its tables are looked for and made.

    `create` makes a database that is a file and isn't there.

    Raises UriError for a URI of another kind, DatabaseError when it can't be reached or says no.
    """
    parsed = parse_uri(uri)
    if parsed.kind == "postgresql":
        from esdh_load.databases.postgresql import PostgreSQL

        return PostgreSQL(parsed, schema, create=create)
    if parsed.kind == "sqlite":
        from esdh_load.databases.sqlite import SQLite

        return SQLite(parsed, schema, create=create)
    from esdh_load.databases.duckdb import DuckDB

    return DuckDB(parsed, schema, create=create)
