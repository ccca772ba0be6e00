"""The flow log: JSON lines, appended one at a time by any number of runs, whole even after a kill.

Each line is one write at the end of the file, under a lock. What a writer that died left unfinished is
cut off by the next one, which says so in a line of its own.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

__all__ = ["EventLog", "read_events"]

_LOCK_SECONDS = 10  # a line takes well under a millisecond; a lock held longer is a dead network drive
_TAIL = 64 * 1024  # bytes looked at for the last line end; a line of ours has less than 4 KiB


class EventLog:
    """The log file of all runs, for one run to append to."""

    def __init__(self, path: Path, run_id: str) -> None:
        self._path = path
        self._run_id = run_id
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_SECONDS)

    def write(self, level: Literal["info", "warning", "error"], event: str, **fields: Any) -> None:
        """Append one line; raises OSError, and leaves the file as it was, when it can't be written."""
        line = _line(level, event, run_id=self._run_id, **fields)
        with self._lock, self._path.open("ab+", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - _TAIL))
            unfinished = file.read().rpartition(b"\n")[2]
            if _event(unfinished) is not None:  # whole but for its line end
                line = b"\n" + line
            elif unfinished:
                end = file.truncate(end - len(unfinished))
                line = _line("warning", "log.repaired", bytes_lost=len(unfinished)) + line
            try:
                while line:  # a full disk takes a part first, and refuses the rest
                    line = line[file.write(line) :]
            except OSError:
                file.truncate(end)
                raise


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a log in order; a line that is being written this moment is left out."""
    if path.exists():
        with path.open("rb") as file:
            yield from (event for event in map(_event, file) if event is not None)


def _line(level: str, event: str, **fields: Any) -> bytes:
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    entry = {"timestamp": moment, "level": level, "event": event, **fields}
    return json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
