"""Runs a command for as long as its standard input stays open: `python supervisor.py SECONDS COMMAND...`.

A run starts every process through a supervisor and keeps the other end of the pipe. When the run closes it, or is
gone, even by kill -9, the command is told to stop, and killed after SECONDS. What a command leaves behind in its
process group is killed when it ends. It needs the standard library alone, and so starts in ten milliseconds.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

_POSIX = os.name == "posix"


def main() -> int:
    """Run the command and return its exit status (128 + n for signal n)."""
    grace, command = float(sys.argv[1]), sys.argv[2:]
    process = subprocess.Popen(  # noqa: S603 - the run's own command
        command, stdin=subprocess.DEVNULL, start_new_session=_POSIX
    )
    threading.Thread(target=_watch, args=(process, grace), daemon=True).start()
    status = process.wait()
    if _POSIX:
        with suppress(
            ProcessLookupError, PermissionError
        ):  # the group is empty; macOS gives the second error
            os.killpg(process.pid, signal.SIGKILL)
    return status if status >= 0 else 128 - status


def _watch(process: "subprocess.Popen[bytes]", grace: float) -> None:
    while os.read(0, 4096):
        pass
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    raise SystemExit(main())
