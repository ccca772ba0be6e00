"""Rows as they were read, and which files may be read at all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
from esdh_core import Dataset, Table
from esdh_core.columns import Column
from esdh_export import schema
from esdh_export.io.hashed_file import Sink
from esdh_manifest import MANIFEST_NAME_PATTERN

__all__ = [
    "Fail",
    "FileReader",
    "Render",
    "Rows",
    "Slice",
    "kinds_of",
    "longest_value",
    "manifest_names",
    "no_rows",
    "regular",
]

_LONGEST_VALUE = 256  # bytes of a text of the default dataset; no value is near it
_LONGEST_TEXT = 4_096  # of a dataset that a plan made

Fail = Callable[
    [int, str | None, object, str], None
]  # row of a piece, field, what was found, what is expected


@dataclass(slots=True)
class Rows:
    """Rows of a table as one file holds them: a plain Arrow array a field, and the very bytes of a text format.

    `start` is the number in the table that the first of them should have. `last` says that no row follows in
    the file. Rows whose bytes are those that the seed gives weren't parsed: they have the `columns` that were made,
    but for fields with wrong cells, and arrays are made as they are asked for; what is found out of a column is kept
    in `memo`.
    """

    file: str
    start: int
    arrays: Mapping[str, pa.Array]
    text: bytes | None
    last: bool = False
    columns: Mapping[str, Column] | None = None
    memo: dict[object, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter((self.columns or self.arrays).values())))

    def column(self, field: str) -> Column | None:
        """Return the column that the values of a field were made as, None where there are only values."""
        return None if self.columns is None else self.columns.get(field)

    def release(self) -> None:
        """Let go of the values: the reader that made them still holds this object while it waits."""
        self.text = self.columns = None
        self.arrays = {}


class Slice(NamedTuple):
    """Which rows of a file are asked for: `size` from row `start` of the table on.

    `block_rows` is the number of rows of their block where they are the first of it, else None; `ends` says that
    they are the last of it.
    """

    start: int
    size: int
    block_rows: int | None
    ends: bool


class Render(Protocol):
    """Writes rows to a sink as a format has them."""

    def __call__(self, sink: Sink, /) -> None:
        """Write them."""


class FileReader:
    """One file that holds rows of a table."""

    def matches(self, rows: Slice, render: Render, *, last: bool | None) -> bool:  # noqa: ARG002 - of text alone
        """Pass over the rows that come next if they are, byte for byte, what `render` writes; return whether they are.

        `last` says whether no row of the table comes after them, None where only the file can tell.
        """
        return False

    def take(self, rows: Slice) -> Rows | None:
        """Return the rows that come next, None where there are none left."""
        raise NotImplementedError

    def finish(self, expected: int, *, whole: bool) -> None:
        """Look at what is left; `expected` rows were asked for, and no more can be there if that was the `whole` of it."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""


def regular(folder: Path, path: str) -> bool:
    """Return whether a path below a folder is a file, with no symbolic link on the way."""
    at = folder
    for part in Path(path).parts:
        at /= part
        if at.is_symlink():
            return False
    return at.is_file()


def manifest_names(folder: Path) -> list[str]:
    """Return the names of the manifests in a folder."""
    return sorted(path.name for path in folder.glob(MANIFEST_NAME_PATTERN))


def no_rows(table: Table) -> dict[str, pa.Array]:
    """Return the arrays of no rows of a table."""
    return {field.name: pa.array([], field.type) for field in schema(table)}


@lru_cache(maxsize=256)
def kinds_of(dataset: Dataset, table: Table) -> Mapping[str, Column]:
    """Return a column of each field of a table, whose kind and bounds are those of every block."""
    return dataset.columns(0, 0, tables=[table.name])[table.name]


def longest_value(dataset: Dataset) -> int:
    """Return the most bytes that a text of a dataset can take."""
    return _LONGEST_VALUE if dataset.recipe is None else _LONGEST_TEXT
