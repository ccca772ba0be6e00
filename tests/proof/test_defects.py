"""Snapshots with defects are proved by making them again, and reports are held against their labels."""

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from defects import csv_rows, overlay
from esdh_core import DEFAULT_DATASET
from esdh_export import SnapshotRequest, write_snapshot
from esdh_manifest import decode_manifest, encode_manifest, sha256sums
from esdh_plan import load_plan
from esdh_proof import Verification, diff_snapshots, score_defects, verify_snapshot
from esdh_proof.gates import judge
from esdh_proof.scoring.labels import Label, read_labels
from esdh_proof.verification.labelled import LABEL_CHECKS
from tampering import edit_rows

BANK = load_plan("bank")
PEOPLE = overlay(
    DEFAULT_DATASET,
    {"kind": "typo", "table": "persons", "field": "last_name", "rate": "10%"},
    {"kind": "missing", "table": "persons", "field": "city", "rate": "10%"},
    {"kind": "bad_check_digit", "table": "vehicles", "field": "vin", "exactly": 5},
)
ACCOUNTS = overlay(
    BANK,
    {"kind": "out_of_range", "table": "transactions", "field": "amount", "rate": "5%"},
    {"kind": "typo", "table": "merchants", "field": "name", "rate": "5%"},
    {
        "kind": "time_travel",
        "table": "accounts",
        "field": "opened_on",
        "before": "parent.born_on",
        "exactly": 4,
    },
)
FORMATS = ["csv", "json", "ndjson", "parquet"]


def _judge(stats: Any) -> Any:
    return judge(stats, dataset=DEFAULT_DATASET, seed=9)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of people with defects."""
    request = SnapshotRequest(
        records=300, seed=9, formats=("csv", "json", "ndjson", "parquet"), defects=PEOPLE
    )
    return Path(write_snapshot(tmp_path_factory.mktemp("dirty") / "snapshot", request, gate=_judge).folder)  # type: ignore[arg-type]  # a folder


@pytest.fixture
def dirty(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it to tamper with."""
    return Path(shutil.copytree(pristine, tmp_path / "dirty"))


def _status(outcome: Verification) -> dict[str, str]:
    return {check.name: check.status for check in outcome.checks}


def _relist(folder: Path, *paths: str) -> None:
    """List files again as they are now, so that only their rows can tell what was changed."""
    from esdh_manifest import entry_of
    from msgspec.structs import replace

    name = "snapshot_manifest_v0_1.json"
    manifest = decode_manifest((folder / name).read_bytes())
    entries = {
        path: replace(entry_of((folder / path).read_bytes()), rows=manifest.checksums[path].rows)
        for path in paths
    }
    changed = replace(manifest, checksums={**manifest.checksums, **entries})
    (folder / name).write_bytes(encode_manifest(changed))
    (folder / "SHA256SUMS").write_bytes(
        sha256sums({**changed.checksums, name: entry_of(encode_manifest(changed))})
    )


def test_a_snapshot_with_defects_passes(pristine: Path) -> None:
    """Files, claims, counts, values and every byte are proved: what the checks find, labels tell of."""
    outcome = verify_snapshot(pristine)
    assert set(_status(outcome).values()) == {"passed"}
    assert next(check.rows for check in outcome.checks if check.name == "regenerated") > 4 * 900


def test_fixed_tables_trees_and_parts_pass_too(tmp_path: Path) -> None:
    """A plan's snapshot, and one in parts that others verify side by side, pass."""
    whole = write_snapshot(
        tmp_path / "bank",
        SnapshotRequest(dataset=BANK, records=60, formats=("csv", "json", "parquet"), defects=ACCOUNTS),
    )
    assert verify_snapshot(Path(str(whole.folder))).verdict == "passed"
    parts = write_snapshot(
        tmp_path / "parts",
        SnapshotRequest(records=66_000, shard_rows=65_536, formats=("csv",), defects=PEOPLE),
    )
    with ThreadPoolExecutor(2) as executor:
        assert verify_snapshot(Path(str(parts.folder)), executor=executor).verdict == "passed"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("persons_v0_1.csv", b"Personal", b"Persona1"),
        ("defects_v0_1.csv", b",typo,", b",tipo,"),
        ("defects_v0_1.ndjson", b'"slot":', b'"slot":1'),
        ("dataset_v0_1.json", b'"kind":"typo"', b'"kind":"tipo"'),
    ],
)
def test_a_change_is_found_though_it_is_listed(dirty: Path, name: str, before: bytes, after: bytes) -> None:
    """Rows and labels that aren't what the seed and the defects give fail, with the file and its first line that differs."""
    file = dirty / name
    file.write_bytes(file.read_bytes().replace(before, after, 1))
    _relist(dirty, name)
    outcome = verify_snapshot(dirty)
    check = next(each for each in outcome.checks if each.name == "regenerated")
    assert (outcome.verdict, check.status) == ("failed", "failed")
    assert check.first is not None
    assert check.first.file == name
    assert str(check.first.field).startswith("line ")


