"""The folders of runs: made under another name, named when complete, kept when failed, the oldest removed.

In `data/demo_runs`, beside the runs:

- `.<run id>.making/` is a run under way, its process in its `run.json`; `<run id>.failed/` is what a run that didn't
  end well has left.
- `.<run id>.lock` is locked by the run for as long as it lives: the system lets go of it however the run ends, so a
  lock that can be had is a run that is gone.
- `latest` leads to the newest complete run.
"""

import os
import re
import shutil
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import psutil
from filelock import FileLock, Timeout

from esdh_demo.errors import DemoError
from esdh_demo.paths import Paths
from esdh_demo.processes import end_processes, marked_processes

__all__ = ["OpenRun", "RunRecord", "RunStore", "StepRecord", "Swept", "read_record"]

_RUN_ID = r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z_[a-z0-9-]+"
_MAKING, _FAILED, _LOCK = ".making", ".failed", ".lock"
_RECORD = "run.json"
_LOCK_SECONDS = 30  # housekeeping takes milliseconds, unless it ends what a killed run has left


class StepRecord(msgspec.Struct):
    """One step: how it ended, the seconds it took, what it found in one line, and its counts."""

    name: str
    status: Literal["running", "passed", "failed", "interrupted"] = "running"
    seconds: float = 0.0
    found: str = ""
    counts: dict[str, int] = {}


class RunRecord(msgspec.Struct, kw_only=True):
    """What a run says of itself, in its `run.json`: when it begins, and again when it has ended."""

    run_id: str
    status: Literal["running", "complete", "failed", "interrupted"] = "running"
    pid: int
    profile: str
    records: int | None = None
    seed: int | None = None
    randomized: bool = False
    formats: list[str] = []
    started_at: datetime
    seconds: float = 0.0
    steps: list[StepRecord] = []
    failure: dict[str, str | None] | None = None
    environment: dict[str, str] = {}


@dataclass(frozen=True)
class Swept:
    """What was left of a run that is gone: its processes, now ended, and its folder, now named as failed."""

    run_id: str
    processes: list[str]
    folder: Path | None

    def __str__(self) -> str:
        """Return it as a sentence."""
        done = [f"ended {', '.join(self.processes)}"] if self.processes else []
        done += [f"kept what it had made as {self.folder.name}"] if self.folder else []
        return f"run {self.run_id} was cut off; cleaned up: {'; '.join(done)}"


@dataclass(frozen=True)
class OpenRun:
    """A run under way: its record, its folder for now, its lock, and what was swept up before it."""

    record: RunRecord
    making: Path
    lock: FileLock
    swept: list[Swept]

    @property
    def final(self) -> Path:
        """The folder that the run takes once it is complete."""
        return self.making.with_name(self.record.run_id)

    def write_record(self) -> None:
        """Write `run.json`."""
        data = msgspec.json.format(msgspec.json.encode(self.record), indent=2) + b"\n"
        (self.making / _RECORD).write_bytes(data)

    def release(self) -> None:
        """Say that the run is over."""
        self.lock.release()
        with suppress(OSError):
            Path(self.lock.lock_file).unlink(missing_ok=True)


