"""A server that isn't there or says no is told in one sentence without a password, and its database is as it was."""

import socket
from collections.abc import Callable, Iterator

import pytest
from databases import NEEDS_POSTGRESQL, PASSWORD, Database, PostgreSQL
from esdh_load import DatabaseError, unload_database, verify_database
from loads import load

pytestmark = NEEDS_POSTGRESQL


class _Elsewhere:
    """A database by another URI than its own."""

    kind = "postgresql"

    def __init__(self, uri: str, database: Database) -> None:
        self.uri = uri
        self.query = database.query


_COMMANDS: dict[str, Callable[[_Elsewhere], object]] = {
    "load": lambda database: load(database, "people", records=5),
    "verify": lambda database: verify_database(database.uri),
    "unload": lambda database: unload_database(database.uri),
}


def _refusal(command: str, uri: str, database: Database) -> str:
    """Return what a command says of a database that it can't work with; no password may stand in it."""
    with pytest.raises(DatabaseError) as error:
        _COMMANDS[command](_Elsewhere(uri, database))
    text = str(error.value)
    assert PASSWORD not in text
    assert "\n" not in text
    return text


@pytest.fixture
def role(postgres: Database) -> Iterator[str]:
    """A role that may log in and no more, with the password `r0le-s3cret`."""
    name = f"role_{postgres.uri.rpartition('_')[2]}"
    postgres.query(f"CREATE ROLE {name} LOGIN PASSWORD 'r0le-s3cret'; SELECT 1")
    yield name
    postgres.query(f"DROP OWNED BY {name}; DROP ROLE {name}; SELECT 1")


@pytest.mark.parametrize("command", _COMMANDS)
def test_server_that_is_not_there(command: str, postgres: Database) -> None:
    """A port on which nobody listens is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    said = _refusal(command, f"postgresql://qa:{'s3cret'}@127.0.0.1:{port}/qa", postgres)
    assert f"postgresql://qa:***@127.0.0.1:{port}/qa" in said
    assert "refused" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("command", _COMMANDS)
def test_password_that_is_refused(command: str, postgres: Database, server: PostgreSQL) -> None:
    """A wrong password is said to be wrong, and isn't repeated."""
    name = postgres.uri.rpartition("/")[2]
    said = _refusal(command, server.uri(name, password="not-this-one"), postgres)
    assert "password authentication failed" in said
    assert "not-this-one" not in said


@pytest.mark.parametrize("command", _COMMANDS)
def test_database_that_is_not_there(command: str, postgres: Database, server: PostgreSQL) -> None:
    """A database that the server doesn't have is named."""
    assert 'database "nowhere" does not exist' in _refusal(command, server.uri("nowhere"), postgres)


def test_role_without_the_right_to_create(postgres: Database, server: PostgreSQL, role: str) -> None:
    """A role that may create no table is told so, and nothing is left of the try."""
    name = postgres.uri.rpartition("/")[2]
    said = _refusal("load", server.uri(name, user=role, password="r0le-s3cret"), postgres)
    assert "permission denied for schema public" in said
    assert [("0",)] == postgres.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")


@pytest.mark.parametrize("command", ["load", "unload"])
def test_server_that_is_read_only(command: str, postgres: Database, server: PostgreSQL, role: str) -> None:
    """Where every transaction is read-only, as on a standby, what writes is refused, and the load stays whole."""
    load(postgres, "shop", records=5)
    name = postgres.uri.rpartition("/")[2]
    postgres.query(
        f"GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};"
        f" ALTER ROLE {role} SET default_transaction_read_only = on; SELECT 1"
    )
    assert "read-only" in _refusal(command, server.uri(name, user=role, password="r0le-s3cret"), postgres)
    assert "passed" == verify_database(postgres.uri, exact=True).verdict


def test_role_without_the_right_to_delete(postgres: Database, server: PostgreSQL, role: str) -> None:
    """A role that may only read removes nothing, and is told what it lacks."""
    load(postgres, "people", records=5)
    postgres.query(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; SELECT 1")
    name = postgres.uri.rpartition("/")[2]
    assert "permission denied" in _refusal(
        "unload", server.uri(name, user=role, password="r0le-s3cret"), postgres
    )
    assert "passed" == verify_database(postgres.uri, exact=True).verdict


def test_connection_that_is_lost(
    postgres: Database, server: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load whose connection is lost before its commit is told, and the database is as it was."""
    from esdh_load.databases.postgresql import PostgreSQL as Connection

    def cut(self: Connection) -> None:
        name = postgres.uri.rpartition("/")[2]
        server.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        self.connection.commit()

    monkeypatch.setattr(Connection, "commit", cut)
    said = _refusal("load", postgres.uri, postgres)
    assert "terminat" in said or "closed" in said or "lost" in said
    assert [("0",)] == postgres.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
