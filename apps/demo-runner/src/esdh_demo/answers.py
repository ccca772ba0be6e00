"""What the demo needs of the documents that `esdh` prints with --json, and of a snapshot's manifest."""

from typing import TypeVar

import msgspec

from esdh_demo.errors import DemoError

__all__ = ["Check", "First", "Listed", "Manifest", "Reproduced", "Verification", "Written", "read_answer"]


class Written(msgspec.Struct, frozen=True):
    """Of `esdh generate-snapshot --json`."""

    seed: int
    randomized: bool
    record_counts: dict[str, int]
    content: dict[str, str]
    gates: str | None


class First(msgspec.Struct, frozen=True):
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
    failures: int
    first: First | None
    reason: str | None
    notes: list[str]


class Verification(msgspec.Struct, frozen=True):
    """Of `esdh verify-snapshot --json`."""

    verdict: str
    checks: list[Check]


class Reproduced(msgspec.Struct, frozen=True):
    """One record of `esdh reproduce --json`, and the answer of `GET /records/<id>`."""

    id: str
    seed: int
    entity: str
    index: int
    person: dict[str, str | int | None]
    vehicle: dict[str, str | int | None]
    profile: dict[str, str | int | None]


class Listed(msgspec.Struct, frozen=True):
    """One file of a manifest."""

    sha256: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True):
    """Of a snapshot's manifest."""

    seed: int
    randomized: bool
    plan_sha256: str
    record_counts: dict[str, int]
    checksums: dict[str, Listed]
    content: dict[str, str]
    stats: dict[str, dict[str, dict[str, int]]]


A = TypeVar("A")


def read_answer(data: bytes, kind: type[A], *, what: str) -> A:
    """Return a document as `kind`; raises DemoError for one that isn't."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DemoError(
            f"{what} is not the document that it should be: {error}",
            remedy="another version of esdh is installed; run `uv sync`",
        ) from error
