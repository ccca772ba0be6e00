"""The command that starts the server: `python -m esdh_api`, and `esdh serve` through it."""

import os
from typing import Any

import click
from esdh_console import reliable_streams
from msgspec import structs

__all__ = ["main", "serve_command"]

_PROGRAM = "ESDH_PROGRAM_NAME"  # what `esdh serve` calls itself in our help and messages

_EXAMPLES = """\b
Examples:
  esdh serve
  esdh serve --port 8080 --threads 8
  esdh serve --plan bank --plan plans/shop.yaml
  esdh serve --plan bank --defects typos.yaml --defects orphans.yaml
  ESDH_API_KEY=secret esdh serve --host 0.0.0.0

\b
Environment:
  ESDH_API_KEY      the key that /generate and /records ask for in X-API-Key; none when unset
  ESDH_MAX_RECORDS  the most records of one request; 1000 when unset
  ESDH_MAX_ROWS     the most rows to expect in one answer of a plan; 10000 when unset
  ESDH_CACHE_MB     megabytes for rows of earlier requests, which the next of the same seed get sooner; 64 when
                    unset, 0 keeps none
  ESDH_PLAN         what --plan says when it isn't given; several as in PATH
  ESDH_DEFECTS      what --defects says when it isn't given; several as in PATH
"""


class _Command(click.Command):
    """A command whose usage errors are one sentence; click's own form adds three lines of usage."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(info_name, args, *rest, **extra)
        except click.UsageError as error:
            sentence = error.format_message().rstrip(".")
            raise click.UsageError(f"{sentence} (see {info_name} --help)") from error


@click.command(
    cls=_Command,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="Serve the preview API and the demo page until Ctrl-C or SIGTERM; a request under way finishes first.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Host name or address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5000,
    show_default=True,
    help="Port to listen on; 0 takes a free one and prints it.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Requests that are answered at the same time.",
)
@click.option(
    "--plan",
    "plans",
    multiple=True,
    metavar="P",
    help="Plan to serve, repeatable: the name of one that ships, a file (with a slash or a suffix) or a snapshot's "
    "folder. The first answers /generate, each /plans/<name>/generate. The default dataset alone when none is given.",
)
@click.option(
    "--defects",
    "defects",
    multiple=True,
    metavar="[DATASET=]FILE",
    help="List of defects that requests can ask for, repeatable: a file, or a snapshot's folder; its name is the file's without the "
    "suffix. It belongs to the dataset that it fits; where several do, DATASET (such as bank) says whose it is. A plan's own list is "
    "offered as `plan`.",
)
def serve_command(
    *, host: str, port: int, threads: int, plans: tuple[str, ...], defects: tuple[str, ...]
) -> None:
    """Run the server."""
    from esdh_api.app import create_app
    from esdh_api.logs import make_logger
    from esdh_api.server import ListenError, is_loopback, listen, serve, url_of
    from esdh_api.settings import Settings

    settings = Settings.from_environment()
    if plans:
        settings = structs.replace(settings, plans=plans)
    if defects:
        settings = structs.replace(settings, defects=defects)
    app = create_app(settings)
    try:
        listener = listen(host, port)
    except ListenError as error:
        raise click.ClickException(str(error)) from error
    url = url_of(listener)
    log = make_logger()
    if settings.api_key is None and not is_loopback(listener):
        log.warning(f"anybody who reaches {url} can generate data; set ESDH_API_KEY to ask for a key")

    def announce() -> None:
        click.echo(f"Listening on {url}\nDemo page at {url}/demo\nCtrl-C stops the server")

    serve(app, listener, threads=threads, log=log, ready=announce)
    click.echo("Stopped")


def main() -> None:
    """Run the command under the name that it was called by."""
    with reliable_streams("the server does not run"):
        serve_command.main(prog_name=os.environ.get(_PROGRAM, "python -m esdh_api"))
