"""SHA256SUMS, and files held against the checksums that a manifest lists."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from esdh_manifest.model import ListedFile, Manifest

__all__ = [
    "MANIFEST_NAME_PATTERN",
    "SUMS_NAME",
    "FileProblem",
    "file_problem",
    "file_problems",
    "files_below",
    "list_bytes",
    "sha256sums",
]

SUMS_NAME = "SHA256SUMS"
MANIFEST_NAME_PATTERN = "snapshot_manifest_*.json"


def list_bytes(data: bytes, rows: int | None = None) -> ListedFile:
    """Return what the manifest lists of a file with this content."""
    return ListedFile(hashlib.sha256(data).hexdigest(), len(data), rows)


def sha256sums(checksums: Mapping[str, ListedFile]) -> bytes:
    """Return SHA256SUMS for `sha256sum -c`: two spaces, binary-safe names, sorted by path."""
    return "".join(f"{listed.sha256}  {path}\n" for path, listed in sorted(checksums.items())).encode()


def files_below(folder: Path) -> set[str]:
    """Return every file, symbolic link and empty folder below a folder, as relative POSIX paths."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir())
    }


class FileProblem(NamedTuple):
    """A listed file that isn't as listed: what was found, and what is listed."""

    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path} is {self.found}; the manifest lists {self.expected}"


def file_problem(folder: Path, path: str, listed: ListedFile) -> FileProblem | None:
    """Return what is wrong with a listed file: missing, a symbolic link, or not as listed; nothing is followed."""
    file = folder / path
    if any(part.is_symlink() for part in (file, *file.parents) if part != folder and folder in part.parents):
        return FileProblem(path, "a symbolic link", "a file")
    if not file.is_file():
        return FileProblem(path, "missing", "a file")
    if (size := file.stat().st_size) != listed.bytes:
        return FileProblem(path, f"{size} bytes long", f"{listed.bytes} bytes")
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != listed.sha256:
        return FileProblem(path, f"of SHA-256 {found}", f"SHA-256 {listed.sha256}")
    return None


def file_problems(folder: Path, manifest: Manifest) -> Iterator[FileProblem]:
    """Yield what is wrong with each listed file that isn't as listed."""
    for path, listed in manifest.checksums.items():
        problem = file_problem(folder, path, listed)
        if problem is not None:
            yield problem
