"""The snapshot writer: shards of whole blocks to files, reports merged in order, one commit."""

import hashlib
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec
from esdh_core.dataset import notes_for
from esdh_core.overlay import KIND, LABELS
from esdh_manifest import (
    MANIFEST_VERSION,
    SUMS_NAME,
    DefectCounts,
    FileProblem,
    Gates,
    Generator,
    Manifest,
    Stats,
    document_name,
    encode_manifest,
    entry_of,
    manifest_name,
    metadata_name,
    overlay_name,
    readme_name,
    recipe_name,
    render_readme,
    sha256sums,
)
from msgspec import UNSET

from esdh_export.descriptors import render_descriptors
from esdh_export.encoding.digest import entity_digest
from esdh_export.errors import GateError, TargetError
from esdh_export.execution.executor import map_in_order
from esdh_export.execution.shard import Progress, ShardReport, merge_reports, write_shard
from esdh_export.execution.versions import call_if_same, versions
from esdh_export.formats import json
from esdh_export.io.store import Store
from esdh_export.request import Shard, SnapshotRequest
from esdh_export.storage.local import Target

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from esdh_export.storage.object_store import Prefix

__all__ = ["WrittenSnapshot", "build_manifest", "write_snapshot"]

GENERATOR_NAME = "enterprise-synthetic-data-hub"

Gate = Callable[[Stats], Gates]  # raises ValueError for counts that no snapshot has


class WrittenSnapshot(msgspec.Struct, frozen=True):
    """The snapshot that now stands in the folder, whether this run wrote it, and how many shards it resumed.

    `notes` say what its file system can't do, that another would.
    """

    folder: "Path | Prefix"
    manifest: Manifest
    written: bool
    resumed: int = 0
    notes: tuple[str, ...] = ()


def build_manifest(
    request: SnapshotRequest,
    *,
    rows: Mapping[str, int],
    content: dict[str, str],
    stats: Stats,
    gates: Gates | None,
    kinds: Mapping[str, int] | None = None,
) -> Manifest:
    """Return the manifest of a snapshot but for its checksums; `rows` counts each table's, `kinds` the labels of each."""
    dataset, defects = request.dataset, request.defects
    entities = {table.entity for table in request.tables}
    return Manifest(
        manifest_version=MANIFEST_VERSION,
        dataset_version=dataset.dataset_version,
        generated_at=dataset.generated_at,
        seed=request.seed,
        randomized=request.randomized,
        records_requested=request.records,
        shard_rows=UNSET if dataset.recipe is None and defects is None else request.shard_rows,
        block_records=UNSET
        if dataset.recipe is None
        else {table.name: table.block_records for table in request.tables if table is not LABELS},
        synthetic_source=dataset.marker,
        generator=Generator(GENERATOR_NAME, version("esdh-export")),
        plan_sha256=dataset.plan_sha256,
        plan={
            path: sha256
            for path, sha256 in dataset.field_hashes.items()
            if re.split("[.@#]", path)[0] in entities  # a field, a pick or a count
        },
        record_counts={table.name: rows[table.name] for table in request.tables},
        files=request.files(),
        checksums={},
        content=content,
        stats=stats,
        gates=gates,
        clean=UNSET if defects is None else False,
        defects=UNSET
        if defects is None
        else DefectCounts(hashlib.sha256(defects.recipe).hexdigest(), dict(kinds or {})),
        notes=notes_for(request.seed),
    )


def _run_gate(stats: Stats, gate: Gate | None) -> Gates | None:
    """Return what the gate says of the statistics; raise GateError when it says no."""
    gates = None if gate is None else gate(stats)
    if gates is None or gates.verdict != "failed":
        return gates
    failed, *more = (check for check in gates.checks if not check.passed)
    expected = f"about {failed.expected:.6g} are" if failed.expected else "none is"
    others = f", and {len(more)} more fail" if more else ""
    raise GateError(
        f"{failed.entity} {failed.statistic} don't follow the plan: at {failed.worst!r} {failed.observed} of "
        f"{failed.records} were counted, where {expected} expected (distance {failed.distance:.6g}, "
        f"bound {failed.bound:.6g}, {failed.method}){others}; nothing was written"
    )


def _clean_stats(report: ShardReport) -> Stats:
    """Return the statistics of the clean rows, of which the plan declares shares: without those of labels."""
    return {table: counts for table, counts in report.stats.items() if table != LABELS.name}


