"""Databases for tests: a real PostgreSQL that the tests start, and empty databases of each kind.

PostgreSQL runs from a temporary folder, as a user that isn't root, on a Unix socket and a free port of the loopback
interface. It ends with the process that started it, also when that is killed.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import pytest

KINDS = ("postgresql", "sqlite", "duckdb")
PASSWORD = "a/pass:word@100%"  # with all that a URI must escape
_OWNER = "owner"  # the superuser of the tests' server
_DEBIAN = Path("/usr/lib/postgresql")  # where Debian's packages have the programs that stand on no PATH
_CLUSTER = ("-U", _OWNER, "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-sync")
_READY = b"database system is ready to accept connections"
_SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=50")


def _programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, the newest's if there are several, None without one."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve()] if on_path else sorted(_DEBIAN.glob("*/bin/initdb"))
    return found[-1].parent if found else None


NEEDS_POSTGRESQL = pytest.mark.skipif(
    (_programs() is None or shutil.which("setpriv") is None) and os.environ.get("CI") != "true",
    reason="needs PostgreSQL's server (Debian: postgresql) and setpriv",  # under CI nothing is skipped: it fails
)
EVERY_KIND = [
    pytest.param("postgresql", marks=NEEDS_POSTGRESQL),
    "sqlite",
    "duckdb",
]


class Database(Protocol):
    """An empty database, and a way into it that shares nothing with the code under test."""

    @property
    def kind(self) -> str:
        """The scheme of its URI."""

    @property
    def uri(self) -> str:
        """What a command is given for it."""

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Run statements and return the rows of the last: texts from PostgreSQL, values from the others."""


@dataclass(frozen=True)
class PostgreSQL:
    """A server that listens."""

    process: subprocess.Popen[bytes]
    programs: Path
    folder: Path
    port: int

    def uri(self, database: str, *, user: str = _OWNER, password: str = PASSWORD) -> str:
        """Return a database's URI, by the port, with the password in it."""
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def query(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements through psql, by the socket, and return the last one's rows as texts, null as None."""
        command = [
            str(self.programs / "psql"),
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-P",
            "null=\x03",
            "-F\x1f",
            "-R\x1e",
        ]
        result = subprocess.run(
            [*command, "-h", str(self.folder), "-p", str(self.port), "-U", _OWNER, "-d", database],
            input=statement.encode(),
            capture_output=True,
            check=False,
        )
        if result.returncode:
            raise RuntimeError(result.stderr.decode())
        text = result.stdout.decode().removesuffix("\n")
        rows = text.split("\x1e") if text else []
        return [tuple(None if cell == "\x03" else cell for cell in row.split("\x1f")) for row in rows]


@dataclass(frozen=True)
class _OnServer:
    server: PostgreSQL
    name: str
    kind: str = "postgresql"

    @property
    def uri(self) -> str:
        return self.server.uri(self.name)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.query(statement, self.name)


@dataclass(frozen=True)
class _File:
    path: Path
    kind: str

    @property
    def uri(self) -> str:
        return f"{self.kind}:///{self.path}"

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return (
            _query_sqlite(self.path, statement)
            if self.kind == "sqlite"
            else _query_duckdb(self.path, statement)
        )


def _query_sqlite(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        *first, last = _statements(statement)
        for each in first:
            connection.execute(each)
        return connection.execute(last).fetchall()


def _query_duckdb(path: Path, statement: str) -> list[tuple[Any, ...]]:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        return connection.execute(statement).fetchall()


def _statements(text: str) -> list[str]:
    """Return the statements of a text, parted where SQLite itself says that one is complete."""
    found: list[str] = []
    pending = ""
    for part in text.split(";"):
        pending += part + ";"
        if sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    return [each for each in found if each.strip(" \n;")]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _as_owner() -> list[str]:
    """Return the start of a command that runs as a user that isn't root, and is ended when its parent is."""
    command = ["setpriv", "--pdeathsig", "QUIT"]
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        command += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return command


@contextlib.contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL until the block ends, which is waited for, or this process does."""
    programs = _programs()
    assert programs is not None, "PostgreSQL's server is missing (Debian: apt-get install postgresql)"
    # Not below pytest's own temporary folder, which another user can't enter; a socket's path is short besides.
    with tempfile.TemporaryDirectory(prefix="esdh-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if os.getuid() == 0:
            for path in (folder, secret):
                shutil.chown(path, "postgres", "postgres")
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "America/St_Johns"}
        subprocess.run(
            [
                *_as_owner(),
                str(programs / "initdb"),
                "-D",
                str(folder / "data"),
                f"--pwfile={secret}",
                *_CLUSTER,
            ],
            env=environment,
            cwd=folder,
            capture_output=True,
            check=True,
        )
        port = _free_port()
        options = [f"-c{setting}" for setting in (*_SETTINGS, "listen_addresses=127.0.0.1")]
        process = subprocess.Popen(
            [
                *_as_owner(),
                programs / "postgres",
                "-D",
                folder / "data",
                "-k",
                folder,
                "-p",
                str(port),
                *options,
            ],
            env=environment,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        with process:
            try:
                _await_readiness(process)
                yield PostgreSQL(process, programs, folder, port)
            finally:
                process.send_signal(
                    signal.SIGQUIT
                )  # at once, connections or not; nothing of it is needed again


def _await_readiness(process: subprocess.Popen[bytes]) -> None:
    """Read the server's log until it is ready, and let it flow away from then on."""
    log = process.stderr
    assert log is not None
    lines = []
    for line in log:
        lines.append(line)
        if _READY in line:
            threading.Thread(target=log.read, daemon=True).start()
            return
    raise RuntimeError(b"".join(lines).decode())


@contextlib.contextmanager
def empty_database(kind: str, folder: Path, server: PostgreSQL | None) -> Iterator[Database]:
    """Give an empty database: a file in a folder, or one of a server that is removed afterwards."""
    if kind != "postgresql":
        yield _File(folder / f"test.{kind}", kind)
        return
    assert server is not None
    name = f"test_{os.urandom(8).hex()}"
    server.query(f"CREATE DATABASE {name}")
    try:
        yield _OnServer(server, name)
    finally:
        server.query(f"DROP DATABASE {name} WITH (FORCE)")
