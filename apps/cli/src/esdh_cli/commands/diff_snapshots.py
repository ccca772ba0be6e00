"""esdh diff-snapshots: say why two snapshots differ."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from esdh_core.datasets import catalog

from esdh_cli.audit import audit_options, audit_run
from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document
from esdh_cli.parameters import LocalPath
from esdh_cli.signals import interruptible

if TYPE_CHECKING:
    from esdh_proof import SnapshotDiff

__all__ = ["diff_snapshots"]

_EXAMPLES = f"""\b
Examples:
  esdh diff-snapshots data/snapshots/{catalog.VERSION} out
  esdh diff-snapshots monday tuesday --json
"""
_MAX_LINES = 8  # lines of a kind in the text form; --json has them all


@click.command(
    "diff-snapshots",
    epilog=_EXAMPLES,
    short_help="Say why two snapshots differ.",
    help="""Compare the snapshots in folders A and B and attribute what differs to its cause.

    Other dataset version, rules, seed, size, entities, formats or layout; edited rows; or the same data in
    other bytes. Tells the statistics that moved, and by how much. Exit status 1 when they differ.
    """,
)
@click.argument("a", metavar="A", type=LocalPath(path_type=Path))
@click.argument("b", metavar="B", type=LocalPath(path_type=Path))
@audit_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def diff_snapshots(*, a: Path, b: Path, audit_log: Path | None, actor: str | None, as_json: bool) -> None:
    """Run `esdh diff-snapshots`."""
    with exit_on_error(after="nothing was compared"), interruptible():
        import esdh_proof

        with audit_run(audit_log, actor, "diff-snapshots", a, b) as run:
            drift = esdh_proof.diff_snapshots(a, b)
            differ = drift.cause != "none"
            run.end("differ" if differ else "same", *drift.identities, detail=drift.cause if differ else "")
    if as_json:
        print_document(drift)
    else:
        _print(drift)
    if differ:
        raise click.exceptions.Exit(1)


def _print(drift: "SnapshotDiff") -> None:
    click.echo(f"cause       {drift.cause}: {drift.meaning}")
    if len(drift.causes) > 1:
        click.echo(f"also        {', '.join(drift.causes[1:])}")
    for name, (a, b) in drift.claims.items():
        click.echo(f"claim       {name}: {a} in A, {b} in B")
    if drift.prefix is not None:
        click.echo(f"prefix      {'the smaller is the beginning of the larger' if drift.prefix else 'no'}")
    _lines("field", drift.fields)
    for rows in drift.rows:
        fields = ", ".join(f"{name} {count:,}" for name, count in list(rows.fields.items())[:_MAX_LINES])
        formats = rows.a_format if rows.a_format == rows.b_format else f"{rows.a_format} and {rows.b_format}"
        unread = f"; {rows.unread:,} missing or unreadable" if rows.unread else ""
        click.echo(
            f"rows        {rows.entity} ({formats}): {rows.differing:,} of {rows.compared:,} differ{unread}"
        )
        click.echo(f"            {fields}" if fields else "            no field of them")
        for value in rows.first:
            click.echo(f"            record {value.row}, {value.field}: {value.a} in A, {value.b} in B")
    _lines("file", drift.files)
    for each in drift.statistics[:_MAX_LINES]:
        labels = ", ".join(f"{x.label} {x.a_share:.2%} to {x.b_share:.2%}" for x in each.labels)
        click.echo(f"moved       {each.entity} {each.statistic} by {each.distance:.4f}: {labels}")
    _lines("damaged", drift.damaged)


def _lines(word: str, lines: list[str]) -> None:
    for line in lines[:_MAX_LINES]:
        click.echo(f"{word:<11} {line}")
    if len(lines) > _MAX_LINES:
        click.echo(f"{'':<11} and {len(lines) - _MAX_LINES} more")
