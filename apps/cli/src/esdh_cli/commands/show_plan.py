"""esdh show-plan: what is generated and how."""

import click

from esdh_cli.errors import exit_on_error

__all__ = ["show_plan"]

_EXAMPLES = """\b
Examples:
  esdh show-plan
  esdh show-plan --format markdown > plan.md
  esdh show-plan --format json | sha256sum     (the manifest's plan_sha256)
"""


@click.command(
    "show-plan",
    epilog=_EXAMPLES,
    short_help="Tell what is generated and how.",
    help="Tell what is generated and how: each field's rule, stream, distribution and source.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def show_plan(*, form: str, as_json: bool) -> None:
    """Run `esdh show-plan`."""
    with exit_on_error():
        from esdh_core import DEFAULT_DATASET, plan_markdown, plan_text

        if as_json or form == "json":
            # Bytes: the manifest's plan_sha256 is of exactly these, on every platform.
            click.echo(DEFAULT_DATASET.plan_json, nl=False)
        else:
            render = plan_markdown if form == "markdown" else plan_text
            click.echo(render(DEFAULT_DATASET), nl=False)
