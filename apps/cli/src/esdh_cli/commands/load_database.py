"""esdh load-database: put rows into a database, all tables or nothing."""

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
from esdh_core.constants import DEFAULT_RECORDS, DEFAULT_SEED
from esdh_core.datasets import catalog

from esdh_cli.audit import audit_options, audit_run
from esdh_cli.databases import database_identity, database_options, display_uri, load_option, needs_databases
from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document
from esdh_cli.parameters import LocalPath, ManyValuesCommand, Words
from esdh_cli.plans import RECORDS, SEED, open_plan, plan_option, tables_named
from esdh_cli.progress import recorded
from esdh_cli.signals import interruptible

if TYPE_CHECKING:
    from esdh_load import LoadedRows
    from esdh_load.source import Source

__all__ = ["load_database"]

_WORTH_SHOWING = 100_000  # rows; a database takes about that many in a second
_EXAMPLES = """\b
Examples:
  esdh load-database sqlite:///qa.db
  esdh load-database postgresql://qa@localhost/qa --plan bank --records 100000 --seed 7
  esdh load-database postgresql:///?service=qa --snapshot out --db-schema staging
  esdh load-database duckdb:///qa.duckdb --plan bank --records 5000 --replace
A password comes from PGPASSWORD, ~/.pgpass or a service file; one in the URI works too, and is never printed.
The URI may stand in ESDH_DATABASE_URI.
"""


@click.command(
    "load-database",
    cls=ManyValuesCommand,
    epilog=_EXAMPLES,
    short_help="Put rows into PostgreSQL, SQLite or DuckDB.",
    help="""Load a snapshot, or rows that are made from a plan, into the database at URI.

    The tables are made, with types, keys, checks and comments. All of it is one transaction: whatever fails leaves the
    database as it was. The table esdh_loads says what was loaded, and `esdh verify-database` proves that it is there.
    """,
)
@database_options
@click.option(
    "--snapshot",
    type=LocalPath(path_type=Path),
    metavar="D",
    help="Load this snapshot, whose checksums must hold; without it rows are made.",
)
@plan_option
@click.option("--records", type=RECORDS, metavar="N", help=f"Records to make.  [default: {DEFAULT_RECORDS}]")
@click.option("--seed", type=SEED, metavar="S", help=f"Seed to make them of.  [default: {DEFAULT_SEED}]")
@click.option(
    "--entity-filter",
    type=Words(),
    multiple=True,
    metavar="E...",
    help=f"Only these entities: {', '.join(catalog.TABLES)}; of a plan, its tables.  [default: all]",
)
@click.option(
    "--replace",
    is_flag=True,
    help="First remove what an earlier load put into these tables, and nothing else.",
)
@load_option
@click.option(
    "--into-existing", is_flag=True, help="Append to tables that are there, after comparing their columns."
)
@audit_options
@click.option("--quiet", is_flag=True, help="Print only the seed; no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def load_database(
    *,
    uri: str,
    db_schema: str | None,
    snapshot: Path | None,
    plan: str | None,
    records: int | None,
    seed: int | None,
    entity_filter: tuple[tuple[str, ...], ...],
    replace: bool,
    load: int | None,
    into_existing: bool,
    audit_log: Path | None,
    actor: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run `esdh load-database`."""
    if snapshot is not None:
        for option, value in (("--plan", plan), ("--records", records), ("--seed", seed)):
            if value is not None:
                raise click.UsageError(f"--snapshot says itself what it holds; leave out {option} {value}")
    if load is not None and not replace:
        raise click.UsageError(f"--load {load} says which load --replace takes the place of; give both")
    needs_databases()
    names = [name for group in entity_filter for name in group]
    with exit_on_error(), interruptible(), ExitStack() as stack:
        import datetime as dt

        import esdh_load
        from esdh_proof import SnapshotIdentity

        run = stack.enter_context(audit_run(audit_log, actor, "load-database", display_uri(uri)))
        esdh_load.parse_uri(uri)  # before anything is made
        source: Source
        if snapshot is not None:
            source = esdh_load.SnapshotSource(snapshot, entities=names)
        else:
            dataset = open_plan(plan)
            source = esdh_load.PlanSource(
                dataset,
                records=DEFAULT_RECORDS if records is None else records,
                seed=DEFAULT_SEED if seed is None else seed,
                entities=tables_named(dataset, names, "entity_filter"),
            )
        run.about(
            SnapshotIdentity(
                folder=display_uri(uri),
                dataset_version=source.dataset.dataset_version,
                seed=source.seed,
                records=source.records,
                plan_sha256=source.dataset.plan_sha256,
            )
        )
        hidden = quiet or as_json
        with recorded(source.expected_rows, hidden=hidden, unit="rows", worth=_WORTH_SHOWING) as advance:
            loaded = esdh_load.load_database(
                uri,
                source,
                now=dt.datetime.now(dt.UTC),
                schema=db_schema,
                replace=replace,
                number=load,
                into_existing=into_existing,
                progress=advance,
                phase=None if hidden or advance is None else _tell,
                waiting=None if quiet else _tell_waiting,
            )
        run.end("written", database_identity(loaded))
    if as_json:
        print_document(loaded, indent=False)
    elif quiet:
        click.echo(f"seed {loaded.seed}")
    else:
        _print(loaded)


def _tell(phase: str) -> None:
    click.echo(phase, err=True)


def _tell_waiting() -> None:
    click.echo("Waiting for another load to end", err=True)


def _print(loaded: "LoadedRows") -> None:
    schema = "" if loaded.db_schema is None else f", schema {loaded.db_schema}"
    click.echo(f"Loaded load {loaded.load} into {loaded.database}{schema}")
    if loaded.replaced is not None:
        click.echo(f"  replaced load {loaded.replaced}")
    click.echo(f"  dataset  {loaded.dataset_version}")
    click.echo(f"  seed     {loaded.seed}")
    click.echo(f"  records  {loaded.records:,}")
    click.echo(f"  rows     {', '.join(f'{rows:,} {table}' for table, rows in loaded.rows.items())}")
    for table, digest in loaded.content.items():
        click.echo(f"  content  {digest}  {table}")
    option = "" if loaded.db_schema is None else f" --db-schema {shlex.quote(loaded.db_schema)}"
    number = f" --load {loaded.load}" if loaded.others else ""
    click.echo(f"To verify: esdh verify-database {shlex.quote(loaded.database)}{option}{number}")
