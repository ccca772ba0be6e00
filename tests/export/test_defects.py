"""Snapshots with defects: what isn't labelled is as ever, byte for byte, and what is labelled is wrong."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.csv as pc
import pytest
from defects import csv_rows, fitting, overlay, parquet_rows
from esdh_core import DEFAULT_DATASET, Dataset, RequestError
from esdh_core.overlay import LABELS, Overlay, value_text
from esdh_export import ExportError, SnapshotRequest, write_snapshot
from esdh_manifest import Manifest
from esdh_plan import load_plan
from esdh_plan.defects.overlay import FIELD_KINDS
from hypothesis import given, settings
from hypothesis import strategies as st

BANK = load_plan("bank")
TEXT = ("csv", "json", "ndjson")
EVERY = {
    dataset.dataset_version: [
        defect
        for kind in FIELD_KINDS
        if kind not in ("bad_encoding", "bad_quoting")  # whose files no reader reads: test_file_defects.py
        for defect in fitting(dataset, kind)
    ]
    for dataset in (DEFAULT_DATASET, BANK)
}
MANY = (
    {"kind": "typo", "table": "persons", "field": "last_name", "rate": "5%"},
    {"kind": "missing", "table": "persons", "field": "last_name", "rate": "5%"},
    {"kind": "wrong_type", "table": "persons", "field": "date_of_birth", "rate": "5%"},
    {"kind": "stale_copy", "table": "profiles", "field": "city", "rate": "5%"},
    {"kind": "bad_check_digit", "table": "vehicles", "field": "vin", "rate": "5%"},
    {"kind": "out_of_range", "table": "vehicles", "field": "model_year", "exactly": 3},
)


def _write(
    folder: Path, defects: Overlay | None, dataset: Dataset = DEFAULT_DATASET, **asked: Any
) -> Manifest:
    request = SnapshotRequest(dataset=dataset, defects=defects, **asked)
    return write_snapshot(folder, request).manifest


def _table(folder: Path, manifest: Manifest, table: str, extension: str = "csv") -> Path:
    return folder / manifest.files[f"{table}_{extension}"]


def _labels(folder: Path, manifest: Manifest) -> list[dict[str, str | None]]:
    header, *rows = csv_rows(_table(folder, manifest, "defects"))
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def _slots(dataset: Dataset, table: str, records: int, seed: int) -> list[str]:
    of = dataset.table(table)
    return [
        str(slot) for slot in dataset.block_of(of, dataset.block(0, records, seed)).level(of).slots.tolist()
    ]


@settings(max_examples=15, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000), records=st.integers(1, 40))
def test_labels_are_exactly_what_differs_from_the_clean_snapshot(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, seed: int, records: int
) -> None:
    """In every format a cell has a label just where it differs, and the label says both values; all else has its bytes."""
    dataset = data.draw(st.sampled_from([DEFAULT_DATASET, BANK]))
    known = EVERY[dataset.dataset_version]
    numbers = data.draw(st.lists(st.integers(0, len(known) - 1), min_size=1, max_size=8, unique=True))
    formats = data.draw(st.sampled_from([TEXT, (*TEXT, "parquet")]))
    chosen = [
        {**known[number], "rate": rate}
        for number, rate in zip(
            numbers, data.draw(st.lists(st.sampled_from(["1/3", 1]), min_size=8, max_size=8)), strict=False
        )
        if formats == TEXT or known[number]["kind"] != "wrong_type"
    ]
    _hold(tmp_path_factory.mktemp("snapshots"), dataset, chosen, records=records, seed=seed, formats=formats)


@pytest.mark.parametrize("formats", [TEXT, ("csv", "json", "ndjson", "parquet")], ids=["text", "typed"])
@pytest.mark.parametrize("dataset", [DEFAULT_DATASET, BANK], ids=lambda dataset: dataset.dataset_version)
def test_every_kind_on_every_field_at_once(
    tmp_path: Path, dataset: Dataset, formats: tuple[str, ...]
) -> None:
    """All defects that fit a dataset, many of them in one cell, are labelled in every format that can hold them."""
    every = [
        {**defect, "rate": "15%"}
        for defect in EVERY[dataset.dataset_version]
        if formats == TEXT or defect["kind"] != "wrong_type"
    ]
    _hold(tmp_path, dataset, every, records=60, seed=5, formats=formats)


def _hold(
    base: Path,
    dataset: Dataset,
    defects: list[dict[str, Any]],
    *,
    records: int,
    seed: int,
    formats: tuple[str, ...],
) -> None:
    """Hold a snapshot with defects against the clean one: labels, values and bytes."""
    pairs: set[frozenset[str]] = set()
    chosen = []
    for defect in defects:
        pair = frozenset((defect["table"], defect["field"], str(defect.get("with"))))
        if defect["kind"] != "swapped_fields" or pair not in pairs:
            chosen.append(defect)
            pairs.add(pair)
    asked: dict[str, Any] = {"dataset": dataset, "records": records, "seed": seed, "formats": formats}
    clean = _write(base / "clean", None, **asked)
    manifest = _write(base / "dirty", overlay(dataset, *chosen), **asked)

    labels = _labels(base / "dirty", manifest)
    known_cells = {(each["table"], each["slot"], each["field"]): each for each in labels}
    assert manifest.defects
    assert sum(manifest.defects.kinds.values()) == len(labels) == manifest.record_counts["defects"]
    differing = {}
    for table in dataset.tables:
        name, slots = table.name, _slots(dataset, table.name, records, seed)
        header, *ours = csv_rows(_table(base / "clean", clean, name))
        _, *theirs = csv_rows(_table(base / "dirty", manifest, name))
        wrong_rows = set()
        for number, (slot, before, after) in enumerate(zip(slots, ours, theirs, strict=True)):
            for field, one, other in zip(map(str, header), before, after, strict=True):
                if one != other:
                    differing[name, slot, field] = (other, one)
                    wrong_rows.add(number)
        for extension in ("csv", "ndjson"):
            lines = [
                _table(base / of, each, name, extension).read_bytes().split(b"\n")
                for of, each in (("clean", clean), ("dirty", manifest))
            ]
            first = extension == "csv"
            changed = {
                line - first for line, (one, other) in enumerate(zip(*lines, strict=True)) if one != other
            }
            assert changed == wrong_rows
        if "parquet" in formats:
            rows = parquet_rows(_table(base / "dirty", manifest, name, "parquet"))
            assert [[value_text(value) for value in row.values()] for row in rows] == theirs
    assert {cell: (each["found"], each["clean"]) for cell, each in known_cells.items()} == differing
    document = json.loads((base / "dirty" / manifest.files["dataset_json"]).read_bytes())
    assert [{**each, "slot": str(each["slot"])} for each in document["defects"]] == labels


def test_switching_a_defect_off_changes_the_labels_of_no_other() -> None:
    """Each defect has the same labels whatever others there are, also where two strike one cell."""
    every = [{**defect, "rate": "30%"} for defect in EVERY["bank v1"] if defect["kind"] != "swapped_fields"]
    block = BANK.block(0, 60, 11)

    def cells(of: Overlay) -> set[tuple[str, str | None]]:
        return {
            (label.defect_id, label.clean)
            for table in BANK.tables
            for label in of.apply(table, BANK.block_of(table, block)).labels
        }

    whole = cells(overlay(BANK, *every))
    assert len(whole) > 1000
    for number in range(0, len(every), 75):
        without = cells(overlay(BANK, *every[:number], *every[number + 1 :]))
        key = f"{every[number]['table']}.{every[number]['field']}!{every[number]['kind']}#"
        assert without == {label for label in whole if not label[0].startswith(key)}
        assert whole - without == cells(overlay(BANK, every[number]))


def test_a_clean_snapshot_says_nothing_of_defects(tmp_path: Path) -> None:
    """Without defects the manifest has neither `clean` nor `defects`, and there is no further file."""
    manifest = _write(tmp_path / "clean", None, records=5)
    text = (tmp_path / "clean" / "snapshot_manifest_v0_1.json").read_text(encoding="utf-8")
    assert '"clean"' not in text
    assert '"defects"' not in text
    assert not [name for name in manifest.files.values() if "overlay" in name or name.startswith("defects")]


def test_the_snapshot_says_that_it_isnt_clean(tmp_path: Path) -> None:
    """Manifest, README, data package and Croissant say that something is wrong, and where the labels are."""
    _write(tmp_path / "dirty", overlay(DEFAULT_DATASET, *MANY), records=200)
    manifest, package, croissant = (
        json.loads((tmp_path / "dirty" / name).read_bytes())
        for name in ("snapshot_manifest_v0_1.json", "datapackage.json", "croissant.json")
    )
    assert manifest["clean"] is False
    assert manifest["defects"]["kinds"]["out_of_range"] == 3
    first = (tmp_path / "dirty" / "README_SNAPSHOT_V0_1.md").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("**NOT CLEAN: cells, rows or files are wrong on purpose (")
    assert package["esdh"]["clean"] is False
    assert "defects-csv" in {each["name"] for each in package["resources"]}
    assert "defects" in {each["name"] for each in croissant["recordSet"]}
    assert package["description"].startswith("Not clean: defects lists what is wrong")
    assert croissant["description"].startswith("Not clean: defects lists what is wrong")


def test_the_statistics_are_of_the_clean_rows(tmp_path: Path) -> None:
    """What is counted, and held against the plan, are the rows without their defects."""
    clean = _write(tmp_path / "clean", None, records=300)
    dirty = _write(
        tmp_path / "dirty",
        overlay(DEFAULT_DATASET, {"kind": "bad_enum", "table": "persons", "field": "state", "rate": 1}),
        records=300,
    )
    assert clean.stats == dirty.stats


def test_workers_and_shards_change_no_byte(tmp_path: Path) -> None:
    """Shards written side by side have the bytes of shards one after another, and all labels their order without shards."""
    defects = overlay(DEFAULT_DATASET, *MANY)
    asked: dict[str, Any] = {"records": 140_000, "seed": 3, "formats": ("csv",), "defects": defects}
    request = SnapshotRequest(shard_rows=65_536, **asked)
    with ThreadPoolExecutor(2) as executor:
        side_by_side = write_snapshot(tmp_path / "a", request, executor=executor).manifest
    in_turn = write_snapshot(tmp_path / "b", request).manifest
    assert side_by_side == in_turn
    whole = write_snapshot(tmp_path / "c", SnapshotRequest(**asked)).manifest
    parts = sorted((tmp_path / "a" / "defects_v0_1.csv").iterdir())
    assert len(parts) == 3
    lines = [line for part in parts for line in part.read_bytes().splitlines()[1:]]
    assert lines == (tmp_path / "c" / "defects_v0_1.csv").read_bytes().splitlines()[1:]
    assert whole.record_counts == in_turn.record_counts
    people = [
        line
        for part in sorted((tmp_path / "a" / "persons_v0_1.csv").iterdir())
        for line in part.read_bytes().splitlines()[1:]
    ]
    assert people == (tmp_path / "c" / "persons_v0_1.csv").read_bytes().splitlines()[1:]


def test_many_rows_are_read_back_as_they_are_labelled(tmp_path: Path) -> None:
    """Past the rows that are put together in Python, too, each cell stands where its label says."""
    manifest = _write(tmp_path / "dirty", overlay(DEFAULT_DATASET, *MANY), records=30_000, formats=("csv",))
    header, *rows = csv_rows(_table(tmp_path / "dirty", manifest, "persons"))
    labels = [each for each in _labels(tmp_path / "dirty", manifest) if each["table"] == "persons"]
    assert len(labels) > 3000
    for label in labels:
        assert rows[int(str(label["slot"]))][header.index(label["field"])] == label["found"]


def test_a_rate_is_the_share_of_the_rows() -> None:
    """Of 50,000 rows a rate of 2% strikes 1,000, within five standard deviations, and each row is drawn alone."""
    some = {"kind": "shifted_date", "table": "persons", "field": "date_of_birth", "rate": "2%"}
    of = overlay(DEFAULT_DATASET, some)
    persons = DEFAULT_DATASET.table("persons")
    struck = {label.slot for label in of.apply(persons, DEFAULT_DATASET.block(0, 50_000, 1)).labels}
    assert abs(len(struck) - 1000) < 5 * (50_000 * 0.02 * 0.98) ** 0.5
    alone = {label.slot for label in of.apply(persons, DEFAULT_DATASET.block(777, 50, 1)).labels}
    assert alone == {slot for slot in struck if slot is not None and 777 <= slot < 827}


@pytest.mark.parametrize("records", [200, 70_000])
def test_exactly_takes_the_first_places_that_where_admits(tmp_path: Path, records: int) -> None:
    """The first three rows that the condition admits have the defect, however many records there are."""
    defect = {
        "kind": "typo",
        "table": "persons",
        "field": "first_name",
        "exactly": 3,
        "where": "state == 'NV' and lob_type == 'Commercial'",
    }
    manifest = _write(
        tmp_path / "dirty",
        overlay(DEFAULT_DATASET, defect),
        records=records,
        formats=("csv",),
        shard_rows=65_536,
    )
    assert manifest.defects
    assert manifest.defects.kinds == {"typo": 3}
    people = DEFAULT_DATASET.rows("persons", 200)
    first = [
        number for number, each in enumerate(people) if (each.state, each.lob_type) == ("NV", "Commercial")
    ][:3]
    labels = DEFAULT_DATASET.table("persons")
    of = overlay(DEFAULT_DATASET, defect)
    assert [label.slot for label in of.apply(labels, DEFAULT_DATASET.block(0, 200)).labels] == first


def test_more_places_than_there_are_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """`exactly` above the rows is an error that says how many there are."""
    defect = {"kind": "typo", "table": "persons", "field": "first_name", "exactly": 30}
    with pytest.raises(
        RequestError,
        match="is for exactly 30 rows, and there are only 12 in these records that it can change",
    ):
        _write(tmp_path / "dirty", overlay(DEFAULT_DATASET, defect), records=12)
    assert not list(tmp_path.iterdir())


def test_more_places_than_a_fixed_table_has_are_refused_whatever_the_records() -> None:
    """`exactly` above the rows of a fixed table doesn't ask for more records, which have no more of them."""
    bank = load_plan("bank")
    of = overlay(bank, {"kind": "missing", "table": "merchants", "field": "name", "exactly": 501})
    with pytest.raises(RequestError, match=r"only 500 in its table that it can change; write 500 at most$"):
        of.check_places(bank.tables, 5, 1)