def _finish(request: SnapshotRequest, report: ShardReport, store: Store, gates: Gates | None) -> Manifest:
    """Write what is made from all shards: the JSON document, descriptors, README, SHA256SUMS and the manifest.

    Each is rendered from what stands before it: data files, descriptors, README, and the manifest last.
    """
    content = {table: entity_digest(digests) for table, digests in report.blocks.items()}
    kinds = report.stats[LABELS.name][KIND] if request.defects is not None else None
    dataset_version = request.dataset.dataset_version
    checksums = dict(report.files)

    def write(name: str, data: bytes) -> None:
        with store.create(name) as file:
            file.write(data)
        checksums[name] = entry_of(data)

    if json.EXTENSION in request.formats:
        metadata = request.metadata(report.rows)
        fragments: dict[str, list[Callable[[], BinaryIO]]] = {table.name: [] for table in request.tables}
        for shard in request.shards():
            for name, table in request.json_fragments(shard).items():
                attempt = report.attempts[shard.name]
                fragments[table.name].append(partial(store.open_fragment, name, attempt))
        with store.create(document_name(dataset_version)) as document:
            opened = {name: (fragment() for fragment in shards) for name, shards in fragments.items()}
            json.assemble(document, metadata, opened)
        checksums[document_name(dataset_version)] = document.entry(None)
        write(metadata_name(dataset_version), json.metadata_document(metadata))
    if request.dataset.recipe is not None:
        write(recipe_name(dataset_version), request.dataset.recipe)
    if request.defects is not None:
        write(overlay_name(dataset_version), request.defects.recipe)
    unlisted = build_manifest(
        request,
        rows=report.rows,
        content=content,
        stats=_clean_stats(report),
        gates=gates,
        kinds=kinds,
    )
    described = msgspec.structs.replace(unlisted, checksums=dict(checksums))
    for name, descriptor in render_descriptors(described, request.dataset).items():
        write(name, descriptor)
    write(
        readme_name(dataset_version),
        render_readme(msgspec.structs.replace(unlisted, checksums=dict(checksums))),
    )
    manifest = msgspec.structs.replace(unlisted, checksums=dict(checksums))
    encoded = encode_manifest(manifest)
    write(SUMS_NAME, sha256sums({**checksums, manifest_name(dataset_version): entry_of(encoded)}))
    store.commit(manifest_name(dataset_version), encoded, checksums)
    return manifest


def _is_current(manifest: Manifest, request: SnapshotRequest, gate: Gate | None) -> bool:
    """Whether a manifest is that of exactly this request, made by this program."""
    try:
        gates = gate(manifest.stats) if gate else None
    except ValueError:  # counts that no gate can judge: an edited manifest, and so another snapshot
        return False
    if set(manifest.record_counts) != {table.name for table in request.tables}:
        return False
    expected = build_manifest(
        request,
        rows=manifest.record_counts,
        content=manifest.content,
        stats=manifest.stats,
        gates=gates,
        kinds=None if manifest.defects is UNSET else manifest.defects.kinds,
    )
    return msgspec.structs.replace(manifest, checksums={}) == expected and request.counts_fit(manifest)


