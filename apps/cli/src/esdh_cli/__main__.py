"""`python -m esdh_cli` is `esdh`."""

from esdh_cli.main import main

main(prog_name="esdh")
