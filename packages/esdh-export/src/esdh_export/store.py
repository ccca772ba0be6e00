"""Where the files of a snapshot in the making go: picklable, so that shards can be written anywhere."""

from pathlib import Path
from typing import Protocol

import msgspec

from esdh_export.files import HashedFile, new_file

__all__ = ["Folders", "Store"]


class Store(Protocol):
    """What a shard is written to."""

    @property
    def sections(self) -> Path:
        """The local folder for the sections of the JSON document, which are no part of the snapshot."""

    def create(self, path: str) -> HashedFile:
        """Open a new file of the snapshot by its relative path."""


class Folders(msgspec.Struct, frozen=True):
    """Two folders on a disk that every worker sees."""

    files: Path
    sections: Path

    def create(self, path: str) -> HashedFile:
        """Open a new file of the snapshot by its relative path."""
        return new_file(self.files / path)
