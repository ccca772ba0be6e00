"""A prefix of an object store, by its URI: no rename, sync or lock, so an empty prefix only, and the manifest last."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec
import pyarrow as pa
from esdh_manifest import (
    MANIFEST_NAME_PATTERN,
    SUMS_NAME,
    FileProblem,
    Manifest,
    ManifestError,
    content_problem,
    decode_manifest,
    encode_manifest,
    entry_of,
    is_ignored,
    manifest_name,
    sha256sums,
)
from pyarrow import fs

from esdh_export.errors import TargetError
from esdh_export.io.background import BackgroundQueue
from esdh_export.io.hashed_file import HashedFile

__all__ = ["ObjectStore", "Prefix", "asking"]

T = TypeVar("T")

_FIRST_ANSWER = 30.0  # seconds for a store's first answer
_RETRIES = 60  # seconds that Google's client tries again, unless the URI says; it would for 15 minutes
_THREAD = "esdh-store"


class _SilentError(Exception):
    """A store that gave no answer in time."""


def _call_in_thread(function: Callable[..., T], *arguments: Any, seconds: float = float("inf")) -> T:
    """Return what a call of Arrow's returns, which a thread of its own makes.

    Python handles signals in the main thread, and a call that waits for a store in C++ would keep it from doing so.
    The thread of a call that was given up ends with the process. Raises _SilentError after so many seconds.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def call() -> None:
        try:
            returned.append(function(*arguments))
        except BaseException as error:  # handed to the caller
            raised.append(error)

    thread = threading.Thread(target=call, name=_THREAD, daemon=True)
    thread.start()
    deadline = time.monotonic() + seconds
    while thread.is_alive():
        left = deadline - time.monotonic()
        if left <= 0:
            raise _SilentError
        thread.join(min(left, 1))  # without a limit Windows would handle no signal
    if raised:
        raise raised[0]
    return returned[0]


