"""Loads the rows of a source into a database: all tables in one transaction, or nothing."""

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.metadata import version
from typing import NamedTuple

from esdh_load.databases import Database, ExistingColumn, open_database
from esdh_load.ddl import TableDefinition, define_tables
from esdh_load.errors import ExistingTableError, LoadError
from esdh_load.records import Load, LoadedTable, add_load, read_loads
from esdh_load.source import Source, one_ahead

__all__ = ["LoadedRows", "load_database"]


class LoadedRows(NamedTuple):
    """A load that now stands in a database, and the one that it took the place of."""

    load: Load
    replaced: Load | None


def load_database(
    uri: str,
    source: Source,
    *,
    now: dt.datetime,
    schema: str | None = None,
    replace: bool = False,
    number: int | None = None,
    into_existing: bool = False,
    progress: Callable[[int, int], None] | None = None,
    phase: Callable[[str], None] | None = None,
) -> LoadedRows:
    """Load a source's tables into the database that a URI names, in one transaction: what fails leaves it as it was.

    Tables that aren't there are made by our DDL, in `schema`, by default where the database puts them; the schema and a
    database that is a file are made too if they aren't there.
    `replace` first removes what an earlier load made of the same tables, and nothing else; `number` says which,
    where there are several. `into_existing` appends to tables that are there, after comparing their columns.
    `now` is written into `esdh_loads`. `progress` is called with the records and the rows of each part that is
    in; `phase` with what is being done beside that.

    Raises UriError for a URI of another kind, ExistingTableError for tables that are there, LoadError for a load that is there already, SnapshotError
    for a snapshot that isn't as listed, DatabaseError when the database says no.
    """
    with open_database(uri, schema=schema, create=True) as database:
        try:
            with database.transaction():
                return _Loading(database, source, progress, phase or _quiet).run(
                    now, replace=replace, number=number, into_existing=into_existing
                )
        except BaseException:
            database.discard()
            raise


def _quiet(_: str) -> None:
    """Say nothing."""


