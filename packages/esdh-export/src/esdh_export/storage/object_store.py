"""A prefix of an object store, by its URI: no rename, sync or lock, so an empty prefix only, and the manifest last.

What a store does promise is that an object appears whole or not at all, and is listed from then on. So every attempt at
a shard writes objects of its own below `.esdh-staging`, which the store copies to their names once all shards are
finished. Before the first copy `.esdh-staging/commit.json` lists the names: a run that is killed among the copies leaves
no manifest, and the next run knows what to remove.
"""

import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from fnmatch import fnmatch
from functools import cache, partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

import msgspec
import pyarrow as pa
from esdh_manifest import (
    MANIFEST_NAME_PATTERN,
    SUMS_NAME,
    FileEntry,
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
from esdh_export.execution.executor import map_in_order
from esdh_export.execution.shard import ShardReport
from esdh_export.io.hashed_file import HashedFile
from esdh_export.io.store import unique_name
from esdh_export.request import SnapshotRequest

__all__ = ["ObjectStore", "Prefix", "asking"]

T = TypeVar("T")

_FIRST_ANSWER = 30.0  # seconds for a store's first answer
_RETRIES = 60  # seconds that Google's client tries again, unless the URI says; it would for 15 minutes
_THREAD = "esdh-store"
_STAGING = ".esdh-staging"
_COMMIT = f"{_STAGING}/commit.json"
_COPIES = 16  # at once; each waits for the store
_COPIED = 4 << 20  # bytes at once, where they pass through here


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
        return TargetError(f"output folder {str(self)!r} can't be read or written: {_one_line(error)}")

    def changed(self) -> TargetError:
        """Return the error that somebody else has written to the prefix meanwhile."""
        return TargetError(
            f"output folder {str(self)!r} was changed while the snapshot was written, perhaps by another run, and got no "
            "manifest; name an empty prefix"
        )

    @contextmanager
    def session(self, notes: list[str]) -> Iterator["ObjectStore"]:
        """Hold a store for one run; nothing of it stays but the snapshot, or nothing at all if it fails.

        `notes` takes what could not be removed beside the snapshot.
        """
        try:
            yield ObjectStore(self, unique_name())
        except BaseException as error:
            try:
                if asking():
                    raise _SilentError  # noqa: TRY301 - a call was given up, so another would wait too
                _call_in_thread(self.undo, seconds=_FIRST_ANSWER)
            except (_SilentError, OSError, pa.ArrowException):
                error.add_note(
                    f"what was written stays in {str(self)!r} until the next run into it, which removes it"
                )
            raise
        try:
            _call_in_thread(self.remove, _STAGING)
        except (OSError, pa.ArrowException) as error:
            notes.append(f"{f'{self}/{_STAGING}'!r} can't be removed ({_one_line(error)}); remove it")

    def recover(self) -> None:
        """Remove what a run that was killed has left: what attempts wrote, and what it had copied if it wrote no manifest.

        Raises TargetError when the store gives no answer.
        """
        system, path = self.filesystem()
        try:
            _call_in_thread(system.get_file_info, path, seconds=_FIRST_ANSWER)  # a long list takes longer
        except _SilentError:
            raise self._silent() from None
        _call_in_thread(self.undo)

    def undo(self) -> None:
        """Remove what isn't part of a snapshot that has its manifest: what is staged and, as far as listed, what was copied."""
        system, path = self.filesystem()
        if system.get_file_info(f"{path}/{_STAGING}").type == fs.FileType.NotFound:
            return
        if system.get_file_info(f"{path}/{_COMMIT}").type == fs.FileType.File:
            beside = system.get_file_info(fs.FileSelector(path))
            if _manifest_name(each.base_name for each in beside) is None:
                for name in msgspec.json.decode(_content(system, f"{path}/{_COMMIT}"), type=list[str]):
                    self.remove(name)
        self.remove(_STAGING)

    def remove(self, name: str) -> None:
        """Remove an object below the prefix, or all objects below a name."""
        system, path = self.filesystem()
        found = system.get_file_info(f"{path}/{name}").type
        if found == fs.FileType.File:
            system.delete_file(f"{path}/{name}")
        elif found == fs.FileType.Directory:
            system.delete_dir(f"{path}/{name}")

    def create(self, path: str) -> HashedFile:
        """Open a new object below the prefix."""
        system, prefix = self.filesystem()
        stream = _call_in_thread(system.open_output_stream, f"{prefix}/{path}")
        return HashedFile(_Stream(stream), synced=False)

    def manifest(self, *, expected: str) -> Manifest | None:
        """Return the manifest of the snapshot that the prefix holds, None when it is empty.

        `expected` is the name that a message gives where there is none.

        Raises TargetError when it holds anything else.
        """
        self._check_outer()
        found = self.sizes()
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
        written, found = encode_manifest(manifest), self.sizes()
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

    def sizes(self) -> dict[str, int]:
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


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())  # whatever the store's library writes


