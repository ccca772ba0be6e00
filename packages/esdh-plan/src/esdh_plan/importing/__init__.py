"""Plans from schemas that exist: SQL DDL, Data Packages, JSON Schemas, data contracts, Parquet. No row of data is read."""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Final

from esdh_plan.errors import PlanError
from esdh_plan.importing.errors import ImportSourceError
from esdh_plan.importing.model import SourceSchema
from esdh_plan.importing.names import dataset_name
from esdh_plan.importing.tree import tree_of
from esdh_plan.importing.writing import Written, write_plan
from esdh_plan.language import MAX_TABLES, parse_plan
from esdh_plan.recipe import compile_plan

__all__ = ["ImportSourceError", "Written", "import_plan"]

_MOST_BYTES: Final = 16 << 20


def import_plan(path: Path, *, dialect: str | None = None, root: str | None = None) -> Written:
    """Return a plan that runs at once, from the schema in a file.

    `dialect` is that of SQL (postgres, mysql, sqlite, tsql, snowflake), told from the text unless given. `root` is the
    table whose rows `--records` counts; else it is the one with most tables below it.

    Raises ImportSourceError, with one sentence, for a source that can't be read or become a plan.
    """
    schema = _read(path, dialect)
    schema.name = dataset_name(path.stem)
    if len(schema.tables) > MAX_TABLES:
        raise ImportSourceError(f"it has {len(schema.tables):,} tables; a plan has at most {MAX_TABLES:,}")
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


def _read(path: Path, dialect: str | None) -> SourceSchema:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ImportSourceError(
                f"it has {path.stat().st_size:,} bytes; a schema has at most {_MOST_BYTES:,}"
            )
        data = path.read_bytes()
    except OSError as error:
        raise ImportSourceError(f"it can't be read: {error.strerror}") from None
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ImportSourceError(
            f"a file that ends in {path.suffix or 'nothing'!r} isn't known; there are {', '.join(_READERS)}"
        )
    return reader(data, path.stem, dialect)


def _sql(data: bytes, name: str, dialect: str | None) -> SourceSchema:
    from esdh_plan.importing.ddl import read_ddl

    return read_ddl(_text(data), name, dialect)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportSourceError(f"it isn't UTF-8, from byte {error.start:,} on") from None


_READERS: Final[dict[str, Callable[[bytes, str, str | None], SourceSchema]]] = {".sql": _sql, ".ddl": _sql}
