"""What the demo needs of the documents that `esdh` prints with --json."""

from typing import TypeVar

import msgspec

from esdh_demo.errors import DemoError

__all__ = ["REINSTALL", "Check", "Verification", "read_answer"]

REINSTALL = "another version of esdh is installed; run `uv sync`"
"""The remedy for an answer that isn't one of this version's."""


class FirstFailure(msgspec.Struct, frozen=True):
    """The first failure of a check."""

    file: str
    expected: str
    row: int | None = None
    field: str | None = None
    found: str | None = None


class Check(msgspec.Struct, frozen=True):
    """One check of a verification."""

    name: str
    claim: str
    status: str
    rows: int
    first: FirstFailure | None
    reason: str | None


class Verification(msgspec.Struct, frozen=True):
    """The result of `esdh verify-snapshot --json`."""

    verdict: str
    checks: list[Check]


A = TypeVar("A")


def read_answer(data: bytes, kind: type[A], *, what: str) -> A:
    """Return a document as `kind`; raises DemoError for one that isn't."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DemoError(f"{what} is not the document that it should be: {error}", remedy=REINSTALL) from error
