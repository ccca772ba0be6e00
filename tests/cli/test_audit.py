"""Every generate, verify and diff can be logged, whatever comes of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from esdh_cli.main import main


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


def run(*args: str) -> Result:
    """Run esdh in this process, logging where it can be."""
    return CliRunner().invoke(main, args, catch_exceptions=False)


def logged() -> list[dict[str, Any]]:
    """Return the lines of the log."""
    return [json.loads(line) for line in Path("audit.jsonl").read_text().splitlines()]


LOG = ("--audit-log", "audit.jsonl", "--actor", "a steward")


def test_each_command_is_logged_with_its_outcome() -> None:
    """A line each tells who, what, which snapshot and what came of it, and the chain holds."""
    run("generate-snapshot", "--output-dir", "s", *LOG)
    run("generate-snapshot", "--output-dir", "s", *LOG)
    run("generate-snapshot", "--output-dir", "s", "--seed", "1", *LOG)
    run("verify-snapshot", "s", *LOG)
    Path("s/persons_v0_1.csv").write_text("damaged")
    run("verify-snapshot", "s", *LOG)
    run("generate-snapshot", "--output-dir", "t", "--seed", "1", *LOG)
    run("diff-snapshots", "s", "t", *LOG)
    lines = logged()
    assert ["written", "unchanged"] == [line["outcome"] for line in lines[:2]]
    assert lines[2]["outcome"].startswith("failed: output folder 's' holds another snapshot")
    assert "passed" == lines[3]["outcome"]
    assert lines[4]["outcome"].startswith("failed: files, schema, formats")
    assert ["written", "seed"] == [line["outcome"] for line in lines[5:]]
    assert {"a steward"} == {line["actor"] for line in lines}
    assert [20240601, 20240601, 1, 20240601, 20240601, 1] == [line["identity"]["seed"] for line in lines[:6]]
    assert lines[0]["content"] == lines[3]["content"]
    assert (["s", "t"], 0) == (lines[6]["folders"], run("verify-audit", "audit.jsonl").exit_code)


def test_nothing_happens_unlogged() -> None:
    """A log that can't be written stops the run before its work."""
    Path("audit.jsonl").mkdir()
    Path("file").write_text("mine")
    assert 2 == run("generate-snapshot", "--output-dir", "s", *LOG).exit_code
    result = run("generate-snapshot", "--output-dir", "s", "--audit-log", "file/audit.jsonl")
    assert (1, False) == (result.exit_code, Path("s").exists())
    assert "can't be written" in result.stderr


def test_edited_log_is_told() -> None:
    """verify-audit names the edited line and has status 1; with --json it says the same."""
    for seed in ("1", "2", "3"):
        run("generate-snapshot", "--output-dir", seed, "--seed", seed, *LOG)
    kept = logged()[-1]["hash"]
    assert f"last hash   {kept}" in run("verify-audit", "audit.jsonl").stdout
    assert "added       0 since" in run("verify-audit", "audit.jsonl", "--last-hash", kept).stdout
    text = Path("audit.jsonl").read_text()
    Path("audit.jsonl").write_text(text.replace('"seed":2', '"seed":5'))
    result = run("verify-audit", "audit.jsonl", "--json")
    document = json.loads(result.stdout)
    assert (1, "broken", 1) == (result.exit_code, document["verdict"], document["lines"])
    assert document["problem"].startswith("line 2: its content has hash")
    Path("audit.jsonl").write_text("".join(text.splitlines(keepends=True)[:2]))
    assert 1 == run("verify-audit", "audit.jsonl", "--last-hash", kept).exit_code
