"""Engines as they are: parts that are written twice, called off and written all the same, or left half written."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import faults
import objects
import pytest
from esdh_export import Prefix, TargetError, WorkerError, locate, write_snapshot
from esdh_export.execution.versions import versions
from esdh_export.io.store import LocalAttempt
from esdh_export.storage.object_store import _copy
from pyarrow import fs

KILLS = int(os.environ.get("ESDH_KILLS", "10")) // 2
PATIENCE = 60  # seconds; what hangs in vain does so for longer


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests for parts of 100 rows, which check for blocks of 65,536 when they are unpickled."""
    monkeypatch.setattr("esdh_export.request.BLOCK_RECORDS", 100)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the snapshot as one process writes it."""
    folder = tmp_path_factory.mktemp("whole") / "s"
    faults.write(folder)
    return objects.local(folder)


@pytest.fixture(params=["folder", "prefix"])
def destination(request: pytest.FixtureRequest) -> Path | Prefix:
    """An empty folder that isn't there, and an empty prefix."""
    if request.param == "folder":
        return Path(request.getfixturevalue("tmp_path")) / "s"
    return locate(request.getfixturevalue("prefix"))


def contents(destination: Path | Prefix) -> dict[str, bytes]:
    """Return what there is in a folder or prefix."""
    if isinstance(destination, Path):
        return objects.local(destination) if destination.exists() else {}
    return objects.contents(destination.uri)


def beside(destination: Path | Prefix) -> list[str]:
    """Return what a run keeps beside or in what it writes."""
    if isinstance(destination, Path):
        return [path.name for path in destination.parent.iterdir() if path != destination]
    return [name for name in contents(destination) if name.startswith(".esdh-staging")]


class Engine(Executor):
    """An executor of threads that starts every call as often as `times`, and gives the last one's result."""

    def __init__(self, times: int) -> None:
        self._threads = ThreadPoolExecutor(4)
        self._times = times

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Start a call."""
        return [self._threads.submit(fn, *args, **kwargs) for _ in range(self._times)][-1]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for every call."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)


def test_parts_that_are_written_twice_are_in_it_once(
    destination: Path | Prefix, whole: dict[str, bytes]
) -> None:
    """Three attempts at every part at once give the bytes of one, and the run removes what is left of the others."""
    with Engine(3) as engine:
        assert write_snapshot(destination, faults.REQUEST, executor=engine).written
    assert not write_snapshot(
        destination, faults.REQUEST
    ).written  # and removes what an attempt wrote too late
    assert whole == contents(destination)
    assert [] == beside(destination)


class Broken(Executor):
    """An executor that loses every call: its future fails at once, and what was submitted can be done later."""

    def __init__(self, error: BaseException) -> None:
        self.calls: list[Callable[[], Any]] = []
        self._error = error

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Take note of a call."""
        self.calls.append(lambda: fn(*args, **kwargs))
        future: Future[Any] = Future()
        future.set_exception(self._error)
        return future


@pytest.fixture
def zombies(destination: Path | Prefix) -> list[Callable[[], Any]]:
    """The calls of a run of another request, which has ended and has had them called off."""
    broken = Broken(ArithmeticError("lost"))
    with pytest.raises(ArithmeticError):
        write_snapshot(destination, faults.EARLIER, executor=broken)
    assert 3 == len(broken.calls)
    return broken.calls


def outcome(call: Callable[[], Any]) -> str:
    """Return the error that a call raises, "" for none."""
    try:
        call()
    except OSError as error:
        return type(error).__name__
    return ""


def test_part_that_was_called_off_changes_nothing(
    destination: Path | Prefix, zombies: list[Callable[[], Any]], whole: dict[str, bytes]
) -> None:
    """A part of a run that is over can be written in the middle of the next one, of another request, without harm to it."""
    outcomes: list[str] = []

    def strike(_: int) -> None:
        outcomes.extend(map(outcome, zombies))

    with ThreadPoolExecutor(1) as engine:
        assert write_snapshot(destination, faults.REQUEST, executor=engine, progress=strike).written
    assert whole == contents(destination)
    assert [] == beside(destination)
    assert {"FileNotFoundError" if isinstance(destination, Path) else ""} == set(outcomes)


