"""What a failure tells: the records that the test touched, commands that print them and one that repeats the test."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from esdh_core.testing import window_for
from esdh_plan import load_plan

BANK = load_plan("bank")
TITLE = "esdh: records that this test touched"
PLAN = """esdh: plan/1
name: shop
version: 1
reference_date: 2026-01-01
tables:
  customers:
    fields:
      customer_no: {pattern: "C[0-9]{8}", unique: true}
  orders:
    per: customers
    count: {from: 2, to: 4}
    fields:
      order_id: {id: true}
      total: {decimal: {from: 1, to: 500, scale: 2}}
"""


def _section(result: pytest.RunResult) -> list[str]:
    """Return the lines of the only section of ours in some output."""
    lines = result.outlines
    (title,) = [number for number, line in enumerate(lines) if TITLE in line]
    end = next(number for number in range(title, len(lines)) if lines[number].startswith("to repeat: "))
    return lines[title + 1 : end + 1]


def _values(row: Any) -> dict[str, Any]:
    """Return a row as JSON has it, its decimals as text."""
    return dict(json.loads(msgspec.json.encode(row)))


def _reproduced(command: str, folder: Path) -> dict[str, Any]:
    """Run a command of a report as a shell would, and return the document that it prints with --json."""
    program, *arguments = shlex.split(command)
    assert "esdh" == program
    done = subprocess.run(
        [sys.executable, "-m", "esdh_cli", *arguments, "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    (record,) = json.loads(done.stdout, parse_float=str)["records"]
    return dict(record)


def _ids(lines: Iterable[str]) -> list[str]:
    return [found[1] for line in lines if (found := re.search(r"esdh reproduce (\S+)", line))]


def test_touched_records_are_told_the_last_first(project: pytest.Pytester) -> None:
    """What was indexed, sliced, iterated over or handed out is told, the last first, and what wasn't looked at is not."""
    project.makepyfile(
        """
        def test_one(esdh):
            rows = esdh.persons(40)
            rows[30], rows[3], rows[-1], rows[30]
            for row in rows[10:15][::2]:
                pass
            assert len(rows) == 40 and rows
            esdh.vehicles(5)
            esdh.record()
            assert not repr(rows)
        """
    )
    result = project.runpytest("-p", "no:randomly")
    window = window_for("test_touched_records_are_told_the_last_first.py::test_one")
    persons = [row.person_id for row in window.rows("persons", 46)]
    assert [persons[place] for place in (45, 14, 12, 10, 30, 39, 3)] == _ids(_section(result))


def test_section_reads_as_the_guide_says(project: pytest.Pytester) -> None:
    """The section has a line for each record, with its table and its command, and ends with the command to repeat."""
    project.makepyfile(
        test_quote="""
        import pytest

        @pytest.mark.parametrize("premium", ["it's 5"])
        def test_one(esdh, premium):
            person, = esdh.persons()
            account, = esdh.plan("bank").accounts()[:1]
            assert not person
        """
    )
    result = project.runpytest("--esdh-seed", "5")
    name = "test_quote.py::test_one[it's 5]"
    (person,) = window_for(name, seed=5).rows("persons")
    account, *_ = window_for(name, seed=5, dataset=BANK).rows("accounts")
    assert [
        "the last touched first:",
        f"accounts  esdh reproduce {account.account_id} --plan bank",
        f"person    esdh reproduce {person.person_id}",
        f"to repeat: pytest {shlex.quote(name)} --esdh-seed 5",
    ] == _section(result)


def test_twenty_records_are_told_at_most(project: pytest.Pytester) -> None:
    """Of more than twenty records the last twenty are told, and how many there were before."""
    project.makepyfile("def test_one(esdh):\n    assert not list(esdh.persons(33))\n")
    lines = _section(project.runpytest())
    assert 20 == len(_ids(lines))
    assert "and 13 more, touched before these" == lines[-2]
    last = window_for("test_twenty_records_are_told_at_most.py::test_one").rows("persons", 1, skip=32)
    assert last[0].person_id == _ids(lines)[0]


