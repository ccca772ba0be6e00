"""Validation refuses a repository that isn't what it promises, and smoke tells which test failed."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from demoing import make_session
from esdh_api import Settings, create_app
from esdh_demo.errors import DemoError
from esdh_demo.paths import Paths, find_root
from esdh_demo.samples import SAMPLES, check_samples, write_samples
from esdh_demo.smoke import smoke
from esdh_demo.steps import open_run
from esdh_demo.validation import check_sums, validate

REPOSITORY = Paths(find_root(Path(__file__)))


def post(path: str, body: dict[str, Any]) -> bytes:
    """Return the app's answer, without a server."""
    answer: bytes = create_app(Settings()).test_client().post(path, json=body).data
    return answer


@pytest.fixture(autouse=True)
def _bare_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pytest that a test starts loads none of our plugins, which takes it a second."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def test_committed_samples() -> None:
    """The canned answers in the repository are the API's."""
    assert len(SAMPLES) == check_samples(post, REPOSITORY)


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_that_was_changed(paths: Paths, name: str) -> None:
    """A canned answer that was changed is named with its line and both values; one that is missing is named."""
    write_samples(post, paths)
    assert 4 == check_samples(post, paths)
    path = paths.samples / name
    path.write_text(path.read_text().replace("WA", "ID", 1))
    with pytest.raises(DemoError, match=rf"{name}, line \d+: the file has .*ID.* and the API gives .*WA"):
        check_samples(post, paths)
    path.unlink()
    with pytest.raises(DemoError, match=f"data/demo_samples/v0.1/{name} is missing"):
        check_samples(post, paths)


def test_sample_that_is_longer(paths: Paths) -> None:
    """A canned answer with something after its end is refused."""
    write_samples(post, paths)
    path = paths.samples / "persons.json"
    path.write_text(path.read_text() + "\n{}\n")
    with pytest.raises(DemoError, match=r"persons\.json, line"):
        check_samples(post, paths)


def test_committed_goldens() -> None:
    """The goldens in the repository are as their digests say."""
    assert 7 == check_sums(REPOSITORY)


@pytest.mark.parametrize("case", ["was changed", "is missing", "is not listed"])
def test_golden_that_differs(paths: Paths, case: str) -> None:
    """A golden that was changed, is missing or isn't listed is refused."""
    shutil.copytree(REPOSITORY.goldens, paths.goldens)
    path = paths.goldens / "records.json"
    if case == "was changed":
        path.write_bytes(path.read_bytes() + b" ")
    elif case == "is missing":
        path.unlink()
    else:
        path.with_name("more.json").write_text("{}")
    with pytest.raises(DemoError, match=f"json {case}"):
        check_sums(paths)


def test_validation_of_a_repository(paths: Paths) -> None:
    """A whole repository is valid, and a validation leaves nothing but its lines in the log."""
    shutil.copytree(REPOSITORY.goldens, paths.goldens)
    shutil.copytree(REPOSITORY.samples, paths.samples)
    (paths.goldens / "test_golden.py").write_text("def test_golden():\n    assert True\n")
    with open_run(make_session(paths), "validate") as run:
        validate(run)
    # test_golden.py, and the four of test_contract.py
    found = {step.name: step.counts for step in run.record.steps}
    assert ["config", "samples", "goldens"] == list(found)
    assert {"files": 7, "tests": 5, "skipped": 0} == found["goldens"]
    assert {paths.log.name, ".lock", f".{paths.log.name}.lock"} >= {
        path.name for path in paths.runs.iterdir()
    }


TESTS = """
import pytest

@pytest.mark.demo
def test_marked():
    assert {outcome}

def test_unmarked():
    raise AssertionError("not asked for")
"""


def run_smoke(paths: Paths, text: str) -> dict[str, int]:
    """Run the smoke tests of a repository with one file of tests, and return their counts."""
    (paths.root / "tests").mkdir()
    (paths.root / "tests" / "test_it.py").write_text(text)
    (paths.root / "pytest.ini").write_text("[pytest]\nmarkers =\n    demo: for the demo\n")
    with open_run(make_session(paths), "smoke") as run:
        smoke(run)
    return run.record.steps[0].counts


def test_smoke(paths: Paths) -> None:
    """The marked tests run, and no others."""
    assert {"tests": 1, "skipped": 0} == run_smoke(paths, TESTS.format(outcome="True"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TESTS.format(outcome="False"), r"1 of 1 tests failed, the first is .*test_it.*::test_marked"),
        (TESTS.format(outcome="True").replace("def test_marked", "def unused"), "no test ran"),
        ("", "no test is marked `demo`"),
    ],
)
def test_smoke_that_fails(paths: Paths, text: str, why: str) -> None:
    """A failure names the first test that failed, and no test at all is a failure."""
    with pytest.raises(DemoError, match=why):
        run_smoke(paths, text)
