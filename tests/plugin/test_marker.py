"""The marker: a test once a record, the records that a condition holds for, and what can't be."""

import re
from pathlib import Path

import pytest
from esdh_core import reproduce_record
from esdh_core.testing import window_for
from esdh_plan import load_plan
from pytest_esdh.marker import ids_named

BANK = load_plan("bank")
SMALL = """esdh: plan/1
name: small
version: 1
reference_date: 2026-01-01
tables:
  kinds: {rows: 3, fields: {kind_id: {id: true}}}
  seats:
    fields:
      seat: {pattern: "[A-D]{1}", unique: true}
"""
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def _collected(project: pytest.Pytester) -> list[str]:
    """Return the node ids of a project's tests, in their order."""
    return [
        line
        for line in project.runpytest("--collect-only", "-q", "-p", "no:randomly").outlines
        if "::" in line
    ]


def test_test_runs_once_a_record(project: pytest.Pytester) -> None:
    """A marked test runs over the first records of the window of its name, each with the record's id in its name."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.esdh(records=5, plan="bank")
        def test_one(esdh_record, esdh, request):
            assert esdh_record.customers.customer_id in request.node.name
            assert esdh.dataset.dataset_version == "bank v1"
        """
    )
    project.runpytest().assert_outcomes(passed=5)
    name = "test_test_runs_once_a_record.py::test_one"
    window = window_for(name, dataset=BANK)
    assert [f"{name}[{row.customer_id}]" for row in window.rows("customers", 5)] == _collected(project)


def test_where_chooses_the_first_records_that_meet_it(project: pytest.Pytester) -> None:
    """The records are the first of the window that the condition holds for, with fields of every table of one row a record."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.esdh(records=30, where="state == 'NV' and vehicle.risk_rating == 'High' and address_line_2 is not None")
        def test_one(esdh_record):
            assert (esdh_record.person.state, esdh_record.vehicle.risk_rating) == ("NV", "High")
            assert esdh_record.person.address_line_2
        """
    )
    project.runpytest("-n0").assert_outcomes(passed=30)
    window = window_for("test_where_chooses_the_first_records_that_meet_it.py::test_one")
    persons, vehicles = window.rows("persons", 20_000), window.rows("vehicles", 20_000)
    expected = [
        person.person_id
        for person, vehicle in zip(persons, vehicles, strict=True)
        if person.state == "NV" and vehicle.risk_rating == "High" and person.address_line_2
    ]
    assert expected[:30] == [found[0] for line in _collected(project) if (found := UUID.search(line))]


def test_records_multiply_with_other_parameters(project: pytest.Pytester) -> None:
    """A marked test with parameters runs over the same records for each, and a marker on a class holds for its methods."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.esdh(records=3)
        class TestQuote:
            @pytest.mark.parametrize("premium", [1, 2])
            def test_one(self, premium, esdh_record): pass

            @pytest.mark.esdh(records=2)
            def test_two(self): pass
        """
    )
    project.runpytest().assert_outcomes(passed=8)
    lines = [line for line in _collected(project) if "test_one" in line]
    by_premium = [
        sorted(UUID.findall("".join(each for each in lines if f"[{premium}-" in each))) for premium in (1, 2)
    ]
    assert by_premium[0] == by_premium[1]
    assert 3 == len(by_premium[0])


