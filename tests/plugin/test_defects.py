"""One wrong row with the clean one beside it: drawn by the test's name, told by a failure, refused in a sentence."""

import shlex
import subprocess
import sys
from collections.abc import Callable

import pytest
from esdh_plan.defects.single import UnfitError  # and NumPy, which a run within a run can't load once more

Notes = Callable[[], dict[str, list[list[str]]]]
MODULE = """
import datetime as dt

import pytest
from esdh_plan.defects.single import UnfitError  # and NumPy, which a run within a run can't load once more


def test_cells(esdh):
    for kind in ("typo", "missing", "wrong_type", "orphan", "swapped_fields"):
        wrong = esdh.defect("vehicles", kind=kind)
        assert wrong.kind == kind and wrong.table == "vehicles"
        differing = [name for name in wrong.row.__struct_fields__ if getattr(wrong.row, name) != getattr(wrong.clean, name)]
        assert sorted(differing) == sorted(wrong.fields) and wrong.field in differing
        assert wrong.found != wrong.clean_value
        assert wrong.found == getattr(wrong.row, wrong.field)
        assert wrong.label.kind == kind and wrong.label.field == wrong.field
        assert wrong.rows == [wrong.row] and wrong.clean_rows == [wrong.clean]
    assert esdh.defect("persons", kind="missing", field="city").row.city is None


def test_rows(esdh):
    twice = esdh.defect("persons", kind="duplicate_row")
    assert twice.rows.count(twice.row) == 2 and twice.row == twice.clean and twice.fields == []
    absent = esdh.defect("persons", kind="missing_row")
    assert absent.row is None and absent.clean in absent.clean_rows and absent.clean not in absent.rows
    moved = esdh.defect("persons", kind="reordered")
    assert moved.rows != moved.clean_rows and sorted(moved.rows, key=repr) == sorted(moved.clean_rows, key=repr)
    assert moved.rows.index(moved.row) < moved.clean_rows.index(moved.row)
    with pytest.raises(LookupError, match="of the whole row"):
        moved.found


def test_near_duplicate(esdh):
    near = esdh.defect("persons", kind="near_duplicate", fields=["last_name", "city"], edits=1)
    assert near.row.person_id != near.clean.person_id
    assert len(near.fields) == 1 and near.field in ("last_name", "city")
    place = near.rows.index(near.clean)
    assert near.rows[place + 1] == near.row
    assert {label.cluster for label in near.labels} == {near.label.cluster}


def test_plan(esdh):
    bank = esdh.plan("bank")
    wrong = bank.defect("accounts", kind="time_travel", field="opened_on", before="parent.born_on")
    assert wrong.found < wrong.clean_value
    total = bank.defect("transactions", kind="wrong_total")
    assert total.row in total.rows and len(total.rows) == len(total.clean_rows)
    names = {bank.defect("merchants", kind="typo").id for _ in range(6)}
    assert len(names) > 1


def test_where(esdh):
    for _ in range(5):
        wrong = esdh.defect("vehicles", kind="bad_check_digit", where="body_style == 'Truck'")
        assert wrong.clean.body_style == "Truck"
"""


def test_wrong_row_differs_from_the_clean_one_in_its_fields(project: pytest.Pytester) -> None:
    """A wrong row, its clean one, its fields, values, labels and neighbours fit together, of cells, of rows and of plans."""
    project.makepyfile(MODULE)
    project.runpytest_inprocess().assert_outcomes(passed=5)


def test_wrong_rows_depend_on_the_test_alone(project: pytest.Pytester, notes: Notes) -> None:
    """Whatever else runs, a test gets the same wrong rows, each call another record, and another test gets others."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("name", ["a", "b"])
        def test_it(esdh, note, name):
            note(name, [esdh.defect("persons", kind="typo") for _ in range(3)])
        """
    )
    project.runpytest_inprocess().assert_outcomes(passed=2)
    first = notes()
    project.runpytest_inprocess("-k", "b").assert_outcomes(passed=1)
    assert first["b"] == notes()["b"]
    (a,), (b,) = first["a"], first["b"]
    assert 6 == len({*a, *b})


