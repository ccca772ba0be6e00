"""Snapshots that a real Dask cluster writes to an object store, or verifies: a scheduler, two worker processes and an S3 server on loopback.

`just test-dask` kills a worker at ten drawn moments, where these tests by themselves do at two.
"""

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import objects
import pytest
from distributed import Client
from esdh_export import SnapshotRequest, WorkerError, locate, write_snapshot
from esdh_export.execution.cluster import connect
from esdh_export.execution.versions import versions
from esdh_plan import load_plan
from esdh_proof.gates import judge

KILLS = int(os.environ.get("ESDH_WORKER_KILLS", "2"))
PATIENCE = 300  # seconds; what hangs in vain does so for longer

REQUEST = SnapshotRequest(
    records=65_536 * 5 + 100, formats=("csv", "json"), entities=("vehicle",), shard_rows=65_536
)
OPTIONS = ["--records", str(REQUEST.records), "--shard-rows", "65536", "--entity-filter", "vehicle"]
VERSIONS = versions(REQUEST.dataset)
GATE = partial(judge, dataset=REQUEST.dataset, seed=REQUEST.seed)


class Requests:
    """What the S3 server is asked; `strike` is called once, at the request of a number, of those that write a part."""

    def __init__(self) -> None:
        self.writes = 0
        self._at = 0
        self._strike: Callable[[], None] = lambda: None

    def strike(self, at: int, strike: Callable[[], None]) -> None:
        """Count from now on, and strike at a number."""
        self.writes, self._at, self._strike = 0, at, strike

    def __call__(self, environ: Mapping[str, str]) -> None:
        """Take note of a request."""
        if environ["REQUEST_METHOD"] in ("PUT", "POST") and "/.esdh-staging/" in environ["PATH_INFO"]:
            self.writes += 1
            if self.writes == self._at:
                self._strike()


@pytest.fixture(scope="module")
def requests() -> Requests:
    """What the S3 server is asked."""
    return Requests()


@pytest.fixture(scope="module")
def endpoint(requests: Requests) -> Iterator[str]:
    """The address of an S3 server that notes what it is asked."""
    with objects.server(before=requests) as address:
        yield address


