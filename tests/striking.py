"""A load in a process of its own that is killed at a chosen moment: before a step, or after some time of the processor.

    python striking.py URI SEED count
    python striking.py URI SEED step STEP
    python striking.py URI SEED time SECONDS

A step is a statement, a batch of rows that the driver takes, or the commit. `count` prints the steps of a whole run,
and the seconds that it took the processor. SECONDS strike wherever the process is then, within a driver too.
"""

import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from databases import Database
from esdh_load import LoadedRows, PlanSource, load_database
from esdh_load.databases import Database as Connection
from loads import NOW, dataset_of

__all__ = ["EARLIER", "LATER", "replace"]

EARLIER, LATER = 1, 2  # seeds
_PLAN, _RECORDS = "shop", 150


def replace(database: Database | str, seed: int) -> LoadedRows:
    """Put a load of a seed in the place of the one that is there."""
    uri = database if isinstance(database, str) else database.uri
    source = PlanSource(dataset_of(_PLAN), records=_RECORDS, seed=seed)
    return load_database(uri, source, now=NOW, replace=True)


class _Steps:
    """The steps so far, the last of which is chosen."""

    def __init__(self, last: int | None) -> None:
        self.count = 0
        self._last = last

    def take(self) -> None:
        """Take a step, or die before it."""
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that takes a step first."""

        def call(*args: Any, **options: Any) -> Any:
            self.take()
            return function(*args, **options)

        return call

    def before_each(self, rows: Iterable[Any]) -> Iterable[Any]:
        """Yield what is iterated over, a step before each."""
        for each in rows:
            self.take()
            yield each


def _main(uri: str, seed: int, what: str, limit: float) -> None:
    steps = _Steps(int(limit) if what == "step" else None)
    insert_all = Connection.insert

    def insert(self: Connection, table: str, rows: Iterable[Any], *args: Any) -> None:
        insert_all(self, table, steps.before_each(rows), *args)

    importlib.import_module(f"esdh_load.databases.{uri.partition(':')[0]}")
    setattr(Connection, "insert", insert)  # noqa: B010 - to strike in it
    for kind in (Connection, *Connection.__subclasses__()):
        for name in {"execute", "commit"} & vars(kind).keys():
            setattr(kind, name, steps.before(getattr(kind, name)))
    if what == "time":
        signal.setitimer(signal.ITIMER_PROF, limit)  # whose signal ends a process that has no handler for it
    began = time.process_time()
    replace(uri, seed)
    print(steps.count, time.process_time() - began)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]) if len(sys.argv) > 4 else 0)
