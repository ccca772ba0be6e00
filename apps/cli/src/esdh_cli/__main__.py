"""The esdh command as a process of its own: `esdh`, or `python -m esdh_cli`."""

import atexit
import gc

from esdh_cli.main import main

__all__ = ["run"]


def run() -> None:
    """Run the command."""
    atexit.register(gc.freeze)  # or Python goes through all objects once more, to no end, before it exits
    main(prog_name="esdh")


if __name__ == "__main__":
    run()
