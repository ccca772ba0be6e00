"""The formats of a snapshot: modules with the same verbs, one file each."""

from types import ModuleType
from typing import Protocol

from esdh_export.encoding.block import EncodedBlock
from esdh_export.formats import csv, json, ndjson, parquet

__all__ = ["FORMATS", "Writer"]


class Writer(Protocol):
    """What every format's `Writer(sink, table, dataset=..., seed=...)` does."""

    def write(self, block: EncodedBlock) -> None:
        """Append the rows of a block."""

    def close(self) -> None:
        """Finish the file."""


FORMATS: dict[str, ModuleType] = {module.EXTENSION: module for module in (csv, json, ndjson, parquet)}
