"""The folder that a snapshot takes: looked at, locked, staged beside, and replaced in one rename.

Beside the target `D` stand, while a run lasts, `.D.esdh-staging` (the snapshot in the making), `.D.esdh-lock`
and, for the moment between two renames, `.D.esdh-previous` (the snapshot that is being replaced). A run
that was killed leaves them behind; the next run into `D` puts an earlier snapshot back if its successor
had not taken its place, and removes it if it had. What was staged is the next run's to take over or remove.

A mount point, such as a container's volume, can't be renamed: there `.esdh-staging` and `.esdh-lock` stand in `D`, which
must hold no snapshot, and the files are moved up one by one, the manifest last. Without a manifest there is no snapshot:
what a killed run had moved is moved back by the next one.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from esdh_manifest import (
    MANIFEST_NAME_PATTERN,
    SUMS_NAME,
    FileProblem,
    Manifest,
    ManifestError,
    decode_manifest,
    encode_manifest,
    entry_of,
    file_problem,
    file_problems,
    sha256sums,
    snapshot_files,
)
from filelock import FileLock, Timeout

from esdh_export.errors import TargetError
from esdh_export.io.mounts import is_mount_point
from esdh_export.io.sync import is_unsupported, sync, sync_folder
from esdh_export.storage.staging import Staging

__all__ = ["Target"]


def _is_snapshot(folder: Path) -> bool:
    """Return whether a folder holds a snapshot, whole or not, as far as it can be read."""
    try:
        return (folder / SUMS_NAME).is_file() and any(folder.glob(MANIFEST_NAME_PATTERN))
    except OSError:
        return False


def _remedy(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a file stands where a folder must be, so choose another --output-dir"
    if error.errno == errno.ENAMETOOLONG:
        return "its name is too long, since its staging folder needs sixteen bytes more"
    return "choose another --output-dir or mend its permissions"


class Target:
    """An output folder, by its real path; `manifest_name` is the manifest's of the snapshot that is to stand there."""

    def __init__(self, folder: Path, *, manifest_name: str) -> None:
        self.display_path = folder
        self._manifest_name = manifest_name
        try:
            self.folder = folder.resolve()
            current = Path.cwd().resolve()
        except (OSError, RuntimeError) as error:
            raise TargetError(f"output folder {str(folder)!r} can't be followed: {error}") from error
        if self.folder == current or self.folder in current.parents:
            raise TargetError(
                f"output folder {str(folder)!r} is the current folder or holds it, and a snapshot takes its folder's "
                "place whole; name a folder inside it, such as 'snapshot'"
            )
        for outer in filter(_is_snapshot, self.folder.parents):
            raise TargetError(
                f"output folder {str(folder)!r} lies in {str(outer)!r}, which holds a snapshot that would be damaged by "
                "it; name a folder outside"
            )
        self.notes: list[str] = []
        self._mounted = is_mount_point(self.folder)
        self._home = self.folder if self._mounted else self.folder.parent
        stem = "" if self._mounted else f".{self.folder.name}"
        self.staging = Staging(self._home / f"{stem}.esdh-staging")
        self._previous = self._home / f"{stem}.esdh-previous"
        self._lock = self._home / f"{stem}.esdh-lock"

    @property
    def interrupted(self) -> bool:
        """Whether a run that failed left something beside the folder, to be seen to under the lock."""
        return any(path.exists() for path in (self.staging.folder, self._previous, self._lock))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against other runs, after repairing what a killed one left.

        Raises TargetError when another run holds it, or when a folder can't be made beside it.
        """
        created = []
        for parent in (self._home, *self._home.parents):
            if parent.exists():
                break
            created.append(parent)
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            # What the commit will need: better refused now than after the work.
            with suppress(FileNotFoundError):
                self._previous.lstat()  # the longest name
            lock = FileLock(self._lock, timeout=0)
            self._acquire(lock)
        except Timeout:
            raise TargetError(
                f"another run is writing {str(self.display_path)!r}; wait for it, or choose another --output-dir"
            ) from None
        except OSError as error:
            raise TargetError(
                f"output folder {str(self.display_path)!r} can't be written ({error.strerror or error}); {_remedy(error)}"
            ) from error
        try:
            self._try_syncs()
            if self._mounted:
                self._move_back()
            else:
                self._repair()
            yield
        finally:
            with suppress(OSError):  # Windows removes the file of a held lock only when it is released
                self._lock.unlink()
            lock.release()  # a run that had opened the removed file sees that it has no name, and tries again
            if not self.folder.exists():
                for parent in created:  # folders that only this run made, and that hold nothing
                    try:
                        parent.rmdir()
                    except OSError:
                        break

    def _acquire(self, lock: FileLock) -> None:
        try:
            lock.acquire()
        except OSError as error:
            if not is_unsupported(error):
                raise
            self._note("can't lock files, so that two runs at once don't notice each other")

    def _try_syncs(self) -> None:
        """Note what the file system can't do for what is written to outlast a power cut."""
        lacking = [] if sync_folder(self._home) else ["folders"]
        if os.name != "nt":
            with self._lock.open("ab") as file:
                lacking += [] if sync(file.fileno()) else ["files"]
        if lacking:
            self._note(
                f"can't sync {' or '.join(lacking)}, so that a power cut may undo what was written last"
            )

    def _note(self, lack: str) -> None:
        self.notes.append(f"the file system of {str(self.display_path)!r} {lack}")

    def _repair(self) -> None:
        """Finish or undo what a killed run left: the earlier snapshot is whole, or the new one is."""
        if not self._previous.exists():
            return
        if self.manifest() is not None:  # the successor stands
            shutil.rmtree(self._previous)
            return
        if self.folder.exists():  # empty, or with litter only: made since by somebody else
            shutil.rmtree(self.folder)
        self._previous.rename(self.folder)
        sync_folder(self._home)

    def manifest(self) -> Manifest | None:
        """Return the manifest of the snapshot that the folder holds, None when there is nothing in it.

        Raises TargetError when it is a file, or holds anything that isn't a snapshot's.
        """
        if not self.folder.exists():
            return None
        if not self.folder.is_dir():
            raise TargetError(
                f"output folder {str(self.display_path)!r} is a file; name a folder, new or empty"
            )
        found = snapshot_files(self.folder) - self._moved()
        if not found:
            return None
        # The dataset version's own name first: a copy under another name is the user's.
        named = {path.name for path in self.folder.glob(MANIFEST_NAME_PATTERN)}
        manifests = sorted(named, key=lambda name: (name != self._manifest_name, name))
        if not manifests:
            raise TargetError(
                f"output folder {str(self.display_path)!r} holds {min(found)!r}, which isn't a snapshot's, and is left as it is; "
                "name a new or empty folder"
            )
        try:
            manifest = decode_manifest((self.folder / manifests[0]).read_bytes())
        except (ManifestError, OSError) as error:
            raise TargetError(
                f"output folder {str(self.display_path)!r} holds {manifests[0]!r}, which can't be read ({error}), so what else is "
                "there may be yours and is left as it is; name a new or empty folder"
            ) from error
        foreign = found - set(manifest.checksums) - {SUMS_NAME, manifests[0]}
        for path in {path for path in foreign if path.removesuffix(".gz") in manifest.checksums}:
            itself = path.removesuffix(".gz")
            problem = file_problem(self.folder, itself, manifest.checksums[itself])
            foreign -= (
                {path} if problem is not None and problem.remedy else set()
            )  # the listed file, compressed
        if foreign:
            raise TargetError(
                f"output folder {str(self.display_path)!r} holds {min(foreign)!r} beside a snapshot; it isn't the snapshot's, so "
                "nothing there is touched; move it away or name another folder"
            )
        return manifest

    def problems(self, manifest: Manifest) -> list[FileProblem]:
        """Return what is wrong with the files of the snapshot in the folder."""
        name = next(path.name for path in self.folder.glob(MANIFEST_NAME_PATTERN))
        written = entry_of(encode_manifest(manifest))
        problem = file_problem(self.folder, name, written)
        if problem is not None and not problem.remedy:
            return [FileProblem(name, "in another form", "the form that it was written in")]
        sums = entry_of(sha256sums({**manifest.checksums, name: written}))
        problems = [problem, file_problem(self.folder, SUMS_NAME, sums)]
        return [each for each in problems if each is not None] + [
            self._name_writer(each) for each in file_problems(self.folder, manifest)
        ]

    def _name_writer(self, problem: FileProblem) -> FileProblem:
        """Return a problem of a Parquet file that another program wrote with that program."""
        if (
            not problem.path.endswith(".parquet")
            or problem.remedy
            or not (self.folder / problem.path).is_file()
        ):
            return problem
        import pyarrow as pa
        from pyarrow import parquet

        try:
            writer = parquet.read_metadata(self.folder / problem.path).created_by
        except (pa.ArrowException, OSError):
            return problem
        if writer == f"parquet-cpp-arrow version {pa.__version__}":
            return problem
        remedy = "esdh verify-snapshot says whether its rows are the same"
        return problem._replace(found=f"{problem.found}, as {writer!r} wrote it", remedy=remedy)

    def check_replaceable(self, earlier: Manifest | None) -> None:
        """Try what it will take to give the folder's name away, before there is anything to lose.

        Raises TargetError when the folder can't be renamed, or its files can't be removed; or when an `earlier` snapshot
        stands in a mount point.
        """
        if self._mounted:
            if earlier is not None:
                raise TargetError(
                    f"output folder {str(self.display_path)!r} is a mount point, whose snapshot can't be replaced whole; remove "
                    "what it holds, or name another --output-dir"
                )
            return
        if not self.folder.exists():
            return
        try:
            try:
                self.folder.rename(self._previous)
            finally:
                if self._previous.exists():
                    self._previous.rename(self.folder)
            if earlier is not None and not os.access(self.folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            # A layer of a container's image that is below its own: it can be covered, not renamed.
            if error.errno != errno.EXDEV or any(self.folder.iterdir()):
                raise self._irreplaceable(error) from error

    def _irreplaceable(self, error: OSError) -> TargetError:
        return TargetError(
            f"output folder {str(self.display_path)!r} can't be replaced ({error.strerror or error}); it may be a mount "
            "point, in use, somebody else's, or in a folder that was made read-only; mend that or name another --output-dir"
        )

    def commit(self, earlier: Manifest | None) -> None:
        """Give the staged snapshot the target's name; an earlier one goes once the new one stands.

        Raises TargetError when the folder holds something else than the `earlier` snapshot that was there
        when the run began, or can't be replaced; then what is there stays where it is.
        """
        staged = self.staging.files
        for folder in [path for path in staged.rglob("*") if path.is_dir()]:
            sync_folder(folder)
        sync_folder(staged)
        held = self.manifest()
        is_occupied = self._mounted and any((self.folder / path.name).exists() for path in staged.iterdir())
        if self.folder.is_symlink() or held not in (None, earlier) or is_occupied:
            raise TargetError(
                f"output folder {str(self.display_path)!r} was changed while the snapshot was written, and is left as it is; "
                "name another --output-dir, or run again"
            )
        try:
            if self._mounted:
                self._move_in(staged)
            else:
                self._replace(staged)
        except OSError as error:
            raise self._irreplaceable(error) from error
        sync_folder(self._home)
        shutil.rmtree(self._previous, ignore_errors=True)

    def _replace(self, staged: Path) -> None:
        if self.folder.exists():
            self._copy_mode(staged)
            if os.name == "nt" or any(
                self.folder.iterdir()
            ):  # else the new one takes its place by its own rename
                self.folder.rename(self._previous)
        try:
            staged.rename(self.folder)
        except BaseException:
            if self._previous.exists():
                self._previous.rename(self.folder)
            raise

    def _copy_mode(self, staged: Path) -> None:
        try:
            shutil.copymode(self.folder, staged)
        except OSError as error:
            if not is_unsupported(error) and not isinstance(error, PermissionError):
                raise
            self._note("can't give the new folder the mode of the old one")

    def _move_in(self, staged: Path) -> None:
        """Move the files of the snapshot to the mount point they are staged in, the manifest last."""
        files = sorted(staged.iterdir(), key=lambda path: (path.match(MANIFEST_NAME_PATTERN), path.name))
        try:
            for path in files:
                if path is files[-1]:
                    sync_folder(self.folder)
                path.rename(self.folder / path.name)
        except BaseException:
            self._move_back()
            raise

    def _moved(self) -> set[str]:
        """Return which files in the mount point may be those of a commit that wasn't finished: all but the manifest."""
        if not self._mounted or any(self.folder.glob(MANIFEST_NAME_PATTERN)):
            return set()
        for path in self.staging.files.glob(MANIFEST_NAME_PATTERN):
            with suppress(ManifestError, OSError):
                return {*decode_manifest(path.read_bytes()).checksums, SUMS_NAME}
        return set()

    def _move_back(self) -> None:
        """Undo a commit that wasn't finished."""
        staged = self.staging.files
        for name in {path.partition("/")[0] for path in self._moved()}:
            if (self.folder / name).exists() and not (staged / name).exists():
                (self.folder / name).rename(staged / name)
