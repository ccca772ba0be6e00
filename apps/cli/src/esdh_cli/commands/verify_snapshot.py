"""esdh verify-snapshot: prove from the files alone what can be proved of a snapshot."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
from esdh_core.datasets import catalog

from esdh_cli.audit import audit_options, audit_run
from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document
from esdh_cli.parameters import WORKERS, LocalPath
from esdh_cli.progress import counted
from esdh_cli.scheduler import check_alone, cluster, scheduler_option, tell_connecting
from esdh_cli.signals import interruptible

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from esdh_proof import Check, Verification

__all__ = ["verify_snapshot"]

_EXAMPLES = f"""\b
Examples:
  esdh verify-snapshot data/snapshots/{catalog.VERSION}
  esdh verify-snapshot out --json
  esdh verify-snapshot old --no-regenerate
  esdh verify-snapshot big --workers 4
  esdh verify-snapshot /shared/big --scheduler tcp://host:8786
"""


@click.command(
    "verify-snapshot",
    epilog=_EXAMPLES,
    short_help="Prove that a snapshot is whole, synthetic and true.",
    help="""Verify the snapshot in folder D from its files alone, without changing anything.

    Ten named checks look at every row of every format. Each says what it claims, over how many rows, and of
    what failed the first file, record, field, what was found and what was expected. Rows whose bytes are those
    that the seed gives are checked as they were made; any others are read value by value. Exit status 1 when
    a check fails.
    """,
)
@click.argument("folder", metavar="D", type=LocalPath(path_type=Path))
@click.option(
    "--no-regenerate",
    is_flag=True,
    help="Read every value, and don't make the rows again from the seed; says what stays unproven.",
)
@click.option(
    "--workers",
    type=WORKERS,
    metavar="W",
    help="Processes that verify parts side by side; the outcome is the same.  [default: one a core, as far as memory has room]",
)
@scheduler_option(
    "Address of a running Dask cluster that verifies the parts; its workers see D at the same path, on a disk that all share."
)
@audit_options
@click.option("--quiet", is_flag=True, help="Print only what failed; no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def verify_snapshot(
    *,
    folder: Path,
    no_regenerate: bool,
    workers: int | None,
    scheduler: str | None,
    audit_log: Path | None,
    actor: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run `esdh verify-snapshot`."""
    check_alone(scheduler, workers)
    with exit_on_error(after="nothing was verified"), interruptible(), ExitStack() as stack:
        # As early as can be: its processes import what they need while this one does.
        executor = _pool(stack, workers, folder) if scheduler is None else None
        import esdh_proof

        with audit_run(audit_log, actor, "verify-snapshot", folder) as run:
            if scheduler is not None:
                executor = _cluster(stack, scheduler, folder, quiet=quiet)
            with counted(hidden=quiet or as_json) as progress:
                outcome = esdh_proof.verify_snapshot(
                    folder,
                    regenerate=not no_regenerate,
                    workers=workers,
                    executor=executor,
                    progress=progress,
                )
            failed = [check.name for check in outcome.checks if check.status == "failed"]
            run.end(
                outcome.verdict,
                esdh_proof.SnapshotIdentity(
                    folder=str(folder),
                    dataset_version=outcome.dataset_version,
                    seed=outcome.seed,
                    records=outcome.records,
                    plan_sha256=outcome.plan_sha256,
                    content=outcome.content,
                ),
                detail=f"checks that failed: {', '.join(failed)}" if failed else "",
            )
    if as_json:
        print_document(outcome)
    else:
        _print(outcome, quiet=quiet)
    if outcome.verdict == "failed":
        raise click.exceptions.Exit(1)


def _pool(stack: ExitStack, workers: int | None, folder: Path) -> "Executor | None":
    """Return a pool of workers for a snapshot whose tables are folders of parts, one worker for no more than a part."""
    parts = max((sum(1 for _ in table.glob("part-*")) for table in folder.glob("*/")), default=0)
    if min(workers or parts, parts) <= 1:
        return None
    from esdh_export.execution.worker_pool import start_workers

    formats = ["parquet"] if any(folder.glob("*/part-00000.parquet")) else []
    return start_workers(stack, workers, parts, formats=formats, modules=["esdh_proof.verification.work"])


def _cluster(stack: ExitStack, scheduler: str, folder: Path, *, quiet: bool) -> "Executor":
    """Return a cluster whose workers see the folder."""
    from esdh_proof.verification.shared_folder import SharedFolder, programs

    connected = stack.enter_context(cluster(scheduler, programs(), None if quiet else tell_connecting))
    return SharedFolder(connected, folder)


def _print(outcome: "Verification", *, quiet: bool) -> None:
    for check in outcome.checks:
        if not quiet or check.status == "failed":
            _print_check(check, unit="record" if outcome.dataset_version == catalog.VERSION else "row")
    if quiet:
        return
    if outcome.seed is not None:
        click.echo(f"snapshot    seed {outcome.seed}, {outcome.records:,} records, {outcome.dataset_version}")
    click.echo("unproven    " + ("\n" + " " * 12).join(outcome.unproven))
    click.echo(f"verdict     {outcome.verdict}")


def _print_check(check: "Check", *, unit: str) -> None:
    rows = f" ({check.rows:,} rows)" if check.rows else ""
    click.echo(f"{check.name:<11} {check.status:<8} {check.claim}{rows}")
    if check.first is not None:
        first = check.first
        place = [first.file, *([f"{unit} {first.row}"] if first.row is not None else [])]
        place += [first.field] if first.field else []
        more = f"; {check.failures - 1:,} more" if check.failures > 1 else ""
        found = "nothing" if first.found is None else first.found
        click.echo(f"            {', '.join(place)}: found {found}; expected {first.expected}{more}")
    if check.reason is not None:
        click.echo(f"            {check.reason}")
    for note in check.notes:
        click.echo(f"            {note}")
