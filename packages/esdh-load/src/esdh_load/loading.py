"""Loads the rows of a source into a database: all tables in one transaction, or nothing."""

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.metadata import version

import msgspec

from esdh_load.databases import Database, ExistingColumn, open_database
from esdh_load.ddl import TableDefinition, define_tables
from esdh_load.errors import ExistingTableError, LoadError
from esdh_load.records import LOADS, Load, LoadedTable, add_load, read_loads
from esdh_load.source import Source, one_ahead
from esdh_load.unloading import unload

__all__ = ["LoadedRows", "load_database"]


class LoadedRows(msgspec.Struct, frozen=True, kw_only=True):
    """What now stands in a database: rows and content digests by table.

    `database` is the URI without its password; `created` are the tables that were made, `replaced` is the number of the
    load that this one took the place of, `others` those of the loads beside it.
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
    created: list[str]
    replaced: int | None
    others: list[int]


def load_database(
    uri: str,
    source: Source,
    *,
    now: dt.datetime,
    schema: str | None = None,
    replace: bool = False,
    number: int | None = None,
    into_existing: bool = False,
    progress: Callable[[int], None] | None = None,
    phase: Callable[[str], None] | None = None,
    waiting: Callable[[], None] | None = None,
) -> LoadedRows:
    """Load a source's tables into the database that a URI names, in one transaction: what fails leaves it as it was.

    Tables that aren't there are made by our DDL, in `schema`, by default where the database puts them; the schema and a
    database that is a file are made too if they aren't there.
    `replace` first removes what an earlier load made of the same tables, and nothing else; `number` says which,
    where there are several. `into_existing` appends to tables that are there, after comparing their columns.
    `now` is written into `esdh_loads`. `progress` is called with the number of rows of each part that is in; `phase`
    with what is done before and after that; `waiting` before another load's end is waited for.

    Raises UriError for a URI of another kind, ExistingTableError for tables that are there, LoadError for a load that is there already, SnapshotError
    for a snapshot that isn't as listed, DatabaseError when the database says no.
    """
    with open_database(uri, schema=schema, create=True) as database:
        try:
            with database.transaction():
                database.lock(waiting)
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
        progress: Callable[[int], None] | None,
        phase: Callable[[str], None],
    ) -> None:
        self._database, self._source = database, source
        self._progress, self._phase = progress, phase
        self._definitions = define_tables(source.dataset, source.tables)

    def run(self, now: dt.datetime, *, replace: bool, number: int | None, into_existing: bool) -> LoadedRows:
        """Do everything but commit."""
        database = self._database
        loads = read_loads(database) if database.has_schema() else []
        earlier = self._earlier(loads, number) if replace else None
        if earlier is not None:
            self._phase(f"Removing {earlier.label()}")
            unload(database, earlier)
            loads = [each for each in loads if each is not earlier]
            self._drop_tables(earlier, loads)
        into_existing = into_existing or earlier is not None
        self._check_loads(loads, into_existing=into_existing)
        if not database.has_schema():
            database.create_schema()
        existing = self._existing(into_existing=into_existing)
        past = [*loads, *([] if earlier is None else [earlier])]
        ours = {table.name for load in past for table in load.tables if table.created}
        foreign = existing.keys() - ours
        created = [
            each.without_references(foreign) for each in self._definitions if each.name not in existing
        ]
        self._create(created)
        there = {name: database.count(name) for name in existing}
        self._insert(existing)
        self._check_counts(there)
        self._add_keys(created)
        dataset, source = self._source.dataset, self._source
        tables = tuple(
            LoadedTable(
                name=table.name,
                rows=source.rows[table.name],
                content=source.content[table.name],
                created=table.name not in foreign,
            )
            for table in source.tables
        )
        load = Load(
            load=max((each.load for each in past), default=0) + 1,
            dataset_version=dataset.dataset_version,
            plan_sha256=dataset.plan_sha256,
            seed=source.seed,
            records=source.records,
            tables=tables,
            recipe=None if dataset.recipe is None else dataset.recipe.decode(),
            loaded_at=now.astimezone(dt.UTC).replace(microsecond=0),
            program=f"esdh {version('esdh-load')}",
        )
        add_load(database, load)
        return LoadedRows(
            database=str(database.uri),
            db_schema=database.schema,
            load=load.load,
            dataset_version=load.dataset_version,
            seed=load.seed,
            records=load.records,
            plan_sha256=load.plan_sha256,
            content=source.content,
            rows=dict(source.rows),
            created=[each.name for each in created],
            replaced=None if earlier is None else earlier.load,
            others=[each.load for each in loads],
        )

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

    def _drop_tables(self, earlier: Load, others: Sequence[Load]) -> None:
        """Drop what a load of another plan made and nobody else has rows in; of the same plan, tables serve again."""
        if earlier.plan_sha256 == self._source.dataset.plan_sha256:
            return
        held = {table.name for load in others for table in load.tables}
        mine = {table.name for table in earlier.tables if table.created} - held
        for each in reversed(define_tables(earlier.dataset())):
            name = each.name
            if name in mine and self._database.columns(name) is not None and not self._database.count(name):
                self._database.drop(name)

    def _existing(self, *, into_existing: bool) -> dict[str, list[ExistingColumn]]:
        """Return the columns of the tables that are there; refuse them unless they may be, and fit."""
        existing = {}
        loaded_before = self._database.columns(LOADS) is not None
        for each in self._definitions:
            columns = self._database.columns(each.name)
            if columns is None:
                continue
            # Where a load was taken out, its empty tables stay, with what testers hung on them.
            if not into_existing and not (loaded_before and self._database.count(each.name) == 0):
                what = "with rows of its own" if loaded_before else "that no load of esdh's made"
                raise ExistingTableError(
                    f"{self._database.uri} has a table {each.name} {what}; rename it, load "
                    "into another schema, or give --into-existing to append to it"
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
        self._database.expect_rows()
        columns = {name: existing.get(name) or self._database.columns(name) for name in order}
        with closing(one_ahead(self._source.chunks())) as chunks:
            for chunk in chunks:
                for name in order:
                    if name in chunk.batches:
                        self._database.insert(name, chunk.batches[name], columns[name])
                if self._progress is not None:
                    self._progress(chunk.rows)

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
