"""Standard streams that are closed, full, without a reader, or of an encoding that lacks characters."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from esdh_cli.main import main

ESDH = (sys.executable, "-m", "esdh_cli")
ID = "7b847f8b-0bf6-8164-86ee-1e9155a80ffc"
NONE = "0<&- 1>&- 2>&-"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


def shell(line: str, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command under the shell's redirections."""
    return subprocess.run(
        ["/bin/sh", "-c", f"{shlex.join(command)} {line}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
    )


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", NONE])
def test_snapshot_is_the_same_without_a_stream(closed: str) -> None:
    """A snapshot that workers make is whole, and the command says that it is done, whichever streams are closed."""
    args = ["--records", "70000", "--entity-filter", "profiles", "--output-format", "csv", "parquet"]
    args += ["--shard-rows", "65536", "--workers", "2", "--audit-log", "audit.jsonl"]
    done = shell(closed, *ESDH, "generate-snapshot", "--output-dir", "s", *args)
    assert (0, "") == (done.returncode, done.stderr)
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd="s", check=True)


def test_every_command_works_without_streams() -> None:
    """Every command of one process gives the exit status that it gives with streams."""
    assert 0 == shell("", *ESDH, "generate-snapshot", "--output-dir", "s", "--audit-log", "a").returncode
    for args in (
        ("--help",),
        ("generate-snapshot", "--output-dir", "s", "--json"),
        ("verify-snapshot", "s"),
        ("diff-snapshots", "s", "s"),
        ("verify-audit", "a"),
        ("reproduce", ID),
        ("show-plan", "--json"),
    ):
        assert 0 == shell(NONE, *ESDH, *args).returncode, args
    assert 1 == shell(NONE, *ESDH, "verify-snapshot", "nothing").returncode
    assert 2 == shell(NONE, *ESDH, "nothing").returncode


def test_characters_that_stdout_lacks_are_escaped() -> None:
    """A name that stdout's encoding lacks is escaped in the report, and the work is done."""
    done = shell("", *ESDH, "generate-snapshot", "--output-dir", "東京", PYTHONIOENCODING="cp1252")
    assert (0, "") == (done.returncode, done.stderr)
    assert r"Wrote \u6771\u4eac" == done.stdout.splitlines()[0]


@pytest.mark.parametrize(
    "args", [("--help",), ("--version",), ("reproduce", ID), ("reproduce", "--json", ID), ("show-plan",)]
)
def test_output_that_can_not_be_printed_is_told(args: tuple[str, ...]) -> None:
    """Where stdout takes nothing one true sentence says so, with exit status 1."""
    done = shell(">/dev/full", *ESDH, *args)
    assert 1 == done.returncode
    assert (
        "Error: the output could not be printed (No space left on device); the work before it was done\n"
        == done.stderr
    )


@pytest.mark.parametrize("args", [("verify-snapshot", "s"), ("diff-snapshots", "s", "s"), ("--help",)])
def test_reader_that_goes_away_ends_the_command_quietly(args: tuple[str, ...]) -> None:
    """Without a reader the command ends without a word, with the exit status that SIGPIPE gives in a shell."""
    shell("", *ESDH, "generate-snapshot", "--output-dir", "s")
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run([*ESDH, *args], stdout=theirs, stderr=subprocess.PIPE, text=True, check=False)
    os.close(theirs)
    assert (128 + signal.SIGPIPE, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("args", "status"), [(("nothing",), 2), (("reproduce", "x"), 1), (("show-plan",), 0)]
)
def test_full_stderr_changes_no_exit_status(args: tuple[str, ...], status: int) -> None:
    """What stderr doesn't take is lost, and the exit status stays."""
    assert status == shell("2>/dev/full", *ESDH, *args).returncode


def test_interrupt_of_the_output_says_nothing_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the output is printed doesn't say that the work was undone."""

    def strike(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    CliRunner().invoke(main, ["generate-snapshot", "--output-dir", "s"])
    monkeypatch.setattr("esdh_cli.commands.verify_snapshot._print", strike)
    result = CliRunner().invoke(main, ["verify-snapshot", "s"])
    assert (130, "Error: interrupted; at most the output is cut short\n") == (result.exit_code, result.stderr)
