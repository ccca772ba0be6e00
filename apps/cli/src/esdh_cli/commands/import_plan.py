"""esdh import-plan: a plan from a schema that exists."""

import shlex
from pathlib import Path

import click

from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document, write_whole
from esdh_cli.parameters import LocalPath

__all__ = ["import_plan"]

_DIALECTS = ("postgres", "mysql", "sqlite", "tsql", "snowflake")
_EXAMPLES = """\b
Examples:
  esdh import-plan schema.sql                              (prints the plan)
  esdh import-plan schema.sql --output shop.yaml
  esdh import-plan schema.sql --dialect postgres --root customers --output shop.yaml
  esdh import-plan datapackage.json --output shop.yaml
  esdh import-plan orders.parquet > orders.yaml
"""


class _WrongSource(click.ClickException):
    """A source that can't become a plan, in one sentence that begins with its file."""

    exit_code = 2


@click.command(
    "import-plan",
    epilog=_EXAMPLES,
    short_help="Make a plan from a schema that you have.",
    help="""Make a plan that runs at once from the schema in SOURCE, and print it or write it to --output.

    SOURCE is SQL DDL (.sql, .ddl), a Data Package, Table Schema or JSON Schema (.json), an Open Data Contract Standard
    file of version 3 (.yaml, .yml), or a Parquet file (.parquet). No row of data is read: what the plan knows is names,
    types and keys. What it can't express, and what you should decide, is a comment in it and a line on stderr.
    """,
)
@click.argument("source", metavar="SOURCE", type=LocalPath(path_type=Path))
@click.option("--output", metavar="FILE", type=LocalPath(path_type=Path), help="Write the plan to FILE.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
@click.option(
    "--dialect",
    type=click.Choice(_DIALECTS),
    help="The dialect of SQL; told from the text where only one reads it, or all read it alike.",
)
@click.option(
    "--root", metavar="TABLE", help="The table that --records counts; by default that with most below it."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, with the plan and the notes in it."
)
def import_plan(
    *,
    source: Path,
    output: Path | None,
    overwrite: bool,
    dialect: str | None,
    root: str | None,
    as_json: bool,
) -> None:
    """Run `esdh import-plan`."""
    if overwrite and output is None:
        raise click.UsageError("--overwrite is of --output, which isn't given")
    with exit_on_error():
        import esdh_plan

        try:
            imported = esdh_plan.import_plan(source, dialect=dialect, root=root)
        except esdh_plan.ImportSourceError as error:
            raise _WrongSource(f"{source}: {error}") from error
        if output is not None:
            _write(output, imported.text, overwrite=overwrite)
    if as_json:
        written = None if output is None else str(output)
        print_document(
            {"source": str(source), "output": written, "plan": imported.text, "notes": imported.notes}
        )
        return
    if output is None:
        click.echo(imported.text, nl=False)
    for note in imported.notes:
        click.echo(note, err=True)
    if output is not None:
        click.echo(f"Wrote {output}; look at it with: esdh check-plan {shlex.quote(str(output))}", err=True)


def _write(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a plan; one that is there stays, unless it is to be replaced."""
    try:
        write_whole(path, text.encode(), replace=overwrite)
    except FileExistsError as error:
        raise click.UsageError(
            f"{path} is there already; name another --output, or give --overwrite"
        ) from error
