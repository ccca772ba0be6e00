"""One run from its beginning to its end: its steps, timed, told, logged, and cleaned up after however it ends."""

import platform
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from esdh_core import DEFAULT_DATASET
from rich.console import Console

from esdh_demo.config import Config, Profile
from esdh_demo.errors import DemoError, explain
from esdh_demo.event_log import EventLog
from esdh_demo.paths import Paths
from esdh_demo.processes import Commands, Processes
from esdh_demo.runs import OpenRun, RunRecord, RunStore, StepRecord

__all__ = ["InterruptedRun", "Run", "describe_environment", "open_run"]

_KILLED_SECONDS = 5  # that a process which was killed may take to be gone, on a busy machine


class InterruptedRun(KeyboardInterrupt):
    """Ctrl-C, or a signal that asks the run to end."""


@dataclass
class Run:
    """One run: what it knows of itself, and how its steps are told.

    `pause` is asked before each step with the step's title; it may raise InterruptedRun. `artifacts` is the folder that
    is kept of the run, once it has ended.
    """

    paths: Paths
    config: Config
    commands: Commands
    console: Console
    opened: OpenRun
    log: EventLog
    profile: Profile | None
    pause: Callable[[str], None] | None
    started: float = field(default_factory=time.monotonic)
    artifacts: Path | None = None

    @property
    def record(self) -> RunRecord:
        """What the run says of itself."""
        return self.opened.record

    @property
    def folder(self) -> Path:
        """The run's folder while it is made."""
        return self.opened.making

    @property
    def processes(self) -> Processes:
        """What starts the run's commands."""
        return Processes(
            self.record.run_id, self.paths.runs, self.folder / "logs", self.config.server.stop_seconds
        )

    def command(
        self, name: str, command: tuple[str, ...], *, ok: Sequence[int] = (0,), cwd: Path | None = None
    ) -> bytes:
        """Run a command in the run's folder, unless told, and return what it printed.

        Raises DemoError when it fails or takes too long.
        """
        seconds = self.config.runs.step_seconds
        return self.processes.run(name, command, cwd=cwd or self.folder, seconds=seconds, ok=ok)

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[StepRecord]:
        """Tell, time and log one step; the block says what it found, and its counts."""
        if self.pause is not None:
            self.pause(title)
        self.log.write("info", "step.started", step=name, status="started")
        line = f"{name:<10} {title}"
        # A terminal shows a step while it lasts as a line that goes away.
        brief = self.console.is_terminal and not self.console.is_dumb_terminal
        if not brief:
            self.console.print(f"  {line} ...", markup=False)
        started, step = time.monotonic(), StepRecord(name)
        try:
            with self.console.status(line) if brief else nullcontext():
                yield step
        except BaseException as error:
            step.status = step.found = "interrupted"
            if not isinstance(error, KeyboardInterrupt):
                step.status, step.found = "failed", explain(error, self.paths.display).what
            step.seconds = _seconds_since(started)
            self.console.print(f"  {name:<10} [bold red]{step.status.upper()}[/] after {step.seconds:.1f} s")
            with suppress(OSError):
                self._end_step("error", step)
            raise
        step.status, step.seconds = "passed", _seconds_since(started)
        self._end_step("info", step)
        self.console.print(f"  {name:<10} [green]ok[/] {step.seconds:5.1f} s  ", end="")
        self.console.print(step.found, markup=False)

    def _end_step(self, level: Literal["info", "error"], step: StepRecord) -> None:
        self.record.steps.append(step)
        ended = {"status": step.status, "duration_s": step.seconds, "seed": self.record.seed}
        self.log.write(level, "step.finished", step=step.name, **ended, counts=step.counts, found=step.found)

    def log_end(self, level: Literal["info", "error"], counts: dict[str, int], **fields: Any) -> None:
        """Log how the run ended."""
        ended = {"status": self.record.status, "duration_s": self.record.seconds, "seed": self.record.seed}
        counts = {"steps": len(self.record.steps)} | counts
        paths = self.folder_paths(self.artifacts)
        self.log.write(level, "run.finished", **ended, counts=counts, paths=paths, **fields)

    def folder_paths(self, folder: Path | None) -> dict[str, str]:
        """Return a folder as a line of the log has it."""
        return {"folder": self.paths.display(folder)} if folder else {}


