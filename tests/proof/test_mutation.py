"""Seeded mutations of a snapshot's files: none to a signed file goes unseen, and signing again hides none."""

import json
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from esdh_export import SnapshotRequest, write_snapshot
from esdh_manifest import files_below
from esdh_proof import Verification, judge, verify_snapshot
from tampering import MANIFEST, Row, edit_rows, sign

ALL = ("csv", "json", "ndjson", "parquet")
RECORDS = 40


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole snapshot in every format."""
    folder = tmp_path_factory.mktemp("pristine") / "snapshot"
    write_snapshot(folder, SnapshotRequest(records=RECORDS, formats=ALL), gate=judge)
    return folder


@pytest.fixture
def snapshot(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it to tamper with."""
    return Path(shutil.copytree(pristine, tmp_path / "snapshot"))


def told(outcome: Verification) -> list[str]:
    """Return the names of the checks that failed."""
    return [check.name for check in outcome.checks if check.status == "failed"]


def flip(data: bytearray, rng: random.Random) -> None:
    """Flip one bit."""
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def remove(data: bytearray, rng: random.Random) -> None:
    """Remove a few bytes."""
    at = rng.randrange(len(data))
    del data[at : at + rng.randint(1, 40)]


def insert(data: bytearray, rng: random.Random) -> None:
    """Insert a few bytes."""
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.randint(1, 40))


def cut(data: bytearray, rng: random.Random) -> None:
    """Cut the end off."""
    del data[rng.randrange(len(data)) :]


def move(data: bytearray, rng: random.Random) -> None:
    """Move a stretch of bytes to another place, always to another text."""
    for _ in range(100):
        at, length, to = rng.randrange(len(data)), rng.randint(2, 300), rng.randrange(len(data))
        moved = data[:at] + data[at + length :]
        moved[to:to] = data[at : at + length]
        if moved != data:
            data[:] = moved
            return
    flip(data, rng)


BYTE_MUTATIONS = (flip, remove, insert, cut, move)


@pytest.mark.parametrize("number", range(120))
def test_mutated_file_is_found(snapshot: Path, number: int) -> None:
    """A change of bytes in any file of the snapshot fails the check of files or, in the manifest, of the manifest."""
    rng = random.Random(number)
    path = sorted(files_below(snapshot))[number % len(files_below(snapshot))]
    data = bytearray((snapshot / path).read_bytes())
    BYTE_MUTATIONS[number // len(files_below(snapshot)) % len(BYTE_MUTATIONS)](data, rng)
    (snapshot / path).write_bytes(data)
    assert {"files", "manifest"} & set(told(verify_snapshot(snapshot, regenerate=number % 2 == 0)))


def _other(value: Any, rng: random.Random) -> Any:
    """Return another value of a likely kind."""
    if isinstance(value, str) or value is None:
        text = value or "Apt 7"
        at = rng.randrange(len(text))
        swapped = chr(ord(text[at]) ^ 1) if text[at].isalnum() else "x"
        return rng.choice([text[:at] + swapped + text[at + 1 :], text + "x", text[::-1] + "y"])
    if isinstance(value, int | float):
        return value + rng.choice([-1, 1])
    return value.replace(year=value.year - 1, day=min(value.day, 28))


def change_value(rows: list[Row], rng: random.Random) -> None:
    """Change one value to another that looks alike."""
    row = rows[rng.randrange(len(rows))]
    field = rng.choice(sorted(row))
    row[field] = _other(row[field], rng)


def borrow_value(rows: list[Row], rng: random.Random) -> None:
    """Give a row a value of another row, which is a lawful one."""
    while True:
        field, (one, two) = rng.choice(sorted(rows[0])), rng.sample(rows, 2)
        if one[field] != two[field]:
            one[field] = two[field]
            return


def swap_rows(rows: list[Row], rng: random.Random) -> None:
    """Swap two rows."""
    one, two = rng.sample(range(len(rows)), 2)
    rows[one], rows[two] = rows[two], rows[one]


def drop_row(rows: list[Row], rng: random.Random) -> None:
    """Drop a row."""
    del rows[rng.randrange(len(rows))]


def double_row(rows: list[Row], rng: random.Random) -> None:
    """Write a row twice."""
    at = rng.randrange(len(rows))
    rows.insert(at, dict(rows[at]))


ROW_MUTATIONS: tuple[Callable[[list[Row], random.Random], None], ...] = (
    change_value,
    borrow_value,
    swap_rows,
    drop_row,
    double_row,
)


@pytest.mark.parametrize("number", range(90))
def test_changed_data_is_found_though_signed_again(snapshot: Path, number: int) -> None:
    """Changed rows are found in one format or in all, with checksums, digests, statistics and counts made to fit."""
    plural = ("persons", "vehicles", "profiles")[number % 3]
    mutate = ROW_MUTATIONS[number // 3 % len(ROW_MUTATIONS)]
    names = ALL if number % 2 else (ALL[number // 2 % 4],)
    for name in names:
        edit_rows(snapshot, plural, name, lambda rows: mutate(rows, random.Random(number)))
    sign(snapshot, recount=True)
    assert {"regenerated", "files"} & set(told(verify_snapshot(snapshot)))


def _leaves(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(document, dict) and document:
        return [leaf for key, value in document.items() for leaf in _leaves(value, (*path, key))]
    if isinstance(document, list) and document:
        return [leaf for at, value in enumerate(document) for leaf in _leaves(value, (*path, at))]
    return [path]


# Claims that no reading of the files can prove, and that the outcome lists as such.
UNPROVABLE = {("randomized",), ("generator", "version")}


@pytest.mark.parametrize("number", range(90))
def test_changed_claim_is_found_though_signed_again(snapshot: Path, number: int) -> None:
    """Any claim of the manifest but those that can't be proved is found when it is changed, or taken out."""
    rng = random.Random(number)
    document = json.loads((snapshot / MANIFEST).read_text())
    top = list(document)[number % len(document)]
    leaf = (top, *rng.choice(_leaves(document[top])))
    if leaf in UNPROVABLE:
        leaf = ("generator", "name")
    at = document
    for key in leaf[:-1]:
        at = at[key]
    if number % 3 == 0 and len(leaf) > 1:
        del at[leaf[-1]]
    else:
        value = at[leaf[-1]]
        at[leaf[-1]] = not value if isinstance(value, bool) else "x" if value is None else _other(value, rng)
    (snapshot / MANIFEST).write_text(json.dumps(document, indent=2) + "\n")
    with suppress(ValueError, KeyError, OSError):  # it may be no manifest any more that anybody could sign
        sign(snapshot)
    assert told(verify_snapshot(snapshot, regenerate=number % 2 == 0)) or leaf[0] == "checksums"
