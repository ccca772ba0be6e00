"""The esdh command group."""

import click

from esdh_cli.commands.generate_snapshot import generate_snapshot
from esdh_cli.commands.reproduce import reproduce
from esdh_cli.commands.show_plan import show_plan

__all__ = ["main"]


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"esdh {version('esdh-cli')}, dataset version v0.1")
    context.exit()


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start with: esdh generate-snapshot",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def main() -> None:
    """Make synthetic persons, vehicles and profiles for insurance QA: the same on every machine, from a seed."""


main.add_command(generate_snapshot)
main.add_command(reproduce)
main.add_command(show_plan)
