"""A load may be killed at any moment: the database holds the earlier load, whole, or the later one, and takes the next.

`just torture` kills at twenty times as many moments.
"""

import os
import random
import signal
import subprocess
import sys

import pytest
import striking
from databases import Database
from esdh_load import verify_database
from striking import EARLIER, LATER

KILLS = -(-int(os.environ.get("ESDH_KILLS", "5")) // 5)  # of each sort, in each database


def _strike(database: Database, what: str, limit: float = 0) -> subprocess.CompletedProcess[str]:
    """Run the later load in a process of its own that is killed at a step, or after some seconds of the processor."""
    command = [sys.executable, striking.__file__, database.uri, str(LATER), what, str(limit)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _hold(database: Database) -> int:
    """Hold that the database has one load, whole and nothing beside it; return its seed."""
    outcome = verify_database(database.uri, exact=True)
    assert [] == [check for check in outcome.checks if check.status != "passed"]
    return outcome.seed


@pytest.mark.parametrize("what", ["step", "time"])
def test_killed_load_leaves_no_half(database: Database, what: str) -> None:
    """Killed before any statement, batch or commit, or at any time, a load that replaces another is there or isn't."""
    striking.replace(database, EARLIER)
    counted = _strike(database, "count")
    assert 0 == counted.returncode, counted.stderr
    steps, seconds = counted.stdout.split()
    drawn = random.Random(f"{database.kind} {what} {KILLS}")
    for number in range(KILLS):
        striking.replace(database, EARLIER)
        limit = drawn.randrange(int(steps)) if what == "step" else drawn.uniform(0, float(seconds))
        result = _strike(database, what, int(steps) - 1 if what == "step" and number == 0 else limit)
        if what == "step":  # the last of which is the commit
            assert (-signal.SIGKILL, "") == (result.returncode, result.stdout), result.stderr
            assert EARLIER == _hold(database)
        else:
            assert result.returncode in (-signal.SIGPROF, 0), result.stderr
            assert _hold(database) in ((EARLIER, LATER) if result.returncode else (LATER,))
    striking.replace(database, LATER)
    assert LATER == _hold(database)


def test_killed_first_load_leaves_nothing(database: Database) -> None:
    """A first load that is killed before its commit leaves no table, and the next one is as if it hadn't been."""
    result = _strike(database, "step", 7)
    assert -signal.SIGKILL == result.returncode, result.stderr
    query = {
        "postgresql": "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
        "sqlite": "SELECT count(*) FROM sqlite_schema",
        "duckdb": "SELECT count(*) FROM duckdb_tables()",
    }
    assert "0" == str(database.query(query[database.kind])[0][0])
    striking.replace(database, LATER)
    assert LATER == _hold(database)
