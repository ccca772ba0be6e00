"""--esdh-explore: fresh records for marked tests, and the file that keeps what it finds."""

import re
from pathlib import Path

import pytest
from esdh_core import decode_id, reproduce_record
from esdh_core.testing import window_for
from esdh_plan import load_plan
from pytest_esdh import EsdhError
from pytest_esdh.failures import FILE, NEW_RECORDS, Failure, read_failures, write_failures

SUITE = """
import pytest

@pytest.mark.esdh(records=3)
def test_name(esdh_record):
    assert esdh_record.person.first_name[0] not in "JK"

@pytest.mark.esdh(records=2, plan="bank")
class TestBank:
    def test_accounts(self, esdh_record):
        assert len(esdh_record.accounts) < 4

def test_plain(esdh):
    assert esdh.persons(2)
"""
WORD = ("--esdh-explore-word", "abc")


@pytest.fixture
def suite(project: pytest.Pytester) -> pytest.Pytester:
    """A project with two faults that few records show."""
    project.makepyfile(test_suite=SUITE)
    return project


def _failed(result: pytest.RunResult) -> set[str]:
    return set(re.findall(r"^FAILED (\S+)", result.stdout.str(), re.MULTILINE))


def _lines(folder: Path) -> list[str]:
    return (folder / FILE).read_text(encoding="utf-8").splitlines()


def test_what_is_found_stays_found(suite: pytest.Pytester) -> None:
    """Records that fail in an exploration are written to the file, and every later run tries them first, and no more."""
    explored = suite.runpytest("--esdh-explore", "12", *WORD)
    assert {"passed", "failed"} <= explored.parseoutcomes().keys()
    found = {(line.split()[1], line.split()[0]) for line in _lines(suite.path)[1:]}
    assert {f"{test}[{text}]" for test, text in found} == _failed(explored)
    assert {"test_suite.py::test_name", "test_suite.py::TestBank::test_accounts"} == {
        test for test, _ in found
    }
    before = (suite.path / FILE).read_bytes()
    later = suite.runpytest("-p", "no:randomly")
    assert _failed(explored) == _failed(later)
    assert before == (suite.path / FILE).read_bytes()
    order = [
        line
        for line in suite.runpytest("--collect-only", "-q", "-p", "no:randomly").outlines
        if "test_name" in line
    ]
    kept = len([each for each in found if "test_name" in each[0]])
    assert kept + 3 >= len(order) > kept
    assert {f"{test}[{text}]" for test, text in found if "test_name" in test} == set(order[:kept])


def test_summary_says_what_was_written(suite: pytest.Pytester) -> None:
    """The last lines of an exploration say how many records were written, and its first how to explore the same again."""
    result = suite.runpytest("--esdh-explore", "12", *WORD)
    written = len(_lines(suite.path)) - 1
    result.stdout.fnmatch_lines(
        [
            "esdh: exploring 12 windows a test; the same again: --esdh-explore 12 --esdh-explore-word abc",
            f"{written} records that made a test fail: written to esdh-failures.txt; commit it, *",
        ]
    )


def test_a_common_fault_leaves_ten_records(project: pytest.Pytester) -> None:
    """Of a test that fails for every record ten are written, and the summary says how many more there were."""
    project.makepyfile(
        test_suite="import pytest\n@pytest.mark.esdh(records=1)\ndef test_never(esdh_record): assert False\n"
    )
    result = project.runpytest("--esdh-explore", "15", *WORD)
    assert 1 + NEW_RECORDS == len(_lines(project.path))
    result.stdout.fnmatch_lines(
        ["10 records that made a test fail: *", "6 more of tests that have 10 new ones: not written, *"]
    )


def test_explorations_differ_and_a_word_repeats_one(suite: pytest.Pytester) -> None:
    """Each exploration looks at other records, unless its word is given."""

    def collected(*arguments: str) -> set[str]:
        outlines = suite.runpytest("--collect-only", "-q", "--esdh-explore", "4", *arguments).outlines
        return {line for line in outlines if "::" in line}

    one, other = collected(), collected()
    assert len(one) == len(other) == 1 + 5 * 3 + 5 * 2
    assert 1 + 3 + 2 == len(one & other)
    assert collected(*WORD) == collected(*WORD)


