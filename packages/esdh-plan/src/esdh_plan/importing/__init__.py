"""Plans from schemas that exist: SQL DDL, Data Packages, JSON Schemas, data contracts, Parquet. No row of data is read."""

import re
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Final

from esdh_plan.errors import PlanError, near, word_list
from esdh_plan.importing.data_package import read_data_package, read_table_schema
from esdh_plan.importing.described import json_document, mapping
from esdh_plan.importing.errors import ImportSourceError
from esdh_plan.importing.json_schema import read_json_schema
from esdh_plan.importing.model import ForeignKey, SourceSchema, SourceTable
from esdh_plan.importing.names import dataset_name
from esdh_plan.importing.odcs import read_odcs
from esdh_plan.importing.tree import tree_of
from esdh_plan.importing.writing import ImportedPlan, write_plan
from esdh_plan.language import MAX_TABLES, parse_plan
from esdh_plan.reader import read_yaml
from esdh_plan.recipe import compile_plan

__all__ = ["ImportSourceError", "ImportedPlan", "import_plan"]

_MARKER: Final = "synthetic_source"
_MOST_BYTES: Final = 16 << 20


def import_plan(path: Path, *, dialect: str | None = None, root: str | None = None) -> ImportedPlan:
    """Return a plan that runs at once, from the schema in a file; no row of data is read.

    The file is SQL DDL, a Data Package, Table Schema or JSON Schema, an Open Data Contract Standard file, or Parquet,
    by its suffix. `dialect` is that of SQL (postgres, mysql, sqlite, tsql, snowflake), told from the text unless given. `root` is the
    table whose rows `--records` counts; else it is the one with most tables below it.

    Raises ImportSourceError, with one sentence, for a source that can't be read or become a plan.
    """
    schema = _read(path, dialect)
    schema.name = dataset_name(path.stem)
    if len(schema.tables) > MAX_TABLES:
        raise ImportSourceError(f"it has {len(schema.tables):,} tables; a plan has at most {MAX_TABLES:,}")
    _settle(schema)
    tree = tree_of(schema, root)
    unproved: frozenset[str] = frozenset()
    while True:
        written = write_plan(deepcopy(schema), tree, unproved)
        try:
            compile_plan(parse_plan(written.text, f"{schema.name}.yaml"), path.parent)
        except PlanError as error:
            keys = [re.fullmatch(r"tables\.(\w+)\.key(?:\..*)?", fault.path) for fault in error.faults]
            more = unproved | {found[1] for found in keys if found}
            if more == unproved:
                raise
            unproved = more
        else:
            return written


def _settle(schema: SourceSchema) -> None:
    """Leave out our own marker and keys to nowhere; refuse tables without columns and names that stand twice."""
    if twice := [name for name, times in Counter(table.name for table in schema).items() if times > 1]:
        raise ImportSourceError(f"the table {twice[0]!r} stands in it twice")
    for table in schema:
        columns = [column for column in table.columns if column.name != _MARKER]
        if len(columns) < len(table.columns):
            table.notes.append(f"{_MARKER} was left out: every table gets it")
        table.columns = columns
        names = Counter(column.name for column in columns)
        if not columns:
            raise ImportSourceError(f"the table {table.name!r} has no columns")
        if len(names) < len(columns):
            raise ImportSourceError(
                f"the table {table.name!r} has the column {names.most_common(1)[0][0]!r} twice"
            )
    for table in schema:
        table.foreign_keys = [key for key in table.foreign_keys if _leads(schema, table, key)]


def _leads(schema: SourceSchema, table: SourceTable, key: ForeignKey) -> bool:
    """Whether a foreign key leads to columns that are there; else it is noted."""
    other = next((each for each in schema if each.name == key.table), None)
    own = ", ".join(key.columns)
    if other is None:
        table.notes.append(
            f"the foreign key ({own}) refers to {key.table}, which isn't in the source; it is left out"
        )
        return False
    for holder, names in ((table, key.columns), (other, key.references)):
        known = [column.name for column in holder.columns]
        for name in names:
            if name not in known:
                raise ImportSourceError(
                    f"the foreign key ({own}) of {table.name} needs {holder.name}.{name}, which isn't there{near(name, known)}"
                )
    if len(key.columns) != len(key.references):
        raise ImportSourceError(
            f"the foreign key of {table.name} ({own}) refers to {len(key.references)} columns of {other.name}"
        )
    return True


def _read(path: Path, dialect: str | None) -> SourceSchema:
    suffix = path.suffix.lower()
    if suffix not in _READERS and suffix != ".parquet":
        known = word_list([*_READERS, ".parquet"])
        raise ImportSourceError(f"its name ends in {path.suffix or 'nothing'}; a source ends in {known}")
    if dialect is not None and suffix not in _SQL:
        raise ImportSourceError(f"a dialect ({dialect}) is of SQL, and this is no SQL file; leave it out")
    try:
        if suffix == ".parquet":
            from esdh_plan.importing.parquet import read_parquet

            return read_parquet(path, path.stem)
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise ImportSourceError(f"it has {size:,} bytes; a schema has at most {_MOST_BYTES:,}")
        text = path.read_bytes().decode("utf-8-sig")
        return _READERS[suffix](text, path.stem, dialect)
    except OSError as error:
        raise ImportSourceError(f"it can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ImportSourceError(f"it isn't UTF-8, from byte {error.start:,} on") from None
    except ModuleNotFoundError as error:
        raise ImportSourceError(
            f"{error.name}, which reads such a file, is not installed here; install esdh-plan[import]"
        ) from error


def _sql(text: str, name: str, dialect: str | None) -> SourceSchema:
    from esdh_plan.importing.ddl import read_ddl

    return read_ddl(text, name, dialect)


def _json(text: str, name: str, _: str | None) -> SourceSchema:
    document = json_document(text)
    if "resources" in document:
        return read_data_package(document, name)
    if isinstance(document.get("fields"), list):
        return read_table_schema(document, name)
    if document.keys() & {"properties", "items", "$ref", "$schema"}:
        return read_json_schema(document, name)
    raise ImportSourceError(
        "it is no Data Package (`resources`), Table Schema (`fields`) or JSON Schema (`properties`)"
    )


def _yaml(text: str, name: str, _: str | None) -> SourceSchema:
    try:
        document = read_yaml(text, name)
    except PlanError as error:
        fault = error.faults[0]
        raise ImportSourceError(f"line {fault.line}: {fault.reason}") from None
    return read_odcs(mapping(document.content, "the document"), name)


_SQL: Final = (".sql", ".ddl")
_READERS: Final[dict[str, Callable[[str, str, str | None], SourceSchema]]] = {
    **dict.fromkeys(_SQL, _sql),
    ".json": _json,
    **dict.fromkeys((".yaml", ".yml"), _yaml),
}
