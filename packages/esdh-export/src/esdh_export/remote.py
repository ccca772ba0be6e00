"""A prefix of an object store, by its URI: no rename, sync or lock, so an empty prefix only, and the manifest last."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import msgspec
import pyarrow as pa
from esdh_manifest import (
    SUMS_NAME,
    FileProblem,
    Manifest,
    ManifestError,
    decode_manifest,
    encode_manifest,
    is_ignored,
    list_bytes,
    sha256sums,
)
from pyarrow import fs

from esdh_export.errors import TargetError
from esdh_export.files import Behind, HashedFile
from esdh_export.request import MANIFEST_NAME

__all__ = ["Objects", "Prefix"]


@cache
def _opened(uri: str) -> tuple[fs.FileSystem, str]:
    system, path = fs.FileSystem.from_uri(uri)
    return system, path.rstrip("/")


class Prefix(msgspec.Struct, frozen=True):
    """A prefix of an object store; as text its URI without the query, which may hold what nobody should read."""

    uri: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.uri)
        # `abfs://container@account` is no user's name; a password is one everywhere.
        if parts.password is not None or (parts.username is not None and not parts.scheme.startswith("abfs")):
            raise TargetError(
                f"the {parts.scheme} URI of the output folder holds credentials; leave them out of it, and set them in "
                "the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3)"
            )

    def __str__(self) -> str:
        return self.uri.partition("?")[0]

    def opened(self) -> tuple[fs.FileSystem, str]:
        """Return Arrow's file system and the path in it."""
        try:
            return _opened(self.uri)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise TargetError(
                f"output folder {str(self)!r} is no place that Arrow's file systems know ({type(error).__name__}); "
                "give a local folder, or a URI such as s3://bucket/prefix"
            ) from None  # its words repeat the query

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Turn the errors of the store into one that names the prefix."""
        try:
            yield
        except OSError as error:
            if error.errno is not None and not isinstance(error, FileNotFoundError):
                raise  # the local disk's
            raise TargetError(f"output folder {str(self)!r} can't be read or written: {error}") from error

    @contextmanager
    def objects(self) -> Iterator["Objects"]:
        """Hold a store that writes to the prefix; the sections of the JSON document go to a temporary folder."""
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="esdh-") as sections:
            yield Objects(self, Path(sections))

    def manifest(self) -> Manifest | None:
        """Return the manifest of the snapshot that the prefix holds, None when it is empty.

        Raises TargetError when it holds anything else.
        """
        self._check_outer()
        found = self._sizes()
        if not found:
            return None
        if MANIFEST_NAME not in found:
            raise TargetError(
                f"output folder {str(self)!r} holds {min(found)!r} and no {MANIFEST_NAME}, so it is no snapshot, or one that "
                "was never finished; remove what is there, or name an empty prefix"
            )
        try:
            manifest = decode_manifest(self._read(MANIFEST_NAME))
        except ManifestError as error:
            raise TargetError(
                f"output folder {str(self)!r} holds a {MANIFEST_NAME} that can't be read ({error}); name an empty prefix"
            ) from error
        foreign = set(found) - {*manifest.checksums, SUMS_NAME, MANIFEST_NAME}
        if foreign:
            raise TargetError(
                f"output folder {str(self)!r} holds {min(foreign)!r} beside a snapshot; name an empty prefix"
            )
        return manifest

    def _check_outer(self) -> None:
        """Raise TargetError when the prefix lies in that of a snapshot, as far as that can be read."""
        system, path = self.opened()
        for outer in (each for each in PurePosixPath(path).parents if each.name):
            with suppress(OSError):
                if system.get_file_info(f"{outer}/{MANIFEST_NAME}").is_file:
                    raise TargetError(
                        f"output folder {str(self)!r} lies in a prefix that holds a snapshot, which would be damaged by it; "
                        "name a prefix outside"
                    )

    def problems(self, manifest: Manifest) -> list[FileProblem]:
        """Return what is wrong with the files of the snapshot; every one is read."""
        written, found = encode_manifest(manifest), self._sizes()
        if self._read(MANIFEST_NAME) != written:
            return [FileProblem(MANIFEST_NAME, "in another form", "the form that it was written in")]
        if SUMS_NAME not in found or self._read(SUMS_NAME) != sha256sums(
            {**manifest.checksums, MANIFEST_NAME: list_bytes(written)}
        ):
            return [FileProblem(SUMS_NAME, "another list", f"what {MANIFEST_NAME} lists")]
        system, path = self.opened()
        problems = []
        for name, listed in manifest.checksums.items():
            if found.get(name) != listed.bytes:
                size = "missing" if name not in found else f"{found[name]} bytes long"
                problems.append(FileProblem(name, size, f"{listed.bytes} bytes"))
                continue
            with system.open_input_stream(f"{path}/{name}") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if digest != listed.sha256:
                problems.append(FileProblem(name, f"of SHA-256 {digest}", f"SHA-256 {listed.sha256}"))
        return problems

    def _sizes(self) -> dict[str, int]:
        """Return the size of each object, by its path below the prefix."""
        system, path = self.opened()
        listed = system.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
        files = (each for each in listed if each.type == fs.FileType.File)
        sizes = {each.path.removeprefix(f"{path}/"): each.size for each in files}
        return {name: size for name, size in sizes.items() if not is_ignored(name)}

    def _read(self, name: str) -> bytes:
        system, path = self.opened()
        with system.open_input_stream(f"{path}/{name}") as stream:
            data: bytes = stream.read()
            return data


class Objects(msgspec.Struct, frozen=True):
    """A store that writes straight to a prefix, whoever writes; the sections are on a disk that all see."""

    prefix: Prefix
    sections: Path

    def create(self, path: str, *, large: bool, behind: Behind | None = None) -> HashedFile:  # noqa: ARG002 - Arrow uploads in parts of any file
        """Open a new object of the snapshot by its relative path."""
        system, prefix = self.prefix.opened()
        stream = system.open_output_stream(f"{prefix}/{path}")
        return HashedFile(stream, synced=False, behind=behind)
