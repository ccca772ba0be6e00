"""One run from its beginning to its end: its steps, timed, shown and logged, and the clean-up however it ends."""

import platform
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from esdh_core import DEFAULT_DATASET
from rich.console import Console
from rich.text import Text

from esdh_demo.config import Config, Profile, read_config
from esdh_demo.errors import DemoError, explain
from esdh_demo.event_log import EventLog
from esdh_demo.paths import Paths
from esdh_demo.processes import Commands, Processes
from esdh_demo.runs import OpenRun, RunStore, StepRecord

__all__ = ["Run", "Session", "open_run"]

_KILLED_SECONDS = 5  # that a process which was killed may take to be gone, on a busy machine


@dataclass
class Session:
    """What the runs of a command share: the paths, the commands to drive and the console; `run` is the latest run.

    `pause` is called before each step with the step's title; it may raise KeyboardInterrupt.
    """

    paths: Paths
    commands: Commands
    console: Console
    pause: Callable[[str], None] | None = None
    run: "Run | None" = None

    @cached_property
    def config(self) -> Config:
        """The configuration, read when it is first needed; raises DemoError."""
        return read_config(self.paths)


@dataclass
class Run(OpenRun):
    """One run of a session.

    `artifacts` is the folder that is kept of the run, once it has ended.
    """

    session: Session
    profile: Profile | None
    processes: Processes
    log: EventLog
    started: float = field(default_factory=time.monotonic)
    artifacts: Path | None = None

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[StepRecord]:
        """Show, time and log one step; the block sets what it found, and its counts."""
        session, console = self.session, self.session.console
        if session.pause is not None:
            session.pause(title)
        self.log.write("info", "step.started", step=name, status="started")
        line = f"{name:<10} {title}"
        # A terminal shows a step while it lasts as a line that goes away.
        transient = console.is_terminal and not console.is_dumb_terminal
        if not transient:
            console.print(f"  {line} ...")
        started, step = time.monotonic(), StepRecord(name)
        try:
            with console.status(line) if transient else nullcontext():
                yield step
        except BaseException as error:
            step.status = _failed_status(error)
            step.found = explain(error, session.paths.display).what
            raise
        finally:
            step.seconds = _seconds_since(started)
            self.record.steps.append(step)
            passed = step.status == "passed"
            result: dict[str, Any] = {"status": step.status, "duration_s": step.seconds}
            result |= {"seed": self.record.seed, "counts": step.counts, "found": step.found}
            with nullcontext() if passed else suppress(OSError):  # nothing may hide why a step failed
                self.log.write("info" if passed else "error", "step.finished", step=name, **result)
            outcome = ("ok", "green") if passed else (step.status.upper(), "bold red")
            found = f" {step.seconds:5.1f} s  {step.found if passed else ''}".rstrip()
            console.print(Text.assemble(f"  {name:<10} ", outcome, found))

    def log_paths(self, folder: Path | None) -> dict[str, str]:
        """Return the `paths` of a line of the log, for the folder of a run."""
        return {"folder": self.session.paths.display(folder)} if folder else {}


@contextmanager
def open_run(session: Session, label: str, profile: Profile | None = None) -> Iterator[Run]:
    """Open a run, and end it: stop whatever it started, name its folder for how it ended, and log its end.

    With a profile the folder is kept; without one (a validation, the smoke tests) only when it failed.
    Raises DemoError and OSError for what an operator can understand (`explain` does it for the second), and
    KeyboardInterrupt after Ctrl-C or a signal that asks the run to end; other errors are bugs.
    """
    paths, config = session.paths, session.config
    grace, seconds = config.server.stop_seconds, config.runs.step_seconds
    store = RunStore(paths, keep=config.runs.keep, stop_seconds=grace)
    with _handled_signals(signal.default_int_handler):
        opened = store.begin(label)
        run_id = opened.record.run_id
        processes = Processes(run_id, paths.runs, opened.folder, seconds=seconds, grace=grace)
        log = EventLog(paths.log, run_id)
        run = Run(**vars(opened), session=session, profile=profile, processes=processes, log=log)
        session.run = run
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
    record, profile = run.record, run.profile
    record.environment = {  # what the outcome may depend on; no host, user or path stands in it
        "esdh": version("esdh-demo"),
        "dataset version": DEFAULT_DATASET.dataset_version,
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
    }
    if profile:
        record.records, record.formats = profile.records, list(profile.formats)
    for swept in run.swept:
        run.session.console.print(f"  {swept}", style="yellow")
        run.log.write(
            "warning",
            "run.swept",
            status="cleaned",
            swept=swept.run_id,
            counts={"processes": len(swept.processes)},
            processes=list(map(str, swept.processes)),
            paths=run.log_paths(swept.folder),
        )
    run.log.write(
        "info",
        "run.started",
        status="started",
        seed=profile and profile.seed,
        counts={"records": profile.records} if profile else {},
        paths=run.log_paths(run.final if profile else None),
        environment=record.environment,
    )


def _complete(run: Run, store: RunStore) -> None:
    """End a run that has done all its steps."""
    if leftovers := run.processes.end_leftovers(wait=_KILLED_SECONDS):
        raise DemoError(
            f"{', '.join(map(str, leftovers))} was still alive when all steps were done, and has been ended",
            remedy="the data is good; report it, since a step should stop what it starts",
        )
    removed: list[Path] = []
    run.record.status, run.record.seconds = "complete", _seconds_since(run.started)
    if run.profile:
        removed = store.publish(run)
        run.artifacts = run.final
    else:
        shutil.rmtree(run.folder)
        run.release()
    names = [run.session.paths.display(path) for path in removed]
    _log_end(run, "info", {"removed": len(names)}, removed=names)


def _fail(run: Run, store: RunStore, error: BaseException) -> None:
    """End a run that stops early; nothing here may hide why it stops."""
    record, reason = run.record, explain(error, run.session.paths.display)
    record.status, record.seconds = _failed_status(error), _seconds_since(run.started)
    step = next((step.name for step in record.steps[-1:] if step.status != "passed"), None)
    record.failure = {"step": step, "what": reason.what, "remedy": reason.remedy}
    run.processes.end_leftovers()
    with suppress(OSError):
        if run.folder.exists():
            run.artifacts = store.fail(run)
    run.release()
    with suppress(OSError):
        _log_end(run, "error", {}, failure=record.failure)


def _failed_status(error: BaseException) -> Literal["failed", "interrupted"]:
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"


def _log_end(run: Run, level: Literal["info", "error"], counts: dict[str, int], **fields: Any) -> None:
    record = run.record
    result = {"status": record.status, "duration_s": record.seconds, "seed": record.seed}
    counts, paths = {"steps": len(record.steps)} | counts, run.log_paths(run.artifacts)
    run.log.write(level, "run.finished", **result, counts=counts, paths=paths, **fields)


@contextmanager
def _handled_signals(handler: Any) -> Iterator[None]:
    """Handle the signals that ask a program to end: raise, so that a run ends in order, or ignore them while it does."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _seconds_since(moment: float) -> float:
    return round(time.monotonic() - moment, 3)