def test_workers_explore_the_same(suite: pytest.Pytester) -> None:
    """Under pytest-xdist the workers agree on the fresh records, and the controller writes what failed."""
    alone = suite.runpytest_subprocess("--esdh-explore", "12", *WORD)
    expected = _lines(suite.path)
    (suite.path / FILE).unlink()
    result = suite.runpytest_subprocess("--esdh-explore", "12", *WORD, "-n", "2")
    assert _failed(alone) == _failed(result)
    assert expected == _lines(suite.path)
    drawn = suite.runpytest_subprocess("--esdh-explore", "3", "-n", "2")
    assert len(_failed(drawn)) >= len(expected) - 1  # which are tried first
    drawn.stdout.no_fnmatch_line("*Different tests were collected*")


def test_repeat_of_an_explored_failure_needs_no_file(suite: pytest.Pytester) -> None:
    """The command of an explored failure's report repeats it, though the file is gone."""
    result = suite.runpytest("--esdh-explore", "12", *WORD)
    command = re.findall(r"^to repeat: pytest (.*)$", result.stdout.str(), re.MULTILINE)[0]
    (suite.path / FILE).unlink()
    name, *options = command.split()
    repeated = suite.runpytest(name.strip("'"), *options)
    repeated.assert_outcomes(failed=1)
    assert _failed(repeated) <= _failed(result)


def test_only_an_exploration_writes(suite: pytest.Pytester) -> None:
    """A run that doesn't explore writes no file, whatever fails."""
    suite.makepyfile(test_more="import pytest\n\n@pytest.mark.esdh\ndef test_one(esdh_record): assert 0\n")
    suite.runpytest()
    assert not (suite.path / FILE).exists()


def test_fresh_windows_stay_within_the_plan(project: pytest.Pytester) -> None:
    """Of a plan with room for four records an exploration finds the four, in each of its seeds, and no more."""
    project.makefile(
        ".yaml",
        small="esdh: plan/1\nname: small\nversion: 1\nreference_date: 2026-01-01\ntables:\n"
        '  seats: {fields: {seat: {pattern: "[A-D]{1}", unique: true}}}\n'
        "  kinds: {rows: 2, fields: {kind: {value: x}}}\n",
    )
    project.makepyfile(
        """
        import pytest

        @pytest.mark.esdh(records=2, plan="small.yaml")
        def test_one(esdh_record): assert esdh_record.seats.seat in "ABCD"
        """
    )
    project.runpytest("--esdh-explore", "20").assert_outcomes(passed=4)


def test_condition_that_few_meet_explores_what_there_is(project: pytest.Pytester) -> None:
    """A fresh window in which too few records meet the condition gives those that do."""
    project.makefile(
        ".yaml",
        small="esdh: plan/1\nname: small\nversion: 1\nreference_date: 2026-01-01\ntables:\n"
        "  seats: {fields: {seat: {pattern: '[A-Z]{1}', unique: true}, line: {integer: {from: 1, to: 20}}}}\n",
    )
    project.makepyfile(
        """
        import pytest

        @pytest.mark.esdh(records=1, plan="small.yaml", where="line == 1")
        def test_one(esdh_record): pass
        """
    )
    result = project.runpytest("--esdh-explore", "60", *WORD)
    outcomes = result.parseoutcomes()
    assert {"passed"} == outcomes.keys()
    assert 30 < outcomes["passed"] < 61


def test_foreign_id_is_one_failure(suite: pytest.Pytester) -> None:
    """A line with an id of another dataset, of nothing, or of a fixed table fails its test, with the line and the reason."""
    account = window_for("x", dataset=load_plan("bank")).rows("customers")[0].customer_id
    (suite.path / FILE).write_text(
        f"# kept\n{account} test_suite.py::test_name\n"
        "12345678-1234-4123-8123-123456789012 test_suite.py::test_name\n"
        "nonsense test_suite.py::TestBank::test_accounts\n"
    )
    before = (suite.path / FILE).read_bytes()
    result = suite.runpytest("-p", "no:randomly")
    outcomes = result.parseoutcomes()
    assert 3 == outcomes["errors"]
    assert 6 == outcomes.get("passed", 0) + outcomes.get("failed", 0)
    result.stdout.fnmatch_lines(
        [
            f"esdh-failures.txt, line 2: '{account}' is not an ESDH id: *; the test is run over v0.1, so correct the line or remove it",
            "esdh-failures.txt, line 3: '12345678-1234-4123-8123-123456789012' is not an ESDH id: *",
            "esdh-failures.txt, line 4: 'nonsense' is not an ESDH id: *",
        ]
    )
    assert before == (suite.path / FILE).read_bytes()


