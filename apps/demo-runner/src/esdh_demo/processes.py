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

_MARK = (
    "ESDH_DEMO_RUN"  # the run that started a process, in its environment and in that of whatever it starts
)
_MARK_HOME = "ESDH_DEMO_RUNS"  # the folder of that run, so that two repositories leave each other alone
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
    """A process that a run has started."""

    process: psutil.Process
    run_id: str
    command: str

    def __str__(self) -> str:
        """Return what an operator recognises it by."""
        return f"{self.command} (process {self.process.pid})"


def marked_processes(home: Path, run_id: str | None = None) -> list[MarkedProcess]:
    """Return the living processes that runs in a folder have started, of one run or of all.

    Only processes whose environment this user may read are seen; they are the ones that it has started.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has just ended, or is somebody else's
            environment = process.environ()
            owner = environment.get(_MARK) if environment.get(_MARK_HOME) == str(home) else None
            if owner is None or run_id not in (None, owner) or process.pid == os.getpid():
                continue
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(MarkedProcess(process, owner, _short(process.cmdline())))
    return found


def end_processes(marked: Sequence[MarkedProcess], *, seconds: float) -> None:
    """Tell processes to stop, and kill those that haven't after so many seconds."""
    processes = [each.process for each in marked]
    for stop in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                stop(process)
        _, processes = psutil.wait_procs(processes, timeout=seconds)


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
        """Return what the command wrote to stderr last, on one line, without the server's line for each request."""
        lines = self.stderr.read_text(encoding="utf-8", errors="replace").splitlines()
        return _one_line(" ".join(line for line in lines if '"event": "request"' not in line))


@dataclass(frozen=True)
class Processes:
    """Starts commands for one run.

    `home` is the folder of runs, `logs` the folder that takes their output, `grace` the seconds that one
    has to stop when it is told to.
    """

    run_id: str
    home: Path
    logs: Path
    grace: float

    @contextmanager
    def started(self, name: str, command: Sequence[str], *, cwd: Path) -> Iterator[ManagedProcess]:
        """Run a command until the block ends."""
        self.logs.mkdir(parents=True, exist_ok=True)
        stdout, stderr = self.logs / f"{name}.stdout", self.logs / f"{name}.stderr"
        # A key or a limit that the operator has set for another server would make every demo differ.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ESDH_")}
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = subprocess.Popen(  # noqa: S603 - the product's own commands, no shell
                [sys.executable, "-I", "-S", supervisor.__file__, str(self.grace), *command],
                cwd=cwd,
                env=environment | {_MARK: self.run_id, _MARK_HOME: str(self.home)},
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
        self, name: str, command: Sequence[str], *, cwd: Path, seconds: float, ok: Sequence[int] = (0,)
    ) -> bytes:
        """Run a command to its end and return what it printed.

        Raises DemoError, with the end of its stderr, when its exit status is not in `ok`, and when it takes
        longer than `seconds`.
        """
        with self.started(name, command, cwd=cwd) as managed:
            status = managed.wait(seconds)
        if status is None:
            raise DemoError(
                f"{name} was not done after {seconds:g} seconds and was stopped",
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
        """End what of this run is still alive after `wait` seconds, and return what that was.

        What its supervisor has just killed takes the system a moment to clear away.
        """
        there = marked_processes(self.home, self.run_id)
        _, alive = psutil.wait_procs([each.process for each in there], timeout=wait)
        left = [each for each in there if each.process in alive]
        end_processes(left, seconds=self.grace)
        return left


def _one_line(text: str) -> str:
    return " ".join(text.split())[-_TAIL_CHARACTERS:]


def _short(command: Sequence[str]) -> str:
    """Return a command line without its interpreter, short."""
    words = [word for word in command[1:] if not word.startswith("-")] or list(command[:1])
    if Path(words[0]).name == Path(supervisor.__file__).name:
        return "the supervisor of " + _short(command[command.index(words[0]) + 2 :])
    return " ".join(Path(word).name for word in words[:3]) or "a process"
