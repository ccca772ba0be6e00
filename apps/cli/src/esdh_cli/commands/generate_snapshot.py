"""esdh generate-snapshot: write a checksummed snapshot into a folder."""

import shlex
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from esdh_core.constants import DEFAULT_RECORDS, DEFAULT_SEED, MAX_RECORDS, MAX_SEED
from esdh_core.datasets import catalog

from esdh_cli.audit import audit_options, audit_run
from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document
from esdh_cli.parameters import WORKERS, IntegerText, LocalPath, ManyValuesCommand, OneOf, Words
from esdh_cli.plans import (
    RECORDS,
    SEED,
    defects_option,
    open_defects,
    open_plan,
    plan_option,
    quoted_plan,
    tables_named,
)
from esdh_cli.progress import recorded
from esdh_cli.scheduler import check_alone, cluster, scheduler_option, tell_connecting
from esdh_cli.signals import interruptible

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from esdh_core import Dataset
    from esdh_export import SnapshotRequest, WrittenSnapshot

__all__ = ["generate_snapshot"]

FOLDER = "data/snapshots"
DEFAULT_OUTPUT = f"{FOLDER}/{catalog.VERSION}"
DEFAULT_SHARD_ROWS = 1_048_576
FORMATS = {name: name for name in ("csv", "json", "ndjson", "parquet")}
OTHER_NAMES = {"jsonl": "ndjson", "jsonlines": "ndjson", "pq": "parquet"}

_EXAMPLES = f"""\b
Examples:
  esdh generate-snapshot
  esdh generate-snapshot --output-dir out --records 5000 --output-format csv parquet
  esdh generate-snapshot --output-dir out --randomize --entity-filter {" ".join([*catalog.TABLES][:2])}
  esdh generate-snapshot --output-dir out --overwrite --audit-log audit.jsonl --actor "night build"
  esdh generate-snapshot --plan bank.yaml --records 1000 --output-format csv json ndjson parquet
  esdh generate-snapshot --defects defects.yaml --output-dir dirty
  esdh generate-snapshot --output-dir big --records 10000000 --output-format parquet --shard-rows 1048576
  esdh generate-snapshot --output-dir s3://bucket/big --records 1000000000 --scheduler tcp://host:8786
"""


