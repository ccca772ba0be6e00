"""Calls that a thread of their own makes in order, while the caller goes on."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

__all__ = ["BackgroundCalls", "BackgroundQueue"]


class BackgroundQueue:
    """Calls that a thread of their own makes in order, while the caller goes on.

    NumPy, Arrow, SHA-256 and the disk let other threads run, so that hashing and writing use the core that
    nothing else does, and overlap with waiting for the disk where there is none.
    """

    def __init__(self, most: int) -> None:
        """Begin a thread; at most so many calls wait, with what they hold in memory, before the caller does."""
        from concurrent.futures import ThreadPoolExecutor  # costs a small snapshot more than it would gain

        self._most = most
        self._thread = ThreadPoolExecutor(1)
        self._pending: deque[Future[Any]] = deque()

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Have a call made, once there is room for it; raise what an earlier one raised."""
        if len(self._pending) == self._most:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(function, *arguments))

    def wait(self) -> None:
        """Wait for every call; raise what one raised."""
        while self._pending:
            self._pending.popleft().result()

    def close(self) -> None:
        """End the thread after the call at hand; those that wait aren't made."""
        self._thread.shutdown(cancel_futures=True)


class BackgroundCalls:
    """Calls that threads make together, in any order, while the caller goes on; without threads they are made at once."""

    def __init__(self, threads: int) -> None:
        """Begin so many threads; none, where the caller is to make the calls."""
        self._threads: Executor | None = None
        self._pending: list[Future[Any]] = []
        if threads:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(threads)

    def make(self, calls: Iterable[Callable[[], object]]) -> None:
        """Have calls made, once all earlier ones have been; raise what one of those raised."""
        self.wait()
        for call in calls:
            if self._threads is None:
                call()
            else:
                self._pending.append(self._threads.submit(call))

    def wait(self) -> None:
        """Wait for every call; raise what one raised."""
        while self._pending:
            self._pending.pop().result()

    def close(self) -> None:
        """End the threads after the calls at hand; those that wait aren't made."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