def test_exploration_keeps_foreign_lines(suite: pytest.Pytester) -> None:
    """What an exploration adds leaves the lines that were there, of whatever test."""
    (suite.path / FILE).write_text("7325de0f-b0c4-806c-8636-3e3a1bdbceb4 elsewhere.py::test_x\n")
    suite.runpytest("--esdh-explore", "12", *WORD)
    assert "7325de0f-b0c4-806c-8636-3e3a1bdbceb4 elsewhere.py::test_x" in _lines(suite.path)
    assert len(_lines(suite.path)) > 2


@pytest.mark.parametrize("arguments", [(), ("-n", "2"), ("test_suite.py::test_plain",)], ids=" ".join)
def test_failure_of_a_test_that_is_gone_is_told(suite: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    """A line whose test is no longer in its module is told at the end; one of a module that isn't run is not."""
    first = "7325de0f-b0c4-806c-8636-3e3a1bdbceb4"
    (suite.path / FILE).write_text(
        f"{first} test_suite.py::test_gone\n{first} test_suite.py::test_name\n{first} test_x.py::test_x\n"
    )
    result = suite.runpytest_subprocess(*arguments)
    told = [line for line in result.outlines if "is there any more" in line]
    assert [
        "esdh-failures.txt, line 1: no test test_suite.py::test_gone with the marker esdh is there any more"
    ] == told


@pytest.mark.parametrize("line", ["<<<<<<< HEAD", "7325de0f-b0c4-806c-8636-3e3a1bdbceb4", "x y"])
def test_malformed_file_is_told(suite: pytest.Pytester, line: str) -> None:
    """A line that is no failure, such as a merge leaves, ends the run with its number, and the file stays as it is."""
    (suite.path / FILE).write_text(f"# kept\n\n{line}\n")
    result = suite.runpytest_subprocess()
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(
        [f"ERROR: esdh-failures.txt, line 3: expected an id, a space and a test's node id; found '{line}'"]
    )
    assert f"# kept\n\n{line}\n" == (suite.path / FILE).read_text()


def test_file_that_cannot_be_written_is_told(suite: pytest.Pytester) -> None:
    """Where the file can't be written, the summary says so and gives its lines."""
    (suite.path / f"{FILE}.part").mkdir()
    result = suite.runpytest("--esdh-explore", "12", *WORD)
    result.stdout.fnmatch_lines(
        [
            "esdh-failures.txt can't be written: Is a directory; these lines belong in it:",
            "*-* test_suite.py::*",
        ]
    )
    assert not (suite.path / FILE).exists()


def test_failures_are_read_as_they_were_written(tmp_path: Path) -> None:
    """The file gives back what was written, sorted, once each, names with spaces included."""
    path = tmp_path / FILE
    failures = [Failure("b.py::test_b", "2"), Failure("a b/c.py::test_a", "1"), Failure("b.py::test_b", "2")]
    write_failures(path, failures)
    assert {Failure("a b/c.py::test_a", "1"): 2, Failure("b.py::test_b", "2"): 3} == read_failures(path)
    assert {} == read_failures(tmp_path / "none")
    path.write_bytes(b"\xff")
    with pytest.raises(EsdhError, match=r"^esdh-failures.txt can't be read: "):
        read_failures(path)


def test_failing_record_is_reproduced_by_its_line(suite: pytest.Pytester) -> None:
    """The id of a line gives the record that the test failed for."""
    suite.runpytest("--esdh-explore", "12", *WORD)
    ids = [line.split()[0] for line in _lines(suite.path)[1:] if "test_name" in line]
    assert ids
    for text in ids:
        assert "person" == decode_id(text).entity
        assert reproduce_record(text).person.first_name[0] in "JKLM"
