"""A dataset is a value: a second one, of other tables, fields and ids, goes the whole way that the first one goes.

tests/api/test_dataset.py goes on from here, with the API's other calls, OpenAPI and the page in a browser.
"""

import csv
import json
import shutil
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import LEDGER
from esdh_api import Settings, create_app
from esdh_core import BLOCK_RECORDS, Table, decode_id, generate_bundle, generate_columns, reproduce_record
from esdh_core.columns import Column
from esdh_export import GateError, SnapshotRequest, write_snapshot
from esdh_export.execution.worker_pool import WorkerPool
from esdh_manifest import files_below
from esdh_proof import diff_snapshots, judge, verify_snapshot
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins
from tampering import failed, forged, where

FORMATS = ("csv", "json", "ndjson", "parquet")
TABLES = [table.name for table in LEDGER.tables]
RECORDS = 80
SEED = 11
LARGE = SnapshotRequest(  # two parts a table, and blocks that aren't full
    dataset=LEDGER, records=BLOCK_RECORDS + 100, seed=SEED, formats=FORMATS, shard_rows=BLOCK_RECORDS
)
EVERY_FORMAT = pytest.mark.parametrize("name", FORMATS)
EVERY_FIELD = pytest.mark.parametrize(
    ("table", "field"),
    [
        (table, rule.name)
        for table in LEDGER.tables
        for rule in table.rules
        if rule.role != "marker"  # which has one value, so that there is no other to put in its place
    ],
    ids=lambda each: getattr(each, "name", each),
)


def write(folder: Path, records: int = RECORDS, seed: int = SEED, **options: Any) -> Path:
    """Write a snapshot of the second dataset, judged by its gates."""
    request = SnapshotRequest(dataset=LEDGER, records=records, seed=seed, **options)
    write_snapshot(folder, request, gate=partial(judge, dataset=LEDGER))
    return folder


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot in every format."""
    return write(tmp_path_factory.mktemp("value") / "snapshot", formats=FORMATS)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of some parts, as one process writes it."""
    folder = tmp_path_factory.mktemp("alone") / "snapshot"
    write_snapshot(folder, LARGE)
    return folder


