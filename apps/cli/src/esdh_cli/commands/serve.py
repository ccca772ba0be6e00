"""esdh serve: start the preview API and its demo page."""

import os
import sys

import click

__all__ = ["serve"]


@click.command(
    "serve",
    short_help="Serve the preview API and the demo page.",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def serve(args: tuple[str, ...]) -> None:
    """Become the server's own command, `python -m esdh_api`: apps never import each other."""
    from importlib.util import find_spec

    if find_spec("esdh_api") is None:
        raise click.ClickException(
            "the server is not installed here; install esdh-api (apps/api) beside esdh-cli"
        )
    # -P: a file in the current folder must not stand in for a module of ours.
    command = [sys.executable, "-P", "-m", "esdh_api", *args]
    environment = os.environ | {"ESDH_PROGRAM_NAME": "esdh serve"}
    sys.stdout.flush()
    if os.name == "posix":  # the same process: signals reach the server, and nobody stands between
        os.execve(sys.executable, command, environment)  # noqa: S606 - our own interpreter, no shell
    import signal
    import subprocess

    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # the server gets Ctrl-C too, and decides when it has stopped
    raise SystemExit(subprocess.run(command, env=environment, check=False).returncode)  # noqa: S603 - as above