def test_field_is_drawn_among_those_that_fit(project: pytest.Pytester, notes: Notes) -> None:
    """Without `field` the wrong rows are of several fields, and each is one that the kind can change."""
    project.makepyfile(
        """
        def test_it(esdh, note):
            note("fields", [esdh.defect("persons", kind="wrong_case").field for _ in range(40)])
        """
    )
    project.runpytest_inprocess().assert_outcomes(passed=1)
    (fields,) = notes()["fields"]
    assert len(set(fields)) > 4
    assert "'postal_code'" not in fields  # digits have no case


@pytest.mark.parametrize(
    ("call", "plan"),
    [
        ('esdh.defect("vehicles", kind="bad_check_digit")', ""),
        ('esdh.defect("persons", kind="near_duplicate", fields=["last_name"], edits=1)', ""),
        (
            """esdh.plan("bank").defect("accounts", kind="missing_row", where="balance > 500 and status != 'open'")""",
            "bank",
        ),
    ],
)
def test_failure_has_a_command_that_shows_the_defect(project: pytest.Pytester, call: str, plan: str) -> None:
    """The command of a report prints the clean row and what is wrong in the wrong one."""
    project.makepyfile(
        f"""
        def test_it(esdh):
            wrong = {call}
            print("ID", wrong.label.defect_id)
            assert wrong is None
        """
    )
    result = project.runpytest_inprocess()
    line = next(each for each in result.outlines if "esdh reproduce" in each)
    label = next(each for each in result.outlines if each.startswith("ID ")).removeprefix("ID ")
    assert plan in line
    program, *arguments = shlex.split(line[line.index("esdh reproduce") :])
    assert "esdh" == program
    done = subprocess.run(
        [sys.executable, "-m", "esdh_cli", *arguments],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"\n{label} (" in done.stdout


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            '"persons", kind="orphan"',
            "'orphan' is for fields that refer to another table's rows, and persons has none; tables that have some are "
            "vehicles and profiles",
        ),
        (
            '"persons", kind="typoo"',
            "there is no kind of defect 'typoo'; did you mean 'typo'?; there are missing, ",
        ),
        (
            '"persons", kind="bad_check_digit", field="city"',
            "`bad_check_digit` is for texts with a check digit of Luhn's, of ISO 7064 MOD 97-10 or of a VIN, and persons.city is a "
            "string; kinds that fit it are missing, ",
        ),
        ('"persons", kind="typo", field="town"', "'persons' has no field 'town'"),
        ('"persons", kind="time_travel"', "`time_travel` needs `before`"),
        ('"persons", kind="typo", with_="city"', "unknown key 'with'"),
        ('"persons", kind="typo", where="stat == 1"', "'persons' has no field 'stat'; did you mean 'state'?"),
        ('"people", kind="typo"', "v0.1 has no table 'people'"),
        (
            '"persons", kind="wrong_case", field="postal_code"',
            "'wrong_case' can change none of the rows of persons in 4,096 records",
        ),
        (
            '"persons", kind="typo", where="age(date_of_birth, today) > 900"',
            "'typo' can change none of the rows of persons in 4,096 records on which `where` holds",
        ),
        (
            '"vehicles", kind="missing_row", field="vin"',
            "`missing_row` is of rows as a whole and has no `field`",
        ),
        ('"vehicles", kind="bad_encoding", field="vin"', "'bad_encoding' is of files, and this gives a row"),
        ('"vehicles", kind="ragged_row"', "'ragged_row' is of files, and this gives a row"),
        ('"vehicles", kind="truncated_file"', "'truncated_file' is of files, and this gives a row"),
    ],
)
def test_defect_that_can_not_be_is_refused(project: pytest.Pytester, call: str, sentence: str) -> None:
    """A kind, a field or a condition that can't be taken fails the test with one sentence: what, and what would be right."""
    project.makepyfile(f"def test_it(esdh):\n    esdh.defect({call})\n")
    result = project.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    assert UnfitError.__name__ not in result.stdout.str()
    assert any(f"EsdhError: {sentence}" in line for line in result.outlines)