class _Loading:
    """One load in its transaction."""

    def __init__(
        self,
        database: Database,
        source: Source,
        progress: Callable[[int, int], None] | None,
        phase: Callable[[str], None],
    ) -> None:
        self._database, self._source = database, source
        self._progress, self._phase = progress, phase
        self._definitions = define_tables(source.dataset, source.tables)

    def run(self, now: dt.datetime, *, replace: bool, number: int | None, into_existing: bool) -> LoadedRows:
        """Do everything but commit."""
        database = self._database
        database.lock(lambda: self._phase("Waiting for another load to end"))
        loads = read_loads(database) if database.has_schema() else []
        earlier = self._earlier(loads, number) if replace else None
        if earlier is not None:
            from esdh_load.unloading import unload

            self._phase(f"Removing {earlier.label()}")
            unload(database, earlier)
            loads = [each for each in loads if each is not earlier]
        self._check_loads(loads, into_existing=into_existing)
        if not database.has_schema():
            database.create_schema()
        existing = self._existing(into_existing=into_existing or earlier is not None)
        created = [each for each in self._definitions if each.name not in existing]
        self._create(created)
        there = {name: database.count(name) for name in existing}
        self._insert(existing)
        self._check_counts(there)
        self._add_keys(created)
        load = Load(
            load=max((each.load for each in (*loads, *([earlier] if earlier else []))), default=0) + 1,
            dataset_version=self._source.dataset.dataset_version,
            plan_sha256=self._source.dataset.plan_sha256,
            seed=self._source.seed,
            records=self._source.records,
            tables=tuple(
                LoadedTable(
                    name=table.name,
                    rows=self._source.rows[table.name],
                    content=self._source.content[table.name],
                    created=table.name not in existing,
                )
                for table in self._source.tables
            ),
            recipe=None if self._source.dataset.recipe is None else self._source.dataset.recipe.decode(),
            loaded_at=now.astimezone(dt.UTC).replace(microsecond=0),
            program=f"esdh {version('esdh-load')}",
        )
        add_load(database, load)
        return LoadedRows(load, earlier)

    # --- what is there

    def _overlapping(self, loads: Sequence[Load]) -> list[Load]:
        names = {table.name for table in self._source.tables}
        return [each for each in loads if names & {table.name for table in each.tables}]

    def _earlier(self, loads: Sequence[Load], number: int | None) -> Load | None:
        """Return the load that is to be replaced, None where there is none."""
        if number is not None:
            found = next((each for each in loads if each.load == number), None)
            if found is None:
                there = ", ".join(each.label() for each in loads) or "none"
                raise LoadError(f"{self._database.uri} has no load {number}; there is {there}")
            return found
        found_loads = self._overlapping(loads)
        if len(found_loads) > 1:
            known = "; ".join(each.label() for each in found_loads)
            raise LoadError(
                f"{self._database.uri} has several loads of these tables: {known}; say which with --load N"
            )
        return found_loads[0] if found_loads else None

    def _check_loads(self, loads: Sequence[Load], *, into_existing: bool) -> None:
        """Refuse what a load that is there has already, or what may not be mixed with it."""
        source, uri = self._source, self._database.uri
        for each in self._overlapping(loads):
            same = (each.dataset_version, each.seed) == (source.dataset.dataset_version, source.seed)
            if same and each.records == source.records and each.plan_sha256 == source.dataset.plan_sha256:
                raise LoadError(f"{uri} holds this already, as {each.label()}; --replace loads it again")
            if same:
                raise LoadError(
                    f"{uri} has rows of this seed already, of {each.label()}, whose keys would come twice; give --replace, "
                    "or another --seed"
                )
            if not into_existing:
                raise LoadError(
                    f"{uri} has these tables already, of {each.label()}; --replace puts this load in its place, and "
                    "--into-existing adds to it"
                )

    def _existing(self, *, into_existing: bool) -> dict[str, list[ExistingColumn]]:
        """Return the columns of the tables that are there; refuse them unless they may be, and fit."""
        existing = {}
        for each in self._definitions:
            columns = self._database.columns(each.name)
            if columns is None:
                continue
            if not into_existing:
                raise ExistingTableError(
                    f"{self._database.uri} has a table {each.name} that no load of esdh's made; rename it, load into another "
                    "schema, or give --into-existing to append to it"
                )
            self._check_columns(each, columns)
            existing[each.name] = columns
        return existing

    def _check_columns(self, definition: TableDefinition, columns: Sequence[ExistingColumn]) -> None:
        there = {column.name: column for column in columns}
        place = f"{self._database.uri}: table {definition.name}"
        for name, field in definition.fields.items():
            if name not in there:
                raise ExistingTableError(
                    f"{place} has no column {name} ({self._database.column_type(field)}); add it, or leave the table out with "
                    "--entity-filter"
                )
            if not self._database.accepts(field, there[name]):
                raise ExistingTableError(
                    f"{place}, column {name} is {there[name].type}, which can't hold every value of "
                    f"{self._database.column_type(field)}; change its type, or leave the table out with --entity-filter"
                )
        for column in columns:
            if column.name not in definition.fields and not column.optional:
                raise ExistingTableError(
                    f"{place} has a column {column.name} that must have a value and isn't of {definition.dataset.dataset_version}; "
                    "give it a default, or let it be null"
                )

    # --- tables, rows, keys

    def _create(self, created: Sequence[TableDefinition]) -> None:
        database = self._database
        for each in created:
            self._run(each.create(database.dialect, database.schema, keys=not database.adds_constraints))
            for statement in each.comments(database.dialect, database.schema):
                self._run(statement)

    def _insert(self, existing: dict[str, list[ExistingColumn]]) -> None:
        """Insert all rows, of a chunk's tables those first that others refer to, while the next chunk is made."""
        order = [each.name for each in self._definitions]
        columns = {name: existing.get(name) or self._database.columns(name) for name in order}
        with closing(one_ahead(self._source.chunks())) as chunks:
            for chunk in chunks:
                for name in order:
                    if name in chunk.batches:
                        self._database.insert(name, chunk.batches[name], columns[name])
                if self._progress is not None:
                    self._progress(chunk.records, chunk.rows)

    def _check_counts(self, there: dict[str, int]) -> None:
        """Hold the rows that the tables have now against those that went in: a driver's word is no proof."""
        for name, rows in self._source.rows.items():
            expected = there.get(name, 0) + rows
            if (found := self._database.count(name)) != expected:
                raise LoadError(
                    f"{self._database.uri} has {found:,} rows of {name} where {expected:,} should be; nothing was loaded, "
                    "since the database lost rows that it had taken"
                )

    def _add_keys(self, created: Sequence[TableDefinition]) -> None:
        database = self._database
        if not database.adds_constraints:
            return
        for each in created:
            self._phase(f"Adding the keys of {each.name}")
            for statement in each.add_keys(database.dialect, database.schema):
                self._run(statement)
        for each in created:
            for statement in each.add_references(database.dialect, database.schema):
                self._run(statement)

    def _run(self, statement: str) -> None:
        self._database.execute(statement)
