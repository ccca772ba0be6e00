"""A snapshot is verified part by part, wherever that is done, and where its bytes are the seed's without parsing them."""

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from esdh_core import DEFAULT_DATASET
from esdh_core.columns import (
    Categorical,
    Categories,
    Column,
    Concat,
    Date,
    FixedText,
    Integer,
    day_number,
)
from esdh_export import SnapshotRequest, write_snapshot
from esdh_export.execution.worker_pool import WorkerPool
from esdh_proof import Verification, skip, verify_snapshot
from esdh_proof.reading import line_ranges, text
from hypothesis import given
from hypothesis import strategies as st
from tampering import failed, forged, sign, where
from trees import TREE

ALL = ("csv", "json", "ndjson", "parquet")
SHARDS = SnapshotRequest(
    records=66_000, entities=("profiles",), formats=("csv", "json", "parquet"), shard_rows=65_536
)
TREES = SnapshotRequest(
    dataset=TREE, records=66_000, entities=("labels", "branches"), formats=("csv", "json"), shard_rows=65_536
)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of two parts in three formats."""
    folder = tmp_path_factory.mktemp("pristine") / "snapshot"
    write_snapshot(folder, SHARDS)
    return folder


@pytest.fixture(scope="module")
def pristine_trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of branches, of two parts in two formats."""
    folder = tmp_path_factory.mktemp("pristine") / "snapshot"
    write_snapshot(folder, TREES)
    return folder


@pytest.fixture
def snapshot(pristine: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(pristine, tmp_path / "snapshot"))


def _flip(path: Path, needle: bytes) -> None:
    data = path.read_bytes()
    at = data.rindex(needle)
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def edited_part(folder: Path) -> None:
    """Flip a bit near the end of the second part of a CSV file."""
    _flip(folder / "profiles_v0_1.csv" / "part-00001.csv", b"Personal")


def edited_document(folder: Path) -> None:
    """Flip a bit near the end of the JSON document."""
    _flip(folder / "dataset_v0_1.json", b"Personal")


def edited_parquet(folder: Path) -> None:
    """Flip a bit in the first part of a Parquet file."""
    path = folder / "profiles_v0_1.parquet" / "part-00000.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def longer_document(folder: Path) -> None:
    """Put a row twice into the JSON document, signed."""
    path = folder / "dataset_v0_1.json"
    head, separator, tail = path.read_bytes().partition(b"},\n")
    path.write_bytes(head + separator + head[head.rindex(b"\n") + 1 :] + separator + tail)
    sign(folder)


def missing_part(folder: Path) -> None:
    """Take a part away in one format."""
    (folder / "profiles_v0_1.csv" / "part-00000.csv").unlink()


