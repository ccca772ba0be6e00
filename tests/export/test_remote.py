"""Snapshots on an object store, against a real S3 protocol server on loopback."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from esdh_export import GateError, Prefix, SnapshotRequest, TargetError, locate, write_snapshot
from esdh_export.execution.worker_pool import WorkerPool
from esdh_export.storage.object_store import _limited, _Stream, asking
from esdh_manifest import GateCheck, Gates
from objects import SECRET, contents, local, put
from pyarrow import fs

ALL = ("csv", "json", "ndjson", "parquet")
SMALL = SnapshotRequest(records=20, formats=ALL)
PATIENCE = 60  # seconds; what hangs in vain does so for longer


def test_objects_are_the_files_of_a_local_snapshot(prefix: str, tmp_path: Path) -> None:
    """A snapshot on the store has the bytes of one in a folder, and left untouched is told from written."""
    write_snapshot(tmp_path / "s", SMALL)
    assert write_snapshot(locate(prefix), SMALL).written
    assert local(tmp_path / "s") == contents(prefix)
    assert not write_snapshot(locate(prefix), SMALL).written
    assert not write_snapshot(locate(f"{prefix}/"), SMALL).written


def test_workers_write_straight_to_the_store(prefix: str, tmp_path: Path) -> None:
    """Several processes write the parts, with the bytes of one."""
    request = SnapshotRequest(
        records=65_536 + 10, formats=("csv", "json", "parquet"), entities=("vehicle",), shard_rows=65_536
    )
    write_snapshot(tmp_path / "s", request)
    with WorkerPool(2) as pool:
        write_snapshot(locate(prefix), request, executor=pool)
    assert local(tmp_path / "s") == contents(prefix)


@pytest.mark.parametrize("overwrite", [False, True])
def test_prefix_that_is_not_empty_is_refused(prefix: str, overwrite: bool) -> None:
    """Another snapshot, a damaged one, an unfinished one and somebody's object are refused, and stay."""
    write_snapshot(locate(prefix), SMALL)
    before = contents(prefix)
    with pytest.raises(TargetError, match=r"holds another snapshot .* name an empty prefix"):
        write_snapshot(locate(prefix), SnapshotRequest(records=21), overwrite=overwrite)
    assert before == contents(prefix)
    put(prefix, "persons_v0_1.csv", before["persons_v0_1.csv"].replace(b"Personal", b"personal"))
    with pytest.raises(TargetError, match=r"damaged: persons_v0_1\.csv is of SHA-256"):
        write_snapshot(locate(prefix), SMALL, overwrite=overwrite)
    put(prefix, "notes.txt", b"mine")
    with pytest.raises(TargetError, match=r"holds 'notes\.txt' beside a snapshot"):
        write_snapshot(locate(prefix), SMALL, overwrite=overwrite)
    with pytest.raises(TargetError, match=r"no snapshot_manifest_v0_1\.json, so it is no snapshot"):
        write_snapshot(locate(prefix.removesuffix("/prefix")), SMALL, overwrite=overwrite)


def test_run_that_fails_leaves_nothing(prefix: str) -> None:
    """A run that fails before its manifest leaves no object, and the next one writes the snapshot."""

    def gate(_: object) -> None:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        write_snapshot(locate(prefix), SMALL, gate=gate)  # type: ignore[arg-type] # it never returns
    assert {} == contents(prefix)
    assert write_snapshot(locate(prefix), SMALL).written


def test_refusal_leaves_nothing(prefix: str) -> None:
    """A snapshot that the gate refuses leaves no object in the prefix, and the message says so."""
    check = GateCheck(
        entity="persons",
        statistic="ages",
        records=1,
        method="a test",
        passed=False,
        distance=1.0,
        bound=0.5,
        worst="16",
        observed=1,
        expected=0.0,
        reported={},
    )
    gates = Gates(verdict="failed", level=1e-6, checks=[check])
    with pytest.raises(GateError, match="nothing was written"):
        write_snapshot(locate(prefix), SMALL, gate=lambda _: gates)
    assert {} == contents(prefix)


def test_resume_needs_a_folder(prefix: str) -> None:
    """--resume into a prefix is refused in words."""
    with pytest.raises(TargetError, match="--resume"):
        write_snapshot(locate(prefix), SMALL, resume=True)


@pytest.mark.parametrize("user", [f"id:{SECRET}@", "id@"])
def test_credentials_in_the_uri_are_refused_unsaid(user: str) -> None:
    """A URI with credentials is refused, and the message doesn't repeat them."""
    with pytest.raises(TargetError, match="environment") as refused:
        locate(f"s3://{user}bucket/prefix")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("uri", ["http://host/x", "s3://bucket/x?password=hush-hush", "nosuch://x"])
