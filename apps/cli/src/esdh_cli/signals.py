"""Ctrl-C and SIGTERM while a command works: once, as an exception that its clean-up sees."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Terminated", "interruptible", "unstoppable"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM, to be taken like Ctrl-C."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt at the first SIGINT, Terminated at the first SIGTERM, and let nothing disturb the clean-up after it."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    heard = [each for each in _SIGNALS if before[each] is not signal.SIG_IGN]  # as nohup and `&` have it

    def stop(number: int, _: FrameType | None) -> None:
        for each in heard:
            signal.signal(each, signal.SIG_IGN)
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    for each in heard:
        signal.signal(each, stop)
    try:
        yield
    finally:
        for each in heard:
            signal.signal(each, before[each])


@contextmanager
def unstoppable() -> Iterator[None]:
    """Ignore SIGINT and SIGTERM for the moment that it takes to report what was done: they come too late to stop it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, signal.SIG_IGN) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
