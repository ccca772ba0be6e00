"""esdh import-plan: what is printed, what is written, and how it is refused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from esdh_cli.main import main
from esdh_plan.importing.ddl import DIALECTS

DDL = "CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(20) NOT NULL); CREATE VIEW v AS SELECT 1;"


def run(*args: object) -> Result:
    """Run esdh in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args], catch_exceptions=False)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of DDL with a view."""
    path = tmp_path / "people.sql"
    path.write_text(DDL, encoding="utf-8")
    return path


def test_plan_is_printed_and_notes_stand_apart(source: Path, tmp_path: Path) -> None:
    """Without --output the plan alone is on stdout, so that it runs from there; notes are on stderr, a line each."""
    made = run("import-plan", source)
    assert 0 == made.exit_code
    assert "VIEW v was left out" in made.stderr.splitlines()
    plan = tmp_path / "plan.yaml"
    plan.write_text(made.stdout, encoding="utf-8")
    sampled = run("sample", "--plan", plan, "--records", 2)
    assert 2 == len(sampled.stdout.splitlines())


def test_output_is_the_plan_that_is_printed(source: Path, tmp_path: Path) -> None:
    """--output writes the bytes that are printed without it, and leads on."""
    made = run("import-plan", source, "--output", tmp_path / "made.yaml")
    assert (0, "") == (made.exit_code, made.stdout)
    assert f"esdh check-plan {tmp_path / 'made.yaml'}" in made.stderr
    assert run("import-plan", source).stdout == (tmp_path / "made.yaml").read_text(encoding="utf-8")


def test_json_holds_plan_and_notes(source: Path) -> None:
    """--json prints one document with the plan and the notes, and nothing on stderr."""
    made = run("import-plan", source, "--json")
    document = json.loads(made.stdout)
    assert "" == made.stderr
    assert run("import-plan", source).stdout == document["plan"]
    assert "VIEW v was left out" in document["notes"]


def test_file_that_is_there_stays(source: Path, tmp_path: Path) -> None:
    """--output replaces a file with --overwrite alone, and leaves nothing beside it."""
    path = tmp_path / "made.yaml"
    path.write_text("mine", encoding="utf-8")
    made = run("import-plan", source, "--output", path)
    assert 2 == made.exit_code
    assert f"{path} is there already; name another --output, or give --overwrite" in made.stderr
    assert "mine" == path.read_text(encoding="utf-8")
    assert 0 == run("import-plan", source, "--output", path, "--overwrite").exit_code
    assert "name: people" in path.read_text(encoding="utf-8")
    assert {source, path} == set(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--root", "peple"], "there is no table 'peple' to be the root; did you mean 'people'?"),
        (["--overwrite"], "--overwrite is of --output, which isn't given"),
    ],
)
def test_wrong_usage_is_one_sentence(source: Path, args: list[str], sentence: str) -> None:
    """What can't be done is told in one sentence, with exit status 2."""
    made = run("import-plan", source, *args)
    assert 2 == made.exit_code
    assert 1 == len(made.stderr.splitlines())
    assert sentence in made.stderr


def test_source_that_is_refused_is_named(tmp_path: Path) -> None:
    """A source that can't become a plan is named before the sentence that says why."""
    made = run("import-plan", tmp_path / "none.sql")
    assert (2, f"Error: {tmp_path / 'none.sql'}: it can't be read: No such file or directory\n") == (
        made.exit_code,
        made.stderr,
    )


def test_help_names_every_dialect() -> None:
    """The dialects of --dialect are those that the reader knows."""
    assert f"[{'|'.join(DIALECTS)}]" in run("import-plan", "--help").stdout
