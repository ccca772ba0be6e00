"""`python -m esdh_demo` and `esdh-demo`."""

from esdh_console import reliable_streams

from esdh_demo.command import main

__all__ = ["run"]


def run() -> None:
    """Run the command."""
    with reliable_streams("the work before it was done"):
        main(prog_name="esdh-demo")


if __name__ == "__main__":
    run()
