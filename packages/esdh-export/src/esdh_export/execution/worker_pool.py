"""Worker processes for shards: they ignore Ctrl-C, which their parent handles, and exit with their parent."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from esdh_export.errors import WorkerError
from esdh_export.execution.cpu import default_workers

__all__ = ["WorkerPool", "start_workers"]

T = TypeVar("T")


class WorkerPool(ProcessPoolExecutor):
    """A process pool for `write_snapshot` and `verify_snapshot`, started as work comes.

    Workers are forked from a fresh server that has imported what they need (never from this process, whose
    Arrow may have threads) or, where there can be no such server, spawned. Where the system lets fewer processes
    start than were asked for, those do the work. Each watches the far end of a pipe
    that only this process holds: when it closes, because this process was killed or asks for it, they end
    at once, whatever they do.
    """

    def __init__(self, count: int, *, formats: Sequence[str] = (), modules: Sequence[str] = ()) -> None:
        """Begin a pool of `count` processes for snapshots in some formats; `modules` are those that their work needs too.

        Raises WorkerError where the system lacks what every pool needs.
        """
        parquet = ["pyarrow.parquet", "esdh_export.encoding.arrow"] if "parquet" in formats else []
        method = _start_server([*parquet, *modules])
        context = multiprocessing.get_context(method)
        try:
            self._watched, self._lifeline = context.Pipe(duplex=False)
            super().__init__(
                count,
                mp_context=context,
                initializer=_live_with_parent,
                initargs=(self._watched, dict(os.environ)),
            )
        # No shared memory or no semaphores, by what Python finds out itself and by what the system answers.
        except (OSError, ImportError, NotImplementedError) as error:
            raise _missing(error) from error

    def _adjust_process_count(self) -> None:
        """Start one more process where it is needed, or make do with those that there are."""
        try:
            super()._adjust_process_count()
        except (OSError, EOFError) as error:  # the latter when the server was refused
            if not self._processes:
                raise _missing(error) from error
            self._max_workers = len(self._processes)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Submit a call; a process that is started for it inherits that Ctrl-C is blocked."""
        with _interrupt_blocked():
            return super().submit(fn, *args, **kwargs)

    def kill_workers(self) -> None:
        """End every worker at once; calls that were submitted fail, and so do later ones."""
        self._lifeline.close()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers once their calls are done."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            self._lifeline.close()
            self._watched.close()


def start_workers(
    stack: ExitStack,
    workers: int | None,
    parts: int,
    *,
    formats: Sequence[str] = (),
    modules: Sequence[str] = (),
) -> WorkerPool | None:
    """Return a pool of workers that ends with the stack: as many as asked for, or as have room here, and parts are there for.

    None for one worker, which is this process; and, where nobody asked for a number, where none can be started.
    """
    count = min(workers or default_workers(), parts)
    if count <= 1:
        return None
    try:
        return stack.enter_context(WorkerPool(count, formats=formats, modules=modules))
    except WorkerError:
        if workers is not None:
            raise
        return None


def _start_server(modules: Sequence[str]) -> str:
    """Begin the server that workers are forked from, which imports while the caller goes on; return how they start.

    They are spawned where there is no such server: on Windows, or where it can't have its socket, whose path in
    the temporary folder may be of some hundred bytes at the most.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return "spawn"
    from multiprocessing import forkserver

    forkserver.set_forkserver_preload(["esdh_export.storage.staging", "pyarrow.compute", *modules])
    try:
        with _interrupt_blocked():
            forkserver.ensure_running()
    except OSError:
        return "spawn"
    return "forkserver"


def _missing(error: Exception) -> WorkerError:
    forked = "their server couldn't fork" if isinstance(error, EOFError) else str(error)
    reason = getattr(error, "strerror", None) or forked
    return WorkerError(
        f"worker processes can't be started here ({reason}); give --workers 1, which needs none"
    )


def _live_with_parent(watched: Connection, environment: dict[str, str]) -> None:
    # A fork server lives as long as its first user, with the environment of its start; where an object
    # store is, and its credentials, are this pool's.
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(watched,), daemon=True).start()


def _watch(watched: Connection) -> None:
    try:
        watched.recv_bytes()  # nothing is ever sent
    except (EOFError, OSError):
        os._exit(1)


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
