"""The esdh command as a process of its own: `esdh`, or `python -m esdh_cli`."""

import atexit
import gc
import os
import sys

from esdh_cli.main import main
from esdh_cli.stdio import reliable_streams

__all__ = ["run"]


def run() -> None:
    """Run the command."""
    with reliable_streams("the work before it was done"):
        atexit.register(gc.freeze)  # or Python goes through all objects once more, to no end, before it exits
        try:
            main(prog_name="esdh")
        except SystemExit as leaving:
            remote = sys.modules.get("esdh_export.remote")
            # A call to an object store that was given up would hold up the end until it fails, minutes later.
            if remote is not None and remote.asking() and isinstance(leaving.code, int):
                sys.stdout.flush()
                os._exit(leaving.code)
            raise


if __name__ == "__main__":
    run()