class RunStore:
    """The folder of runs."""

    def __init__(self, paths: Paths, *, keep: int = 5, stop_seconds: float = 10) -> None:
        self.folder = paths.runs
        self._paths = paths
        self._keep = keep
        self._stop_seconds = stop_seconds
        self._housekeeping = FileLock(self.folder / _LOCK, timeout=_LOCK_SECONDS)

    def begin(self, label: str, *, now: datetime | None = None) -> OpenRun:
        """Open a run after sweeping up what killed ones have left; `label` ends its id.

        Raises OSError when the folder can't be had or written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        probe = self.folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"a line that a full disk has no room for\n")
        probe.unlink()
        with self._housekeeping:
            swept = self._sweep()
            began = now or datetime.now(UTC)
            while [*self.folder.glob(f"*{_stamp(began)}_*")]:
                began += timedelta(milliseconds=1)  # ids are unique, and in the order of beginning
            run_id = f"{_stamp(began)}_{label}"
            record = RunRecord(run_id=run_id, pid=os.getpid(), profile=label, started_at=began)
            opened = OpenRun(record, self.folder / f".{run_id}{_MAKING}", self._lock(run_id), swept)
            opened.lock.acquire()
            try:
                opened.making.mkdir()  # after the lock: who sees the folder can ask whether its run lives
                opened.write_record()
            except BaseException:
                opened.release()
                raise
        return opened

    def publish(self, opened: OpenRun) -> list[Path]:
        """Give a run's folder its name, make `latest` lead to it, and return the older runs that were removed."""
        opened.write_record()
        with self._housekeeping:
            opened.making.rename(opened.final)
            opened.release()
            self._link_latest(self.complete()[0].name)  # of runs that overlap, whichever began last
            return self._prune()

    def fail(self, opened: OpenRun) -> Path:
        """Keep what a run has made under a name that says that it failed, and return it."""
        with suppress(OSError):  # the disk may be full; the folder still gets its name
            opened.write_record()
        folder = opened.making.rename(opened.final.with_name(f"{opened.final.name}{_FAILED}"))
        opened.release()
        with suppress(OSError):
            self._prune()
        return folder

    def sweep(self) -> list[Swept]:
        """End the processes and name the folders of runs that are gone, and return what was done."""
        with self._housekeeping:
            return self._sweep()

    def stale(self) -> list[str]:
        """Return what a sweep would clean up, as sentences; changes nothing."""
        making, alive = self._making(), self._alive()
        found = [
            f"{each} of run {each.run_id}"
            for each in marked_processes(self.folder)
            if each.run_id not in alive
        ]
        return found + [path.name for run_id, path in making.items() if run_id not in alive]

    def running(self) -> dict[str, int]:
        """Return the runs under way, id to process id."""
        records = {run_id: read_record(path) for run_id, path in self._alive().items()}
        return {run_id: record.pid for run_id, record in records.items() if record}  # else it has just ended

    def stop(self) -> list[str]:
        """Stop every run under way, as Ctrl-C does, and sweep up; return what was done, as sentences."""
        done = []
        for run_id, pid in self.running().items():  # its lock is held, so the process id is the run's
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                process.terminate()
                try:
                    with FileLock(self._lock(run_id).lock_file, timeout=2 * self._stop_seconds + 10):
                        pass
                except Timeout:
                    process.kill()
                done.append(f"stopped run {run_id} (process {pid})")
        return done + [str(each) for each in self.sweep()]

    def complete(self) -> list[Path]:
        """Return the complete runs' folders, newest first."""
        return self._folders("")

    def failed(self) -> list[Path]:
        """Return the folders of runs that didn't end well, newest first."""
        return self._folders(_FAILED)

    def latest(self) -> Path | None:
        """Return the folder that `latest` leads to, None when it leads nowhere."""
        link = self.folder / "latest"
        with suppress(OSError, UnicodeDecodeError):
            name = str(link.readlink()) if link.is_symlink() else link.read_text(encoding="utf-8").strip()
            return next((path for path in self.complete() if path.name == name), None)
        return None

    def clean(self, *, keep: int, log: bool) -> list[Path]:
        """Remove all but the `keep` newest complete runs, and the log unless `log`; return what was removed.

        Runs under way stay, and so does whatever isn't the demo's.
        """
        latest = self.folder / "latest"
        with self._housekeeping:
            self._sweep()
            removed = self._remove([*self.complete()[keep:], *self.failed()])
            files = [] if log else [self._paths.log]
            if self.latest() is None and (latest.is_symlink() or latest.is_file()):
                files.append(latest)
            for path in files:
                if path.exists() or path.is_symlink():
                    path.unlink()
                    removed.append(path)
        return removed

    def _sweep(self) -> list[Swept]:
        alive = self._alive()
        processes = defaultdict(list)
        for process in marked_processes(self.folder):
            if process.run_id not in alive:
                processes[process.run_id].append(process)
        gone = {run_id: path for run_id, path in self._making().items() if run_id not in alive}
        swept = []
        for run_id in sorted({*processes, *gone}):
            end_processes(processes[run_id], seconds=self._stop_seconds)
            failed = self.folder / f"{run_id}{_FAILED}"
            folder = gone[run_id].rename(failed) if run_id in gone else None
            swept.append(Swept(run_id, [str(each) for each in processes[run_id]], folder))
        for path in self.folder.glob(f".*Z_*{_LOCK}"):
            if _run_id(path, _LOCK) not in alive:
                path.unlink(missing_ok=True)
        return swept

    def _making(self) -> dict[str, Path]:
        paths = sorted(self.folder.glob(f".*Z_*{_MAKING}"))
        return {
            _run_id(path, _MAKING): path for path in paths if re.fullmatch(_RUN_ID, _run_id(path, _MAKING))
        }

    def _alive(self) -> dict[str, Path]:
        """Return the runs whose lock is held, id to folder."""
        alive = {}
        for run_id, path in self._making().items():
            lock = self._lock(run_id)
            try:
                lock.acquire()
            except Timeout:
                alive[run_id] = path
            else:
                lock.release()
        return alive

    def _folders(self, suffix: str) -> list[Path]:
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        named = [path for path in paths if re.fullmatch(_RUN_ID + re.escape(suffix), path.name)]
        return sorted((path for path in named if path.is_dir() and not path.is_symlink()), reverse=True)

    def _lock(self, run_id: str) -> FileLock:
        return FileLock(self.folder / f".{run_id}{_LOCK}", timeout=0)

    def _link_latest(self, run_id: str) -> None:
        """Make `latest` lead to a run: a link, or its name in a file where links can't be made."""
        latest, new = self.folder / "latest", self.folder / ".latest.new"
        if latest.is_dir() and not latest.is_symlink():
            raise DemoError(
                f"{self._paths.display(latest)} is a folder, and not the demo's",
                remedy="move it away; the run itself is complete",
            )
        new.unlink(missing_ok=True)
        try:
            new.symlink_to(run_id, target_is_directory=True)
        except (OSError, NotImplementedError):
            new.write_text(f"{run_id}\n", encoding="utf-8")
        new.replace(latest)

    def _prune(self) -> list[Path]:
        return self._remove([*self.complete()[self._keep :], *self.failed()[self._keep :]])

    def _remove(self, folders: list[Path]) -> list[Path]:
        for folder in folders:
            shutil.rmtree(folder)
        return folders


def read_record(folder: Path) -> RunRecord | None:
    """Return what a run says of itself, None where it says nothing (it was killed, or the disk was full)."""
    try:
        return msgspec.json.decode((folder / _RECORD).read_bytes(), type=RunRecord)
    except (OSError, msgspec.DecodeError):
        return None


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%S.") + f"{moment.microsecond // 1000:03d}Z"


def _run_id(path: Path, suffix: str) -> str:
    return path.name.removeprefix(".").removesuffix(suffix)
