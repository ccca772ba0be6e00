"""The processes of a run: started through a supervisor, marked in their environment, and none left behind."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from esdh_demo import supervisor
from esdh_demo.errors import DemoError

__all__ = ["Commands", "ManagedProcess", "MarkedProcess", "Processes", "end_processes", "marked_processes"]

# In the environment of each process that a run starts, and so of whatever that starts: the run, the folder of
# runs (two repositories leave each other alone), and the command's name.
_RUN, _HOME, _COMMAND = "ESDH_DEMO_RUN", "ESDH_DEMO_RUNS", "ESDH_DEMO_COMMAND"
_TAIL_CHARACTERS = 600  # of what a command wrote last; enough for its sentence


@dataclass(frozen=True)
class Commands:
    """The commands that a run drives, as a user has them; a test puts others in their place."""

    # -P: a file in the current folder must not stand in for a module of ours.
    esdh: tuple[str, ...] = (sys.executable, "-P", "-m", "esdh_cli")
    serve: tuple[str, ...] = (sys.executable, "-P", "-m", "esdh_cli", "serve")
    pytest: tuple[str, ...] = (sys.executable, "-m", "pytest")


@dataclass(frozen=True)
class MarkedProcess:
    """A process that a run has started, by itself or through one of its commands."""

    process: psutil.Process
    run_id: str
    command: str

    def __str__(self) -> str:
        """Return its command and process id."""
        return f"{self.command} (process {self.process.pid})"


def marked_processes(home: Path) -> list[MarkedProcess]:
    """Return the living processes that the runs of a folder have started.

    Only processes whose environment this user may read are seen; they are the ones that it has started.
    """
    marked = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has just ended, or is somebody else's
            environment = process.environ()
            if environment.get(_HOME) != str(home) or process.pid == os.getpid():
                continue
            if process.status() != psutil.STATUS_ZOMBIE:
                run_id, command = environment.get(_RUN, ""), environment.get(_COMMAND, process.name())
                marked.append(MarkedProcess(process, run_id, command))
    return marked


def end_processes(marked: Sequence[MarkedProcess], *, seconds: float, wait: float = 0) -> list[MarkedProcess]:
    """End the processes that are still alive after `wait` seconds, and return them.

    They are told to stop, and killed when they haven't after so many seconds.
    """
    _, alive = psutil.wait_procs([each.process for each in marked], timeout=wait)
    ended = [each for each in marked if each.process in alive]
    for stop in (psutil.Process.terminate, psutil.Process.kill):
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                stop(process)
        _, alive = psutil.wait_procs(alive, timeout=seconds)
    return ended


@dataclass(frozen=True)
class ManagedProcess:
    """A command that runs under a supervisor, with the files that take its output; it has `grace` seconds to stop."""

    name: str
    process: "subprocess.Popen[bytes]"
    stdout: Path
    stderr: Path
    grace: float

    def wait(self, seconds: float) -> int | None:
        """Return the exit status, None where there is none after so many seconds."""
        try:
            return self.process.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> int:
        """Tell the command to stop, wait until it has, and return its exit status."""
        assert self.process.stdin is not None  # noqa: S101 - `started` gave it a pipe
        self.process.stdin.close()
        # The supervisor kills after its grace; a supervisor that doesn't is killed in its turn.
        if self.wait(self.grace + 5) is None:
            self.process.kill()
        return self.process.wait()

    def output(self) -> str:
        """Return what the command has printed so far."""
        return self.stdout.read_text(encoding="utf-8", errors="replace")

    def stderr_tail(self) -> str:
        """Return the end of the command's stderr, on one line, without the server's line for each request."""
        lines = self.stderr.read_text(encoding="utf-8", errors="replace").splitlines()
        return _one_line(" ".join(line for line in lines if '"event": "request"' not in line))


@dataclass(frozen=True)
class Processes:
    """Starts the commands of one run.

    `home` is the folder of runs; `folder` is the run's own, where commands run unless told otherwise, with their
    output in `logs/`. A command may take `seconds`, and has `grace` seconds to stop when it is told to.
    """

    run_id: str
    home: Path
    folder: Path
    seconds: float
    grace: float

    @contextmanager
    def started(
        self, name: str, command: Sequence[str], *, cwd: Path | None = None
    ) -> Iterator[ManagedProcess]:
        """Run a command until the block ends."""
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        stdout, stderr = logs / f"{name}.stdout", logs / f"{name}.stderr"
        # A key or a limit that the operator has set for another server would make every demo differ.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ESDH_")}
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = subprocess.Popen(  # noqa: S603 - the product's own commands, no shell
                [sys.executable, "-I", "-S", supervisor.__file__, str(self.grace), *command],
                cwd=cwd or self.folder,
                env=environment | {_RUN: self.run_id, _HOME: str(self.home), _COMMAND: name},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                # A Ctrl-C at the terminal is the run's to handle, which then closes the pipe.
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        managed = ManagedProcess(name, process, stdout, stderr, self.grace)
        try:
            yield managed
        finally:
            managed.stop()

    def run(
        self, name: str, command: Sequence[str], *, cwd: Path | None = None, ok: Sequence[int] = (0,)
    ) -> bytes:
        """Run a command to its end and return what it printed.

        Raises DemoError, with the end of its stderr, when its exit status is not in `ok`, and when it takes
        too long.
        """
        with self.started(name, command, cwd=cwd) as managed:
            status = managed.wait(self.seconds)
        if status is None:
            raise DemoError(
                f"{name} was not done after {self.seconds:g} seconds and was stopped",
                remedy="look for what holds it up, or raise runs.step_seconds in config/demo.yaml",
            )
        if status not in ok:
            reason = managed.stderr_tail() or _one_line(managed.output()) or "nothing"
            raise DemoError(
                f"{name} ended with status {status} and said: {reason}",
                remedy="its whole output is among the artifacts, in logs/",
            )
        return managed.stdout.read_bytes()

    def end_leftovers(self, *, wait: float = 0) -> list[MarkedProcess]:
        """End what of this run is still alive after `wait` seconds, and return what that was."""
        marked = [each for each in marked_processes(self.home) if each.run_id == self.run_id]
        return end_processes(marked, seconds=self.grace, wait=wait)


def _one_line(text: str) -> str:
    return " ".join(text.split())[-_TAIL_CHARACTERS:]
