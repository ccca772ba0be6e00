"""Scoring: what a tool reported, held against the labels of a snapshot with defects."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from defects import overlay
from esdh_core import DEFAULT_DATASET, DEFAULT_SEED, encode_id
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import load_plan
from esdh_proof import ProofError, Score, score_defects
from esdh_proof.scoring.finding import RowReference
from esdh_proof.scoring.rows import RowFinder
from esdh_proof.scoring.snapshot import LabelledSnapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from labelling import csv_table, label, spoil, write_labels

REPORTS = Path(__file__).parent / "reports"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean snapshot of the default dataset in every format."""
    folder = tmp_path_factory.mktemp("clean") / "snapshot"
    write_snapshot(folder, SnapshotRequest(records=60, formats=("csv", "json", "ndjson", "parquet")))
    return folder


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean snapshot of a plan: tables with any number of rows a record, and one without ids."""
    folder = tmp_path_factory.mktemp("bank") / "snapshot"
    write_snapshot(folder, SnapshotRequest(dataset=load_plan("bank"), records=40, formats=("csv",)))
    return folder


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot with one defect of each of nine kinds, two of one."""
    folder = tmp_path_factory.mktemp("spoiled") / "snapshot"
    spoil(folder)
    return folder


@pytest.fixture
def dirty(spoiled: Path, tmp_path: Path) -> Path:
    """A snapshot with one defect of each of nine kinds."""
    return Path(shutil.copytree(spoiled, tmp_path / "dirty"))


@pytest.fixture
def by_hand(clean: Path, tmp_path: Path) -> Path:
    """A clean snapshot, to be given labels that are written by hand."""
    return Path(shutil.copytree(clean, tmp_path / "by_hand"))


