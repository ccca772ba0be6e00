"""Defects laid over the rows of a dataset: which cells and rows are wrong, what stands there, and the label of each.

The clean rows are made as ever; an overlay says, for some rows of a table, which cells have another value, and which
rows are there twice, aren't there, or stand elsewhere. Whether a defect strikes a row follows from the row's clean
values and from a word of the defect's own stream, and from no other defect, so that switching one off changes the
labels of no other. Where several strike one cell, they are applied in the order in which they are written; one that
would bring the clean value back is passed over there.
"""

from esdh_core.overlay.defect import (
    WINDOWS,
    Damage,
    Defect,
    Dice,
    Edit,
    Effect,
    Evidence,
    FileShape,
    Values,
)
from esdh_core.overlay.edits import DefectiveRows, Edits
from esdh_core.overlay.labels import (
    KIND,
    LABELS,
    LABELS_PLAN,
    Label,
    LabelRow,
    label_columns,
    value_text,
)
from esdh_core.overlay.overlay import Overlay, defective_rows, written_slots

__all__ = [
    "KIND",
    "LABELS",
    "LABELS_PLAN",
    "WINDOWS",
    "Damage",
    "Defect",
    "DefectiveRows",
    "Dice",
    "Edit",
    "Edits",
    "Effect",
    "Evidence",
    "FileShape",
    "Label",
    "LabelRow",
    "Overlay",
    "Values",
    "defective_rows",
    "label_columns",
    "value_text",
    "written_slots",
]