def test_part_that_comes_after_the_snapshot_is_removed(
    destination: Path | Prefix, zombies: list[Callable[[], Any]], whole: dict[str, bytes]
) -> None:
    """What a part that was called off writes beside a finished snapshot is no obstacle, and goes with the next run."""
    write_snapshot(destination, faults.REQUEST)
    for zombie in zombies:
        outcome(zombie)
    assert isinstance(destination, Path) or beside(destination)
    assert not write_snapshot(destination, faults.REQUEST).written
    assert whole == contents(destination)
    assert [] == beside(destination)


def test_part_that_finishes_too_late_finds_no_way_back(tmp_path: Path, whole: dict[str, bytes]) -> None:
    """An attempt that has written its files when its run ends can't put one into the next run's snapshot."""
    written, ended = threading.Event(), threading.Event()
    finish = LocalAttempt.finish
    errors: list[str] = []
    zombie = threading.Thread(target=lambda: errors.append(outcome(engine.calls[0])))

    def finish_late(attempt: LocalAttempt) -> None:
        written.set()
        assert ended.wait(PATIENCE)
        finish(attempt)

    class GoesOn(Broken):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
            future = super().submit(fn, *args, **kwargs)
            if len(self.calls) == 1:
                zombie.start()
                assert written.wait(PATIENCE)
            return future

    def end(_: int) -> None:
        ended.set()
        zombie.join(PATIENCE)

    engine = GoesOn(ArithmeticError("lost"))
    with patch.object(LocalAttempt, "finish", finish_late), pytest.raises(ArithmeticError):
        write_snapshot(tmp_path / "s", faults.EARLIER, executor=engine)
    write_snapshot(tmp_path / "s", faults.REQUEST, progress=end)
    assert ["FileNotFoundError"] == errors
    assert whole == objects.local(tmp_path / "s")
    assert ["s"] == [path.name for path in tmp_path.iterdir()]


KILLED = """
import os, signal, sys
import faults
from esdh_export import locate, write_snapshot
from esdh_export.storage import object_store

what, left = sys.argv[2], int(sys.argv[3])
do = getattr(object_store, what) if what == "_copy" else object_store.Prefix.create

def strike(*arguments):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return do(*arguments)

if what == "_copy":
    object_store._copy = strike
else:
    object_store.Prefix.create = strike
write_snapshot(locate(sys.argv[1]), faults.EARLIER)
print(10**6 - left)
"""


def killed(uri: str, what: str, number: int) -> "subprocess.CompletedProcess[str]":
    """Write a snapshot to a prefix in a process that kills itself at a copy or a new object."""
    command = [sys.executable, "-c", KILLED, uri, what, str(number)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(faults.__file__).parent
    )


@pytest.mark.parametrize("what", ["_copy", "create"])
@pytest.mark.parametrize("kill", range(KILLS))
def test_killed_run_leaves_a_prefix_to_the_next(
    prefix: str, whole: dict[str, bytes], what: str, kill: int
) -> None:
    """Killed at a drawn copy or new object, a run leaves no manifest, and the next run of another request writes its own bytes."""
    most = (
        27 if what == "_copy" else 44
    )  # copies of three parts; objects of three parts, and what is made from all
    at = random.Random(f"{what} {kill}").randint(1, most)
    assert -signal.SIGKILL == killed(prefix, what, at).returncode
    assert "snapshot_manifest_v0_1.json" not in objects.contents(prefix)
    assert write_snapshot(locate(prefix), faults.REQUEST).written
    assert whole == objects.contents(prefix)


