"""The folders of runs: made under another name, named when complete, kept when failed, the oldest removed.

In `data/demo_runs`, beside the runs:

- `.<run id>.making/` is a run under way, its process in its `run.json`; `<run id>.failed/` is what a run that failed
  or was interrupted has left.
- `.<run id>.lock` is locked by the run for as long as it lives. The system releases the lock however the run ends, so
  a lock that can be acquired belongs to a run that is gone.
- `latest` leads to the newest complete run.
"""

import os
import re
import shutil
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

import msgspec
import psutil
from filelock import FileLock, Timeout

from esdh_demo.errors import DemoError
from esdh_demo.paths import Paths
from esdh_demo.processes import MarkedProcess, end_processes, marked_processes

__all__ = ["Leftover", "OpenRun", "RunRecord", "RunStore", "StepRecord", "check_writable", "read_record"]

_RUN_ID = r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z_[a-z0-9-]+"
_MAKING, _FAILED, _LOCK = ".making", ".failed", ".lock"
_RECORD = "run.json"
_LOCK_SECONDS = 30  # housekeeping takes milliseconds, unless it ends what a killed run has left


class StepRecord(msgspec.Struct):
    """One step: how it ended, the seconds it took, what it found in one line, and its counts."""

    name: str
    status: Literal["passed", "failed", "interrupted"] = "passed"
    seconds: float = 0.0
    found: str = ""
    counts: dict[str, int] = {}


class RunRecord(msgspec.Struct, kw_only=True):
    """The `run.json` of a run, written when it begins and again when it ends."""

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
class Leftover:
    """What a run that is gone has left: living processes, and the folder that it was making."""

    run_id: str
    processes: list[MarkedProcess]
    folder: Path | None

    def __str__(self) -> str:
        """Return what a sweep has done about it, as a sentence."""
        done = [f"ended {', '.join(map(str, self.processes))}"] if self.processes else []
        done += [f"kept what it had made as {self.folder.name}"] if self.folder else []
        return f"run {self.run_id} was cut off; cleaned up: {'; '.join(done)}"


@dataclass
class OpenRun:
    """A run under way: its record, its folder for now, its lock, and what was swept up before it began."""

    record: RunRecord
    folder: Path
    lock: FileLock
    swept: list[Leftover]

    @property
    def final(self) -> Path:
        """The folder that the run takes once it is complete."""
        return self.folder.with_name(self.record.run_id)

    def write_record(self) -> None:
        """Write `run.json`."""
        data = msgspec.json.format(msgspec.json.encode(self.record), indent=2) + b"\n"
        (self.folder / _RECORD).write_bytes(data)

    def release(self) -> None:
        """Release the lock: the run is over."""
        self.lock.release()
        with suppress(OSError):
            Path(self.lock.lock_file).unlink(missing_ok=True)


