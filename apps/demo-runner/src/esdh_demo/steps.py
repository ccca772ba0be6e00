"""One run from its beginning to its end: its steps, timed, told, logged, and cleaned up after however it ends."""

import errno
import platform
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

from esdh_core import DATASET_VERSION
from rich.console import Console
from structlog.typing import FilteringBoundLogger

from esdh_demo.config import Config, Profile
from esdh_demo.errors import DemoError
from esdh_demo.journal import Journal
from esdh_demo.places import Places
from esdh_demo.processes import Commands, Processes
from esdh_demo.runs import Archive, Failure, OpenRun, RunRecord, StepRecord, Swept

__all__ = ["InterruptedRun", "Run", "Step", "described", "run_of"]

_MOMENT = 5  # seconds that a process which was killed may take to be gone, on a busy machine
_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


class InterruptedRun(KeyboardInterrupt):
    """Ctrl-C, or a signal that asks the run to end."""


@dataclass
class Step:
    """What a step has to say when it is over: one line, and counts."""

    found: str = ""
    counts: dict[str, int] = field(default_factory=dict)


@dataclass
class Run:
    """One run: what it knows of itself, and how its steps are told.

    `pause` is asked before each step with the step's title; it may raise InterruptedRun.
    """

    places: Places
    config: Config
    commands: Commands
    console: Console
    opened: OpenRun
    log: FilteringBoundLogger
    label: str
    profile: Profile | None
    pause: Callable[[str], None] | None
    began: float = field(default_factory=time.monotonic)
    seed: int | None = None
    randomized: bool = False
    steps: list[StepRecord] = field(default_factory=list)
    kept: Path | None = None

    @property
    def run_id(self) -> str:
        """The run's id, which is its folder's name."""
        return self.opened.run_id

    @property
    def folder(self) -> Path:
        """The run's folder while it is made."""
        return self.opened.making

    @property
    def processes(self) -> Processes:
        """What starts the run's commands."""
        return Processes(self.run_id, self.places.runs, self.folder / "logs", self.config.server.stop_seconds)

    def command(
        self, name: str, command: tuple[str, ...], *, ok: tuple[int, ...] = (0,), cwd: Path | None = None
    ) -> bytes:
        """Run a command in the run's folder, unless told, and return what it printed.

        Raises DemoError when it fails or takes too long.
        """
        return self.processes.run(
            name, command, cwd=cwd or self.folder, seconds=self.config.runs.step_seconds, ok=ok
        )

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[Step]:
        """Tell, time and log one step."""
        if self.pause is not None:
            self.pause(title)
        self.log.info("step.started", step=name, status="started")
        started = time.monotonic()
        step = Step()
        try:
            with self._under_way(f"{name:<10} {title}"):
                yield step
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            seconds = time.monotonic() - started
            found = "interrupted" if interrupted else described(error).what
            status: Any = "interrupted" if interrupted else "failed"
            self.steps.append(
                StepRecord(name=name, status=status, seconds=_rounded(seconds), found=found, counts={})
            )
            with suppress(OSError):
                self._finished(self.steps[-1])
            self.console.print(f"  {name:<10} [bold red]{status.upper()}[/] after {seconds:.1f} s")
            raise
        seconds = time.monotonic() - started
        self.steps.append(
            StepRecord(
                name=name, status="passed", seconds=_rounded(seconds), found=step.found, counts=step.counts
            )
        )
        self._finished(self.steps[-1])
        self.console.print(f"  {name:<10} [green]ok[/] {seconds:5.1f} s  ", end="")
        self.console.print(step.found, markup=False)

    @contextmanager
    def _under_way(self, told: str) -> Iterator[None]:
        """Show a step while it lasts: as a line that goes away on a terminal, else as one that stays."""
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            with self.console.status(told):
                yield
        else:
            self.console.print(f"  {told} ...", markup=False)
            yield

    def _finished(self, step: StepRecord) -> None:
        told = {"duration_s": step.seconds, "seed": self.seed, "counts": step.counts, "found": step.found}
        log = self.log.info if step.status == "passed" else self.log.error
        log("step.finished", step=step.name, status=step.status, **told)

    def record(self, status: Any, failure: Failure | None = None) -> RunRecord:
        """Return what the run says of itself."""
        return RunRecord(
            run_id=self.run_id,
            status=status,
            profile=self.label,
            records=self.profile.records if self.profile else None,
            seed=self.seed,
            randomized=self.randomized,
            formats=list(self.profile.formats) if self.profile else [],
            started_at=self.opened.began.isoformat(timespec="seconds").replace("+00:00", "Z"),
            seconds=_rounded(time.monotonic() - self.began),
            steps=self.steps,
            failure=failure,
            environment=environment(),
        )


