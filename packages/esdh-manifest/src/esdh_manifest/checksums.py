"""SHA256SUMS, and files held against the checksums that a manifest lists."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from esdh_manifest.changes import change_of
from esdh_manifest.model import FileEntry, Manifest

__all__ = [
    "SUMS_NAME",
    "FileProblem",
    "content_problem",
    "entry_of",
    "file_problem",
    "file_problems",
    "files_below",
    "is_ignored",
    "sha256sums",
    "snapshot_files",
]

SUMS_NAME = "SHA256SUMS"


# What file managers and sync tools leave in any folder.
_LITTER = frozenset(
    {".DS_Store", ".directory", ".localized", "Thumbs.db", "desktop.ini", "ehthumbs.db", "Icon\r"}
)
# What a file system has at its top, and what a run keeps there where a snapshot takes a mount point.
_AT_THE_TOP = frozenset({"lost+found", ".esdh-staging", ".esdh-lock"})


def is_ignored(path: str) -> bool:
    """Return whether a path relative to a snapshot's folder is nobody's work, which no command counts as the snapshot's."""
    name = path.rpartition("/")[2]
    return name in _LITTER or name.startswith("._") or path.partition("/")[0] in _AT_THE_TOP


def entry_of(data: bytes, rows: int | None = None) -> FileEntry:
    """Return what the manifest lists of a file with this content."""
    return FileEntry(hashlib.sha256(data).hexdigest(), len(data), rows)


def sha256sums(checksums: Mapping[str, FileEntry]) -> bytes:
    """Return SHA256SUMS for `sha256sum -c`: two spaces, binary-safe names, sorted by path."""
    return "".join(f"{entry.sha256}  {path}\n" for path, entry in sorted(checksums.items())).encode()


def files_below(folder: Path) -> set[str]:
    """Return every file, symbolic link and empty or closed folder below a folder, as relative POSIX paths."""

    def holds_something(path: Path) -> bool:
        try:
            return any(path.iterdir())
        except PermissionError:
            return False

    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir() or not holds_something(path)
    }


def snapshot_files(folder: Path) -> set[str]:
    """Return what `files_below` does but for what is ignored: what there is must be a snapshot's."""
    return {path for path in files_below(folder) if not is_ignored(path)}


class FileProblem(NamedTuple):
    """A listed file that isn't as listed: what was found, and what is expected.

    `remedy` says how to undo what a tool did to it, "" where it isn't known to be the listed file.
    """

    path: str
    found: str
    expected: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.path} is {self.found}; expected {self.expected}"
        return f"{text}; {self.remedy}" if self.remedy else text


def file_problem(folder: Path, path: str, entry: FileEntry) -> FileProblem | None:
    """Return what is wrong with a listed file: missing, a symbolic link, or not as listed; nothing is followed."""
    file = folder / path
    if any(part.is_symlink() for part in (file, *file.parents) if part != folder and folder in part.parents):
        return FileProblem(path, "a symbolic link", "a file")
    size = file.stat().st_size if file.is_file() else None
    problem = content_problem(path, entry, size=size, sha256=partial(_sha256, file))
    if size is None:
        packed = folder / f"{path}.gz"
        if packed.is_file() and not packed.is_symlink() and (change := change_of(packed, entry)) is not None:
            return FileProblem(path, f"there as {path}.gz, {change.done}", "the file itself", change.remedy)
    elif problem is not None and (change := change_of(file, entry)) is not None:
        return FileProblem(path, f"the listed file, {change.done}", "the file itself", change.remedy)
    return problem


def content_problem(
    path: str, entry: FileEntry, *, size: int | None, sha256: Callable[[], str]
) -> FileProblem | None:
    """Return what is wrong with a listed file, wherever it is stored; `size` is None where there is no such file.

    `sha256` reads the file, which is done only where its size is right.
    """
    if size is None:
        return FileProblem(path, "missing", "a file")
    if size != entry.bytes:
        return FileProblem(path, f"{size} bytes long", f"{entry.bytes} bytes")
    found = sha256()
    return (
        None if found == entry.sha256 else FileProblem(path, f"of SHA-256 {found}", f"SHA-256 {entry.sha256}")
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_problems(folder: Path, manifest: Manifest) -> Iterator[FileProblem]:
    """Yield what is wrong with each listed file that isn't as listed."""
    for path, entry in manifest.checksums.items():
        problem = file_problem(folder, path, entry)
        if problem is not None:
            yield problem
