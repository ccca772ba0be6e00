"""Rows that are held against their budgets, and the table that a whole run writes."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from budgets import Kind, Measured, Row, budgets
from measuring import Others
from table import PAGE, beside, render

MEASURED = pytest.StashKey[dict[Kind, dict[str, Measured]]]()
LOAD = pytest.StashKey[float]()  # the load average before the run


def pytest_configure(config: pytest.Config) -> None:
    """Start with nothing measured."""
    nothing: dict[Kind, dict[str, Measured]] = {"bench": {}, "guard": {}}
    config.stash[MEASURED] = nothing
    config.stash[LOAD] = os.getloadavg()[0]


@pytest.fixture
def row(pytestconfig: pytest.Config) -> Row:
    """Take a row of `just bench`."""
    return _rows("bench", pytestconfig)


@pytest.fixture
def guard(pytestconfig: pytest.Config) -> Row:
    """Take a row of `just guard`."""
    return _rows("guard", pytestconfig)


def _rows(kind: Kind, config: pytest.Config) -> Row:
    known, measured = budgets(kind), config.stash[MEASURED][kind]
    others = Others()

    def take(
        name: str,
        value: float,
        *,
        rounds: Sequence[float] = (),
        ours: str = "",
        theirs: str = "",
        how: str = "",
    ) -> None:
        taken = Measured(known[name], value, ours, theirs, how, tuple(rounds), others.share())
        measured[name] = taken
        if taken.excess:
            pytest.fail(taken.excess, pytrace=False)

    return take


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder on the disk, which goes with all that was written there."""
    with TemporaryDirectory(prefix="esdh-bench-") as made:
        yield Path(made)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Print the rows, and write the table when all of its rows were measured."""
    del exitstatus  # a row beyond its budget stands in the table as that
    for kind, measured in config.stash[MEASURED].items():
        for name, taken in measured.items():
            figures = " | ".join(filter(None, (taken.ours, taken.theirs, taken.how, beside(taken))))
            terminalreporter.line(
                f"{kind} {name}: {taken.budget.figure(taken.value)}, {taken.verdict}; {figures}"
            )
    measured, rows = config.stash[MEASURED]["bench"], budgets("bench")
    missing = [name for name in rows if name not in measured]
    if measured and missing:
        terminalreporter.line(f"{PAGE.name} is left as it is: not measured were {', '.join(missing)}")
    elif measured:
        command = " ".join(["pytest", *config.invocation_params.args])
        page = render(
            {name: measured[name] for name in rows}, command=command, load_before=config.stash[LOAD]
        )
        PAGE.write_text(page, encoding="utf-8")
        terminalreporter.line(f"{PAGE.name} is written")
