"""The server's command line: help and usage."""

import pytest
from click.testing import CliRunner
from esdh_api.command import serve_command


def test_help_names_options_and_environment() -> None:
    """Help has an example, the defaults and the settings of the environment."""
    shown = CliRunner().invoke(serve_command, ["--help"], prog_name="esdh serve").stdout
    assert shown.startswith("Usage: esdh serve [OPTIONS]")
    for text in (
        "127.0.0.1",
        "5000",
        "--threads",
        "ESDH_API_KEY",
        "ESDH_MAX_RECORDS",
        "esdh serve --port 8080",
    ):
        assert text in shown


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--port", "70000"], "70000"),
        (["--port", "http"], "'http'"),
        (["--threads", "0"], "0 is not in the range"),
        (["stray"], "stray"),
        (["--debug"], "--debug"),
    ],
)
def test_wrong_usage_is_one_sentence(args: list[str], message: str) -> None:
    """Wrong usage exits with 2 and one sentence that names the help."""
    result = CliRunner().invoke(serve_command, args, prog_name="esdh serve")
    assert (2, "", 1) == (result.exit_code, result.stdout, len(result.stderr.splitlines()))
    assert message in result.stderr
    assert "(see esdh serve --help)" in result.stderr
