"""Which rows a test gets: its own, whatever else is run, and in whatever order."""

from itertools import combinations

import pytest
from esdh_core.testing import window_for
from esdh_plan import load_plan
from plugin.conftest import Notes

BANK = load_plan("bank")
SUITE = """
import pytest

@pytest.fixture(scope="session")
def tenant(esdh, note):
    rows = esdh.persons(2)
    note("tenant", rows)
    return rows

@pytest.fixture(scope="module")
def insurer(esdh, note):
    rows = esdh.persons(2)
    note("insurer", rows)
    return rows

@pytest.fixture(scope="class")
def shop(esdh, note):
    note("shop", esdh.persons(2))

@pytest.fixture
def customer(esdh, note, request):
    rows = esdh.persons(2)
    note("customer of " + request.node.name, rows)
    return rows

@pytest.mark.parametrize("number", range(6))
def test_many(esdh, note, number, request):
    note(request.node.name, esdh.persons(3))

def test_one(esdh, esdh_record, customer, insurer, tenant, note):
    note("test_one", esdh.persons(2))
    note("test_one again", esdh.persons(2))
    note("test_one's record", [esdh_record.person])

def test_other(esdh, customer, insurer, note):
    note("test_other", esdh.persons(2))

class TestClass:
    def test_one(self, esdh, shop, note):
        note("TestClass.test_one", esdh.persons(2))

    @pytest.mark.esdh(records=4, where="state == 'CA'")
    def test_marked(self, esdh_record, shop, note):
        note("marked", [esdh_record.person])
"""


@pytest.fixture
def suite(project: pytest.Pytester) -> pytest.Pytester:
    """A project with fixtures of every scope."""
    project.makepyfile(test_suite=SUITE)
    return project


def _flat(found: dict[str, list[list[str]]]) -> dict[str, set[tuple[str, ...]]]:
    return {key: {tuple(rows) for rows in each} for key, each in found.items()}


def test_nobody_shares_a_row(suite: pytest.Pytester, notes: Notes) -> None:
    """Tests, parameters, fixtures of every scope and calls have rows of their own."""
    suite.runpytest("-p", "no:randomly").assert_outcomes(passed=13)
    found = notes()
    assert 17 == len(found)
    rows = {key: {row for each in noted for row in each} for key, noted in found.items()}
    for one, other in combinations(rows, 2):
        assert set() == rows[one] & rows[other], (one, other)
    assert 4 == len(rows["marked"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "randomly", "-p", "xdist", "-n", "2"),
        ("-p", "randomly", "--randomly-seed=7"),
        ("-p", "no:randomly", "-k", "other or marked or 4"),
        ("-p", "no:randomly", "test_suite.py::TestClass", "test_suite.py::test_other"),
        ("-p", "no:randomly", "-n", "2", "--dist", "loadscope"),
    ],
    ids=" ".join,
)
def test_circumstances_change_nothing(
    suite: pytest.Pytester, notes: Notes, arguments: tuple[str, ...]
) -> None:
    """Order, selection and workers change no row of a test or of a fixture."""
    suite.runpytest("-p", "no:randomly")
    before = _flat(notes())
    assert 0 == suite.runpytest_subprocess(*arguments).ret
    after = _flat(notes())
    assert after
    assert {key: before[key] for key in after} == after


def test_added_tests_change_nothing(suite: pytest.Pytester, notes: Notes) -> None:
    """Tests and fixtures that are added before the others leave theirs as they were."""
    suite.runpytest("-p", "no:randomly")
    before = _flat(notes())
    added = """
@pytest.fixture(scope="module", autouse=True)
def before_all(esdh):
    list(esdh.persons(5))

def test_new(esdh, tenant, insurer):
    list(esdh.persons(5))
"""
    suite.makepyfile(test_suite=SUITE.replace("import pytest\n", f"import pytest\n{added}", 1), test_a=SUITE)
    suite.runpytest("-p", "no:randomly", "test_suite.py").assert_outcomes(passed=14)
    assert before == _flat(notes())


