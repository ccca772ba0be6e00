"""The real server, `esdh serve`, for as long as a run needs it, and calls to it: past any proxy, each with a deadline."""

import errno
import http.client
import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from esdh_core import DEFAULT_DATASET, DEFAULT_SEED

from esdh_demo.answers import REINSTALL, read_answer
from esdh_demo.errors import DemoError
from esdh_demo.processes import ManagedProcess
from esdh_demo.steps import Run

__all__ = ["Health", "RunningServer", "port_problem", "serving"]

_HOST = "127.0.0.1"
_ADDRESS = re.compile(rf"^Listening on http://{_HOST}:(\d+)$\n", re.MULTILINE)
_POLL_SECONDS = 0.05  # between two looks at the output of a server that hasn't printed its address yet
_CALL_SECONDS = 30.0  # a thousand records take a few milliseconds
_DYING_SECONDS = 5.0  # from a connection that fails to the end of the dying server's supervisor


class Health(msgspec.Struct, frozen=True):
    """What the demo needs of an answer of `/healthz`."""

    status: str
    dataset_version: str
    default_seed: int
    max_records: int


@dataclass(frozen=True)
class RunningServer:
    """A server that listens on a port, and has `start_seconds` to be healthy."""

    process: ManagedProcess
    port: int
    start_seconds: float

    @property
    def address(self) -> str:
        """The server's URL."""
        return f"http://{_HOST}:{self.port}"

    def health(self) -> tuple[Health, bytes]:
        """Return the server's health and the answer's body.

        Raises DemoError when it isn't healthy, doesn't say so in time, has died, or is another program.
        """
        body = self._call("GET", "/healthz", self.start_seconds)
        health = read_answer(body, Health, what="the answer of /healthz")
        expected = ("ok", DEFAULT_DATASET.dataset_version, DEFAULT_SEED)
        if (health.status, health.dataset_version, health.default_seed) != expected:
            raise DemoError(
                f"the server says {body.decode('utf-8', 'replace')[:200]}, and not status {expected[0]}, dataset "
                f"version {expected[1]} and default seed {expected[2]}",
                remedy=REINSTALL,
            )
        return health, body

    def get(self, path: str) -> bytes:
        """Return the body of an answer; raises DemoError unless its status is 200."""
        return self._call("GET", path)

    def post(self, path: str, body: Mapping[str, Any], accept: str = "application/json") -> bytes:
        """Return the body of the answer to a JSON body; raises DemoError unless its status is 200."""
        headers = {"Content-Type": "application/json", "Accept": accept}
        return self._call("POST", path, body=json.dumps(body), headers=headers)

    def stop(self) -> None:
        """Stop the server; raises DemoError unless it ends with status 0 and its port is free."""
        if status := self.process.stop():
            raise _failure(self.process, f"the server ended with status {status} when it was told to stop")
        with socket.socket() as probe:
            if probe.connect_ex((_HOST, self.port)) == 0:
                what = f"port {self.port} still answers after the server has stopped"
                raise DemoError(what, remedy="see `just doctor`")

    def _call(self, method: str, path: str, seconds: float = _CALL_SECONDS, **request: Any) -> bytes:
        connection = http.client.HTTPConnection(_HOST, self.port, timeout=seconds)
        try:
            connection.request(method, path, **request)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            what = f"{method} {path} got no answer: {error or type(error).__name__}"
            died = None if isinstance(error, TimeoutError) else self.process.wait(_DYING_SECONDS)
            if died is not None:
                what = f"the server died with status {died}"
            raise _failure(self.process, what) from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            reason = body[:300].decode("utf-8", "replace")
            what = f"{method} {path} was answered with status {response.status}: {reason}"
            raise _failure(self.process, what)
        return body


@contextmanager
def serving(run: Run, *, name: str = "serve", port: int = 0) -> Iterator[RunningServer]:
    """Run the server until the block ends; `name` is that of its log files.

    Where a port other than 0 can't be had a free one is taken.
    Raises DemoError when the server dies or doesn't print its address in time.
    """
    if port and (problem := port_problem(port)):
        found = f"port {port} of {_HOST} can't be had: {problem}"
        run.session.console.print(f"  {found}; taking a free port instead", style="yellow")
        run.log.write("warning", "port.replaced", status="replaced", port=port, found=found)
        port = 0
    seconds = run.session.config.server.start_seconds
    command = (*run.session.commands.serve, "--host", _HOST, "--port", str(port))
    with run.processes.started(name, command) as process:
        yield RunningServer(process, _listening_port(process, seconds), seconds)


def port_problem(port: int) -> str | None:
    """Return why a port of the loopback interface can't be listened on (0: any port), None when it can."""
    with socket.socket() as probe:
        if os.name == "posix":  # as the server does, so that a port that was just left counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
            probe.listen()
        except OSError as error:
            return "taken" if error.errno == errno.EADDRINUSE else str(error.strerror)
    return None


def _listening_port(process: ManagedProcess, seconds: float) -> int:
    """Return the port of the address that a server prints; raises DemoError when it prints none in time."""
    deadline = time.monotonic() + seconds
    while True:
        status = process.wait(_POLL_SECONDS)
        if match := _ADDRESS.search(process.output()):
            return int(match[1])
        if status is not None:
            raise _failure(process, f"the server died with status {status} before it told its address")
        if time.monotonic() > deadline:
            raise _failure(process, f"the server didn't tell its address within {seconds:g} seconds")


def _failure(process: ManagedProcess, what: str) -> DemoError:
    tail = process.stderr_tail()
    return DemoError(
        f"{what}; it said: {tail}" if tail else what,
        remedy=f"see `just doctor`, and logs/{process.name}.stderr among the artifacts; a slow machine needs more "
        "server.start_seconds in config/demo.yaml",
    )
