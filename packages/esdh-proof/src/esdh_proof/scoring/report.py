"""A report of any known format, read: which it is, its content says."""

from pathlib import Path

import msgspec

from esdh_proof.errors import ProofError
from esdh_proof.scoring import csv_report, frictionless, great_expectations
from esdh_proof.scoring.finding import Report
from esdh_proof.scoring.snapshot import LabelledSnapshot

__all__ = ["read_report"]

_LARGEST_JSON = 1 << 30  # bytes; such a report is held in memory
_FORMATS = (
    "CSV with a finding a row, CSV with a pair a row, Frictionless' JSON (frictionless validate --json) or Great Expectations' "
    "JSON (result.to_json_dict())"
)


def read_report(path: Path, snapshot: LabelledSnapshot, *, table: str | None, first_row: int) -> Report:
    """Return what a report says of a snapshot; `table` is that of findings that name none.

    Raises ProofError when the file can't be read, or is of none of the formats; OSError when there is none.
    """
    with path.open("rb") as file:
        head = file.read(4_096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] not in (b"{", b"["):
        if b"\0" in head:
            raise ProofError(f"{str(path)!r} is a binary file; a report is {_FORMATS}")
        return csv_report.read(path, snapshot, table=table, first_row=first_row)
    if (size := path.stat().st_size) > _LARGEST_JSON:
        raise ProofError(f"{str(path)!r} takes {size:,} bytes; a JSON report takes at most {_LARGEST_JSON:,}")
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        if frictionless.matches(data):
            return frictionless.read(data, snapshot, table=table)
        if great_expectations.matches(data):
            return great_expectations.read(data, snapshot, table=table)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProofError(f"{str(path)!r} can't be read as JSON: {error}") from error
    raise ProofError(f"{str(path)!r} is JSON of no known report; a report is {_FORMATS}")
