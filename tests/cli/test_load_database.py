"""esdh load-database and show-plan --format sql: options, what is printed and logged, and what is refused."""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from esdh_cli.main import main
from esdh_load.ddl import DIALECTS
from esdh_plan import load_plan


def run(*args: object, env: dict[str, str] | None = None) -> Result:
    """Run esdh in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args], catch_exceptions=False, env=env)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A SQLite database that isn't there yet."""
    return f"sqlite:///{tmp_path / 'qa.db'}"


def test_load_is_printed_and_leads_on(uri: str) -> None:
    """The summary says where, which load, seed, rows and digests, and the command that proves it passes."""
    loaded = run("load-database", uri, "--plan", "bank", "--records", 20, "--seed", 3)
    assert (0, f"Loaded load 1 into {uri}") == (loaded.exit_code, loaded.stdout.splitlines()[0])
    assert "  seed     3" in loaded.stdout.splitlines()
    assert f"To verify: esdh verify-database {uri}" == loaded.stdout.splitlines()[-1]
    assert 0 == run("verify-database", uri).exit_code


def test_json_is_one_document(uri: str) -> None:
    """--json prints one document with the load, its rows and its digests; --quiet only the seed."""
    document = json.loads(run("load-database", uri, "--json").stdout)
    assert (uri, 1, 20240601, 200, None, []) == tuple(
        document[name] for name in ("database", "load", "seed", "records", "replaced", "others")
    )
    assert document["rows"].keys() == document["content"].keys()
    assert "seed 20240601\n" == run("load-database", uri, "--replace", "--quiet").stdout


def test_snapshot_is_loaded(uri: str, tmp_path: Path) -> None:
    """A snapshot goes in with the digests of its manifest, and its seed and records."""
    out = tmp_path / "out"
    written = json.loads(
        run(
            "generate-snapshot", "--output-dir", out, "--plan", "shop", "--records", 9, "--seed", 4, "--json"
        ).stdout
    )
    loaded = json.loads(run("load-database", uri, "--snapshot", out, "--json").stdout)
    assert (written["content"], 4, 9) == (loaded["content"], loaded["seed"], loaded["records"])


def test_some_entities(uri: str) -> None:
    """--entity-filter takes several names, after one flag or with commas, and makes no other table."""
    loaded = run(
        "load-database",
        uri,
        "--plan",
        "bank",
        "--records",
        5,
        "--json",
        "--entity-filter",
        "accounts",
        "customers",
    )
    assert ["customers", "accounts"] == json.loads(loaded.stdout)["created"]
    near = run("load-database", uri, "--plan", "bank", "--entity-filter", "custmers")
    assert (2, "did you mean 'customers'?" in near.stderr) == (near.exit_code, True)


def test_uri_from_the_environment(uri: str) -> None:
    """The URI may stand in the environment, where no list of processes shows it."""
    assert 0 == run("load-database", "--quiet", env={"ESDH_DATABASE_URI": uri}).exit_code
    assert Path(uri.removeprefix("sqlite:///")).exists()


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--snapshot", "out", "--seed", "4"], 2, "--snapshot says itself what it holds; leave out --seed 4"),
        (["--load", "2"], 2, "--load 2 says which load --replace takes the place of; give both"),
        (["--records", "0"], 2, "'0' is not an integer from 1"),
        (["--plan", "nosuch"], 2, "no plan of this name ships"),
        (["--snapshot", "nosuch"], 1, "'nosuch' is no folder; name the folder of a snapshot"),
        (["--db-schema", "qa"], 1, "has no schemas; leave out --db-schema qa"),
    ],
)
def test_wrong_request_is_one_sentence(uri: str, arguments: list[str], status: int, sentence: str) -> None:
    """What can't be is refused in one sentence, and no database is made."""
    refused = run("load-database", uri, *arguments)
    assert (status, "") == (refused.exit_code, refused.stdout)
    assert sentence in refused.stderr
    assert not Path(uri.removeprefix("sqlite:///")).exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["load-database", "postgresql://qa:secret@127.0.0.1:1/qa"],
        ["load-database", "mysql://qa:secret@127.0.0.1:1/qa"],
        ["load-database", "sqlite:///a.db", "postgresql://qa:secret@127.0.0.1:1/qa"],
        ["postgresql://qa:secret@127.0.0.1:1/qa"],
        ["load-database", "sqlite:///a.db", "--snapshot", "postgresql://qa:secret@127.0.0.1:1/qa"],
        ["load-database", "sqlite://qa:secret@a.db"],
        ["verify-database", "postgresql://127.0.0.1:1/qa?password=secret"],
    ],
)
def test_password_is_never_echoed(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No message and no line of the audit log has a password of a URI, wherever on the command line it stands."""
    monkeypatch.chdir(tmp_path)
    log = [] if len(arguments) == 1 else ["--audit-log", "audit.jsonl"]
    refused = run(*arguments, *log)
    assert 0 != refused.exit_code
    assert "secret" not in refused.output
    written = tmp_path / "audit.jsonl"
    assert not written.exists() or "secret" not in written.read_text(encoding="utf-8")


def test_audit_log_says_what_was_loaded(uri: str, tmp_path: Path) -> None:
    """A load leaves a line with its database, plan, seed and digests; a refused one a line with the reason."""
    log = tmp_path / "audit.jsonl"
    loaded = json.loads(run("load-database", uri, "--json", "--audit-log", log).stdout)
    run("load-database", uri, "--audit-log", log)
    first, second = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    (identity,) = first["snapshots"]
    assert ("load-database", "written", uri, loaded["content"]) == (
        first["action"],
        first["outcome"],
        identity["folder"],
        identity["content"],
    )
    assert ("refused", True) == (second["outcome"], "holds this already" in second["detail"])
    assert (20240601, 200) == (second["snapshots"][0]["seed"], second["snapshots"][0]["records"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_ddl_is_printed(dialect: str) -> None:
    """show-plan --format sql prints a dataset's tables in each dialect that is offered."""
    printed = run("show-plan", "--plan", "bank", "--format", "sql", "--dialect", dialect)
    assert len(load_plan("bank").tables) == printed.stdout.count("CREATE TABLE")


def test_ddl_is_taken_as_it_is_printed() -> None:
    """What is printed for SQLite makes the tables in SQLite."""
    printed = run("show-plan", "--format", "sql", "--dialect", "sqlite").stdout
    connection = sqlite3.connect(":memory:")
    connection.executescript(printed)
    assert 3 == connection.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table'").fetchone()[0]
    connection.close()


def test_dialect_is_of_sql() -> None:
    """--dialect without --format sql is wrong usage; sql without it is PostgreSQL's."""
    assert "--dialect mysql is of --format sql" in run("show-plan", "--dialect", "mysql").stderr
    assert '"person_id" text NOT NULL' in run("show-plan", "--format", "sql").stdout