@contextmanager
def run_of(
    places: Places,
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
    archive = Archive(places, keep=config.runs.keep, stop_seconds=config.server.stop_seconds)
    with _signals_raise(), _told_plainly(places):
        opened = archive.begin(label)
        run = Run(
            places=places,
            config=config,
            commands=commands,
            console=console,
            opened=opened,
            log=Journal(places.journal).bind(run_id=opened.run_id),
            label=label,
            profile=profile,
            pause=pause,
        )
        try:
            for swept in opened.swept:
                _tell_swept(run, swept)
            run.log.info(
                "run.started",
                status="started",
                seed=profile.seed if profile else None,
                counts={"records": profile.records} if profile else {},
                paths={"folder": places.shown(opened.final)} if profile else {},
                environment=environment(),
            )
            yield run
            _close(run)
        except BaseException as error:
            with _signals_wait():
                _fail(run, error)
            raise


def _tell_swept(run: Run, swept: Swept) -> None:
    run.console.print(f"  {swept}", style="yellow", markup=False)
    run.log.warning(
        "run.swept",
        status="cleaned",
        swept=swept.run_id,
        counts={"processes": len(swept.processes)},
        processes=list(swept.processes),
        paths={"folder": run.places.shown(swept.folder)} if swept.folder else {},
    )


def _close(run: Run) -> None:
    """End a run that has done all its steps."""
    with _signals_wait():
        left = run.processes.end_leftovers(wait=_MOMENT)
        if left:
            names = ", ".join(map(str, left))
            raise DemoError(
                f"{names} was still alive when all steps were done, and has been ended",
                remedy="the data is good; report it, since a step should stop what it starts",
            )
        gone: list[Path] = []
        if run.profile is None:
            run.opened.discard()
        else:
            gone = run.opened.publish(run.record("complete"))
            run.kept = run.opened.final
        run.log.info(
            "run.finished",
            status="complete",
            duration_s=_rounded(time.monotonic() - run.began),
            seed=run.seed,
            counts={"steps": len(run.steps), "removed": len(gone)},
            paths={"folder": run.places.shown(run.kept)} if run.kept else {},
            removed=[run.places.shown(path) for path in gone],
        )


def _fail(run: Run, error: BaseException) -> None:
    """End a run that stops before its end; nothing here may hide why it stops."""
    interrupted = isinstance(error, KeyboardInterrupt)
    told = described(error)
    step = run.steps[-1].name if run.steps and run.steps[-1].status != "passed" else None
    failure = Failure(
        step=step, what="interrupted" if interrupted else told.what, remedy="" if interrupted else told.remedy
    )
    status = "interrupted" if interrupted else "failed"
    run.processes.end_leftovers()
    if run.folder.exists():
        with suppress(OSError):
            run.kept = run.opened.fail(run.record(status, failure))
    run.opened.close()
    with suppress(OSError):
        run.log.error(
            "run.finished",
            status=status,
            duration_s=_rounded(time.monotonic() - run.began),
            seed=run.seed,
            counts={"steps": len(run.steps)},
            paths={"folder": run.places.shown(run.kept)} if run.kept else {},
            failure={"step": step, "what": failure.what, "remedy": failure.remedy},
        )


def described(error: BaseException) -> DemoError:
    """Return an error as an operator can understand it; one that nobody foresaw is named by its type."""
    if isinstance(error, DemoError):
        return error
    if not isinstance(error, OSError):
        return DemoError(f"{type(error).__name__}: {error}", remedy="this is a bug of the demo; report it")
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in _FULL:
        return DemoError(
            f"the disk is full{where}", remedy="free some space, or name another folder with --runs"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return DemoError(
            f"{error.strerror}{where}", remedy="mend the permissions, or name another folder with --runs"
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return DemoError(
            f"a file stands where a folder must be{where}",
            remedy="move it away, or name another folder with --runs",
        )
    return DemoError(f"{error.strerror or error}{where}", remedy="see `just doctor`")


@contextmanager
def _told_plainly(places: Places) -> Iterator[None]:
    """Turn the system's errors into DemoError, with their paths as the operator knows them."""
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, str):
            error.filename = places.shown(Path(error.filename))
        raise described(error) from error


def _stop(number: int, _: FrameType | None) -> None:
    raise InterruptedRun(signal.Signals(number).name)


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Make the signals that ask a program to end raise InterruptedRun, so that a run ends in order."""
    with _handled(_stop):
        yield


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Hold signals off while a run is ended, which takes seconds at most."""
    with _handled(signal.SIG_IGN):
        yield


@contextmanager
def _handled(handler: Any) -> Iterator[None]:
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def environment() -> dict[str, str]:
    """Return what a run's outcome may depend on; no host, user or path stands in it."""
    return {
        "esdh": version("esdh-demo"),
        "dataset version": DATASET_VERSION,
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
    }


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
