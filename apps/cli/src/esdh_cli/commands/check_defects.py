"""esdh check-defects: what is wrong with a list of defects, or what each of them does."""

from collections import Counter
from typing import TYPE_CHECKING

import click

from esdh_cli.errors import exit_on_error, is_plan_error
from esdh_cli.output import aligned, print_document
from esdh_cli.parameters import LocalPath
from esdh_cli.plans import RECORDS, SEED, open_defects, open_plan, plan_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esdh_core.overlay import Defect, Label, Overlay

__all__ = ["check_defects"]

_EXAMPLES = """\b
Examples:
  esdh check-defects defects.yaml
  esdh check-defects defects.yaml --plan bank --records 100000
  esdh check-defects --schema > defects.schema.json     (for editors that complete and check)
"""


@click.command(
    "check-defects",
    epilog=_EXAMPLES,
    short_help="Say what is wrong with a list of defects, or what each does.",
    help="""Check the list of defects in FILE: every fault at once, a line each, with its place; exit status 2.

    Of a list without faults it says for each defect how many places it strikes in the records, and shows the first of
    them. Nothing is written.
    """,
)
@click.argument("file", required=False, metavar="[FILE]", type=LocalPath())
@plan_option
@click.option(
    "--records", type=RECORDS, default=1000, show_default=True, metavar="N", help="Records to look at."
)
@click.option("--seed", type=SEED, metavar="N", help="Seed of the records.  [default: 20240601]")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of such files instead; takes no FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check_defects(
    *, file: str | None, plan: str | None, records: int, seed: int | None, schema: bool, as_json: bool
) -> None:
    """Run `esdh check-defects`."""
    if schema == (file is not None):
        raise click.UsageError(
            f"--schema is that of every list of defects, and takes no FILE, such as {file!r}"
            if schema
            else "a list of defects is needed: give FILE, or --schema"
        )
    with exit_on_error():
        if file is None:
            from esdh_plan import defects_schema

            print_document(defects_schema())
            return
        from esdh_core import DEFAULT_SEED

        dataset = open_plan(plan)
        try:
            overlay = open_defects(file, plan, dataset)
        except ValueError as error:
            if as_json and is_plan_error(error):
                print_document({"file": file, "faults": getattr(error, "faults", [])})
            raise
        if overlay is None:
            raise click.UsageError(f"{file!r} has no defects; a snapshot with some has a table `defects`")
        try:
            dataset.check_records(records)
            overlay.check_places(dataset.tables, records, DEFAULT_SEED if seed is None else seed)
        except ValueError as error:  # what an option's type can't check is wrong usage too
            raise click.UsageError(str(error)) from error
        found = _Struck(overlay, records, DEFAULT_SEED if seed is None else seed)
        if as_json:
            print_document(found.document())
        else:
            for line in found.lines():
                click.echo(line)


class _Struck:
    """How often each defect strikes in some records, and the first label of each."""

    def __init__(self, overlay: "Overlay", records: int, seed: int) -> None:
        self._overlay, self._records, self._seed = overlay, records, seed
        self._counts: Counter[str] = Counter()
        self._first: dict[str, Label] = {}
        for label in self._labels():
            key = overlay.defects[label.defect_number].key
            self._counts[key] += 1
            # One that shows something goes first: where the row is missing, or a second one, nothing stands there.
            if key not in self._first or (self._first[key].found is None and label.found is not None):
                self._first[key] = label

    def _labels(self) -> "Iterator[Label]":
        dataset = self._overlay.dataset
        yield from self._overlay.labels_of_no_record(dataset.tables, self._seed)
        tables = [table for table in dataset.tables if not table.is_fixed]
        step = min(table.block_records for table in tables)
        for start in range(0, self._records, step):
            block = dataset.block(start, min(step, self._records - start), self._seed)
            for table in tables:
                yield from sorted(self._overlay.apply(table, block).labels)

    def document(self) -> object:
        """Return what was found, for machines."""
        return {
            "dataset_version": self._overlay.dataset.dataset_version,
            "seed": self._seed,
            "records": self._records,
            "faults": [],
            "defects": [
                {
                    "key": each.key,
                    "kind": each.kind,
                    "labels": self._counts[each.key],
                    "first": {
                        name: getattr(self._first[each.key], name)
                        for name in ("defect_id", "found", "clean", "cluster")
                    }
                    if each.key in self._first
                    else None,
                }
                for each in self._overlay.defects
            ],
        }

    def lines(self) -> "Iterator[str]":
        """Yield what was found, for people."""
        defects = self._overlay.defects
        yield (
            f"{len(defects)} defects of {self._overlay.dataset.dataset_version}, in {self._records:,} records of seed {self._seed}"
        )
        yield ""
        rows = [[each.key, _measure(each), f"{self._counts[each.key]:,}"] for each in defects]
        examples = [_example(self._first.get(each.key)) for each in defects]
        head, *rest = aligned([["defect", "measure", "labels"], *rows])
        yield f"{head}  the first"
        for line, example in zip(rest, examples, strict=True):
            yield f"{line}  {example}"


def _measure(defect: "Defect") -> str:
    if defect.share is not None:
        return f"{float(defect.share):.6g}"
    return "of a file" if defect.exactly is None else f"exactly {defect.exactly:,}"


def _example(label: "Label | None") -> str:
    if label is None:
        return "strikes no row here"
    if label.slot is None:
        return f"the files of {label.table}" if label.found is None else f"a column {label.found!r}"
    if label.field is None:
        return f"row {label.slot}"
    found, clean = ("null" if each is None else repr(each) for each in (label.found, label.clean))
    return f"row {label.slot}: {found} instead of {clean}"