def write_report(path: Path, header: str, lines: Sequence[Sequence[object]]) -> Path:
    """Write a report in CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *lines])
    return path


def validate(folder: Path) -> bytes:
    """Return what Frictionless prints of the data package of a folder."""
    command = [sys.executable, "-m", "frictionless", "validate", "--json", "datapackage.json"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120).stdout


def found(score: Score) -> dict[str, tuple[int, int]]:
    """Return, for each kind, how many labels there are and how many were found."""
    return {each.kind: (each.labels, each.found) for each in score.kinds}


def brief(counts: Any) -> tuple[int, int, int, int]:
    """Return labels, found, findings and right."""
    return counts.labels, counts.found, counts.findings, counts.right


# --- labels and rows


@pytest.mark.parametrize("extension", ["csv", "ndjson", "parquet", "json"])
def test_labels_are_read_from_any_format(tmp_path: Path, extension: str) -> None:
    """A report of every label scores 1 throughout, whichever format has the labels."""
    labels = spoil(tmp_path / "dirty", (extension,))
    lines = [(each["table"], each["slot"], each["field"], each["kind"]) for each in labels]
    report = write_report(tmp_path / "all.csv", "table,slot,field,kind", lines)
    score = score_defects(tmp_path / "dirty", report)
    assert score.cells is not None
    assert score.rows is not None
    assert ((7, 7, 7, 7), (10, 10, 10, 10)) == (brief(score.cells), brief(score.rows))
    assert {1.0} == {ratio for each in score.kinds for ratio in (each.precision, each.recall, each.f1)}
    assert ([], []) == (score.missed, score.wrong)


def test_label_keeps_empty_text_and_null_apart(dirty: Path, tmp_path: Path) -> None:
    """A missed label says what stands in the cell: an empty text is no null."""
    report = write_report(tmp_path / "none.csv", "id,field", [])
    missed = {each.kind: each for each in score_defects(dirty, report).missed}
    assert ("", None) == (missed["blank"].found, missed["missing_row"].found)


@pytest.mark.parametrize("extension", ["csv", "ndjson", "parquet"])
def test_labels_in_parts_are_read_in_order(tmp_path: Path, extension: str) -> None:
    """Labels that stand in a folder of parts are one table."""
    folder = tmp_path / "dirty"
    spoil(folder, (extension,))
    _split(folder / f"defects_v0_1.{extension}")
    report = write_report(tmp_path / "one.csv", "table,row,field", [("persons", 5, "city")])
    score = score_defects(folder, report)
    assert ((1, 1), 9) == (found(score)["blank"], len(found(score)))


def _split(path: Path) -> None:
    """Make a folder of three parts of a file."""
    import pyarrow.parquet as pq

    whole = path.rename(path.with_name("whole"))
    path.mkdir()
    parts = [path / f"part-{number:05}{path.suffix}" for number in range(3)]
    if path.suffix == ".parquet":
        table = pq.read_table(whole)
        for number, part in enumerate(parts):
            pq.write_table(table.slice(number * 25, 25), part)
    else:
        lines = whole.read_text(encoding="utf-8").splitlines(keepends=True)
        head, body = ([lines[0]], lines[1:]) if path.suffix == ".csv" else ([], lines)
        for number, part in enumerate(parts):
            size = -(-len(body) // 3)
            part.write_text("".join([*head, *body[number * size : (number + 1) * size]]), encoding="utf-8")
    whole.unlink()


def test_row_is_known_by_its_place_in_the_dirty_file(dirty: Path, tmp_path: Path) -> None:
    """A row number means the row of the file as it is, with rows missing, doubled and moved, and with ids that are wrong."""
    ids = [row.person_id for row in DEFAULT_DATASET.rows("persons", records=60)]
    rows = [row["person_id"] for row in csv_table(dirty, "persons")]
    assert (["", ""], ids[8], ids[8], ids[18]) == (rows[12:14], rows[8], rows[9], rows[19])
    lines = [
        ("persons", rows.index(ids[40]), "last_name"),
        ("persons", 12, "person_id"),
        ("persons", 9, "person_id"),
        ("persons", rows.index(ids[50]), ""),
    ]
    score = score_defects(dirty, write_report(tmp_path / "rows.csv", "table,row,field", lines))
    assert [(1, 1), (2, 1), (1, 1), (1, 1)] == [
        found(score)[kind] for kind in ("typo", "missing", "duplicate_key", "reordered")
    ]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_first_row_is_as_the_report_counts(dirty: Path, tmp_path: Path, first: int) -> None:
    """`first_row` is the number that the report gives the first data row."""
    report = write_report(tmp_path / "rows.csv", "row,field", [(5 + first, "city")])
    assert (1, 1) == found(score_defects(dirty, report, table="persons", first_row=first))["blank"]


_MOVED = ("missing_row", "duplicate_row", "near_duplicate", "reordered")
_UNREADABLE: dict[str, tuple[dict[str, str], ...]] = {
    "persons": (
        {"kind": "duplicate_key", "field": "person_id"},
        {"kind": "missing", "field": "person_id"},
        {"kind": "bad_quoting", "field": "person_id"},
        {"kind": "bad_encoding", "field": "person_id"},
        {"kind": "ragged_row"},
    ),
    "accounts": (
        {"kind": "missing", "field": "account_id"},
        {"kind": "bad_quoting", "field": "account_id"},
        {"kind": "ragged_row"},
    ),
}
_OF_FILES: tuple[dict[str, str], ...] = ({"kind": "extra_column"}, {"kind": "truncated_file"})


@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_every_row_of_a_drawn_file_is_known(
    data: st.DataObject, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever rows are missing, doubled or moved, whatever ids are wrong or can't be read, each row of a file has its own slot."""
    folder = tmp_path_factory.mktemp("drawn")
    dataset, name = data.draw(
        st.sampled_from([(DEFAULT_DATASET, "persons"), (load_plan("bank"), "accounts")])
    )
    table = dataset.table(name)
    moved = [{"kind": kind, "rate": "20%"} for kind in data.draw(st.sets(st.sampled_from(_MOVED)))]
    hidden = [{**each, "rate": "30%"} for each in _UNREADABLE[name]]
    chosen = data.draw(st.lists(st.sampled_from([*hidden, *_OF_FILES]), min_size=1, unique_by=repr))
    key = table.field_with("id")
    if data.draw(st.booleans()):
        chosen = [*chosen, {"kind": "renamed_column", "field": str(key)}]
    for part, defects in (("readable", moved), ("hidden", [*moved, *chosen])):
        of = overlay(dataset, *({**each, "table": name} for each in defects))
        request = SnapshotRequest(dataset=dataset, records=60, seed=seed, formats=("csv",), defects=of)
        write_snapshot(folder / part, request)
    slug = dataset.dataset_version.replace(" ", "_").replace(".", "_")
    expected = [dataset.ids.decode(row[str(key)]).index for row in csv_table(folder / "readable", name, slug)]
    numbers = [RowReference(number=number) for number in range(len(expected))]
    found_slots = RowFinder(LabelledSnapshot(folder / "hidden")).slots(
        table, [(each, "") for each in numbers]
    )
    assert [(slot,) for slot in expected] == [found_slots[each] for each in numbers]


