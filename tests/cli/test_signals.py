"""Ctrl-C and SIGTERM in the midst of a run."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

STRUCK = """
import os, sys
from contextlib import contextmanager
from esdh_cli.commands import generate_snapshot as command
from esdh_cli.main import main

@contextmanager
def striking(total, *, hidden):
    yield lambda records: os.kill(os.getpid(), int(sys.argv.pop()))

if __name__ == "__main__":
    command.recorded = striking
    main(sys.argv[1:-1])
"""


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_is_a_sentence(tmp_path: Path, number: signal.Signals, workers: str) -> None:
    """An interrupted run tells in one sentence that nothing changed, names what --resume takes up, and can be resumed."""
    script = tmp_path / "struck.py"
    script.write_text(STRUCK)
    args = ["generate-snapshot", "--output-dir", str(tmp_path / "s"), "--records", "200000"]
    args += ["--output-format", "csv", "--entity-filter", "vehicles", "--shard-rows", "65536"]
    done = subprocess.run(
        [sys.executable, script, *args, "--workers", workers, str(number.value)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (128 + number, "") == (done.returncode, done.stdout), done.stderr
    assert 1 == len(done.stderr.splitlines()), done.stderr
    assert "interrupted; nothing was changed" in done.stderr
    assert f"parts are finished and stay in '{tmp_path}/.s.esdh-staging', for --resume" in done.stderr
    assert not (tmp_path / "s").exists()
    again = subprocess.run(
        [sys.executable, "-m", "esdh_cli", *args, "--resume"], capture_output=True, text=True, check=True
    )
    assert ("resumed" in again.stdout) == (workers == "2")  # one worker was struck within its first part
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=tmp_path / "s", check=True)