@click.command(
    "generate-snapshot",
    cls=ManyValuesCommand,
    epilog=_EXAMPLES,
    short_help="Write a checksummed snapshot into a folder.",
    help=f"""Write a deterministic, checksummed snapshot of synthetic {catalog.SUMMARY}.

    The same request gives the same bytes on every machine. The folder is taken whole or not at all: one
    that holds exactly this snapshot is left untouched, one that holds another needs --overwrite, and one
    that holds a file of yours is always refused. With --plan it is a snapshot of that plan's tables.

    With --defects, or a plan that lists defects, some cells are wrong on purpose: a further table, defects, has a
    label for each, with its clean value, and every other cell is as it would be without them.
    """,
)
@plan_option
@defects_option
@click.option("--no-defects", is_flag=True, help="Leave out the defects that the plan lists.")
@click.option(
    "--output-dir",
    type=LocalPath(),
    metavar="D",
    help="Folder that the snapshot takes, or the URI of an empty prefix (s3://bucket/prefix).  "
    f"[default: {DEFAULT_OUTPUT}; of a plan {FOLDER}/<name>_v<version>]",
)
@click.option(
    "--records",
    type=RECORDS,
    default=DEFAULT_RECORDS,
    show_default=True,
    metavar="N",
    help="Records: so many of each entity; of a plan, rows of its root table, each with all rows below it.",
)
@click.option(
    "--seed",
    type=SEED,
    metavar="S",
    help=f"Seed of the data.  [default: {DEFAULT_SEED}]",
)
@click.option("--randomize", is_flag=True, help="Draw a seed, print it and record it.")
@click.option(
    "--entity-filter",
    type=Words(),
    multiple=True,
    metavar="E...",
    help=f"Only these entities: {', '.join(catalog.TABLES)}; of a plan, its tables.  [default: all]",
)
@click.option(
    "--output-format",
    type=OneOf(FORMATS, others=OTHER_NAMES),
    multiple=True,
    metavar="F...",
    help="Formats: csv, json, ndjson, parquet.  [default: csv json]",
)
@click.option(
    "--shard-rows",
    type=IntegerText(1, MAX_RECORDS, "8589934592"),
    metavar="R",
    help="Past so many records a file becomes a folder of parts; a multiple of 65536. 983040 fits a spreadsheet.  "
    f"[default: {DEFAULT_SHARD_ROWS}; of a plan as many as give up to 2^21 rows]",
)
@click.option(
    "--workers",
    type=WORKERS,
    metavar="W",
    help="Processes that write parts side by side; the bytes are the same.  [default: one a core, as far as memory has room]",
)
@scheduler_option(
    "Have a running Dask cluster write the parts, to a prefix of an object store (docs/CLUSTERS.md)."
)
@click.option("--resume", is_flag=True, help="Take over the finished parts of an earlier run that failed.")
@click.option("--overwrite", is_flag=True, help="Replace another snapshot in the folder.")
@click.option(
    "--no-gate",
    is_flag=True,
    help="Don't hold the data against the plan's distributions; recorded in the manifest.",
)
@audit_options
@click.option("--quiet", is_flag=True, help="Print only the seed; no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def generate_snapshot(
    *,
    plan: str | None,
    defects: str | None,
    no_defects: bool,
    output_dir: str | None,
    records: int,
    seed: int | None,
    randomize: bool,
    entity_filter: tuple[tuple[str, ...], ...],
    output_format: tuple[tuple[str, ...], ...],
    shard_rows: int | None,
    workers: int | None,
    scheduler: str | None,
    resume: bool,
    overwrite: bool,
    no_gate: bool,
    audit_log: Path | None,
    actor: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run `esdh generate-snapshot`."""
    _check_together(seed, randomize=randomize, resume=resume, workers=workers, scheduler=scheduler)
    if defects is not None and no_defects:
        raise click.UsageError("--defects and --no-defects exclude each other; give one of them")
    formats = tuple(name for names in output_format for name in names) or ("csv", "json")
    with exit_on_error(), interruptible(), ExitStack() as stack:
        dataset = None if plan is None else open_plan(plan)
        entities = tables_named(dataset, (name for names in entity_filter for name in names), "entity_filter")
        if dataset is None:
            folder, shard_rows = DEFAULT_OUTPUT, shard_rows or DEFAULT_SHARD_ROWS
        else:
            folder, shard_rows = _folder(dataset), shard_rows or dataset.default_shard_rows
        # As early as can be: its processes import what they need while this one does.
        parts = 1 if scheduler else -(-records // shard_rows)  # those that this machine writes
        pool = _pool(stack, workers, parts, formats)
        dataset = dataset or open_plan(None)
        overlay = None if no_defects else open_defects(defects, plan, dataset)
        from esdh_export import SnapshotRequest, locate, write_snapshot
        from esdh_proof.gates import judge, skip
        from esdh_proof.identity import SnapshotIdentity

        connecting = None if quiet else tell_connecting
        destination = locate(output_dir or folder, connecting=connecting)
        _check_reachable(destination, scheduler)
        run = stack.enter_context(audit_run(audit_log, actor, "generate-snapshot", destination))
        if randomize:
            import secrets

            seed = secrets.randbelow(MAX_SEED + 1)
        try:
            request = SnapshotRequest(
                dataset=dataset,
                records=records,
                seed=DEFAULT_SEED if seed is None else seed,
                randomized=randomize,
                entities=entities,
                formats=formats,
                shard_rows=shard_rows,
                defects=overlay,
            )
        except ValueError as error:  # what an option's type can't check is wrong usage too
            raise click.UsageError(str(error)) from error
        run.about(
            SnapshotIdentity(
                folder=str(destination),
                dataset_version=dataset.dataset_version,
                seed=request.seed,
                records=request.records,
                plan_sha256=dataset.plan_sha256,
            )
        )
        with ExitStack() as working:
            executor = pool
            if scheduler is not None:
                from esdh_export.execution.versions import versions

                executor = working.enter_context(cluster(scheduler, versions(dataset), connecting))
            snapshot = write_snapshot(
                destination,
                request,
                overwrite=overwrite,
                resume=resume,
                executor=executor,
                progress=working.enter_context(recorded(records, hidden=quiet or as_json)),
                gate=skip if no_gate else partial(judge, dataset=dataset, seed=request.seed),
            )
        run.end(
            "written" if snapshot.written else "unchanged",
            SnapshotIdentity.of(str(destination), snapshot.manifest),
        )
    for note in snapshot.notes:
        click.echo(f"Note: {note}", err=True)
    if as_json:
        _print_json(snapshot)
    elif quiet:
        click.echo(f"seed {snapshot.manifest.seed}")
    else:
        _print_summary(snapshot, dataset, request, plan, gated=not no_gate)


def _check_together(
    seed: int | None, *, randomize: bool, resume: bool, workers: int | None, scheduler: str | None
) -> None:
    """Refuse options that exclude each other."""
    if seed is not None and randomize:
        raise click.UsageError(f"--seed {seed} and --randomize exclude each other; give one of them")
    if resume and randomize:
        raise click.UsageError(
            "--resume needs the seed of the run that failed; give --seed instead of --randomize"
        )
    check_alone(scheduler, workers)


def _check_reachable(destination: object, scheduler: str | None) -> None:
    """Refuse a folder of this machine where the work is done on others."""
    if scheduler is not None and isinstance(destination, Path):
        raise click.UsageError(
            f"the workers of {scheduler} don't see the folder {str(destination)!r} of this machine; give --output-dir the URI "
            "of a prefix that they reach too, such as s3://bucket/prefix"
        )


def _folder(dataset: "Dataset") -> str:
    """Return the folder that a dataset's snapshots take by default."""
    from esdh_manifest import slug

    version = dataset.dataset_version
    return f"{FOLDER}/{version if version == catalog.VERSION else slug(version)}"


def _pool(stack: ExitStack, workers: int | None, parts: int, formats: tuple[str, ...]) -> "Executor | None":
    """Return a pool of workers; one worker needn't pay for it."""
    if min(workers or parts, parts) <= 1:
        return None
    from esdh_export.execution.worker_pool import start_workers

    return start_workers(stack, workers, parts, formats=formats)


def _print_json(snapshot: "WrittenSnapshot") -> None:
    manifest = snapshot.manifest
    document = {
        "status": "written" if snapshot.written else "unchanged",
        "output_dir": str(snapshot.folder),
        "seed": manifest.seed,
        "randomized": manifest.randomized,
        "records_requested": manifest.records_requested,
        "record_counts": manifest.record_counts,
        "files": manifest.files,
        "content": manifest.content,
        "gates": None if manifest.gates is None else manifest.gates.verdict,
        **({} if not manifest.defects else {"clean": False, "defects": manifest.defects.kinds}),
        "plan_sha256": manifest.plan_sha256,
        "resumed": snapshot.resumed,
    }
    print_document(document, indent=False)


def _print_summary(
    snapshot: "WrittenSnapshot",
    dataset: "Dataset",
    request: "SnapshotRequest",
    plan: str | None,
    *,
    gated: bool,
) -> None:
    manifest = snapshot.manifest
    counts = ", ".join(f"{count:,} {table}" for table, count in manifest.record_counts.items())
    size = sum(entry.bytes for entry in manifest.checksums.values())
    folder = shlex.quote(
        f"./{snapshot.folder}" if str(snapshot.folder).startswith("-") else str(snapshot.folder)
    )
    verb = "Wrote" if snapshot.written else "Left untouched, since it holds exactly this snapshot, whole:"
    click.echo(f"{verb} {snapshot.folder}")
    if snapshot.resumed:
        click.echo(f"  resumed  {snapshot.resumed:,} parts of an earlier run")
    click.echo(f"  seed     {manifest.seed}{' (drawn at random)' if manifest.randomized else ''}")
    tables = dataset.select(request.entities)
    if all(request.one_a_record(table) for table in request.tables):
        click.echo(f"  records  {counts}")
    else:
        click.echo(f"  records  {manifest.records_requested:,}")
        click.echo(f"  rows     {counts}")
    if manifest.defects:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in manifest.defects.kinds.items())
        click.echo(
            f"  NOT CLEAN  {kinds or 'no defect in these rows'}; the table defects has a label for each"
        )
    click.echo(f"  files    {', '.join(manifest.files.values())} ({size:,} bytes)")
    for table, digest in manifest.content.items():
        click.echo(f"  content  {digest}  {table}")
    if manifest.gates is not None:
        passed = f": {len(manifest.gates.checks)} distributions at level {manifest.gates.level:g}"
        skipped = ": the plan declares no shares" if gated else ", as --no-gate asks"
        detail = passed if manifest.gates.verdict == "passed" else skipped
        click.echo(f"  gates    {manifest.gates.verdict}{detail}")
    if isinstance(snapshot.folder, Path):
        click.echo(f"To verify: esdh verify-snapshot {folder}, or cd {folder} && sha256sum -c SHA256SUMS")
    else:
        click.echo("To verify: copy it to a folder, then esdh verify-snapshot")
    if not any(table.field_with("id") for table in tables):
        return
    option = quoted_plan(plan) if dataset.recipe is not None else ""
    if manifest.defects and isinstance(snapshot.folder, Path):
        option += f" --defects {folder}"
    again = "" if not manifest.randomized else f" To make it again: --seed {manifest.seed}."
    click.echo(f"To see a record from any id in it: esdh reproduce ID{option}.{again}")