def test_row_without_an_id_is_known_by_its_key(tmp_path: Path) -> None:
    """In a table without ids, a row is known by the value of a unique field."""
    folder = tmp_path / "dirty"
    bank = load_plan("bank")
    defects = overlay(
        bank,
        {"kind": "missing_row", "table": "merchants", "exactly": 1, "where": "merchant_id == 5"},
        {"kind": "typo", "table": "merchants", "field": "name", "exactly": 1, "where": "merchant_id == 31"},
    )
    write_snapshot(folder, SnapshotRequest(dataset=bank, records=40, formats=("csv",), defects=defects))
    for header, line in (
        ("table,row,field", ("merchants", 29, "name")),
        ("table,id,field", ("merchants", 31, "name")),
        ("table,slot,field", ("merchants", 30, "name")),
    ):
        score = score_defects(folder, write_report(tmp_path / "one.csv", header, [line]))
        assert score.cells is not None
        assert (1, 1, 1, 1) == brief(score.cells)


# --- what is counted


def test_cells_rows_kinds_and_fields_are_counted(dirty: Path, tmp_path: Path) -> None:
    """Right and wrong findings are counted by cell, by row, by kind and by field."""
    ids = [row.person_id for row in DEFAULT_DATASET.rows("persons", records=60)]
    lines = [
        (ids[5], "city"),  # right
        (ids[5], "city"),  # the same once more
        (ids[7], "city"),  # the wrong field of a wrong row
        (ids[30], "city"),  # nothing is wrong
        (ids[18], "state"),  # a doubled row, of which any field will do
    ]
    score = score_defects(dirty, write_report(tmp_path / "some.csv", "id,field", lines))
    assert score.cells is not None
    assert score.rows is not None
    assert (7, 1, 4, 2) == brief(score.cells)
    assert (10, 3, 4, 3) == brief(score.rows)
    assert (0.5, 1 / 7) == (score.cells.precision, score.cells.recall)
    assert ((1, 1), (1, 1), (1, 0)) == tuple(
        found(score)[kind] for kind in ("blank", "duplicate_row", "bad_pattern")
    )
    fields = {each.field: brief(each) for each in score.fields}
    assert ((1, 1, 3, 1), (0, 0, 1, 1)) == (fields["city"], fields["state"])
    assert [("persons", 7), ("persons", 30)] == [(each.table, each.slot) for each in score.wrong]


def test_report_of_rows_is_scored_by_rows(dirty: Path, tmp_path: Path) -> None:
    """Where a report names no fields, a wrong row is found by any finding in it, and cells aren't scored."""
    lines = [("persons", 5), ("persons", 7), ("persons", 31)]
    score = score_defects(dirty, write_report(tmp_path / "rows.csv", "table,slot", lines))
    assert score.rows is not None
    assert (None, (10, 2, 3, 2)) == (score.cells, brief(score.rows))
    assert {"row"} == {each.level for each in score.kinds}
    assert {None} == {each.precision for each in score.fields}


def test_kind_that_is_said_counts_for_that_kind_alone(dirty: Path, tmp_path: Path) -> None:
    """A finding of the right cell with another kind is right, but finds no label of its own kind."""
    lines = [("persons", 5, "city", "typo"), ("persons", 40, "last_name", "typo")]
    score = score_defects(dirty, write_report(tmp_path / "kinds.csv", "table,slot,field,kind", lines))
    kinds = {each.kind: brief(each) for each in score.kinds}
    assert ((1, 1, 2, 1), (1, 0, 0, 0)) == (kinds["typo"], kinds["blank"])
    assert score.cells is not None
    assert (7, 2, 2, 2) == brief(score.cells)


