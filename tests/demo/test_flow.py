"""One real run: what it makes, what it logs, and what it refuses."""

import csv
import hashlib
import json
import re
import sys
from pathlib import Path

import msgspec
import pytest
from demoing import Finished, entries, make_session
from esdh_core import DEFAULT_DATASET, generate_bundle
from esdh_demo.errors import DemoError
from esdh_demo.flow import flow
from esdh_demo.paths import Paths
from esdh_demo.processes import Commands, marked_processes
from esdh_demo.rows import Rows, Window, compare_rows, snapshot_rows, windows_of
from esdh_demo.runs import read_record
from esdh_demo.steps import open_run

STEPS = ["generate", "verify", "serve", "health", "preview", "reproduce", "stop", "report"]


def test_artifacts(finished: Finished) -> None:
    """A run leaves the snapshot, the answers, the output of its commands, a report and its record."""
    assert {"api", "logs", "report.html", "run.json", "snapshot"} == {
        path.name for path in finished.folder.iterdir()
    }
    answers = {path.name for path in (finished.folder / "api").iterdir()}
    for name in (
        "healthz.json",
        "record.json",
        "bundle_0-4.json",
        "persons_0-19.csv",
        "vehicles_0-19.ndjson",
    ):
        assert name in answers
    for line in (finished.folder / "snapshot" / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert digest == hashlib.sha256((finished.folder / "snapshot" / name).read_bytes()).hexdigest()


def test_kept_answers_are_the_cores(finished: Finished) -> None:
    """The answers that are kept are the records that esdh-core gives."""
    bundle = generate_bundle(20)
    body = (finished.folder / "api" / "persons_0-19.json").read_bytes()
    assert json.loads(msgspec.json.encode(bundle.persons)) == json.loads(body)["persons"]
    with (finished.folder / "api" / "vehicles_0-19.csv").open(newline="") as stream:
        assert [each.vin for each in bundle.vehicles] == [row["vin"] for row in csv.DictReader(stream)]


def test_record_of_the_run(finished: Finished) -> None:
    """The run's record has every step in order, with its time, and the seed."""
    record = read_record(finished.folder)
    assert record is not None
    assert ("complete", 20, 20240601, None) == (record.status, record.records, record.seed, record.failure)
    assert STEPS == [step.name for step in record.steps]
    assert {"passed"} == {step.status for step in record.steps}
    compared = next(step for step in record.steps if step.name == "preview")
    assert {"rows_compared": 20 * 3 * 3, "records_covered": 20} == compared.counts


def test_log_of_the_run(finished: Finished) -> None:
    """The log has begin and end of the run and of each step, with seed, durations and paths in the repository."""
    events = [entry for entry in entries(finished.paths) if entry["run_id"] == finished.run.record.run_id]
    assert ("run.started", "run.finished") == (events[0]["event"], events[-1]["event"])
    assert [(step, event) for step in STEPS for event in ("step.started", "step.finished")] == [
        (entry["step"], entry["event"]) for entry in events[1:-1]
    ]
    assert f"data/demo_runs/{finished.run.record.run_id}" == events[-1]["paths"]["folder"]
    for entry in events:
        if entry["event"].endswith("finished"):
            assert 0 <= entry["duration_s"]
            assert 20240601 == entry["seed"]
    assert str(finished.paths.root) not in finished.paths.log.read_text()


def test_nothing_is_left(finished: Finished) -> None:
    """After a run none of its processes lives, and nothing half-made is there."""
    assert [] == marked_processes(finished.paths.runs)
    assert [] == list(finished.paths.runs.glob(".*Z_*"))


def test_drawn_seed(paths: Paths) -> None:
    """A profile with a random seed draws one, records it, and the rows are that seed's."""
    session = make_session(paths)
    profile = session.config.profile("drawn")
    with open_run(session, "drawn", profile) as run:
        flow(run, profile, port=0)
    assert run.artifacts is not None
    record = read_record(run.artifacts)
    assert record is not None
    assert record.randomized
    assert record.seed is not None
    made = generate_bundle(3, record.seed)
    rows = snapshot_rows(run.artifacts / "snapshot", "v0.1", "csv", "persons", Window(0, 3))
    assert [person.person_id for person in made.persons] == [rows.row(each)["person_id"] for each in range(3)]
    assert f"seed {record.seed}, drawn" not in (run.artifacts / "report.html").read_text()
    assert str(record.seed) in (run.artifacts / "report.html").read_text()


TAMPER = """
import subprocess, sys
from pathlib import Path
fake = sys.argv[1].split("|")
if sys.argv[2] == "verify-snapshot":
    sys.exit(subprocess.call([sys.executable, "-P", "-m", "esdh_cli", *sys.argv[2:]]))
subprocess.run([*fake, *sys.argv[2:]], check=True)
if sys.argv[2] == "generate-snapshot":
    path = Path("snapshot/persons_v0_1.csv")
    path.write_text(path.read_text().replace("Louise", "Louisa"))
"""


def test_snapshot_that_was_tampered_with(paths: Paths, fast: Commands) -> None:
    """A snapshot that somebody changes before it is verified stops the run there, with the check, file and value."""
    commands = Commands(esdh=(sys.executable, "-c", TAMPER, "|".join(fast.esdh)))
    session = make_session(paths, commands)
    profile = session.config.profile("baseline")
    with (
        pytest.raises(DemoError, match=re.escape("the check 'files' failed")),
        open_run(session, "baseline", profile) as run,
    ):
        flow(run, profile, port=0)
    assert ["generate", "verify"] == [step.name for step in run.record.steps]
    assert run.artifacts is not None
    assert run.artifacts.name.endswith(".failed")


@pytest.mark.parametrize(
    ("records", "most", "expected"),
    [
        (1, 1_000, [(0, 1)]),
        (1_000, 1_000, [(0, 1_000)]),
        (2_500, 1_000, [(0, 1_000), (1_000, 1_000), (2_000, 500)]),
        (100_000, 1_000, [(0, 1_000), (49_500, 1_000), (99_000, 1_000)]),
        (3_001, 1_000, [(0, 1_000), (1_000, 1_000), (2_001, 1_000)]),
    ],
)
def test_windows(records: int, most: int, expected: list[tuple[int, int]]) -> None:
    """Three windows that cover everything do; else they are the first, the middle and the last records."""
    assert [Window(*each) for each in expected] == windows_of(records, most)


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
@pytest.mark.parametrize("table", [table.name for table in DEFAULT_DATASET.tables])
def test_windows_of_a_snapshot(finished: Finished, form: str, table: str) -> None:
    """Windows are read out of every format, each from its own record on."""
    folder, windows = finished.folder / "snapshot", [Window(0, 2), Window(2, 1), Window(17, 3)]
    whole = snapshot_rows(folder, "v0.1", form, table, Window(0, 21))
    read = [snapshot_rows(folder, "v0.1", form, table, window) for window in windows]
    expected = [whole.lines[each.start : each.start + each.records] for each in windows]
    assert (20, expected) == (len(whole.lines), [rows.lines for rows in read])
    made = msgspec.to_builtins(getattr(generate_bundle(20), table)[17])
    assert {name: str(value or "") for name, value in made.items()} == {
        name: str(value or "") for name, value in read[2].row(0).items()
    }


def test_parts_of_a_large_snapshot(tmp_path: Path) -> None:
    """A file that is a folder of parts is read part by part, each CSV with its own header."""
    folder = tmp_path / "persons_v0_1.csv"
    folder.mkdir()
    for part in range(2):
        rows = "".join(f"{part * 3 + row}\n" for row in range(3))
        (folder / f"part-{part:05d}.csv").write_text("n\n" + rows)
    read = snapshot_rows(tmp_path, "v0.1", "csv", "persons", Window(2, 3))
    assert Rows([b"2", b"3", b"4"], b"n") == read


@pytest.mark.parametrize(
    ("snapshot", "api", "why"),
    [
        (
            Rows([b'{"a":1}']),
            Rows([b'{"a":2}']),
            "persons, record 7, a: the snapshot has 1 and the API gives 2",
        ),
        (
            Rows([b'{"a":1}']),
            Rows([b'{"a":1,"b":null}']),
            "record 7, b: the snapshot has None and the API gives None",
        ),
        (Rows([b'{"a":1,"b":2}']), Rows([b'{"b":2,"a":1}']), "record 7, order of the fields"),
        (Rows([b'{"a":1}']), Rows([b'{"a": 1}']), "how they are written"),
        (Rows([b"1"], b"a"), Rows([b"1"], b"b"), "record 7, a: the snapshot has '1' and the API gives None"),
        (Rows([b"1,2"], b"a,b"), Rows([b"2,1"], b"b,a"), "order of the fields"),
        (Rows([b"1"], b"a"), Rows([b'{"a":2}']), "record 7, a: the snapshot has '1' and the API gives '2'"),
        (Rows([b'{"a":1}']), Rows([]), "the snapshot has 1 and the API gives 0"),
        (Rows([]), Rows([]), "the snapshot has 0 and the API gives 0"),
    ],
)
def test_rows_that_differ(snapshot: Rows, api: Rows, why: str) -> None:
    """Rows that differ in a value, a field, their order, how they are written or their number are refused, the first one named."""
    with pytest.raises(DemoError, match=re.escape(why)):
        compare_rows(snapshot, api, window=Window(7, 1), what="persons")


def test_rows_of_csv_and_json() -> None:
    """Rows of CSV equal those of JSON as text, null as nothing."""
    assert 1 == compare_rows(
        Rows([b'1,,"x,y"'], b"a,b,c"),
        Rows([b'{"a":1,"b":null,"c":"x,y"}']),
        window=Window(7, 1),
        what="persons",
    )
