"""The examples of docs/DATABASES.md: its files are written, and its commands print what it shows, in all three databases."""

from pathlib import Path

import pytest
from databases import NEEDS_POSTGRESQL, Database
from guides import BLOCK, follow

_PAGE = Path(__file__).parents[2] / "docs" / "DATABASES.md"
_SERVER = "postgresql://qa@localhost/qa"


def _sessions() -> list[tuple[str, str, str]]:
    blocks: list[tuple[str, str, str]] = BLOCK.findall(_PAGE.read_text(encoding="utf-8"))
    return blocks


def test_files_and_commands(tmp_path: Path) -> None:
    """Every file of the page can be written, and every command after it prints what the page shows."""
    (tmp_path / "pytest.ini").touch()
    commands = 0
    for kind, name, text in _sessions():
        if kind == "python":
            (tmp_path / name).write_text(text, encoding="utf-8")
        elif kind == "console" and _SERVER not in text:
            follow(text, tmp_path)
            commands += text.count("$ ")
    assert 11 == commands


@NEEDS_POSTGRESQL
def test_commands_for_postgresql(postgres: Database, tmp_path: Path) -> None:
    """The commands for PostgreSQL do what the page says, against a real server."""
    (session,) = (text for kind, _, text in _sessions() if kind == "console" and _SERVER in text)
    follow(session, tmp_path, {_SERVER: postgres.uri})


def test_step_of_ci_takes_the_uri_from_the_environment(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of the page's CI job need no argument beside ESDH_DATABASE_URI."""
    (job,) = (text for kind, _, text in _sessions() if kind == "yaml")
    monkeypatch.setenv("ESDH_DATABASE_URI", database.uri)
    commands = [line.partition("run: ")[2] for line in job.splitlines() if "run: esdh" in line]
    assert 2 == len(commands)
    follow("".join(f"$ {each.replace('10000', '50')}\n" for each in commands), tmp_path)
