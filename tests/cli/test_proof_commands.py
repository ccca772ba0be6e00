"""The commands that prove: verify-snapshot, diff-snapshots and the gates of generate-snapshot."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from esdh_cli.main import main
from esdh_manifest import Gates, Stats
from esdh_proof import gates


def run(*args: str | Path) -> Result:
    """Run esdh in this process."""
    return CliRunner().invoke(main, list(map(str, args)), catch_exceptions=False)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole snapshot."""
    folder = tmp_path_factory.mktemp("pristine") / "snapshot"
    assert 0 == run("generate-snapshot", "--output-dir", folder).exit_code
    return folder


@pytest.fixture
def snapshot(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it to tamper with."""
    return Path(shutil.copytree(pristine, tmp_path / "snapshot"))


def test_workers_print_what_one_process_prints(tmp_path: Path) -> None:
    """Parts that processes of their own verify give the same lines, a failure's among them."""
    options = ("--records", "66000", "--entity-filter", "profiles", "--output-format", "csv")
    assert (
        0
        == run(
            "generate-snapshot", "--output-dir", tmp_path / "s", *options, "--shard-rows", "65536"
        ).exit_code
    )
    part = tmp_path / "s" / "profiles_v0_1.csv" / "part-00001.csv"
    part.write_bytes(part.read_bytes().replace(b",Personal,", b",Commercial,", 1))
    one, two = (run("verify-snapshot", tmp_path / "s", "--workers", count) for count in ("1", "2"))
    assert (1, one.stdout) == (two.exit_code, two.stdout)
    assert "profiles_v0_1.csv/part-00001.csv" in one.stdout


def test_whole_snapshot_verifies(snapshot: Path) -> None:
    """A whole snapshot passes: a line a check, what stays unproven, and status 0."""
    result = run("verify-snapshot", snapshot)
    assert 0 == result.exit_code
    assert 10 == result.stdout.count("passed   ")
    assert "verdict     passed" in result.stdout
    assert "randomized" in result.stdout


def test_damage_is_told_exactly(snapshot: Path) -> None:
    """A changed value is told with file, record, field, what was found and what was expected; status 1."""
    path = snapshot / "vehicles_v0_1.csv"
    path.write_bytes(path.read_bytes().replace(b"Sedan", b"Wagon", 1))
    result = run("verify-snapshot", snapshot, "--quiet")
    assert 1 == result.exit_code
    assert "vehicles_v0_1.csv, record " in result.stdout
    assert "body_style: found Wagon; expected Sedan" in result.stdout
    assert "passed" not in result.stdout


def test_json_of_a_verification_has_every_check(snapshot: Path) -> None:
    """`--json` prints one document with the checks by name, what failed first, and what stays unproven."""
    (snapshot / "persons_v0_1.csv").unlink()
    result = run("verify-snapshot", snapshot, "--no-regenerate", "--json")
    document = json.loads(result.stdout)
    assert (1, "failed") == (result.exit_code, document["verdict"])
    checks = {check["name"]: check for check in document["checks"]}
    assert "missing" == checks["files"]["first"]["found"]
    assert "unproven" == checks["regenerated"]["status"]
    assert document["unproven"][0].startswith("regenerated: ")


def test_no_folder_is_one_sentence(tmp_path: Path) -> None:
    """A folder that isn't there is a sentence on stderr and status 1."""
    result = run("verify-snapshot", tmp_path / "nowhere")
    assert (1, 1) == (result.exit_code, result.stderr.count("\n"))
    assert "name the folder of a snapshot" in result.stderr


def test_same_snapshots_have_no_drift(snapshot: Path, pristine: Path) -> None:
    """Two copies differ in nothing: status 0."""
    result = run("diff-snapshots", pristine, snapshot)
    assert (0, True) == (result.exit_code, "none" in result.stdout)


def test_drift_has_a_cause(pristine: Path, tmp_path: Path) -> None:
    """Another seed is the cause, in words and in JSON, with the statistics that moved; status 1."""
    run("generate-snapshot", "--output-dir", tmp_path / "b", "--seed", "1")
    result = run("diff-snapshots", pristine, tmp_path / "b")
    assert (1, True) == (result.exit_code, result.stdout.startswith("cause       seed: "))
    assert "moved       persons ages by 0." in result.stdout
    document = json.loads(run("diff-snapshots", pristine, tmp_path / "b", "--json").stdout)
    assert ("seed", ["20240601", "1"]) == (document["cause"], document["claims"]["seed"])


def test_gates_are_told_and_recorded(pristine: Path) -> None:
    """A default run is gated, and the verdict stands in the manifest."""
    manifest = json.loads((pristine / "snapshot_manifest_v0_1.json").read_text())
    assert ("passed", 15) == (manifest["gates"]["verdict"], len(manifest["gates"]["checks"]))
    result = run("generate-snapshot", "--output-dir", pristine)
    assert "gates    passed: 15 distributions at level 1e-06" in result.stdout


def test_no_gate_is_recorded(tmp_path: Path) -> None:
    """`--no-gate` stands in the manifest, and a verification says so."""
    result = run("generate-snapshot", "--output-dir", tmp_path / "s", "--no-gate", "--json")
    assert "skipped" == json.loads(result.stdout)["gates"]
    assert "no gate was asked when the snapshot was written" in run("verify-snapshot", tmp_path / "s").stdout


def test_failed_gate_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data that don't follow the plan leave no folder, and the sentence names the distribution."""
    honest = gates.judge

    def crooked(stats: Stats, **_: object) -> Gates:
        moved = {"Personal": 20, "Commercial": 180}
        return honest({**stats, "persons": {**stats["persons"], "lines_of_business": moved}})

    monkeypatch.setattr(gates, "judge", crooked)
    result = run("generate-snapshot", "--output-dir", tmp_path / "s")
    assert (1, []) == (result.exit_code, list(tmp_path.iterdir()))
    assert "persons lines_of_business don't follow the plan: at 'Commercial' 180 of 200" in result.stderr
    assert "about 60 are expected" in result.stderr
