"""esdh check-plan: what is wrong with a plan, or what it will give."""

import sys
from typing import TYPE_CHECKING

import click

from esdh_cli.errors import exit_on_error, is_plan_error
from esdh_cli.output import aligned, print_document
from esdh_cli.parameters import LocalPath
from esdh_cli.plans import RECORDS, open_defects, open_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esdh_core import Dataset
    from esdh_core.overlay import Defect

    from esdh_cli.estimates import Estimate

__all__ = ["check_plan", "drawn_tables"]

_EXAMPLES = """\b
Examples:
  esdh check-plan bank.yaml
  esdh check-plan bank.yaml --records 1000000
  esdh check-plan --schema > plan.schema.json     (for editors that complete and check)
  esdh check-plan --schema --uses esdh-plan       (with the rules of a package that plans name under `uses`)
"""


@click.command(
    "check-plan",
    epilog=_EXAMPLES,
    short_help="Say what is wrong with a plan, or what it gives.",
    help="""Check the plan in FILE: every fault at once, a line each, with its place; exit status 2.

    Of a plan without faults it draws the tables as they hang together, with the rows and bytes to expect, the
    capacities of unique fields and the declared shares. Bytes, and past some ten thousand records rows too, are
    estimated from a sample of the default seed.
    """,
)
@click.argument("file", required=False, metavar="[FILE]", type=LocalPath())
@click.option(
    "--records", type=RECORDS, default=1000, show_default=True, metavar="N", help="Records to expect rows of."
)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the language instead; takes no FILE.")
@click.option(
    "--uses", multiple=True, metavar="PACKAGE", help="With --schema: add the rules of an installed package."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check_plan(*, file: str | None, records: int, schema: bool, uses: tuple[str, ...], as_json: bool) -> None:
    """Run `esdh check-plan`."""
    if uses and not schema:
        raise click.UsageError("--uses is for --schema; a plan names its packages itself, under `uses`")
    if schema == (file is not None):
        raise click.UsageError(
            f"--schema is that of every plan, and takes no FILE, such as {file!r}"
            if schema
            else "a plan is needed: give FILE, or --schema"
        )
    with exit_on_error():
        if file is None:
            from esdh_plan import json_schema, packages_offering

            packages, whys = packages_offering(uses)
            if whys:
                raise click.UsageError("; ".join(why for found in whys.values() for why in found))
            print_document(json_schema(offer for each in packages for offer in each.offers.values()))
            return
        try:
            dataset = open_plan(file)
        except ValueError as error:
            if as_json and is_plan_error(error):
                print_document({"file": file, "faults": getattr(error, "faults", [])})
            raise
        try:
            dataset.check_records(records)
        except ValueError as error:  # what an option's type can't check is wrong usage too
            raise click.UsageError(str(error)) from error
        from esdh_cli.estimates import estimate

        expected = estimate(dataset, records)
        overlay = open_defects(None, file, dataset)
        defects = [] if overlay is None else list(overlay.defects)
        if as_json:
            print_document(_document(dataset, expected, records, defects))
        else:
            for line in _lines(dataset, expected, records, defects):
                click.echo(line)


def _document(
    dataset: "Dataset", expected: "dict[str, Estimate]", records: int, defects: "list[Defect]"
) -> object:
    return {
        "dataset_version": dataset.dataset_version,
        "plan_sha256": dataset.plan_sha256,
        "faults": [],
        "records": records,
        "max_records": dataset.max_records,
        "tables": [
            {
                "name": table.name,
                "parent": None if table.parent is None else table.parent.name,
                "fixed": table.is_fixed,
                "room": table.room,
                "block_records": table.block_records,
                "rows": expected[table.name].rows,
                "exact": expected[table.name].exact,
                "bytes": expected[table.name].sizes,
                "unique": {
                    limit.field.partition(".")[2]: {"values": limit.values, "max_records": limit.records}
                    for limit in dataset.limits
                    if limit.field.partition(".")[0] == table.name
                },
                "shares": {
                    each.name: each.shares for each in dataset.table_plan(table).statistics if each.shares
                },
                "fields": [
                    {"name": field.name, "type": field.type, "nullable": field.nullable}
                    for field in table.schema
                ],
            }
            for table in dataset.tables
        ],
        **({"defects": [each.key for each in defects]} if defects else {}),
    }


def _lines(
    dataset: "Dataset", expected: "dict[str, Estimate]", records: int, defects: "list[Defect]"
) -> "Iterator[str]":
    from esdh_core.plan_rendering import declared_shares

    yield f"{dataset.dataset_version}, reference date {dataset.reference_date}, plan sha256 {dataset.plan_sha256}"
    yield ""
    formats = list(next(iter(expected.values())).sizes)
    about = "" if all(each.exact for each in expected.values()) else "about "
    head = [f"{records:,} records", *(f"{about}{word}" for word in ("rows", *formats)), "F", "a block"]
    rows = [
        [
            f"{drawn}{name}{' (fixed)' if dataset.table(name).is_fixed else ''}",
            f"{expected[name].rows:,}",
            *(_bytes(expected[name].sizes[form]) for form in formats),
            str(dataset.table(name).room) if dataset.table(name).count is not None else "",
            f"{dataset.table(name).block_records:,} {'rows' if dataset.table(name).is_fixed else 'records'}",
        ]
        for drawn, name in drawn_tables(dataset, ascii_only=not _can_print("├─└│"))
    ]
    total = [_bytes(sum(each.sizes[form] for each in expected.values())) for form in formats]
    rows.append(["together", f"{sum(each.rows for each in expected.values()):,}", *total, "", ""])
    yield from aligned([head, *rows])
    yield ""
    yield f"At most {dataset.max_records:,} records."
    unique = [limit for limit in dataset.limits if limit.field]
    if unique:
        yield ""
        yield "Unique fields"
        for limit in unique:
            yield f"  {limit.field}: {limit.values:,} values, enough for {limit.records:,} records"
    shares = [
        f"  {name if name.startswith(table.name) else f'{table.name} {name}'}: {text}"
        for table in dataset.tables
        for statistic, (name, text) in zip(
            dataset.table_plan(table).statistics, declared_shares(dataset.table_plan(table)), strict=True
        )
        if statistic.shares is not None
    ]
    if shares:
        yield ""
        yield "Declared shares"
        yield from shares
    if defects:
        yield ""
        yield "Defects, in every snapshot unless --no-defects leaves them out"
        for each in defects:
            yield f"  {each.key}: {_measure(each)}"


def _measure(defect: "Defect") -> str:
    if defect.share is not None:
        return f"{float(defect.share):.6g} of the rows"
    return "the file" if defect.exactly is None else f"{defect.exactly:,} row{'s' * (defect.exactly > 1)}"


def drawn_tables(dataset: "Dataset", *, ascii_only: bool) -> "Iterator[tuple[str, str]]":
    """Yield each table's name after the lines that draw the tree: the root's first."""
    fork, last, bar = ("|- ", "`- ", "|  ") if ascii_only else ("├─ ", "└─ ", "│  ")

    def below(name: str, drawn: str) -> "Iterator[tuple[str, str]]":
        children = [
            each.name for each in dataset.tables if each.parent is not None and each.parent.name == name
        ]
        for child in children:
            end = child == children[-1]
            yield drawn + (last if end else fork), child
            yield from below(child, drawn + ("   " if end else bar))

    tops = [table for table in dataset.tables if table.parent is None]
    for top in sorted(tops, key=lambda table: table is not dataset.root):
        yield "", top.name
        yield from below(top.name, "")


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _bytes(size: int) -> str:
    """Return a number of bytes in the unit that people read it in."""
    for unit, of in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= of:
            return f"{size / of:,.1f} {unit}"
    return f"{size} B"
