"""Snapshots with defects of whole rows: files hold the clean rows but for those that are labelled, in their order."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from defects import csv_rows, fitting, overlay, parquet_rows
from esdh_core import DEFAULT_DATASET, Dataset, RequestError, Table
from esdh_core.overlay import Overlay, value_text
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import load_plan
from esdh_plan.defects.overlay import ROW_KINDS
from hypothesis import given, settings
from hypothesis import strategies as st

BANK = load_plan("bank")
EVERY = {
    dataset.dataset_version: [
        defect
        for kind in ROW_KINDS
        if kind != "ragged_row"  # of text alone: test_file_defects.py
        for defect in fitting(dataset, kind)
    ]
    for dataset in (DEFAULT_DATASET, BANK)
}
CELLS = {
    "v0.1": ({"kind": "typo", "table": "persons", "field": "last_name"},),
    "bank v1": (
        {"kind": "typo", "table": "customers", "field": "city"},
        {"kind": "typo", "table": "merchants", "field": "name"},
    ),
}
MOVING = (
    {"kind": "typo", "table": "persons", "field": "last_name", "rate": "5%"},
    {"kind": "missing_row", "table": "vehicles", "rate": "3%"},
    {"kind": "duplicate_row", "table": "persons", "rate": "3%"},
    {"kind": "near_duplicate", "table": "persons", "rate": "3%"},
    {"kind": "reordered", "table": "persons", "rate": "3%"},
)
Row = tuple[str | None, ...]


@settings(max_examples=15, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000), records=st.integers(1, 150))
def test_files_hold_the_clean_rows_but_for_those_with_a_label(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, seed: int, records: int
) -> None:
    """The rows of every format follow from the clean ones and the labels; only reordered ones stand elsewhere, and earlier."""
    dataset = {"v0.1": DEFAULT_DATASET, "bank v1": BANK}[data.draw(st.sampled_from([*EVERY]))]
    known = [*EVERY[dataset.dataset_version], *CELLS[dataset.dataset_version]]
    numbers = data.draw(st.lists(st.integers(0, len(known) - 1), min_size=1, max_size=8, unique=True))
    rates = data.draw(st.lists(st.sampled_from(["1/3", "5%", 1]), min_size=8, max_size=8))
    chosen = [{**known[number], "rate": rate} for number, rate in zip(numbers, rates, strict=False)]
    _hold_snapshot(tmp_path_factory.mktemp("snapshots"), dataset, chosen, records=records, seed=seed)


@pytest.mark.parametrize("dataset", [DEFAULT_DATASET, BANK], ids=lambda dataset: dataset.dataset_version)
def test_all_kinds_at_once(tmp_path: Path, dataset: Dataset) -> None:
    """A row may be struck by every kind, and each of them is labelled."""
    every = [*EVERY[dataset.dataset_version], *CELLS[dataset.dataset_version]]
    _hold_snapshot(tmp_path, dataset, [{**defect, "rate": "30%"} for defect in every], records=200, seed=5)


def test_blocks_are_joined_of_several_steps(tmp_path: Path) -> None:
    """A table whose blocks are made some records at a time has its rows where they belong."""
    defects = [
        {"kind": kind, "table": "customers", "rate": "5%"}
        for kind in ("missing_row", "duplicate_row", "reordered", "near_duplicate")
    ]
    _hold_snapshot(tmp_path, BANK, [*defects, {**CELLS["bank v1"][0], "rate": "5%"}], records=5_000, seed=5)


def _hold_snapshot(
    base: Path, dataset: Dataset, defects: list[dict[str, Any]], *, records: int, seed: int
) -> None:
    """Hold the files of a snapshot against the clean rows, the labels, and each other."""
    of = overlay(dataset, *defects)
    folder = base / "dirty"
    request = SnapshotRequest(
        dataset=dataset, records=records, seed=seed, formats=("csv", "json", "ndjson", "parquet"), defects=of
    )
    manifest = write_snapshot(folder, request).manifest
    header, *lines = csv_rows(folder / manifest.files["defects_csv"])
    labels = [dict(zip(map(str, header), line, strict=True)) for line in lines]
    document = msgspec.json.decode((folder / manifest.files["dataset_json"]).read_bytes())
    for table in dataset.tables:
        _, *rows = csv_rows(folder / manifest.files[f"{table.name}_csv"])
        found = [tuple(row) for row in rows]
        assert manifest.record_counts[table.name] == len(found)
        of_table = [label for label in labels if label["table"] == table.name]
        _hold(dataset, table, found, of_table, records=records, seed=seed)
        ndjson = (folder / manifest.files[f"{table.name}_ndjson"]).read_bytes().splitlines()
        assert list(map(msgspec.json.decode, ndjson)) == document[table.name]
        texts = [tuple(_text(value) for value in row.values()) for row in document[table.name]]
        assert texts == [tuple(_text(value) for value in row) for row in found]
        typed = parquet_rows(folder / manifest.files[f"{table.name}_parquet"])
        assert [tuple(value_text(value) for value in row.values()) for row in typed] == found


def _text(value: Any) -> str | None:
    """Return a value as a text that JSON's numbers and CSV's have in common."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return str(float(value))
    except (TypeError, ValueError):
        return None if value is None else str(value)


