"""What a tool reports, as each reader of a report gives it: before it is known which rows are meant."""

from typing import NamedTuple

from esdh_proof.errors import ProofError

__all__ = ["Pair", "Report", "RowReference", "ToolFinding", "row_reference"]


class RowReference(NamedTuple):
    """A row as a report names it: by its number in the table's file (from 0), by its slot, or by the values of its key."""

    number: int | None = None
    slot: int | None = None
    key: tuple[str, ...] = ()


class ToolFinding(NamedTuple):
    """One thing that a tool holds to be wrong.

    `row` is None where a whole file is meant; `fields` are the cells of the row, none where the row as such is meant.
    `table` is None where the row's id says it. `where` is the finding's place in the report, for messages.
    """

    where: str
    table: str | None
    row: RowReference | None
    fields: tuple[str, ...] = ()
    kind: str | None = None


class Pair(NamedTuple):
    """Two rows that a matcher holds to be one, and how sure it is."""

    where: str
    table: str | None
    left: RowReference
    right: RowReference
    score: float | None = None


class Report(NamedTuple):
    """A report that was read: its format, and either findings or pairs; `notes` are what a reader should know."""

    format: str
    findings: list[ToolFinding]
    pairs: list[Pair] | None
    notes: list[str]


def row_reference(where: str, name: str, text: str, first_row: int) -> RowReference:
    """Return the row that a cell of a report names: its column is `row`, `slot`, or an id's.

    `first_row` is the number that the report gives the first row. Raises ProofError for a number that can't be.
    """
    if name not in ("row", "slot"):
        return RowReference(key=(text,))
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise ProofError(f"{where}: {name} {text!r} is no integer from 0")
    number = int(text)
    if name == "slot":
        return RowReference(slot=number)
    if number < first_row:
        raise ProofError(f"{where}: row {number} is before the first, which --first-row says is {first_row}")
    return RowReference(number=number - first_row)
