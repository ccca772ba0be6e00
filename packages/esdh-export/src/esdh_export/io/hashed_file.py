"""A file that is hashed as it is written, and synced before it counts."""

import hashlib
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol

from esdh_manifest import FileEntry

from esdh_export.io.direct_io import DirectFile
from esdh_export.io.sync import sync

__all__ = ["HashedFile", "Sink", "new_file", "new_large_file"]


class Sink(Protocol):
    """What a format's writer writes to."""

    def write(self, data: "bytes | memoryview") -> int:
        """Write bytes and return how many."""


class _File(Protocol):
    """What a HashedFile writes to."""

    @property
    def closed(self) -> bool: ...
    def write(self, data: memoryview, /) -> object: ...
    def flush(self) -> None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class HashedFile:
    """A new file whose SHA-256 and size are known when it closes; with `synced`, it is on the disk then."""

    def __init__(self, file: _File, *, synced: bool) -> None:
        self._file = file
        self._synced = synced
        self._sha256 = hashlib.sha256()
        self.size = 0
        self._abandoned = False

    @property
    def closed(self) -> bool:
        """Whether the file is closed (Arrow asks)."""
        return self._file.closed

    def write(self, data: "bytes | memoryview") -> int:
        """Write bytes and return how many."""
        view = memoryview(data).cast("B")
        if self._abandoned:  # Arrow's Parquet writer still writes a footer when it is collected
            return view.nbytes
        self.size += view.nbytes
        self._sha256.update(view)
        self._file.write(view)
        return view.nbytes

    def tell(self) -> int:
        """Return the number of bytes written (Arrow asks)."""
        return self.size

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file, which is synced to the disk first where it is on one."""
        if self._file.closed or self._abandoned:
            return
        try:
            self.flush()
            if self._synced:
                sync(self._file.fileno())
        except BaseException:
            self._abandon()
            raise
        self._file.close()

    def _abandon(self) -> None:
        self._abandoned = True
        with suppress(OSError):  # the disk that failed a write may fail the last flush too
            self._file.close()

    def entry(self, rows: int | None) -> FileEntry:
        """Return what the manifest lists of the file."""
        return FileEntry(self._sha256.hexdigest(), self.size, rows)

    def __enter__(self) -> "HashedFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()


def new_file(path: Path) -> HashedFile:
    """Open a file that doesn't exist yet, in a folder that does; it is synced as it closes."""
    return HashedFile(path.open("xb", buffering=1 << 20), synced=True)


def new_large_file(path: Path) -> HashedFile:
    """Open a file like `new_file`, to be written in a thread of its own, past the system's cache."""
    return HashedFile(DirectFile(path), synced=True)
