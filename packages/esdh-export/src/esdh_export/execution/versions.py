"""Which programs decide the bytes of a shard: whoever writes a part has the same ones."""

import pickle
import socket
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
import numpy as np
from esdh_core import Dataset

from esdh_export.errors import WorkerError

__all__ = ["call_if_same", "difference", "versions"]


def versions(dataset: Dataset) -> dict[str, str]:
    """Return the versions of what decides the bytes of a dataset's shards, by the distribution's name."""
    plan = ("esdh-plan",) if dataset.recipe is not None else ()
    found = {name: version(name) for name in ("esdh-core", "esdh-export", *plan, "pyarrow")}
    return found | {module.__name__: module.__version__ for module in (msgspec, np)}  # without reading a file


@cache  # it reads a file
def _version_here(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def difference(worker: str, found: Mapping[str, str | None], expected: Mapping[str, str]) -> str | None:
    """Return a sentence about the first program of which a worker has none (None) or another version; None if there is none."""
    for name, here in expected.items():
        if found[name] != here:
            there = f"no {name}" if found[name] is None else f"{name} {found[name]}"
            return f"{worker} has {there}, and this machine {here}, so that it might write other bytes; install {here} there"
    return None


def call_if_same(expected: Mapping[str, str], function: bytes, argument: object) -> Any:
    """Return what a pickled function says of an argument, on a worker that has the programs of the machine it works for.

    Until they are compared nothing is unpickled, which could fail for no other reason than their difference.

    Raises WorkerError if they differ: a worker may have come after all others were asked.
    """
    found = {name: _version_here(name) for name in expected}
    sentence = difference(f"worker {socket.gethostname()!r}", found, expected)
    if sentence is not None:
        raise WorkerError(sentence)
    return pickle.loads(function)(argument)  # noqa: S301 - as every executor of processes does with what it is handed
