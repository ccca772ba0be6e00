"""Frictionless' report, as `frictionless validate --json` prints it and `Report.to_json` writes it."""

import msgspec
from esdh_core.overlay import LABELS

from esdh_proof.scoring.finding import Report, RowReference, ToolFinding
from esdh_proof.scoring.snapshot import LabelledSnapshot

__all__ = ["FORMAT", "matches", "read"]

FORMAT = "frictionless"
_HEADER_ROWS = 1  # Frictionless counts rows from 1, the header among them, in formats without one too
_WHOLE_KEY = "primary-key"  # the one error of several cells that doesn't name them


class _Error(msgspec.Struct, rename="camel", frozen=True):
    type: str
    row_number: int | None = None
    field_name: str = ""
    field_names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class _Task(msgspec.Struct, frozen=True):
    name: str
    place: str = ""
    errors: list[_Error] = []
    warnings: list[str] = []


class _Report(msgspec.Struct, frozen=True):
    tasks: list[_Task]
    errors: list[_Error] = []
    warnings: list[str] = []


class _Probe(msgspec.Struct):
    valid: bool
    tasks: list[msgspec.Raw]


def matches(data: bytes) -> bool:
    """Return whether a JSON document is a report of Frictionless."""
    try:
        msgspec.json.decode(data, type=_Probe)
    except msgspec.ValidationError:
        return False
    return True


def read(data: bytes, snapshot: LabelledSnapshot, *, table: str | None) -> Report:
    """Return what the report says; resources that are no table of the snapshot, such as its JSON document, are passed over.

    Raises msgspec.DecodeError for another shape.
    """
    report = msgspec.json.decode(data, type=_Report)
    findings: list[ToolFinding] = []
    notes = [*report.warnings]
    for task in report.tasks:
        name = snapshot.table_of_file(task.place, task.name) or table
        notes += [f"{task.name}: {warning}" for warning in task.warnings]
        if name is None and task.errors:
            notes.append(
                f"{len(task.errors):,} errors of {task.name} are left out: it is no table of the snapshot"
            )
        if name is None or name == LABELS.name:
            continue
        of = snapshot.table(name, task.name)
        before = snapshot.rows_before(task.place)
        for number, error in enumerate(task.errors):
            where = f"{task.name}, error {number} ({error.type})"
            fields = error.field_names or ((error.field_name,) if error.field_name else ())
            if error.type == _WHOLE_KEY:
                fields = of.key
            fields = tuple(name for name in fields if name in of.fields)  # a file may have columns of its own
            row = None
            if error.row_number is not None:
                row = RowReference(number=before + error.row_number - 1 - _HEADER_ROWS)
            findings.append(ToolFinding(where, of.name, row, fields))
    return Report(FORMAT, findings, None, notes)