def test_unknown_place_is_refused(uri: str) -> None:
    """A URI that Arrow's file systems don't know is refused without its query."""
    with pytest.raises(TargetError, match="Arrow's file systems know") as refused:
        locate(uri)
    assert SECRET not in str(refused.value)


def test_file_uri_is_a_folder(tmp_path: Path) -> None:
    """A file URI is the local folder, with all its guarantees; so is what has no scheme."""
    assert tmp_path / "a b" == locate(f"file://{tmp_path}/a%20b")
    assert Path("some/folder") == locate("some/folder")
    assert isinstance(locate("s3://bucket/prefix?region=eu-west-1"), Prefix)


@pytest.mark.usefixtures("prefix")
def test_missing_bucket_is_a_sentence() -> None:
    """What the server refuses is told in one sentence, with exit status 1 and nothing secret."""
    done = subprocess.run(
        [sys.executable, "-m", "esdh_cli", "generate-snapshot", "--output-dir", "s3://no-such-bucket/x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (1, 2) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert done.stderr.startswith("Connecting to s3://no-such-bucket/x\nError: ")
    assert "'s3://no-such-bucket/x' can't be read or written" in done.stderr
    assert SECRET not in done.stderr


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A listener that takes connections and never answers, in the place of the store."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            monkeypatch.setenv(name, "us-east-1")
        listener.settimeout(PATIENCE)
        yield listener


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_silent_store_can_be_interrupted(silent: socket.socket, number: signal.Signals) -> None:
    """A run that waits for a store says so first, and a signal ends it, without waiting for the store."""
    process = subprocess.Popen(
        [sys.executable, "-m", "esdh_cli", "generate-snapshot", "--output-dir", "s3://b/x?region=r"],
        stderr=subprocess.PIPE,
        text=True,
    )
    with process, silent.accept()[0]:
        process.send_signal(number)
        try:
            _, told = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert 128 + number == process.returncode
    assert "Connecting to s3://b/x\nError: interrupted; nothing was changed\n" == told


@pytest.mark.usefixtures("silent")
def test_silent_store_is_given_up() -> None:
    """A store without a first answer in time is told in one sentence, with exit status 1; --quiet says only that."""
    code = "from esdh_export.storage import object_store as remote\nfrom esdh_cli.__main__ import run\nremote._FIRST_ANSWER = 0.5\nrun()"
    command_line = [sys.executable, "-c", code, "generate-snapshot", "--output-dir", "s3://b/x", "--quiet"]
    done = subprocess.run(command_line, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (1, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines())), done.stderr
    assert "the store of output folder 's3://b/x' gave no answer in 0.5 seconds" in done.stderr


class Hanging:
    """A stream that is struck in a write, hangs there, and counts how often it is asked."""

    closed = False

    def __init__(self) -> None:
        self.asked = 0
        self.over = threading.Event()

    def write(self, _: memoryview) -> None:
        """Hang until it is over."""
        self.asked += 1
        signal.raise_signal(signal.SIGINT)
        self.over.wait(PATIENCE)

    flush = close = lambda self: self.write(memoryview(b""))


def test_write_that_was_given_up_is_the_last() -> None:
    """Ctrl-C ends the wait for a write that hangs, and closing the object asks the store nothing more."""
    hanging = Hanging()
    stream = _Stream(hanging)
    with pytest.raises(KeyboardInterrupt):
        stream.write(memoryview(b"data"))
    stream.flush()
    stream.close()
    assert (1, True, True) == (hanging.asked, stream.closed, asking())
    hanging.over.set()


@pytest.mark.parametrize(
    ("uri", "limited"),
    [
        ("gs://b/x", "gs://b/x?retry_limit_seconds=60"),
        ("gcs://b/x?scheme=http", "gcs://b/x?scheme=http&retry_limit_seconds=60"),
        ("gs://b/x?retry_limit_seconds=5", "gs://b/x?retry_limit_seconds=5"),
        ("s3://b/x", "s3://b/x"),
    ],
)
def test_retries_of_a_store_have_an_end(uri: str, limited: str) -> None:
    """Google's client, which would try again for 15 minutes, is told when to stop, unless the user does."""
    assert limited == _limited(uri)
    fs.FileSystem.from_uri(limited.replace("s3://b/x", "s3://b/x?region=r"))  # Arrow knows the option


def test_command_writes_to_a_prefix(prefix: str) -> None:
    """The command writes to a URI and names it."""
    done = subprocess.run(
        [sys.executable, "-m", "esdh_cli", "generate-snapshot", "--output-dir", prefix],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"Wrote {prefix}\n" in done.stdout
    assert "snapshot_manifest_v0_1.json" in contents(prefix)
