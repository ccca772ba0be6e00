"""esdh reproduce: the row or the record behind any id, from the id alone."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from esdh_core.datasets import catalog

from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document
from esdh_cli.plans import defects_option, open_defects, open_plan, plan_option
from esdh_cli.rows import json_rows, value_text

if TYPE_CHECKING:
    from esdh_core import Dataset, Located, Table
    from esdh_core.columns import Column
    from esdh_core.overlay import Label, Overlay

__all__ = ["reproduce"]

*_FIRST, _LAST = catalog.TABLES.values()
_PARTS = f"{', '.join(_FIRST)} and {_LAST}"

_DEFECT = re.compile(r"(?P<table>\w+)(\.\w+)?!\w+(#(?P<slot>[0-9]{1,18}))?", re.ASCII)
_LABEL: Final = ("defect_id", "table", "slot", "field", "kind", "found", "clean", "cluster")

_OF_ROWS: Final = {
    "missing_row": "isn't there",
    "duplicate_row": "is there once more behind itself",
    "reordered": "stands some places earlier",
    "ragged_row": "has a cell too few or too many there",
}

_EXAMPLES = f"""\b
Examples:
  esdh reproduce {catalog.EXAMPLE_IDS[0]}
  esdh reproduce --json {" ".join(catalog.EXAMPLE_IDS[1:])}
  esdh reproduce 3f2f9d23-be71-80e2-9d6d-9ce1862c5664 --plan bank --tree
  esdh reproduce 3f2f9d23-be71-80e2-9d6d-9ce1862c5664 --plan data/snapshots/bank_v1
  esdh reproduce 'accounts.type!typo#17' --defects dirty
  esdh reproduce {catalog.EXAMPLE_IDS[0]} --defects '[{{kind: missing_row, table: {_FIRST[0]}s, rate: 1}}]'
