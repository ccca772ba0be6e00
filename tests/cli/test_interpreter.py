"""What is written, hashed, served and told doesn't depend on how Python runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FORMATS = ("csv", "json", "ndjson", "parquet")
# Each as the options of Python and the environment beside it.
MANNERS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "no docstrings": ((), {"PYTHONOPTIMIZE": "2"}),
    "another machine": (
        ("-O", "-X", "utf8=0", "-X", "int_max_str_digits=640"),
        {
            "LC_ALL": "C",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONHASHSEED": "1",
            "PYTHONIOENCODING": "latin-1",
            "TZ": "Asia/Kathmandu",
        },
    ),
    "strict": (("-bb", "-X", "dev"), {"PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}),
}
manners = pytest.mark.parametrize("manner", MANNERS)


def run(manner: str | None, *command: str, cwd: Path) -> str:
    """Return what `python COMMAND` prints, run in a manner; `None` is Python's usual one."""
    options, variables = MANNERS[manner] if manner else ((), {})
    # The environment of these tests may set what is to be told apart.
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LC_", "LANG"))
    }
    done = subprocess.run(
        [sys.executable, *options, *command],
        cwd=cwd,
        env=own | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr), f"{command} in the manner {manner!r}"
    return done.stdout


def esdh(manner: str | None, *args: str, cwd: Path) -> str:
    """Return what `esdh ARGS` prints."""
    return run(manner, "-m", "esdh_cli", *args, cwd=cwd)


def generate(manner: str | None, folder: Path) -> dict[str, bytes]:
    """Generate a snapshot in every format and return its files."""
    esdh(
        manner,
        *("generate-snapshot", "--output-dir", "s", "--records", "1000", "--output-format", *FORMATS),
        cwd=folder,
    )
    snapshot = folder / "s"
    return {
        path.relative_to(snapshot).as_posix(): path.read_bytes()
        for path in snapshot.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """The folder and the files of a snapshot that Python's usual manner wrote."""
    folder = tmp_path_factory.mktemp("usual")
    return folder, generate(None, folder)


@manners
def test_snapshot(manner: str, usual: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    """A snapshot has the same files to the byte, and each of two manners verifies what the other wrote."""
    folder, files = usual
    assert files == generate(manner, tmp_path)
    assert "verdict     passed" in esdh(manner, "verify-snapshot", "s", cwd=folder)
    assert "verdict     passed" in esdh(None, "verify-snapshot", "s", cwd=tmp_path)


@manners
@pytest.mark.parametrize(
    "command", [("show-plan", "--json"), ("--help",), ("generate-snapshot", "--help")], ids=" ".join
)
def test_printed(manner: str, command: tuple[str, ...], tmp_path: Path) -> None:
    """The plan and the help are the same text."""
    assert esdh(None, *command, cwd=tmp_path) == esdh(manner, *command, cwd=tmp_path)


@manners
def test_openapi(manner: str, tmp_path: Path) -> None:
    """The OpenAPI document is the same to the byte, descriptions included."""
    code = (
        "from esdh_api import Settings; from esdh_api.openapi import openapi_json\n"
        "from esdh_api.responses import Responses; from esdh_core import DEFAULT_DATASET\n"
        "print(openapi_json(Settings(), Responses(DEFAULT_DATASET)).decode())"
    )
    assert run(None, "-c", code, cwd=tmp_path) == run(manner, "-c", code, cwd=tmp_path)
