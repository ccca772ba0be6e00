"""Standard streams that can be relied on: there, whatever the caller closed, and able to print any text."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

__all__ = ["UnprintedError", "reliable_streams"]

_NAMES = ("stdin", "stdout", "stderr")  # of the descriptors 0, 1 and 2
_NO_READER = 128 + 13  # as a shell gives it for a program that SIGPIPE ended


class UnprintedError(Exception):
    """Standard output that can't be written. No OSError: the commands take one for that of their work."""


class _Raw(io.RawIOBase):
    """The file below a standard stream. An error of stdout is UnprintedError; what stderr doesn't take is lost."""

    def __init__(self, raw: io.RawIOBase, *, lossy: bool) -> None:
        self._raw = raw
        self._lossy = lossy

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def fileno(self) -> int:
        """Return the stream's descriptor."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._raw.isatty()

    def write(self, data: Any, /) -> int | None:
        """Write bytes and return how many."""
        try:
            return self._raw.write(data)
        except OSError as error:
            if not self._lossy:
                raise UnprintedError from error
            return len(data)


@contextmanager
def reliable_streams(after: str) -> Iterator[None]:
    """Run a program; when its output can't be printed, one sentence says so, and `after` says how things stand then.

    A standard stream that is closed is the null device. A character that stdout's encoding lacks is escaped,
    as Python does on stderr. A reader that goes away ends the program with exit status 141 and no word.
    """
    _open_missing()
    sys.stdout = _wrapped(sys.stdout, lossy=False)
    sys.stderr = _wrapped(sys.stderr, lossy=True)
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except UnprintedError as error:
        cause = error.__cause__
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # takes what is still buffered
        if not isinstance(cause, OSError) or cause.errno == errno.EPIPE:
            raise SystemExit(_NO_READER) from None
        print(f"Error: the output could not be printed ({cause.strerror}); {after}", file=sys.stderr)
        raise SystemExit(1) from None


def _open_missing() -> None:
    """Open the null device on each descriptor that is closed, before another file takes its number."""
    for number, name in enumerate(_NAMES):
        try:
            os.fstat(number)
        except OSError:
            # The lowest that is free is this one. Children inherit it as any standard stream.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            stream = os.fdopen(number, "w" if number else "r", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)  # as Python has it, which also keeps the stream alive


def _wrapped(stream: TextIO, *, lossy: bool) -> TextIO:
    buffer: Any = stream.buffer
    return io.TextIOWrapper(
        io.BufferedWriter(_Raw(getattr(buffer, "raw", buffer), lossy=lossy)),  # no `raw` below `python -u`
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=lossy or stream.isatty(),
    )
