"""How things are measured: in turn with what they are compared to, on one core, with the memory of all processes."""

import ctypes
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

__all__ = [
    "Clocked",
    "Command",
    "Others",
    "Peak",
    "disk_rate",
    "emptied",
    "in_turn",
    "median_ratio",
    "output_of",
    "peak_memory",
    "pinned",
    "ratios",
    "run",
    "seconds",
]

Action = Callable[[], object]
Command = Sequence[str | Path]
POLL_SECONDS = 0.02
DISK_BYTES = 1 << 30


@contextmanager
def pinned() -> Iterator[None]:
    """Keep this thread, and the processes that it starts, on one core until the block ends."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(*commands: Command) -> None:
    """Run commands side by side to their end; one that fails is an error that quotes what it said.

    Their Python caches byte code, as it does for a user, and knows no setting of ours.
    """
    _adopt_orphans()
    before = set(_children())
    started = [_started(command) for command in commands]
    for process in started:
        _finished(process)
    # What a pool's processes took is known to us, and counted as ours, once the one that started them has been waited for.
    for pid in set(_children()) - before:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


@cache
def _adopt_orphans() -> None:
    """Have the system give us the processes whose parents, started by us, end before them: Python's fork server."""
    set_child_subreaper = 36  # linux/prctl.h; Python has no name for it
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def _children() -> Iterator[int]:
    for task in Path("/proc/self/task").glob("*/children"):
        yield from map(int, task.read_text().split())


def output_of(command: Command) -> str:
    """Run a command as `run` does and return what it printed."""
    process = _started(command, stdout=subprocess.PIPE)
    return _finished(process)


def _started(command: Command, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("ESDH_")
    }
    return subprocess.Popen(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True)


def _finished(process: subprocess.Popen[str]) -> str:
    printed, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with status {process.returncode}: {said.strip()}")
    return printed or ""


def seconds(action: Action) -> float:
    """Return what an action takes on the clock."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


class Clocked:
    """An action that notes the processor seconds of each of its runs, its processes' included."""

    def __init__(self, action: Action) -> None:
        self._action = action
        self._taken: list[float] = []

    def __call__(self) -> None:
        """Run the action."""
        before = sum(os.times()[:4])
        self._action()
        self._taken.append(sum(os.times()[:4]) - before)

    def text(self) -> str:
        """Return the least of the runs."""
        return f"{min(self._taken):.2f} s of the processor"


def in_turn(
    benchmark: BenchmarkFixture,
    ours: Action,
    *others: Action,
    rounds: int,
    warmups: int = 0,
    before: Action = lambda: None,
) -> list[list[float]]:
    """Time the others, then ours, then the others again; return the seconds of each by round, ours first.

    `before` is called before every run and isn't timed. Warm-ups are whole rounds that don't count.
    """
    times: list[list[float]] = [[] for _ in others]

    def round_of_others() -> None:
        for action, taken in zip(others, times, strict=True):
            before()
            taken.append(seconds(action))
        before()

    benchmark.pedantic(  # type: ignore[no-untyped-call]  # pytest-benchmark types its fixture only in part
        ours, setup=round_of_others, rounds=rounds, warmup_rounds=warmups
    )
    assert benchmark.stats is not None, "run without --benchmark-disable"
    return [list(benchmark.stats.stats.data), *(taken[warmups:] for taken in times)]


def ratios(ours: Sequence[float], theirs: Sequence[float], scale: float = 1.0) -> list[float]:
    """Return the ratio of each round, times a scale."""
    return [scale * our / their for our, their in zip(ours, theirs, strict=True)]


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of rounds: what stands a slow moment of the machine best."""
    return statistics.median(ratios(ours, theirs))


class Others:
    """The processor time that processes of others take, from now on."""

    def __init__(self, stat: Path = Path("/proc/stat")) -> None:
        self._stat = stat
        self._began = time.monotonic()
        self._taken = self._seconds()

    def share(self) -> float:
        """Return the part of all cores' time that others took so far, from 0 to 1.

        What a machine's host took from it counts too, and what a process of ours takes until it has ended.
        """
        elapsed = max(time.monotonic() - self._began, 1e-9) * (os.cpu_count() or 1)
        return min(max((self._seconds() - self._taken) / elapsed, 0.0), 1.0)

    def _seconds(self) -> float:
        """Return the processor seconds of all processes but this one and those of its children that have ended."""
        _, user, nice, system, _, _, irq, soft, stolen, *_ = self._stat.read_text().split("\n")[0].split()
        busy = sum(map(int, (user, nice, system, irq, soft, stolen))) / os.sysconf("SC_CLK_TCK")
        return busy - sum(os.times()[:4])


def emptied(folder: Path) -> Action:
    """Return what empties a folder and lets the disk come to rest: what goes before every run that writes."""

    def empty() -> None:
        shutil.rmtree(folder)
        folder.mkdir()
        os.sync()

    return empty


def disk_rate(folder: Path) -> float:
    """Return the bytes a second that the disk below a folder takes, written and synced by one process."""
    data = os.urandom(DISK_BYTES >> 6)
    path = folder / "disk"

    def write() -> None:
        with path.open("wb") as file:
            for _ in range(1 << 6):
                file.write(data)
            file.flush()
            os.fsync(file.fileno())

    taken = seconds(write)
    path.unlink()
    return DISK_BYTES / taken


@dataclass(frozen=True)
class Peak:
    """The most memory that a command took, in bytes.

    `tree` is the sum over its processes at one moment, shared pages counted once; `process` is the resident
    high-water mark of the largest process, which counts all that it shares as its own.
    """

    tree: int
    process: int


def peak_memory(command: Command) -> Peak:
    """Run a command to its end and return its peak of memory, looked at every 20 ms."""
    tree = process = 0
    running = _started(command)
    while running.poll() is None:
        family = list(_family(running.pid))
        tree = max(tree, sum(_memory(pid, "smaps_rollup", "Pss:") for pid in family))
        process = max(process, *(_memory(pid, "status", "VmHWM:") for pid in family))
        time.sleep(POLL_SECONDS)
    _finished(running)
    return Peak(tree, process)


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all that descend from it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text()
        except OSError:  # the process has ended
            continue
        for child in children.split():
            yield from _family(int(child))


def _memory(pid: int, page: str, name: str) -> int:
    """Return a figure of a process's page in /proc, in bytes; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/{page}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
