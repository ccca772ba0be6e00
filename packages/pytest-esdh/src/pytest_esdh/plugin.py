"""The plugin: its options, its fixtures and its hooks.

pytest imports this module in every run, so it imports nothing that takes time: NumPy and the datasets come with
the first row that a test asks for.
"""

import os
from collections.abc import Generator
from typing import Any, Final

import pytest
from esdh_core.constants import DEFAULT_SEED, MAX_SEED

from pytest_esdh.errors import EsdhError
from pytest_esdh.factory import Esdh, touched_record
from pytest_esdh.failures import FILE, NEW_RECORDS, Failure, read_failures, write_failures
from pytest_esdh.marker import NAME, Case, Exploration, cases_of, ids_named
from pytest_esdh.report import add_recipe, case_of, failure_in, forget_recipe
from pytest_esdh.run import Run, runs

__all__ = ["esdh", "esdh_record", "esdh_seed"]

_RUN: Final = pytest.StashKey[Run]()
_HELP: Final = (
    "esdh(records=1, plan=None, where=None): run the test once for each of so many records, with the record as "
    "`esdh_record` and its id in the test's name; `plan` is also that of the fixture `esdh`, and `where` an expression "
    "that the record's root row meets"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the settings."""
    group = parser.getgroup("esdh", "synthetic data by esdh")
    group.addoption(
        "--esdh-seed", metavar="SEED", help=f"seed of every test's rows [default: {DEFAULT_SEED}]"
    )
    group.addoption(
        "--esdh-explore",
        metavar="N",
        type=int,
        help=f"run each test that is marked with esdh over N fresh windows as well, and write what fails into {FILE}, "
        "from which every later run tries it first",
    )
    group.addoption(
        "--esdh-explore-word",
        metavar="WORD",
        help="what makes the fresh windows: the word that a run prints gives the same ones again [default: drawn]",
    )
    parser.addini("esdh_plan", "plan of every test that names none: its name, file or folder", default="")
    parser.addini("esdh_seed", "seed of every test's rows", default=str(DEFAULT_SEED))


def pytest_configure(config: pytest.Config) -> None:
    """Begin the run."""
    config.addinivalue_line("markers", _HELP)
    run = Run(
        seed=_seed(config),
        plan=config.getini("esdh_plan"),
        root=config.rootpath,
        folder=config.invocation_params.dir,
    )
    runs.append(run)
    config.stash[_RUN] = run
    config.pluginmanager.register(_Hooks(config, run), "esdh-run")


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run."""
    run = config.stash.get(_RUN, None)
    if run in runs:
        runs.remove(run)


def _seed(config: pytest.Config) -> int:
    option = config.getoption("--esdh-seed")
    text = config.getini("esdh_seed") if option is None else option
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_SEED):
        where = "the setting esdh_seed" if option is None else "--esdh-seed"
        raise pytest.UsageError(f"{where} is {text!r}; it takes an integer from 0 to {MAX_SEED} (2^53 - 1)")
    return int(text)


