"""esdh score-defects: how much of what is wrong on purpose a tool has found."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document
from esdh_cli.parameters import LocalPath
from esdh_cli.signals import interruptible

if TYPE_CHECKING:
    from esdh_proof import Score
    from esdh_proof.scoring.counts import Counts
    from esdh_proof.scoring.linkage import PairScore

__all__ = ["score_defects"]

_EXAMPLES = """\b
Examples:
  esdh score-defects dirty --found report.csv
  frictionless validate --json dirty/datapackage.json > report.json
  esdh score-defects dirty --found report.json --found report.csv --json
  esdh score-defects dirty --found pairs.csv --min-recall 0.9 --min-precision 0.99

\b
A report in CSV, with a finding a row; `kind` and `field` may be left out:
  id,field,kind
  7325de0f-b0c4-806c-8636-3e3a1bdbceb4,city,typo
or with row numbers, as --first-row counts them:
  table,row,field
  customers,12,email
or with pairs, for record linkage:
  id_left,id_right,score
"""
_HEADS = ("labels", "found", "recall", "findings", "right", "precision", "F1")


@click.command(
    "score-defects",
    epilog=_EXAMPLES,
    short_help="Score what a tool found against the labels of defects.",
    help="""Score a report of the snapshot with defects in folder D against its labels.

    Gives precision, recall and F1 in all, by kind and by field, with what was missed and what was found where nothing is
    wrong. The report is CSV, the JSON of Frictionless or of Great Expectations, or CSV with pairs of rows; its
    content says which. Exit status 1 when a ratio is below --min-precision or --min-recall.
    """,
)
@click.argument("folder", metavar="D", type=LocalPath(path_type=Path))
@click.option(
    "--found",
    "reports",
    metavar="FILE",
    required=True,
    multiple=True,
    type=LocalPath(exists=True, dir_okay=False, path_type=Path),
    help="What the tool reported; several reports are scored as one.",
)
@click.option("--table", metavar="TABLE", help="The table of findings that name none; no other is scored.")
@click.option(
    "--first-row",
    metavar="N",
    type=click.IntRange(0, 9),
    default=0,
    show_default=True,
    help="The number that `row` gives the first data row: 0 as pandas and Polars count, 2 as a spreadsheet does.",
)
@click.option(
    "--min-precision", metavar="P", type=click.FloatRange(0, 1), help="The least precision, from 0 to 1."
)
@click.option("--min-recall", metavar="R", type=click.FloatRange(0, 1), help="The least recall, from 0 to 1.")
@click.option(
    "--examples",
    metavar="N",
    type=click.IntRange(0, 1_000_000),
    default=3,
    show_default=True,
    help="How many missed labels of each kind, and wrong findings of each field, are listed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def score_defects(
    *,
    folder: Path,
    reports: tuple[Path, ...],
    table: str | None,
    first_row: int,
    min_precision: float | None,
    min_recall: float | None,
    examples: int,
    as_json: bool,
) -> None:
    """Run `esdh score-defects`."""
    with exit_on_error(after="nothing was scored"), interruptible():
        import esdh_proof

        score = esdh_proof.score_defects(
            folder, *reports, table=table, first_row=first_row, examples=examples
        )
    if as_json:
        print_document(score)
    else:
        _print(score)
    counts = score.pairs or score.cells or score.rows
    precision, recall = (counts.precision, counts.recall) if counts else (None, None)
    below = [
        f"{name} {_ratio(ratio)} is below {_ratio(least)}"
        for name, ratio, least in (
            ("precision", precision, min_precision),
            ("recall", recall, min_recall),
        )
        if least is not None and (ratio or 0.0) < least
    ]
    if below:
        raise click.ClickException("; ".join(below))


def _print(score: "Score") -> None:
    identity = score.snapshot
    click.echo(f"snapshot  {identity.folder}: {identity.dataset_version}, seed {identity.seed}")
    for report in score.reports:
        form, what = report.format.replace("_", " "), "pairs" if score.pairs else "findings"
        click.echo(f"report    {report.file}: {form}, {report.findings:,} {what}")
    for note in score.notes:
        click.echo(f"note      {note}")
    if score.pairs is not None:
        _print_pairs(score.pairs)
        return
    levels = (("cells", score.cells), ("rows", score.rows), ("files", score.files))
    _table(("", *_HEADS), [(name, *_cells(counts)) for name, counts in levels if counts is not None])
    heads = (
        _HEADS if any(each.findings is not None for each in score.kinds) else _HEADS[:3]
    )  # no kinds, no precision
    kinds = [(f"{each.kind} ({each.level}s)", *_cells(each)[: len(heads)]) for each in score.kinds]
    _table(("kind", *heads), kinds)
    _table(("field", *_HEADS), [(f"{each.table}.{each.field}", *_cells(each)) for each in score.fields])
    if score.missed:
        click.echo("\nmissed, the first of each kind")
    for label in score.missed:
        values = f": {_value(label.found)} instead of {_value(label.clean)}" if label.field else ""
        click.echo(f"  {label.defect_id}{values}")
    if score.wrong:
        click.echo("\nfound where nothing is wrong, the first of each field")
    for wrong in score.wrong:
        row = "" if wrong.slot is None else f" {wrong.id or f'slot {wrong.slot}'}"
        fields = f", {' and '.join(wrong.fields)}" if wrong.fields else ""
        click.echo(f"  {wrong.table}{row}{fields}  ({wrong.where})")


def _print_pairs(pairs: "PairScore") -> None:
    _table(("", *_HEADS), [("pairs", *_cells(pairs))])
    click.echo(f"\n{pairs.clusters:,} clusters")
    _table(
        ("cells that differ", "labels", "found", "recall"),
        [
            (f"{each.edits}", f"{each.labels:,}", f"{each.found:,}", _ratio(each.recall))
            for each in pairs.edits
        ],
    )
    _table(
        ("score from", *_HEADS),
        [(f"{each.score:g}", *_cells(each)) for each in pairs.thresholds],
    )
    if pairs.best is not None:
        click.echo(f"\nbest F1: {_ratio(pairs.best.f1)} from score {pairs.best.score:g} on")
    for title, examples in (("missed", pairs.missed), ("paired, and not one", pairs.wrong)):
        if examples:
            click.echo(f"\n{title}, the first")
        for each in examples:
            score = "" if each.score is None else f"  (score {each.score:g})"
            click.echo(f"  {each.table}, slots {each.left} and {each.right}{score}")


def _cells(counts: "Counts") -> tuple[str, ...]:
    return (
        f"{counts.labels:,}",
        f"{counts.found:,}",
        _ratio(counts.recall),
        "-" if counts.findings is None else f"{counts.findings:,}",
        "-" if counts.right is None else f"{counts.right:,}",
        _ratio(counts.precision),
        _ratio(counts.f1),
    )


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3f}"


def _value(text: str | None) -> str:
    return "nothing" if text is None else repr(text if len(text) <= 40 else f"{text[:37]}...")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their heads, names to the left and numbers to the right."""
    if not rows:
        return
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    click.echo()
    for name, *numbers in (heads, *rows):
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        click.echo("  ".join([name.ljust(widths[0]), *cells]).rstrip())
