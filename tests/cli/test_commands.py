"""The command line: values, messages and exit statuses."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import esdh_core
import esdh_export
import pytest
from click.testing import CliRunner, Result
from esdh_cli.commands import generate_snapshot as command
from esdh_cli.main import main
from esdh_core.datasets import catalog

ID = "7b847f8b-0bf6-8164-86ee-1e9155a80ffc"


def run(*args: str) -> Result:
    """Run esdh in this process."""
    return CliRunner().invoke(main, args, catch_exceptions=False)


def generate(folder: Path, *args: str) -> Result:
    """Generate a snapshot into a folder."""
    return run("generate-snapshot", "--output-dir", str(folder), *args)


def test_constants_equal_the_libraries() -> None:
    """What the command line repeats, so that help stays light, is what the libraries say."""
    assert esdh_core.DEFAULT_DATASET.default_shard_rows == command.DEFAULT_SHARD_ROWS
    assert esdh_core.DEFAULT_DATASET.dataset_version == catalog.VERSION
    assert list(esdh_export.FORMATS) == list(command.FORMATS)
    assert {entity.name: entity.entity for entity in esdh_core.ENTITIES} == catalog.TABLES


def test_default_run_tells_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options 200 records of the default seed are written where the contract says, and told."""
    monkeypatch.chdir(tmp_path)
    result = run("generate-snapshot")
    assert result.exit_code == 0
    for text in (
        "data/snapshots/v0.1",
        "20240601",
        "200 persons, 200 vehicles, 200 profiles",
        "sha256sum -c SHA256SUMS",
    ):
        assert text in result.stdout
    assert (tmp_path / "data/snapshots/v0.1/persons_v0_1.csv").is_file()
    assert "Left untouched" in run("generate-snapshot").stdout


@pytest.mark.parametrize(
    "given",
    [
        ["--output-format", "csv", "ndjson", "--entity-filter", "persons", "vehicle"],
        [
            "--output-format",
            "csv",
            "--output-format",
            "ndjson",
            "--entity-filter",
            "person",
            "--entity-filter=vehicles",
        ],
        ["--output-format=csv,ndjson", "--entity-filter", "persons,vehicles"],
        ["--output-format=csv, ndjson", "--entity-filter", " persons ,vehicles"],
        ["--output-format=csv,", "ndjson", "--entity-filter", "persons", ",", "vehicles"],
        ["--entity-filter=persons", "vehicles", "--output-format=ndjson", "csv", "csv"],
    ],
)
def test_several_values_in_every_way(tmp_path: Path, given: list[str]) -> None:
    """Several values after one flag, repeated flags and commas mean the same."""
    assert generate(tmp_path / "s", *given, "--records", "2").exit_code == 0
    tables = {path.name for path in (tmp_path / "s").iterdir() if path.name.startswith(("p", "v"))}
    assert {"persons_v0_1.csv", "persons_v0_1.ndjson", "vehicles_v0_1.csv", "vehicles_v0_1.ndjson"} == tables


