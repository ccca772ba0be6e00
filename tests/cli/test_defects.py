"""Defects on the command line: asked for, explained, scored, and refused in one sentence."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from esdh_cli.main import main
from esdh_core import DEFAULT_DATASET, DEFAULT_SEED, encode_id
from esdh_plan.reader import read_yaml_file
from jsonschema import Draft202012Validator

DEFECTS = """\
esdh: defects/1
defects:
  - {kind: typo, table: persons, field: last_name, exactly: 2}
  - {kind: missing, table: vehicles, field: make, exactly: 1}
"""
PLAN = """\
esdh: plan/1
name: cards
version: 1
reference_date: 2024-06-01
tables:
  cards:
    fields:
      id: {id: true}
      holder: {choice: {Ann: 1, Bob: 1}}
defects:
  - {kind: typo, table: cards, field: holder, exactly: 2}
"""


def run(*args: str | Path | int) -> Result:
    """Run esdh in this process."""
    return CliRunner().invoke(main, list(map(str, args)), catch_exceptions=False)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A list of defects."""
    file = tmp_path / "defects.yaml"
    file.write_text(DEFECTS, encoding="utf-8")
    return file


def test_a_snapshot_has_the_defects_of_a_list(listed: Path, tmp_path: Path) -> None:
    """The summary and the document say what is wrong; the folder's own list gives the same snapshot."""
    result = run(
        "generate-snapshot", "--defects", listed, "--output-dir", tmp_path / "dirty", "--records", 20
    )
    assert "NOT CLEAN  1 missing, 2 typo; the table defects has a label for each" in result.stdout
    assert f"esdh reproduce ID --defects {tmp_path / 'dirty'}" in result.stdout
    again = run(
        *(
            "generate-snapshot",
            "--defects",
            tmp_path / "dirty",
            "--output-dir",
            tmp_path / "again",
            "--records",
            20,
            "--json",
        )
    )
    document = json.loads(again.stdout)
    assert (document["clean"], document["defects"]) == (False, {"missing": 1, "typo": 2})
    names = ["SHA256SUMS", "snapshot_manifest_v0_1.json"]
    assert [(tmp_path / "dirty" / name).read_bytes() for name in names] == [
        (tmp_path / "again" / name).read_bytes() for name in names
    ]
    assert run("verify-snapshot", tmp_path / "again").exit_code == 0


def test_a_plan_brings_its_defects_unless_they_are_left_out(tmp_path: Path) -> None:
    """The defects that a plan lists are in its snapshots; `--no-defects` gives the clean one, with the same rows."""
    plan = tmp_path / "cards.yaml"
    plan.write_text(PLAN, encoding="utf-8")
    arguments = ("generate-snapshot", "--plan", plan, "--records", 5, "--json", "--output-dir")
    dirty, clean = (
        json.loads(run(*arguments, tmp_path / name, *more).stdout)
        for name, more in (("dirty", ()), ("clean", ("--no-defects",)))
    )
    assert dirty["defects"] == {"typo": 2}
    assert "defects" not in clean
    assert dirty["plan_sha256"] == clean["plan_sha256"]
    refused = run(*arguments, tmp_path / "x", "--no-defects", "--defects", plan)
    assert (2, True) == (refused.exit_code, "--defects and --no-defects exclude each other" in refused.stderr)


def test_check_plan_lists_the_defects(tmp_path: Path) -> None:
    """`check-plan` says which defects every snapshot of a plan has, and of a wrong one where it stands."""
    plan = tmp_path / "cards.yaml"
    plan.write_text(PLAN, encoding="utf-8")
    assert "  cards.holder!typo: 2 rows" in run("check-plan", plan).stdout.splitlines()
    assert json.loads(run("check-plan", plan, "--json").stdout)["defects"] == ["cards.holder!typo"]
    plan.write_text(f"{PLAN}  - {{kind: truncated_file, table: cards}}\n", encoding="utf-8")
    assert "  cards!truncated_file: the file" in run("check-plan", plan).stdout.splitlines()
    plan.write_text(PLAN.replace("typo", "out_of_range"), encoding="utf-8")
    result = run("check-plan", plan)
    assert (2, True) == (
        result.exit_code,
        f"{plan}, line 11, defects[0].kind: `out_of_range` is for" in result.stderr,
    )


