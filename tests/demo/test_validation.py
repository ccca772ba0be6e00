"""Validation refuses a repository that isn't what it promises, and smoke tells which test failed."""

import shutil
from pathlib import Path

import pytest
from demoing import Finished, config_of, printed, text_console
from esdh_api import Settings, create_app
from esdh_demo.client import Client
from esdh_demo.errors import DemoError
from esdh_demo.places import Places, find_root
from esdh_demo.processes import Commands
from esdh_demo.samples import SAMPLES, check_samples, write_samples
from esdh_demo.smoke import smoke
from esdh_demo.steps import run_of
from esdh_demo.validation import check_rows, check_sums, validate

REPOSITORY = Places(find_root(Path(__file__)))


class AppClient(Client):
    """The app without a server."""

    def post(self, path: str, body: dict[str, object], *, accept: str = "application/json") -> bytes:
        """Return the app's answer."""
        client = create_app(Settings()).test_client()
        answer: bytes = client.post(path, json=body, headers={"Accept": accept}).data
        return answer


CLIENT = AppClient("http://127.0.0.1:0")


@pytest.fixture(autouse=True)
def _bare_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pytest that a test starts loads none of our plugins, which takes it a second."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def test_committed_samples() -> None:
    """The canned answers in the repository are the API's."""
    assert len(SAMPLES) == check_samples(CLIENT, REPOSITORY)


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_that_was_changed(places: Places, name: str) -> None:
    """A canned answer that was changed is named with its line and both values; one that is missing is named."""
    write_samples(CLIENT, places)
    assert 4 == check_samples(CLIENT, places)
    path = places.samples / name
    path.write_text(path.read_text().replace("WA", "ID", 1))
    with pytest.raises(DemoError, match=rf"{name}, line \d+: the file has .*ID.* and the API gives .*WA"):
        check_samples(CLIENT, places)
    path.unlink()
    with pytest.raises(DemoError, match=f"data/demo_samples/v0.1/{name} is missing"):
        check_samples(CLIENT, places)


def test_sample_that_is_longer(places: Places) -> None:
    """A canned answer with something after its end is refused."""
    write_samples(CLIENT, places)
    path = places.samples / "persons.json"
    path.write_text(path.read_text() + "\n{}\n")
    with pytest.raises(DemoError, match=r"persons\.json, line"):
        check_samples(CLIENT, places)


def test_committed_goldens() -> None:
    """The goldens in the repository are as their digests say."""
    assert 4 == check_sums(REPOSITORY)


@pytest.mark.parametrize("case", ["was changed", "is missing", "is not listed"])
def test_golden_that_differs(places: Places, case: str) -> None:
    """A golden that was changed, is missing or isn't listed is refused."""
    shutil.copytree(REPOSITORY.goldens, places.goldens)
    path = places.goldens / "records.json"
    if case == "was changed":
        path.write_bytes(path.read_bytes() + b" ")
    elif case == "is missing":
        path.unlink()
    else:
        path.with_name("more.json").write_text("{}")
    with pytest.raises(DemoError, match=f"json {case}"):
        check_sums(places)


def test_validation_of_a_repository(places: Places) -> None:
    """A whole repository is valid, and a validation leaves nothing but its lines in the log."""
    shutil.copytree(REPOSITORY.goldens, places.goldens)
    shutil.copytree(REPOSITORY.samples, places.samples)
    (places.goldens / "test_golden.py").write_text("def test_golden():\n    assert True\n")
    console = text_console()
    with run_of(places, config_of(places), "validate", commands=Commands(), console=console) as run:
        validate(run)
    found = {step.name: step.counts for step in run.steps}
    assert ["config", "plan", "rows", "samples", "goldens"] == list(found)
    assert {"persons": 200, "vehicles": 200, "profiles": 200} == found["rows"]
    assert {"fields": 39} == found["plan"]
    assert {places.journal.name, ".running", ".lock", f".{places.journal.name}.lock"} >= {
        path.name for path in places.runs.iterdir()
    }
    assert "600 rows keep their schema, and each has the synthetic marker" in printed(console)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            "enterprise-synthetic-data-hub v0.1=>none",
            "vehicle 0 breaks its schema: Invalid enum value 'none'",
        ),
        ('"model_year":2=>"model_year":3', "vehicle 0 breaks its schema: Expected `int` <= 2024"),
        ('"make":=>"brand":', "vehicle 0 breaks its schema: Object missing required field `make`"),
        ('"make":=>"more":1,"make":', r"vehicle 0 has the fields \['vehicle_id', 'person_id', 'vin', 'more'"),
    ],
)
def test_row_that_breaks_its_schema(finished: Finished, tmp_path: Path, change: str, why: str) -> None:
    """A row without the marker, or that its Struct doesn't take, stops the validation at that row."""
    snapshot = shutil.copytree(finished.folder / "snapshot", tmp_path / "snapshot")
    assert {"persons": 20, "vehicles": 20, "profiles": 20} == check_rows(snapshot)
    path = snapshot / "vehicles_v0_1.ndjson"
    old, new = change.split("=>")
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DemoError, match=why):
        check_rows(snapshot)


TESTS = """
import pytest

@pytest.mark.demo
def test_marked():
    assert {outcome}

def test_unmarked():
    raise AssertionError("not asked for")
"""


def run_smoke(places: Places, text: str) -> dict[str, int]:
    """Run the smoke tests of a repository with one file of tests, and return their counts."""
    (places.root / "tests").mkdir()
    (places.root / "tests" / "test_it.py").write_text(text)
    (places.root / "pytest.ini").write_text("[pytest]\nmarkers =\n    demo: for the demo\n")
    with run_of(places, config_of(places), "smoke", commands=Commands(), console=text_console()) as run:
        smoke(run)
    return run.steps[0].counts


def test_smoke(places: Places) -> None:
    """The marked tests run, and no others."""
    assert {"tests": 1, "skipped": 0} == run_smoke(places, TESTS.format(outcome="True"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TESTS.format(outcome="False"), r"1 of 1 tests failed, the first is .*test_it.*::test_marked"),
        (TESTS.format(outcome="True").replace("def test_marked", "def unused"), "no test ran"),
        ("", "no test is marked `demo`"),
    ],
)
def test_smoke_that_fails(places: Places, text: str, why: str) -> None:
    """A failure names the first test that failed, and no test at all is a failure."""
    with pytest.raises(DemoError, match=why):
        run_smoke(places, text)
