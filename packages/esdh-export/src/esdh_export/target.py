"""The folder that a snapshot takes: looked at, locked, staged beside, and replaced in one rename.

Beside the target `D` stand, while a run lasts, `.D.esdh-staging` (the snapshot in the making), `.D.esdh-lock`
and, for the moment between two renames, `.D.esdh-previous` (the snapshot that is being replaced). A run
that was killed leaves them behind; the next command that looks at `D` makes it so: an earlier snapshot
is put back if its successor had not taken its place, and removed if it had.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from esdh_manifest import (
    MANIFEST_NAME_PATTERN,
    SUMS_NAME,
    Manifest,
    ManifestError,
    decode_manifest,
    file_problems,
    files_below,
)
from filelock import FileLock, Timeout

from esdh_export.errors import TargetError
from esdh_export.files import sync_folder

__all__ = ["Target"]

# What file managers and sync tools leave in any folder; nobody's work.
_LITTER = frozenset(
    {".DS_Store", ".directory", ".localized", "Thumbs.db", "desktop.ini", "ehthumbs.db", "Icon\r"}
)


def _is_litter(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in _LITTER or name.startswith("._")


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
        self.staging = self._beside / f".{self.folder.name}.esdh-staging"
        self._previous = self._beside / f".{self.folder.name}.esdh-previous"
        self._lock = self._beside / f".{self.folder.name}.esdh-lock"

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
            lock = FileLock(self._lock, timeout=0)
            lock.acquire()
        except Timeout:
            raise TargetError(
                f"another run is writing {str(self.shown)!r}; wait for it, or choose another --output-dir"
            ) from None
        except OSError as error:
            raise TargetError(
                f"output folder {str(self.shown)!r} can't be written ({error.strerror or error}); "
                "choose another --output-dir or mend its permissions"
            ) from error
        try:
            self._repair()
            yield
        finally:
            shutil.rmtree(self.staging, ignore_errors=True)
            lock.release()  # which removes the lock's file, safely against a run that is just opening it
            if not self.folder.exists():
                for parent in made:  # folders that only this run made, and that hold nothing
                    try:
                        parent.rmdir()
                    except OSError:
                        break

    def _repair(self) -> None:
        """Finish or undo what a killed run left: the earlier snapshot is whole, or the new one is."""
        shutil.rmtree(self.staging, ignore_errors=True)
        if not self._previous.exists():
            return
        if self.folder.exists():
            shutil.rmtree(self._previous)
        else:
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
        manifests = sorted(path.name for path in self.folder.glob(MANIFEST_NAME_PATTERN))
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
        if not (self.folder / SUMS_NAME).is_file():
            return [f"{SUMS_NAME} is missing"]
        return list(file_problems(self.folder, manifest))

    def take(self) -> None:
        """Give the staged snapshot the target's name; an earlier one goes once the new one stands.

        Raises TargetError when the folder can't be replaced; then the earlier snapshot is where it was.
        """
        for folder in [path for path in self.staging.rglob("*") if path.is_dir()]:
            sync_folder(folder)
        sync_folder(self.staging)
        try:
            if self.folder.exists():
                self.folder.rename(self._previous)
            try:
                self.staging.rename(self.folder)
            except OSError:
                if self._previous.exists():
                    self._previous.rename(self.folder)
                raise
        except OSError as error:
            raise TargetError(
                f"output folder {str(self.shown)!r} can't be replaced ({error.strerror or error}); "
                "it may be a mount point or in use, so name a folder inside it"
            ) from error
        sync_folder(self._beside)
        shutil.rmtree(self._previous, ignore_errors=True)
