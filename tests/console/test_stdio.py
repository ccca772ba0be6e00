"""Standard streams that are closed, full, without a reader, or of an encoding that lacks characters."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CLOSED = ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-")
STATES = """
import os, sys
from esdh_console import reliable_streams
with reliable_streams("nothing was done"), open("states", "w") as file:
    print(file.fileno() > 2, [os.get_inheritable(each) for each in range(3)], file=file)
    print(sys.stdin.read(), end=""), print("out"), print("err", file=sys.stderr)
"""
PRINTS = """
import sys
from esdh_console import reliable_streams
with reliable_streams("nothing was done"):
    print("caf\\u00e9 \\u6771")
    print("a word", file=sys.stderr)
    sys.exit(3)
"""


def run(code: str, redirection: str = "", **variables: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a program under the shell's redirections, its stdin empty."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=os.environ | variables,
    )


@pytest.mark.parametrize("closed", CLOSED)
def test_no_file_takes_the_place_of_a_stream(
    closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed stream is the null device, which children inherit, so that no file that is opened takes its place."""
    monkeypatch.chdir(tmp_path)
    done = run(STATES, closed)
    assert (0, "True [True, True, True]\n") == (done.returncode, Path("states").read_text())
    assert (b"" if "1>" in closed else b"out\n", b"" if "2>" in closed else b"err\n") == (
        done.stdout,
        done.stderr,
    )


def test_characters_that_stdout_lacks_are_escaped() -> None:
    """A character that stdout's encoding lacks is escaped, and the program's exit status stays."""
    done = run(PRINTS, PYTHONIOENCODING="latin-1")
    assert (3, b"caf\xe9 \\u6771\n", b"a word\n") == (done.returncode, done.stdout, done.stderr)


def test_full_stdout_is_one_sentence() -> None:
    """Where stdout takes nothing one sentence says so and how things stand, with exit status 1."""
    done = run(PRINTS, ">/dev/full", PYTHONIOENCODING="utf-8")
    sentence = b"Error: the output could not be printed (No space left on device); nothing was done"
    assert (1, [b"a word", sentence]) == (done.returncode, done.stderr.splitlines())


def test_full_stderr_changes_nothing() -> None:
    """What stderr doesn't take is lost; the output and the exit status stay."""
    done = run(PRINTS, "2>/dev/full", PYTHONIOENCODING="utf-8")
    assert (3, "caf\u00e9 \u6771\n") == (done.returncode, done.stdout.decode())


def test_reader_that_goes_away_ends_the_program_quietly() -> None:
    """Without a reader of stdout the program ends with no more words, and the status that SIGPIPE gives in a shell."""
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run([sys.executable, "-c", PRINTS], stdout=theirs, stderr=subprocess.PIPE, check=False)
    os.close(theirs)
    assert (128 + signal.SIGPIPE, b"a word\n") == (done.returncode, done.stderr)