def test_kind_that_the_snapshot_lacks_is_wrong(dirty: Path, tmp_path: Path) -> None:
    """A tool may report a kind of which there is no defect: its precision is 0."""
    report = write_report(
        tmp_path / "kinds.csv", "table,slot,field,kind", [("persons", 5, "city", "mojibake")]
    )
    [kind] = [each for each in score_defects(dirty, report).kinds if each.kind == "mojibake"]
    assert ((0, 0, 1, 0), 0.0, None) == (brief(kind), kind.precision, kind.recall)


def test_report_without_findings_finds_nothing(dirty: Path, tmp_path: Path) -> None:
    """No findings give no precision, a recall of 0 and an F1 of 0, and every kind's first labels are missed."""
    score = score_defects(dirty, write_report(tmp_path / "none.csv", "id,field", []), examples=1)
    assert score.cells is not None
    assert (None, 0.0, 0.0) == (score.cells.precision, score.cells.recall, score.cells.f1)
    assert len(found(score)) == len(score.missed) == 9


def test_one_table_is_scored_alone(by_hand: Path, tmp_path: Path) -> None:
    """With a table, labels and findings of others are left out, and a note says so."""
    write_labels(by_hand, [label("typo", "vehicles", 1, "make"), label("typo", "persons", 2, "city")])
    lines = [("persons", 2, "city"), ("vehicles", 1, "make")]
    report = write_report(tmp_path / "two.csv", "table,slot,field", lines)
    score = score_defects(by_hand, report, table="person")
    assert score.cells is not None
    assert ((1, 1, 1, 1), ["findings of other tables, which are left out: 1"]) == (
        brief(score.cells),
        score.notes,
    )


def test_whole_file_is_found(tmp_path: Path) -> None:
    """A label without a slot is of a file, and found by a finding that names no row."""
    defects = overlay(
        DEFAULT_DATASET,
        {"kind": "renamed_column", "table": "persons", "field": "city"},
        {"kind": "truncated_file", "table": "profiles"},
    )
    request = SnapshotRequest(records=20, formats=("csv", "json"), defects=defects)
    write_snapshot(tmp_path / "dirty", request)
    report = write_report(tmp_path / "files.csv", "table,field", [("persons", "city"), ("vehicles", "")])
    score = score_defects(tmp_path / "dirty", report)
    assert score.files is not None
    assert (2, 1, 2, 1) == brief(score.files)
    assert {"truncated_file": (1, 0), "renamed_column": (1, 1)} == found(score)
    assert {"file"} == {each.level for each in score.kinds}


_CELLS = st.sets(
    st.tuples(st.integers(0, 59), st.sampled_from(["first_name", "last_name", "address_line_1"]))
)


