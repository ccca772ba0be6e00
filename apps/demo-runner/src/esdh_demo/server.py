"""The real server, `esdh serve`, for as long as a run needs it."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import msgspec
from esdh_core import DATASET_VERSION, DEFAULT_SEED

from esdh_demo.client import CallError, Client, NoAnswerError
from esdh_demo.errors import DemoError
from esdh_demo.processes import Kept
from esdh_demo.steps import Run

__all__ = ["Health", "RunningServer", "serving"]

_HOST = "127.0.0.1"
_ADDRESS = re.compile(r"Listening on (http://\S+)\s*")
_BETWEEN = 0.1  # seconds between two looks at a server that isn't healthy yet
_LEAST = 1.0  # seconds that a look has at least, so that the last one tells more than that time was up
_DYING = 5.0  # seconds until the keeper of a server that no longer answers has told how it ended


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
    kept: Kept
    start_seconds: float

    def health(self) -> tuple[Health, bytes]:
        """Return what the server says of itself, once it is well.

        Raises DemoError when it isn't in time, has died, or is another program.
        """
        deadline = time.monotonic() + self.start_seconds
        while True:
            try:
                body = self.client.get("/healthz", seconds=max(deadline - time.monotonic(), _LEAST))
                health = msgspec.json.decode(body, type=Health)
                break
            except (CallError, msgspec.DecodeError) as error:
                self.check_alive()
                if deadline - time.monotonic() <= _BETWEEN:
                    raise DemoError(
                        f"the server at {self.client.address} was not healthy within {self.start_seconds:g} "
                        f"seconds; last: {error}{self._words()}",
                        remedy=f"look at logs/{self.kept.name}.stderr among the artifacts, or raise server.start_seconds in "
                        "config/demo.yaml",
                    ) from error
            time.sleep(_BETWEEN)
        expected = ("ok", DATASET_VERSION, DEFAULT_SEED)
        if (health.status, health.dataset_version, health.default_seed) != expected:
            raise DemoError(
                f"the server says {body.decode('utf-8', 'replace')[:200]}, and not status ok, dataset version "
                f"{DATASET_VERSION} and default seed {DEFAULT_SEED}",
                remedy="another version of esdh-api is installed; run `uv sync`",
            )
        return health, body

    def check_alive(self, *, seconds: float = 0.5) -> None:
        """Raise DemoError, with its last words, when the server has died.

        Its connections fail a moment before its keeper has told how it ended: so many seconds are waited.
        """
        try:
            status = self.kept.wait(seconds)
        except TimeoutError:
            return
        raise DemoError(
            f"the server died with status {status}{self._words()}",
            remedy=f"look at logs/{self.kept.name}.stderr among the artifacts, and run this again",
        )

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Tell a call that failed as what it is: a server that has died, or an answer that it shouldn't give."""
        try:
            yield
        except CallError as error:
            if isinstance(error, NoAnswerError):
                self.check_alive(seconds=_DYING)
            raise DemoError(
                str(error), remedy=f"look at logs/{self.kept.name}.stderr among the artifacts"
            ) from error

    def stop(self) -> None:
        """Stop the server; raises DemoError unless it says that it ended well and its port is free."""
        status = self.kept.stop()
        if status != 0:
            raise DemoError(
                f"the server ended with status {status} when it was told to stop{self._words()}",
                remedy=f"look at logs/{self.kept.name}.stderr among the artifacts",
            )
        host, _, port = self.client.address.removeprefix("http://").rpartition(":")
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                raise DemoError(
                    f"port {port} still answers after the server has stopped", remedy="see `just doctor`"
                )

    def _words(self) -> str:
        words = self.kept.last_words()
        return f"; it said: {words}" if words else ""


@contextmanager
def serving(run: Run, *, name: str = "serve", port: int = 0) -> Iterator[RunningServer]:
    """Run the server until the block ends; `name` is what its output is kept as.

    A port other than 0 is tried first; where it can't be had a free one is taken.
    Raises DemoError when the server dies or doesn't tell its address in time.
    """
    seconds = run.config.server.start_seconds
    with ExitStack() as stack:
        kept = stack.enter_context(_started(run, name, port))
        try:
            address = _address(kept, seconds)
        except DemoError as error:
            if not port:
                raise
            kept.stop()
            run.console.print(f"  {error.what}; taking a free port instead", style="yellow", markup=False)
            run.log.warning("port.replaced", status="replaced", port=port, found=error.what)
            kept = stack.enter_context(_started(run, name, 0))
            address = _address(kept, seconds)
        yield RunningServer(Client(address), kept, seconds)


def _started(run: Run, name: str, port: int) -> AbstractContextManager[Kept]:
    command = (*run.commands.serve, "--host", _HOST, "--port", str(port))
    return run.processes.started(name, command, cwd=run.folder, piped=True)


def _address(kept: Kept, seconds: float) -> str:
    """Return the address that a server prints; raises DemoError when it prints none in time."""
    deadline = time.monotonic() + seconds
    try:
        while (line := kept.line(deadline - time.monotonic())) is not None:
            if match := _ADDRESS.fullmatch(line):
                return match[1]
        reason = f"the server died with status {kept.wait(seconds)} before it told its address"
    except TimeoutError:
        reason = f"the server didn't tell its address within {seconds:g} seconds"
    words = kept.last_words()
    raise DemoError(
        f"{reason}; it said: {words}" if words else reason,
        remedy=f"see `just doctor`, and logs/{kept.name}.stderr among the artifacts",
    )