def _without_last_label(folder: Path, extension: str) -> None:
    """Take the last label out of a format's file, or out of the document, and list the file again."""
    name = "dataset_v0_1.json" if extension == "json" else f"defects_v0_1.{extension}"
    file = folder / name
    if extension == "parquet":
        table = pq.read_table(file)
        pq.write_table(table.slice(0, len(table) - 1), file)
    else:
        lines = file.read_bytes().splitlines(keepends=True)
        del lines[-2 if extension == "json" else -1]  # before the end of the document
        if extension == "json":
            lines[-2] = lines[-2].rstrip(b",\n") + b"\n"
        file.write_bytes(b"".join(lines))
    _relist(folder, name)


@pytest.mark.parametrize("extensions", [["csv"], ["json"], ["ndjson"], ["parquet"], FORMATS])
def test_a_label_that_was_taken_away_is_missed(dirty: Path, extensions: list[str]) -> None:
    """A wrong cell without its label fails, in one format and in all; then what the checks find proves nothing."""
    for extension in extensions:
        _without_last_label(dirty, extension)
    outcome = verify_snapshot(dirty)
    status = _status(outcome)
    assert (outcome.verdict, status["regenerated"]) == ("failed", "failed")
    assert {status[name] for name in LABEL_CHECKS} == {"unproven"}


@pytest.mark.parametrize("extension", FORMATS)
def test_a_wrong_cell_more_than_the_labels_say_fails(dirty: Path, extension: str) -> None:
    """A cell that somebody has changed, and listed again, is no defect because there are others."""
    edit_rows(dirty, "profiles", extension, lambda rows: rows[5].update(city="Nowhere"))
    _relist(dirty, "dataset_v0_1.json" if extension == "json" else f"profiles_v0_1.{extension}")
    status = _status(verify_snapshot(dirty))
    assert status["regenerated"] == "failed"
    assert {status[name] for name in LABEL_CHECKS} == {"unproven"}


def test_another_list_of_defects_is_refused(dirty: Path) -> None:
    """A list that was changed isn't the one that the manifest names, even where it is listed again."""
    file = dirty / "overlay_v0_1.json"
    file.write_bytes(file.read_bytes().replace(b"10%", b"11%", 1))
    _relist(dirty, file.name)
    outcome = verify_snapshot(dirty)
    assert outcome.verdict == "failed"
    assert _status(outcome)["regenerated"] == "failed"


@pytest.mark.parametrize("text", [b"", b"esdh: defects/1\ndefects: [{kind: x}]\n", b"\xff"])
def test_a_list_that_cant_be_read_is_a_finding(dirty: Path, text: bytes) -> None:
    """A damaged list fails the check of the manifest and raises nothing."""
    (dirty / "overlay_v0_1.json").write_bytes(text)
    assert _status(verify_snapshot(dirty))["manifest"] == "failed"
    (dirty / "overlay_v0_1.json").unlink()
    assert _status(verify_snapshot(dirty))["manifest"] == "failed"


def test_a_snapshot_that_hides_its_defects_fails(dirty: Path) -> None:
    """Without `clean: false` the table of labels is no table of the dataset."""
    from msgspec import UNSET
    from msgspec.structs import replace

    name = "snapshot_manifest_v0_1.json"
    manifest = decode_manifest((dirty / name).read_bytes())
    (dirty / name).write_bytes(encode_manifest(replace(manifest, clean=UNSET, defects=UNSET)))
    assert verify_snapshot(dirty).verdict == "failed"


def test_a_claim_of_more_records_makes_no_more_parts(dirty: Path) -> None:
    """Of a manifest that claims any number of records nothing is made past the first part that differs."""
    from msgspec.structs import replace

    name = "snapshot_manifest_v0_1.json"
    manifest = decode_manifest((dirty / name).read_bytes())
    (dirty / name).write_bytes(encode_manifest(replace(manifest, records_requested=200_000)))
    seen: list[int] = []
    outcome = verify_snapshot(dirty, progress=lambda count, _: seen.append(count))
    assert outcome.verdict == "failed"
    assert sum(seen) <= 200_000


def test_without_regeneration_nothing_of_the_rows_is_proved(pristine: Path) -> None:
    """`regenerate=False` leaves every check of rows unproven, and says what is proved all the same."""
    outcome = verify_snapshot(pristine, regenerate=False)
    assert outcome.verdict == "passed"
    assert all("checksums alone are proved" in (check.reason or "") for check in outcome.checks[2:])
    assert {name for name, each in _status(outcome).items() if each == "passed"} == {"manifest", "files"}


