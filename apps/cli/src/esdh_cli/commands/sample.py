"""esdh sample: rows at once, without a file."""

import sys
from typing import TYPE_CHECKING

import click
from esdh_core.constants import DEFAULT_SEED, MAX_RECORDS

from esdh_cli.errors import exit_on_error
from esdh_cli.parameters import IntegerText
from esdh_cli.plans import RECORDS, SEED, open_plan, plan_option, tables_named
from esdh_cli.rows import RowPrinter, json_rows, print_table, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esdh_core import Dataset, Table
    from esdh_core.columns import Column

__all__ = ["sample"]

_EXAMPLES = """\b
Examples:
  esdh sample
  esdh sample --plan bank --records 2
  esdh sample --plan bank.yaml --table accounts --records 1000 > accounts.ndjson
"""


@click.command(
    "sample",
    epilog=_EXAMPLES,
    short_help="Print rows at once.",
    help="""Print rows of a dataset without writing a snapshot: as a table on a terminal, else as NDJSON.

    They are the rows, and the bytes, of a snapshot of this seed. Without --table every table is printed whose
    rows hang on records, one after another; a fixed table is printed, whole, when it is named.
    """,
)
@plan_option
@click.option("--records", type=RECORDS, default=3, show_default=True, metavar="N", help="Records.")
@click.option("--table", "name", metavar="T", help="Only this table.")
@click.option(
    "--seed", type=SEED, default=DEFAULT_SEED, show_default=True, metavar="S", help="Seed of the data."
)
@click.option(
    "--start",
    type=IntegerText(0, MAX_RECORDS - 1, "8589934591"),
    default=0,
    show_default=True,
    metavar="N",
    help="The first record.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def sample(*, plan: str | None, records: int, name: str | None, seed: int, start: int, as_json: bool) -> None:
    """Run `esdh sample`."""
    with exit_on_error():
        dataset = open_plan(plan)
        if name is None:
            tables = [table for table in dataset.tables if not table.is_fixed]
        else:
            tables = list(dataset.select(tables_named(dataset, [name], "name")))
        try:
            dataset.block(start, records, seed)
        except ValueError as error:  # what an option's type can't check is wrong usage too
            raise click.UsageError(str(error)) from error
        if as_json:
            _print_json(dataset, tables, start, records, seed)
        elif sys.stdout.isatty():
            _print_tables(dataset, tables, start, records, seed)
        else:
            for table in tables:
                printer = RowPrinter()
                for columns in _windows(dataset, table, start, records, seed):
                    click.echo(printer.lines(columns), nl=False)


def _windows(
    dataset: "Dataset", table: "Table", start: int, records: int, seed: int
) -> "Iterator[dict[str, Column]]":
    """Yield the rows of a table, a block of records at a time; those of a fixed table at once."""
    step = records if table.is_fixed else table.block_records
    for first in range(start, start + records, step):
        yield dataset.columns(first, min(step, start + records - first), seed, tables=[table.name])[
            table.name
        ]


def _print_json(dataset: "Dataset", tables: "list[Table]", start: int, records: int, seed: int) -> None:
    from esdh_cli.output import print_document

    rows = {
        table.name: [
            row for each in _windows(dataset, table, start, records, seed) for row in json_rows(each)
        ]
        for table in tables
    }
    head = {"dataset_version": dataset.dataset_version, "seed": seed, "start": start, "records": records}
    print_document({**head, "tables": rows}, indent=False)


def _print_tables(dataset: "Dataset", tables: "list[Table]", start: int, records: int, seed: int) -> None:
    from rich.console import Console

    console = Console(soft_wrap=False, highlight=False, markup=False)
    for number, table in enumerate(tables):
        if number:
            console.print()
        for columns in _windows(dataset, table, start, records, seed):
            rows = list(
                zip(
                    *([value_text(value) for value in each.tolist()] for each in columns.values()),
                    strict=True,
                )
            )
            print_table(console, f"{table.name} ({len(rows):,})", list(columns), rows)
    left = [
        f"{table.name} ({table.rows:,} rows)" for table in dataset.tables if table.is_fixed and table.rows
    ]
    if left and len(tables) > 1:
        console.print(f"\nNot shown, since they are fixed: {', '.join(left)}; --table prints one.")
