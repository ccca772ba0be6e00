"""The esdh command group."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from esdh_core.datasets import catalog

from esdh_cli.commands.check_defects import check_defects
from esdh_cli.commands.check_plan import check_plan
from esdh_cli.commands.diff_snapshots import diff_snapshots
from esdh_cli.commands.generate_snapshot import generate_snapshot
from esdh_cli.commands.import_plan import import_plan
from esdh_cli.commands.list_plans import list_plans
from esdh_cli.commands.load_database import load_database
from esdh_cli.commands.lock_plan import lock_plan
from esdh_cli.commands.reproduce import reproduce
from esdh_cli.commands.sample import sample
from esdh_cli.commands.score_defects import score_defects
from esdh_cli.commands.serve import serve
from esdh_cli.commands.show_plan import show_plan
from esdh_cli.commands.unload_database import unload_database
from esdh_cli.commands.verify_audit import verify_audit
from esdh_cli.commands.verify_database import verify_database
from esdh_cli.commands.verify_snapshot import verify_snapshot
from esdh_cli.errors import exit_on_error, mask_passwords

__all__ = ["main"]


def _version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"esdh {version('esdh-cli')}, dataset version {catalog.VERSION}")
    context.exit()


class _WrongUsage(click.ClickException):
    """Wrong usage in one sentence; click's own form adds three lines of usage."""

    exit_code = 2


class _Group(click.Group):
    """The group, whose usage errors are one sentence."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with _one_sentence():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        # A command reports on its work within its own `exit_on_error`; what is interrupted out here is its output.
        with _one_sentence(), exit_on_error(after="at most the output is cut short"):
            return super().invoke(ctx)


@contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        see = f" (see {error.ctx.command_path} --help)" if error.ctx is not None else ""
        message = mask_passwords(error.format_message().rstrip("."))
        raise _WrongUsage(message + _plan_hint(error) + see) from error


def _plan_hint(error: click.UsageError) -> str:
    """Return how a plan is given, where a bare word may have been meant as one: check-plan takes it so, others don't."""
    if error.ctx is None or not error.message.startswith("Got unexpected extra argument"):
        return ""
    takes_plan = any("--plan" in each.opts for each in error.ctx.command.params)
    return "; a plan is given with --plan" if takes_plan else ""


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start with: esdh generate-snapshot",
    help=f"""Make synthetic data, the same on every machine, from a plan and a seed.

    Without --plan the data are {catalog.SUMMARY} for {catalog.PURPOSE}.
    """,
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def main() -> None:
    """Run `esdh`."""


main.add_command(check_defects)
main.add_command(check_plan)
main.add_command(diff_snapshots)
main.add_command(generate_snapshot)
main.add_command(import_plan)
main.add_command(list_plans)
main.add_command(load_database)
main.add_command(lock_plan)
main.add_command(reproduce)
main.add_command(sample)
main.add_command(score_defects)
main.add_command(serve)
main.add_command(show_plan)
main.add_command(unload_database)
main.add_command(verify_audit)
main.add_command(verify_database)
main.add_command(verify_snapshot)
