"""The snapshot writer: shards of whole blocks to files, reports merged in order, one commit."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from esdh_core import (
    DATASET_VERSION,
    GENERATED_AT,
    SYNTHETIC_SOURCE,
    field_hashes,
    metadata_for,
    notes_for,
    plan_sha256,
)
from esdh_manifest import (
    MANIFEST_VERSION,
    SUMS_NAME,
    FileProblem,
    Gates,
    Generator,
    Manifest,
    Stats,
    encode_manifest,
    entry_of,
    render_readme,
    sha256sums,
)

from esdh_export.descriptors import render_descriptors
from esdh_export.encoding.digest import entity_digest
from esdh_export.errors import GateError, TargetError
from esdh_export.formats import json
from esdh_export.request import DATASET_NAME, MANIFEST_NAME, METADATA_NAME, README_NAME, SnapshotRequest
from esdh_export.execution.shard import Progress, ShardReport, map_in_order, merged, write_shard
from esdh_export.storage.store import Store
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


def build_manifest(request: SnapshotRequest, content: dict[str, str], stats: Stats, gates: Gates | None) -> Manifest:
    """Return the manifest of a snapshot but for its checksums."""
    return Manifest(
        manifest_version=MANIFEST_VERSION,
        dataset_version=DATASET_VERSION,
        generated_at=GENERATED_AT,
        seed=request.seed,
        randomized=request.randomized,
        records_requested=request.records,
        synthetic_source=SYNTHETIC_SOURCE,
        generator=Generator(GENERATOR_NAME, version("esdh-export")),
        plan_sha256=plan_sha256(),
        plan={
            k: v for k, v in field_hashes().items() if k.partition(".")[0] in {e.name for e in request.chosen}
        },
        record_counts={entity.plural: request.records for entity in request.chosen},
        files=request.files(),
        checksums={},
        content=content,
        stats=stats,
        gates=gates,
        notes=notes_for(request.seed),
    )


def _judged(stats: Stats, gate: Gate | None) -> Gates | None:
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
        f"bound {failed.bound:.6g}, {failed.method}){others}"
    )


@contextmanager
def _refused(outcome: str) -> Iterator[None]:
    """Say, where the gate refuses, what has become of the snapshot."""
    try:
        yield
    except GateError as error:
        raise GateError(f"{error}; {outcome}") from None


def _finish(request: SnapshotRequest, report: ShardReport, store: Store, gate: Gate | None) -> Manifest:
    """Write what is made from all shards: the JSON document, descriptors, README, SHA256SUMS and the manifest.

    Each is rendered from what stands before it: data files, descriptors, README, and the manifest last.
    Raises GateError when the gate refuses the statistics.
    """
    content = {plural: entity_digest(digests) for plural, digests in report.blocks.items()}
    gates = _judged(report.stats, gate)
    checksums = dict(report.files)

    def write(name: str, data: bytes) -> None:
        with store.create(name, large=False) as file:
            file.write(data)

    if json.EXTENSION in request.formats:
        metadata = metadata_for(request.records, request.seed, entities=request.chosen)
        sections: dict[str, list[Path]] = {entity.plural: [] for entity in request.chosen}
        for shard in request.shards():
            for name, entity in request.sections(shard).items():
                sections[entity.plural].append(store.sections / name)
        with store.create(DATASET_NAME, large=False) as document:
            json.assemble(document, metadata, sections)
        checksums[DATASET_NAME] = document.listed(None)
        metadata_bytes = json.metadata_document(metadata)
        write(METADATA_NAME, metadata_bytes)
        checksums[METADATA_NAME] = entry_of(metadata_bytes)
    unlisted = build_manifest(request, content, report.stats, gates)
    for name, descriptor in render_descriptors(
        msgspec.structs.replace(unlisted, checksums=checksums)
    ).items():
        write(name, descriptor)
        checksums[name] = entry_of(descriptor)
    readme = render_readme(msgspec.structs.replace(unlisted, checksums=checksums))
    write(README_NAME, readme)
    checksums[README_NAME] = entry_of(readme)
    manifest = msgspec.structs.replace(unlisted, checksums=checksums)
    encoded = encode_manifest(manifest)
    write(SUMS_NAME, sha256sums({**checksums, MANIFEST_NAME: entry_of(encoded)}))
    write(MANIFEST_NAME, encoded)
    return manifest


def _holds(manifest: Manifest, request: SnapshotRequest, gate: Gate | None) -> bool:
    """Whether a manifest is that of exactly this request, made by this program."""
    try:
        gates = gate(manifest.stats) if gate else None
    except ValueError:  # counts that no gate can judge: an edited manifest, and so another snapshot
        return False
    return (
        msgspec.structs.replace(manifest, checksums={})
        == build_manifest(request, manifest.content, manifest.stats, gates)
        and {path: listed.rows for path, listed in manifest.checksums.items() if listed.rows is not None}
        == request.tables()
    )


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
    this process. The bytes are the same. Its workers see the same disk. `progress` is called with the number of records of each
    finished block or, with an executor, shard. `gate` is asked for its verdict on the statistics before
    anything is committed.

    Raises GateError when the gate refuses; TargetError when the folder holds another snapshot and
    `overwrite` is not set or that is a mount point, holds anything that isn't a snapshot's, lies in a snapshot, is a file, can't be written, is being
    written by another run, or was changed by somebody meanwhile; WorkerError when the executor loses a
    worker; OSError when the disk fails. In each case the folder is as it was, and a note on the error tells
    of finished shards that were kept for `resume`.

    A prefix (as `located` returns for a URI) knows no rename, sync or lock. It must be empty, or hold exactly
    this snapshot; the manifest is written last, and without one there is no snapshot. Nothing is replaced
    or resumed there, and what a failed run wrote stays.
    """
    if not isinstance(folder, Path):
        if resume:
            raise TargetError(
                f"nothing is kept of a run into {str(folder)!r} that --resume could take up; leave it out"
            )
        with folder.reached():
            return _write_prefix(folder, request, executor=executor, progress=progress, gate=gate)
    target = Target(folder)

    def standing() -> tuple[Manifest | None, list[FileProblem]]:
        earlier = target.manifest()
        return earlier, target.problems(earlier) if earlier is not None else []

    # Also refuses a file or somebody's folder before anything is made beside it.
    earlier, problems = standing()
    if earlier is not None and not problems and not target.interrupted and _holds(earlier, request, gate):
        return WrittenSnapshot(target.shown, earlier, written=False)
    with target.claimed():
        earlier, problems = standing()  # another run, or the repair of one, may have changed it
        staging = target.staging
        if earlier is not None:
            if not problems and _holds(earlier, request, gate):
                staging.remove()
                return WrittenSnapshot(target.shown, earlier, written=False)
            if not overwrite:
                raise TargetError(
                    f"{_another(folder, earlier, problems)}; give --overwrite to replace it, or another --output-dir"
                )
        target.check_replaceable(earlier)
        with staging.begun(request, resume=resume) as resumed:
            make = partial(staging.make, request, resume=bool(resumed))
            report = _written(request, make, executor, progress)
            with _refused("nothing was written"):
                manifest = _finish(request, report, staging.store, gate)
            staging.strip({*manifest.checksums, SUMS_NAME, MANIFEST_NAME})
            target.take(earlier)
        staging.remove()
    return WrittenSnapshot(target.shown, manifest, written=True, resumed=resumed, notes=tuple(target.notes))


