"""The flow log: JSON lines, appended one at a time by any number of runs, whole even after a kill.

Each line is one write at the end of the file, under a lock. What a writer that died left unfinished is
cut off by the next one, which says so in a line of its own.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import structlog
from filelock import FileLock
from structlog.typing import EventDict, FilteringBoundLogger

__all__ = ["Journal", "read_journal"]

_LOCK_SECONDS = 10  # a line takes well under a millisecond; a lock held longer is a dead network drive
_TAIL = 64 * 1024  # bytes looked at for the last line end; a line of ours has less than 4 KiB
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write another line end
_REPAIRED = "log.repaired"

Entry = dict[str, Any]


class Journal:
    """The log file, as structlog's last processor: `bind` gives a logger that appends to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_SECONDS)

    def bind(self, *, run_id: str) -> FilteringBoundLogger:
        """Return a logger whose every event is one line that names a run."""
        logger: FilteringBoundLogger = structlog.wrap_logger(
            self,
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _ordered,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
            run_id=run_id,
        )
        return logger

    def msg(self, line: str) -> None:
        """Append one line; raises OSError, and leaves the file as it was, when it can't be written."""
        with self._lock:
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY, 0o644)
            try:
                end, lost = _mend(descriptor)
                told = b""
                if lost:
                    repaired = {
                        "timestamp": _now(),
                        "level": "warning",
                        "event": _REPAIRED,
                        "bytes_lost": lost,
                    }
                    told = json.dumps(repaired).encode() + b"\n"
                _append(descriptor, end, told + line.encode("utf-8", "backslashreplace") + b"\n")
            finally:
                os.close(descriptor)

    info = warning = error = msg


def read_journal(path: Path) -> Iterator[Entry]:
    """Yield the events of a log in order; a line that is being written this moment is left out."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        for line in stream:
            entry = _decoded(line)
            if entry is not None:
                yield entry


def _ordered(_: Any, __: str, event: EventDict) -> EventDict:
    """Put what every line has first."""
    first = ("timestamp", "level", "event", "run_id", "step", "status")
    return {name: event[name] for name in (*(n for n in first if n in event), *event)}


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _decoded(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return cast(Entry, entry) if isinstance(entry, dict) else None


def _mend(descriptor: int) -> tuple[int, int]:
    """Make the file end with a whole line; return its size then, and how many bytes were cut off."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    start = max(0, size - _TAIL)
    os.lseek(descriptor, start, os.SEEK_SET)
    tail = os.read(descriptor, size - start)
    last = tail.rpartition(b"\n")[2]
    if not last:
        return size, 0
    if _decoded(last) is not None:  # whole but for its line end
        os.write(descriptor, b"\n")
        return size + 1, 0
    os.ftruncate(descriptor, size - len(last))
    return size - len(last), len(last)


def _append(descriptor: int, end: int, data: bytes) -> None:
    try:
        written = os.write(descriptor, data)
        while written < len(data):  # a full disk takes a part first, and refuses the rest
            written += os.write(descriptor, data[written:])
    except OSError:
        os.ftruncate(descriptor, end)
        raise
