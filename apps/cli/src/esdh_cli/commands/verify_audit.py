"""esdh verify-audit: say whether an audit log is as it was written."""

import re
from pathlib import Path

import click

from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document
from esdh_cli.parameters import LocalPath

__all__ = ["verify_audit"]

_EXAMPLES = """\b
Examples:
  esdh verify-audit audit.jsonl
  esdh verify-audit audit.jsonl --last-hash H
"""


_HASH = re.compile(r"\s*[0-9a-fA-F]{64}\s*", re.ASCII)


def _whole(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and _HASH.fullmatch(value) is None:
        raise click.BadParameter(f"{value[:80]!r} is not 64 hexadecimal digits; give the hash whole")
    return value


@click.command(
    "verify-audit",
    epilog=_EXAMPLES,
    short_help="Say whether an audit log is as it was written.",
    help="""Check the chain of an audit log line by line: an edited, removed, inserted or moved line breaks it.

    Prints the last hash; keep it elsewhere, since a chain that was cut off at its end holds all the same.
    Exit status 1 when the chain is broken, or no line has the hash given with --last-hash; lines that were
    added since are fine.
    """,
)
@click.argument("file", metavar="FILE", type=LocalPath(path_type=Path))
@click.option(
    "--last-hash",
    callback=_whole,
    metavar="H",
    help="A last hash that was kept elsewhere: shows a cut-off end too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def verify_audit(*, file: Path, last_hash: str | None, as_json: bool) -> None:
    """Run `esdh verify-audit`."""
    with exit_on_error(after="nothing was verified"):
        import esdh_proof

        report = esdh_proof.verify_audit(file, last_hash=last_hash)
    if as_json:
        print_document(report)
    else:
        click.echo(f"verdict     {report.verdict}" + (f": {report.problem}" if report.problem else ""))
        click.echo(f"lines       {report.lines:,}" + (" before it" if report.problem else ""))
        click.echo(f"last hash   {report.last_hash}")
        if report.added is not None:
            click.echo(f"added       {report.added:,} since the kept hash")
        click.echo(f"caution     {report.caution}")
    if report.problem:
        raise click.exceptions.Exit(1)
