"""esdh verify-database and esdh unload-database: what they print, and how they exit."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from esdh_cli.main import main


def run(*args: object) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A SQLite file that holds a load."""
    uri = f"sqlite:///{tmp_path / 'test.db'}"
    assert 0 == run("load-database", uri, "--plan", "bank", "--records", 20, "--seed", 7).exit_code
    return uri


def _change(uri: str, statement: str) -> None:
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(statement)


def test_whole_load_passes(uri: str) -> None:
    """Every check of a load that nobody touched passes, with exit status 0."""
    result = run("verify-database", uri)
    assert 0 == result.exit_code
    lines = result.stdout.splitlines()
    assert ["load", "schema", "rows", "missing", "foreign", "digests"] == [
        line.split()[0] for line in lines[:6]
    ]
    assert {"passed"} == {line.split()[1] for line in lines[:6]}
    assert "verdict     passed" == lines[-1]


def test_failed_check_is_printed(uri: str) -> None:
    """With --quiet what failed is all that is printed, with its row and field, and the exit status is 1."""
    _change(
        uri,
        "UPDATE accounts SET type = 'loan' WHERE rowid = (SELECT min(rowid) FROM accounts WHERE type <> 'loan')",
    )
    result = run("verify-database", uri, "--quiet")
    assert 1 == result.exit_code
    assert ["rows", "digests"] == [line.split()[0] for line in result.stdout.splitlines() if line[0] != " "]
    assert ", type: found loan; expected " in result.stdout


def test_json_is_one_document(uri: str) -> None:
    """--json prints one document, of a load that passes and of one that doesn't."""
    passed = json.loads(run("verify-database", uri, "--json").stdout)
    assert ("passed", "bank v1", 7, 20, 1) == tuple(
        passed[name] for name in ("verdict", "dataset_version", "seed", "records", "load")
    )
    _change(uri, "DELETE FROM merchants WHERE merchant_id = 3")
    result = run("verify-database", uri, "--json")
    failed = {
        each["name"]: each for each in json.loads(result.stdout)["checks"] if each["status"] == "failed"
    }
    assert 1 == result.exit_code
    assert {"table": "merchants", "key": {"merchant_id": "3"}, "record": None, "found": None} == {
        name: failed["missing"]["first"][name] for name in ("table", "key", "record", "found")
    }


def test_attached_row_stops_the_removal(uri: str) -> None:
    """A row of others that refers to the load's is named with exit status 1, and goes with --cascade."""
    _change(
        uri,
        "CREATE TABLE visits (visit INTEGER PRIMARY KEY, shop INTEGER REFERENCES merchants (merchant_id))",
    )
    _change(uri, "INSERT INTO visits VALUES (1, 3)")
    result = run("unload-database", uri)
    assert (1, True) == (
        result.exit_code,
        "1 of visits (visit 1, shop 3); nothing was removed" in result.stderr,
    )
    assert 0 == run("verify-database", uri, "--quiet").exit_code
    result = run("unload-database", uri, "--cascade", "--json")
    removed = json.loads(result.stdout)
    assert (0, {"visits": 1}, 500) == (result.exit_code, removed["attached"], removed["rows"]["merchants"])
    assert "has no load of esdh's" in run("verify-database", uri).stderr


def test_audit_log_has_every_run(uri: str, tmp_path: Path) -> None:
    """Each run appends a line: what was done to which database, and what came of it."""
    log = tmp_path / "audit.jsonl"
    run("verify-database", uri, "--audit-log", log)
    run("verify-database", uri, "--load", 5, "--audit-log", log)
    run("unload-database", uri, "--audit-log", log)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [
        ("verify-database", "passed"),
        ("verify-database", "refused"),
        ("unload-database", "removed"),
    ] == [(line["action"], line["outcome"]) for line in lines]
    assert {uri} == {line["snapshots"][0]["folder"] for line in lines}
    assert 0 == run("verify-audit", log).exit_code


@pytest.mark.parametrize("command", ["verify-database", "unload-database"])
def test_wrong_request_is_one_sentence(command: str, tmp_path: Path) -> None:
    """A URI of another kind, and a file that isn't there, are refused in a sentence; no file is made."""
    result = run(command, "mysql://qa:secret@localhost/qa")
    assert (1, False) == (result.exit_code, "secret" in result.output)
    assert "postgresql://" in result.stderr
    result = run(command, f"sqlite:///{tmp_path / 'nothing.db'}")
    assert (1, False) == (result.exit_code, (tmp_path / "nothing.db").exists())
    assert "isn't there" in result.stderr