def test_other_folder_changes_nothing(
    suite: pytest.Pytester, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is started in another folder gives the same rows: node ids are relative to pytest's root folder."""
    suite.runpytest("-p", "no:randomly")
    before = _flat(notes())
    below = suite.mkdir("below")
    monkeypatch.chdir(below)
    suite.runpytest("-p", "no:randomly", "..").assert_outcomes(passed=13)
    assert before == _flat(notes())


def test_another_seed_changes_every_row(suite: pytest.Pytester, notes: Notes) -> None:
    """--esdh-seed gives every test other rows, and the setting esdh_seed the same ones as the option."""
    suite.runpytest("-p", "no:randomly")
    before = _flat(notes())
    suite.runpytest("-p", "no:randomly", "--esdh-seed", "7")
    option = _flat(notes())
    assert before.keys() == option.keys()
    assert all(not before[key] & option[key] for key in before)
    suite.runpytest("-p", "no:randomly", "-o", "esdh_seed=7")
    assert option == _flat(notes())


def test_rerun_gives_the_same_rows(project: pytest.Pytester, notes: Notes) -> None:
    """A test that is tried again gets the rows that it had, and so do its fixtures."""
    project.makeconftest(
        (project.path / "conftest.py").read_text()
        + """
def pytest_runtest_protocol(item, nextitem):
    from _pytest.runner import runtestprotocol
    for _ in range(3):
        item._initrequest()
        runtestprotocol(item, nextitem=nextitem)
    return True
"""
    )
    project.makepyfile(
        """
        import pytest

        @pytest.fixture
        def customer(esdh):
            return esdh.persons(1)

        def test_one(esdh, customer, note):
            note("test", [*customer, *esdh.persons(2), *esdh.persons(1)])
        """
    )
    project.runpytest().assert_outcomes(passed=3)
    (noted,) = notes().values()
    assert 3 == len(noted)
    assert noted[0] == noted[1] == noted[2]


def test_rerunfailures_changes_nothing(project: pytest.Pytester, notes: Notes) -> None:
    """Under pytest-rerunfailures each attempt has the rows of the first, and the report is that of the last."""
    pytest.importorskip("pytest_rerunfailures", reason="`just plugin` has it")
    project.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module")
        def insurer(esdh, note):
            note("insurer", esdh.persons(1))

        def test_one(esdh, insurer, note):
            rows = esdh.persons(2)
            note("test", rows)
            assert not rows[1]
        """
    )
    result = project.runpytest_subprocess("--reruns", "2")
    assert 2 == result.parseoutcomes()["rerun"]
    found = notes()
    assert 3 == len(found["test"])
    assert 1 == len(set(map(tuple, found["test"]))) == len(set(map(tuple, found["insurer"])))


def test_name_stands_for_the_window_elsewhere(project: pytest.Pytester, notes: Notes) -> None:
    """window_for with a test's node id gives the rows that the test got from the plugin."""
    project.makepyfile(
        """
        def test_one(esdh, note):
            note("persons", esdh.persons(2))
            note("accounts", esdh.plan("bank").accounts(2))
        """
    )
    project.runpytest("-p", "no:randomly")
    found = notes()
    name = "test_name_stands_for_the_window_elsewhere.py::test_one"
    assert [[repr(row) for row in window_for(name).rows("persons", 2)]] == found["persons"]
    assert [[repr(row) for row in window_for(name, dataset=BANK).rows("accounts", 2)]] == found["accounts"]


def test_fixed_tables_are_shared(project: pytest.Pytester) -> None:
    """Tests and fixtures of every scope agree on a fixed table, so that what refers to it refers to what a database holds."""
    project.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="session")
        def shops(esdh):
            return {row.merchant_id: row.category for row in esdh.plan("bank").merchants()}

        @pytest.mark.parametrize("number", range(3))
        def test_one(esdh, shops, number):
            for row in esdh.plan("bank").transactions(3):
                assert shops[row.merchant_id] == row.category
        """
    )
    project.runpytest().assert_outcomes(passed=3)


def test_overriding_fixture_has_rows_of_its_own(project: pytest.Pytester) -> None:
    """A fixture that overrides another of its name, and uses it, gets other rows than that."""
    project.makepyfile(
        """
        import pytest

        @pytest.fixture
        def customer(esdh):
            return list(esdh.persons(1))

        class TestClass:
            @pytest.fixture
            def customer(self, esdh, customer):
                return customer + list(esdh.persons(1))

            def test_one(self, customer):
                assert customer[0].person_id != customer[1].person_id
        """
    )
    project.runpytest().assert_outcomes(passed=1)


def test_parameters_of_a_fixture_have_rows_of_their_own(project: pytest.Pytester, notes: Notes) -> None:
    """Each parameter of a fixture has its own rows, in every scope, and a new one before them changes nothing."""
    source = """
        import pytest

        @pytest.fixture(scope="module", params=PARAMS)
        def insurer(esdh, note, request):
            note("insurer " + request.param, esdh.persons(1))

        @pytest.fixture(params=PARAMS)
        def customer(esdh, note, request):
            note("customer " + request.param, esdh.persons(1))

        def test_one(insurer): pass
        def test_two(insurer): pass
        def test_three(customer): pass
        """
    project.makepyfile(test_it=source.replace("PARAMS", '["a", "b"]'))
    project.runpytest("-p", "no:randomly").assert_outcomes(passed=6)
    before = notes()
    assert [1] * 4 == [len(each) for each in before.values()]
    assert 4 == len({row for each in before.values() for rows in each for row in rows})
    project.makepyfile(test_it=source.replace("PARAMS", '["new", "a", "b"]'))
    project.runpytest("-p", "no:randomly").assert_outcomes(passed=9)
    after = notes()
    assert before == {key: after[key] for key in before}


def test_hypothesis_sees_the_same_rows_in_every_example(project: pytest.Pytester, notes: Notes) -> None:
    """Each example of a test of Hypothesis gets the rows of the first, or the test would seem flaky."""
    project.makepyfile(
        """
        from hypothesis import given, settings, strategies as st

        @settings(max_examples=5, database=None)
        @given(st.integers())
        def test_one(esdh, note, number):
            note("rows", [*esdh.persons(1), *esdh.persons(2)])
        """
    )
    project.runpytest().assert_outcomes(passed=1)
    (noted,) = notes().values()
    assert len(noted) > 1
    assert 1 == len(set(map(tuple, noted)))


def test_unittest_under_pytest_gets_its_window(project: pytest.Pytester, notes: Notes) -> None:
    """A test case takes rows in a fixture with autouse, and those are the window of its node id."""
    project.makepyfile(
        test_case="""
        import unittest, pytest

        class TestQuote(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _rows(self, esdh, note):
                self.esdh, self.note = esdh, note

            def test_one(self):
                self.note("rows", self.esdh.persons(2))
        """
    )
    project.runpytest("-p", "no:randomly").assert_outcomes(passed=1)
    expected = window_for("test_case.py::TestQuote::test_one").rows("persons", 2)
    assert [[repr(row) for row in expected]] == notes()["rows"]


def test_rows_are_for_tests_that_run(project: pytest.Pytester) -> None:
    """A module that takes rows while it is imported is told, in one sentence, that nobody runs."""
    project.makepyfile(
        """
        from pytest_esdh.run import current_run
        from pytest_esdh import Esdh

        PERSONS = Esdh(current_run()).persons(1)
        """
    )
    result = project.runpytest()
    result.stdout.fnmatch_lines(["*EsdhError: rows are given to a test or a fixture that runs; neither does"])
