"""Progress on long work: a bar on a terminal, plain lines elsewhere, nothing for short work."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

__all__ = ["WORTH_SHOWING", "counted", "recorded"]

WORTH_SHOWING = 1_000_000  # records; less is over in a second or two
_LINE_EVERY = 10.0  # seconds, where there is no terminal


@contextmanager
def recorded(
    total: int, *, hidden: bool, unit: str = "records", worth: int = WORTH_SHOWING
) -> Iterator[Callable[[int], None] | None]:
    """Yield a function that takes a number of finished records, or None where nothing is to be shown.

    `unit` is what is counted, and `worth` the least number of them that takes long enough.
    """
    if hidden or total < worth:
        yield None
    elif sys.stderr.isatty():
        with _bar(total, unit) as advance:
            yield advance
    else:
        yield _lines(total, unit)


@contextmanager
def counted(*, hidden: bool, unit: str = "records") -> Iterator[Callable[[int, int], None]]:
    """Yield a function that takes a number of finished records and the number of all, which the work itself calls."""
    with ExitStack() as stack:
        advance: Callable[[int], None] | None = None
        began = False

        def count(done: int, total: int) -> None:
            nonlocal advance, began
            if not began:
                began, advance = True, stack.enter_context(recorded(total, hidden=hidden, unit=unit))
            if advance is not None:
                advance(done)

        yield count


@contextmanager
def _bar(total: int, unit: str) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(unit),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(unit, total=total, rate="")

        def advance(count: int) -> None:
            progress.advance(task, count)
            done = progress.tasks[0].completed
            progress.update(task, rate=f"{done / max(time.monotonic() - began, 1e-9):,.0f}/s")

        yield advance


def _lines(total: int, unit: str) -> Callable[[int], None]:
    began = last = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last >= _LINE_EVERY:
            last = now
            rate = done / (now - began)
            print(
                f"{done:,} of {total:,} {unit}, {rate:,.0f}/s, {(total - done) / rate:,.0f} s left",
                file=sys.stderr,
            )

    return advance