class _Hooks:
    """What happens in one run."""

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self._config = config
        self._run = run
        self._path = config.rootpath / FILE
        self._exploration = _exploration(config)
        self._new: set[Failure] = set()
        self._passed_over: set[Failure] = set()
        self._unwritten = ""
        self._marked: set[str] = set()
        self._parents: set[str] = set()
        self._lost: set[str] = set()
        try:
            self._failures = read_failures(self._path)
        except EsdhError as error:
            raise pytest.UsageError(str(error)) from None

    # --- collection

    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a marked test once a record."""
        config, test = self._config, metafunc.definition.nodeid
        mark = metafunc.definition.get_closest_marker(NAME)
        self._parents.add(test.rpartition("::")[0])
        if mark is None:
            return
        self._marked.add(test)
        cases = cases_of(
            mark,
            test,
            seed=self._run.seed,
            plan=self._run.plan,
            plans=self._run.plans,
            failed=[
                (failure.id, f"{FILE}, line {line}")
                for failure, line in self._failures.items()
                if failure.test == test
            ],
            named=ids_named(config.args, config.invocation_params.dir, test, metafunc.definition.path),
            exploration=self._exploration,
        )
        if "esdh_record" not in metafunc.fixturenames:
            metafunc.fixturenames.append("esdh_record")
        metafunc.parametrize("esdh_record", cases, indirect=True, ids=[case.id for case in cases])

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker of pytest-xdist the word of this run, so that it collects the same tests."""
        if self._exploration is not None:
            node.workerinput["esdh_explore_word"] = self._exploration.word

    # --- running

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin a test, each time that it is tried, and refuse one whose marker can't be followed."""
        self._run.begin(item)
        forget_recipe(item)
        case = case_of(item)
        if case is not None and case.trouble:
            pytest.fail(case.trouble, pytrace=False)
        if item.get_closest_marker(NAME) is not None and not hasattr(item, "callspec"):
            pytest.fail(
                "the marker esdh runs a test function once a record, which a test of unittest can't be; take its rows from "
                "the fixture esdh in a fixture with autouse=True, or from esdh_core.testing.window_for(self.id())",
                pytrace=False,
            )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Let a fixture take rows of its own while it is set up."""
        self._run.begin_fixture(fixturedef, request)
        try:
            return (yield)
        finally:
            self._run.end_fixture()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Tell the recipe of a failure."""
        report = yield
        if report.failed:
            add_recipe(self._run, item, report)
        return report

    # --- what was found

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what an exploration found; with pytest-xdist the controller does, which has no worker's input."""
        if not report.failed or self._exploration is None or hasattr(self._config, "workerinput"):
            return
        failure = failure_in(report.user_properties)
        if failure is None or failure in self._failures or failure in self._new:
            return
        if sum(failure.test == new.test for new in self._new) >= NEW_RECORDS:
            self._passed_over.add(failure)
            return
        self._new.add(failure)
        try:
            write_failures(self._path, [*self._failures, *self._new])
        except OSError as error:
            self._unwritten = f"{FILE} can't be written: {error.strerror}"

    def pytest_sessionfinish(self) -> None:
        """Find the failures whose test is gone from the module or the class where it was; a worker tells the controller."""
        self._lost |= {
            f"{FILE}, line {line}: no test {failure.test} with the marker esdh is there any more"
            for failure, line in self._failures.items()
            if failure.test not in self._marked and failure.test.rpartition("::")[0] in self._parents
        }
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["esdh_lost"] = sorted(self._lost)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of pytest-xdist found."""
        self._lost |= set(getattr(node, "workeroutput", {}).get("esdh_lost", ()))

    def pytest_report_header(self) -> list[str]:
        """Say which fresh windows are looked at, so that they can be looked at again."""
        if self._exploration is None:
            return []
        windows, word = self._exploration
        return [
            f"esdh: exploring {windows} windows a test; the same again: --esdh-explore {windows} --esdh-explore-word {word}"
        ]

    def pytest_terminal_summary(
        self,
        terminalreporter: "pytest.TerminalReporter",  # not in pytest 8.0
    ) -> None:
        """Say what was written, or what couldn't be."""
        lines = sorted(self._lost)
        if self._new and self._unwritten:
            lines += [f"{self._unwritten}; these lines belong in it:"]
            lines += [f"{failure.id} {failure.test}" for failure in sorted(self._new)]
        elif self._new:
            records = "1 record" if len(self._new) == 1 else f"{len(self._new)} records"
            lines += [
                f"{records} that made a test fail: written to {FILE}; commit it, and every run tries them first"
            ]
        if self._passed_over:
            lines += [
                f"{len(self._passed_over)} more of tests that have {NEW_RECORDS} new ones: not written, mend these first"
            ]
        if lines:
            terminalreporter.section("esdh")
        for line in lines:
            terminalreporter.line(line)


def _exploration(config: pytest.Config) -> Exploration | None:
    windows = config.getoption("--esdh-explore")
    if windows is None:
        return None
    if windows < 1:
        raise pytest.UsageError(f"--esdh-explore is {windows}; it takes a number of windows, from 1")
    word = getattr(config, "workerinput", {}).get("esdh_explore_word") or config.getoption(
        "--esdh-explore-word"
    )
    return Exploration(windows, word or os.urandom(4).hex())


@pytest.fixture(scope="session")
def esdh(pytestconfig: pytest.Config) -> Esdh:
    """Rows of synthetic data: `esdh.table("accounts", records=2)`, `esdh.accounts(2)`, `esdh.record()`, `esdh.plan("bank")`.

    Every test, and every fixture of any scope that uses it, gets rows of its own: the same ones in every run, whatever
    other tests there are.
    """
    return Esdh(pytestconfig.stash[_RUN])


@pytest.fixture(scope="session")
def esdh_seed(pytestconfig: pytest.Config) -> int:
    """Return the seed of the run: --esdh-seed, else the setting esdh_seed, else the default one."""
    return pytestconfig.stash[_RUN].seed


@pytest.fixture
def esdh_record(request: pytest.FixtureRequest, esdh: Esdh) -> Any:
    """Return a whole record: of a marked test the one in its name, else one of the test's own."""
    case = getattr(request, "param", None)
    if not isinstance(case, Case) or case.plan is None:
        return esdh.record()
    record = case.plan.dataset.reproduce(case.id)
    request.config.stash[_RUN].touch(touched_record(case.plan, record))
    return record
