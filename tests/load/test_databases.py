"""The databases that tests use are there, are empty, and end with the process that started them."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from databases import NEEDS_POSTGRESQL, Database, PostgreSQL

_TABLES = "SELECT count(*) FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
_PATIENCE = 30  # seconds: nobody waits so long unless the server stays
_START = """
import os, signal
from databases import postgresql
with postgresql() as server:
    print(server.process.pid, server.folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_database_is_empty_and_takes_rows(database: Database) -> None:
    """A database of each kind starts without tables and takes a row of any text."""
    count = "SELECT count(*) FROM sqlite_master" if database.kind == "sqlite" else _TABLES
    assert "0" == str(database.query(count)[0][0])
    created = database.query(
        "CREATE TABLE t (a TEXT, b TEXT); INSERT INTO t VALUES ('x;\u00fc\U0001f600', NULL); SELECT * FROM t;"
    )
    assert [("x;\u00fc\U0001f600", None)] == created


@NEEDS_POSTGRESQL
def test_server_runs_as_no_root(server: PostgreSQL) -> None:
    """PostgreSQL runs as a user that isn't root, in a folder of its own."""
    assert 0 != Path(f"/proc/{server.process.pid}").stat().st_uid
    assert [(str(server.folder / "data"),)] == server.query("SHOW data_directory")


@NEEDS_POSTGRESQL
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and Linux's signal at a parent's death")
def test_server_ends_with_its_process() -> None:
    """PostgreSQL ends when the process that started it is killed."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    result = subprocess.run(
        [sys.executable, "-c", _START], env=environment, stdout=subprocess.PIPE, check=False, text=True
    )
    assert -signal.SIGKILL == result.returncode
    pid, folder = result.stdout.split()
    with contextlib.suppress(ProcessLookupError), os.fdopen(os.pidfd_open(int(pid))) as end:
        assert [end] == select.select([end], [], [], _PATIENCE)[0]
    shutil.rmtree(folder)