def test_a_defect_is_explained_by_its_id(listed: Path, tmp_path: Path) -> None:
    """`reproduce` prints the clean row behind a row's id or a defect's, and what stands in the snapshot instead."""
    run("generate-snapshot", "--defects", listed, "--output-dir", tmp_path / "dirty", "--records", 20)
    by_label = run("reproduce", "persons.last_name!typo#0", "--defects", tmp_path / "dirty")
    by_row = run("reproduce", "7325de0f-b0c4-806c-8636-3e3a1bdbceb4", "--defects", listed)
    assert by_label.exit_code == by_row.exit_code == 0
    assert by_label.stdout == by_row.stdout
    assert "  last_name              Crawford" in by_row.stdout
    assert "persons.last_name!typo#0 (typo): persons.last_name is " in by_row.stdout
    assert (
        "vehicles.make!missing#0 (missing): vehicles.make is null there, where 'Kia' is right"
        in by_row.stdout
    )
    document = json.loads(
        run("reproduce", "persons.last_name!typo#0", "--plan", tmp_path / "dirty", "--json").stdout
    )
    assert [each["kind"] for each in document["records"][0]["defects"]] == ["typo", "missing"]


@pytest.mark.parametrize(
    "text",
    ["persons.last_name!typo#7", "persons.last_name!tipo#0", "cars.make!typo#0", "persons.last_name#0"],
)
def test_an_id_of_no_defect_is_refused(listed: Path, tmp_path: Path, text: str) -> None:
    """The error says where the defects that there are stand, and is one line."""
    run("generate-snapshot", "--defects", listed, "--output-dir", tmp_path / "dirty", "--records", 20)
    result = run("reproduce", text, "--defects", tmp_path / "dirty")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert "needs the snapshot's folder" in run("reproduce", text, "--defects", listed).stderr


def test_faults_of_a_list_are_told_with_their_places(listed: Path, tmp_path: Path) -> None:
    """A wrong list is exit status 2 with a line a fault; a folder without one is exit status 1."""
    listed.write_text(DEFECTS.replace("typo", "tipo").replace("make", "mak"), encoding="utf-8")
    result = run("generate-snapshot", "--defects", listed, "--output-dir", tmp_path / "dirty")
    assert result.exit_code == 2
    assert (
        result.stderr
        == f"{listed}, line 3, defects[0].kind: there is no kind of defect 'tipo'; did you mean 'typo'?\n"
        f"{listed}, line 4, defects[1].field: 'vehicles' has no field 'mak'; did you mean 'make'?\n"
    )
    assert not (tmp_path / "dirty").exists()
    run("generate-snapshot", "--output-dir", tmp_path / "clean", "--records", 2)
    result = run("generate-snapshot", "--defects", tmp_path / "clean", "--output-dir", tmp_path / "dirty")
    assert (1, True) == (result.exit_code, "holds no snapshot with defects" in result.stderr)
    result = run("generate-snapshot", "--defects", tmp_path / "none.yaml", "--output-dir", tmp_path / "dirty")
    assert (2, True) == (result.exit_code, "can't be read: No such file" in result.stderr)


def test_more_than_there_are_is_refused(listed: Path, tmp_path: Path) -> None:
    """`exactly` above the rows is one sentence, and nothing is written."""
    result = run("generate-snapshot", "--defects", listed, "--output-dir", tmp_path / "dirty", "--records", 1)
    assert result.exit_code == 1
    assert (
        "is for exactly 2 rows, and there are only 1 in these records that it can change; ask for more"
        in result.stderr
    )
    assert not (tmp_path / "dirty").exists()


ROWS = """\
- {kind: missing_row, table: persons, exactly: 1}
- {kind: near_duplicate, table: persons, exactly: 1, where: "lob_type == 'Commercial'", edits: 2}
- {kind: duplicate_row, table: vehicles, exactly: 1}
- {kind: ragged_row, table: persons, exactly: 1}
- {kind: bad_encoding, table: persons, field: last_name, exactly: 4}
- {kind: bad_quoting, table: persons, field: city, exactly: 2}
- {kind: renamed_column, table: persons, field: last_name}
- {kind: extra_column, table: vehicles}
- {kind: truncated_file, table: profiles}
"""


