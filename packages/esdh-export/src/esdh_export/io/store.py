"""Where the files of a snapshot in the making go: picklable, so that shards can be written anywhere."""

from pathlib import Path
from typing import Protocol

import msgspec

from esdh_export.io.background import BackgroundQueue
from esdh_export.io.hashed_file import HashedFile, new_file, new_large_file

__all__ = ["LocalStore", "Store"]


class Store(Protocol):
    """What a shard is written to."""

    @property
    def fragments(self) -> Path:
        """The local folder for the fragments of the JSON document, which are no part of the snapshot."""

    def create(self, path: str, *, large: bool, background: BackgroundQueue | None = None) -> HashedFile:
        """Open a new file of the snapshot by its relative path.

        A large one may have a thread that waits for the disk; with `background`, it is hashed and handed on there.
        """


class LocalStore(msgspec.Struct, frozen=True):
    """Two folders on a disk that every worker sees."""

    files: Path
    fragments: Path

    def create(self, path: str, *, large: bool, background: BackgroundQueue | None = None) -> HashedFile:
        """Open a new file of the snapshot by its relative path; a large one waits for the disk in a thread."""
        return (new_large_file if large else new_file)(self.files / path, background=background)
