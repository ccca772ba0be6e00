"""What every database has in common: one connection, one transaction, rows in and out as Arrow batches.

A database's own file says how it connects and locks, what its tables look like, and how the types of a dataset
stand in its columns. Everything else is here, in SQL that each of them takes.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, ClassVar, NamedTuple

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_manager import dbapi
from sqlglot import ErrorLevel, exp

from esdh_load.columns import FieldType, column_type
from esdh_load.errors import DatabaseError
from esdh_load.uri import DatabaseUri

__all__ = ["Database", "ExistingColumn", "Reference", "TableName", "UnreadableValueError"]

# What drivers put around the database's own words: a status of ADBC's, who failed, the statement with its place.
_AROUND = (
    re.compile(r"^[A-Z_]+: "),
    re.compile(r"^\[libpq\] (?:Failed to connect: )?"),
    re.compile(r"^[Ff]ailed to (?:execute|prepare|step)(?: query| COPY statement)?(?: '.*')?: ", re.DOTALL),
    re.compile(r"^PGRES_FATAL_ERROR "),
    re.compile(r"\.?\s*SQLSTATE: [0-9A-Z]{5}\s*$"),
    re.compile(r"[.;]?\s*[Qq]uery was: .*$", re.DOTALL),
    re.compile(r"^(?:LINE [0-9]+:|CONTEXT:|\s*\^).*$", re.MULTILINE),
    re.compile(r"^(?:ERROR|DETAIL|HINT):\s+", re.MULTILINE),
    re.compile(r"FATAL:\s+"),
)


class ExistingColumn(NamedTuple):
    """A column of a table that is there: its type as the database writes it, and whether a row may leave it out."""

    name: str
    type: str
    optional: bool


class TableName(NamedTuple):
    """A table that is there, and the schema that it is in, None where a database has no schemas."""

    name: str
    schema: str | None


class Reference(NamedTuple):
    """A foreign key that is there: fields of one table whose values are those of another's, or of its own."""

    table: TableName
    fields: tuple[str, ...]
    target: TableName
    targets: tuple[str, ...]


class UnreadableValueError(DatabaseError):
    """A value that was read and is none of its field's type, such as a text among SQLite's numbers.

    `field` has it, in the row `position` of the batch; `value` is its text.
    """

    def __init__(self, field: str, position: int, value: str) -> None:
        super().__init__(f"{field} holds {value!r}, which is no value of its type")
        self.field, self.position, self.value = field, position, value


