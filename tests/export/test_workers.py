"""Workers: the same bytes on any executor, and nobody left working."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import Executor, ThreadPoolExecutor
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from esdh_export import SnapshotRequest, WorkerError, write_snapshot
from esdh_export.execution.worker_pool import WorkerPool
from esdh_manifest import files_below

REQUEST = SnapshotRequest(
    records=65_536 * 2 + 100, formats=("csv", "json", "ndjson", "parquet"), shard_rows=65_536
)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The snapshot as one process writes it."""
    folder = tmp_path_factory.mktemp("alone") / "s"
    write_snapshot(folder, REQUEST)
    return folder


@pytest.mark.parametrize(
    "executor",
    [lambda: ThreadPoolExecutor(3), lambda: WorkerPool(2)],
    ids=["3 threads", "2 processes"],
)
def test_bytes_are_the_same_on_any_executor(alone: Path, tmp_path: Path, executor: type[Executor]) -> None:
    """Threads and processes, however many, write every file as one process does, and tell each shard done."""
    done: list[int] = []
    with executor() as pool:
        write_snapshot(tmp_path / "s", REQUEST, executor=pool, progress=done.append)
    assert [65_536, 65_536, 100] == done
    assert files_below(alone) == files_below(tmp_path / "s")
    for path in files_below(alone):
        assert (alone / path).read_bytes() == (tmp_path / "s" / path).read_bytes(), path


def test_worker_that_dies_is_a_sentence(tmp_path: Path) -> None:
    """When a worker is killed the run fails in words, leaves the folder as it was and keeps what is finished."""
    finished: list[int] = []

    def kill_one(records: int) -> None:
        finished.append(records)
        if len(finished) == 1:
            os.kill(next(iter(pool._processes)), signal.SIGKILL)

    with WorkerPool(2) as pool, pytest.raises(WorkerError, match="a worker process ended") as failure:
        write_snapshot(
            tmp_path / "s",
            # Far more parts than are written before a machine under load comes to kill.
            SnapshotRequest(records=65_536 * 60, formats=("csv",), shard_rows=65_536),
            executor=pool,
            progress=kill_one,
        )
    assert [".s.esdh-staging"] == [path.name for path in tmp_path.iterdir()]
    assert "of 60 parts are finished" in failure.value.__notes__[0]


PARENT = """
import os, signal, sys
from pathlib import Path
from esdh_export import SnapshotRequest, write_snapshot
from esdh_export.execution.worker_pool import WorkerPool

def strike(_):
    print(*pool._processes, flush=True)
    os.kill(os.getpid(), int(sys.argv[2]))

if __name__ == "__main__":
    with WorkerPool(2) as pool:
        request = SnapshotRequest(records=65_536 * 8, shard_rows=65_536 * 2, formats=("csv",))
        # When one shard is finished, its worker is in the midst of the next.
        write_snapshot(Path(sys.argv[1]), request, executor=pool, progress=strike)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    """Workers end in the midst of a shard when their parent is killed or interrupted."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    # The workers hold the pipes open, so this returns only once they are gone.
    done = subprocess.run(
        [sys.executable, script, str(tmp_path / "s"), str(number.value)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert -number == done.returncode, done.stderr
    for pid in done.stdout.split():
        assert not Path(f"/proc/{pid}/cwd").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()
    assert not (tmp_path / "s").exists()
    assert (tmp_path / ".s.esdh-staging" / "reports" / "00000.json").is_file()
    assert not (tmp_path / ".s.esdh-staging" / "reports" / "00003.json").exists()


def test_pool_needs_no_socket(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server of workers can't have its socket, whose path is too long, they are spawned."""

    def refuse() -> None:
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr(forkserver, "ensure_running", refuse)
    with WorkerPool(2) as pool:
        write_snapshot(tmp_path / "s", REQUEST, executor=pool)
    for path in files_below(alone):
        assert (alone / path).read_bytes() == (tmp_path / "s" / path).read_bytes(), path


@pytest.mark.parametrize(("asked", "status"), [([], 0), (["--workers", "2"], 1)], ids=["default", "asked"])
def test_missing_semaphores_are_no_obstacle(tmp_path: Path, asked: list[str], status: int) -> None:
    """Without semaphores one process does what nobody asked workers for, and a sentence answers who did."""
    script = tmp_path / "without.py"
    script.write_text(WITHOUT_SEMAPHORES)
    options = ["--records", "65537", "--shard-rows", "65536", "--output-format", "csv", "--quiet"]
    done = subprocess.run(
        [sys.executable, script, "generate-snapshot", "--output-dir", tmp_path / "s", *options, *asked],
        capture_output=True,
        text=True,
        check=False,
    )
    told = "Error: worker processes can't be started here (Function not implemented); give --workers 1, which needs none\n"
    assert (status, told if asked else "") == (done.returncode, done.stderr)


WITHOUT_SEMAPHORES = """
import _multiprocessing, errno, os

class SemLock:
    SEM_VALUE_MAX = 2**31 - 1

    def __init__(self, *_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    @staticmethod
    def _rebuild(*_):
        raise AssertionError("nothing was built")

_multiprocessing.SemLock = SemLock
os.sched_getaffinity = lambda _: {0, 1}
if hasattr(os, "process_cpu_count"):
    os.process_cpu_count = lambda: 2
from esdh_cli.main import main

main(prog_name="esdh")
"""


@pytest.mark.parametrize("most", [0, 1])
def test_fewer_processes_do_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Where the system lets fewer processes start than were asked for, those write the parts; with none, a sentence."""
    started: list[BaseProcess] = []
    kind = multiprocessing.get_context("spawn").Process
    start = kind.start

    def limited(process: BaseProcess) -> None:
        if len(started) == most:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        started.append(process)
        start(process)

    monkeypatch.setattr(kind, "start", limited)
    monkeypatch.setattr("esdh_export.execution.worker_pool._start_server", lambda _: "spawn")
    request = SnapshotRequest(records=65_536 * 3, formats=("csv",), entities=("persons",), shard_rows=65_536)
    with WorkerPool(3) as pool:
        if most:
            assert write_snapshot(tmp_path / "s", request, executor=pool).written
        else:
            with pytest.raises(WorkerError, match=r"temporarily unavailable\); give --workers 1"):
                write_snapshot(tmp_path / "s", request, executor=pool)
    assert most == len(started)
