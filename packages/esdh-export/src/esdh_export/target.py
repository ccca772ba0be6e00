"""The folder that a snapshot takes: looked at, locked, staged beside, and replaced in one rename.

Beside the target `D` stand, while a run lasts, `.D.esdh-staging` (the snapshot in the making), `.D.esdh-lock`
and, for the moment between two renames, `.D.esdh-previous` (the snapshot that is being replaced). A run
that was killed leaves them behind; the next run into `D` puts an earlier snapshot back if its successor
had not taken its place, and removes it if it had. What was staged is the next run's to take over or remove.
"""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from esdh_core import DATASET_SLUG
from esdh_manifest import (
    MANIFEST_NAME_PATTERN,
    SUMS_NAME,
    Manifest,
    ManifestError,
    decode_manifest,
    encode_manifest,
    file_problems,
    files_below,
    list_bytes,
    sha256sums,
)
from filelock import FileLock, Timeout

from esdh_export.errors import TargetError
from esdh_export.files import sync_folder
from esdh_export.staging import Staging

__all__ = ["Target"]

# What file managers and sync tools leave in any folder; nobody's work.
_LITTER = frozenset(
    {".DS_Store", ".directory", ".localized", "Thumbs.db", "desktop.ini", "ehthumbs.db", "Icon\r"}
)


def _is_litter(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in _LITTER or name.startswith("._")


def _remedy(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a file stands where a folder must be, so choose another --output-dir"
    if error.errno == errno.ENAMETOOLONG:
        return "its name is too long, since its staging folder needs sixteen bytes more"
    return "choose another --output-dir or mend its permissions"


class Target:
    """An output folder, by its real path."""

    def __init__(self, folder: Path) -> None:
        self.shown = folder
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
        self._beside = self.folder.parent
        self.staging = Staging(self._beside / f".{self.folder.name}.esdh-staging")
        self._previous = self._beside / f".{self.folder.name}.esdh-previous"
        self._lock = self._beside / f".{self.folder.name}.esdh-lock"

    @property
    def interrupted(self) -> bool:
        """Whether a run that failed left something beside the folder, to be seen to under the lock."""
        return any(path.exists() for path in (self.staging.folder, self._previous, self._lock))

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the folder against other runs, after repairing what a killed one left.

        Raises TargetError when another run holds it, or when a folder can't be made beside it.
        """
        made = []
        for parent in (self._beside, *self._beside.parents):
            if parent.exists():
                break
            made.append(parent)
        try:
            self._beside.mkdir(parents=True, exist_ok=True)
            sync_folder(self._beside)  # what the commit will need: better refused now than after it
            lock = FileLock(self._lock, timeout=0)
            lock.acquire()
        except Timeout:
            raise TargetError(
                f"another run is writing {str(self.shown)!r}; wait for it, or choose another --output-dir"
            ) from None
        except OSError as error:
            raise TargetError(
                f"output folder {str(self.shown)!r} can't be written ({error.strerror or error}); {_remedy(error)}"
            ) from error
        try:
            self._repair()
            yield
        finally:
            with suppress(OSError):  # Windows removes the file of a held lock only when it is released
                self._lock.unlink()
            lock.release()  # a run that had opened the removed file sees that it has no name, and tries again
            if not self.folder.exists():
                for parent in made:  # folders that only this run made, and that hold nothing
                    try:
                        parent.rmdir()
                    except OSError:
                        break

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
        sync_folder(self._beside)

    def manifest(self) -> Manifest | None:
        """Return the manifest of the snapshot that the folder holds, None when there is nothing in it.

        Raises TargetError when it is a file, or holds anything that isn't a snapshot's.
        """
        if not self.folder.exists():
            return None
        if not self.folder.is_dir():
            raise TargetError(f"output folder {str(self.shown)!r} is a file; name a folder, new or empty")
        found = {path for path in files_below(self.folder) if not _is_litter(path)}
        if not found:
            return None
        # This version's own name first: a copy under another name is the user's.
        named = {path.name for path in self.folder.glob(MANIFEST_NAME_PATTERN)}
        manifests = sorted(named, key=lambda name: (name != f"snapshot_manifest_{DATASET_SLUG}.json", name))
        if not manifests:
            raise TargetError(
                f"output folder {str(self.shown)!r} holds {min(found)!r}, which isn't a snapshot's, and is left as it is; "
                "name a new or empty folder"
            )
        try:
            manifest = decode_manifest((self.folder / manifests[0]).read_bytes())
        except (ManifestError, OSError) as error:
            raise TargetError(
                f"output folder {str(self.shown)!r} holds {manifests[0]!r}, which can't be read ({error}), so what else is "
                "there may be yours and is left as it is; name a new or empty folder"
            ) from error
        foreign = found - set(manifest.checksums) - {SUMS_NAME, manifests[0]}
        if foreign:
            raise TargetError(
                f"output folder {str(self.shown)!r} holds {min(foreign)!r} beside a snapshot; it isn't the snapshot's, so "
                "nothing there is touched; move it away or name another folder"
            )
        return manifest

    def problems(self, manifest: Manifest) -> list[str]:
        """Return what is wrong with the files of the snapshot in the folder."""
        name = next(path.name for path in self.folder.glob(MANIFEST_NAME_PATTERN))
        written = (self.folder / name).read_bytes()
        sums = self.folder / SUMS_NAME
        if not sums.is_file():
            return [f"{SUMS_NAME} is missing"]
        if written != encode_manifest(manifest):
            return [f"{name} isn't in the form that it was written in"]
        if sums.read_bytes() != sha256sums({**manifest.checksums, name: list_bytes(written)}):
            return [f"{SUMS_NAME} doesn't list what {name} does"]
        return [str(problem) for problem in file_problems(self.folder, manifest)]

    def take(self, earlier: Manifest | None) -> None:
        """Give the staged snapshot the target's name; an earlier one goes once the new one stands.

        Raises TargetError when the folder holds something else than the `earlier` snapshot that was there
        when the run began, or can't be replaced; then what is there stays where it is.
        """
        staged = self.staging.store.files
        for folder in [path for path in staged.rglob("*") if path.is_dir()]:
            sync_folder(folder)
        sync_folder(staged)
        if self.folder.is_symlink() or self.manifest() not in (None, earlier):
            raise TargetError(
                f"output folder {str(self.shown)!r} was changed while the snapshot was written, and is left as it is; "
                "name another --output-dir, or run again"
            )
        try:
            if self.folder.exists():
                shutil.copymode(self.folder, staged)
                self.folder.rename(self._previous)
            try:
                staged.rename(self.folder)
            except BaseException:
                if self._previous.exists():
                    self._previous.rename(self.folder)
                raise
        except OSError as error:
            raise TargetError(
                f"output folder {str(self.shown)!r} can't be replaced ({error.strerror or error}); it may be a mount "
                "point, in use, or in a folder that was made read-only; mend that or name another --output-dir"
            ) from error
        sync_folder(self._beside)
        shutil.rmtree(self._previous, ignore_errors=True)