def test_setting_names_the_plan(project: pytest.Pytester) -> None:
    """The setting esdh_plan is the plan of every test and fixture that names none; a file is found from the root folder."""
    project.makefile(".yaml", small=SMALL)
    project.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="session")
        def kinds(esdh): return esdh.kinds()

        @pytest.mark.esdh(records=4)
        def test_one(esdh_record, kinds, esdh):
            assert esdh_record.seats.seat in "ABCD" and len(kinds) == 3
            assert len(esdh.plan("bank").customers(2)) == 2 and len(esdh.plan("v0.1").persons(2)) == 2

        @pytest.mark.esdh(plan="bank")
        def test_two(esdh): assert esdh.merchants()
        """
    )
    project.runpytest("-o", "esdh_plan=small.yaml").assert_outcomes(passed=5)


def test_record_without_a_marker_is_the_tests_own(project: pytest.Pytester) -> None:
    """Without a marker esdh_record is one whole record, another one in every test."""
    project.makepyfile(
        """
        seen = []
        def test_one(esdh_record): seen.append(esdh_record)
        def test_two(esdh_record):
            assert esdh_record.vehicle.person_id == esdh_record.person.person_id
            assert esdh_record not in seen
        """
    )
    project.runpytest("-p", "no:randomly").assert_outcomes(passed=2)


def test_pasted_node_id_runs_that_record(project: pytest.Pytester) -> None:
    """A node id with the id of any record, such as another machine's report has, runs the test over that record."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("premium", [1, 2])
        @pytest.mark.esdh(records=2)
        def test_one(premium, esdh_record):
            assert 0, esdh_record.person.last_name
        """
    )
    record = window_for("anywhere").record()
    name = f"test_pasted_node_id_runs_that_record.py::test_one[2-{record.person.person_id}]"
    for arguments in ((name,), (f"./{name}",), (name, "-n1")):
        result = project.runpytest_subprocess(*arguments)
        result.assert_outcomes(failed=1)
        assert record == reproduce_record(record.person.person_id)
        result.stdout.fnmatch_lines([f"E*AssertionError: {record.person.last_name}"])


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        ("a/test_x.py::TestA::test_one[7325de0f-b0c4-806c-8636-3e3a1bdbceb4]", 1),
        ("a/test_x.py::TestA::test_one[x-7325de0f-b0c4-806c-8636-3e3a1bdbceb4-y::z]", 1),
        ("../here/a/test_x.py::TestA::test_one[7325de0f-b0c4-806c-8636-3e3a1bdbceb4]", 1),
        ("a/test_x.py::TestA::test_one[7325de0f]", 0),
        ("a/test_x.py::TestA::test_one", 0),
        ("a/test_x.py::TestA::test_two[7325de0f-b0c4-806c-8636-3e3a1bdbceb4]", 0),
        ("b/test_x.py::TestA::test_one[7325de0f-b0c4-806c-8636-3e3a1bdbceb4]", 0),
        ("test_one[7325de0f-b0c4-806c-8636-3e3a1bdbceb4]", 0),
        ("", 0),
    ],
)
def test_ids_are_read_from_the_tests_own_node_ids(argument: str, found: int, tmp_path: Path) -> None:
    """Ids count where the file and the names of a node id are the test's."""
    here = tmp_path / "here"
    here.mkdir()
    ids = ids_named([argument], here, "a/test_x.py::TestA::test_one", here / "a/test_x.py")
    assert found == len(ids)


@pytest.mark.parametrize(
    ("marker", "sentence"),
    [
        ('plan="bnak"', "bnak: no plan of this name ships; there are * bank*"),
        (
            'plan="plans/smal.yaml"',
            "plans/smal.yaml: there is no such file or folder; did you mean 'small.yaml'?",
        ),
        ('plan="bad.yaml"', "bad.yaml, line 3*"),
        (
            "where=\"state == 'TX'\"",
            "131,072 records of v0.1 were looked at from record * on, and none of them meets where=\"state == 'TX'\"; "
            "the marker asks for 1",
        ),
        (
            "records=4, plan=\"plans/small.yaml\", where=\"seat in ('A', 'B')\"",
            "4 records of small v1 were looked at from record * on, and 2 of them meet where=*; the marker asks for 4",
        ),
        (
            'where="stat == 1"',
            "where='stat == 1' can't be taken: 'persons' has no field 'stat'; did you mean 'state'?",
        ),
        (
            'where="city"',
            "where='city' can't be taken: a condition is true or false; this is of the type string",
        ),
        ('where="k == 1"', "where='k == 1' can't be taken: *"),
        ("where=True", "the marker esdh has where=True; it takes an expression as text"),
        ("records=0", "the marker esdh has records=0; it takes a whole number from 1"),
        ("records=True", "the marker esdh has records=True; it takes a whole number from 1"),
        (
            "record=3",
            "the marker esdh has no 'record'; did you mean 'records'?; it takes records, plan, where",
        ),
        ("50", "the marker esdh takes its arguments by name: records, plan, where"),
        ('records=5, plan="plans/small.yaml"', "5 records are more than small v1 has room for: 4"),
    ],
)
def test_marker_that_cannot_be_followed_is_one_failure(
    project: pytest.Pytester, marker: str, sentence: str
) -> None:
    """A marker that asks for what can't be fails its test with one sentence, and no other test."""
    project.mkdir("plans").joinpath("small.yaml").write_text(SMALL)
    project.makefile(".yaml", bad="esdh: plan/1\nname: bad\nvershun: 1\n")
    project.makepyfile(
        f"""
        import pytest

        @pytest.mark.esdh({marker})
        def test_one(esdh_record): pass

        def test_two(esdh): pass
        """
    )
    result = project.runpytest()
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines([sentence])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*esdh: records that this test touched*")