def test_object_of_somebody_else_refuses_the_commit(prefix: str) -> None:
    """An object that somebody puts into the prefix while a run lasts stays, and the run leaves nothing."""
    with pytest.raises(TargetError, match="was changed while the snapshot was written"):
        write_snapshot(
            locate(prefix), faults.REQUEST, progress=lambda _: objects.put(prefix, "notes.txt", b"mine")
        )
    assert {"notes.txt": b"mine"} == objects.contents(prefix)


def test_second_run_into_a_prefix_wins_or_fails_whole(prefix: str, whole: dict[str, bytes]) -> None:
    """Of two runs at once into a prefix one writes its snapshot, and the other says why it doesn't."""
    results: list[bool] = []

    def second(_: int) -> None:
        if not results:
            results.append(write_snapshot(locate(prefix), faults.REQUEST).written)

    with pytest.raises(TargetError, match="was changed while"):
        write_snapshot(locate(prefix), faults.EARLIER, progress=second)
    assert [True] == results
    assert whole == objects.contents(prefix)


def test_part_in_another_store_is_told(prefix: str) -> None:
    """A part that a worker wrote where this process doesn't find it is a sentence, and nothing stays."""

    def gate(_: object) -> None:
        system, path = fs.FileSystem.from_uri(prefix)
        parts = system.get_file_info(fs.FileSelector(f"{path}/.esdh-staging", recursive=True))
        system.delete_file(next(part.path for part in parts if part.path.endswith(".csv")))

    with pytest.raises(TargetError, match="lacks a part that a worker wrote"):
        write_snapshot(locate(prefix), faults.REQUEST, gate=gate)  # type: ignore[arg-type] # it judges nothing
    assert {} == objects.contents(prefix)


def test_object_that_a_store_does_not_copy_passes_through(prefix: str) -> None:
    """Where the store refuses to copy an object, for its size, its bytes are read and written."""
    system, path = fs.FileSystem.from_uri(prefix)
    objects.put(prefix, "a", b"x" * 5_000_000)

    class Small:
        open_input_stream = system.open_input_stream
        open_output_stream = system.open_output_stream

        def copy_file(self, *_: str) -> None:
            raise OSError("The specified copy source is larger than the maximum allowable size")

    _copy(Small(), f"{path}/a", f"{path}/b")
    assert objects.contents(prefix)["b"] == b"x" * 5_000_000


def test_what_can_not_be_removed_is_noted(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store lets nothing be removed the snapshot stands, and a note says what stays beside it."""

    def forbidden(*_: object) -> None:
        raise OSError("AccessDenied")

    monkeypatch.setattr(Prefix, "remove", forbidden)
    snapshot = write_snapshot(locate(prefix), faults.REQUEST)
    assert snapshot.written
    assert ("esdh-staging' can't be removed (AccessDenied); remove it" in snapshot.notes[0], 1) == (
        True,
        len(snapshot.notes),
    )


@pytest.mark.parametrize("there", ["0.0.9", None])
def test_worker_with_another_version_is_refused(
    destination: Path | Prefix, monkeypatch: pytest.MonkeyPatch, there: str | None
) -> None:
    """A worker that has another version than this process, or none, writes nothing, and a sentence says which."""
    monkeypatch.setattr(
        "esdh_export.execution.versions._version_here",
        {**versions(faults.REQUEST.dataset), "esdh-export": there}.get,
    )
    told = r"has esdh-export 0\.0\.9, and" if there else "has no esdh-export, and"
    with ThreadPoolExecutor(1) as engine, pytest.raises(WorkerError, match=told):
        write_snapshot(destination, faults.REQUEST, executor=engine)
    assert {} == contents(destination)
    assert [] == beside(destination)


def test_work_that_the_executor_calls_off_is_a_sentence(destination: Path | Prefix) -> None:
    """An executor that calls off what it was given, as one that is closed does, fails the run in words."""
    with pytest.raises(WorkerError, match="has called off a part"):
        write_snapshot(destination, faults.REQUEST, executor=Broken(CancelledError()))
    assert {} == contents(destination)
    assert [] == beside(destination)
