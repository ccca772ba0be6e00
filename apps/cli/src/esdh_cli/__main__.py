"""The esdh command as a process of its own: `esdh`, or `python -m esdh_cli`."""

import atexit
import gc
import os
import sys

from esdh_console import reliable_streams

__all__ = ["run"]


def run() -> None:
    """Run the command in this process, which is the command's own: it is set up for that first."""
    # Imports make some hundred thousand objects and hardly a cycle, yet have Python look for cycles a hundred and
    # fifty times: a twentieth of what a small snapshot takes. To look after as many new objects again is often
    # enough for what a command leaves behind.
    gc.set_threshold(500_000)
    atexit.register(gc.freeze)  # or Python goes through all objects once more, to no end, before it exits
    _choose_allocator()
    with reliable_streams("the work before it was done"):
        from esdh_cli.main import main

        try:
            main(prog_name="esdh")
        except SystemExit as leaving:
            remote = sys.modules.get("esdh_export.storage.object_store")
            # A call to an object store that was given up would hold up the end until it fails, minutes later.
            if remote is not None and remote.asking() and isinstance(leaving.code, int):
                sys.stdout.flush()
                os._exit(leaving.code)
            raise


def _choose_allocator() -> None:
    """Have Arrow take its memory from jemalloc, where its builds have that: not on Arm, where each run would warn.

    Of Arrow's allocators the one that costs a large Parquet snapshot least, in time and in memory
    (docs/PERFORMANCE.md). Arrow reads the variable when it is imported, here and in the workers.
    """
    if sys.platform == "linux" and os.uname().machine == "x86_64":
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")


if __name__ == "__main__":
    run()