def test_touched_by_a_fixture_is_told(project: pytest.Pytester) -> None:
    """What a fixture touched is told of the tests that use it, in whatever scope and whichever came first, and of no other."""
    project.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module")
        def insurer(esdh):
            return esdh.persons(2)[1]

        @pytest.fixture
        def customer(esdh, insurer):
            return list(esdh.vehicles(1))

        def test_first(insurer): pass
        def test_second(customer): assert 0
        """
    )
    result = project.runpytest("-p", "no:randomly")
    lines = _section(result)
    assert ["vehicle", "person"] == [line.split()[0] for line in lines[1:-1]]
    project.makepyfile("def test_none(esdh):\n    assert 0\n")
    assert "none" == _section(project.runpytest("test_touched_by_a_fixture_is_told.py"))[0]


def test_tests_that_take_no_rows_tell_nothing(project: pytest.Pytester) -> None:
    """A failure of a test that has nothing to do with us has no section, and neither has a test that passes."""
    project.makepyfile(
        """
        def test_one(): assert 0
        def test_two(esdh): esdh.persons(1)[0]
        """
    )
    result = project.runpytest("-rA")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line(f"*{TITLE}*")


def test_reproduce_prints_the_very_values(project: pytest.Pytester) -> None:
    """The commands of a report print what the test saw: of the default dataset, of a plan that ships and of a plan's file."""
    project.makefile(".yaml", shop=PLAN)
    project.makepyfile(
        test_values="""
        def test_one(esdh):
            rows = [*esdh.persons(1), *esdh.vehicles(1)]
            bank = esdh.plan("bank")
            rows += [*bank.customers(1), *bank.accounts(1)[:1], *bank.transactions(3)[:1], bank.merchants()[7]]
            rows += esdh.plan("shop.yaml").orders(1)[1:2]
            assert not rows
        """
    )
    lines = _section(project.runpytest("-p", "no:randomly"))
    commands = [re.sub(r"^\S+ +", "", line) for line in lines[1:-1]][::-1]
    assert 7 == len(commands)
    name = "test_values.py::test_one"
    bank = window_for(name, dataset=BANK)
    shop = window_for(name, dataset=load_plan(project.path / "shop.yaml"))
    person, vehicle, *rows = [
        *window_for(name).rows("persons"),
        *window_for(name).rows("vehicles", skip=1),
        *bank.rows("customers"),
        bank.rows("accounts", skip=1)[0],
        bank.rows("transactions", 3, skip=2)[0],
        bank.rows("merchants")[7],
        shop.rows("orders")[1],
    ]
    assert _values(person) == _reproduced(commands[0], project.path)["person"]
    assert _values(vehicle) == _reproduced(commands[1], project.path)["vehicle"]
    for command, row in zip(commands[2:], rows, strict=True):
        assert _values(row) == _reproduced(command, project.path)["row"]


def test_row_without_an_id_field_is_told(project: pytest.Pytester) -> None:
    """A row of a table that has no id field is told by its id all the same."""
    project.makefile(".yaml", shop=PLAN)
    project.makepyfile("def test_one(esdh):\n    assert not esdh.plan('shop.yaml').customers()[0]\n")
    line = _section(project.runpytest())[1]
    row = _reproduced(re.sub(r"^\S+ +", "", line), project.path)["row"]
    (expected,) = window_for(
        "test_row_without_an_id_field_is_told.py::test_one", dataset=load_plan(project.path / "shop.yaml")
    ).rows("customers")
    assert expected.customer_no == row["customer_no"]


