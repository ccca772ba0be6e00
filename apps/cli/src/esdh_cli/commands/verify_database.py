"""esdh verify-database: prove that a database holds what a load has put there."""

from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from esdh_load import DatabaseCheck, DatabaseVerification, RowFailure

__all__ = ["verify_database"]

_EXAMPLES = """\b
Examples:
  esdh verify-database sqlite:///test.db
  esdh verify-database postgresql://qa@localhost/bank --db-schema staging
  esdh verify-database duckdb:///test.duckdb --load 2 --json
"""


@click.command(
    "verify-database",
    epilog=_EXAMPLES,
    short_help="Prove that a database holds what a load has put there.",
    help="""Verify a load in the database at URI, in one state of it, without changing anything.

    Every row is read back and held against the row that the seed gives. Six named checks say what they claim, over
    how many rows, and of what failed the first table, row and field, what was found and what was expected. Rows
    of the testers' own are counted; a row that says by its id or its marker that it is generated, and is of no
    load, fails. Exit status 1 when a check fails.
    """,
)
@database_options
@load_option
@click.option("--exact", is_flag=True, help="Rows of the testers' own fail too.")
@audit_options
@click.option("--quiet", is_flag=True, help="Print only what failed; no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def verify_database(
    *,
    uri: str,
    db_schema: str | None,
    load: int | None,
    exact: bool,
    audit_log: Path | None,
    actor: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run `esdh verify-database`."""
    needs_databases()
    with exit_on_error(after="nothing was verified"), interruptible():
        import esdh_load

        with audit_run(audit_log, actor, "verify-database", display_uri(uri)) as run:
            with counted(hidden=quiet or as_json, unit="rows") as progress:
                outcome = esdh_load.verify_database(
                    uri, schema=db_schema, load=load, exact=exact, progress=progress
                )
            failed = [check.name for check in outcome.checks if check.status == "failed"]
            run.end(
                outcome.verdict,
                database_identity(outcome),
                detail=f"checks that failed: {', '.join(failed)}" if failed else "",
            )
    if as_json:
        print_document(outcome)
    else:
        _print(outcome, quiet=quiet)
    if outcome.verdict == "failed":
        raise click.exceptions.Exit(1)


def _print(outcome: "DatabaseVerification", *, quiet: bool) -> None:
    for check in outcome.checks:
        if not quiet or check.status == "failed":
            _print_check(check)
    if quiet:
        return
    records = f"{outcome.records:,} records, {outcome.dataset_version}"
    click.echo(f"load        {outcome.load} of {outcome.database}: seed {outcome.seed}, {records}")
    click.echo("unproven    " + ("\n" + " " * 12).join(outcome.unproven))
    click.echo(f"verdict     {outcome.verdict}")


def _print_check(check: "DatabaseCheck") -> None:
    rows = f" ({check.rows:,} rows)" if check.rows else ""
    click.echo(f"{check.name:<11} {check.status:<8} {check.claim}{rows}")
    if check.first is not None:
        more = f"; {check.failures - 1:,} more" if check.failures > 1 else ""
        found = "nothing" if check.first.found is None else check.first.found
        click.echo(f"            {_place(check.first)}: found {found}; expected {check.first.expected}{more}")
    if check.reason is not None:
        click.echo(f"            {check.reason}")
    for note in check.notes:
        click.echo(f"            {note}")


def _place(failure: "RowFailure") -> str:
    """Return where a failure is, as somebody looks for it in the database."""
    key = ", ".join(f"{name} {'null' if value is None else value}" for name, value in failure.key.items())
    record = "" if failure.record is None else f"record {failure.record}"
    return ", ".join(each for each in (failure.table, key, record, failure.field) if each)
