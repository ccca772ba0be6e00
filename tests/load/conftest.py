"""A PostgreSQL for the tests of a process, and an empty database of each kind."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import EVERY_KIND, Database, PostgreSQL, empty_database, postgresql


@pytest.fixture(autouse=True)
def no_connection_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the user's own tells PostgreSQL's clients where to connect, as whom or with which password."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "no.pgpass"))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "no.pg_service.conf"))


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    """A PostgreSQL of this process: a test that uses it is marked NEEDS_POSTGRESQL."""
    with postgresql() as running:
        yield running


@pytest.fixture(params=EVERY_KIND)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database, of each kind in turn."""
    server = request.getfixturevalue("server") if request.param == "postgresql" else None
    with empty_database(request.param, tmp_path, server) as empty:
        yield empty


@pytest.fixture
def postgres(server: PostgreSQL, tmp_path: Path) -> Iterator[Database]:
    """An empty database of the tests' PostgreSQL: a test that uses it is marked NEEDS_POSTGRESQL."""
    with empty_database("postgresql", tmp_path, server) as empty:
        yield empty