def test_commands_are_for_the_folder_that_pytest_runs_in(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder below, the path of a plan and the node id are given from there, and both commands work there."""
    project.makefile(".yaml", shop=PLAN)
    below = project.mkdir("below")
    (below / "test_it.py").write_text(
        "def test_one(esdh):\n    assert not esdh.plan('shop.yaml').orders()[0]\n"
    )
    monkeypatch.chdir(below)
    *_, line, again = _section(project.runpytest())
    assert line.endswith(" --plan ../shop.yaml")
    assert "orders" == _reproduced(re.sub(r"^\S+ +", "", line), below)["table"]
    assert "to repeat: pytest test_it.py::test_one --esdh-seed 20240601" == again
    repeated = project.runpytest(*shlex.split(again)[3:])
    assert again == _section(repeated)[-1]


@pytest.mark.parametrize("seed", ["20240601", "99"])
def test_repeat_repeats(project: pytest.Pytester, seed: str) -> None:
    """The command to repeat runs the one test, which fails with the same rows."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("text", ["a b", "it's", "x::y[z]"])
        def test_one(esdh, text):
            assert esdh.persons(3)[1].first_name == text

        @pytest.mark.esdh(records=2, plan="bank", where="segment == 'business'")
        def test_two(esdh_record, esdh):
            assert not esdh.accounts(1)[:1] == esdh_record
            assert 0
        """
    )
    result = project.runpytest("--esdh-seed", seed)
    result.assert_outcomes(failed=5)
    report = result.stdout.str()
    commands = re.findall(r"^to repeat: (.*)$", report, re.MULTILINE)
    assert 5 == len(set(commands))
    for command in commands:
        program, *arguments = shlex.split(command)
        repeated = project.runpytest(*arguments)
        assert "pytest" == program
        repeated.assert_outcomes(failed=1)
        section = "\n".join(_section(repeated))
        assert section in report


def test_junit_xml_has_the_recipe(project: pytest.Pytester) -> None:
    """A failed test's properties in JUnit XML are the commands of its section; a passed test has none."""
    project.makepyfile(
        """
        def test_one(esdh): assert not esdh.persons(2)[1]
        def test_two(esdh): assert esdh.persons(2)[1]
        def test_three(esdh_record, fixture): pass

        import pytest
        @pytest.fixture
        def fixture(esdh): assert not esdh.persons(1)[0]
        """
    )
    result = project.runpytest("-p", "no:randomly", "--junitxml=junit.xml")
    cases = ElementTree.parse(project.path / "junit.xml").getroot().iter("testcase")
    found = {
        case.attrib["name"]: [(each.attrib["name"], each.attrib["value"]) for each in case.iter("property")]
        for case in cases
    }
    assert ["esdh_reproduce", "esdh_repeat"] == [name for name, _ in found["test_one"]]
    assert [] == found["test_two"]
    assert ["esdh_reproduce", "esdh_reproduce", "esdh_repeat"] == [name for name, _ in found["test_three"]]
    for values in found.values():
        for _, value in values:
            assert value in result.stdout.str()


def test_controller_of_xdist_tells_it(project: pytest.Pytester) -> None:
    """What a worker's test touched stands in the output and in the JUnit XML of the process that started the workers."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_one(esdh, number):
            assert not esdh.persons(2)[1]
        """
    )
    alone = project.runpytest_subprocess("-p", "no:randomly")
    result = project.runpytest_subprocess("-n", "2", "--junitxml=junit.xml")
    commands = set(re.findall(r"^(?:person +|to repeat: )(.*)$", alone.stdout.str(), re.MULTILINE))
    assert 8 == len(commands)
    assert commands == set(re.findall(r"^(?:person +|to repeat: )(.*)$", result.stdout.str(), re.MULTILINE))
    properties = ElementTree.parse(project.path / "junit.xml").getroot().iter("property")
    assert commands == {each.attrib["value"] for each in properties}


def test_attempt_that_passes_leaves_nothing(project: pytest.Pytester) -> None:
    """A test that fails at first and passes when it is tried again has no recipe in JUnit XML."""
    project.makeconftest(
        """
        def pytest_runtest_protocol(item, nextitem):
            from _pytest.runner import runtestprotocol
            runtestprotocol(item, nextitem=nextitem, log=False)
            item._initrequest()
            runtestprotocol(item, nextitem=nextitem)
            return True
        """
    )
    project.makepyfile(
        """
        tries = []
        def test_one(esdh):
            tries.append(list(esdh.persons(1)))
            assert len(tries) == 2
        """
    )
    result = project.runpytest("--junitxml=junit.xml")
    result.assert_outcomes(passed=1)
    assert [] == list(ElementTree.parse(project.path / "junit.xml").getroot().iter("property"))