def _labels(folder: Path, kind: str) -> list[dict[str, str]]:
    with (folder / "defects_v0_1.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["kind"] == kind]


@pytest.fixture
def broken(listed: Path, tmp_path: Path) -> Path:
    """A snapshot with rows and files that are wrong."""
    listed.write_text(ROWS, encoding="utf-8")
    folder = tmp_path / "broken"
    run("generate-snapshot", "--defects", listed, "--output-dir", folder, "--records", 20)
    return folder


def test_wrong_rows_are_explained_by_their_ids(broken: Path) -> None:
    """Of a row as a whole `reproduce` says what became of it, and of a cell without a reader that it can't be read."""
    first = run("reproduce", "persons!missing_row#0", "--defects", broken)
    assert first.exit_code == 0
    said = first.stdout.splitlines()
    for sentence in (
        "persons!missing_row#0 (missing_row): persons row 0 isn't there",
        "persons!ragged_row#0 (ragged_row): persons row 0 has a cell too few or too many there",
        "vehicles!duplicate_row#0 (duplicate_row): vehicles row 0 is there once more behind itself",
        "persons.city!bad_quoting#0 (bad_quoting): persons.city isn't there, where 'Tacoma' is right",
    ):
        assert sentence in said, first.stdout
    cells = [each for each in _labels(broken, "bad_encoding") if each["slot"] == "1"]
    text = run("reproduce", cells[0]["defect_id"], "--defects", broken).stdout
    assert f"last_name is {cells[0]['found']!r} there, where {cells[0]['clean']!r} is right" in text
    assert "persons.city can't be read there, where " in text


def test_a_near_duplicate_reproduces_the_row_that_it_is_one_with(broken: Path) -> None:
    """The id of a second row, and those of its labels, give the clean row, and say which cells differ."""
    row, *cells = _labels(broken, "near_duplicate")
    assert len(cells) == 2
    number = DEFAULT_DATASET.max_records - 1 - int(row["slot"])
    second = encode_id(DEFAULT_SEED, "persons", int(row["slot"]))
    by_id = run("reproduce", second, "--defects", broken)
    assert by_id.stdout == run("reproduce", row["defect_id"], "--defects", broken).stdout
    assert by_id.stdout == run("reproduce", cells[0]["defect_id"], "--defects", broken).stdout
    assert f"is person {number} of seed {DEFAULT_SEED}" in by_id.stdout.splitlines()[0]
    assert f"a second row, {second}, follows that with other values in some fields" in by_id.stdout
    for cell in cells:
        assert f"is {cell['found']!r} in the row {second}, where {cell['clean']!r} is right" in by_id.stdout


def test_a_wrong_file_is_explained_by_its_id(broken: Path) -> None:
    """The id of a file's label has no row to print: one sentence says what is wrong with the file."""
    name, column = (_labels(broken, kind)[0]["found"] for kind in ("renamed_column", "extra_column"))
    for text, sentence in (
        ("persons.last_name!renamed_column", f"the column of persons.last_name is called {name!r} there"),
        ("vehicles!extra_column", f"vehicles has a column {column!r} there, which the schema doesn't have"),
        ("profiles!truncated_file", "the file of profiles ends in the middle of its last row"),
    ):
        result = run("reproduce", text, "--defects", broken)
        kind = text.partition("!")[2]
        assert (0, f"{text} ({kind}): {sentence}\n") == (result.exit_code, result.stdout)
        document = json.loads(run("reproduce", text, "--defects", broken, "--json").stdout)
        assert [text] == [each["defect_id"] for each in document["records"][0]["defects"]]
    assert run("reproduce", "persons!truncated_file", "--defects", broken).exit_code == 1


def test_file_defects_are_checked_without_writing_anything(broken: Path) -> None:
    """A file's defect has no measure, one label, and the name that its column has."""
    name = _labels(broken, "renamed_column")[0]["found"]
    lines = [line.split() for line in run("check-defects", broken, "--records", 20).stdout.splitlines()]
    assert [
        "persons.last_name!renamed_column",
        "of",
        "a",
        "file",
        "1",
        "a",
        "column",
        *repr(name).split(),
    ] in lines
    assert ["profiles!truncated_file", "of", "a", "file", "1", "the", "files", "of", "profiles"] in lines


def test_a_snapshot_of_broken_files_is_verified_and_compared(broken: Path, tmp_path: Path) -> None:
    """`verify-snapshot` proves files that no reader reads, and `diff-snapshots` names the defects as the cause."""
    assert run("verify-snapshot", broken).exit_code == 0
    assert "no-regenerate asks" in run("verify-snapshot", broken, "--no-regenerate").stdout
    run("generate-snapshot", "--output-dir", tmp_path / "clean", "--records", 20)
    assert "cause       defects" in run("diff-snapshots", tmp_path / "clean", broken).stdout


def test_a_list_is_checked_without_writing_anything(listed: Path, tmp_path: Path) -> None:
    """Each defect has a line with its measure, its labels in so many records and the first of them, as a snapshot has them."""
    result = run("check-defects", listed, "--records", 50, "--seed", 3)
    assert result.exit_code == 0
    head, _, _, typo, missing = result.stdout.splitlines()
    assert head == "2 defects of v0.1, in 50 records of seed 3"
    assert typo.split()[:4] == ["persons.last_name!typo", "exactly", "2", "2"]
    document = json.loads(run("check-defects", listed, "--records", 50, "--seed", 3, "--json").stdout)
    run(
        *("generate-snapshot", "--defects", listed, "--output-dir", tmp_path / "dirty"),
        *("--records", 50, "--seed", 3, "--output-format", "ndjson"),
    )
    labels = list(map(json.loads, (tmp_path / "dirty/defects_v0_1.ndjson").read_text("utf-8").splitlines()))
    for each in document["defects"]:
        own = [label for label in labels if label["defect_id"].startswith(f"{each['key']}#")]
        assert each["labels"] == len(own)
        found = next((label for label in own if label["found"] is not None), own[0])
        assert each["first"] == {name: found[name] for name in each["first"]}
    assert document["defects"][1]["first"]["found"] is None
    assert "null instead of" in missing


def test_a_list_with_faults_is_refused_with_all_of_them(listed: Path) -> None:
    """Every fault has a line, or an entry of the document, and more places than there are is one too."""
    listed.write_text(DEFECTS.replace("persons", "perzons").replace("make", "mke"), encoding="utf-8")
    result = run("check-defects", listed)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 2
    faults = json.loads(run("check-defects", listed, "--json").stdout)["faults"]
    assert [fault["path"] for fault in faults] == ["defects[0].table", "defects[1].field"]
    listed.write_text(DEFECTS, encoding="utf-8")
    assert "for exactly 2 rows, and there are only 1" in run("check-defects", listed, "--records", 1).stderr
    assert "give FILE, or --schema" in run("check-defects").stderr
    assert "takes no FILE, such as" in run("check-defects", listed, "--schema").stderr


def test_the_schema_admits_what_the_reader_admits(listed: Path) -> None:
    """The JSON Schema takes both forms of a list, and refuses what no list can be."""
    schema = json.loads(run("check-defects", "--schema").stdout)
    validator = Draft202012Validator(schema)
    content = read_yaml_file(listed).content
    validator.validate(content)
    validator.validate(content["defects"])
    near = {"kind": "near_duplicate", "table": "persons", "rate": "1%", "edits": [1, 2]}
    validator.validate([near])
    for wrong in ({**near, "edits": 0}, {**near, "field": "city"}, {**near, "kind": "typo"}, "typo"):
        assert not validator.is_valid([wrong])


def test_a_list_can_stand_in_the_command(listed: Path, tmp_path: Path) -> None:
    """A list in brackets is taken as one in a file is, and gives the same snapshot."""
    inline = (
        "[{kind: typo, table: persons, field: last_name, exactly: 2}, "
        "{kind: missing, table: vehicles, field: make, exactly: 1}]"
    )
    for name, defects in (("one", str(listed)), ("two", inline)):
        run("generate-snapshot", "--defects", defects, "--output-dir", tmp_path / name, "--records", 20)
    files = [
        {each.name: each.read_bytes() for each in (tmp_path / name).iterdir()} for name in ("one", "two")
    ]
    assert files[0].keys() == files[1].keys()
    assert [] == [
        name for name in files[0] if name.endswith((".csv", ".ndjson")) and files[0][name] != files[1][name]
    ]


@pytest.mark.parametrize(
    ("inline", "sentence"),
    [
        ("[{kind: typos, table: persons}]", "there is no kind of defect 'typos'; did you mean 'typo'?"),
        ("[{kind: typo, table: persons, field: last_name}]", "a defect has `rate`, such as 1%, or `exactly`"),
        ("[{kind: typo", "--defects, line 1"),
        ("[" + "x" * 5000, "--defects, line 1"),
    ],
)
def test_a_wrong_list_in_a_command_is_refused(inline: str, sentence: str) -> None:
    """What is wrong with a list in brackets is said as of a file, which `--defects` stands for."""
    result = run("reproduce", encode_id(DEFAULT_SEED, "person", 3), "--defects", inline)
    assert 2 == result.exit_code
    assert sentence in result.stderr


def test_a_near_duplicate_is_explained_by_the_ids_of_both_rows() -> None:
    """The id of the first row and that of the second lead to the first, and say what differs."""
    inline = "[{kind: near_duplicate, table: persons, exactly: 5, fields: [last_name], edits: 1}]"
    first = encode_id(DEFAULT_SEED, "person", 3)
    second = encode_id(DEFAULT_SEED, "person", DEFAULT_DATASET.max_records - 4)
    for each in (first, second):
        result = run("reproduce", each, "--defects", inline)
        assert result.stdout.startswith(f"{first} is person 3 of seed")
        assert f"a second row, {second}, follows" in result.stdout
