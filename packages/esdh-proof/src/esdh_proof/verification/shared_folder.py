"""Verification by other machines: their workers must see the folder as this one does, and have the same programs."""

import hashlib
import pickle
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from esdh_core import DEFAULT_DATASET
from esdh_export import WorkerError
from esdh_export.execution.versions import call_if_same, versions

from esdh_proof.errors import ProofError
from esdh_proof.reading import manifest_names

__all__ = ["SharedFolder", "programs"]

T = TypeVar("T")


def programs() -> dict[str, str]:
    """Return the versions of what decides the outcome of a verification, by the distribution's name."""
    return versions(DEFAULT_DATASET) | {name: version(name) for name in ("esdh-plan", "esdh-proof")}


class SharedFolder(Executor):
    """An executor whose workers are on other machines and see the folder of a snapshot on a disk that all share.

    Each call first holds the programs of its worker against this machine's, and the manifest that the worker sees
    against the one here: what isn't seen would else be told as damage. A call raises WorkerError where they differ.

    Raises ProofError for a folder without a manifest.
    """

    def __init__(self, executor: Executor, folder: Path) -> None:
        self._executor = executor
        self.folder = folder.resolve()
        name = min(manifest_names(folder), default=None)
        if name is None:
            raise ProofError(f"folder {str(folder)!r} has no manifest; name the folder of a snapshot")
        self._manifest = name, _digest(self.folder / name)
        self._programs = programs()
        self._pickled: tuple[object, bytes] = (None, b"")

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Hand on a call of one argument."""
        if kwargs or len(args) != 1:
            raise TypeError("a call takes one argument")
        if self._pickled[0] is not fn:  # a verification hands on the same function with each part
            self._pickled = fn, pickle.dumps(fn)
        call = _SeenCall(self.folder, *self._manifest, self._pickled[1], self._programs)
        return self._executor.submit(call, args[0])


class _SeenCall:
    """A pickled function, called where the folder is seen as it was here."""

    def __init__(
        self, folder: Path, name: str, digest: str, function: bytes, programs: Mapping[str, str]
    ) -> None:
        self._folder, self._name, self._digest = folder, name, digest
        self._function, self._programs = function, programs

    def __call__(self, argument: object) -> Any:
        try:
            found = _digest(self._folder / self._name)
        except OSError as error:
            found = error.strerror or type(error).__name__
        if found != self._digest:
            raise WorkerError(
                f"worker {socket.gethostname()!r} doesn't see {str(self._folder / self._name)!r} as it is here ({found[:60]}); "
                "the folder of the snapshot must be on a disk that all workers share, at the same path"
            )
        return call_if_same(self._programs, self._function, argument)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