def test_test_that_fails_twice_tells_it_once(project: pytest.Pytester) -> None:
    """A test that fails, and whose fixture fails after it, has each property once in JUnit XML."""
    project.makepyfile(
        """
        import pytest

        @pytest.fixture
        def broken(): yield; assert 0

        def test_one(esdh, broken): assert not esdh.persons(1)[0]
        """
    )
    project.runpytest("--junitxml=junit.xml").assert_outcomes(failed=1, errors=1)
    cases = ElementTree.parse(project.path / "junit.xml").getroot().iter("testcase")
    found = [[each.attrib["name"] for each in case.iter("property")] for case in cases]
    assert [["esdh_reproduce", "esdh_repeat"]] * 2 == found


def test_expected_failures_tell_nothing(project: pytest.Pytester) -> None:
    """A test that is expected to fail, and does, is no failure; one that should fail and passes is."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.xfail
        def test_one(esdh): assert not esdh.persons(1)[0]

        @pytest.mark.xfail(strict=True)
        def test_two(esdh): assert esdh.persons(1)[0]
        """
    )
    result = project.runpytest("-p", "no:randomly", "-rA")
    result.assert_outcomes(xfailed=1, failed=1)
    assert _section(result)[-1].startswith(
        "to repeat: pytest test_expected_failures_tell_nothing.py::test_two"
    )


def test_subtests_tell_what_was_touched_until_then(project: pytest.Pytester) -> None:
    """A subtest that fails tells the records that the test had touched."""
    pytest.importorskip("_pytest.subtests", reason="pytest has subtests from version 9 on")
    project.makepyfile(
        """
        def test_one(esdh, subtests):
            for row in esdh.persons(3):
                with subtests.test(row.person_id):
                    assert row.person_id[0] < "0"
        """
    )
    result = project.runpytest("-p", "no:randomly")
    name = "test_subtests_tell_what_was_touched_until_then.py::test_one"
    first, second, third = [row.person_id for row in window_for(name).rows("persons", 3)]
    assert [first, second, first, third, second, first] == _ids(result.outlines)


def test_async_tests_are_told_apart(project: pytest.Pytester) -> None:
    """Asynchronous tests and fixtures take rows of their own, and tell them."""
    pytest.importorskip("anyio")
    project.makepyfile(
        """
        import pytest

        @pytest.fixture
        def anyio_backend(): return "asyncio"

        @pytest.fixture
        async def customer(esdh): return esdh.persons(1)[0]

        @pytest.mark.anyio
        async def test_one(esdh, customer, anyio_backend):
            assert customer == esdh.vehicles(1)[0]
        """
    )
    lines = _section(project.runpytest("-p", "anyio"))
    assert ["vehicle", "person"] == [line.split()[0] for line in lines[1:-1]]


def test_asyncio_plugin_is_told_apart(project: pytest.Pytester) -> None:
    """Under pytest-asyncio tests and fixtures take rows of their own."""
    pytest.importorskip("pytest_asyncio", reason="`just plugin` has it")
    project.makepyfile(
        """
        import pytest, pytest_asyncio

        @pytest.fixture(scope="module")
        def insurer(esdh): return esdh.profiles(1)[0]

        @pytest_asyncio.fixture
        async def customer(esdh):
            yield esdh.persons(1)[0]

        @pytest.mark.asyncio
        async def test_one(esdh, insurer, customer):
            assert customer == esdh.vehicles(1)[0]
        """
    )
    lines = _section(project.runpytest_subprocess("-p", "no:anyio"))
    assert ["vehicle", "person", "profile"] == [line.split()[0] for line in lines[1:-1]]