def test_parquet_refuses_a_text_where_a_type_is_due() -> None:
    """`wrong_type` is for text formats; the message says what to leave out."""
    with pytest.raises(
        ExportError, match=r"persons\.date_of_birth!wrong_type writes text where a type is due, which Parquet"
    ):
        SnapshotRequest(defects=overlay(DEFAULT_DATASET, MANY[2]), formats=("csv", "parquet"))


def test_fixed_tables_have_labels_too(tmp_path: Path) -> None:
    """Defects of a fixed table are labelled once, before those of the records, also where it is asked for alone."""
    defects = overlay(
        BANK,
        {"kind": "typo", "table": "merchants", "field": "name", "rate": "10%"},
        {"kind": "typo", "table": "customers", "field": "city", "rate": "10%"},
    )
    both = _write(tmp_path / "both", defects, BANK, records=100, formats=("csv",))
    tables = [str(each["table"]) for each in _labels(tmp_path / "both", both)]
    assert tables == sorted(tables, key=["merchants", "customers"].index)
    assert {*tables} == {"merchants", "customers"}
    alone = _write(tmp_path / "alone", defects, BANK, records=100, formats=("csv",), entities=("merchants",))
    assert len(_labels(tmp_path / "alone", alone)) == tables.count("merchants")


def test_an_overlay_is_pickled_by_its_bytes() -> None:
    """A worker makes the same overlay of the recipe and the dataset."""
    one = overlay(BANK, {"kind": "typo", "table": "merchants", "field": "name", "rate": "10%"})
    assert pickle.loads(pickle.dumps(one)) == one
    assert len(pickle.dumps(one.recipe)) < 300


def test_the_same_request_leaves_the_snapshot_alone_and_other_defects_dont(tmp_path: Path) -> None:
    """A snapshot of other defects is another snapshot."""
    request = SnapshotRequest(records=50, defects=overlay(DEFAULT_DATASET, *MANY))
    assert write_snapshot(tmp_path / "dirty", request).written
    assert not write_snapshot(tmp_path / "dirty", request).written
    with pytest.raises(ValueError, match="holds another snapshot"):
        write_snapshot(tmp_path / "dirty", SnapshotRequest(records=50))


def test_labels_are_typed_in_parquet(tmp_path: Path) -> None:
    """The table of labels has a schema of its own, and no row where no defect strikes."""
    manifest = _write(
        tmp_path / "dirty",
        overlay(DEFAULT_DATASET, {**MANY[0], "rate": 0}),
        records=20,
        formats=("csv", "parquet"),
    )
    assert manifest.record_counts["defects"] == 0
    assert parquet_rows(tmp_path / "dirty" / "defects_v0_1.parquet") == []
    assert pc.read_csv(tmp_path / "dirty" / "defects_v0_1.csv").column_names == list(LABELS.fields)