def test_a_difference_by_defects_is_named(pristine: Path, tmp_path: Path) -> None:
    """Of a snapshot with defects and its clean one the cause is the defects, and the cells are those that are labelled."""
    write_snapshot(
        tmp_path / "clean",
        SnapshotRequest(records=300, seed=9, formats=("csv", "json", "ndjson", "parquet")),
        gate=_judge,
    )
    drift = diff_snapshots(tmp_path / "clean", pristine)
    assert drift.cause == "defects"
    assert "edited" not in drift.causes
    assert {each.entity for each in drift.rows} == {"persons", "vehicles"}
    assert diff_snapshots(pristine, pristine).cause == "none"


# --- scores


def _report(file: Path, rows: list[list[object]]) -> Path:
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return file


def test_the_labels_themselves_are_a_perfect_report(pristine: Path) -> None:
    """Whoever reports every label finds all, and nothing else: the table of labels is a report too."""
    score = score_defects(pristine, pristine / "defects_v0_1.csv")
    assert score.cells is not None
    assert (score.cells.precision, score.cells.recall, score.cells.f1) == (1.0, 1.0, 1.0)
    assert {each.kind: (each.precision, each.recall) for each in score.kinds} == dict.fromkeys(
        ("bad_check_digit", "missing", "typo"), (1.0, 1.0)
    )


def test_rows_of_children_are_counted_as_files_have_them(tmp_path: Path) -> None:
    """A row's number in a table below others leads to its slot."""
    folder = tmp_path / "bank"
    write_snapshot(
        folder, SnapshotRequest(dataset=BANK, records=40, formats=("csv", "ndjson"), defects=ACCOUNTS)
    )
    clean = tmp_path / "clean"
    write_snapshot(clean, SnapshotRequest(dataset=BANK, records=40, formats=("csv",)))
    rows: list[list[object]] = [["table", "row", "field"]]
    for table in ("accounts", "transactions", "merchants"):
        header, *dirty_rows = csv_rows(folder / f"{table}_bank_v1.csv")
        _, *clean_rows = csv_rows(clean / f"{table}_bank_v1.csv")
        rows += [
            [table, number, header[at]]
            for number, (one, other) in enumerate(zip(dirty_rows, clean_rows, strict=True))
            for at in range(len(header))
            if one[at] != other[at]
        ]
    score = score_defects(folder, _report(tmp_path / "report.csv", rows))
    assert score.cells is not None
    assert (score.cells.precision, score.cells.recall) == (1.0, 1.0)


def test_rows_that_moved_are_compared_with_themselves(tmp_path: Path) -> None:
    """Where rows are missing, doubled and moved, only cells that are labelled differ, and rows that only one has are counted."""
    moved = ("missing_row", "duplicate_row", "near_duplicate", "reordered")
    of_rows = [{"kind": kind, "table": "persons", "rate": "10%"} for kind in moved]
    typo = {"kind": "typo", "table": "persons", "field": "last_name", "rate": "10%"}
    asked: dict[str, Any] = {"records": 300, "seed": 9, "formats": ("csv", "parquet")}
    write_snapshot(tmp_path / "clean", SnapshotRequest(**asked))
    defects = overlay(DEFAULT_DATASET, *of_rows, typo)
    manifest = write_snapshot(tmp_path / "dirty", SnapshotRequest(**asked, defects=defects)).manifest
    assert manifest.defects
    labels = _labels_of(tmp_path / "dirty")
    missing = {label.slot for label in labels if label.kind == "missing_row"}
    seconds = {label.slot for label in labels if label.kind == "near_duplicate"}
    typos = {label.slot for label in labels if label.kind == "typo"} - missing
    drift = diff_snapshots(tmp_path / "clean", tmp_path / "dirty")
    for rows in drift.rows:
        assert {"last_name": len(typos)} == rows.fields
        assert (300 - len(missing), len(typos), len(missing) + len(seconds)) == (
            rows.compared,
            rows.differing,
            rows.unread,
        )
    assert {"csv", "parquet"} == {rows.a_format for rows in drift.rows}


# --- files that no reader reads


FILES = (
    {"kind": "bad_encoding", "table": "persons", "field": "last_name", "rate": "5%"},
    {"kind": "bad_quoting", "table": "persons", "field": "city", "rate": "5%"},
    {"kind": "ragged_row", "table": "vehicles", "rate": "5%"},
    {"kind": "renamed_column", "table": "persons", "field": "person_id"},
    {"kind": "extra_column", "table": "vehicles"},
    {"kind": "truncated_file", "table": "persons"},
    {"kind": "missing_row", "table": "persons", "rate": "5%"},
)


