"""Print rows of a plan as NDJSON: `python -m oracle PLAN --records 2 [--seed S] [--table T]`, with tests on the path."""

import argparse
import json
from pathlib import Path

from oracle import Oracle


def main() -> None:
    """Print the rows that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m oracle", description="Print rows of a plan as NDJSON.")
    parser.add_argument("plan", type=Path)
    parser.add_argument("--records", type=int, default=1)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int, default=20240601)
    parser.add_argument("--table", action="append", help="this table alone; may be given again")
    parser.add_argument("--pools", type=Path, help="JSON: provider/locale/pool to the values")
    arguments = parser.parse_args()
    pools = json.loads(arguments.pools.read_text(encoding="utf-8")) if arguments.pools else {}
    oracle = Oracle.of_file(arguments.plan, pools=pools)
    for table in arguments.table or oracle.tables():
        for line in oracle.ndjson(table, arguments.seed, arguments.start, arguments.records):
            print(line)


main()
