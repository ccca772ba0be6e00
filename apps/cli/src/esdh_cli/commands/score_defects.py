"""esdh score-defects: how well a data-quality tool finds the defects of a snapshot."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document
from esdh_cli.parameters import LocalPath
from esdh_cli.signals import interruptible

if TYPE_CHECKING:
    from esdh_proof import DefectScore

__all__ = ["score_defects"]

_EXAMPLES = """\b
Examples:
  esdh score-defects dirty --found report.csv
  frictionless validate dirty/datapackage.json --json > report.json; esdh score-defects dirty --found report.json
  esdh score-defects dirty --found gx.json --table accounts --json
"""


@click.command(
    "score-defects",
    epilog=_EXAMPLES,
    short_help="Say how many defects of a snapshot a tool found.",
    help="""Hold a tool's report against the labels of the snapshot in folder D: precision, recall and F1.

    A report is a CSV file with the columns table, field and one of slot, id (the row's own) and row (its number in the file,
    from 1), maybe with kind; or the JSON that Frictionless or Great Expectations writes. A defect is found when a finding
    names its cell, or its row and no field. Precision by kind needs a report that names kinds.
    """,
)
@click.argument("folder", metavar="D", type=LocalPath(path_type=Path))
@click.option(
    "--found", type=LocalPath(path_type=Path), required=True, metavar="R", help="The tool's report."
)
@click.option("--table", default="", metavar="T", help="The table of a report that doesn't name one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def score_defects(*, folder: Path, found: Path, table: str, as_json: bool) -> None:
    """Run `esdh score-defects`."""
    with exit_on_error(after="nothing was scored"), interruptible():
        import esdh_proof

        score = esdh_proof.score_defects(folder, found, table=table)
    if as_json:
        print_document(score)
    else:
        _print(score)


def _print(score: "DefectScore") -> None:
    head = ("kind", "defects", "found", "recall", "precision", "F1")
    rows = [
        (
            each.kind,
            f"{each.labels:,}",
            f"{each.found:,}",
            *map(_share, (each.recall, each.precision, each.f1)),
        )
        for each in score.kinds
    ]
    total = map(_share, (score.recall, score.precision, score.f1))
    rows.append(("together", f"{score.labels:,}", f"{score.found:,}", *total))
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for name, *cells in (head, *rows):
        right = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        click.echo("  ".join([f"{name:<{widths[0]}}", *right]))
    wrong = score.findings - score.right
    click.echo(f"{score.findings:,} findings, {wrong:,} of them where there is no defect")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
