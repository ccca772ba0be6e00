"""The folders of runs: made under another name, named when complete, kept when failed, the oldest removed.

In `data/demo_runs`, beside the runs:

- `.<run id>.making/` is a run under way; `<run id>.failed/` is what a run that didn't end well has left.
- `.running/<run id>.lock` is locked by the run for as long as it lives: the system lets go of it however the run
  ends, so a lock that can be had is a run that is gone. `.running/<run id>.json` tells its process.
- `latest` leads to the newest complete run.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import psutil
from filelock import FileLock, Timeout

from esdh_demo.errors import DemoError
from esdh_demo.places import Places
from esdh_demo.processes import Marked, end, marked

__all__ = ["Archive", "Failure", "OpenRun", "RunRecord", "StepRecord", "Swept", "read_record"]

Status = Literal["complete", "failed", "interrupted"]
_RUN = re.compile(r"\d{8}T\d{6}\.\d{3}Z_[a-z0-9-]+", re.ASCII)
_MAKING = ".making"
_FAILED = ".failed"
_RECORD = "run.json"
_LOCK_SECONDS = 30  # housekeeping takes milliseconds, unless it ends what a killed run has left


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One step: how it ended, the seconds it took, what it found in one line, and its counts."""

    name: str
    status: Literal["passed", "failed", "interrupted"]
    seconds: float
    found: str
    counts: dict[str, int]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run ended before its end."""

    step: str | None
    what: str
    remedy: str


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a run says of itself, in its `run.json`."""

    run_id: str
    status: Status
    profile: str
    records: int | None
    seed: int | None
    randomized: bool
    formats: list[str]
    started_at: str
    seconds: float
    steps: list[StepRecord]
    failure: Failure | None
    environment: dict[str, str]


class _Running(msgspec.Struct, frozen=True):
    """The process of a run under way."""

    pid: int


@dataclass(frozen=True)
class Swept:
    """What was left of a run that is gone: its processes, now ended, and its folder, now named as failed."""

    run_id: str
    processes: tuple[str, ...]
    folder: Path | None

    def __str__(self) -> str:
        """Return it as a sentence."""
        did = []
        if self.processes:
            did.append(f"ended {', '.join(self.processes)}")
        if self.folder is not None:
            did.append(f"kept what it had made as {self.folder.name}")
        return f"run {self.run_id} was cut off; cleaned up: {'; '.join(did) or 'its lock'}"