@pytest.fixture(scope="module")
def unreadable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of files that no reader takes as a whole."""
    request = SnapshotRequest(
        records=200, seed=9, formats=("csv", "json", "ndjson"), defects=overlay(DEFAULT_DATASET, *FILES)
    )
    return Path(str(write_snapshot(tmp_path_factory.mktemp("files") / "snapshot", request).folder))


def test_files_that_no_reader_reads_are_proved(unreadable: Path) -> None:
    """What is wrong with files is what the check of the schema finds, but for cells of rows that are missing."""
    outcome = verify_snapshot(unreadable)
    assert outcome.verdict == "passed"
    assert set(_status(outcome).values()) == {"passed"}
    labels = _labels_of(unreadable)
    missing = {label.slot for label in labels if label.kind == "missing_row"}
    found = [
        label
        for label in labels
        if label.kind != "missing_row" and (label.table, label.slot in missing) != ("persons", True)
    ]
    [check] = [each for each in outcome.checks if each.name == "schema"]
    assert check.notes[-1] == f"found {len(found)} of {len(labels)} labels"
    diff = diff_snapshots(unreadable, unreadable)
    assert diff.cause == "none"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("persons_v0_1.csv", b"\xe9", b"e"),
        ("persons_v0_1.csv", b"\n", b"\r\n"),
        ("vehicles_v0_1.csv", b"vehicle_id,", b"vehicle_no,"),
        ("vehicles_v0_1.ndjson", b":null", b':""'),
        ("dataset_v0_1.json", b"\n]", b'"}\n]'),
    ],
)
def test_a_byte_of_an_unreadable_file_that_was_changed_is_found(
    unreadable: Path, tmp_path: Path, name: str, before: bytes, after: bytes
) -> None:
    """A file that is wrong in another way than the seed and the defects make it fails, though it is listed as it is."""
    folder = Path(shutil.copytree(unreadable, tmp_path / "dirty"))
    file = folder / name
    assert before in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(before, after, 1))
    _relist(folder, name)
    check = next(each for each in verify_snapshot(folder).checks if each.name == "regenerated")
    assert check.status == "failed"
    assert check.first is not None
    assert check.first.file == name


def test_unreadable_parts_are_proved_by_others(tmp_path: Path) -> None:
    """Parts with other columns, the last of which ends early, are verified side by side."""
    few = [{**each, "rate": "1/500"} if "rate" in each else each for each in FILES]
    defects = overlay(DEFAULT_DATASET, *few)
    request = SnapshotRequest(records=66_000, shard_rows=65_536, formats=("csv",), defects=defects)
    folder = Path(str(write_snapshot(tmp_path / "parts", request).folder))
    with ThreadPoolExecutor(2) as executor:
        assert verify_snapshot(folder, executor=executor).verdict == "passed"


def test_a_list_that_asks_for_the_impossible_is_a_finding(unreadable: Path, tmp_path: Path) -> None:
    """A list by which a truncated file has no row fails the check of the manifest, and raises nothing."""
    from msgspec.structs import replace

    folder = Path(shutil.copytree(unreadable, tmp_path / "dirty"))
    none = {"kind": "missing_row", "table": "persons", "rate": 1}
    forged_list = overlay(DEFAULT_DATASET, *FILES[:-1], none).recipe
    (folder / "overlay_v0_1.json").write_bytes(forged_list)
    name = "snapshot_manifest_v0_1.json"
    manifest = decode_manifest((folder / name).read_bytes())
    assert manifest.defects
    digest = hashlib.sha256(forged_list).hexdigest()
    forged = replace(manifest, defects=replace(manifest.defects, sha256=digest))
    (folder / name).write_bytes(encode_manifest(forged))
    _relist(folder, "overlay_v0_1.json")
    assert verify_snapshot(folder).verdict == "failed"


def test_rows_are_scored_that_no_reader_reads(unreadable: Path, tmp_path: Path) -> None:
    """The labels themselves are a perfect report, and a row's number means its place whatever can be read of its file."""
    score = score_defects(unreadable, unreadable / "defects_v0_1.csv")
    assert score.rows is not None
    assert (score.rows.precision, score.rows.recall, score.missed, score.wrong) == (1.0, 1.0, [], [])
    missing = {label.slot for label in _labels_of(unreadable) if label.kind == "missing_row"}
    labels = [label for label in _labels_of(unreadable) if label.kind == "bad_encoding"]
    rows: list[list[object]] = [["table", "row", "field"]]
    for label in labels:
        if label.slot is not None and label.slot not in missing:
            before = sum(slot is not None and slot < label.slot for slot in missing)
            rows.append(["persons", label.slot - before, "last_name"])
    score = score_defects(unreadable, _report(tmp_path / "report.csv", rows))
    found = {each.kind: each.found for each in score.kinds}
    assert found["bad_encoding"] == len(rows) - 1 > 3
    assert score.wrong == []


def _labels_of(folder: Path) -> list[Label]:
    return list(read_labels(folder, DEFAULT_DATASET.dataset_version, DEFAULT_DATASET))
