"""The staging folder: a snapshot in the making, and the finished shards that a later run may take over.

It holds `snapshot` (the files that will take the target's place), `fragments` (the rows of the JSON
document, a file for each entity and shard), `reports` (what came of each finished shard, stored only after
its files were synced) and `request.json` (what decides their bytes).
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
from esdh_manifest import file_problem, files_below

from esdh_export.errors import GateError
from esdh_export.execution.shard import Progress, ShardReport, write_shard
from esdh_export.io.hashed_file import new_file
from esdh_export.io.store import LocalStore
from esdh_export.io.sync import sync_folder
from esdh_export.request import Shard, SnapshotRequest

__all__ = ["Staging"]

_REQUEST = "request.json"
_reports = msgspec.json.Decoder(ShardReport)


def _fingerprint(request: SnapshotRequest) -> bytes:
    """Return everything that decides the bytes of a shard: the request, the plan and the programs."""
    dataset = request.dataset
    versions = {name: version(name) for name in ("esdh-core", "esdh-export", "pyarrow")}
    versions |= {module.__name__: module.__version__ for module in (msgspec, np)}
    return msgspec.json.encode(
        {
            "request": {
                **msgspec.structs.asdict(request),
                "dataset": dataset.dataset_version,
                "defects": None if request.defects is None else request.defects.recipe,
                "randomized": False,  # where a seed is from changes no row
            },
            "plan_sha256": dataset.plan_sha256,
            "versions": versions,
        }
    )


class Staging(msgspec.Struct, frozen=True):
    """A staging folder, by its path; it may not be there."""

    folder: Path

    @property
    def store(self) -> LocalStore:
        """Where the files of the snapshot and the fragments of the JSON document go."""
        return LocalStore(self.folder / "snapshot", self.folder / "fragments")

    @contextmanager
    def session(self, request: SnapshotRequest, *, resume: bool) -> Iterator[int]:
        """Hold the folder for one run of a request; yield how many finished shards the run may take over.

        Without `resume`, or after another request or version, the folder is empty. When the run fails, what
        is finished stays, and a note on the error says where; a refused or fruitless run leaves nothing.
        """
        try:
            yield self._begin(request, resume=resume)
        except GateError:
            self.remove()
            raise
        except BaseException as error:
            finished = self._sweep(request)
            if finished or not isinstance(error, Exception):
                shards = sum(1 for _ in request.shards())
                error.add_note(
                    f"{finished} of {shards} parts are finished and stay in {str(self.folder)!r}, for --resume "
                    f"with --seed {request.seed}"
                )
            else:
                self.remove()
            raise

    def _begin(self, request: SnapshotRequest, *, resume: bool) -> int:
        fingerprint = _fingerprint(request)
        if resume and self._stored_fingerprint() == fingerprint:
            finished = self._sweep(request)
            self.store.files.mkdir(exist_ok=True)
            return finished
        self.remove()
        self.store.files.mkdir(parents=True)
        with new_file(self.folder / _REQUEST) as file:
            file.write(fingerprint)
        return 0

    def _stored_fingerprint(self) -> bytes | None:
        try:
            return (self.folder / _REQUEST).read_bytes()
        except OSError:
            return None

    def _sweep(self, request: SnapshotRequest) -> int:
        """Remove everything but finished shards, and return how many there are."""
        shards = [shard for shard in request.shards() if self._report(shard).is_file()]
        self._retain(self.folder / "reports", (self._report(shard).name for shard in shards))
        self._retain(self.store.files, (path for shard in shards for path in request.shard_files(shard)))
        self._retain(
            self.store.fragments, (name for shard in shards for name in request.json_fragments(shard))
        )
        return len(shards)

    def strip(self, paths: Iterable[str]) -> None:
        """Remove from the snapshot's files whatever isn't one of these."""
        self._retain(self.store.files, paths)

    @staticmethod
    def _retain(folder: Path, paths: Iterable[str]) -> None:
        for path in files_below(folder).difference(paths) if folder.is_dir() else ():
            stray = folder / path
            if stray.is_dir() and not stray.is_symlink():
                stray.rmdir()
            else:
                stray.unlink()
                with suppress(OSError):  # it holds something else
                    stray.parent.rmdir()

    def _report(self, shard: Shard) -> Path:
        return self.folder / "reports" / f"{shard.name}.json"

    def write_or_resume(
        self,
        request: SnapshotRequest,
        shard: Shard,
        *,
        resume: bool,
        progress: Progress | None = None,
        alone: bool = False,
    ) -> ShardReport:
        """Write a shard and store its report or, to resume, return the stored one if it still holds."""
        report = self._finished(request, shard) if resume else None
        if report is None:
            report = write_shard(request, shard, self.store, progress=progress, alone=alone)
            self._keep(shard, report)
        elif progress is not None:
            progress(shard.count)
        return report

    def _keep(self, shard: Shard, report: ShardReport) -> None:
        """Store the report of a shard whose files are synced, so that the shard counts as finished."""
        path = self._report(shard)
        unnamed = path.with_suffix(".new")
        unnamed.unlink(missing_ok=True)
        with new_file(unnamed) as file:
            file.write(msgspec.json.encode(report))
        unnamed.replace(path)
        sync_folder(path.parent)

    def _finished(self, request: SnapshotRequest, shard: Shard) -> ShardReport | None:
        """Return the report of a shard if its files are there and their checksums hold now.

        What is there of the shard is removed otherwise.
        """
        store, path = self.store, self._report(shard)
        try:
            report = _reports.decode(path.read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            report = None
        if (
            report is not None
            and set(report.files) == set(request.shard_files(shard))
            and set(report.fragments) == set(request.json_fragments(shard))
            and not any(file_problem(store.files, *entry) for entry in report.files.items())
            and not any(file_problem(store.fragments, *entry) for entry in report.fragments.items())
        ):
            return report
        path.unlink(missing_ok=True)
        for name in request.shard_files(shard):
            (store.files / name).unlink(missing_ok=True)
        for name in request.json_fragments(shard):
            (store.fragments / name).unlink(missing_ok=True)
        return None

    def remove(self) -> None:
        """Remove the folder and what it holds."""
        shutil.rmtree(self.folder, ignore_errors=True)
