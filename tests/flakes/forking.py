"""A process that has the libraries of an arm imported and forks for each run, so that a run costs no imports.

It reads a line of JSON a run from its standard input: `folder`, `arguments`, `variables`, `log`; and answers each with a line:
the CPU seconds that it took. A child begins as a fresh process would: what an import draws from the system's randomness,
which is the state of the module `random` and of Faker's and Mimesis' generators of their own, is drawn anew.
"""

import gc
import importlib
import json
import os
import random
import sys
from typing import Any

import pytest

# What holds a generator that its import seeds: module and name.
GENERATORS = (("faker.generator", "random"), ("mimesis.random", "global_rnd"))


def run(request: dict[str, Any]) -> int:
    """Run pytest as a request says; return its exit status."""
    os.environ.update(request["variables"])
    os.chdir(request["folder"])
    sys.path.insert(0, request["folder"])
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    random.seed()
    for module, name in GENERATORS:
        if generator := getattr(sys.modules.get(module), name, None):
            generator.seed()
    return int(pytest.main(request["arguments"]))


def main() -> None:
    """Import what the command line names, then run what comes."""
    for name in sys.argv[1:]:
        importlib.import_module(name)
    if faker := sys.modules.get("faker"):
        faker.Faker()  # which imports its providers
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            status = 70
            try:
                status = run(json.loads(line))
            finally:
                sys.stdout.flush()
                os._exit(status)
        _, _, usage = os.wait4(child, 0)
        print(round(usage.ru_utime + usage.ru_stime, 3), flush=True)


if __name__ == "__main__":
    main()
