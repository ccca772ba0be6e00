"""The real server, `esdh serve`, for as long as a run needs it."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
from esdh_core import DEFAULT_DATASET, DEFAULT_SEED

from esdh_demo.answers import REINSTALL
from esdh_demo.client import CallError, Client, NoAnswerError
from esdh_demo.errors import DemoError
from esdh_demo.processes import ManagedProcess
from esdh_demo.steps import Run

__all__ = ["Health", "RunningServer", "serving"]

_HOST = "127.0.0.1"
_ADDRESS = re.compile(r"^Listening on (http://\S+)$\n", re.MULTILINE)
_POLL_SECONDS = 0.05  # between two looks at a server that hasn't told its address or isn't healthy yet
_LOOK_SECONDS = 1.0  # that a look has at least, so that the last one tells more than that time was up
_DYING_SECONDS = 5.0  # until the supervisor of a server that no longer answers has told how it ended


class Health(msgspec.Struct, frozen=True):
    """What the demo needs of an answer of `/healthz`."""

    status: str
    dataset_version: str
    default_seed: int
    max_records: int


@dataclass(frozen=True)
class RunningServer:
    """A server that has told its address."""

    client: Client
    process: ManagedProcess
    start_seconds: float

    def health(self) -> tuple[Health, bytes]:
        """Return what the server says of itself, once it is well, and the answer's body.

        Raises DemoError when it isn't in time, has died, or is another program.
        """
        deadline = time.monotonic() + self.start_seconds
        while True:
            try:
                seconds = max(deadline - time.monotonic(), _LOOK_SECONDS)
                body = self.client.get("/healthz", seconds=seconds)
                health = msgspec.json.decode(body, type=Health)
                break
            except (CallError, msgspec.DecodeError) as error:
                self.check_alive()
                if deadline - time.monotonic() <= _POLL_SECONDS:
                    limit = f"within {self.start_seconds:g} seconds"
                    what = f"the server at {self.client.address} was not healthy {limit}; last: {error}"
                    raise _failure(self.process, what) from error
            time.sleep(_POLL_SECONDS)  # health comes over HTTP, which tells nothing of itself
        expected = ("ok", DEFAULT_DATASET.dataset_version, DEFAULT_SEED)
        if (health.status, health.dataset_version, health.default_seed) != expected:
            raise DemoError(
                f"the server says {body.decode('utf-8', 'replace')[:200]}, and not status {expected[0]}, dataset "
                f"version {expected[1]} and default seed {expected[2]}",
                remedy=REINSTALL,
            )
        return health, body

    def check_alive(self, *, seconds: float = 0.5) -> None:
        """Raise DemoError, with the end of its stderr, when the server has died.

        Its connections fail a moment before its supervisor has told how it ended: so many seconds are waited.
        """
        if (status := self.process.wait(seconds)) is not None:
            raise _failure(self.process, f"the server died with status {status}")

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Explain a call that failed: by a server that has died, or by an answer that it shouldn't give."""
        try:
            yield
        except CallError as error:
            if isinstance(error, NoAnswerError):
                self.check_alive(seconds=_DYING_SECONDS)
            raise _failure(self.process, str(error)) from error

    def stop(self) -> None:
        """Stop the server; raises DemoError unless it says that it ended well and its port is free."""
        if status := self.process.stop():
            what = f"the server ended with status {status} when it was told to stop"
            raise _failure(self.process, what)
        port = urlsplit(self.client.address).port
        with socket.socket() as probe:
            if probe.connect_ex((_HOST, port)) == 0:
                raise DemoError(
                    f"port {port} still answers after the server has stopped", remedy="see `just doctor`"
                )


@contextmanager
def serving(run: Run, *, name: str = "serve", port: int = 0) -> Iterator[RunningServer]:
    """Run the server until the block ends; `name` is what its output is kept as.

    A port other than 0 is tried first; where it can't be had a free one is taken.
    Raises DemoError when the server dies or doesn't tell its address in time.
    """
    seconds = run.config.server.start_seconds
    with ExitStack() as stack:

        def start(port: int) -> RunningServer:
            command = (*run.commands.serve, "--host", _HOST, "--port", str(port))
            process = stack.enter_context(run.processes.started(name, command, cwd=run.folder))
            return RunningServer(Client(_address(process, seconds)), process, seconds)

        try:
            server = start(port)
        except DemoError as error:
            if not port:
                raise
            stack.close()
            run.console.print(f"  {error.what}; taking a free port instead", style="yellow", markup=False)
            run.log.write("warning", "port.replaced", status="replaced", port=port, found=error.what)
            server = start(0)
        yield server


def _address(process: ManagedProcess, seconds: float) -> str:
    """Return the address that a server prints; raises DemoError when it prints none in time."""
    deadline = time.monotonic() + seconds
    while True:
        status = process.wait(_POLL_SECONDS)
        if match := _ADDRESS.search(process.output()):
            return match[1]
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
