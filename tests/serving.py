"""A real server process, as a user starts it, for tests and benchmarks."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PYTHON = (sys.executable, "-m", "esdh_api")
ESDH = (str(Path(sys.executable).with_name("esdh")), "serve")
STOPS_WITHIN = 25  # seconds; less than the grace that a request under way has


@dataclass(frozen=True)
class Server:
    """A server that listens."""

    process: subprocess.Popen[str]
    url: str
    host: str
    port: int
    _log: Path

    def connect(self) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection((self.host, self.port), timeout=STOPS_WITHIN)

    def refuses(self) -> bool:
        """Return whether a new connection is refused."""
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return True
        return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the server and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOPS_WITHIN)

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of the log so far; every one of them must be JSON."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment with only these settings of the API in it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ESDH_")}
    return own | {"PYTHONUNBUFFERED": "1"} | variables


@contextmanager
def serving(
    *options: str, command: Sequence[str] = PYTHON, host: str = "127.0.0.1", **variables: str
) -> Iterator[Server]:
    """Run a server on a free port until the block ends; `variables` go into its environment."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--port", "0", *options],
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with process:
            try:
                assert process.stdout is not None
                first = process.stdout.readline()
                assert first.startswith("Listening on http://"), first
                url = first.removeprefix("Listening on ").strip()
                yield Server(process, url, host, int(url.rpartition(":")[2]), Path(folder, "log"))
            finally:
                process.kill()
