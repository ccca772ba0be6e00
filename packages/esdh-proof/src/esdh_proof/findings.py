"""What a verification found: named checks, each with its claim, its reach and its first failure."""

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["CLAIMS", "Check", "Failure", "Findings"]

# The checks in the order of the report, and what each of them claims.
CLAIMS = {
    "manifest": "the manifest can be read, and every claim that follows from the others is as it must be",
    "files": "every file is there, none is too many, each has its checksum, its size and its rows",
    "schema": "names, order, types, nullability, enumerations, patterns and spelling are right in every format",
    "formats": "the content digest of each entity is the same in every format and in the manifest",
    "synthetic": "every row carries the marker, an id of this seed and its own row, no real VIN and no real license",
    "integrity": "references and copies agree; VINs and license numbers give back their own row number",
    "rules": "every row keeps the rules of the dataset version",
    "fidelity": "the counts follow the distributions that the plan declares",
    "stats": "the statistics counted again are those of the manifest",
    "regenerated": "the rows and the bytes are those that the seed gives",
}
_MAX_CHARACTERS = 120  # characters of a value; enough to recognize it, too few to flood a terminal

Status = Literal["passed", "failed", "unproven"]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One failure, exactly: in which file, of which record (from 0) and field, what is there and what should be.

    `row` and `field` are None where the failure isn't one row's or one field's; `found` is None for a null
    or for something that is missing.
    """

    file: str
    row: int | None = None
    field: str | None = None
    found: str | None
    expected: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one check: over how many rows, how many failures, and the first of them.

    `reason` says why a check is unproven; `notes` are what a reader should know beside the outcome.
    """

    name: str
    claim: str
    status: Status
    rows: int
    failures: int
    first: Failure | None
    reason: str | None
    notes: list[str]


def display(value: object, most: int = _MAX_CHARACTERS) -> str | None:
    """Return a value as a message shows it: None as None, a text of more than `most` characters cut."""
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


class Findings:
    """Gathers what the checks find; of each check the first failure by record number is kept."""

    def __init__(self) -> None:
        self._rows = dict.fromkeys(CLAIMS, 0)
        self._failures = dict.fromkeys(CLAIMS, 0)
        self._first: dict[str, Failure] = {}
        self._reasons: dict[str, str] = {}
        self._notes: dict[str, list[str]] = {name: [] for name in CLAIMS}
        self._claims: dict[str, str] = {}

    def claim(self, claims: Mapping[str, str]) -> None:
        """Say what checks claim of the dataset at hand, where it is something else."""
        self._claims |= claims

    def count_rows(self, check: str, rows: int) -> None:
        """Say that a check has looked at so many more rows."""
        self._rows[check] += rows

    def fail(self, check: str, failure: Failure, *, count: int = 1) -> None:
        """Record a failure, the first of `count`."""
        self._failures[check] += count
        first = self._first.get(check)
        if first is None or _position(failure) < _position(first):
            self._first[check] = failure

    def expect(self, check: str, file: str, field: str | None, found: object, expected: object) -> bool:
        """Record a failure of a file unless what was found equals what is expected; return whether it does."""
        if found == expected:
            return True
        self.fail(
            check,
            Failure(file=file, field=field, found=display(found), expected=display(expected) or "nothing"),
        )
        return False

    def skip(self, check: str, reason: str) -> None:
        """Say that a check was not made, and why."""
        self._reasons.setdefault(check, reason)

    def note(self, check: str, note: str) -> None:
        """Say something beside the outcome of a check."""
        if note not in self._notes[check]:
            self._notes[check].append(note)

    def failed(self, check: str) -> bool:
        """Return whether a check has failed so far."""
        return self._failures[check] > 0

    def merge(self, later: "Findings") -> None:
        """Add what was found in later rows; of two failures of one record the first that was found stays."""
        for check in CLAIMS:
            self._rows[check] += later._rows[check]
            self._failures[check] += later._failures[check]
            first = later._first.get(check)
            if first is not None and (
                check not in self._first or _position(first) < _position(self._first[check])
            ):
                self._first[check] = first
            for note in later._notes[check]:
                self.note(check, note)
        for check, reason in later._reasons.items():
            self.skip(check, reason)
        self._claims |= later._claims

    def checks(self) -> list[Check]:
        """Return the outcome of every check, in the order of `CLAIMS`."""
        return [
            Check(
                name=name,
                claim=claim,
                status="failed" if self.failed(name) else "unproven" if name in self._reasons else "passed",
                rows=self._rows[name],
                failures=self._failures[name],
                first=self._first.get(name),
                reason=self._reasons.get(name),
                notes=self._notes[name],
            )
            for name, claim in (CLAIMS | self._claims).items()
        ]


def _position(failure: Failure) -> int:
    return -1 if failure.row is None else failure.row


def first_true(mask: NDArray[np.bool_]) -> int | None:
    """Return the position of the first true element, None when there is none."""
    if not len(mask):
        return None
    at = int(mask.argmax())
    return at if mask[at] else None
