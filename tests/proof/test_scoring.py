"""Scoring: what a tool reported, held against the labels of a snapshot with defects."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from esdh_core import DEFAULT_DATASET
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import load_plan
from esdh_proof import Score, score_defects
from esdh_proof.scoring.finding import RowReference
from esdh_proof.scoring.rows import RowFinder
from esdh_proof.scoring.snapshot import LabelledSnapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from labelling import Rows, Sheet, label, write_labels

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


@pytest.fixture
def dirty(clean: Path, tmp_path: Path) -> Path:
    """A snapshot with one defect of each of nine kinds."""
    folder = Path(shutil.copytree(clean, tmp_path / "dirty"))
    write_labels(folder, spoil(folder))
    return folder


def spoil(folder: Path) -> Rows:
    """Put defects into the persons of a snapshot, and return their labels."""
    persons = Sheet(folder, "persons")
    rows, labels = persons.rows, []
    for slot, field, found, kind in (
        (5, "city", "", "blank"),
        (7, "postal_code", "ABC", "bad_pattern"),
        (9, "person_id", rows[3]["person_id"], "duplicate_key"),
        (11, "date_of_birth", "n/a", "wrong_type"),
        (12, "person_id", "", "missing"),
        (13, "person_id", "", "missing"),
        (40, "last_name", rows[40]["last_name"][::-1], "typo"),
    ):
        labels.append(label(kind, "persons", slot, field, found=found, clean=rows[slot][field]))
        rows[slot][field] = found
    labels += [label("duplicate_row", "persons", 18), label("missing_row", "persons", 28)]
    labels += [label("reordered", "persons", 50)]
    rows.insert(19, dict(rows[18]))
    del rows[29]
    rows.insert(45, rows.pop(50))
    persons.write()
    return labels


def write_report(path: Path, header: str, lines: Sequence[Sequence[object]]) -> Path:
    """Write a report in CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *lines])
    return path


def found(score: Score) -> dict[str, tuple[int, int]]:
    """Return, for each kind, how many labels there are and how many were found."""
    return {each.kind: (each.labels, each.found) for each in score.kinds}


def brief(counts: Any) -> tuple[int, int, int, int]:
    """Return labels, found, findings and right."""
    return counts.labels, counts.found, counts.findings, counts.right


# --- labels and rows


@pytest.mark.parametrize("extension", ["csv", "ndjson", "parquet", "json"])
def test_labels_are_read_from_any_format(clean: Path, tmp_path: Path, extension: str) -> None:
    """A report of every label scores 1 throughout, whichever format has the labels."""
    folder = Path(shutil.copytree(clean, tmp_path / "dirty"))
    labels = spoil(folder)
    write_labels(folder, labels, extension=extension)
    lines = [(each["table"], each["slot"], each["field"], each["kind"]) for each in labels]
    score = score_defects(folder, write_report(tmp_path / "all.csv", "table,slot,field,kind", lines))
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
def test_parts_are_read_in_order(dirty: Path, tmp_path: Path, extension: str) -> None:
    """Rows and labels that stand in folders of parts are one table each."""
    for other in {"csv", "ndjson", "parquet"} - {extension}:
        (dirty / f"persons_v0_1.{other}").unlink()
    for name in [f"persons_v0_1.{extension}", "defects_v0_1.csv"]:
        _split(dirty / name)
    report = write_report(tmp_path / "one.csv", "table,row,field", [("persons", 40, "last_name")])
    assert (1, 1) == found(score_defects(dirty, report))["typo"]


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


def _row_number(folder: Path, table: str, choose: Callable[[dict[str, str]], bool]) -> list[int]:
    return [number for number, row in enumerate(Sheet(folder, table).rows) if choose(row)]


def test_row_is_known_by_its_place_in_the_dirty_file(dirty: Path, tmp_path: Path) -> None:
    """A row number means the row of the file as it is, with rows missing, doubled and moved, and with ids that are wrong."""
    rows = Sheet(dirty, "persons").rows
    surname = next(row["last_name"] for row in rows[38:42] if row["last_name"][0].islower())
    [typo] = _row_number(dirty, "persons", lambda row: row["last_name"] == surname)
    blanks = _row_number(dirty, "persons", lambda row: not row["person_id"])
    twins = _row_number(dirty, "persons", lambda row: row["person_id"] == rows[3]["person_id"])
    assert (40, [12, 13], [3, 9]) == (typo, blanks, twins)
    lines = [("persons", typo, "last_name"), ("persons", 12, "person_id"), ("persons", 9, "person_id")]
    score = score_defects(dirty, write_report(tmp_path / "rows.csv", "table,row,field", lines))
    assert ((1, 1), (2, 1), (1, 1)) == tuple(
        found(score)[kind] for kind in ("typo", "missing", "duplicate_key")
    )


