"""The server with standard streams that are closed or full."""

import os
import subprocess
import urllib.request
from pathlib import Path

import pytest
from serving import ESDH, PYTHON, environment, serving


@pytest.mark.parametrize("command", [PYTHON, ESDH])
def test_server_answers_without_stdin_and_stderr(command: tuple[str, ...]) -> None:
    """With stdin and stderr closed the server answers, and no socket takes their place."""
    closed = ("/bin/sh", "-c", 'exec "$@" 0<&- 2>&-', "sh", *command)
    with serving(command=closed) as server:
        with urllib.request.urlopen(f"{server.url}/healthz") as answer:
            assert 200 == answer.status
        folder = Path(f"/proc/{server.process.pid}/fd")
        assert [os.devnull] * 2 == [str((folder / number).readlink()) for number in "02"]
        assert 0 == server.stop()


@pytest.mark.parametrize("command", [PYTHON, ESDH])
@pytest.mark.parametrize("option", ["--port=0", "--help"])
def test_addresses_that_can_not_be_printed_are_told(command: tuple[str, ...], option: str) -> None:
    """Where stdout takes nothing one sentence says so and that no server runs, with exit status 1."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command, option], env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert 1 == done.returncode
    assert (
        "Error: the output could not be printed (No space left on device); the server does not run\n"
        == done.stderr
    )
