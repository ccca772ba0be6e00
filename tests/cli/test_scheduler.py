"""--scheduler: what is refused before a cluster is asked."""

import subprocess
import sys

import pytest


def refusal(*options: str) -> tuple[int, str]:
    """Run `esdh generate-snapshot`, and return its exit status and what it says on stderr."""
    command = [sys.executable, "-m", "esdh_cli", "generate-snapshot", "--quiet", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["tcp://h:1"],
            "the workers of tcp://h:1 don't see the folder 'data/snapshots/v0.1' of this machine",
        ),
        (["tcp://h:1", "--output-dir", "out"], "don't see the folder 'out'"),
        (["http://h:1", "--output-dir", "s3://b/x"], "'http://h:1' is no address of a Dask scheduler"),
        (["tcp://h", "--output-dir", "s3://b/x"], "give one such as tcp://host:8786"),
        (["tcp://h:1", "--workers", "2"], "--scheduler and --workers exclude each other"),
        (["tcp://h:1", "--records", "8589934593", "--output-dir", "s3://b/x"], "is not an integer from 1 to"),
    ],
)
def test_wrong_use_is_a_sentence(options: list[str], sentence: str) -> None:
    """A folder of this machine, a wrong address and what excludes a cluster are refused in one line, with exit status 2."""
    status, told = refusal("--scheduler", *options)
    assert (2, 1) == (status, len(told.splitlines())), told
    assert sentence in told


def test_missing_dask_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Dask isn't installed, the error names the extra that brings it."""
    from esdh_export import ExportError
    from esdh_export.execution.cluster import connect

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ExportError, match=r"install esdh-cli\[dask\]"), connect("tcp://h:1", {}):
        pass