@contextmanager
def process(*arguments: str, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Run a program of Dask's, and end it with all that it has started."""
    command = [sys.executable, "-m", *arguments]
    started = subprocess.Popen(
        command,
        stderr=subprocess.PIPE if "scheduler" in arguments[0] else subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        yield started
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        if started.stderr is not None:
            started.stderr.close()


@contextmanager
def scheduler() -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Run a scheduler; yield its address and process."""
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    with process("distributed.cli.dask_scheduler", *options, environment={}) as started:
        assert started.stderr is not None
        found = (re.search(r"Scheduler at:\s+(tcp://\S+)", line) for line in started.stderr)
        yield next(match[1] for match in found if match), started


@contextmanager
def worker(address: str, folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a worker process, and one that starts it again when it dies."""
    options = (address, "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")
    scratch = ("--local-directory", str(folder))
    with process("distributed.cli.dask_worker", *options, *scratch, environment=environment):
        yield


@contextmanager
def two_workers(folder: Path, endpoint: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Run a scheduler and two worker processes."""
    environment = objects.environment(endpoint)
    with (
        scheduler() as (address, started),
        worker(address, folder, environment),
        worker(address, folder, environment),
    ):
        ready(address)
        yield address, started


def ready(address: str, workers: int = 2) -> list[int]:
    """Wait until there are so many workers, and return their process ids."""
    with Client(address, timeout=PATIENCE, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=PATIENCE)
        pids: list[int] = [*client.run(os.getpid).values()]
        return pids


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, endpoint: str) -> Iterator[str]:
    """The address of a scheduler with two worker processes."""
    with two_workers(tmp_path_factory.mktemp("scratch"), endpoint) as (address, _):
        yield address


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The snapshot as one process writes it into a folder."""
    folder = tmp_path_factory.mktemp("alone") / "s"
    write_snapshot(folder, REQUEST, gate=GATE)
    return objects.local(folder)


def generate(address: str, prefix: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run `esdh generate-snapshot` with a cluster."""
    command = [sys.executable, "-m", "esdh_cli", "generate-snapshot", "--scheduler", address]
    return subprocess.run(
        [*command, "--output-dir", prefix, *OPTIONS, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_cluster_writes_the_bytes_of_one_process(
    cluster: str, prefix: str, alone: dict[str, bytes], requests: Requests
) -> None:
    """The command has a cluster write every part to the store, with the bytes of one process in a folder."""
    requests.strike(0, lambda: None)
    done = generate(cluster, prefix)
    assert (0, f"Connecting to {prefix}\nConnecting to {cluster}\n") == (done.returncode, done.stderr)
    assert alone == objects.contents(prefix)
    assert requests.writes > 12  # its objects, of two formats and six parts


def test_cluster_writes_a_plan_in_every_format(cluster: str, prefix: str, tmp_path: Path) -> None:
    """A plan's tables, one of them fixed, travel to the workers with the request, in every format."""
    request = SnapshotRequest(
        dataset=load_plan("bank"), records=2_000, formats=("csv", "json", "ndjson", "parquet")
    )
    write_snapshot(tmp_path / "s", request)
    with connect(cluster, versions(request.dataset)) as executor:
        write_snapshot(locate(prefix), request, executor=executor)
    assert objects.local(tmp_path / "s") == objects.contents(prefix)


def test_cluster_verifies_as_one_process_does(cluster: str, tmp_path: Path) -> None:
    """A snapshot on a disk that all see is verified by the workers, whole or forged, with the outcome of one process."""
    folder = tmp_path / "s"
    write_snapshot(folder, REQUEST, gate=GATE)
    command = [sys.executable, "-m", "esdh_cli", "verify-snapshot", str(folder), "--json"]
    for status in (0, 1):
        outcomes = [
            subprocess.run(
                [*command, *options], capture_output=True, text=True, check=False, timeout=PATIENCE
            )
            for options in ([], ["--scheduler", cluster])
        ]
        assert [status, status] == [each.returncode for each in outcomes], outcomes[1].stderr
        assert outcomes[0].stdout == outcomes[1].stdout
        part = folder / "vehicles_v0_1.csv" / "part-00003.csv"
        part.write_bytes(part.read_bytes().replace(b"Sedan", b"Truck", 1))


@pytest.mark.parametrize("kill", range(KILLS))
def test_worker_that_is_killed_costs_nothing(
    cluster: str, prefix: str, alone: dict[str, bytes], requests: Requests, kill: int
) -> None:
    """A worker that is killed as some part is written is replaced, its parts are written again, and the bytes are the same."""
    draw = random.Random(kill)
    victim = draw.choice(ready(cluster))
    # Each object is begun, sent and finished, so that a run has more requests than this.
    requests.strike(draw.randint(1, 50), lambda: os.kill(victim, signal.SIGKILL))
    done = generate(cluster, prefix)
    assert 0 == done.returncode, done.stderr
    assert victim not in ready(cluster)
    assert alone == objects.contents(prefix)


@pytest.mark.parametrize("at", [1, 15])
def test_scheduler_that_goes_is_a_sentence(  # noqa: PLR0917 - fixtures
    tmp_path: Path, endpoint: str, prefix: str, alone: dict[str, bytes], requests: Requests, at: int
) -> None:
    """When the scheduler is killed the command says so, no file of the snapshot is there, and the next run writes it."""
    with two_workers(tmp_path, endpoint) as (address, started):
        requests.strike(at, started.kill)
        done = generate(address, prefix, "--quiet")
    assert (1, f"Error: the scheduler at {address} is gone; start it again, then run again\n") == (
        done.returncode,
        done.stderr,
    )
    # What the workers were at may come after.
    assert [] == [name for name in objects.contents(prefix) if not name.startswith(".esdh-staging/")]
    assert write_snapshot(locate(prefix), REQUEST, gate=GATE).written
    assert alone == objects.contents(prefix)


def test_interrupt_ends_the_run(cluster: str, prefix: str, requests: Requests) -> None:
    """Ctrl-C ends the command at once with one sentence, and no file of the snapshot is there."""
    command = [sys.executable, "-m", "esdh_cli", "generate-snapshot", "--scheduler", cluster, "--quiet"]
    with subprocess.Popen(
        [*command, "--output-dir", prefix, *OPTIONS], stderr=subprocess.PIPE, text=True
    ) as running:
        requests.strike(5, lambda: running.send_signal(signal.SIGINT))
        _, told = running.communicate(timeout=PATIENCE)
    assert (130, "Error: interrupted; nothing was changed\n") == (running.returncode, told)
    assert [] == [name for name in objects.contents(prefix) if not name.startswith(".esdh-staging/")]


def test_part_that_kills_its_workers_is_a_sentence(cluster: str) -> None:
    """A part over which one worker after the other dies ends the run with a sentence."""
    with (
        pytest.raises(WorkerError, match="one part was tried on 4 workers of tcp://"),
        connect(cluster, VERSIONS) as executor,
    ):
        executor.submit(os._exit, 1).result()
    ready(cluster)


def test_worker_with_another_version_is_refused_at_the_start(
    tmp_path: Path, endpoint: str, prefix: str
) -> None:
    """A worker with another version of esdh is named in a sentence before anything is written."""
    metadata = tmp_path / "earlier" / "esdh_export-0.0.9.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.4\nName: esdh-export\nVersion: 0.0.9\n")
    environment = {**objects.environment(endpoint), "PYTHONPATH": str(tmp_path / "earlier")}
    with scheduler() as (address, _), worker(address, tmp_path, environment):
        ready(address, 1)
        done = generate(address, prefix, "--quiet")
    assert (1, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert re.match(r"Error: worker tcp://\S+ has esdh-export 0\.0\.9, and this machine 0\.1\.0", done.stderr)
    assert {} == objects.contents(prefix)


def test_scheduler_that_is_not_there_is_a_sentence(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no scheduler listens, the error names the address."""
    monkeypatch.setattr("esdh_export.execution.cluster._FIRST_ANSWER", 0.5)
    with (
        pytest.raises(WorkerError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1 \(Timed out"),
        connect("tcp://127.0.0.1:1", VERSIONS),
    ):
        pass
    assert {} == objects.contents(prefix)
