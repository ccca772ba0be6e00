"""esdh unload-database: remove a load's rows from a database, and nothing else."""

from pathlib import Path

import click

from esdh_cli.audit import audit_options, audit_run
from esdh_cli.databases import (
    database_identity,
    database_options,
    display_uri,
    load_option,
    needs_databases,
)
from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document
from esdh_cli.progress import counted
from esdh_cli.signals import interruptible

__all__ = ["unload_database"]

_EXAMPLES = """\b
Examples:
  esdh unload-database sqlite:///test.db
  esdh unload-database postgresql://qa@localhost/bank --db-schema staging --load 2
  esdh unload-database duckdb:///test.duckdb --cascade
"""


@click.command(
    "unload-database",
    epilog=_EXAMPLES,
    short_help="Remove what a load has put into a database.",
    help="""Remove a load's rows from the database at URI, in one transaction; rows of others stay, and so do the tables.

    A row is the load's by its key, whatever else was changed in it. Where rows of others refer to the load's, they are
    named and nothing is removed, unless --cascade removes them too.
    """,
)
@database_options
@load_option
@click.option("--cascade", is_flag=True, help="Also remove rows of others that refer to the load's rows.")
@audit_options
@click.option("--quiet", is_flag=True, help="Print nothing; no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def unload_database(
    *,
    uri: str,
    db_schema: str | None,
    load: int | None,
    cascade: bool,
    audit_log: Path | None,
    actor: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run `esdh unload-database`."""
    needs_databases()
    with exit_on_error(after="nothing was removed"), interruptible():
        import esdh_load

        with audit_run(audit_log, actor, "unload-database", display_uri(uri)) as run:
            with counted(hidden=quiet or as_json, unit="rows") as progress:
                outcome = esdh_load.unload_database(
                    uri,
                    schema=db_schema,
                    load=load,
                    cascade=cascade,
                    progress=progress,
                    waiting=None if quiet else _say_waiting,
                )
            detail = ", ".join(
                f"{count:,} attached rows of {name}" for name, count in outcome.attached.items()
            )
            run.end("removed", database_identity(outcome), detail=detail)
    if as_json:
        print_document(outcome)
        return
    if quiet:
        return
    for name, count in outcome.rows.items():
        gone = outcome.absent.get(name, 0)
        click.echo(f"{name}: {count:,} rows removed" + (f"; {gone:,} were gone already" if gone else ""))
    for name, count in outcome.attached.items():
        rows = "1 row" if count == 1 else f"{count:,} rows"
        click.echo(f"{name}: {rows} of others that referred to them removed")
    click.echo(f"Load {outcome.load} is gone from {outcome.database}; its tables stay, for the next one")


def _say_waiting() -> None:
    click.echo("Waiting for another load to end", err=True)