class Database(ABC):
    """A database that is open: one connection, on which one thing happens at a time.

    A reader that `read` or `query` gave must be closed, or read to its end, before anything else is asked for.
    """

    kind: ClassVar[str]
    dialect: ClassVar[str]
    """What sqlglot calls its SQL."""
    has_schemas: ClassVar[bool] = True
    batch_rows: ClassVar[int] = 1 << 16
    """The rows that the driver is given at once."""
    adds_constraints: ClassVar[bool] = False
    """Whether keys can be added to a table that has its rows, which is quicker than row after row."""

    def __init__(self, uri: DatabaseUri, schema: str | None = None, *, create: bool = False) -> None:
        """Connect; `schema` is where tables are, by default where the database puts them.

        `create` makes a file that isn't there. Raises DatabaseError, with what the database says, when it can't be
        reached or says no.
        """
        self.uri = uri
        self.schema = schema
        self._is_new = uri.path is not None and not uri.path.exists()
        if self._is_new and not create:
            raise DatabaseError(f"{uri} isn't there; `esdh load-database {uri} ...` makes it")
        if schema is not None and not self.has_schemas:
            raise DatabaseError(f"{uri} has no schemas; leave out --db-schema {schema}")
        with self._translated(f"can't open {uri}"):
            self.connection = self._connect()

    # --- what each database does in its own way

    @abstractmethod
    def _connect(self) -> dbapi.Connection:
        """Return a connection without autocommit."""

    @abstractmethod
    def lock(self, waiting: Callable[[], None] | None = None) -> None:
        """Keep other loads out until the transaction ends; `waiting` is called before another one is waited for.

        Raises DatabaseError where a database can't wait.
        """

    @abstractmethod
    def columns(self, table: str) -> list[ExistingColumn] | None:
        """Return the columns of a table in their order, None where there is no such table."""

    def column_type(self, field: FieldType) -> str:
        """Return the type that our DDL gives a column, as the database writes it."""
        return column_type(field, self.dialect)

    @abstractmethod
    def accepts(self, field: FieldType, column: ExistingColumn) -> bool:
        """Return whether a column that is there holds every value of a field, and gives it back as it was."""

    @abstractmethod
    def stored(self, values: pa.Array, column: ExistingColumn) -> pa.Array:
        """Return values as the driver must have them for a column."""

    @abstractmethod
    def selected(self, field: FieldType, column: exp.Expression) -> exp.Expression:
        """Return the expression that reads a column back, to be decoded by `decoded`."""

    def decoded(self, name: str, values: pa.Array, field: FieldType) -> pa.Array:
        """Return what `selected` gave as values of the field's own type; UnreadableValueError for one that is none."""
        del name
        return values.cast(field.arrow)

    def ordered(self, field: FieldType, column: exp.Expression) -> exp.Expression:
        """Return what rows are put in order by: texts by their bytes."""
        del field
        return column

    def has_schema(self) -> bool:
        """Return whether the schema is there; always where none was named."""
        return True

    @abstractmethod
    def expect_rows(self) -> None:
        """Make ready for many inserts."""

    def create_schema(self) -> None:
        """Make the schema, as a part of the transaction."""
        self.execute(f"CREATE SCHEMA {self.sql(exp.Identifier(this=self.schema, quoted=True))}")

    # --- which rows hang on which, and the removal of rows

    row_id: ClassVar[str] = "rowid"
    """What tells a row of a table from every other, as long as a transaction lasts."""
    row_id_type: ClassVar[str] = "BIGINT"

    @abstractmethod
    def full_name(self, table: str) -> TableName:
        """Return the name of a table that is there, with the schema that it is in."""

    @abstractmethod
    def references_to(self, table: TableName) -> list[Reference]:
        """Return the foreign keys of the database that lead to a table, from itself and from others."""

    def hold(self, tables: Sequence[TableName]) -> None:
        """Let nobody change rows of some tables until the transaction ends, where others could."""
        del tables

    def remove(self, marked: Mapping[TableName, str]) -> None:
        """Delete the rows whose ids stand in a temporary table for each table; those first that refer to others."""
        for table, mark in marked.items():
            self.execute(
                f"DELETE FROM {self.qualified(table)} WHERE {self.row_id} IN (SELECT id FROM {self.quoted(mark)})"
            )

    # --- names and statements

    def quoted(self, name: str) -> str:
        """Return an identifier in this database's quotes."""
        return exp.to_identifier(name, quoted=True).sql(self.dialect)

    def qualified(self, table: TableName) -> str:
        """Return a table's name with its schema, in this database's quotes."""
        return self.sql(exp.table_(table.name, db=table.schema, quoted=True))

    def name(self, table: str) -> exp.Table:
        """Return a table's name with its schema."""
        return exp.table_(table, db=self.schema, quoted=True)

    def sql(self, expression: exp.Expression) -> str:
        """Return a statement in this database's SQL."""
        return expression.sql(self.dialect, unsupported_level=ErrorLevel.IGNORE, comments=True)

    def execute(self, statement: str | exp.Expression) -> int:
        """Run a statement whose rows nobody wants; return how many rows it changed, -1 where that isn't known."""
        text = statement if isinstance(statement, str) else self.sql(statement)
        with self._translated(), closing(self.connection.cursor()) as cursor:
            cursor.execute(text)
            return int(cursor.rowcount)

    def rows(self, statement: str | exp.Expression) -> list[dict[str, Any]]:
        """Return the few rows that a query gives."""
        with self.query(statement) as reader:
            return [row for batch in reader for row in batch.to_pylist()]

    @contextmanager
    def query(self, statement: str | exp.Expression) -> Iterator[Iterator[pa.RecordBatch]]:
        """Yield the batches of a query's rows as they come."""
        text = statement if isinstance(statement, str) else self.sql(statement)
        with self._translated(), closing(self.connection.cursor()) as cursor:
            cursor.execute(text)
            yield self._batches(cursor)

    def _batches(self, cursor: dbapi.Cursor) -> Iterator[pa.RecordBatch]:
        with cursor.fetch_record_batch() as reader:
            yield from reader

    # --- the transaction

    @contextmanager
    def transaction(self, *, read_only: bool = False) -> Iterator[None]:
        """Do everything within or nothing of it; with `read_only`, see one state of the database throughout."""
        self.begin(read_only=read_only)
        try:
            yield
        except BaseException:
            with suppress(Exception):  # a connection that is lost has rolled back by itself
                self.rollback()
            raise
        with self._translated():
            if read_only:
                self.rollback()
            else:
                self.commit()

    def begin(self, *, read_only: bool) -> None:
        """Begin, where the driver hasn't."""
        del read_only

    def commit(self) -> None:
        """Commit."""
        self.connection.commit()

    def rollback(self) -> None:
        """Roll back."""
        self.connection.rollback()

    def close(self) -> None:
        """Close the connection; what isn't committed is gone."""
        with suppress(Exception):  # nothing of ours hangs on it any more
            self.connection.close()

    def discard(self) -> None:
        """Close the connection, and remove a file that it has made: so nothing is left of what failed."""
        self.close()
        if self._is_new and self.uri.path is not None:
            self.uri.path.unlink(missing_ok=True)

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- rows

    def insert(
        self, table: str, batches: Iterable[pa.RecordBatch], columns: Sequence[ExistingColumn] | None = None
    ) -> None:
        """Append rows to a table, whose columns have their names; `columns` are those that it has, if that is known.

        One statement, whatever the number of batches; they are taken as the database takes them.
        """
        known = {each.name: each for each in columns or self.columns(table) or []}
        iterator = iter(batches)
        first = next(iterator, None)
        if first is None:
            return
        self._ingest(table, _stored(self, first, iterator, known), list(known.values()))

    def _ingest(self, table: str, reader: pa.RecordBatchReader, columns: list[ExistingColumn]) -> None:
        del columns
        with self._translated(table=table), closing(self.connection.cursor()) as cursor:
            cursor.adbc_ingest(table, reader, mode="append", db_schema_name=self.schema)

    @contextmanager
    def read(
        self,
        table: str,
        fields: dict[str, FieldType],
        *,
        order: Sequence[str] = (),
        unreadable: Callable[[UnreadableValueError], None] | None = None,
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """Yield the rows of a table as batches of the fields' own Arrow types, as they come.

        `order` names fields to put them in order by, texts by their bytes; without it the order is the database's.
        Raises UnreadableValueError, as the batch is taken, for a value that is none of its type.
        """
        source, t = self.name(table).as_("t"), "t"
        query = exp.select(
            *(
                self.selected(field, exp.column(name, t, quoted=True)).as_(name, quoted=True)
                for name, field in fields.items()
            )
        ).from_(source)
        if order:
            query = query.order_by(
                *(self.ordered(fields[each], exp.column(each, t, quoted=True)) for each in order)
            )
        with self.query(query) as batches:
            yield (self._decode(batch, fields, unreadable) for batch in batches)

    def _decode(
        self,
        batch: pa.RecordBatch,
        fields: dict[str, FieldType],
        unreadable: Callable[[UnreadableValueError], None] | None,
    ) -> pa.RecordBatch:
        arrays = []
        for number, (name, field) in enumerate(fields.items()):
            values = _storage(batch.column(number))
            try:
                arrays.append(self.decoded(name, values, field))
            except UnreadableValueError:
                if unreadable is None:
                    raise
                arrays.append(self._decode_each(name, values, field, unreadable))
        return pa.RecordBatch.from_arrays(arrays, names=list(fields))

    def _decode_each(
        self,
        name: str,
        values: pa.Array,
        field: FieldType,
        unreadable: Callable[[UnreadableValueError], None],
    ) -> pa.Array:
        """Return values of a field one by one, a null for each that is none of its type."""
        decoded = []
        for position in range(len(values)):
            try:
                decoded.append(self.decoded(name, values.slice(position, 1), field))
            except UnreadableValueError as error:
                unreadable(UnreadableValueError(name, position, error.value))
                decoded.append(pa.nulls(1, field.arrow))
        return pa.concat_arrays(decoded)

    def count(self, table: str) -> int:
        """Return the number of rows of a table."""
        (row,) = self.rows(exp.select(exp.Count(this=exp.Star()).as_("n")).from_(self.name(table)))
        return int(row["n"])

    def stage(self, name: str, columns: Sequence[ExistingColumn], batches: Iterable[pa.RecordBatch]) -> None:
        """Make a temporary table of this connection with columns such as another table has, and put rows in it."""
        declared = ", ".join(f"{self.quoted(each.name)} {each.type}" for each in columns)
        self.execute(f"CREATE TEMPORARY TABLE {self.quoted(name)} ({declared})")
        iterator = iter(batches)
        first = next(iterator, None)
        if first is not None:
            reader = _stored(self, first, iterator, {each.name: each for each in columns})
            with self._translated(), closing(self.connection.cursor()) as cursor:
                cursor.adbc_ingest(name, reader, mode="append", **self._temporary)

    _temporary: ClassVar[dict[str, Any]] = {"temporary": True}

    def drop(self, table: str, *, temporary: bool = False) -> None:
        """Drop a table."""
        name = exp.table_(table, quoted=True) if temporary else self.name(table)
        self.execute(f"DROP TABLE {self.sql(name)}")

    # --- errors

    @contextmanager
    def _translated(self, doing: str = "", *, table: str = "") -> Iterator[None]:
        """Turn a driver's error into one sentence without a password."""
        try:
            yield
        except adbc_driver_manager.Error as error:
            code = error.sqlstate or ""
            text = self.uri.mask(self.explain(_sentence(str(error)), code))
            subject = doing or (f"{self.uri} refuses rows of {table}" if table else str(self.uri))
            raise DatabaseError(f"{subject}: {text}", code=code) from None
        except pa.ArrowException as error:  # from a reader of the driver's
            raise DatabaseError(self.uri.mask(f"{doing or self.uri}: {_sentence(str(error))}")) from None

    def explain(self, text: str, code: str) -> str:
        """Return what an error says, and what helps where that is known."""
        del code
        return text


def _sentence(text: str) -> str:
    """Return a driver's message as one line, without what only its authors need."""
    text = text.strip()
    for words in _AROUND:
        text = words.sub("", text)
    lines = [line.strip().rstrip(".;") for line in text.splitlines()]
    return "; ".join(line for line in lines if line) or "the driver doesn't say why"


def _storage(values: pa.Array) -> pa.Array:
    return values.storage if isinstance(values, pa.ExtensionArray) else values


def _stored(
    database: Database,
    first: pa.RecordBatch,
    others: Iterator[pa.RecordBatch],
    columns: dict[str, ExistingColumn],
) -> pa.RecordBatchReader:
    """Return a reader of batches as the driver must have them."""

    def convert(batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = [
            database.stored(batch.column(number), columns[name])
            for number, name in enumerate(batch.schema.names)
        ]
        return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)

    begin = convert(first)

    def parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        for start in range(0, batch.num_rows, database.batch_rows):
            yield batch.slice(start, database.batch_rows)

    def all_batches() -> Iterator[pa.RecordBatch]:
        yield from parts(begin)
        for batch in others:
            yield from parts(convert(batch))

    return pa.RecordBatchReader.from_batches(begin.schema, all_batches())