class RunStore:
    """The folder of runs; `keep` complete and as many failed ones stay, a process has `stop_seconds` to stop."""

    def __init__(self, paths: Paths, *, keep: int = 5, stop_seconds: float = 10) -> None:
        self.folder = paths.runs
        self._paths = paths
        self._keep = keep
        self._stop_seconds = stop_seconds
        self._housekeeping = FileLock(self.folder / _LOCK, timeout=_LOCK_SECONDS)

    def begin(self, label: str, *, now: datetime | None = None) -> OpenRun:
        """Open a run after sweeping up what killed ones have left; `label` ends its id.

        Raises OSError when the folder can't be made or written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        check_writable(self.folder)
        with self._housekeeping:
            swept = self.sweep()
            started_at = now or datetime.now(UTC)
            while [*self.folder.glob(f"*{_timestamp(started_at)}_*")]:
                started_at += timedelta(milliseconds=1)  # ids are unique, and in the order of beginning
            run_id = f"{_timestamp(started_at)}_{label}"
            record = RunRecord(run_id=run_id, pid=os.getpid(), profile=label, started_at=started_at)
            opened = OpenRun(record, self.folder / f".{run_id}{_MAKING}", self._lock(run_id), swept)
            opened.lock.acquire()
            try:
                opened.folder.mkdir()  # after the lock: who sees the folder can ask whether its run lives
                opened.write_record()
            except BaseException:
                opened.release()
                raise
        return opened

    def publish(self, opened: OpenRun) -> list[Path]:
        """Give a run's folder its name, make `latest` lead to it, and return the older runs that were removed."""
        opened.write_record()
        with self._housekeeping:
            opened.folder.rename(opened.final)
            opened.release()
            self._link_latest(self.complete()[0].name)  # of runs that overlap, whichever began last
            return self._remove_old()

    def fail(self, opened: OpenRun) -> Path:
        """Keep what a run has made under a name that says that it failed, and return its folder."""
        with suppress(OSError):  # the disk may be full; the folder still gets its name
            opened.write_record()
        folder = opened.folder.rename(opened.final.with_name(f"{opened.final.name}{_FAILED}"))
        opened.release()
        with suppress(OSError):
            self._remove_old()
        return folder

    def sweep(self) -> list[Leftover]:
        """End the processes and name the folders of runs that are gone, and return what there was."""
        swept = []
        with self._housekeeping:
            for each in self._leftovers():
                end_processes(each.processes, seconds=self._stop_seconds)
                folder = each.folder and each.folder.rename(self.folder / f"{each.run_id}{_FAILED}")
                swept.append(replace(each, folder=folder))
            for run_id in self._hidden(_LOCK).keys() - self._alive():
                (self.folder / f".{run_id}{_LOCK}").unlink(missing_ok=True)
        return swept

    def stale(self) -> list[str]:
        """Return what a sweep would clean up, as sentences; changes nothing."""
        leftovers = self._leftovers()
        processes = [f"{process} of run {each.run_id}" for each in leftovers for process in each.processes]
        return processes + [each.folder.name for each in leftovers if each.folder]

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
                    with self._lock(run_id, timeout=2 * self._stop_seconds + 10):
                        pass
                except Timeout:
                    process.kill()
                done.append(f"stopped run {run_id} (process {pid})")
        return done + [str(each) for each in self.sweep()]

    def complete(self) -> list[Path]:
        """Return the complete runs' folders, newest first."""
        return self._folders("")

    def failed(self) -> list[Path]:
        """Return the folders of runs that failed or were interrupted, newest first."""
        return self._folders(_FAILED)

    def clean(self, *, keep: int, log: bool) -> list[Path]:
        """Remove all but the `keep` newest complete runs, and the log unless `log`; return what was removed.

        Runs under way stay, and so do files and folders of other names.
        """
        latest = self.folder / "latest"
        with self._housekeeping:
            self.sweep()
            removed = self._remove([*self.complete()[keep:], *self.failed()])
            files = [] if log else [self._paths.log]
            files += [] if self.complete() or latest.is_dir() else [latest]
            for path in filter(os.path.lexists, files):
                path.unlink()
                removed.append(path)
        return removed

    def _leftovers(self) -> list[Leftover]:
        """Return what runs that are gone have left, by run."""
        alive, making, processes = self._alive(), self._hidden(_MAKING), defaultdict(list)
        for each in marked_processes(self.folder):
            processes[each.run_id].append(each)
        gone = sorted({*making, *processes} - alive.keys())
        return [Leftover(run_id, processes[run_id], making.get(run_id)) for run_id in gone]

    def _alive(self) -> dict[str, Path]:
        """Return the runs whose lock is held, id to folder."""
        alive = {}
        for run_id, path in self._hidden(_MAKING).items():
            try:
                with self._lock(run_id):
                    pass
            except Timeout:
                alive[run_id] = path
        return alive

    def _hidden(self, suffix: str) -> dict[str, Path]:
        """Return the paths of runs under way that end in a suffix, by run id."""
        paths = {path.name[1:].removesuffix(suffix): path for path in self.folder.glob(f".*{suffix}")}
        return {run_id: path for run_id, path in paths.items() if re.fullmatch(_RUN_ID, run_id)}

    def _folders(self, suffix: str) -> list[Path]:
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        named = [path for path in paths if re.fullmatch(_RUN_ID + re.escape(suffix), path.name)]
        return sorted((path for path in named if path.is_dir() and not path.is_symlink()), reverse=True)

    def _lock(self, run_id: str, *, timeout: float = 0) -> FileLock:
        return FileLock(self.folder / f".{run_id}{_LOCK}", timeout=timeout)

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

    def _remove_old(self) -> list[Path]:
        return self._remove([*self.complete()[self._keep :], *self.failed()[self._keep :]])

    def _remove(self, folders: list[Path]) -> list[Path]:
        for folder in folders:
            shutil.rmtree(folder)
        return folders


def read_record(folder: Path) -> RunRecord | None:
    """Return the record of a run, None where there is none to read (it was killed, or the disk was full)."""
    try:
        return msgspec.json.decode((folder / _RECORD).read_bytes(), type=RunRecord)
    except (OSError, msgspec.DecodeError):
        return None


def check_writable(folder: Path) -> None:
    """Write a line to a file without a name in a folder; raises OSError when it can't be written."""
    with TemporaryFile(dir=folder, buffering=0) as file:
        file.write(b"a line that a full disk has no room for\n")


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%S.") + f"{moment.microsecond // 1000:03d}Z"