"""


@click.command(
    epilog=_EXAMPLES,
    short_help="Print the record behind any id.",
    help=f"""Print the {_PARTS} behind each ID, of any entity.

    An id holds the seed, the dataset version, the entity and the record's number; no other record is
    made. Capitals, braces, urn:uuid:, missing dashes and white space around an ID are read; it is printed
    as ESDH writes it. An id that isn't ours is refused with the reason, after the others were printed.

    Of a plan's dataset it prints the row and the rows above it, and with --tree the whole record. Without --plan
    ids of the default dataset and of the plans that ship are known.

    Rows are printed as they are without defects, and the defects that touch them are named: those of --defects, or of a
    --plan that lists some. With the folder of a snapshot, as one of the two, an ID can be that of a defect in the snapshot, such as
    accounts.type!typo#17. Of a near duplicate, the row that it is a second one of is printed.
    """,
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@plan_option
@defects_option
@click.option(
    "--tree", is_flag=True, help="Print the whole record of a plan: the root row with all rows below it."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def reproduce(
    ids: tuple[str, ...], *, plan: str | None, defects: str | None, tree: bool, as_json: bool
) -> None:
    """Run `esdh reproduce`."""
    with exit_on_error():
        from esdh_core import IdError

        named = (each for each in (defects, plan) if each is not None and not each.startswith("["))
        snapshot = next((each for each in named if Path(each).is_dir()), None)
        reference = plan or snapshot
        dataset = None if reference is None else open_plan(reference)
        touching = _Touching(defects, plan, snapshot)
        found: list[tuple[str, Located | None, list[Label]]] = []  # of a file's defect there is no row
        refused = []
        for text in ids:
            try:
                found.append((text, *touching.found(text, dataset, tree=tree)))
            except IdError as error:
                refused.append({"id": text, "message": str(error)})
    if as_json:
        records = [
            {**({"id": text} if row is None else _document(row, tree=tree)), **touching.document(labels)}
            for text, row, labels in found
        ]
        print_document({"records": records, "errors": refused}, indent=False)
    else:
        for number, (_, row, labels) in enumerate(found):
            if number:
                click.echo()
            if row is not None:
                _print(row, tree=tree)
            _print_labels(labels, row)
    for refusal in refused:
        click.echo(f"Error: {refusal['message']}", err=True)
    if refused:
        raise SystemExit(1)


class _Touching:
    """The defects that touch rows: of a list or of a snapshot, none where neither is given."""

    def __init__(self, defects: str | None, plan: str | None, snapshot: str | None) -> None:
        self._reference, self._plan, self._snapshot = defects, plan, snapshot
        self._overlays: dict[str, Overlay | None] = {}

    def labels(self, row: "Located", *, tree: bool) -> "list[Label]":
        """Return the labels of the cells that are printed of a row."""
        dataset = row.block.dataset
        overlay = self._overlay(dataset)
        if overlay is None:
            return []
        whole = tree or dataset.recipe is None
        tables = [dataset.table(name) for name in row.tree] if whole else [row.table]
        number, slot = row.origin.index // row.table.span, row.origin.index
        slots = {slot, overlay.far_slot(row.table, slot)}  # its own and that of a second one
        return sorted(
            label
            for table in tables
            for label in overlay.apply(table, row.block).labels
            if (label.record == number if whole else label.slot in slots)
        )

    def found(
        self, text: str, dataset: "Dataset | None", *, tree: bool
    ) -> "tuple[Located | None, list[Label]]":
        """Return the row that an id of a row or of a defect names, None where that is of a file, and what is wrong there.

        Raises IdError, with the reason, for any other text.
        """
        if "!" in text or "#" in text:
            row, labels = self.defect(text, dataset)
        else:
            row, labels = self.original(_found(text, dataset)), []
        return row, labels if row is None else self.labels(row, tree=tree)

    def original(self, row: "Located") -> "Located":
        """Return the row that a near duplicate is a second one of; any other as it is."""
        from esdh_core import IdError

        dataset, table, slot = row.block.dataset, row.table, row.origin.index
        overlay = self._overlay(dataset)
        if overlay is None or not any(each.effect == "second" for _, each in overlay.of_table(table)):
            return row
        near = overlay.far_slot(table, slot)
        if near > slot:  # of the two the second row is the farther one
            return row
        try:
            found = _located(dataset, table, row.origin.seed, near)
        except IdError:
            return row
        of_second = any(label.slot == slot for label in overlay.apply(table, found.block).labels)
        return found if of_second else row

    def defect(self, text: str, dataset: "Dataset | None") -> "tuple[Located | None, list[Label]]":
        """Return the row that the label of a defect names, in the snapshot, or without a row the label of a file.

        Raises IdError where there is no such label.
        """
        from esdh_core import IdError
        from esdh_core.errors import RequestError

        parts = _DEFECT.fullmatch(text)
        if parts is None or dataset is None or self._snapshot is None:
            raise IdError(
                f"{text!r} is the id of no row; that of a defect is as accounts.type!typo#17, and needs the snapshot's "
                "folder as --defects"
            )
        from esdh_plan.references import seed_of_snapshot

        seed = seed_of_snapshot(Path(self._snapshot))
        try:
            table = dataset.table(parts["table"])
        except RequestError as error:
            raise IdError(str(error)) from None
        row: Located | None = None
        if parts["slot"] is not None:
            row = self.original(_located(dataset, table, seed, int(parts["slot"]), text))
            labels = self.labels(row, tree=False)
        else:
            overlay = self._overlay(dataset)
            of_files = () if overlay is None else overlay.labels_of_no_record([table], seed)
            labels = [label for label in of_files if label.slot is None and label.defect_id == text]
        if text not in {label.defect_id for label in labels}:
            raise IdError(
                f"{text!r} is no defect of {self._snapshot}; its table `defects` lists those that there are"
            )
        return row, labels

    def document(self, labels: "list[Label]") -> dict[str, Any]:
        """Return what a document says of labels: nothing where no defects are asked about."""
        if not any(self._overlays.values()):
            return {}
        return {"defects": [{name: getattr(label, name) for name in _LABEL} for label in labels]}

    def _overlay(self, dataset: "Dataset") -> "Overlay | None":
        version = dataset.dataset_version
        if version not in self._overlays:
            if self._reference is None and self._snapshot is not None:
                from esdh_plan.references import overlay_of_snapshot

                self._overlays[version] = overlay_of_snapshot(Path(self._snapshot), dataset)
            else:
                self._overlays[version] = open_defects(self._reference, self._plan, dataset)
        return self._overlays[version]


def _print_labels(labels: "list[Label]", row: "Located | None") -> None:
    if row is not None and labels:
        click.echo()
    for label in labels:
        click.echo(f"{label.defect_id} ({label.kind}): {_sentence(label, labels, row)}")


def _sentence(label: "Label", labels: "list[Label]", row: "Located | None") -> str:
    """Return what a label, one of several of a record, says; `row` is the one that is printed."""
    if row is None:
        return _sentence_of_file(label)
    second = _second(label, row) if label.kind == "near_duplicate" else None
    if label.field is None:
        if second is not None:
            return f"a second row, {second}, follows that with other values in some fields"
        return f"{label.table} row {label.slot} {_OF_ROWS[label.kind]}"
    absent = {(each.table, each.slot) for each in labels if each.kind == "missing_row"}
    if (label.table, label.slot) in absent:
        what = "isn't there"
    elif label.found is None and label.kind in ("bad_encoding", "bad_quoting"):
        what = "can't be read there"
    else:
        what = f"is {_quoted(label.found)} {'there' if second is None else f'in the row {second}'}"
    return f"{label.table}.{label.field} {what}, where {_quoted(label.clean)} is right"


def _sentence_of_file(label: "Label") -> str:
    if label.field is not None:
        return f"the column of {label.table}.{label.field} is called {_quoted(label.found)} there"
    if label.found is not None:
        return f"{label.table} has a column {_quoted(label.found)} there, which the schema doesn't have"
    return f"the file of {label.table} ends in the middle of its last row"


def _quoted(value: str | None) -> str:
    return "null" if value is None else repr(value)


def _second(label: "Label", row: "Located") -> str:
    """Return the id of a second row, or where its table has none its number."""
    from esdh_core import encode_id

    dataset = row.block.dataset
    if label.slot is None or dataset.table(label.table).field_with("id") is None:
        return str(label.slot)
    return str(encode_id(row.origin.seed, label.table, label.slot, dataset=dataset))


def _located(dataset: "Dataset", table: "Table", seed: int, slot: int, text: str | None = None) -> "Located":
    """Return the row in a slot; `text` is what its id is where its table has none. Raises IdError where there is none."""
    from esdh_core import Located, RecordId, encode_id

    origin = RecordId(seed, dataset.dataset_version, table.entity, slot)
    if table.field_with("id"):
        text = encode_id(seed, table.name, slot, dataset=dataset)
    return Located(str(text), origin, *dataset.locate(origin))


def _found(text: str, dataset: "Dataset | None") -> "Located":
    """Return the row that an id names: of a dataset, or where none is given of any that is known here."""
    from esdh_core import IdError, locate_row

    if dataset is None:
        return _found_anywhere(text)
    try:
        return locate_row(dataset, text)
    except IdError:
        owner = _owner(text)
        if owner in (None, dataset.dataset_version):
            raise
    raise IdError(f"{text!r} is an id of {owner}, not of {dataset.dataset_version}; leave out --plan")


def _owner(text: str) -> str | None:
    """Return the dataset version that an id is of, None where no dataset that is known here made it."""
    from esdh_core import IdError

    try:
        return _found_anywhere(text).origin.dataset_version
    except IdError:
        return None


def _found_anywhere(text: str) -> "Located":
    """Return the row that an id of the default dataset or of a plan that ships names."""
    from esdh_core import DEFAULT_DATASET, bare_id, locate_row

    if bare_id(text).ordinal:
        return locate_row(DEFAULT_DATASET, text)
    from esdh_plan.references import find_row

    return find_row(text)


def _document(found: "Located", *, tree: bool) -> dict[str, Any]:
    origin = found.origin
    if found.block.dataset.recipe is None:
        head = {"seed": origin.seed, "dataset_version": origin.dataset_version, "entity": origin.entity}
        return {"id": found.id, **head, "index": origin.index, **_parts(found)}
    return {
        "id": found.id,
        "seed": origin.seed,
        "dataset_version": origin.dataset_version,
        "table": found.table.name,
        "slot": origin.index,
        "row": json_rows(found.row)[0],
        "parents": {table: json_rows(columns)[0] for table, columns in found.parents.items()},
        **({"tree": {table: json_rows(columns) for table, columns in found.tree.items()}} if tree else {}),
    }


def _parts(found: "Located") -> dict[str, Any]:
    """Return the one row of each table of a record, by what a row of it is called."""
    dataset = found.block.dataset
    return {dataset.table(name).entity: json_rows(columns)[0] for name, columns in found.tree.items()}


def _print(found: "Located", *, tree: bool) -> None:
    origin, dataset = found.origin, found.block.dataset
    place = (
        f"{origin.entity} {origin.index}"
        if dataset.recipe is None
        else f"slot {origin.index} of {origin.entity}"
    )
    click.echo(f"{found.id} is {place} of seed {origin.seed}, dataset version {origin.dataset_version}")
    if dataset.recipe is None:
        for name, columns in found.tree.items():
            click.echo(f"\n{dataset.table(name).entity}")
            _print_row(columns, 0, "  ")
    elif tree:
        click.echo()
        _print_tree(found)
    else:
        for name, columns in {found.table.name: found.row, **found.parents}.items():
            click.echo(f"\n{name}")
            _print_row(columns, 0, "  ")


def _print_row(columns: "dict[str, Column]", at: int, indent: str) -> None:
    import numpy as np

    for name, column in columns.items():
        (value,) = column.take(np.array([at])).tolist()
        click.echo(f"{indent}{name:<22} {value_text(value)}".rstrip())


def _print_tree(found: "Located") -> None:
    """Print the rows of a record, each below its parent, and mark the row that was asked for."""
    dataset, tree = found.block.dataset, found.tree
    parents = {name: found.parent_rows(dataset.table(name)) for name in tree}
    position = found.place_in_tree

    def print_below(name: str, above: int | None, indent: str) -> None:
        for at, parent in enumerate(parents[name]):
            if parent != above:
                continue
            mark = "  <- this id" if (name, at) == (found.table.name, position) else ""
            click.echo(f"{indent}{name}{mark}")
            _print_row(tree[name], at, indent + "  ")
            for child in tree:
                owner = dataset.table(child).parent
                if owner is not None and owner.name == name:
                    print_below(child, at, indent + "  ")

    print_below(found.table.top.name, None, "")