def write_snapshot(
    folder: "Path | Prefix",
    request: SnapshotRequest,
    *,
    overwrite: bool = False,
    resume: bool = False,
    executor: "Executor | None" = None,
    progress: Progress | None = None,
    gate: Gate | None = None,
) -> WrittenSnapshot:
    """Write a snapshot into a folder, whole or not at all, or to an empty prefix of an object store.

    It is built beside the folder, synced, and takes the folder's name in one rename. Into a mount point,
    which must be empty, it is moved file by file, the manifest last. A folder that holds
    exactly this snapshot, whole, is left untouched. With `resume` the finished shards that a run of the
    same request left beside the folder are taken over if their checksums hold; without it they go.

    `executor` writes the shards, whose arguments and results pickle; None writes them one after another in
    this process. The bytes are the same. Its workers see the same disk or store, and have the same versions of what decides
    the bytes. It may run a shard twice, and go on with one that was called off. `progress` is called with the number of records of each
    finished block or, with an executor, shard. `gate` is asked for its verdict on the statistics before
    anything is committed.

    Raises GateError when the gate refuses; TargetError when the folder holds another snapshot and
    `overwrite` is not set or that is a mount point, holds anything that isn't a snapshot's, lies in a snapshot, is a file, can't be written, is being
    written by another run, or was changed by somebody meanwhile; WorkerError when the executor loses a
    worker; OSError when the disk fails. In each case the folder is as it was, and a note on the error tells
    of finished shards that were kept for `resume`.

    A prefix (as `locate` returns for a URI) knows no rename, sync or lock. It must be empty, or hold exactly
    this snapshot; the manifest is written last, and without one there is no snapshot. Nothing is replaced
    or resumed there. A run that fails removes what it wrote, and the next one what a killed one wrote.

    >>> written = write_snapshot(Path("out"), SnapshotRequest(records=5, seed=1))
    >>> written.written, write_snapshot(Path("out"), SnapshotRequest(records=5, seed=1)).written
    (True, False)
    """
    if not isinstance(folder, Path):
        if resume:
            raise TargetError(
                f"nothing is kept of a run into {str(folder)!r} that --resume could take up; leave it out"
            )
        with folder.translate_errors():
            return _write_prefix(folder, request, executor=executor, progress=progress, gate=gate)
    name = manifest_name(request.dataset.dataset_version)
    target = Target(folder, manifest_name=name)

    def inspect() -> tuple[Manifest | None, list[FileProblem]]:
        earlier = target.manifest()
        return earlier, target.problems(earlier) if earlier is not None else []

    # Also refuses a file or somebody's folder before anything is made beside it.
    earlier, problems = inspect()
    if (
        earlier is not None
        and not problems
        and not target.interrupted
        and _is_current(earlier, request, gate)
    ):
        return WrittenSnapshot(target.display_path, earlier, written=False)
    request.check_places()
    with target.locked():
        earlier, problems = inspect()  # another run, or the repair of one, may have changed it
        staging = target.staging
        if earlier is not None:
            if not problems and _is_current(earlier, request, gate):
                staging.remove()
                return WrittenSnapshot(target.display_path, earlier, written=False)
            if not overwrite:
                raise TargetError(
                    f"{_describe_existing(folder, earlier, problems)}; give --overwrite to replace it, or another --output-dir"
                )
        target.check_replaceable(earlier)
        with staging.session(request, resume=resume) as (store, resumed):
            write = partial(staging.write_or_resume, request, store=store, resume=bool(resumed))
            report = _write_shards(request, write, executor, progress)
            manifest = _finish(request, report, store, _run_gate(_clean_stats(report), gate))
            staging.strip({*manifest.checksums, SUMS_NAME, name})
            target.commit(earlier)
        staging.remove()
    return WrittenSnapshot(
        target.display_path, manifest, written=True, resumed=resumed, notes=tuple(target.notes)
    )


def _describe_existing(folder: "Path | Prefix", earlier: Manifest, problems: list[FileProblem]) -> str:
    # What a tool changed on the way is no damage, unless there is some beside it.
    damaged = [problem for problem in problems if not problem.remedy]
    damage = (
        f", damaged: {damaged[0]}" if damaged else f", changed by a tool: {problems[0]}" if problems else ""
    )
    return (
        f"output folder {str(folder)!r} holds {'a' if problems else 'another'} snapshot (seed {earlier.seed}, "
        f"{earlier.records_requested} records of {', '.join(earlier.record_counts)}{damage})"
    )


def _write_prefix(
    prefix: "Prefix",
    request: SnapshotRequest,
    *,
    executor: "Executor | None",
    progress: Progress | None,
    gate: Gate | None,
) -> WrittenSnapshot:
    """Write a snapshot to an empty prefix of an object store, the manifest last."""
    prefix.recover()
    earlier = prefix.manifest(expected=manifest_name(request.dataset.dataset_version))
    if earlier is not None:
        problems = prefix.problems(earlier)
        if not problems and _is_current(earlier, request, gate):
            return WrittenSnapshot(prefix, earlier, written=False)
        raise TargetError(
            f"{_describe_existing(prefix, earlier, problems)}, which an object store can't replace whole; name an empty prefix"
        )
    request.check_places()
    notes: list[str] = []
    with prefix.session(notes) as store:
        report = _write_shards(request, partial(write_shard, request, store=store), executor, progress)
        gates = _run_gate(_clean_stats(report), gate)
        store.publish(request, report)
        manifest = _finish(request, report, store, gates)
    return WrittenSnapshot(prefix, manifest, written=True, notes=tuple(notes))


def _write_shards(
    request: SnapshotRequest,
    write: "Callable[..., ShardReport]",
    executor: "Executor | None",
    progress: Progress | None,
) -> ShardReport:
    """Write every shard, in this process or by an executor, and return what their reports say together.

    Progress is reported block by block here, and shard by shard where others do the work.
    """
    if executor is None:
        write = partial(write, progress=progress, alone=True)
        progress = None
    else:
        write = partial(call_if_same, versions(request.dataset), pickle.dumps(write))
    with closing(map_in_order(executor, write, request.shards())) as reports:
        return merge_reports(request, _with_progress(request.shards(), reports, progress))


def _with_progress(
    shards: Iterable[Shard], reports: Iterable[ShardReport], progress: Progress | None
) -> Iterator[ShardReport]:
    for shard, report in zip(shards, reports, strict=True):
        if progress is not None:
            progress(shard.count)
        yield report
