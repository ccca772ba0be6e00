"""esdh serve becomes the server's own command."""

import subprocess

import pytest
from click.testing import CliRunner
from esdh_cli.main import main
from serving import ESDH, environment, serving


@pytest.mark.demo
def test_signals_reach_the_server() -> None:
    """The command's process is the server: SIGTERM stops it with status 0, and its options are passed on."""
    with serving("--threads", "1", "--host", "127.0.0.1", command=ESDH) as server:
        assert 0 == server.stop()
        assert server.process.stdout is not None
        assert server.process.stdout.read().endswith("Stopped\n")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_the_servers_own(flag: str) -> None:
    """--help shows the server's options under this command's name."""
    done = subprocess.run([*ESDH, flag], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: esdh serve [OPTIONS]")
    assert "--threads" in done.stdout


def test_wrong_usage_and_settings_are_the_servers_own() -> None:
    """Wrong usage is one sentence and status 2, from the server itself."""
    done = subprocess.run(
        [*ESDH, "--port", "x"], env=environment(), capture_output=True, text=True, check=False
    )
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "(see esdh serve --help)" in done.stderr


def test_server_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server isn't installed one sentence says what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    result = CliRunner().invoke(main, ["serve"])
    assert (1, 1) == (result.exit_code, len(result.stderr.splitlines()))
    assert "install esdh-api" in result.stderr


def test_help_of_esdh_lists_it() -> None:
    """The group's help has the command."""
    assert "serve" in CliRunner().invoke(main, ["--help"]).stdout
