"""The table `esdh_loads`: what stands in a database because a load put it there, and the recipe to prove it by."""

import datetime as dt

import msgspec
import pyarrow as pa
from esdh_core import DEFAULT_DATASET, Dataset
from esdh_plan import load_recipe
from msgspec import Struct
from sqlglot import exp

from esdh_load.databases import Database, FieldType
from esdh_load.errors import LoadError

__all__ = ["LOADS", "Load", "LoadedTable", "add_load", "choose_load", "read_loads", "remove_load"]

LOADS = "esdh_loads"
_FIELDS = {
    "load": FieldType("integer"),
    "dataset_version": FieldType("string"),
    "plan_sha256": FieldType("string"),
    "seed": FieldType("integer"),
    "records": FieldType("integer"),
    "tables": FieldType("string"),
    "recipe": FieldType("string"),
    "loaded_at": FieldType("timestamp"),
    "program": FieldType("string"),
}
_OPTIONAL = ("recipe",)


class LoadedTable(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a load: its rows, their content digest, and whether a load made the table or found it there."""

    name: str
    rows: int
    content: str
    created: bool


class Load(Struct, frozen=True, kw_only=True):
    """One load, as its row in `esdh_loads` says it.

    `recipe` is the compiled plan, None of the default dataset; `loaded_at` is in UTC.
    """

    load: int
    dataset_version: str
    plan_sha256: str
    seed: int
    records: int
    tables: tuple[LoadedTable, ...]
    recipe: str | None
    loaded_at: dt.datetime
    program: str

    def dataset(self) -> Dataset:
        """Return the dataset that was loaded: from the recipe, which nothing else is needed for.

        Raises PlanError when that was edited, LoadError when this program has another plan of the default dataset.
        """
        if self.recipe is not None:
            dataset = load_recipe(self.recipe.encode(), f"the recipe of load {self.load}")
        else:
            dataset = DEFAULT_DATASET
        if (dataset.dataset_version, dataset.plan_sha256) != (self.dataset_version, self.plan_sha256):
            raise LoadError(
                f"{LOADS} says that load {self.load} is of {self.dataset_version}, plan {self.plan_sha256}; its recipe "
                f"is {dataset.dataset_version}, plan {dataset.plan_sha256}"
            )
        return dataset

    def label(self) -> str:
        """Return what the load is, for a sentence."""
        return f"load {self.load} ({self.dataset_version}, seed {self.seed}, {self.records:,} records)"


def read_loads(database: Database) -> list[Load]:
    """Return the loads that a database's schema has, in their order; none where nothing was ever loaded.

    Raises LoadError for a table of that name that is none of ours.
    """
    columns = database.columns(LOADS)
    if columns is None:
        return []
    if missing := set(_FIELDS) - {each.name for each in columns}:
        raise LoadError(
            f"{database.uri} has a table {LOADS} without {', '.join(sorted(missing))}, so it is none of esdh's; "
            "rename it, or name another schema"
        )
    with database.read(LOADS, _FIELDS, order=["load"]) as batches:
        rows = [row for batch in batches for row in batch.to_pylist()]
    return [_load(row) for row in rows]


def _load(row: dict[str, object]) -> Load:
    try:
        tables = msgspec.json.decode(str(row["tables"]), type=tuple[LoadedTable, ...])
        return msgspec.convert({**row, "tables": tables}, Load)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise LoadError(
            f"{LOADS} has a row {row['load']} that was edited and can't be read: {error}"
        ) from error


def choose_load(database: Database, number: int | None) -> Load:
    """Return the load with a number, or the only one there is.

    Raises LoadError where there is none, or several and no number says which.
    """
    loads = read_loads(database)
    if not loads:
        where = f" (schema {database.schema})" if database.schema else ""
        raise LoadError(f"{database.uri}{where} has no load of esdh's; `esdh load-database` makes one")
    if number is None and len(loads) > 1:
        known = "; ".join(each.label() for each in loads)
        raise LoadError(f"{database.uri} has {len(loads)} loads: {known}; say which with --load N")
    found = [each for each in loads if number in (None, each.load)]
    if not found:
        numbers = ", ".join(str(each.load) for each in loads)
        raise LoadError(f"{database.uri} has no load {number}; there is {numbers}")
    return found[0]


def add_load(database: Database, load: Load) -> None:
    """Write the row of a load, in the transaction that makes its rows; the table is made if it isn't there."""
    if database.columns(LOADS) is None:
        database.execute(_create(database))
    values = {**msgspec.structs.asdict(load), "tables": msgspec.json.encode(load.tables).decode()}
    arrays = [pa.array([values[name]], field.arrow) for name, field in _FIELDS.items()]
    database.insert(LOADS, [pa.RecordBatch.from_arrays(arrays, names=list(_FIELDS))])


def _create(database: Database) -> str:
    columns = [
        f"{exp.to_identifier(name, quoted=True).sql(database.dialect)} {database.column_type(field)}"
        + ("" if name in _OPTIONAL else " NOT NULL")
        for name, field in _FIELDS.items()
    ]
    return f'CREATE TABLE {database.sql(database.name(LOADS))} ({", ".join(columns)}, PRIMARY KEY ("load"))'


def remove_load(database: Database, load: Load) -> None:
    """Remove the row of a load; the table stays, also without a row, and says whose the empty tables are."""
    database.execute(f'DELETE FROM {database.sql(database.name(LOADS))} WHERE "load" = {load.load:d}')
