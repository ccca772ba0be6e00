"""Shards over any executor: a bounded number under way, in order, and nothing left behind."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, TypeVar

from esdh_export.errors import WorkerError

if TYPE_CHECKING:  # its import costs a small snapshot more than the snapshot
    from concurrent.futures import Executor, Future

__all__ = ["map_in_order"]

T = TypeVar("T")
R = TypeVar("R")

# Shards handed to an executor and not merged yet: enough to keep a large cluster busy, and few enough that their
# reports (some 50 KB each) are small and that there is little to call off.
_IN_FLIGHT = 1024


def map_in_order(
    executor: "Executor | None", function: Callable[[T], R], items: Iterable[T]
) -> Generator[R, None, None]:
    """Yield `function` of each item in order, with a bounded number under way; None means this process.

    When it ends early, what waits is called off and what runs is waited for, so that nothing goes on behind
    the caller's back; an interrupt kills the workers of an executor that has `kill_workers`, as those of
    Python 3.14 and WorkerPool have. Raises WorkerError when the executor has lost a worker, or calls off what it was given.
    """
    if executor is None:
        yield from map(function, items)
        return
    from concurrent.futures import BrokenExecutor, CancelledError, wait

    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) == _IN_FLIGHT:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenExecutor as error:
        wait(pending)
        raise WorkerError(
            "a worker process ended before its part was written (killed, perhaps for want of memory, or not let to start); "
            "run again with fewer --workers, or with more memory"
        ) from error
    except (
        CancelledError
    ) as error:  # by the executor: whoever calls off a future here doesn't ask for its result
        wait([future for future in pending if not future.cancel()])
        raise WorkerError(
            "the executor has called off a part of the work, as one does that was closed or has lost its scheduler; run again"
        ) from error
    except Exception:
        wait([future for future in pending if not future.cancel()])
        raise
    except BaseException:
        if hasattr(executor, "kill_workers"):
            executor.kill_workers()  # its futures end by that; cancelled ones would upset the pool's own thread
            wait(pending)
        else:
            wait([future for future in pending if not future.cancel()])
        raise