def _copy(system: fs.FileSystem, source: str, path: str) -> None:
    """Have the store copy an object, or copy it through here where it can't: S3 none of more than 5 GB, Azure of 256 MB."""
    try:
        system.copy_file(source, path)
    except (OSError, pa.ArrowException):
        with system.open_input_stream(source) as stream, system.open_output_stream(path) as copy:
            shutil.copyfileobj(stream, copy, _COPIED)


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
    """An object that is written or read; once a call has been given up, the store is asked nothing more."""

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

    def read(self, size: int) -> bytes:
        """Read bytes."""
        return cast("bytes", self._ask(self._stream.read, size))

    def flush(self) -> None:
        """Hand what is buffered to the store."""
        self._ask(self._stream.flush)

    def fileno(self) -> int:
        """Raise OSError: an object has no descriptor."""
        return int(self._stream.fileno())

    def close(self) -> None:
        """Finish the object."""
        self._ask(self._stream.close)

    def __enter__(self) -> "_Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, function: Callable[..., object], *arguments: object) -> object:
        if self._given_up:
            return None
        try:
            return _call_in_thread(function, *arguments)
        except KeyboardInterrupt:
            self._given_up = True
            raise


class ObjectStore(msgspec.Struct, frozen=True):
    """A store that writes below a prefix, wherever shards are written; `run` is a name that no other run has."""

    prefix: Prefix
    run: str

    def attempt(self) -> "ObjectAttempt":
        """Begin an attempt at a shard."""
        return ObjectAttempt(self)

    def staged(self, attempt: str, path: str) -> str:
        """Return where below the prefix an attempt writes a file."""
        return f"{_STAGING}/{self.run}/{attempt}/{path}"

    def open_fragment(self, name: str, attempt: str) -> BinaryIO:
        """Open a fragment that an attempt wrote, to be read."""
        system, prefix = self.prefix.filesystem()
        path = f"{prefix}/{self.staged(attempt, name)}"
        return cast("BinaryIO", _Stream(_call_in_thread(system.open_input_stream, path)))

    def create(self, path: str) -> HashedFile:
        """Open a new object of the snapshot by its relative path."""
        return self.prefix.create(path)

    def publish(self, request: SnapshotRequest, report: ShardReport) -> None:
        """Give the files of the attempts that the reports are of their names.

        Raises TargetError when the prefix isn't empty any more, or when such a file isn't there.
        """
        if self.prefix.sizes():
            raise self.prefix.changed()
        with self.prefix.create(_COMMIT) as file:
            file.write(msgspec.json.encode([*request.files().values(), SUMS_NAME]))
        system, prefix = self.prefix.filesystem()

        def copy(source: str, path: str) -> None:
            _copy(system, f"{prefix}/{source}", f"{prefix}/{path}")

        copies = (
            partial(copy, self.staged(report.attempts[shard.name], path), path)
            for shard in request.shards()
            for path in request.shard_files(shard)
        )
        with ThreadPoolExecutor(_COPIES) as pool, closing(map_in_order(pool, _call, copies)) as done:
            try:
                for _ in done:
                    pass
            except FileNotFoundError as error:
                raise TargetError(
                    f"output folder {str(self.prefix)!r} lacks a part that a worker wrote: either the worker writes to another "
                    "store (AWS_ENDPOINT_URL and its like must be the same everywhere), or another run into it has removed the part"
                ) from error

    def commit(self, path: str, manifest: bytes, files: Mapping[str, FileEntry]) -> None:
        """Write the manifest, if the prefix holds exactly the files that it lists.

        Raises TargetError if not.
        """
        if self.prefix.sizes() != {name: entry.bytes for name, entry in files.items()}:
            raise self.prefix.changed()
        with self.create(path) as file:
            file.write(manifest)


def _call(function: Callable[[], None]) -> None:
    function()


class ObjectAttempt:
    """An attempt whose objects the run copies to their names: a worker that goes on after its run changes no snapshot."""

    def __init__(self, store: ObjectStore) -> None:
        self.name = unique_name()
        self._store = store

    def create(self, path: str, *, large: bool) -> HashedFile:  # noqa: ARG002 - Arrow uploads in parts of any file
        """Open a new object for one of the snapshot."""
        return self._store.create(self._store.staged(self.name, path))

    def create_fragment(self, name: str) -> HashedFile:
        """Open a new object for a fragment of the JSON document."""
        return self._store.create(self._store.staged(self.name, name))

    def finish(self) -> None:
        """Leave the objects where they are."""
