"""The labels of a snapshot: which cells, rows and files are wrong on purpose."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from esdh_core import Dataset
from esdh_core.overlay import LABELS

from esdh_proof.errors import ProofError
from esdh_proof.scoring.texts import read_texts, table_files

__all__ = [
    "DUPLICATE_ROW",
    "EXTRA_COLUMN",
    "MISSING_ROW",
    "NEAR_DUPLICATE",
    "RAGGED_ROW",
    "TRUNCATED_FILE",
    "Label",
    "Labels",
    "read_labels",
]

MISSING_ROW = "missing_row"
"""The kind of a row that isn't there."""
DUPLICATE_ROW = "duplicate_row"
"""The kind of a row that is there once more."""
NEAR_DUPLICATE = "near_duplicate"
"""The kind of a second row that is the same one, written otherwise."""


RAGGED_ROW = "ragged_row"
"""The kind of a row with a cell too few or too many."""
BAD_QUOTING = "bad_quoting"
"""The kind of a cell whose end no reader finds, so that the cells behind it are others."""
EXTRA_COLUMN = "extra_column"
"""The kind of a column that the schema doesn't have."""
TRUNCATED_FILE = "truncated_file"
"""The kind of a file that ends in its last row."""
UNREADABLE = frozenset(("bad_encoding", BAD_QUOTING, TRUNCATED_FILE))
"""The kinds by which a reader may give up the whole file."""


class Label(NamedTuple):
    """One thing that is wrong on purpose: a cell; with no field a row; with no slot either a file.

    `found` and `clean` are texts as CSV has them, None for a null.
    """

    defect_id: str
    table: str
    slot: int | None
    field: str | None
    kind: str
    found: str | None
    clean: str | None
    cluster: str | None


class Labels:
    """The labels of a snapshot, found by cell, by row, by file and by what stands in a cell."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self.all = list(labels)
        self._cells: dict[tuple[str, int, str], list[Label]] = defaultdict(list)
        self._rows: dict[tuple[str, int], list[Label]] = defaultdict(list)
        self._files: dict[str, list[Label]] = defaultdict(list)
        self._found: dict[tuple[str, str], dict[str | None, list[Label]]] = defaultdict(dict)
        for label in self.all:
            if label.slot is None:
                self._files[label.table].append(label)
                continue
            self._rows[label.table, label.slot].append(label)
            if label.field is not None:
                self._cells[label.table, label.slot, label.field].append(label)
                self._found[label.table, label.field].setdefault(label.found or None, []).append(label)

    def __iter__(self) -> Iterator[Label]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    @property
    def kinds(self) -> list[str]:
        """The kinds, in the order of their first labels."""
        return list(dict.fromkeys(label.kind for label in self.all))

    def of_cell(self, table: str, slot: int, field: str) -> list[Label]:
        """Return the labels of a cell, and those of its row as a whole, or of a cell that makes others of the row wrong."""
        of_row = (
            label
            for label in self.of_row(table, slot)
            if label.field is None or (label.kind == BAD_QUOTING and label.field != field)
        )
        return [*self.of_cell_alone(table, slot, field), *of_row]

    def of_cell_alone(self, table: str, slot: int, field: str) -> list[Label]:
        """Return the labels of a cell."""
        return self._cells.get((table, slot, field), [])

    def of_row(self, table: str, slot: int) -> list[Label]:
        """Return the labels of a row and of its cells."""
        return self._rows.get((table, slot), [])

    def of_row_itself(self, table: str, slot: int) -> list[Label]:
        """Return the labels of a row that name no cell of it."""
        return [label for label in self.of_row(table, slot) if label.field is None]

    def of_file(self, table: str) -> list[Label]:
        """Return the labels of a table's file."""
        return self._files.get(table, [])

    def unreadable(self, table: str) -> list[Label]:
        """Return the labels by which a reader may give up a table's file."""
        return [label for label in self.all if label.table == table and label.kind in UNREADABLE]

    def original(self, table: str, slot: int) -> int:
        """Return the slot of the row that a near duplicate is a second one of; of any other row its own."""
        own = (label for label in self.of_row_itself(table, slot) if label.kind == NEAR_DUPLICATE)
        return next((int((label.cluster or "").rpartition("#")[2]) for label in own), slot)

    def found_in(self, table: str, field: str) -> Mapping[str | None, list[Label]]:
        """Return what stands in the labelled cells of a field, each with its labels; an empty text counts as a null."""
        return self._found.get((table, field), {})


def read_labels(folder: Path, dataset_version: str, dataset: Dataset) -> Labels:
    """Return the labels of the snapshot in a folder.

    Raises ProofError when the snapshot has none, or a label that is of no table, field or slot.
    """
    own = any(table.name == LABELS.name for table in dataset.tables)  # which is no table of labels
    if own or table_files(folder, LABELS.name, dataset_version) is None:
        raise ProofError(
            f"the snapshot in {str(folder)!r} has no labels, so there is no truth to score against; generate one with "
            "defects: esdh generate-snapshot --defects FILE"
        )
    return Labels(
        _label(number, texts, dataset)
        for number, texts in enumerate(read_texts(folder, LABELS.name, dataset_version, Label._fields))
    )


def _label(number: int, texts: tuple[str | None, ...], dataset: Dataset) -> Label:
    defect_id, table, slot, field, kind, found, clean, cluster = texts
    of = next((each for each in dataset.tables if table in (each.name, each.singular)), None)
    problem = None
    if defect_id is None or kind is None:
        problem = "it has no defect_id or no kind"
    elif of is None:
        problem = f"{table!r} is no table of {dataset.dataset_version}"
    elif slot and field and field not in of.fields:
        problem = f"table {of.name!r} has no field {field!r}"
    elif slot and not (slot.isascii() and slot.isdigit()):
        problem = f"slot {slot!r} is no integer from 0"
    if problem is not None or of is None or defect_id is None or kind is None:
        raise ProofError(f"label {number} of the snapshot can't be read: {problem}")
    return Label(
        defect_id, of.name, int(slot) if slot else None, field or None, kind, found, clean, cluster or None
    )
