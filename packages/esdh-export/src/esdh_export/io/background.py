"""Calls that a thread of their own makes in order, while the caller goes on."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["BackgroundQueue", "Foreground"]


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


class Foreground:
    """What a BackgroundQueue is where there is no thread for it: each call is made at once."""

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Make a call."""
        function(*arguments)

    def wait(self) -> None:
        """Return: every call has been made."""

    def close(self) -> None:
        """Return: there is no thread to end."""
