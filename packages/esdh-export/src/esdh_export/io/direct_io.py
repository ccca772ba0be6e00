"""Writing past the system's page cache, where system and file system can."""

import mmap
import os
from collections import deque
from pathlib import Path

from esdh_export.io.background import BackgroundQueue
from esdh_export.io.sync import is_unsupported

if os.name != "nt":
    import fcntl

__all__ = ["DirectFile"]

_GATHERED = 1 << 20  # bytes that are written at once: a multiple of any sector or page
_BUFFERS = 3  # one is filled, one is written, one waits


class DirectFile:
    """A new file that is written past the system's cache, where system and file system can.

    All of it is synced before it counts, so the cache would only be copied through: it costs as much as
    hashing where memory is new to the system. Such writes begin and end at multiples of a sector, in memory and
    in the file; what is left at the end goes through the cache. They wait for the disk, in a thread of their own:
    `write` takes a copy and returns, and an error of the disk is raised by a later call.
    """

    def __init__(self, path: Path) -> None:
        binary = getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, 0o666)
        self._cached = not _use_page_cache(self._descriptor, on=False)
        # Used in turn, the first to be filled; each begins at a page.
        self._buffers = deque(mmap.mmap(-1, _GATHERED) for _ in range(_BUFFERS))
        self._filled = 0
        self._queue = BackgroundQueue(_BUFFERS - 1)
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
                self._queue.call(self._write_out, self._buffers[0], _GATHERED)
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
        _use_page_cache(self._descriptor, on=True)
        self._cached = True

    def flush(self) -> None:
        """Write what is gathered, and everything after it, through the cache."""
        self._queue.wait()
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
            self._queue.close()
            self._buffers.clear()  # which unmaps them, as soon as no error holds a view of one
            os.close(self._descriptor)


def _use_page_cache(descriptor: int, *, on: bool) -> bool:
    """Have writes to a file go through the system's cache or past it; return whether it could be done."""
    if not hasattr(os, "O_DIRECT"):  # only Linux and its like can
        return False
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_DIRECT if on else flags | os.O_DIRECT)
    except OSError:
        return False
    return True
