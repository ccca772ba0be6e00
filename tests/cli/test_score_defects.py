"""esdh score-defects: what it prints, its exit statuses and its sentences."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from esdh_cli.main import main
from esdh_core import DEFAULT_DATASET
from labelling import csv_table, label, spoil, write_labels

HEADER = "table,slot,field\n"


def run(*args: str | Path) -> Result:
    """Run esdh in this process."""
    return CliRunner().invoke(main, ["score-defects", *map(str, args)], catch_exceptions=False)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot with one defect of each of nine kinds."""
    folder = tmp_path_factory.mktemp("pristine") / "dirty"
    spoil(folder, ("csv",))
    return folder


@pytest.fixture
def dirty(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(pristine, tmp_path / "dirty"))


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report of one right finding and one wrong."""
    path = tmp_path / "report.csv"
    path.write_text(HEADER + "persons,5,city\npersons,6,city\n", encoding="utf-8")
    return path


def _found(folder: Path, slot: int) -> str:
    """Return what the label of a row says that is there."""
    [label_] = [row for row in csv_table(folder, "defects") if row["slot"] == str(slot)]
    return label_["found"]


def test_score_is_printed_for_people(dirty: Path, report: Path) -> None:
    """Tables of levels, kinds and fields, what was missed with its id, and what was found where nothing is wrong."""
    result = run(dirty, "--found", report)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert 0 == result.exit_code
    assert ["cells", "7", "1", "0.143", "2", "1", "0.500", "0.222"] in lines
    assert ["kind", "labels", "found", "recall"] in lines
    assert ["blank", "(cells)", "1", "1", "1.000"] in lines
    assert ["missing_row", "(rows)", "1", "0", "0.000"] in lines
    assert ["persons.city", "1", "1", "1.000", "2", "1", "0.500", "0.667"] in lines
    born = DEFAULT_DATASET.rows("persons", records=12)[11].date_of_birth
    assert f"  persons.date_of_birth!at_11#11: '{_found(dirty, 11)}' instead of '{born}'\n" in result.stdout
    assert "  persons!at_28#28\n" in result.stdout
    assert f"{DEFAULT_DATASET.rows('persons', records=7)[6].person_id}, city  (line 3)" in result.stdout


def test_json_is_one_document(dirty: Path, report: Path) -> None:
    """`--json` prints the whole score, with ratios as numbers and null where there is none."""
    document = json.loads(run(dirty, "--found", report, "--json", "--examples", "1").stdout)
    assert 0.5 == document["cells"]["precision"]
    assert [{"file": str(report), "format": "csv", "findings": 2}] == document["reports"]
    assert {"blank": 1.0, "typo": 0.0}.items() <= {
        each["kind"]: each["recall"] for each in document["kinds"]
    }.items()
    assert ([None], 1) == (
        list({each["precision"] for each in document["kinds"]}),
        len(document["wrong"]),
    )


def test_least_ratios_decide_the_exit_status(dirty: Path, report: Path) -> None:
    """A ratio below its least is a sentence and status 1, after the score; one that isn't below is status 0."""
    assert 0 == run(dirty, "--found", report, "--min-precision", "0.5", "--min-recall", "0.1").exit_code
    result = run(dirty, "--found", report, "--min-precision", "0.6", "--min-recall", "0.9", "--json")
    assert 1 == result.exit_code
    assert "Error: precision 0.500 is below 0.600; recall 0.143 is below 0.900\n" == result.stderr
    assert 0.5 == json.loads(result.stdout)["cells"]["precision"]


def test_pairs_are_printed_for_people(dirty: Path, tmp_path: Path) -> None:
    """Of a matcher: the pairs in all, by edited cells and by score, and the score with the best F1."""
    ids = [row.person_id for row in DEFAULT_DATASET.rows("persons", records=30)]
    write_labels(dirty, [label("near_duplicate", "persons", 20, "city", cluster=ids[10])])
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(
        f"id_left,id_right,score\n{ids[10]},{ids[20]},0.9\n{ids[1]},{ids[2]},0.5\n", encoding="utf-8"
    )
    result = run(dirty, "--found", pairs)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["pairs", "1", "1", "1.000", "2", "1", "0.500", "0.667"] in lines
    assert ["1", "1", "1", "1.000"] in lines
    assert ["0.9", "1", "1", "1.000", "1", "1", "1.000", "1.000"] in lines
    assert "best F1: 1.000 from score 0.9 on" in result.stdout
    assert "persons, slots 1 and 2  (score 0.5)" in result.stdout


@pytest.mark.parametrize(
    ("text", "options", "status", "message"),
    [
        (HEADER + "persons,5,citty\n", [], 1, "did you mean 'city'"),
        (HEADER, ["--table", "person5"], 1, "--table: 'person5' is no table of the snapshot"),
        (HEADER, ["--first-row", "10"], 2, "10 is not in the range 0<=x<=9"),
        (HEADER, ["--min-recall", "95"], 2, "95.0 is not in the range 0<=x<=1"),
    ],
)
def test_mistake_is_one_sentence(
    *, dirty: Path, report: Path, text: str, options: list[str], status: int, message: str
) -> None:
    """A mistake of the user is one sentence on stderr, and no score is printed."""
    report.write_text(text, encoding="utf-8")
    result = run(dirty, "--found", report, *options)
    assert (status, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert message in result.stderr


def test_report_that_is_not_there_is_one_sentence(dirty: Path) -> None:
    """A report that isn't there, or none at all, is wrong usage."""
    result = run(dirty, "--found", dirty / "none.csv")
    assert (2, 1) == (result.exit_code, result.stderr.count("\n"))
    assert "Missing option '--found'" in run(dirty).stderr
