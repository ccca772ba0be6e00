"""Run the whole suite five times, each in another random order, beside a load on every core; arguments go to pytest.

Prints each run's seed, and the command that repeats its order. The exit status is 1 if any run was red.
"""

import os
import random
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

RUNS = 5
# Burns a core for as long as its parent, which is `just steady`, lives: not even a killed one leaves it behind.
BURN = """
import os, sys
core, parent = map(int, sys.argv[1:])
os.sched_setaffinity(0, {core})
while os.getppid() == parent:
    pass
"""


@contextmanager
def load() -> Iterator[int]:
    """Burn every core that this process may use until the block ends; yields how many."""
    command = [sys.executable, "-c", BURN]
    burning = [
        subprocess.Popen([*command, str(core), str(os.getpid())]) for core in sorted(os.sched_getaffinity(0))
    ]
    try:
        yield len(burning)
    finally:
        for each in burning:
            each.kill()
            each.wait()


def main() -> int:
    """Run; return the exit status."""
    red = []
    for number in range(1, RUNS + 1):
        # Order alone: what a test draws is its own matter, so the generators are not seeded again.
        order = ["-p", "randomly", f"--randomly-seed={random.getrandbits(32)}", "--randomly-dont-reset-seed"]
        command = ["just", "test", *order, *sys.argv[1:]]
        with load() as cores:
            print(f"Run {number} of {RUNS} beside a load on {cores} cores: {shlex.join(command)}", flush=True)
            if subprocess.run(command, check=False).returncode:
                red.append(shlex.join(command))
    print("\n".join([f"{RUNS - len(red)} of {RUNS} runs are green", *(f"Red: {each}" for each in red)]))
    return bool(red)


if __name__ == "__main__":
    raise SystemExit(main())