@contextmanager
def open_run(
    paths: Paths,
    config: Config,
    label: str,
    *,
    commands: Commands,
    console: Console,
    profile: Profile | None = None,
    pause: Callable[[str], None] | None = None,
) -> Iterator[Run]:
    """Open a run, and end it: whatever it started is stopped, its folder named for how it ended, its end logged.

    With a profile the folder is kept; without one (a validation, the smoke tests) only when it failed.
    Raises DemoError for what an operator can understand, and InterruptedRun; other errors are bugs.
    """
    store = RunStore(paths, keep=config.runs.keep, stop_seconds=config.server.stop_seconds)
    with _handled_signals(_interrupt), _explained_errors(paths):
        opened = store.begin(label)
        log = EventLog(paths.log, opened.record.run_id)
        run = Run(paths, config, commands, console, opened, log, profile, pause)
        run.record.environment = describe_environment()
        if profile:
            run.record.records, run.record.formats = profile.records, list(profile.formats)
        try:
            _log_start(run)
            yield run
            with _handled_signals(signal.SIG_IGN):
                _complete(run, store)
        except BaseException as error:
            with _handled_signals(signal.SIG_IGN):
                _fail(run, store, error)
            raise


def _log_start(run: Run) -> None:
    for swept in run.opened.swept:
        run.console.print(f"  {swept}", style="yellow", markup=False)
        run.log.write(
            "warning",
            "run.swept",
            status="cleaned",
            swept=swept.run_id,
            counts={"processes": len(swept.processes)},
            processes=swept.processes,
            paths=run.folder_paths(swept.folder),
        )
    run.log.write(
        "info",
        "run.started",
        status="started",
        seed=run.profile.seed if run.profile else None,
        counts={"records": run.profile.records} if run.profile else {},
        paths=run.folder_paths(run.opened.final if run.profile else None),
        environment=run.record.environment,
    )


def _complete(run: Run, store: RunStore) -> None:
    """End a run that has done all its steps."""
    if left := run.processes.end_leftovers(wait=_KILLED_SECONDS):
        raise DemoError(
            f"{', '.join(map(str, left))} was still alive when all steps were done, and has been ended",
            remedy="the data is good; report it, since a step should stop what it starts",
        )
    removed: list[Path] = []
    run.record.status, run.record.seconds = "complete", _seconds_since(run.started)
    if run.profile:
        removed = store.publish(run.opened)
        run.artifacts = run.opened.final
    else:
        shutil.rmtree(run.folder)
        run.opened.release()
    run.log_end("info", {"removed": len(removed)}, removed=[run.paths.display(path) for path in removed])


def _fail(run: Run, store: RunStore, error: BaseException) -> None:
    """End a run that stops before its end; nothing here may hide why it stops."""
    record, reason = run.record, explain(error, run.paths.display)
    record.status = "failed"
    if isinstance(error, KeyboardInterrupt):
        record.status, reason = "interrupted", DemoError("interrupted", remedy="")
    step = next((step.name for step in record.steps[-1:] if step.status != "passed"), None)
    record.failure = {"step": step, "what": reason.what, "remedy": reason.remedy}
    record.seconds = _seconds_since(run.started)
    run.processes.end_leftovers()
    with suppress(OSError):
        if run.folder.exists():
            run.artifacts = store.fail(run.opened)
    run.opened.release()
    with suppress(OSError):
        run.log_end("error", {}, failure=record.failure)


@contextmanager
def _explained_errors(paths: Paths) -> Iterator[None]:
    """Turn the system's errors into DemoError."""
    try:
        yield
    except OSError as error:
        raise explain(error, paths.display) from error


def _interrupt(number: int, _: FrameType | None) -> None:
    raise InterruptedRun(signal.Signals(number).name)


@contextmanager
def _handled_signals(handler: Any) -> Iterator[None]:
    """Handle the signals that ask a program to end: raised, so that a run ends in order, or held off while it does."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def describe_environment() -> dict[str, str]:
    """Return what a run's outcome may depend on; no host, user or path stands in it."""
    return {
        "esdh": version("esdh-demo"),
        "dataset version": DEFAULT_DATASET.dataset_version,
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
    }


def _seconds_since(moment: float) -> float:
    return round(time.monotonic() - moment, 3)
