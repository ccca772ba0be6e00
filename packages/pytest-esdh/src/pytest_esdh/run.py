"""One run of pytest: which test or fixture takes rows at the moment, what it has taken so far and what it touched."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_esdh.errors import EsdhError
from pytest_esdh.marker import plan_of
from pytest_esdh.plans import Plan, Plans

if TYPE_CHECKING:
    import pytest
    from esdh_core import Block, Dataset

__all__ = ["Cursor", "Run", "Touched", "current_run", "defect_text", "runs"]


class Touched(NamedTuple):
    """A row that a test looked at."""

    plan: Plan
    table: str
    seed: int
    slot: int
    defects: str = ""  # those that were laid over it, as `--defects` of the command line takes them

    @property
    def id(self) -> str:
        """Its id, also where the table has no field for it."""
        from esdh_core import encode_id

        return encode_id(self.seed, self.table, self.slot, dataset=self.plan.dataset)


class Cursor:
    """What one test, or one fixture, has taken of the windows of its name, and which rows it touched, the last at the end."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.touched: dict[Touched, None] = {}
        self._seed = seed
        self._taken: dict[Dataset, int] = {}
        self._example: object = None
        self._before_example: dict[Dataset, int] = {}

    def blocks(self, dataset: "Dataset", records: int) -> "list[Block]":
        """Return the blocks of the next records of the window of its name; of none an empty block, with the window's seed.

        Raises RequestError, and takes nothing, where the dataset has no room for so many.
        """
        from esdh_core.testing import window_for

        window, taken = window_for(self.name, seed=self._seed, dataset=dataset), self._taken.get(dataset, 0)
        if not records:
            return [dataset.block(0, 0, window.seed)]
        blocks = list(window.blocks(records, taken))
        self._taken[dataset] = taken + records
        return blocks

    def enter_example(self, example: object) -> None:
        """Begin an example of Hypothesis, if it is another one: each gets the same rows, or it would seem flaky."""
        if example is self._example:
            return
        if self._example is None:
            self._before_example = dict(self._taken)
        self._example = example
        self._taken = dict(self._before_example)

    def touch(self, row: Touched) -> None:
        """Note a row that was looked at, as the last."""
        self.touched.pop(row, None)
        self.touched[row] = None


class _Setup:
    """A fixture that is being set up; its cursor is made when it first takes a row."""

    def __init__(self, fixture: "pytest.FixtureDef[Any]", request: "pytest.FixtureRequest") -> None:
        self.fixture = fixture
        self.request = request
        self.cursor: Cursor | None = None


class Run:
    """The state of one run."""

    def __init__(self, *, seed: int, plan: str, root: Path, folder: Path) -> None:
        """Take the seed, the plan that tests get unless they name one, and the folders that `Plans` needs."""
        self.seed = seed
        self.plan = plan
        self.plans = Plans(root, folder)
        self.item: pytest.Item | None = None
        self._test: Cursor | None = None
        self._setups: list[_Setup] = []
        self._fixtures: dict[tuple[str, str, str, str], Cursor] = {}

    def begin(self, item: "pytest.Item") -> None:
        """Begin a test, or begin it again: it gets the rows that it always gets."""
        self.item = item
        self._test = Cursor(item.nodeid, self.seed)
        self._fixtures = {key: each for key, each in self._fixtures.items() if key[0] != item.nodeid}

    def begin_fixture(self, fixture: "pytest.FixtureDef[Any]", request: "pytest.FixtureRequest") -> None:
        """Begin to set up a fixture: rows that are taken from now on are its own."""
        self._setups.append(_Setup(fixture, request))

    def end_fixture(self) -> None:
        """End the set-up that began last."""
        self._setups.pop()

    @property
    def cursor(self) -> Cursor | None:
        """The cursor of the fixture that is being set up, else of the test that runs."""
        if not self._setups:
            if self._test is not None:
                self._test.enter_example(_example())
            return self._test
        setup = self._setups[-1]
        if setup.cursor is None:
            # Where it is defined is part of the name, since a fixture may override another that it uses.
            fixture, node = setup.fixture, setup.request.node.nodeid
            key = (node, fixture.baseid, fixture.argname, self._parameter(setup.request))
            name = f"{node}@{fixture.baseid}:{fixture.argname}{key[3]}"
            setup.cursor = self._fixtures[key] = Cursor(name, self.seed)
        return setup.cursor

    def _parameter(self, request: Any) -> str:
        """Return what tells the parameters of a wide fixture apart; a test's node id has those of its own."""
        if not hasattr(request, "param") or request.node is self.item:
            return ""
        plain = request.param is None or isinstance(request.param, str | int | float | bool)
        return f"[{request.param!r}]" if plain else f"[#{request.param_index}]"

    @property
    def marked_plan(self) -> str:
        """The plan of the running test's marker, else that of the run."""
        node = self._setups[-1].request.node if self._setups else self.item
        return (plan_of(node) if node is not None else "") or self.plan

    def blocks(self, dataset: "Dataset", records: int) -> "list[Block]":
        """Return the blocks of the next records of the test or the fixture that runs.

        Raises EsdhError where neither does, or where the dataset has no room for so many.
        """
        __tracebackhide__ = True
        from esdh_core import RequestError

        if self.cursor is None:
            raise EsdhError("rows are given to a test or a fixture that runs; neither does")
        try:
            return self.cursor.blocks(dataset, records)
        except RequestError as error:
            raise EsdhError(str(error)) from None

    def touch(self, row: Touched) -> None:
        """Note a row that whoever runs now looks at."""
        if self.cursor is not None:
            self.cursor.touch(row)

    def touched(self, item: "pytest.Item") -> list[Touched]:
        """Return the rows that a test and its fixtures touched, the last first."""
        return list(dict.fromkeys(row for cursor in self._cursors(item) for row in reversed(cursor.touched)))

    def _cursors(self, item: "pytest.Item") -> Iterator[Cursor]:
        if self._test is not None:
            yield self._test
        above = {node.nodeid for node in item.listchain()}
        names = set(getattr(item, "fixturenames", ()))
        for (node, _, name, _), cursor in reversed(self._fixtures.items()):
            if node == item.nodeid or (node in above and name in names):
                yield cursor


def _example() -> object:
    """Return the example of Hypothesis that runs, None where none does."""
    control = sys.modules.get("hypothesis.control")
    if control is None or not control.currently_in_test_context():
        return None
    example: object = control.current_build_context()
    return example


def defect_text(words: Mapping[str, Any]) -> str:
    """Return a list of one defect as a line of YAML that people write: `[{kind: typo, table: accounts, field: type, rate: 1}]`."""
    order = ("kind", "table", "field", "with", "before", "fields", "edits", "where")
    pairs = [f"{key}: {_yaml(words[key])}" for key in order if key in words]
    return f"[{{{', '.join([*pairs, 'rate: 1'])}}}]"


def _yaml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    return str(value) if re.fullmatch(r"[\w.]+", str(value)) else json.dumps(value)


runs: list[Run] = []
"""The runs of this process; a test of a plugin runs pytest within pytest."""


def current_run() -> Run | None:
    """Return the innermost run, None where pytest doesn't run."""
    return runs[-1] if runs else None