@settings(max_examples=25, deadline=None)
@given(truth=_CELLS, reported=_CELLS)
def test_ratios_are_those_of_sets(
    truth: set[tuple[int, str]],
    reported: set[tuple[int, str]],
    clean: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """For cells on which no others depend, precision and recall are those of two sets of cells."""
    folder = tmp_path_factory.mktemp("sets")
    shutil.copy(clean / "snapshot_manifest_v0_1.json", folder)
    write_labels(folder, [label("typo", "persons", slot, name) for slot, name in sorted(truth)])
    report = write_report(
        folder / "report.csv",
        "table,slot,field",
        [("persons", slot, name) for slot, name in sorted(reported)],
    )
    score = score_defects(folder, report)
    both = len(truth & reported)
    assert score.cells is not None
    assert (len(truth), both, len(reported), both) == brief(score.cells)
    assert (both / len(reported) if reported else None) == score.cells.precision
    assert (both / len(truth) if truth else None) == score.cells.recall


# --- findings at clean cells


def test_other_holder_of_a_repeated_value_is_right(dirty: Path, tmp_path: Path) -> None:
    """Of two rows with one id a tool can't know the wrong one: a finding of either finds the label."""
    for row in (8, 9):
        report = write_report(tmp_path / "twin.csv", "table,row,field", [("persons", row, "person_id")])
        score = score_defects(dirty, report)
        assert score.cells is not None
        assert ((1, 1), 1) == (found(score)["duplicate_key"], score.cells.right)
    report = write_report(tmp_path / "twin.csv", "table,row,field", [("persons", 4, "person_id")])
    assert 0 == found(score_defects(dirty, report))["duplicate_key"][1]


def test_reference_to_a_missing_or_changed_row_is_right(dirty: Path, tmp_path: Path) -> None:
    """A reference to a row that is missing, or whose id is wrong, finds that row's label; any other is wrong."""
    lines = [("vehicles", 28, "person_id"), ("profiles", 9, "person_id"), ("profiles", 10, "person_id")]
    score = score_defects(dirty, write_report(tmp_path / "keys.csv", "table,slot,field", lines))
    assert score.cells is not None
    assert ((1, 1), (1, 1), 2) == (
        found(score)["missing_row"],
        found(score)["duplicate_key"],
        score.cells.right,
    )


def test_copy_of_a_labelled_cell_is_right(by_hand: Path, tmp_path: Path) -> None:
    """A copy that contradicts its labelled original finds the label, as does an original whose copy is labelled."""
    write_labels(
        by_hand,
        [
            label("typo", "persons", 1, "city", found="x", clean="y"),
            label("stale_copy", "profiles", 2, "postal_code", found="x", clean="y"),
        ],
    )
    lines = [("profiles", 1, "city"), ("persons", 2, "postal_code"), ("profiles", 3, "city")]
    score = score_defects(by_hand, write_report(tmp_path / "copies.csv", "table,slot,field", lines))
    assert score.cells is not None
    assert (2, 2, 3, 2) == brief(score.cells)


def test_picked_reference_to_a_changed_key_is_right(bank: Path, tmp_path: Path) -> None:
    """A reference to a row that isn't above, by a key that is no id, finds the label of that key."""
    folder = Path(shutil.copytree(bank, tmp_path / "dirty"))
    transactions = csv_table(folder, "transactions", "bank_v1")
    key = transactions[7]["merchant_id"]
    write_labels(
        folder,
        [label("out_of_range", "merchants", int(key) - 1, "merchant_id", found="-1", clean=key)],
        slug="bank_v1",
    )
    lines = [("transactions", 7, "merchant_id")]
    score = score_defects(folder, write_report(tmp_path / "keys.csv", "table,row,field", lines))
    assert score.cells is not None
    assert (1, 1, 1, 1) == brief(score.cells)


# --- the tools' own reports


@pytest.mark.parametrize(
    "formats", [("csv",), ("ndjson",), ("parquet",), ("csv", "json", "ndjson", "parquet")]
)
def test_frictionless_finds_what_the_labels_say(tmp_path: Path, formats: tuple[str, ...]) -> None:
    """Frictionless run over the dirty files finds the kinds that a schema can find, and nothing that is clean."""
    folder = tmp_path / "dirty"
    spoil(folder, formats)
    report = tmp_path / "report.json"
    report.write_bytes(validate(folder))
    score = score_defects(folder, report)
    kinds = found(score)
    assert (0, 1) == (kinds["typo"][1], kinds["bad_pattern"][1])
    unseen = {kind for kind, (labels, of) in kinds.items() if of < labels}
    assert {"typo", "reordered"} <= unseen
    assert score.cells is not None
    assert ([], 1.0) == (score.wrong, score.cells.precision)


@pytest.mark.parametrize("name", ["rows", "ids"])
def test_great_expectations_report_is_scored(dirty: Path, name: str) -> None:
    """A result of Great Expectations is scored alike, whether it names rows by number or by id."""
    score = score_defects(dirty, REPORTS / f"great_expectations_{name}.json")
    kinds = found(score)
    assert {"blank", "bad_pattern", "duplicate_key", "missing", "typo", "duplicate_row"} == {
        kind for kind, (labels, of) in kinds.items() if of == labels
    }
    assert score.files is not None
    assert (0, 0, 1, 0) == brief(score.files)  # a number of columns that never was right
    wrong = {each.fields for each in score.wrong}
    assert {("last_name",), ()} == wrong
    passing, raised = sorted(score.notes, key=lambda note: "exception" in note)
    assert (
        "expect_column_pair_values_to_be_in_set) passes, so its 56 unexpected values don't count" in passing
    )
    assert "expect_column_values_to_be_between) raised an exception" in raised


def test_great_expectations_results_come_in_many_shapes(dirty: Path, tmp_path: Path) -> None:
    """A list of results, those of a checkpoint and that of one expectation are read as well as that of a suite."""
    whole = json.loads((REPORTS / "great_expectations_ids.json").read_text(encoding="utf-8"))
    expected = score_defects(dirty, REPORTS / "great_expectations_ids.json").cells
    path = tmp_path / "report.json"
    for shape in ([whole], {"success": False, "run_results": {"run": whole}}):
        path.write_text(json.dumps(shape), encoding="utf-8")
        assert expected == score_defects(dirty, path).cells
    [one] = [
        each for each in whole["results"] if each["expectation_config"]["kwargs"].get("column") == "city"
    ]
    path.write_text(json.dumps(one), encoding="utf-8")
    assert (1, 1) == found(score_defects(dirty, path))["blank"]


def test_result_that_leaves_rows_out_is_refused(dirty: Path) -> None:
    """A result that lists only some of the unexpected rows can't be scored, and the sentence says how to get them all."""
    report = json.loads((REPORTS / "great_expectations_summary.json").read_text(encoding="utf-8"))
    for each in report["results"]:
        each["success"] = False
    path = dirty.parent / "summary.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    with pytest.raises(ProofError, match=r"lists 20 of 56 rows; run the validation with .*COMPLETE"):
        score_defects(dirty, path)


# --- pairs


@pytest.fixture
def twins(clean: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """A snapshot in which rows 10, 20 and 30 are one, with one and three edited cells, and rows 40 and 41; and its ids."""
    folder = Path(shutil.copytree(clean, tmp_path / "twins"))
    ids = [row.person_id for row in DEFAULT_DATASET.rows("persons", records=60)]
    labels = [
        label("near_duplicate", "persons", slot, name, found="x", clean="y", cluster=ids[10])
        for slot, names in ((20, ["city"]), (30, ["city", "last_name", "first_name"]))
        for name in names
    ]
    labels += [label("near_duplicate", "persons", slot, "city", cluster="pair") for slot in (40, 41)]
    labels += [
        label("swapped_fields", "persons", 50, name, cluster="persons.first_name!swapped_fields#50")
        for name in ("first_name", "last_name")
    ]
    write_labels(folder, labels)
    return folder, ids


def test_pairs_are_scored_against_clusters(twins: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Every two rows of a cluster are a pair; two fields of one row that belong together are none."""
    folder, ids = twins
    lines = [(ids[20], ids[10], 0.9), (ids[10], ids[20], 0.8), (ids[30], ids[20], 0.4), (ids[1], ids[2], 0.6)]
    score = score_defects(folder, write_report(tmp_path / "pairs.csv", "id_left,id_right,score", lines))
    pairs = score.pairs
    assert pairs is not None
    assert (2, (4, 2, 3, 2)) == (pairs.clusters, brief(pairs))
    assert [(0, 1, 0), (1, 1, 1), (2, 1, 1), (3, 1, 0)] == [
        (each.edits, each.labels, each.found) for each in pairs.edits
    ]
    assert [(0.9, 1, 1), (0.6, 2, 1), (0.4, 3, 2)] == [
        (each.score, each.findings, each.right) for each in pairs.thresholds
    ]
    assert pairs.best is not None
    assert 0.4 == pairs.best.score
    assert ([(1, 2)], {(10, 30), (40, 41)}) == (
        [(each.left, each.right) for each in pairs.wrong],
        {(each.left, each.right) for each in pairs.missed},
    )


@pytest.mark.parametrize(
    ("header", "extra"),
    [
        ("unique_id_l,unique_id_r,match_probability", (0.7,)),
        ("match_weight,person_id_l,person_id_r", None),
        ("id_right,id_left", ()),
        ("table,row_left,row_right", None),
        ("table,slot_left,slot_right", None),
    ],
)
def test_pairs_are_read_as_tools_write_them(
    twins: tuple[Path, list[str]], tmp_path: Path, header: str, extra: tuple[float, ...] | None
) -> None:
    """Splink's own columns, ids under the name of their field, rows and slots name the same pair."""
    folder, ids = twins
    values = {
        "table": "persons", "match_weight": -2.5, "row_left": 40, "row_right": 41, "slot_left": 41, "slot_right": 40,
        "person_id_l": ids[40], "person_id_r": ids[41],
    }  # fmt: skip
    line = [values[name] for name in header.split(",")] if extra is None else [ids[41], ids[40], *extra]
    score = score_defects(folder, write_report(tmp_path / "pairs.csv", header, [line]))
    assert score.pairs is not None
    assert (4, 1, 1, 1) == brief(score.pairs)


def test_row_that_is_paired_with_itself_is_passed_over(twins: tuple[Path, list[str]], tmp_path: Path) -> None:
    """A pair of one row with itself is neither right nor wrong."""
    folder, ids = twins
    report = write_report(tmp_path / "pairs.csv", "id_left,id_right", [(ids[5], ids[5])])
    pairs = score_defects(folder, report).pairs
    assert pairs is not None
    assert (4, 0, 0, 0) == brief(pairs)


# --- bad input

WRONG_REPORTS: dict[str, tuple[str, Sequence[Sequence[object]], str]] = {
    "unknown column": ("tabel,row", [("persons", 1)], "unknown column 'tabel'; did you mean 'table'"),
    "no column": (
        "who,what",
        [("persons", 1)],
        "has the columns who, what; a report has table and row, or id",
    ),
    "two columns": ("row,row", [(1, 1)], "has two columns 'row'"),
    "no table": ("row,field", [(1, "city")], "line 2 names no table; add a column table, or give --table"),
    "unknown table": (
        "table,row",
        [("person5", 1)],
        "line 2: 'person5' is no table .*; did you mean 'persons'",
    ),
    "unknown field": (
        "table,slot,field",
        [("persons", 1, "citty")],
        "no field 'citty'; .*; did you mean 'city'",
    ),
    "unknown kind": (
        "table,slot,kind",
        [("persons", 1, "tipo")],
        "'tipo' is no kind of defects; the snapshot has blank, .*; did you mean 'typo'",
    ),
    "no integer": ("table,row", [("persons", "x")], "line 2: row 'x' is no integer from 0"),
    "row too far": ("table,row", [("persons", 60)], "row 60 of persons is beyond its 60 rows.*--first-row"),
    "slot too far": ("table,slot", [("persons", 60)], "slot 60 is of no row of persons; the last slot is 59"),
    "no id": (
        "id,field",
        [("jane", "city")],
        "id 'jane' is of no row of the snapshot: 'jane' is not an ESDH id",
    ),
    "another seed": ("id", [("de86f9ba-5d6b-8a5a-bcee-c1bf6ae7a4a5",)], "is of no row of the snapshot"),
    "two names": ("id,slot", [("x", 1)], "line 2 has id and slot; a finding names its row by one of them"),
    "short line": ("table,row", [("persons",)], "line 2 has 1 cells, and the header 2 columns"),
    "half a pair": ("id_left,score", [("x", 1)], "a column 'id_left' but no 'id_right'; a pair needs both"),
    "empty pair": ("id_left,id_right", [("x", "")], "line 2: id_right is empty; a pair needs both rows"),
    "wrong score": ("id_left,id_right,score", [("x", "y", "nan")], "line 2: score 'nan' is no number"),
}


@pytest.mark.parametrize("name", WRONG_REPORTS)
def test_wrong_report_is_one_sentence(dirty: Path, tmp_path: Path, name: str) -> None:
    """A report that can't be read is refused with the place, the value and what would be right."""
    header, lines, message = WRONG_REPORTS[name]
    with pytest.raises(ProofError, match=message) as caught:
        score_defects(dirty, write_report(tmp_path / "report.csv", header, lines))
    assert "\n" not in str(caught.value)


def test_id_beyond_the_snapshot_is_refused(dirty: Path, tmp_path: Path) -> None:
    """An id of another seed, or of a record that the snapshot hasn't, is refused with what it says."""
    other = DEFAULT_DATASET.rows("persons", records=1, seed=7)[0].person_id
    later = DEFAULT_DATASET.rows("persons", records=61)[60].person_id
    for value, message in (
        (other, "it is of seed 7, the snapshot of seed 20240601"),
        (later, "it is of record 60"),
    ):
        with pytest.raises(ProofError, match=message):
            score_defects(dirty, write_report(tmp_path / "report.csv", "id", [(value,)]))


def test_other_columns_are_passed_over(dirty: Path, tmp_path: Path) -> None:
    """Columns that a report has beside the known ones are passed over, and a note says so."""
    report = write_report(tmp_path / "r.csv", "table,slot,field,message", [("persons", 5, "city", "empty")])
    score = score_defects(dirty, report)
    assert ((1, 1), ["columns that are passed over: message"]) == (found(score)["blank"], score.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; its first line must name columns"),
        (b'{"a": 1}', "JSON of no known report; a report is CSV"),
        (b'{"valid": false, ', "can't be read as JSON"),
        (b"PAR1\0\0\0", "is a binary file"),
        (b'id,field\n"x,y\n', "can't be read as CSV in UTF-8"),
        (b"id,field\n\xff\xfe,x\n", "can't be read as CSV in UTF-8"),
        (b"id;field\nx;y\n", "columns are separated by commas"),
    ],
)
def test_file_that_is_no_report_is_one_sentence(
    dirty: Path, tmp_path: Path, content: bytes, message: str
) -> None:
    """A file of another format is refused with the formats that are read."""
    path = tmp_path / "report"
    path.write_bytes(content)
    with pytest.raises(ProofError, match=message):
        score_defects(dirty, path)


def test_snapshot_without_labels_is_one_sentence(clean: Path, tmp_path: Path) -> None:
    """A clean snapshot has nothing to be scored against."""
    report = write_report(tmp_path / "report.csv", "id", [])
    with pytest.raises(ProofError, match="has no labels, so there is no truth to score against"):
        score_defects(clean, report)
    with pytest.raises(ProofError, match="holds no snapshot manifest"):
        score_defects(tmp_path, report)


def test_snapshot_without_clusters_has_no_pairs(dirty: Path, tmp_path: Path) -> None:
    """Pairs can't be scored where no two rows are labelled to be one."""
    with pytest.raises(ProofError, match=r"are labelled to be one, .*near_duplicate"):
        score_defects(dirty, write_report(tmp_path / "pairs.csv", "id_left,id_right", []))


def test_score_is_json(dirty: Path, tmp_path: Path) -> None:
    """A score goes to JSON and back without loss."""
    report = write_report(
        tmp_path / "r.csv", "table,slot,field", [("persons", 5, "city"), ("persons", 6, "city")]
    )
    score = score_defects(dirty, report)
    assert score == msgspec.json.decode(msgspec.json.encode(score), type=Score)


def test_reports_are_scored_as_one(dirty: Path, tmp_path: Path) -> None:
    """Several reports find together what any of them finds; one of pairs can't be among them."""
    city = write_report(tmp_path / "city.csv", "table,slot,field", [("persons", 5, "city")])
    name = write_report(tmp_path / "name.csv", "table,slot,field", [("persons", 40, "last_name")])
    score = score_defects(dirty, city, name, city)
    assert score.cells is not None
    assert ((7, 2, 2, 2), [1, 1, 1]) == (brief(score.cells), [each.findings for each in score.reports])
    pairs = write_report(tmp_path / "pairs.csv", "id_left,id_right", [])
    with pytest.raises(ProofError, match="some reports are of pairs"):
        score_defects(dirty, city, pairs)


def test_frictionless_counts_rows_from_the_start_of_a_part(tmp_path: Path) -> None:
    """A row that Frictionless finds in a later part of a table is a row of the table, past those of the parts before."""
    folder = tmp_path / "parts"
    where = f"person_id == '{encode_id(DEFAULT_SEED, 'persons', 65_538)}'"
    defect = {"kind": "bad_enum", "table": "persons", "field": "country", "exactly": 1, "where": where}
    request = SnapshotRequest(
        records=65_540,
        entities=("persons",),
        formats=("csv",),
        shard_rows=65_536,
        defects=overlay(DEFAULT_DATASET, defect),
    )
    write_snapshot(folder, request)
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    package["resources"] = [each for each in package["resources"] if each["name"] == "persons-csv-00001"]
    (folder / "datapackage.json").write_text(json.dumps(package), encoding="utf-8")
    report = tmp_path / "report.json"
    report.write_bytes(validate(folder))
    score = score_defects(folder, report)
    assert score.cells is not None
    assert (1, 1, 1, 1) == brief(score.cells)
