"""Where the files of a snapshot in the making go: picklable, so that shards can be written anywhere, and more than once.

An engine may run a shard twice, and one that was called off may go on. So an attempt at a shard writes files of its own,
under names that no other has, and they take the names of the snapshot only once they are whole.
"""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
from esdh_manifest import FileEntry

from esdh_export.io.hashed_file import HashedFile, new_file, new_large_file

__all__ = ["Attempt", "LocalStore", "Store", "unique_name"]


def unique_name() -> str:
    """Return a name that no other run or attempt has, on any machine."""
    return uuid.uuid4().hex


class Attempt(Protocol):
    """One attempt at a shard."""

    @property
    def name(self) -> str:
        """A name that no other attempt has."""

    def create(self, path: str, *, large: bool) -> HashedFile:
        """Open a new file for one of the snapshot, by the relative path of that.

        A large one may have a thread that waits for the disk.
        """

    def create_fragment(self, name: str) -> HashedFile:
        """Open a new file for a fragment of the JSON document, which is no part of the snapshot."""

    def finish(self) -> None:
        """Take note that every file is closed and whole."""


class Store(Protocol):
    """What a snapshot is written to."""

    def attempt(self) -> Attempt:
        """Begin an attempt at a shard, where its work is done."""

    def open_fragment(self, name: str, attempt: str) -> BinaryIO:
        """Open a fragment that an attempt wrote, to be read."""

    def create(self, path: str) -> HashedFile:
        """Open a new file of the snapshot by its relative path: what is made from all shards."""

    def commit(self, path: str, manifest: bytes, files: Mapping[str, FileEntry]) -> None:
        """Write the manifest, which lists these files, when all of them are there."""


class LocalStore(msgspec.Struct, frozen=True):
    """Three folders of one disk that every worker sees; `attempts` is the run's own, and there as long as the run lasts."""

    files: Path
    fragments: Path
    attempts: Path

    def attempt(self) -> "LocalAttempt":
        """Begin an attempt at a shard."""
        return LocalAttempt(self)

    def open_fragment(self, name: str, attempt: str) -> BinaryIO:  # noqa: ARG002 - whoever wrote it, its bytes are these
        """Open a fragment, to be read."""
        return (self.fragments / name).open("rb")

    def create(self, path: str) -> HashedFile:
        """Open a new file of the snapshot by its relative path."""
        return new_file(self.files / path)

    def commit(self, path: str, manifest: bytes, files: Mapping[str, FileEntry]) -> None:  # noqa: ARG002 - nobody else writes here
        """Write the manifest; the rename of the folder is what counts."""
        with self.create(path) as file:
            file.write(manifest)


class LocalAttempt:
    """An attempt whose files take their names by a rename each.

    The same request gives the same bytes, so it does no harm when two attempts of one run rename theirs. One that
    outlives its run does none either: the folder that it would rename from is gone, and it makes no folder.
    """

    def __init__(self, store: LocalStore) -> None:
        self.name = unique_name()
        self._store = store
        self._renames: dict[Path, Path] = {}

    def create(self, path: str, *, large: bool) -> HashedFile:
        """Open a new file for one of the snapshot; a large one waits for the disk in a thread."""
        create = new_large_file if large else new_file
        return create(self._unfinished(self._store.files / path))

    def create_fragment(self, name: str) -> HashedFile:
        """Open a new file for a fragment of the JSON document."""
        return new_file(self._unfinished(self._store.fragments / name))

    def finish(self) -> None:
        """Give every file its name."""
        for unfinished, path in self._renames.items():
            unfinished.replace(path)

    def _unfinished(self, path: Path) -> Path:
        unfinished = self._store.attempts / f"{self.name}-{len(self._renames)}"
        self._renames[unfinished] = path
        return unfinished