def test_randomized_seed_is_printed_and_gives_the_same_data(tmp_path: Path) -> None:
    """A drawn seed is printed and recorded, and given again makes the same data."""
    result = generate(tmp_path / "a", "--randomize", "--records", "4")
    seed = re.search(r"seed +(\d+) \(drawn at random\)", result.stdout)
    assert seed is not None
    manifest = json.loads((tmp_path / "a" / "snapshot_manifest_v0_1.json").read_text())
    assert (int(seed[1]), True) == (manifest["seed"], manifest["randomized"])
    assert generate(tmp_path / "b", "--seed", seed[1], "--records", "4").exit_code == 0
    for name in ("persons_v0_1.csv", "dataset_v0_1.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "8589934593", "1_000", "٣", " 5", "", "1e3", "0x10"])
def test_bad_records(tmp_path: Path, value: str) -> None:
    """A number of records that can't be is wrong usage, quoted, with the range."""
    result = generate(tmp_path / "s", "--records", value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert 1 == len(result.stderr.splitlines())
    assert repr(value) in result.stderr
    assert "from 1 to 8589934592" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_very_long_number_is_quoted_in_part(tmp_path: Path) -> None:
    """A number of thousands of digits is refused in one short sentence; leading zeros count for nothing."""
    result = generate(tmp_path / "s", "--records", "9" * 5000)
    assert 2 == result.exit_code
    assert "(5000 characters)" in result.stderr
    assert 0 == generate(tmp_path / "s", "--records", "0" * 5000 + "1").exit_code


@pytest.mark.parametrize("value", ["-1", "9007199254740992", "abc", "1_000", "٢٠٢٤", "1.0"])
def test_bad_seed(tmp_path: Path, value: str) -> None:
    """A seed that can't be is wrong usage, quoted, with the range."""
    result = generate(tmp_path / "s", "--seed", value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert 1 == len(result.stderr.splitlines())
    assert repr(value) in result.stderr
    assert "from 0 to 9007199254740991" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--output-format", "csv", "jsn"], "did you mean 'json'?"),
        (["--output-format", "csv,"], "''"),
        (["--output-format", "jsonl"], "did you mean 'ndjson'?"),
        (["--output-format", "jsnl"], "did you mean 'ndjson'?"),
        (["--output-format", "CSV"], "did you mean 'csv'?"),
        (["--output-format", "xml"], "'xml' is not one of csv, json, ndjson, parquet (see"),
        (
            ["--entity-filter", "persons, vehicels"],
            "'vehicels' is not one of persons, vehicles, profiles; did you mean 'vehicles'?",
        ),
        (["--audit-log=~nobody-has-this-name/x"], "home folder of no known user"),
        (["--entity-filter", "persn"], "did you mean 'person'?"),
        (["--output-format"], "requires an argument"),
        (["--seed", "1", "--randomize"], "exclude each other"),
        (["--shard-rows", "100000"], "the nearest is 131072"),
        (["stray"], "stray"),
    ],
)
def test_wrong_usage(tmp_path: Path, args: list[str], message: str) -> None:
    """Wrong usage exits with 2 and says what would be right."""
    result = generate(tmp_path / "s", *args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leading `~` that the shell left is the home folder in every path; `./~` is a folder of that name."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    assert 0 == run("generate-snapshot", "--output-dir=~/s", "--audit-log=~/audit.jsonl").exit_code
    assert {"s", "audit.jsonl", "audit.jsonl.lock"} == {path.name for path in home.iterdir()}
    assert 0 == run("verify-snapshot", "~/s").exit_code
    assert 0 == run("diff-snapshots", "~/s", "~/s").exit_code
    assert 0 == run("verify-audit", "~/audit.jsonl").exit_code
    assert 0 == run("generate-snapshot", "--output-dir=./~").exit_code
    assert {"home", "~"} == {path.name for path in tmp_path.iterdir()}


def test_folder_with_another_snapshot_exits_with_1(tmp_path: Path) -> None:
    """A refused folder is a sentence on stderr and status 1; --overwrite replaces."""
    generate(tmp_path / "s", "--records", "2")
    result = generate(tmp_path / "s", "--records", "3")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert "--overwrite" in result.stderr
    assert generate(tmp_path / "s", "--records", "3", "--overwrite").exit_code == 0


def test_report_that_can_not_be_printed_is_told(tmp_path: Path) -> None:
    """Where stdout takes nothing the snapshot stands, and the sentence says that the work was done."""
    command_line = [
        sys.executable,
        "-m",
        "esdh_cli",
        "generate-snapshot",
        "--output-dir",
        str(tmp_path / "s"),
        "--records",
        "2",
    ]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command_line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert 1 == done.returncode
    assert (
        "the output could not be printed (No space left on device); the work before it was done"
        in done.stderr
    )
    assert "Traceback" not in done.stderr
    assert (tmp_path / "s" / "SHA256SUMS").is_file()


def test_json_and_quiet(tmp_path: Path) -> None:
    """--json prints one document, --quiet only the seed."""
    document = json.loads(generate(tmp_path / "s", "--json", "--records", "2").stdout)
    assert (
        document["status"],
        document["seed"],
        document["record_counts"],
    ) == ("written", 20240601, {"persons": 2, "vehicles": 2, "profiles": 2})
    assert generate(tmp_path / "s", "--quiet", "--records", "2").stdout == "seed 20240601\n"


def test_reproduce_prints_the_whole_record() -> None:
    """An id of a vehicle prints its person, vehicle and profile; several ids in one call."""
    result = run("reproduce", ID, "d4ab67fe-6799-8d2d-99be-841b118c6dc9")
    assert result.exit_code == 0
    assert f"{ID} is vehicle 0 of seed 20240601, dataset version v0.1" in result.stdout
    assert "is profile 1 of seed 20240601" in result.stdout
    bundle = esdh_core.generate_bundle(2)
    assert bundle.persons[0].driver_license_number in result.stdout
    assert bundle.vehicles[1].vin in result.stdout
    document = json.loads(run("reproduce", "--json", ID).stdout)
    assert bundle.profiles[0].profile_id == document["records"][0]["profile"]["profile_id"]


@pytest.mark.parametrize(
    "spelling", [f"{ID}\r", ID.upper(), f"{{{ID.upper()}}}", ID.replace("-", ""), f"urn:uuid:{ID}", f" {ID} "]
)
def test_reproduce_prints_the_id_as_esdh_writes_it(spelling: str) -> None:
    """An id as other programs spell it, or with a list's carriage return, is printed in its own form."""
    result = run("reproduce", spelling)
    assert (0, "") == (result.exit_code, result.stderr)
    assert result.stdout.startswith(f"{ID} is vehicle 0 of seed 20240601")
    assert run("reproduce", "--json", ID).stdout == run("reproduce", "--json", spelling).stdout


def test_reproduce_refuses_with_the_reason() -> None:
    """An id that isn't ours is refused with the reason after the good ones were printed."""
    result = run("reproduce", ID, "abc")
    assert result.exit_code == 1
    assert "vehicle 0" in result.stdout
    assert "'abc' is not an ESDH id" in result.stderr
    assert run("reproduce").exit_code == 2


def test_show_plan_in_every_form() -> None:
    """The plan is printed as text, JSON and Markdown; the JSON bytes are those of plan_sha256."""
    assert "first_name" in run("show-plan").stdout
    assert run("show-plan", "--format", "markdown").stdout.startswith("# Generation plan")
    out = run("show-plan", "--format", "json").stdout_bytes
    assert esdh_core.DEFAULT_DATASET.plan_sha256 == hashlib.sha256(out).hexdigest()
    assert out == run("show-plan", "--json").stdout_bytes


@pytest.mark.parametrize("args", [[], ["generate-snapshot"], ["reproduce"], ["show-plan"]])
def test_help_has_examples_and_is_light(args: list[str]) -> None:
    """Help shows an example, and importing it pulls in neither NumPy nor Arrow."""
    code = (
        "import sys\nfrom esdh_cli.main import main\n"
        "main([*sys.argv[1:], '--help'], standalone_mode=False)\n"
        "print({'numpy', 'pyarrow', 'rich', 'esdh_plan', 'ruamel.yaml'} & set(sys.modules))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=True
    ).stdout
    assert out.endswith("set()\n")
    assert "esdh " + (args[0] if args else "generate-snapshot") in out


def test_small_snapshot_does_not_pay_for_workers(tmp_path: Path) -> None:
    """A snapshot of one block in text imports nothing of process pools, stores, progress bars or Arrow."""
    code = (
        "import sys\nfrom esdh_cli.main import main\nmain(sys.argv[1:], standalone_mode=False)\n"
        "print({'multiprocessing', 'concurrent.futures', 'rich', 'pyarrow'} & set(sys.modules))"
    )
    command_line = [sys.executable, "-c", code, "generate-snapshot", "--output-dir", str(tmp_path / "s")]
    out = subprocess.run(command_line, capture_output=True, text=True, check=True).stdout
    assert out.endswith("set()\n")