class Archive:
    """The folder of runs."""

    def __init__(self, places: Places, *, keep: int = 5, stop_seconds: float = 10) -> None:
        self.places = places
        self.folder = places.runs
        self._keep = keep
        self._stop_seconds = stop_seconds
        self._state = self.folder / ".running"

    @contextmanager
    def _housekeeping(self) -> Iterator[None]:
        with FileLock(self.folder / ".lock", timeout=_LOCK_SECONDS):
            yield

    def prepare(self) -> None:
        """Make the folder; raises OSError when it can't be had or written to."""
        self._state.mkdir(parents=True, exist_ok=True)
        probe = self._state / f".probe-{os.getpid()}"
        probe.write_bytes(b"a line that a full disk has no room for\n")
        probe.unlink()

    def begin(self, label: str, *, now: datetime | None = None) -> "OpenRun":
        """Open a run after sweeping up what killed ones have left; `label` ends its id.

        Raises OSError when the folder can't be had or written to.
        """
        self.prepare()
        with self._housekeeping():
            swept = self._sweep()
            moment = now or datetime.now(UTC)
            while any(self.folder.glob(f"*{_stamp(moment)}_*")) or any(
                self.folder.glob(f".{_stamp(moment)}_*")
            ):
                moment += timedelta(milliseconds=1)  # ids are unique, and in the order of beginning
            run_id = f"{_stamp(moment)}_{label}"
            lock = FileLock(self._lock_of(run_id), timeout=0)
            lock.acquire()
            try:
                self._pid_of(run_id).write_bytes(msgspec.json.encode(_Running(os.getpid())))
                making = self.folder / f".{run_id}{_MAKING}"
                making.mkdir()
            except BaseException:
                self._forget(run_id, lock)
                raise
        return OpenRun(self, run_id, moment, making, lock, swept)

    def sweep(self) -> list[Swept]:
        """End the processes and name the folders of runs that are gone, and return what was done."""
        self.prepare()
        with self._housekeeping():
            return self._sweep()

    def stale(self) -> list[str]:
        """Return what a sweep would clean up, as sentences; changes nothing."""
        if not self.folder.is_dir():
            return []
        alive = set(self.running())
        found = [f"{each} of run {each.run_id}" for each in marked(self.folder) if each.run_id not in alive]
        found += [path.name for path in self._made() if _id_of(path) not in alive]
        return found

    def running(self) -> dict[str, int]:
        """Return the runs under way, id to process id."""
        alive = {}
        for path in sorted(self._state.glob("*.json")):
            with suppress(OSError, msgspec.DecodeError):
                lock = FileLock(self._lock_of(path.stem), timeout=0)
                try:
                    lock.acquire()
                except Timeout:
                    alive[path.stem] = msgspec.json.decode(path.read_bytes(), type=_Running).pid
                else:
                    lock.release()
        return alive

    def stop(self) -> list[str]:
        """Stop every run under way, as Ctrl-C does, and sweep up; return what was done, as sentences."""
        did = []
        for run_id, pid in self.running().items():  # its lock is held, so the process id is the run's
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                process.terminate()
                try:
                    with FileLock(self._lock_of(run_id), timeout=2 * self._stop_seconds + 10):
                        pass
                except Timeout:
                    process.kill()
                did.append(f"stopped run {run_id} (process {pid})")
        return did + [str(each) for each in self.sweep()]

    def complete(self) -> list[Path]:
        """Return the complete runs' folders, newest first."""
        return self._named(r"")

    def failed(self) -> list[Path]:
        """Return the folders of runs that didn't end well, newest first."""
        return self._named(re.escape(_FAILED))

    def latest(self) -> Path | None:
        """Return the folder that `latest` leads to, None when it leads nowhere."""
        link = self.folder / "latest"
        with suppress(OSError, UnicodeDecodeError):
            name = str(link.readlink()) if link.is_symlink() else link.read_text(encoding="utf-8").strip()
            if _RUN.fullmatch(name) and (self.folder / name).is_dir():
                return self.folder / name
        return None

    def clean(self, *, keep: int, log: bool) -> list[Path]:
        """Remove all but the `keep` newest complete runs, and the log unless `log`; return what was removed.

        Runs under way stay, and so does whatever isn't the demo's.
        """
        self.sweep()
        with self._housekeeping():
            gone = [*self.complete()[keep:], *self.failed()]
            for path in gone:
                shutil.rmtree(path)
            others = [] if log else [self.places.journal]
            if (self.latest() is None and (self.folder / "latest").is_symlink()) or (
                self.latest() is None and (self.folder / "latest").is_file()
            ):
                others.append(self.folder / "latest")
            for path in others:
                if path.exists() or path.is_symlink():
                    path.unlink()
                    gone.append(path)
        return gone

    def _sweep(self) -> list[Swept]:
        alive = set(self.running())
        processes: dict[str, list[Marked]] = {}
        for each in marked(self.folder):
            if each.run_id not in alive:
                processes.setdefault(each.run_id, []).append(each)
        made = {_id_of(path): path for path in self._made() if _id_of(path) not in alive}
        state = {path.stem for path in self._state.glob("*.json")} - alive
        swept = []
        for path in self._state.glob("*.lock"):
            if path.stem not in {*alive, *state}:
                path.unlink()
        for run_id in sorted({*processes, *made, *state}):
            left = processes.get(run_id, [])
            end(left, seconds=self._stop_seconds)
            folder = None
            if run_id in made:
                folder = self.folder / f"{run_id}{_FAILED}"
                made[run_id].rename(folder)
            self._pid_of(run_id).unlink(missing_ok=True)
            self._lock_of(run_id).unlink(missing_ok=True)
            swept.append(Swept(run_id, tuple(map(str, left)), folder))
        return swept

    def _made(self) -> list[Path]:
        paths = self.folder.glob(f".*{_MAKING}")
        return sorted(path for path in paths if _RUN.fullmatch(_id_of(path)))

    def _named(self, suffix: str) -> list[Path]:
        if not self.folder.is_dir():
            return []
        pattern = re.compile(_RUN.pattern + suffix, re.ASCII)
        paths = [
            p
            for p in self.folder.iterdir()
            if pattern.fullmatch(p.name) and p.is_dir() and not p.is_symlink()
        ]
        return sorted(paths, reverse=True)

    def _lock_of(self, run_id: str) -> Path:
        return self._state / f"{run_id}.lock"

    def _pid_of(self, run_id: str) -> Path:
        return self._state / f"{run_id}.json"

    def _forget(self, run_id: str, lock: FileLock) -> None:
        with suppress(OSError):
            self._pid_of(run_id).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):
            self._lock_of(run_id).unlink(missing_ok=True)

    def _lead(self, run_id: str) -> None:
        """Make `latest` lead to a run: a link, or its name in a file where links can't be made."""
        latest, new = self.folder / "latest", self.folder / ".latest.new"
        if latest.is_dir() and not latest.is_symlink():
            raise DemoError(
                f"{self.places.shown(latest)} is a folder, and not the demo's",
                remedy="move it away; the run itself is complete",
            )
        new.unlink(missing_ok=True)
        try:
            new.symlink_to(run_id, target_is_directory=True)
        except (OSError, NotImplementedError):
            new.write_text(f"{run_id}\n", encoding="utf-8")
        new.replace(latest)

    def _prune(self) -> list[Path]:
        gone = [*self.complete()[self._keep :], *self.failed()[self._keep :]]
        for path in gone:
            shutil.rmtree(path)
        return gone


