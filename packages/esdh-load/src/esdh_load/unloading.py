"""Removes a load from a database: exactly its rows, and with `cascade` those that hang on them."""

from collections.abc import Callable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

import msgspec
import pyarrow as pa
from esdh_core import Dataset, Table

from esdh_load.columns import field_types
from esdh_load.databases import Database, ExistingColumn, Reference, TableName, open_database
from esdh_load.ddl import define_tables
from esdh_load.errors import AttachedRowsError, ExistingTableError
from esdh_load.expected import ExpectedTable, row_key
from esdh_load.records import Load, choose_load, remove_load

__all__ = ["UnloadedRows", "unload", "unload_database"]

Progress = Callable[[int, int], None]


class UnloadedRows(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed: the load's own rows by table, and rows of others that hung on them, by table.

    `absent` counts rows that the load had put there and that were gone already.
    """

    database: str
    db_schema: str | None
    load: int
    dataset_version: str
    seed: int
    records: int
    plan_sha256: str
    content: dict[str, str]
    rows: dict[str, int]
    attached: dict[str, int]
    absent: dict[str, int]


def unload_database(
    uri: str,
    *,
    schema: str | None = None,
    load: int | None = None,
    cascade: bool = False,
    progress: Progress | None = None,
    waiting: Callable[[], None] | None = None,
) -> UnloadedRows:
    """Remove a load's rows from the database that a URI names, in one transaction; the tables stay.

    A row is the load's by its key, whatever else was changed in it; in a table without a key, by all of its values, as
    often as the load had put it there. `load` is the load's number, which may be left out where there is one.
    `cascade` also removes rows of others that refer to the load's. `progress` is called with the number of keys that were
    made, and that of all; `waiting` before another load's end is waited for.

    Raises AttachedRowsError, with what they are, for rows of others that refer to the load's; LoadError for a load that
    there isn't, or that this program can't make again; UriError and DatabaseError as `open_database` does.
    """
    with open_database(uri, schema=schema) as database, database.transaction():
        database.lock(waiting)
        return unload(database, choose_load(database, load), cascade=cascade, progress=progress)


def unload(
    database: Database, load: Load, *, cascade: bool = False, progress: Progress | None = None
) -> UnloadedRows:
    """Remove a load's rows, as `unload_database` does, in a transaction that has begun."""
    return _Unloading(database, load, progress).run(cascade=cascade)


class _Unloading:
    """One removal: rows are marked by the database's own row ids, in temporary tables, then deleted together."""

    def __init__(self, database: Database, load: Load, progress: Progress | None) -> None:
        self._database = database
        self._load = load
        self._progress = progress
        self._dataset: Dataset = load.dataset()
        names = {each.name for each in load.tables}
        self._tables = {
            database.full_name(table.name): table
            for table in self._dataset.tables
            if table.name in names and database.columns(table.name) is not None
        }
        self._references = list(self._all_references())
        self._marks: dict[TableName, str] = {}

    def run(self, *, cascade: bool) -> UnloadedRows:
        """Do everything but commit."""
        database, load = self._database, self._load
        involved = list(dict.fromkeys([*self._tables, *(each.table for each in self._references)]))
        if involved:
            database.hold(involved)
        for number, name in enumerate(involved):
            self._marks[name] = f"esdh_marked_{number}"
            database.execute(
                f"CREATE TEMPORARY TABLE {self._mark_of(name)} (id {database.row_id_type} PRIMARY KEY)"
            )
        for number, (name, table) in enumerate(self._tables.items()):
            self._mark(name, table, f"esdh_keys_{number}")
        own = {name: self._count(name) for name in involved}
        self._attach(cascade=cascade)
        attached = {name: self._count(name) - own[name] for name in involved}
        database.remove({name: self._marks[name] for name in self._children_first(involved)})
        remove_load(database, load)
        rows = {table.name: own[name] for name, table in self._tables.items()}
        absent = {each.name: each.rows - rows.get(each.name, 0) for each in load.tables}
        return UnloadedRows(
            database=str(database.uri),
            db_schema=database.schema,
            load=load.load,
            dataset_version=load.dataset_version,
            seed=load.seed,
            records=load.records,
            plan_sha256=load.plan_sha256,
            content={each.name: each.content for each in load.tables},
            rows=rows,
            attached={name.name: count for name, count in attached.items() if count},
            absent={name: count for name, count in absent.items() if count},
        )

    # --- which tables hang on which

    def _all_references(self) -> Iterator[Reference]:
        """Yield what refers to the load's tables, and to the tables that do: by the database, and by the plan."""
        known = dict.fromkeys(self._tables)
        pending = list(known)
        seen = set()
        for table in pending:
            for each in [*self._database.references_to(table), *self._planned(table)]:
                if each not in seen:
                    seen.add(each)
                    yield each
                if each.table not in known:
                    known[each.table] = None
                    pending.append(each.table)

    def _planned(self, target: TableName) -> Iterator[Reference]:
        """Yield the references to a table that the plan knows of: tables that were found may lack the constraint."""
        names = {table.name: name for name, table in self._tables.items()}
        for definition in define_tables(self._dataset, list(self._tables.values())):
            for key in (*definition.foreign_keys, *definition.late_keys):
                if names[key.table] == target:
                    yield Reference(names[definition.name], (key.field,), target, (key.target,))

    def _children_first(self, tables: Sequence[TableName]) -> list[TableName]:
        """Return tables in an order in which each stands before those that it refers to, as far as there is one."""
        sorter: TopologicalSorter[TableName] = TopologicalSorter(dict.fromkeys(tables, ()))
        for each in self._references:
            if each.table != each.target:
                sorter.add(each.target, each.table)
        try:
            return list(sorter.static_order())
        except CycleError:
            return list(reversed(tables))

    # --- marks

    def _count(self, table: TableName) -> int:
        (row,) = self._database.rows(f"SELECT count(*) AS n FROM {self._mark_of(table)}")
        return int(row["n"])

    def _mark_of(self, table: TableName) -> str:
        return self._database.quoted(self._marks[table])

    def _mark(self, name: TableName, table: Table, staged: str) -> None:
        """Mark the load's rows of a table."""
        database = self._database
        there = {each.name: each for each in database.columns(table.name) or ()}
        fields = field_types(self._dataset, table)
        key = row_key(table)
        names = key or table.fields
        for each in names:
            if each not in there or not database.accepts(fields[each], there[each]):
                raise ExistingTableError(
                    f"{database.uri}: table {table.name} has no column {each} ({database.column_type(fields[each])}) any more, so "
                    "its rows can't be known by their keys"
                )
        columns = [there[each] for each in names]
        expected = ExpectedTable(self._load, self._dataset, table)
        database.stage(staged, columns, self._with_progress(expected.keys(names)))
        find = self._by_key if key else self._by_values
        database.execute(f"INSERT INTO {self._mark_of(name)} {find(name, columns, database.quoted(staged))}")

    def _with_progress(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = sum(each.rows for each in self._load.tables)
        for batch in batches:
            yield batch
            if self._progress is not None:
                self._progress(len(batch), max(total, 1))

    def _by_key(self, name: TableName, columns: Sequence[ExistingColumn], staged: str) -> str:
        """Return a query for the ids of rows whose keys are staged."""
        database = self._database
        quoted = [database.quoted(each.name) for each in columns]
        database.execute(f"CREATE INDEX esdh_{self._marks[name]} ON {staged} ({', '.join(quoted)})")
        same = " AND ".join(f"k.{each} = t.{each}" for each in quoted)
        return (
            f"SELECT t.{database.row_id} FROM {database.qualified(name)} t"
            f" WHERE EXISTS (SELECT 1 FROM {staged} k WHERE {same})"
        )

    def _by_values(self, name: TableName, columns: Sequence[ExistingColumn], staged: str) -> str:
        """Return a query for the ids of rows that are staged, each as often as it is there; nulls are one value."""
        database = self._database
        quoted = [database.quoted(each.name) for each in columns]
        listed = ", ".join(quoted)
        # Equality of nulls alone can't be hashed everywhere; that of a text of all values can, and says no less.
        text = " || '|' || ".join(f"coalesce(CAST({each} AS text), '')" for each in quoted)
        same = " AND ".join(f"k.{each} IS NOT DISTINCT FROM t.{each}" for each in quoted)
        number = f"row_number() OVER (PARTITION BY {listed} ORDER BY {database.row_id})"
        return (
            f"SELECT t.id FROM (SELECT {database.row_id} AS id, {text} AS hashed, {number} AS number, {listed}"
            f" FROM {database.qualified(name)}) t JOIN (SELECT {text} AS hashed, count(*) AS times, {listed}"
            f" FROM {staged} GROUP BY {listed}) k ON k.hashed = t.hashed AND {same} WHERE t.number <= k.times"
        )

    # --- rows of others

    def _attach(self, *, cascade: bool) -> None:
        """Mark the rows of others that refer to marked ones, and those that refer to them; or refuse, if there are any."""
        grown = True
        while grown:
            grown = False
            found = []
            for each in self._references:
                before = self._count(each.table)
                query = self._attached(each)
                if not cascade:
                    (row,) = self._database.rows(f"SELECT count(*) AS n FROM ({query}) a")
                    if row["n"]:
                        found.append(f"{row['n']:,} of {each.table.name} ({self._example(each, query)})")
                    continue
                self._database.execute(f"INSERT INTO {self._mark_of(each.table)} {query}")
                grown |= self._count(each.table) > before
            if found:
                raise AttachedRowsError(
                    f"{self._database.uri}: rows that {self._load.label()} didn't make refer to its rows: {'; '.join(found)}; "
                    "nothing was removed. Remove them first, or give --cascade, which removes them too"
                )

    def _attached(self, reference: Reference) -> str:
        """Return a query for the ids of unmarked rows that refer to marked ones."""
        quoted, row_id = self._database.quoted, self._database.row_id
        same = " AND ".join(
            f"p.{quoted(b)} = c.{quoted(a)}" for a, b in zip(reference.fields, reference.targets, strict=True)
        )
        child, parent = (self._database.qualified(each) for each in (reference.table, reference.target))
        return (
            f"SELECT c.{row_id} AS id FROM {child} c WHERE EXISTS (SELECT 1 FROM {parent} p"
            f" JOIN {self._mark_of(reference.target)} m ON m.id = p.{row_id} WHERE {same})"
            f" AND NOT EXISTS (SELECT 1 FROM {self._mark_of(reference.table)} n WHERE n.id = c.{row_id})"
        )

    def _example(self, reference: Reference, query: str) -> str:
        """Return the first row that a query gives: its first column, and what it refers by."""
        database = self._database
        name = database.qualified(reference.table)
        (row,) = database.rows(
            f"SELECT * FROM {name} WHERE {database.row_id} = (SELECT min(id) FROM ({query}) a)"
        )
        first = next(iter(row))
        return ", ".join(f"{field} {row[field]!s}" for field in dict.fromkeys([first, *reference.fields]))
