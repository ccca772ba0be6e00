"""The formats of a snapshot: modules with the same verbs, one file each."""

from typing import Any, Protocol

from esdh_core import Dataset, Table
from esdh_core.overlay import FileShape

from esdh_export.encoding.block import EncodedBlock
from esdh_export.formats import csv, json, ndjson, parquet

__all__ = ["FORMATS", "Format", "Writer"]


class Writer(Protocol):
    """What every format's `Writer` does."""

    def write(self, block: EncodedBlock) -> None:
        """Append the rows of a block."""

    def close(self) -> None:
        """Finish the file."""


class Format(Protocol):
    """What every module of a format has.

    `EXTENSION` is what its files end with, and the format's name; `MEDIA_TYPE` its media type in descriptors;
    `RANK` its place among formats that hold the same rows, for a tool that reads one of them: 1 is read first.
    `Writer` makes the writer of one table's file; with a `shape`, of text formats alone, the file is another than its schema says.
    """

    EXTENSION: str
    MEDIA_TYPE: str
    RANK: int

    def Writer(  # noqa: N802 - a class
        self, sink: Any, table: Table, *, dataset: Dataset, seed: int, shape: FileShape = ...
    ) -> Writer:
        """Return a writer to an open file."""


_MODULES: tuple[Format, ...] = (csv, json, ndjson, parquet)
FORMATS = {module.EXTENSION: module for module in _MODULES}
