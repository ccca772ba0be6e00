"""esdh show-plan: what is generated and how."""

import click
from esdh_core.datasets import catalog

from esdh_cli.databases import needs_databases
from esdh_cli.errors import exit_on_error
from esdh_cli.plans import open_plan, plan_option

__all__ = ["show_plan"]

_EXAMPLES = """\b
Examples:
  esdh show-plan
  esdh show-plan --format markdown > plan.md
  esdh show-plan --plan bank
  esdh show-plan --plan bank --format yaml > mine.yaml
  esdh show-plan --plan bank --format sql --dialect mysql > bank.sql
  esdh show-plan --format json | sha256sum     (the manifest's plan_sha256)
"""


@click.command(
    "show-plan",
    epilog=_EXAMPLES,
    short_help="Tell what is generated and how.",
    help="Tell what is generated and how: each field's rule, stream, distribution and source.",
)
@plan_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", "yaml", "sql"]),
    default="text",
    show_default=True,
    help="How to print it; yaml: the source of a plan that ships, or of a file; sql: the tables, as DDL.",
)
@click.option(
    "--dialect",
    type=click.Choice(["postgres", "sqlite", "duckdb", "mysql"]),
    help="The database of --format sql.  [default: postgres]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def show_plan(*, plan: str | None, form: str, dialect: str | None, as_json: bool) -> None:
    """Run `esdh show-plan`."""
    if dialect is not None and (form != "sql" or as_json):
        raise click.UsageError(f"--dialect {dialect} is of --format sql; give that too")
    with exit_on_error():
        if form == "sql" and not as_json:
            needs_databases()
            from esdh_load import render_ddl

            click.echo(render_ddl(open_plan(plan), dialect or "postgres"), nl=False)
            return
        if form == "yaml" and not as_json:
            from esdh_plan.references import source_of

            click.echo(source_of(catalog.VERSION if plan is None else plan), nl=False)
            return
        from esdh_core import plan_markdown, plan_text

        dataset = open_plan(plan)
        if as_json or form == "json":
            # Bytes: the manifest's plan_sha256 is of exactly these, on every platform.
            click.echo(dataset.plan_json, nl=False)
        else:
            render = plan_markdown if form == "markdown" else plan_text
            click.echo(render(dataset), nl=False)
