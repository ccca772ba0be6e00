"""The processes of a run: started through a keeper, marked in their environment, and none left behind."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from esdh_demo import keeper
from esdh_demo.errors import DemoError

__all__ = ["MARK", "MARK_HOME", "Commands", "Kept", "Marked", "Processes", "end", "marked"]

MARK = "ESDH_DEMO_RUN"  # the run that started a process, in its environment and in that of whatever it starts
MARK_HOME = "ESDH_DEMO_RUNS"  # the folder of that run, so that two repositories leave each other alone
_LAST_WORDS = 600  # characters of what a command wrote last; enough for its sentence


@dataclass(frozen=True)
class Commands:
    """The commands that a run drives, as a user has them; a test puts others in their place."""

    # -P: a file in the current folder must not stand in for a module of ours.
    esdh: tuple[str, ...] = (sys.executable, "-P", "-m", "esdh_cli")
    serve: tuple[str, ...] = (sys.executable, "-P", "-m", "esdh_cli", "serve")
    pytest: tuple[str, ...] = (sys.executable, "-m", "pytest")


@dataclass(frozen=True)
class Marked:
    """A process that a run has started."""

    process: psutil.Process
    run_id: str
    command: str

    def __str__(self) -> str:
        """Return what an operator recognises it by."""
        return f"{self.command} (process {self.process.pid})"


def marked(home: Path, run_id: str | None = None) -> list[Marked]:
    """Return the living processes that runs in a folder have started, of one run or of all.

    Only processes whose environment this user may read are seen; they are the ones that it has started.
    """
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if environment.get(MARK_HOME) != str(home) or MARK not in environment:
                continue
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if run_id in (None, environment[MARK]):
                found.append(Marked(process, environment[MARK], _told(process.cmdline())))
        except (psutil.Error, OSError):  # it has just ended, or is somebody else's
            continue
    return found


def end(processes: Sequence[Marked], *, seconds: float) -> None:
    """Tell processes to stop, and kill those that haven't after so many seconds."""
    for stop in (psutil.Process.terminate, psutil.Process.kill):
        for each in processes:
            try:
                stop(each.process)
            except psutil.NoSuchProcess:
                continue
        if not psutil.wait_procs([each.process for each in processes], timeout=seconds)[1]:
            return


class Kept:
    """A command that runs under a keeper."""

    def __init__(self, name: str, process: "subprocess.Popen[str]", errors: Path, grace: float) -> None:
        self.name = name
        self.process = process
        self._errors = errors
        self._grace = grace
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def listen(self, output: IO[str]) -> None:
        """Read the command's output from now on, line by line, as it comes."""

        def read() -> None:
            with output:
                for line in output:
                    self._lines.put(line)
            self._lines.put(None)

        threading.Thread(target=read, daemon=True).start()

    def line(self, seconds: float) -> str | None:
        """Return the next line of output, None at its end; raises TimeoutError after so many seconds."""
        try:
            return self._lines.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            raise TimeoutError from None

    def wait(self, seconds: float) -> int:
        """Return the exit status; raises TimeoutError after so many seconds."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None

    def stop(self) -> int:
        """Tell the command to stop, wait until it has, and return its exit status."""
        assert self.process.stdin is not None  # noqa: S101 - `started` gave it a pipe
        self.process.stdin.close()
        try:
            # The keeper kills after its grace; a keeper that doesn't is killed in its turn.
            return self.process.wait(self._grace + 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def last_words(self) -> str:
        """Return what the command wrote to stderr last, on one line, without the server's line for each request."""
        try:
            lines = self._errors.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        said = " ".join(line for line in lines if '"event": "request"' not in line)
        return " ".join(said.split())[-_LAST_WORDS:]


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

    def environment(self, extra: Mapping[str, str] = {}) -> dict[str, str]:
        """Return the environment of what is started: ours, with the mark, without the operator's settings.

        A key or a limit that is set for another server would make every demo differ.
        """
        own = {name: value for name, value in os.environ.items() if not name.startswith("ESDH_")}
        return own | {MARK: self.run_id, MARK_HOME: str(self.home)} | dict(extra)

    @contextmanager
    def started(self, name: str, command: Sequence[str], *, cwd: Path, piped: bool = False) -> Iterator[Kept]:
        """Run a command until the block ends; its output goes to `Kept.line` when `piped`, else to a file."""
        self.logs.mkdir(parents=True, exist_ok=True)
        errors = self.logs / f"{name}.stderr"
        out: IO[bytes] | int = subprocess.PIPE
        with ExitStack() as files:
            err = files.enter_context(errors.open("wb"))
            if not piped:
                out = files.enter_context((self.logs / f"{name}.stdout").open("wb"))
            process = subprocess.Popen(  # noqa: S603 - the product's own commands, no shell
                [sys.executable, "-I", "-S", keeper.__file__, str(self.grace), *command],
                cwd=cwd,
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                text=True,
                encoding="utf-8",
                errors="replace",
                # A Ctrl-C at the terminal is the run's to handle, which then closes the pipe.
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
            kept = Kept(name, process, errors, self.grace)
            try:
                if process.stdout is not None:
                    kept.listen(process.stdout)
                yield kept
            finally:
                kept.stop()

    def run(
        self, name: str, command: Sequence[str], *, cwd: Path, seconds: float, ok: Sequence[int] = (0,)
    ) -> bytes:
        """Run a command to its end and return what it printed.

        Raises DemoError, with its own last words, when its exit status is not in `ok`, and when it takes
        longer than `seconds`.
        """
        with self.started(name, command, cwd=cwd) as kept:
            try:
                status = kept.wait(seconds)
            except TimeoutError:
                raise DemoError(
                    f"{name} was not done after {seconds:g} seconds and was stopped",
                    remedy="look for what holds it up, or raise runs.step_seconds in config/demo.yaml",
                ) from None
        output = (self.logs / f"{name}.stdout").read_bytes()
        if status not in ok:
            words = kept.last_words() or " ".join(output.decode("utf-8", "replace").split())[-_LAST_WORDS:]
            raise DemoError(
                f"{name} ended with status {status} and said: {words or 'nothing'}",
                remedy="its whole output is among the artifacts, in logs/",
            )
        return output

    def end_leftovers(self, *, wait: float = 0) -> list[Marked]:
        """End what of this run is still alive after `wait` seconds, and return what that was.

        What its keeper has just killed takes the system a moment to clear away.
        """
        there = marked(self.home, self.run_id)
        _, alive = psutil.wait_procs([each.process for each in there], timeout=wait)
        left = [each for each in there if each.process in alive]
        end(left, seconds=self.grace)
        return left


def _told(command: Sequence[str]) -> str:
    """Return a command line without its interpreter, short."""
    words = [word for word in command[1:] if not word.startswith("-")] or list(command[:1])
    if Path(words[0]).name == Path(keeper.__file__).name:
        return "the keeper of " + _told(command[command.index(words[0]) + 2 :])
    return " ".join(Path(word).name for word in words[:3]) or "a process"
