"""The staging folder: a snapshot in the making, and the finished shards that a later run may take over.

It holds `snapshot` (the files that will take the target's place), `fragments` (the rows of the JSON
document, a file for each entity and shard), `reports` (what came of each finished shard, stored only after
its files were synced), `request.json` (what decides their bytes) and `attempts`, with a folder of the run's own for
the files of shards that aren't finished.
"""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from esdh_manifest import file_problem, files_below

from esdh_export.errors import GateError
from esdh_export.execution.shard import Progress, ShardReport, write_shard
from esdh_export.execution.versions import versions
from esdh_export.io.hashed_file import new_file
from esdh_export.io.store import LocalStore, unique_name
from esdh_export.io.sync import sync_folder
from esdh_export.request import Shard, SnapshotRequest

__all__ = ["Staging"]

_REQUEST = "request.json"
_reports = msgspec.json.Decoder(ShardReport)


def _fingerprint(request: SnapshotRequest) -> bytes:
    """Return everything that decides the bytes of a shard: the request, the plan and the programs."""
    dataset = request.dataset
    return msgspec.json.encode(
        {
            "request": {
                **msgspec.structs.asdict(request),
                "dataset": dataset.dataset_version,
                "defects": None if request.defects is None else request.defects.recipe,
                "randomized": False,  # where a seed is from changes no row
            },
            "plan_sha256": dataset.plan_sha256,
            "versions": versions(dataset),
        }
    )


def _sum(report: bytes) -> bytes:
    """Return what a stored report ends with: nothing else has the digests of a shard's rows to compare."""
    return b"\n" + hashlib.sha256(report).hexdigest().encode()


class Staging(msgspec.Struct, frozen=True):
    """A staging folder, by its path; it may not be there."""

    folder: Path

    @property
    def files(self) -> Path:
        """The folder of the files of the snapshot."""
        return self.folder / "snapshot"

    @property
    def _fragments(self) -> Path:
        return self.folder / "fragments"

    @property
    def _reports(self) -> Path:
        return self.folder / "reports"

    @property
    def _attempts(self) -> Path:
        return self.folder / "attempts"

    @contextmanager
    def session(self, request: SnapshotRequest, *, resume: bool) -> Iterator[tuple[LocalStore, int]]:
        """Hold the folder for one run of a request; yield its store, and how many finished shards it may take over.

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

    def _begin(self, request: SnapshotRequest, *, resume: bool) -> tuple[LocalStore, int]:
        fingerprint = _fingerprint(request)
        finished = 0
        if resume and self._stored_fingerprint() == fingerprint:
            finished = self._sweep(request)
        else:
            self.remove()
            self.folder.mkdir(parents=True)
            with new_file(self.folder / _REQUEST) as file:
                file.write(fingerprint)
        store = LocalStore(self.files, self._fragments, self._attempts / unique_name())
        # Every folder is made here, so that an attempt that outlives its run makes none.
        parts = (self.files / name for name in request.part_folders())
        for folder in (store.files, *parts, store.fragments, self._reports, store.attempts):
            folder.mkdir(parents=True, exist_ok=True)
        return store, finished

    def _stored_fingerprint(self) -> bytes | None:
        try:
            return (self.folder / _REQUEST).read_bytes()
        except OSError:
            return None

    def _sweep(self, request: SnapshotRequest) -> int:
        """Remove everything but finished shards, and return how many there are."""
        self._end_attempts()
        shards = [shard for shard in request.shards() if self._report(shard).is_file()]
        self._retain(self._reports, (self._report(shard).name for shard in shards))
        self._retain(self.files, (path for shard in shards for path in request.shard_files(shard)))
        self._retain(self._fragments, (name for shard in shards for name in request.json_fragments(shard)))
        return len(shards)

    def strip(self, paths: Iterable[str]) -> None:
        """Remove from the snapshot's files whatever isn't one of these."""
        self._retain(self.files, paths)

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
        return self._reports / f"{shard.name}.json"

    def write_or_resume(
        self,
        request: SnapshotRequest,
        shard: Shard,
        store: LocalStore,
        *,
        resume: bool,
        progress: Progress | None = None,
        alone: bool = False,
    ) -> ShardReport:
        """Write a shard and store its report or, to resume, return the stored one if it still holds."""
        report = self._finished(request, shard) if resume else None
        if report is None:
            report = write_shard(request, shard, store, progress=progress, alone=alone)
            self._keep(shard, report, store)
        elif progress is not None:
            progress(shard.count)
        return report

    def _keep(self, shard: Shard, report: ShardReport, store: LocalStore) -> None:
        """Store the report of a shard whose files are synced, so that the shard counts as finished."""
        path = self._report(shard)
        unnamed = store.attempts / report.attempts[shard.name]
        with new_file(unnamed) as file:
            data = msgspec.json.encode(report)
            file.write(data + _sum(data))
        unnamed.replace(path)
        sync_folder(path.parent)

    def _finished(self, request: SnapshotRequest, shard: Shard) -> ShardReport | None:
        """Return the report of a shard if its files are there and their checksums hold now.

        What is there of the shard is removed otherwise.
        """
        path = self._report(shard)
        try:
            stored = path.read_bytes()
            data = stored.partition(b"\n")[0]
            report = _reports.decode(data) if stored == data + _sum(data) else None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            report = None
        if (
            report is not None
            and set(report.files) == set(request.shard_files(shard))
            and set(report.fragments) == set(request.json_fragments(shard))
            and not any(file_problem(self.files, *entry) for entry in report.files.items())
            and not any(file_problem(self._fragments, *entry) for entry in report.fragments.items())
        ):
            return report
        path.unlink(missing_ok=True)
        for name in request.shard_files(shard):
            (self.files / name).unlink(missing_ok=True)
        for name in request.json_fragments(shard):
            (self._fragments / name).unlink(missing_ok=True)
        return None

    def _end_attempts(self) -> None:
        """Remove what attempts haven't finished: renamed, one that goes on can neither finish nor open a file."""
        if self._attempts.exists():
            ended = self.folder / unique_name()
            self._attempts.replace(ended)
            shutil.rmtree(ended, ignore_errors=True)

    def remove(self) -> None:
        """Remove the folder and what it holds."""
        with suppress(OSError):
            self._end_attempts()
        shutil.rmtree(self.folder, ignore_errors=True)