def read(folder: Path, table: str, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table out of one format, by readers that share nothing with the writers."""
    if name == "json":
        document: dict[str, Any] = json.loads((folder / "dataset_ledger_v1.json").read_bytes())
        return list(document[table])
    path = folder / f"{table}_ledger_v1.{name}"
    if name == "parquet":
        return list(to_builtins(pq.read_table(path).to_pylist()))
    if name == "ndjson":
        return [json.loads(line) for line in path.read_bytes().splitlines()]
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@EVERY_FORMAT
def test_files_hold_the_rows(snapshot: Path, name: str) -> None:
    """Each format gives back the rows that core generates, whatever their texts need to be quoted or escaped."""
    bundle: Any = to_builtins(generate_bundle(RECORDS, SEED, dataset=LEDGER))
    for table in TABLES:
        rows = bundle[table]
        if name == "csv":  # Python's reader gives texts, and the empty one for a null
            rows = [
                {field: "" if value is None else str(value) for field, value in row.items()} for row in rows
            ]
        assert rows == read(snapshot, table, name)


@pytest.mark.parametrize(
    "options",
    [
        {"records": 1, "formats": FORMATS},
        {"formats": FORMATS},
        {"formats": ("ndjson",), "entities": ("parcels",)},
        {"formats": ("csv", "parquet"), "records": BLOCK_RECORDS + 1, "shard_rows": BLOCK_RECORDS},
    ],
    ids=["one", "whole", "parcels", "parts"],
)
@pytest.mark.parametrize("regenerate", [True, False])
def test_whole_snapshot_passes(tmp_path: Path, options: dict[str, Any], regenerate: bool) -> None:
    """A snapshot as it was written passes every check, in any layout; every row is looked at in every format."""
    outcome = verify_snapshot(write(tmp_path / "s", **options), dataset=LEDGER, regenerate=regenerate)
    assert {} == failed(outcome)
    rows = options.get("records", RECORDS) * len(options["formats"]) * len(options.get("entities", TABLES))
    assert {rows} == {check.rows for check in outcome.checks if check.name in ("schema", "rules", "formats")}


@EVERY_FORMAT
@EVERY_FIELD
def test_edited_value_is_found_though_signed(tmp_path: Path, table: Table, field: str, name: str) -> None:
    """A value that another row has is found in its row, in every field and format, though all is signed again."""
    values = table._rules[field].column(LEDGER.block(0, RECORDS, SEED)).tolist()
    row = len(values) // 2
    other = next(at for at, value in enumerate(values) if value != values[row])

    def borrow(column: Column) -> Column:
        rows = np.arange(len(column))
        if len(rows) == RECORDS:
            rows[row] = other
        return column.take(rows)

    with forged(table, [field], borrow):
        folder = write(tmp_path / "s", formats=(name,), entities=(table.name,))
    found = failed(verify_snapshot(folder, dataset=LEDGER))
    assert (row, field) == where(found["regenerated"])
    assert "files" not in found


@EVERY_FORMAT
def test_copy_that_differs_is_found(tmp_path: Path, name: str) -> None:
    """A reference to another row is found from the files alone, without what the seed gives."""
    with forged(LEDGER.table("parcels"), ["sender"], lambda column: column.take(_swap(column))):
        folder = write(tmp_path / "s", formats=(name,))
    found = failed(verify_snapshot(folder, dataset=LEDGER, regenerate=False))
    assert (0, "sender") == where(found["integrity"])


def _swap(column: Column) -> Any:
    rows = np.arange(len(column))
    rows[:2] = rows[:2][::-1]
    return rows


@EVERY_FORMAT
def test_edited_file_is_found(snapshot: Path, tmp_path: Path, name: str) -> None:
    """A byte that is changed in a file is found by its checksum."""
    folder = Path(shutil.copytree(snapshot, tmp_path / "s"))
    file = "dataset_ledger_v1.json" if name == "json" else f"parcels_ledger_v1.{name}"
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / file).write_bytes(data)
    first = failed(verify_snapshot(folder, dataset=LEDGER))["files"].first
    assert first is not None
    assert file == first.file


def test_counts_that_are_not_the_plans_are_refused(tmp_path: Path) -> None:
    """A snapshot whose countries aren't as the dataset declares them isn't written, and one without gates is found."""
    refused = tmp_path / "refused"
    with forged(
        LEDGER.table("suppliers"), ["country"], lambda column: column.take(np.zeros(len(column), int))
    ):
        with pytest.raises(GateError):
            write(refused, records=5_000)
        assert not refused.exists()
        write_snapshot(tmp_path / "s", SnapshotRequest(dataset=LEDGER, records=5_000, seed=SEED))
    assert "fidelity" in failed(verify_snapshot(tmp_path / "s", dataset=LEDGER, regenerate=False))


def test_drift_has_its_cause(snapshot: Path, tmp_path: Path) -> None:
    """Snapshots differ by nothing, by their seed, by their size of which one is the beginning, or by an edited row."""
    cause = partial(diff_snapshots, snapshot, dataset=LEDGER)
    assert "none" == cause(snapshot).cause
    assert "seed" == cause(write(tmp_path / "seed", seed=SEED + 1)).cause
    larger = cause(write(tmp_path / "larger", records=RECORDS + 5, formats=("parquet",)))
    assert ("size", True) == (larger.cause, larger.prefix)
    with forged(LEDGER.table("parcels"), ["grams"], lambda column: column.take(_swap(column))):
        edited = cause(write(tmp_path / "edited", formats=("ndjson",)))
    rows = next(each for each in edited.rows if each.entity == "parcels")
    assert ("edited", {"grams"}, 2) == (edited.cause, set(rows.fields), sum(rows.fields.values()))


def test_every_id_of_the_files_leads_to_its_record(snapshot: Path) -> None:
    """An id that was read from a file decodes to seed, table and slot, and gives the record, from itself alone."""
    bundle = {name: read(snapshot, name, "ndjson") for name in TABLES}
    for table in LEDGER.tables:
        field = table.field_with("id")
        for number, row in enumerate(bundle[table.name]):
            origin = decode_id(row[str(field)], dataset=LEDGER)
            assert (SEED, table.name, number) == (origin.seed, origin.entity, origin.index)
            record = reproduce_record(row[str(field)], dataset=LEDGER)
            assert {name: rows[number] for name, rows in bundle.items()} == {
                each.entity: to_builtins(getattr(record, each.entity)) for each in LEDGER.tables
            }


@pytest.mark.parametrize(
    ("accept", "name"), [("text/csv", "csv"), ("application/x-ndjson", "ndjson")], ids=["csv", "ndjson"]
)
def test_the_api_answers_with_the_bytes_of_the_files(snapshot: Path, accept: str, name: str) -> None:
    """A table that is asked for in a snapshot's format is its file, byte for byte."""
    client = create_app(Settings(), dataset=LEDGER).test_client()
    for table in TABLES:
        answer = client.post(
            f"/generate/{table}", json={"records": RECORDS, "seed": SEED}, headers={"Accept": accept}
        )
        assert (snapshot / f"{table}_ledger_v1.{name}").read_bytes() == answer.data


@pytest.mark.parametrize(
    "executor", [lambda: ThreadPoolExecutor(3), lambda: WorkerPool(2)], ids=["3 threads", "2 processes"]
)
def test_any_workers_write_the_same_bytes(alone: Path, tmp_path: Path, executor: type[Executor]) -> None:
    """Threads and processes write every file as one process does: the dataset travels to them by its location."""
    with executor() as pool:
        write_snapshot(tmp_path / "s", LARGE, executor=pool)
    assert {} == failed(verify_snapshot(alone, dataset=LEDGER))
    assert files_below(alone) == files_below(tmp_path / "s")
    for path in files_below(alone):
        assert (alone / path).read_bytes() == (tmp_path / "s" / path).read_bytes(), path


@given(
    seed=st.integers(0, 2**53 - 1),
    start=st.integers(0, 2 * BLOCK_RECORDS) | st.integers(BLOCK_RECORDS - 20, BLOCK_RECORDS),
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=4),
)
def test_any_windows_have_the_same_values(seed: int, start: int, counts: list[int]) -> None:
    """Records that come in several windows are those that come in one, across the bounds of blocks too."""
    whole = generate_columns(start, sum(counts), seed, dataset=LEDGER)
    begin = 0
    for count in counts:
        part = generate_columns(start + begin, count, seed, dataset=LEDGER)
        for table in TABLES:
            for field, column in whole[table].items():
                assert column.tolist()[begin : begin + count] == part[table][field].tolist()
        begin += count
