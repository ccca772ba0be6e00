"""esdh lock-plan: make the pools of a plan, once."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document, write_whole
from esdh_cli.parameters import LocalPath

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from esdh_plan.language import Source

__all__ = ["lock_plan"]

_EXAMPLES = """\b
Examples:
  esdh lock-plan shop.yaml              (writes shop.lock.json beside it)
  esdh lock-plan shop.yaml --check
  esdh lock-plan shop.yaml --renew      (values change: raise the plan's version)
"""


@click.command(
    "lock-plan",
    epilog=_EXAMPLES,
    short_help="Make the pools that a plan draws from.",
    help="""Make the pools of the plan in FILE (its fields with `faker:`) and keep them in FILE's lock beside it.

    The lock is read ever after, so that Faker is needed only here and its next version changes nothing: keep it
    with the plan. Pools that it has already stay as they are; those that the plan no longer names go.
    """,
)
@click.argument("file", metavar="FILE", type=LocalPath(path_type=Path))
@click.option(
    "--check", is_flag=True, help="Only say whether the lock has the plan's pools; exit status 1 if not."
)
@click.option("--renew", is_flag=True, help="Make pools anew that the lock has already.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def lock_plan(*, file: Path, check: bool, renew: bool, as_json: bool) -> None:
    """Run `esdh lock-plan`."""
    if check and renew:
        raise click.UsageError("--check changes nothing, and --renew everything; give one of them")
    with exit_on_error():
        from esdh_plan import plans
        from esdh_plan.locks import lock_name, read_lock, required_pools
        from esdh_plan.references import parse_file

        if str(file) in plans.names() and not file.is_file():
            raise click.UsageError(
                f"{file} ships, with the pools that it draws from; to change it, begin with "
                f"esdh show-plan --plan {file} --format yaml > mine.yaml, and lock that"
            )
        source = parse_file(str(file))
        path = file.parent / lock_name(str(file))
        pools = {name: words.pool for name, words in required_pools(source.plan).items()}
        try:
            had = read_lock(file.parent, str(file))
        except ValueError:  # a lock that is damaged, which is made anew
            if not renew:
                raise
            had = {}
        lacks = [name for name, size in pools.items() if len(had.get(name, ())) != size]
        unused = [name for name in had if name not in pools]
        status = "current"
        if check:
            status = "stale" if lacks or unused else "current"
        elif lacks or unused or (renew and pools):
            status = "written" if pools else "removed"
            if pools:
                write_whole(path, _make_lock(source, {} if renew else had))
            else:
                path.unlink()
    if as_json:
        print_document(
            {"status": status, "lock": str(path), "pools": pools, "lacks": lacks, "unused": unused}
        )
    else:
        _tell(status, path, pools, lacks, unused)
    if status == "stale":
        raise click.exceptions.Exit(1)


def _make_lock(source: "Source", had: "Mapping[str, Sequence[str]]") -> bytes:
    from esdh_plan.locks import make_lock

    try:
        return make_lock(source, previous=had)
    except ModuleNotFoundError as error:
        raise click.ClickException(
            "Faker, which makes pools, is not installed here; install esdh-plan[faker]"
        ) from error


def _tell(status: str, path: Path, pools: dict[str, int], lacks: list[str], unused: list[str]) -> None:
    if status == "stale":
        differences = [f"lacks {name} ({pools[name]:,} values)" for name in lacks] + [
            f"has {name}, which nothing uses" for name in unused
        ]
        click.echo(f"{path} {'; '.join(differences)}: run esdh lock-plan without --check")
    elif status == "removed":
        click.echo(f"Removed {path}: the plan has no pools")
    elif not pools:
        click.echo("The plan has no pools; it needs no lock")
    else:
        click.echo(f"{'Wrote' if status == 'written' else 'Nothing to do:'} {path}")
        for name, size in pools.items():
            suffix = " (new)" if status == "written" and name in lacks else ""
            click.echo(f"  {name}: {size:,} values{suffix}")
