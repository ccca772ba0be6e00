"""`python -m esdh_demo` and `esdh-demo`."""

from esdh_demo.command import main

if __name__ == "__main__":
    main(prog_name="esdh-demo")
