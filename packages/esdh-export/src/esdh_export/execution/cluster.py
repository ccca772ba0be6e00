"""A running Dask cluster as an executor: its scheduler decides what runs where, how often and again."""

import importlib.metadata
import logging
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from esdh_export.errors import ExportError, WorkerError
from esdh_export.execution.versions import difference

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["check_address", "connect"]

_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://[^/@?#]+:[0-9]{1,5}", re.ASCII)
_FIRST_ANSWER = 10  # seconds
_RETRIES = 2  # of a part whose store failed: Dask tries it again, perhaps on another worker
_LOGS = ("distributed", "distributed.client")


def check_address(address: str) -> str:
    """Return the address of a Dask scheduler, such as tcp://host:8786; ExportError for one that can't be."""
    if _ADDRESS.fullmatch(address) is None:
        raise ExportError(
            f"{address!r} is no address of a Dask scheduler; give one such as tcp://host:8786 (or tls://, ws:// or wss://)"
        )
    return address


@contextmanager
def connect(address: str, versions: Mapping[str, str]) -> Iterator[Executor]:
    """Yield the cluster of a scheduler as an executor, once it and every worker are seen to have these versions.

    `versions` are by the name of their distribution.

    Raises ExportError when the address can't be one or Dask isn't installed; WorkerError when no scheduler answers there,
    when a version differs, and, from what is done with the executor, when the scheduler or too many workers are lost.
    """
    check_address(address)
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise ExportError(
            "a Dask cluster needs the package distributed, which isn't installed here; install esdh-cli[dask]"
        ) from None
    with _quiet_logs():
        try:
            client = Client(address, timeout=_FIRST_ANSWER, set_as_default=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise WorkerError(
                f"no Dask scheduler answers at {address} ({_reason(error)}); see whether it runs and this machine reaches it"
            ) from error
        try:
            _check_versions(client, address, versions)
            yield client.get_executor(pure=False, retries=_RETRIES)
        except KilledWorker as error:
            sentence = (
                f"one part was tried on {error.allowed_failures + 1} workers of {address}, and each of them died over it "
                "(killed, perhaps for want of memory); run again with smaller --shard-rows, or with more memory a worker"
            )
            raise _with_notes(WorkerError(sentence), error) from error
        except Exception as error:
            if client.status == "running" or (
                isinstance(error, ExportError) and not isinstance(error, WorkerError)
            ):
                raise
            sentence = f"the scheduler at {address} is gone; start it again, then run again"
            raise _with_notes(WorkerError(sentence), error) from error
        finally:
            client.close(timeout=_FIRST_ANSWER)


def _check_versions(client: "Client", address: str, versions: Mapping[str, str]) -> None:
    """Raise WorkerError if the scheduler, which unpickles what it passes on, or a worker has another version of a program."""
    found: dict[str, dict[str, str | None]] = {f"the scheduler at {address}": {}}
    # Functions of Python's own: one of ours would be looked for where there may be none.
    for name in versions:
        try:
            on_scheduler = client.run_on_scheduler(importlib.metadata.version, name)
        except importlib.metadata.PackageNotFoundError:
            on_scheduler = None
        answers: dict[str, Any] = client.run(importlib.metadata.version, name, on_error="return")
        found[f"the scheduler at {address}"][name] = on_scheduler
        for worker, answer in answers.items():
            held = answer if isinstance(answer, str) else None
            found.setdefault(f"worker {worker}", {})[name] = held
    for place, programs in found.items():
        if programs.keys() != versions.keys():  # a worker that came or went meanwhile; the others tell
            continue
        sentence = difference(place, programs, versions)
        if sentence is not None:
            raise WorkerError(sentence)


def _with_notes(error: WorkerError, cause: BaseException) -> WorkerError:
    for note in getattr(cause, "__notes__", ()):
        error.add_note(note)
    return error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Have Dask say nothing on stderr of what is raised too."""
    levels = {name: logging.getLogger(name).level for name in _LOGS}
    for name in _LOGS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
