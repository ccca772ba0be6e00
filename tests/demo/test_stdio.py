"""esdh-demo with standard streams that are closed or full."""

import subprocess
import sys
from pathlib import Path

from esdh_demo.paths import Paths

DEMO = (sys.executable, "-m", "esdh_demo")


def test_errands_work_without_streams(paths: Paths) -> None:
    """An errand is done whichever streams are closed."""
    for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"):
        line = f'"$@" {closed}'
        done = subprocess.run(
            ["/bin/sh", "-c", line, "sh", *DEMO, "--root", str(paths.root), "list"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (0, "") == (done.returncode, done.stderr), closed


def test_output_that_can_not_be_printed_is_reported(paths: Paths) -> None:
    """Where stdout takes nothing one sentence says so, with exit status 1."""
    for args in (["--help"], ["--root", str(paths.root), "list"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run([*DEMO, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert (1, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
        assert "the output could not be printed (No space left on device)" in done.stderr
