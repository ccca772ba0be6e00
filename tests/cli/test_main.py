"""The command as a process: what it sets of its own process, and that importing it sets nothing."""

import os
import subprocess
import sys

import pyarrow as pa
import pytest

VARIABLE = "ARROW_DEFAULT_MEMORY_POOL"
# Runs `esdh --version` on a machine of some kind and tells the variable; the command ends by SystemExit.
ON_MACHINE = """
import os, sys
machine = sys.argv[1]
os.uname = lambda: os.uname_result(("Linux", "host", "release", "version", machine))
from esdh_cli.__main__ import run
sys.argv[1:] = ["--version"]
try:
    run()
except SystemExit:
    print(os.environ.get("ARROW_DEFAULT_MEMORY_POOL"))
"""


def python(code: str, *args: str, **variables: str) -> list[str]:
    """Return the lines that Python prints of a program, in an environment without Arrow's variable."""
    own = {name: value for name, value in os.environ.items() if name != VARIABLE}
    command = [sys.executable, "-c", code, *args]
    done = subprocess.run(command, env=own | variables, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


def test_importing_sets_nothing() -> None:
    """A program that imports the command keeps its environment and its garbage collection."""
    code = (
        "import gc, os; before = gc.get_threshold(), dict(os.environ); import esdh_cli.__main__, esdh_cli.main; "
        "print(before == (gc.get_threshold(), dict(os.environ)))"
    )
    assert ["True"] == python(code)


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is chosen on Linux alone")
@pytest.mark.parametrize(("machine", "chosen"), [("x86_64", "jemalloc"), ("aarch64", "None")])
def test_allocator_by_machine(machine: str, chosen: str) -> None:
    """Arrow is told to use jemalloc on x86-64, and left alone on Arm, where it is built without."""
    assert chosen == python(ON_MACHINE, machine)[-1]


def test_allocator_that_the_user_chose() -> None:
    """An allocator that the environment names already stays."""
    assert "system" == python(ON_MACHINE, "x86_64", **{VARIABLE: "system"})[-1]


def test_arrow_has_the_allocator() -> None:
    """What the command chooses on this machine is one that Arrow is built with here, so Arrow prints no warning."""
    machine = os.uname().machine if hasattr(os, "uname") else ""
    chosen = python(ON_MACHINE, machine)[-1]
    assert chosen == "None" or chosen in pa.supported_memory_backends()
