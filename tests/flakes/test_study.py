"""The study in small: a few runs of every arm, and what must hold of ours in all circumstances."""

import csv
import sys
from pathlib import Path

import pytest
from study import ARMS, OURS, Arm, Study, plans, suite_tests

# Read the clock of the day that they are run on, so that another day can change their outcome with any data.
CLOCK = {"residual_on_the_day_of_the_quote", "residual_fits_the_premium", "miles_on_the_day_of_the_quote"}
FIRST = {plan.circumstance: plan for plan in reversed(plans())}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study with results of its own, of the libraries that are installed."""
    return Study(tmp_path / "results", tmp_path, Path(sys.executable), None)


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm != OURS], ids=lambda arm: arm.module)
def test_arm_runs_the_suite(study: Study, arm: Arm) -> None:
    """Every arm gives every test its data, and what fails is tried again from its report."""
    study.run([FIRST["nothing"], FIRST["field added"]], [arm])
    for row in study.runs.rows():
        assert (len(suite_tests()), 0) == (len(row["outcomes"]), row["outcomes"].count("-"))
    assert {row["run"] for row in study.runs.rows() if "F" in row["outcomes"]} == {
        row["run"] for row in study.failures.rows()
    }


def test_ours_is_the_same_in_all_circumstances(study: Study) -> None:
    """With pytest-esdh no outcome changes, but of a test that reads the clock on another day; each failure comes back with its rows."""
    study.run(FIRST.values(), [OURS])
    rows = {row["circumstance"]: row for row in study.runs.rows()}
    assert FIRST.keys() - {"library moved"} == rows.keys()  # which `just flake-study` moves
    reference = rows["nothing"]
    for row in rows.values():
        pairs = zip(suite_tests(), reference["outcomes"], row["outcomes"], strict=True)
        changed = {test for test, before, after in pairs if after not in ("-", before)}
        assert set() == changed - (CLOCK if row["circumstance"] == "day" else set()), row["circumstance"]
    failures = study.failures.rows()
    assert failures
    assert {("1", "1")} == {(row["fails_again"], row["same_rows"]) for row in failures}


def test_exploration_finds_more_and_keeps_it(study: Study) -> None:
    """An exploration finds faults that the tests' own rows don't meet, and the next one has them again."""
    study.run([FIRST["nothing"]], [OURS])
    study.explore(2, 4)
    fixed = study.runs.rows()[0]["outcomes"].count("F")
    first, second = study.nights.rows()
    assert fixed < int(first["tests"])
    assert set(first["faults"].split("; ")) <= set(second["faults"].split("; "))


def test_stopped_study_goes_on(study: Study, tmp_path: Path) -> None:
    """What has been run isn't run again."""
    csv_arm = next(arm for arm in ARMS if arm.module == "checked_in_csv")
    study.run([FIRST["nothing"]], [csv_arm])
    study.run([FIRST["nothing"], FIRST["order"]], [csv_arm])
    with (tmp_path / "results/runs.csv").open(encoding="utf-8", newline="") as file:
        assert ["nothing", "order"] == [row["circumstance"] for row in csv.DictReader(file)]
