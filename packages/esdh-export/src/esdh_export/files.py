"""A file that is hashed as it is written, and synced before it counts."""

import errno
import hashlib
import mmap
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from esdh_manifest import ListedFile

if TYPE_CHECKING:
    from concurrent.futures import Future

if os.name != "nt":
    import fcntl

__all__ = [
    "Behind",
    "HashedFile",
    "Sink",
    "is_unsupported",
    "new_file",
    "new_large_file",
    "sync",
    "sync_folder",
]

_GATHERED = 1 << 20  # bytes of a large file that are written at once: a multiple of any sector or page
_BUFFERS = 3  # one is filled, one is written, one waits


# What a file system answers to what it can't do at all; any other error (EIO, ENOSPC) is one of what it does.
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})


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


class Behind:
    """Calls that a thread of their own makes in order, while the caller goes on.

    NumPy, Arrow, SHA-256 and the disk let other threads run, so that hashing and writing use the core that
    nothing else does, and overlap with waiting for the disk where there is none.
    """

    def __init__(self, most: int) -> None:
        """Begin a thread; at most so many calls wait, with what they hold in memory, before the caller does."""
        from concurrent.futures import ThreadPoolExecutor  # costs a small snapshot more than it would gain

        self._most = most
        self._thread = ThreadPoolExecutor(1)
        self._pending: deque[Future[Any]] = deque()

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Have a call made, once there is room for it; raise what an earlier one raised."""
        if len(self._pending) == self._most:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(function, *arguments))

    def wait(self) -> None:
        """Wait for every call; raise what one raised."""
        while self._pending:
            self._pending.popleft().result()

    def close(self) -> None:
        """End the thread after the call at hand; those that wait aren't made."""
        self._thread.shutdown(cancel_futures=True)


class HashedFile:
    """A new file whose SHA-256 and size are known when it closes; with `synced`, it is on the disk then.

    With `behind`, it is hashed and written there, while the caller goes on, and an error of the disk is raised by a
    later call; what was handed to `write` must stay as it is.
    """

    def __init__(self, file: _File, *, synced: bool, behind: Behind | None = None) -> None:
        self._file = file
        self._synced = synced
        self._behind = behind
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
        if self._behind is None:
            self._put(view)
        else:
            self._behind.call(self._put, view)
        return view.nbytes

    def _put(self, view: memoryview) -> None:
        self._sha256.update(view)
        self._file.write(view)

    def tell(self) -> int:
        """Return the number of bytes written (Arrow asks)."""
        return self.size

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        if self._behind is not None:
            self._behind.wait()
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
        if self._behind is not None:
            self._behind.close()

    def _abandon(self) -> None:
        self._abandoned = True
        if self._behind is not None:
            self._behind.close()
        with suppress(OSError):  # the disk that failed a write may fail the last flush too
            self._file.close()

    def listed(self, rows: int | None) -> ListedFile:
        """Return what the manifest lists of the file."""
        return ListedFile(self._sha256.hexdigest(), self.size, rows)

    def __enter__(self) -> "HashedFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()


class _Uncached:
    """A new file that is written past the system's cache, where system and file system can.

    All of it is synced before it counts, so the cache would only be copied through: it costs as much as
    hashing where memory is new to the system. Such writes begin and end at multiples of a sector, in memory and
    in the file; what is left at the end goes through the cache. They wait for the disk, in a thread of their own:
    `write` takes a copy and returns, and an error of the disk is raised by a later call.
    """

    def __init__(self, path: Path) -> None:
        binary = getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, 0o666)
        self._cached = not _cache(self._descriptor, on=False)
        # Used in turn, the first to be filled; each begins at a page.
        self._buffers = deque(mmap.mmap(-1, _GATHERED) for _ in range(_BUFFERS))
        self._filled = 0
        self._behind = Behind(_BUFFERS - 1)
        self.closed = False

    def write(self, data: memoryview) -> None:
        """Take bytes to write."""
        at = 0
        while at < len(data):
            size = min(len(data) - at, _GATHERED - self._filled)
            self._buffers[0][self._filled : self._filled + size] = data[at : at + size]
            self._filled += size
            at += size
            if self._filled == _GATHERED:
                self._behind.call(self._write_out, self._buffers[0], _GATHERED)
                self._buffers.rotate(-1)
                self._filled = 0

    def _write_out(self, buffer: mmap.mmap, filled: int) -> None:
        at = 0
        with memoryview(buffer) as view:
            while at < filled:
                try:
                    at += os.write(self._descriptor, view[at:filled])
                except OSError as error:
                    # A larger sector, or the rest of a write that was cut short.
                    if self._cached or not is_unsupported(error):
                        raise
                    self._use_cache()

    def _use_cache(self) -> None:
        _cache(self._descriptor, on=True)
        self._cached = True

    def flush(self) -> None:
        """Write what is gathered, and everything after it, through the cache."""
        self._behind.wait()
        if self._filled:
            if not self._cached:
                self._use_cache()
            self._write_out(self._buffers[0], self._filled)
            self._filled = 0

    def fileno(self) -> int:
        """Return the file's descriptor."""
        return self._descriptor

    def close(self) -> None:
        """Close the file; what is gathered and was never flushed is lost."""
        if not self.closed:
            self.closed = True
            self._behind.close()
            self._buffers.clear()  # which unmaps them, as soon as no error holds a view of one
            os.close(self._descriptor)


def _cache(descriptor: int, *, on: bool) -> bool:
    """Have writes to a file go through the system's cache or past it; return whether it could be done."""
    if not hasattr(os, "O_DIRECT"):  # only Linux and its like can
        return False
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_DIRECT if on else flags | os.O_DIRECT)
    except OSError:
        return False
    return True


def new_file(path: Path, *, behind: Behind | None = None) -> HashedFile:
    """Open a file that doesn't exist yet, and the folders above it; it is synced as it closes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return HashedFile(path.open("xb", buffering=1 << 20), synced=True, behind=behind)


def new_large_file(path: Path, *, behind: Behind | None = None) -> HashedFile:
    """Open a file like `new_file`, to be written in a thread of its own, past the system's cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return HashedFile(_Uncached(path), synced=True, behind=behind)


def is_unsupported(error: OSError) -> bool:
    """Return whether an error says that the file system can't do such a thing, rather than that it failed."""
    return error.errno in _UNSUPPORTED


def sync(descriptor: int) -> bool:
    """Sync an open file or folder to the disk; return whether its file system can."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not is_unsupported(error):
            raise
        return False
    return True


def sync_folder(folder: Path) -> bool:
    """Sync a folder's entries to the disk; return whether the platform and the file system can."""
    if os.name == "nt":  # Windows opens no folders; its renames are journalled
        return True
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if not is_unsupported(error) and not isinstance(
            error, PermissionError
        ):  # it may be written, not read
            raise
        return False
    try:
        return sync(descriptor)
    finally:
        os.close(descriptor)