def _hold(
    dataset: Dataset,
    table: Table,
    found: list[Row],
    labels: list[dict[str, str | None]],
    *,
    records: int,
    seed: int,
) -> None:
    """Hold the rows of a file against the clean ones with what their labels say."""
    clean = _clean(dataset, table, records, seed)
    kinds = Counter((label["slot"], label["kind"]) for label in labels if label["field"] is None)
    cells = {(label["slot"], str(label["field"])): label["found"] for label in labels if label["field"]}
    seconds: dict[str | None, list[str | None]] = {}
    for label in labels:
        if label["kind"] == "near_duplicate" and label["field"] is None:
            seconds.setdefault(str(label["cluster"]).rpartition("#")[2], []).append(label["slot"])
    moved: Counter[Row] = Counter()
    expected: list[Row] = []
    for slot, row in clean.items():
        wrong = tuple(cells.get((slot, name), value) for name, value in zip(table.fields, row, strict=True))
        times = 0 if kinds[slot, "missing_row"] else 1 + kinds[slot, "duplicate_row"]
        written = [wrong] * times
        for second in seconds.get(slot, []):
            fresh = _fresh(dataset, table, int(str(second)), seed)
            written.append(
                tuple(
                    cells.get((second, name), fresh.get(name, value))
                    for name, value in zip(table.fields, row, strict=True)
                )
            )
        if kinds[slot, "reordered"]:
            moved.update(written)
        expected += written
    assert Counter(found) == Counter(expected)
    assert [row for row in found if row not in moved] == [row for row in expected if row not in moved]
    for row in moved:
        after, before = (
            sum(each not in moved for each in rows[: rows.index(row)]) for rows in (found, expected)
        )
        assert after <= before


def _clean(dataset: Dataset, table: Table, records: int, seed: int) -> dict[str, Row]:
    block = dataset.block_of(table, dataset.block(0, records, seed))
    columns = [column.tolist() for column in table.columns(block).values()]
    rows = zip(*columns, strict=True)
    slots = block.level(table).slots.tolist()
    return {str(slot): tuple(map(value_text, row)) for slot, row in zip(slots, rows, strict=True)}


def _fresh(dataset: Dataset, table: Table, slot: int, seed: int) -> dict[str, str | None]:
    """Return the unique values of a second row: its id says its slot, the others are those of its own record."""
    own: dict[str, str | None] = {}
    for rule in table.rules:
        if rule.role == "id":
            texts = dataset.ids.texts(seed, table.entity, np.array([slot], dtype=np.uint64))
            own[rule.name] = texts.tobytes().decode()
        elif rule.role == "unique":
            (row,) = dataset.rows(table.name, 1, seed, slot)
            own[rule.name] = value_text(getattr(row, rule.name))
    return own


