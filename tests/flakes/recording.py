"""The study's plugin: changes the circumstances of a run, and writes what came of it as a line of JSON.

The variable STUDY is JSON: `out`, the file; `day`, on which the run takes place; `order` and `subset`, words to draw from, or "".
"""

import hashlib
import json
import os
from collections.abc import Generator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import quotes
import time_machine

_STUDY = json.loads(os.environ["STUDY"])
_ROWS: list[str] = []
_init = quotes.Customer.__init__


def _noting_init(self: quotes.Customer, *arguments: Any, **named: Any) -> None:
    _init(self, *arguments, **named)
    _ROWS.append(repr(self))


class _Recording:
    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.rows: dict[str, str] = {}
        self.failures: list[dict[str, Any]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Shuffle, and leave out a half."""
        if _STUDY["order"]:
            Random(_STUDY["order"]).shuffle(items)
        if _STUDY["subset"]:
            names = sorted({_function(item) for item in items})
            half = set(Random(_STUDY["subset"]).sample(names, len(names) // 2))
            config.hook.pytest_deselected(items=[item for item in items if _function(item) not in half])
            items[:] = [item for item in items if _function(item) in half]

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Take along what the marker says: with pytest-xdist the controller has reports alone."""
        mark = item.get_closest_marker("fault")
        item.user_properties.append(("fault", mark.args[0] if mark else ""))
        item.user_properties.append(("test", _function(item)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Begin with no rows."""
        _ROWS.clear()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Say which rows a test was given."""
        if call.when == "call":
            digest = hashlib.sha256("\n".join(_ROWS).encode()).hexdigest()[:12]
            item.user_properties.append(("rows", digest))
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note an outcome; a test that fails for one of its records has failed."""
        if report.when != "call" and not report.failed:
            return
        told = dict(report.user_properties)
        test = str(told["test"])
        if report.failed or test not in self.outcomes:
            self.outcomes[test] = "F" if report.failed else "."
            self.rows[test] = str(told.get("rows", ""))
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self.failures.append(
                {
                    "test": test,
                    "node": report.nodeid,
                    "fault": told["fault"],
                    "rows": told.get("rows", ""),
                    "error": (crash.message if crash else str(report.longrepr)).partition("\n")[0][:60],
                    "repeat": told.get("esdh_repeat", ""),
                }
            )

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the line; of pytest-xdist's processes the controller does."""
        if hasattr(session.config, "workerinput"):
            return
        seed = session.config.getoption("randomly_seed", None)
        line = {
            "outcomes": self.outcomes,
            "rows": self.rows,
            "failures": self.failures,
            "seed": seed,
        }
        Path(_STUDY["out"]).write_text(json.dumps(line), encoding="utf-8")


def _function(item: pytest.Item) -> str:
    return item.name.partition("[")[0].removeprefix("test_")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Move to the day, and begin to record."""
    config.addinivalue_line("markers", "fault(name): the one fault that can make the test fail")
    config.addinivalue_line("markers", "esdh: of pytest-esdh; without effect in the other arms")
    time_machine.travel(f"{_STUDY['day']}T09:00:00+00:00", tick=True).start()
    quotes.Customer.__init__ = _noting_init  # type: ignore[method-assign]
    config.pluginmanager.register(_Recording(), "study-recording")