def asking() -> bool:
    """Return whether a call is under way: one that was given up holds up the end of the process, until it fails."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def _limited(uri: str) -> str:
    """Return a URI with an end to the retries of its store, where there would be none that a user waits for."""
    parts = urlsplit(uri)
    if parts.scheme not in ("gs", "gcs") or "retry_limit_seconds" in parse_qs(parts.query):
        return uri
    return f"{uri}{'&' if parts.query else '?'}retry_limit_seconds={_RETRIES}"


@cache
def _opened(uri: str) -> tuple[fs.FileSystem, str]:
    system, path = _call_in_thread(fs.FileSystem.from_uri, _limited(uri), seconds=_FIRST_ANSWER)
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

    def filesystem(self) -> tuple[fs.FileSystem, str]:
        """Return Arrow's file system and the path in it."""
        try:
            return _opened(self.uri)
        except _SilentError:
            raise self._silent() from None
        except (pa.ArrowException, ValueError, OSError) as error:
            raise TargetError(
                f"output folder {str(self)!r} is no place that Arrow's file systems know ({type(error).__name__}); "
                "give a local folder, or a URI such as s3://bucket/prefix"
            ) from None  # its words repeat the query

    def _silent(self) -> TargetError:
        return TargetError(
            f"the store of output folder {str(self)!r} gave no answer in {_FIRST_ANSWER:g} seconds; see whether this machine "
            "reaches it, and name another"
        )

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Turn the errors of the store into one that names the prefix."""
        try:
            yield
        except OSError as error:
            if error.errno is not None and not isinstance(error, FileNotFoundError):
                raise  # the local disk's
            raise self._unreached(error) from error
        except pa.ArrowException as error:  # as which Arrow raises what an Azure store says
            raise self._unreached(error) from error

    def _unreached(self, error: Exception) -> TargetError:
        message = " ".join(str(error).split())  # on one line, whatever the store's library writes
        return TargetError(f"output folder {str(self)!r} can't be read or written: {message}")

    @contextmanager
    def open_store(self) -> Iterator["ObjectStore"]:
        """Hold a store that writes to the prefix; the fragments of the JSON document go to a temporary folder."""
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="esdh-") as fragments:
            yield ObjectStore(self, Path(fragments))

    def manifest(self, *, expected: str) -> Manifest | None:
        """Return the manifest of the snapshot that the prefix holds, None when it is empty.

        `expected` is the name that a message gives where there is none.

        Raises TargetError when it holds anything else.
        """
        system, path = self.filesystem()
        try:
            _call_in_thread(system.get_file_info, path, seconds=_FIRST_ANSWER)  # a long list takes longer
        except _SilentError:
            raise self._silent() from None
        self._check_outer()
        found = self._sizes()
        if not found:
            return None
        name = _manifest_name(found)
        if name is None:
            raise TargetError(
                f"output folder {str(self)!r} holds {min(found)!r} and no {expected}, so it is no snapshot, or one that "
                "was never finished; remove what is there, or name an empty prefix"
            )
        try:
            manifest = decode_manifest(self._read(name))
        except ManifestError as error:
            raise TargetError(
                f"output folder {str(self)!r} holds a {name} that can't be read ({error}); name an empty prefix"
            ) from error
        foreign = set(found) - {*manifest.checksums, SUMS_NAME, name}
        if foreign:
            raise TargetError(
                f"output folder {str(self)!r} holds {min(foreign)!r} beside a snapshot; name an empty prefix"
            )
        return manifest

    def _check_outer(self) -> None:
        """Raise TargetError when the prefix lies in that of a snapshot, as far as that can be read."""
        system, path = self.filesystem()
        for outer in (each for each in PurePosixPath(path).parents if each.name):
            with suppress(OSError):
                beside = _call_in_thread(
                    system.get_file_info, fs.FileSelector(str(outer), allow_not_found=True)
                )
                if _manifest_name(each.base_name for each in beside) is not None:
                    raise TargetError(
                        f"output folder {str(self)!r} lies in a prefix that holds a snapshot, which would be damaged by it; "
                        "name a prefix outside"
                    )

    def problems(self, manifest: Manifest) -> list[FileProblem]:
        """Return what is wrong with the files of the snapshot; every one is read."""
        written, found = encode_manifest(manifest), self._sizes()
        name = manifest_name(manifest.dataset_version)
        if name not in found or self._read(name) != written:
            return [FileProblem(name, "in another form", "the form that it was written in")]
        if SUMS_NAME not in found or self._read(SUMS_NAME) != sha256sums(
            {**manifest.checksums, name: entry_of(written)}
        ):
            return [FileProblem(SUMS_NAME, "another list", f"what {name} lists")]
        system, path = self.filesystem()
        problems = (
            content_problem(
                file,
                entry,
                size=found.get(file),
                sha256=partial(_call_in_thread, _sha256, system, f"{path}/{file}"),
            )
            for file, entry in manifest.checksums.items()
        )
        return [each for each in problems if each is not None]

    def _sizes(self) -> dict[str, int]:
        """Return the size of each object, by its path below the prefix."""
        system, path = self.filesystem()
        infos = _call_in_thread(
            system.get_file_info, fs.FileSelector(path, recursive=True, allow_not_found=True)
        )
        files = (each for each in infos if each.type == fs.FileType.File)
        sizes = {each.path.removeprefix(f"{path}/"): each.size for each in files}
        return {name: size for name, size in sizes.items() if not is_ignored(name)}

    def _read(self, name: str) -> bytes:
        system, path = self.filesystem()
        return _call_in_thread(_content, system, f"{path}/{name}")


def _manifest_name(names: Iterable[str]) -> str | None:
    """Return the first that is a manifest's name."""
    return next((name for name in sorted(names) if fnmatch(name, MANIFEST_NAME_PATTERN)), None)


def _content(system: fs.FileSystem, path: str) -> bytes:
    with system.open_input_stream(path) as stream:
        data: bytes = stream.read()
        return data


def _sha256(system: fs.FileSystem, path: str) -> str:
    with system.open_input_stream(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Stream:
    """An object that is written; once a call has been given up, the store is asked nothing more."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream
        self._given_up = False

    @property
    def closed(self) -> bool:
        """Whether the object is closed."""
        return self._given_up or bool(self._stream.closed)

    def write(self, data: memoryview) -> None:
        """Write bytes."""
        self._ask(self._stream.write, data)

    def flush(self) -> None:
        """Hand what is buffered to the store."""
        self._ask(self._stream.flush)

    def fileno(self) -> int:
        """Raise OSError: an object has no descriptor."""
        return int(self._stream.fileno())

    def close(self) -> None:
        """Finish the object."""
        self._ask(self._stream.close)

    def _ask(self, function: Callable[..., object], *arguments: object) -> None:
        if self._given_up:
            return
        try:
            _call_in_thread(function, *arguments)
        except KeyboardInterrupt:
            self._given_up = True
            raise


class ObjectStore(msgspec.Struct, frozen=True):
    """A store that writes straight to a prefix, whoever writes; the fragments are on a disk that all see."""

    prefix: Prefix
    fragments: Path

    def create(self, path: str, *, large: bool, background: BackgroundQueue | None = None) -> HashedFile:  # noqa: ARG002 - Arrow uploads in parts of any file, background the caller
        """Open a new object of the snapshot by its relative path."""
        system, prefix = self.prefix.filesystem()
        stream = _call_in_thread(system.open_output_stream, f"{prefix}/{path}")
        return HashedFile(_Stream(stream), synced=False)