def test_a_row_moves_within_its_group_or_among_its_siblings() -> None:
    """No row leaves its 64 records, or its parent, so that no part and no block has rows of another."""
    of = overlay(DEFAULT_DATASET, {"kind": "reordered", "table": "persons", "rate": "30%"})
    order = of.apply(DEFAULT_DATASET.table("persons"), DEFAULT_DATASET.block(0, 1000, 4)).edits.order
    assert order is not None
    assert (order // 64 == np.arange(1000) // 64).all()
    assert sorted(order.tolist()) == list(range(1000)) != order.tolist()
    table = BANK.table("accounts")
    block = BANK.block(0, 300, 4)
    moved = overlay(BANK, {"kind": "reordered", "table": "accounts", "rate": "30%"}).apply(table, block)
    parents = block.level(table).parents
    assert parents is not None
    assert moved.edits.order is not None
    assert (parents[moved.edits.order] == parents).all()
    assert len({label.slot for label in moved.labels}) == len(moved.labels) > 5


def test_reordered_rows_stand_as_many_places_earlier_as_there_are() -> None:
    """The first row of a group isn't moved, and one of `exactly` takes a row that can be."""
    of = overlay(DEFAULT_DATASET, {"kind": "reordered", "table": "persons", "exactly": 1})
    rows = of.apply(DEFAULT_DATASET.table("persons"), DEFAULT_DATASET.block(0, 5, 4))
    assert [label.slot for label in rows.labels] == [1]
    assert rows.edits.order is not None
    assert rows.edits.order.tolist() == [1, 0, 2, 3, 4]


def test_orphans_refer_to_nothing() -> None:
    """What an orphan holds is no key of the table that it refers to, however many records there are."""
    for dataset in (DEFAULT_DATASET, BANK):
        for defect in fitting(dataset, "orphan"):
            table = dataset.table(defect["table"])
            (rule,) = (rule for rule in table.rules if rule.name == defect["field"])
            source = dataset.reference(rule)
            assert source is not None
            block = dataset.block(0, 400, 9)
            keys = set(source.rule.column(dataset.block_of(source.table, block)).tolist())
            labels = (
                overlay(dataset, {**defect, "rate": 1}).apply(table, dataset.block_of(table, block)).labels
            )
            assert labels
            assert not {label.found for label in labels} & {value_text(key) for key in keys}
            assert {label.clean for label in labels} <= {value_text(key) for key in keys}


def test_double_keys_are_those_of_a_neighbour() -> None:
    """`duplicate_key` writes the key of the row before, or of a sibling, also where the row is made alone."""
    for dataset in (DEFAULT_DATASET, BANK):
        for defect in fitting(dataset, "duplicate_key"):
            table = dataset.table(defect["table"])
            of = overlay(dataset, {**defect, "rate": 1})
            block = dataset.block_of(table, dataset.block(0, 40, 9))
            labels = of.apply(table, block).labels
            clean = [label.clean for label in labels]
            (rule,) = (rule for rule in table.rules if rule.name == defect["field"])
            keys = [value_text(value) for value in rule.column(block).tolist()]
            assert labels
            for label in labels:
                at = keys.index(label.clean)
                assert label.found in keys[max(at - 1, 0) : at] + keys[at + 1 : at + 2]
            if not table.is_fixed:
                alone = of.apply(table, dataset.block(7, 1, 9)).labels
                assert alone == [label for label in labels if label.record == 7]
            assert len(set(clean)) == len(clean)


def test_near_duplicates_are_edited_as_often_as_is_said() -> None:
    """`edits` and `fields` say how many and which fields of the second row are otherwise."""
    defect = {"kind": "near_duplicate", "table": "persons", "rate": "20%"}
    persons, block = DEFAULT_DATASET.table("persons"), DEFAULT_DATASET.block(0, 400, 2)
    for edits in (1, 2, 4):
        labels = overlay(DEFAULT_DATASET, {**defect, "edits": edits}).apply(persons, block).labels
        counted = Counter(label.cluster for label in labels if label.field is not None)
        assert set(counted.values()) == {edits}
        assert len(counted) == sum(label.field is None for label in labels) > 40
    some = overlay(DEFAULT_DATASET, {**defect, "edits": [2, 5]}).apply(persons, block).labels
    assert {2, 5} == set(Counter(label.cluster for label in some if label.field is not None).values())
    named = overlay(DEFAULT_DATASET, {**defect, "fields": ["city"]}).apply(persons, block).labels
    assert {label.field for label in named} == {None, "city"}
    drawn = Counter(
        label.cluster
        for label in overlay(DEFAULT_DATASET, defect).apply(persons, block).labels
        if label.field
    )
    assert set(drawn.values()) == {1, 2, 3}


def test_workers_and_shards_change_no_byte(tmp_path: Path) -> None:
    """Parts side by side have the rows of one file one after another, wherever rows are inserted, left out or moved."""
    of = overlay(DEFAULT_DATASET, *MOVING)
    asked: dict[str, Any] = {"records": 140_000, "seed": 3, "formats": ("csv", "parquet"), "defects": of}
    request = SnapshotRequest(shard_rows=65_536, **asked)
    with ThreadPoolExecutor(2) as executor:
        side_by_side = write_snapshot(tmp_path / "a", request, executor=executor).manifest
    assert side_by_side == write_snapshot(tmp_path / "b", request).manifest
    whole = write_snapshot(tmp_path / "c", SnapshotRequest(**asked)).manifest
    assert whole.record_counts == side_by_side.record_counts
    assert {**whole.content, "defects": None} == {**side_by_side.content, "defects": None}
    for table in ("persons", "vehicles", "defects"):
        parts = sorted((tmp_path / "a" / f"{table}_v0_1.csv").iterdir())
        lines = [line for part in parts for line in part.read_bytes().splitlines()[1:]]
        assert lines == (tmp_path / "c" / f"{table}_v0_1.csv").read_bytes().splitlines()[1:]
    typed = parquet_rows(tmp_path / "c" / "persons_v0_1.parquet")
    _, *rows = csv_rows(tmp_path / "c" / "persons_v0_1.csv")
    assert [[value_text(value) for value in row.values()] for row in typed] == rows


def test_a_table_may_lose_every_row(tmp_path: Path) -> None:
    """A table whose rows are all missing has a file without rows in every format."""
    of = overlay(DEFAULT_DATASET, {"kind": "missing_row", "table": "persons", "rate": 1})
    request = SnapshotRequest(records=3, formats=("csv", "json", "ndjson", "parquet"), defects=of)
    manifest = write_snapshot(tmp_path / "dirty", request).manifest
    assert manifest.record_counts["persons"] == 0
    assert parquet_rows(tmp_path / "dirty" / "persons_v0_1.parquet") == []
    assert len(csv_rows(tmp_path / "dirty" / "persons_v0_1.csv")) == 1


def test_second_rows_need_records_that_no_snapshot_has() -> None:
    """Where more than a quarter of the records that there can be are asked for, near duplicates and orphans are refused."""
    defect = {"kind": "near_duplicate", "table": "persons", "rate": "1%"}
    of = overlay(DEFAULT_DATASET, defect)
    most = DEFAULT_DATASET.max_records // 4
    of.check_places(DEFAULT_DATASET.tables, most, 1)
    with pytest.raises(RequestError, match=r"persons!near_duplicate takes .* ask for 2,147,483,648 at most"):
        of.check_places(DEFAULT_DATASET.tables, most + 1, 1)


def test_switching_a_defect_off_leaves_the_rows_of_the_others() -> None:
    """Labels of one defect of rows are the same with and without the others."""
    every = [{**defect, "rate": "30%"} for defect in EVERY["bank v1"]]
    block = BANK.block(0, 60, 11)

    def ids(of: Overlay) -> set[str]:
        return {
            label.defect_id
            for table in BANK.tables
            for label in of.apply(table, BANK.block_of(table, block)).labels
        }

    whole = ids(overlay(BANK, *every))
    assert whole == set().union(*(ids(overlay(BANK, each)) for each in every))
