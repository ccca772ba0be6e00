"""esdh list-plans: the plans that ship."""

import click
from esdh_core.datasets import catalog

from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document

__all__ = ["list_plans"]

_EXAMPLES = """\b
Examples:
  esdh list-plans
  esdh show-plan --plan bank --format yaml > mine.yaml     (to begin a plan of your own)
"""


@click.command(
    "list-plans",
    epilog=_EXAMPLES,
    short_help="List the plans that ship.",
    help="List the plans that ship, by the names that --plan takes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_plans(*, as_json: bool) -> None:
    """Run `esdh list-plans`."""
    with exit_on_error():
        from esdh_plan import parse_plan, plans

        found = [
            (catalog.VERSION, catalog.VERSION, f"{catalog.SUMMARY}, for {catalog.PURPOSE} (the default)")
        ]
        for name in plans.names():
            plan = parse_plan(plans.source(name), name).plan
            found.append((name, f"{plan.name} v{plan.version}", " ".join((plan.description or "").split())))
    if as_json:
        keys = ("name", "dataset_version", "description")
        print_document({"plans": [dict(zip(keys, each, strict=True)) for each in found]})
        return
    widths = [max(len(each[at]) for each in found) for at in (0, 1)]
    for name, version, description in found:
        click.echo(f"{name:<{widths[0]}}  {version:<{widths[1]}}  {description}")