def windows_lines(folder: Path) -> None:
    """Give the second parts of all CSV files, and the JSON document, the line ends of Windows."""
    for path in (*folder.glob("*.csv/part-00001.csv"), folder / "dataset_v0_1.json"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def more_records(folder: Path) -> None:
    """Claim far more records than there are."""
    sign(folder, claims={"records_requested": 2**33})


def whole(folder: Path) -> None:
    """Leave it as it is."""


@pytest.mark.parametrize(
    "edit",
    [
        whole,
        edited_part,
        edited_document,
        edited_parquet,
        longer_document,
        missing_part,
        windows_lines,
        more_records,
    ],
)
def test_many_workers_find_what_one_finds(snapshot: Path, edit: Callable[[Path], None]) -> None:
    """The outcome is the same to the letter, whoever verifies the parts."""
    edit(snapshot)
    one = verify_snapshot(snapshot)
    with ThreadPoolExecutor(3) as executor:
        assert msgspec.to_builtins(one) == msgspec.to_builtins(verify_snapshot(snapshot, executor=executor))
    assert ("passed" if edit is whole else "failed") == one.verdict


def test_worker_processes_find_the_same(pristine: Path, pristine_trees: Path) -> None:
    """Parts and reports pickle: processes of their own verify both datasets as this process does."""
    with WorkerPool(2) as pool:
        for folder in (pristine, pristine_trees):
            dataset = TREE if folder is pristine_trees else None
            one = verify_snapshot(folder, dataset=dataset)
            assert msgspec.to_builtins(one) == msgspec.to_builtins(
                verify_snapshot(folder, dataset=dataset, executor=pool)
            )
            assert "passed" == one.verdict


def test_row_of_a_later_part_is_told_by_its_number_in_the_table(pristine_trees: Path, tmp_path: Path) -> None:
    """A row below a record of the second part is counted from the table's first row, in its own file and in the document."""
    folder = Path(shutil.copytree(pristine_trees, tmp_path / "snapshot"))
    part = next(folder.glob("branches_*.csv")) / "part-00001.csv"
    before = (part.parent / "part-00000.csv").read_bytes().count(b"\n") - 1
    header, first, rest = part.read_bytes().split(b"\n", 2)
    part.write_bytes(b"\n".join([header, first.replace(b"-", b"_", 1), rest]))
    failure = failed(verify_snapshot(folder, dataset=TREE))["synthetic"].first
    assert failure is not None
    assert (before, True) == (failure.row, failure.file.endswith("part-00001.csv"))


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("a value was parsed")


@pytest.fixture
def no_parsers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing parse text."""
    monkeypatch.setattr(text, "_from_text", _refuse)


@pytest.mark.usefixtures("no_parsers")
def test_bytes_of_the_seed_are_not_parsed(pristine: Path) -> None:
    """Where every byte is the seed's no line is parsed, which the outcome says; without regeneration every line is."""
    outcome = verify_snapshot(pristine)
    assert "passed" == outcome.verdict
    notes = next(check.notes for check in outcome.checks if check.name == "schema")
    rows = 66_000 * len(SHARDS.formats)
    assert [f"{rows:,} rows have the very bytes that the seed gives"] == [
        each.split(":")[0] for each in notes
    ]
    with pytest.raises(AssertionError, match="a value was parsed"):
        verify_snapshot(pristine, regenerate=False)


def _with_value(column: Column, value: object) -> Column:
    """Return a column whose first row has another value."""
    match column:
        case FixedText(matrix) if isinstance(value, str) and len(value) == matrix.shape[1]:
            characters = matrix.copy()
            characters[0] = np.frombuffer(value.encode(), dtype=np.uint8)
            return FixedText(characters)
        case Integer(values, low, high) if isinstance(value, int):
            changed = values.copy()
            changed[0] = value
            return Integer(changed, min(low, value), max(high, value))
        case Date(values, low, high) if isinstance(value, int):
            changed = values.copy()
            changed[0] = value
            return replace(column, values=changed, low=min(low, value), high=max(high, value))
        case Categorical() | Concat() | FixedText():
            texts: list[str | None] = [str(value), *column.tolist()[1:]]
            known = sorted(set(texts), key=str)
            return Categorical(
                np.array([known.index(each) for each in texts], dtype=np.int32), Categories(known)
            )
    raise TypeError(f"{value!r} fits no {type(column).__name__}")


@pytest.mark.parametrize(
    ("table", "field", "value", "check"),
    [
        ("persons", "synthetic_source", "production", "synthetic"),
        ("persons", "person_id", "d077d601-7e15-8bb2-b206-58931f997c1c", "synthetic"),
        ("persons", "driver_license_number", "CA20801382166", "integrity"),
        ("persons", "driver_license_number", "ca20801382166", "synthetic"),
        ("persons", "driver_license_number", "XX20801382166", "schema"),
        ("persons", "date_of_birth", day_number(dt.date(2010, 1, 1)), "rules"),
        ("persons", "date_of_birth", day_number(dt.date(1900, 1, 1)), "rules"),
        ("persons", "postal_code", "99999", "rules"),
        ("persons", "postal_code", "9999", "schema"),
        ("persons", "first_name", "Xerxesine", "rules"),
        ("persons", "first_name", "None", "rules"),
        ("persons", "first_name", "", "schema"),
        ("persons", "address_line_1", "12 Elm Street", "rules"),
        ("persons", "address_line_1", "Elsewhere", "rules"),
        ("persons", "address_line_2", "Penthouse", "rules"),
        ("persons", "country", "CA", "schema"),
        ("vehicles", "vin", "1HGCM82633A004352", "synthetic"),
        ("vehicles", "person_id", "d077d601-7e15-8bb2-b206-58931f997c1c", "integrity"),
        ("vehicles", "garaging_postal_code", "00000", "integrity"),
        ("vehicles", "model", "Model T", "rules"),
        ("vehicles", "model_year", 1999, "schema"),
        ("vehicles", "risk_rating", "Extreme", "schema"),
        ("profiles", "full_name", "Jane Doe", "integrity"),
        ("profiles", "full_name", "Jane", "rules"),
        ("profiles", "vehicle_summary", "2017 Honda Civic", "integrity"),
        ("profiles", "primary_vehicle_vin", "0HGCM82633A004352", "rules"),
    ],
)
def test_second_statement_guards_the_generator(
    tmp_path: Path, table: str, field: str, value: object, check: str
) -> None:
    """A rule that gives a wrong value is found among columns that were made, as among values that were read."""
    of = DEFAULT_DATASET.table(table)

    def edit(column: Column) -> Column:
        return _with_value(column, value) if len(column) else column

    with forged(of, [field], edit):
        write_snapshot(tmp_path / "snapshot", SnapshotRequest(formats=ALL), gate=skip)
        outcomes = [verify_snapshot(tmp_path / "snapshot", regenerate=each) for each in (True, False)]
    assert "regenerated" not in failed(outcomes[0])
    made, read = (_of_values(outcome) for outcome in outcomes)
    assert made == read
    assert (0, field) == where(failed(outcomes[0])[check])


def _of_values(outcome: Verification) -> dict[str, tuple[int | None, str | None, int]]:
    """Return where each check of values failed first, and how often."""
    return {
        name: (*where(check), check.failures)
        for name, check in failed(outcome).items()
        if name in ("schema", "synthetic", "integrity", "rules")
    }


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=5),
    st.integers(0, 12),
    st.booleans(),
)
def test_line_ranges_hold_the_lines_of_each_part(rows: list[int], lines: int, ended: bool) -> None:
    """Ranges follow each other, the first have their lines as far as there are any, and the last has what is left."""
    content = b"".join(b"%d\n" % number for number in range(lines))
    content = content if ended else content.removesuffix(b"\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document"
        path.write_bytes(b"[\n" + content + b"]\n")
        ranges, count = line_ranges(path, 2, 2 + len(content), rows)
        data = path.read_bytes()
    found = [data[each.begin : each.end].splitlines() for each in ranges]
    expected, at = [], 0
    for number in rows[:-1]:
        expected.append([b"%d" % each for each in range(at, min(at + number, lines))])
        at = min(at + number, lines)
    expected.append([b"%d" % each for each in range(at, lines)])
    assert (expected, lines) == (found, count)