def test_marker_on_unittest_is_told(project: pytest.Pytester) -> None:
    """A marker on a class of unittest fails its tests with a sentence that says what to do instead."""
    project.makepyfile(
        """
        import unittest, pytest

        @pytest.mark.esdh(records=5)
        class TestQuote(unittest.TestCase):
            def test_one(self): pass

        def test_two(): pass
        """
    )
    result = project.runpytest()
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "the marker esdh runs a test function once a record, which a test of unittest can't be; *window_for(self.id())"
        ]
    )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("esdh.persens(3)", "*AttributeError: v0.1 has no table 'persens'; did you mean 'persons'?"),
        ("esdh.table('zzz')", "*EsdhError: v0.1 has no table 'zzz'; there are persons, vehicles, profiles"),
        ("esdh.plan('bnk')", "*EsdhError: bnk: no plan of this name ships; there are *"),
        ("esdh.persons(-1)", "*EsdhError: records -1 is not an integer from 1 to *"),
        (
            "esdh.plan('bank').merchants(3)",
            "*EsdhError: merchants is a fixed table: it has the same 500 rows *",
        ),
        ("esdh.plan('small.yaml').seats(5)", "*EsdhError: 5 records are more than small v1 has room for: 4"),
    ],
)
def test_call_that_cannot_be_is_told(project: pytest.Pytester, call: str, sentence: str) -> None:
    """A wrong call fails with one sentence below the user's own line, without ours."""
    project.makefile(".yaml", small=SMALL)
    project.makepyfile(f"def test_one(esdh):\n    {call}\n")
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f">*{call}", sentence])
    result.stdout.no_fnmatch_line("*factory.py*")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--esdh-seed", "x"),
            "ERROR: --esdh-seed is 'x'; it takes an integer from 0 to 9007199254740991 (2^53 - 1)",
        ),
        (("--esdh-seed", "9007199254740992"), "ERROR: --esdh-seed is '9007199254740992'; *"),
        (("-o", "esdh_seed=-1"), "ERROR: the setting esdh_seed is '-1'; *"),
        (("--esdh-explore", "0"), "ERROR: --esdh-explore is 0; it takes a number of windows, from 1"),
    ],
)
def test_wrong_options_are_told(project: pytest.Pytester, arguments: tuple[str, ...], sentence: str) -> None:
    """A wrong option or setting ends the run with one sentence before anything is collected."""
    result = project.runpytest_subprocess(*arguments)
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines([sentence])


def test_settings_are_known_and_told(project: pytest.Pytester) -> None:
    """The marker is declared for --strict-markers, and --help and --fixtures and --markers tell what there is."""
    project.makepyfile(
        "import pytest\n\n@pytest.mark.esdh\ndef test_one(esdh_seed):\n    assert esdh_seed == 20240601\n"
    )
    project.runpytest("--strict-markers", "--strict-config").assert_outcomes(passed=1)
    project.runpytest("--help").stdout.fnmatch_lines(
        ["*--esdh-seed=SEED*", "*--esdh-explore=N*", "*esdh_plan*"]
    )
    project.runpytest("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.esdh(records=1, plan=None, where=None)*"]
    )
    project.runpytest("--fixtures").stdout.fnmatch_lines(["esdh *session scope*", "esdh_record*"])