def _another(folder: "Path | Prefix", earlier: Manifest, problems: list[FileProblem]) -> str:
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
    """Write a snapshot straight to an empty prefix of an object store, the manifest last."""
    earlier = prefix.manifest()
    if earlier is not None:
        problems = prefix.problems(earlier)
        if not problems and _holds(earlier, request, gate):
            return WrittenSnapshot(prefix, earlier, written=False)
        raise TargetError(
            f"{_another(prefix, earlier, problems)}, which an object store can't replace whole; name an empty prefix"
        )
    with prefix.objects() as store:
        report = _written(request, partial(write_shard, request, store=store), executor, progress)
        # A store knows no rename, so what is refused is there already.
        with _refused(
            f"its files stay in {str(prefix)!r} without a manifest, which makes them no snapshot; remove them"
        ):
            return WrittenSnapshot(prefix, _finish(request, report, store, gate), written=True)


def _written(
    request: SnapshotRequest,
    make: "Callable[..., ShardReport]",
    executor: "Executor | None",
    progress: Progress | None,
) -> ShardReport:
    """Make every shard, in this process or by an executor, and return what their reports say together.

    Progress is told block by block here, and shard by shard where others do the work.
    """
    if executor is None:
        make = partial(make, progress=progress, alone=True)
    with closing(map_in_order(executor, make, request.shards())) as reports:
        return merged(request, _told(reports, None if executor is None else progress))


def _told(reports: Iterator[ShardReport], progress: Progress | None) -> Iterator[ShardReport]:
    for report in reports:
        if progress is not None:
            progress(report.records)
        yield report