@dataclass(frozen=True)
class OpenRun:
    """A run under way: its id, when it began, its folder for now, and what was swept up before it."""

    archive: Archive
    run_id: str
    began: datetime
    making: Path
    lock: FileLock
    swept: list[Swept]

    @property
    def final(self) -> Path:
        """The folder that the run takes once it is complete."""
        return self.archive.folder / self.run_id

    def publish(self, record: RunRecord) -> list[Path]:
        """Give the folder its name, make `latest` lead to it, and return the older runs that were removed."""
        self._write(record)
        with self.archive._housekeeping():
            self.making.rename(self.final)
            self.close()
            self.archive._lead(self.archive.complete()[0].name)  # of runs that overlap, whichever began last
            return self.archive._prune()

    def fail(self, record: RunRecord) -> Path:
        """Keep what was made under a name that says that it failed, and return it."""
        with suppress(OSError):  # the disk may be full; the folder still gets its name
            self._write(record)
        kept = self.final.with_name(f"{self.run_id}{_FAILED}")
        self.making.rename(kept)
        self.close()
        with suppress(OSError):
            self.archive._prune()
        return kept

    def discard(self) -> None:
        """Remove the folder: nothing of the run is to be kept."""
        shutil.rmtree(self.making)
        self.close()

    def close(self) -> None:
        """Say that the run is over."""
        self.archive._forget(self.run_id, self.lock)

    def _write(self, record: RunRecord) -> None:
        data = msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
        (self.making / _RECORD).write_bytes(data)


def read_record(folder: Path) -> RunRecord | None:
    """Return what a run says of itself, None where it says nothing (it was killed, or the disk was full)."""
    try:
        return msgspec.json.decode((folder / _RECORD).read_bytes(), type=RunRecord)
    except (OSError, msgspec.DecodeError):
        return None


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%S.") + f"{moment.microsecond // 1000:03d}Z"


def _id_of(path: Path) -> str:
    return path.name.removeprefix(".").removesuffix(_MAKING).removesuffix(_FAILED)