@pytest.mark.parametrize("first", [0, 1, 2])
def test_first_row_is_as_the_report_counts(dirty: Path, tmp_path: Path, first: int) -> None:
    """`first_row` is the number that the report gives the first data row."""
    report = write_report(tmp_path / "rows.csv", "row,field", [(5 + first, "city")])
    assert (1, 1) == found(score_defects(dirty, report, table="persons", first_row=first))["blank"]


@st.composite
def _shuffles(draw: st.DrawFn) -> list[tuple[int, str]]:
    """Draw the rows of a file: the slot of each, and what is done to its id (own, another's, none, garbage)."""
    slots = list(range(60))
    for _ in range(draw(st.integers(0, 4))):
        del slots[draw(st.integers(0, len(slots) - 1))]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(slots) - 1))
        slots.insert(at + 1, slots[at])
    for _ in range(draw(st.integers(0, 2))):
        slots.insert(draw(st.integers(0, len(slots) - 1)), slots.pop(draw(st.integers(0, len(slots) - 1))))
    ids = {slot: draw(st.sampled_from(["own"] * 12 + ["another", "none", "garbage"])) for slot in set(slots)}
    return [(slot, ids[slot]) for slot in slots]


@settings(max_examples=40, deadline=None)
@given(shuffled=_shuffles())
def test_every_row_of_a_drawn_file_is_known(
    shuffled: list[tuple[int, str]], clean: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever rows are missing, doubled or moved and whatever ids are wrong, each row of the file gets back its own slot."""
    folder = tmp_path_factory.mktemp("drawn")
    shutil.copy(clean / "snapshot_manifest_v0_1.json", folder)
    shutil.copy(clean / "persons_v0_1.csv", folder)
    sheet = Sheet(folder, "persons")
    originals, labels = sheet.rows, {}
    sheet.rows = []
    for slot, what in shuffled:
        row = dict(originals[slot])
        if what != "own":
            row["person_id"] = {
                "another": originals[(slot + 7) % 60]["person_id"],
                "none": "",
                "garbage": f"{slot}?",
            }[what]
            labels[slot] = label("wrong", "persons", slot, "person_id", found=row["person_id"], clean="")
        sheet.rows.append(row)
    sheet.write()
    write_labels(folder, [*labels.values(), label("typo", "persons", 0, "city", found="", clean="")])
    finder = RowFinder(LabelledSnapshot(folder))
    numbers = [RowReference(number=number) for number in range(len(shuffled))]
    slots = finder.slots(DEFAULT_DATASET.table("persons"), [(each, "") for each in numbers])
    assert [(slot,) for slot, _ in shuffled] == [slots[each] for each in numbers]


def test_row_of_a_tree_is_known(bank: Path, tmp_path: Path) -> None:
    """A row number of a table with any number of rows a record means its slot, which is no row number."""
    folder = Path(shutil.copytree(bank, tmp_path / "dirty"))
    accounts = Sheet(folder, "accounts", "bank_v1")
    ids = [row["account_id"] for row in accounts.rows]
    slots = [load_plan("bank").decode(each).index for each in ids]
    accounts.rows[20]["account_id"] = ""
    del accounts.rows[10]
    accounts.write()
    labels = [
        label("missing", "accounts", slots[20], "account_id", found="", clean=ids[20]),
        label("missing_row", "accounts", slots[10]),
    ]
    write_labels(folder, labels, slug="bank_v1")
    finder = RowFinder(LabelledSnapshot(folder))
    rows = {RowReference(number=number): "" for number in (0, 9, 10, 19, 20)}
    known = finder.slots(load_plan("bank").table("accounts"), rows.items())
    assert [(slots[number],) for number in (0, 9, 11, 20, 21)] == [known[each] for each in rows]


def test_row_without_an_id_is_known_by_its_key(bank: Path, tmp_path: Path) -> None:
    """In a table without ids, a row is known by the value of a unique field."""
    folder = Path(shutil.copytree(bank, tmp_path / "dirty"))
    merchants = Sheet(folder, "merchants", "bank_v1")
    merchants.rows[30]["name"] = "?"
    del merchants.rows[4]
    merchants.write()
    write_labels(folder, [label("typo", "merchants", 30, "name", found="?", clean="")], slug="bank_v1")
    for header, line in (
        ("table,row,field", ("merchants", 29, "name")),
        ("table,id,field", ("merchants", merchants.rows[29]["merchant_id"], "name")),
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


def test_report_without_findings_finds_nothing(dirty: Path, tmp_path: Path) -> None:
    """No findings give no precision, a recall of 0 and an F1 of 0, and every kind's first labels are missed."""
    score = score_defects(dirty, write_report(tmp_path / "none.csv", "id,field", []), examples=1)
    assert score.cells is not None
    assert (None, 0.0, 0.0) == (score.cells.precision, score.cells.recall, score.cells.f1)
    assert len(found(score)) == len(score.missed) == 9


def test_one_table_is_scored_alone(dirty: Path, tmp_path: Path) -> None:
    """With a table, labels and findings of others are left out, and a note says so."""
    write_labels(dirty, [label("typo", "vehicles", 1, "make"), label("typo", "persons", 2, "city")])
    lines = [("persons", 2, "city"), ("vehicles", 1, "make")]
    report = write_report(tmp_path / "two.csv", "table,slot,field", lines)
    score = score_defects(dirty, report, table="person")
    assert score.cells is not None
    assert ((1, 1, 1, 1), ["1 findings are of other tables, and left out"]) == (
        brief(score.cells),
        score.notes,
    )


def test_whole_file_is_found(dirty: Path, tmp_path: Path) -> None:
    """A label without a slot is of a file, and found by a finding that names no row."""
    write_labels(
        dirty, [label("renamed_column", "persons", None, "city"), label("bad_encoding", "vehicles", None)]
    )
    report = write_report(tmp_path / "files.csv", "table,field", [("persons", "city"), ("profiles", "")])
    score = score_defects(dirty, report)
    assert score.files is not None
    assert (2, 1, 2, 1) == brief(score.files)
    assert [("file", 1), ("file", 0)] == [(each.level, each.found) for each in score.kinds]


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
    for row in (3, 9):
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


def test_copy_of_a_labelled_cell_is_right(dirty: Path, tmp_path: Path) -> None:
    """A copy that contradicts its labelled original finds the label, as does an original whose copy is labelled."""
    write_labels(
        dirty,
        [
            label("typo", "persons", 1, "city", found="x", clean="y"),
            label("stale_copy", "profiles", 2, "postal_code", found="x", clean="y"),
        ],
    )
    lines = [("profiles", 1, "city"), ("persons", 2, "postal_code"), ("profiles", 3, "city")]
    score = score_defects(dirty, write_report(tmp_path / "copies.csv", "table,slot,field", lines))
    assert score.cells is not None
    assert (2, 2, 3, 2) == brief(score.cells)


def test_picked_reference_to_a_changed_key_is_right(bank: Path, tmp_path: Path) -> None:
    """A reference to a row that isn't above, by a key that is no id, finds the label of that key."""
    folder = Path(shutil.copytree(bank, tmp_path / "dirty"))
    transactions = Sheet(folder, "transactions", "bank_v1").rows
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
def test_frictionless_finds_what_the_labels_say(
    clean: Path, dirty: Path, tmp_path: Path, formats: tuple[str, ...]
) -> None:
    """Frictionless run over the dirty files finds the kinds that a schema can find, and nothing that is clean."""
    package = json.loads((clean / "datapackage.json").read_text(encoding="utf-8"))
    package["resources"] = [
        {name: value for name, value in resource.items() if name not in ("hash", "bytes")}
        for resource in package["resources"]
        if resource["path"].rpartition(".")[2] in formats
    ]
    (dirty / "datapackage.json").write_text(json.dumps(package), encoding="utf-8")
    report = tmp_path / "report.json"
    validated = subprocess.run(
        [sys.executable, "-m", "frictionless", "validate", "--json", "datapackage.json"],
        cwd=dirty,
        capture_output=True,
        check=False,
        timeout=120,
    )
    report.write_bytes(validated.stdout)
    score = score_defects(dirty, report)
    kinds = found(score)
    assert (0, 1) == (kinds["typo"][1], kinds["bad_pattern"][1]), validated.stderr
    unseen = {kind for kind, (labels, of) in kinds.items() if of < labels}
    assert {"typo", "reordered"} <= unseen
    assert score.cells is not None
    assert ([], 1.0) == (score.wrong, score.cells.precision)
