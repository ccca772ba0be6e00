"""Snapshots with defects are proved by making them again, and reports are held against their labels."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from defects import csv_rows, overlay
from esdh_core import DEFAULT_DATASET, encode_id
from esdh_export import SnapshotRequest, write_snapshot
from esdh_manifest import decode_manifest, encode_manifest, sha256sums
from esdh_plan import load_plan
from esdh_proof import ProofError, Verification, score_defects, verify_snapshot
from esdh_proof.gates import judge

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
ROWS = ("schema", "synthetic", "integrity", "rules")


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
    """Files, claims, counts and every byte are proved; the checks that wrong cells would trip say that they weren't made."""
    outcome = verify_snapshot(pristine)
    assert outcome.verdict == "passed"
    status = _status(outcome)
    assert {name for name, each in status.items() if each == "unproven"} == set(ROWS)
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


def test_a_label_that_was_taken_away_is_missed(dirty: Path) -> None:
    """A wrong cell without its label fails."""
    file = dirty / "defects_v0_1.csv"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    _relist(dirty, file.name)
    assert _status(verify_snapshot(dirty))["regenerated"] == "failed"


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
    """`regenerate=False` leaves every check of rows unproven, with the reason."""
    outcome = verify_snapshot(pristine, regenerate=False)
    assert outcome.verdict == "passed"
    assert {name for name, each in _status(outcome).items() if each == "passed"} == {"manifest", "files"}


# --- scores


def _labels(folder: Path) -> list[dict[str, str | None]]:
    header, *rows = csv_rows(folder / "defects_v0_1.csv")
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def _report(file: Path, rows: list[list[object]]) -> Path:
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return file


def test_the_labels_themselves_are_a_perfect_report(pristine: Path) -> None:
    """Whoever reports every label finds all, and nothing else: the table of labels is a report too."""
    score = score_defects(pristine, pristine / "defects_v0_1.csv")
    assert (score.precision, score.recall, score.f1) == (1.0, 1.0, 1.0)
    assert {each.kind: (each.precision, each.recall) for each in score.kinds} == dict.fromkeys(
        ("bad_check_digit", "missing", "typo"), (1.0, 1.0)
    )


@pytest.mark.parametrize("place", ["slot", "row", "id"])
def test_precision_and_recall_are_counted_by_hand(pristine: Path, tmp_path: Path, place: str) -> None:
    """Two of n typos found with one finding beside: recall 2/n, precision 2/3, by slot, row and id alike."""
    typos = [each for each in _labels(pristine) if each["kind"] == "typo"]
    struck = {int(str(each["slot"])) for each in _labels(pristine) if each["field"] == "last_name"}
    other = next(slot for slot in range(300) if slot not in struck)
    slots = [int(str(typos[0]["slot"])), int(str(typos[1]["slot"])), other]
    named: dict[str, list[object]] = {
        "slot": [*slots],
        "row": [slot + 1 for slot in slots],
        "id": [encode_id(9, "persons", slot) for slot in slots],
    }
    rows: list[list[object]] = [["table", place, "field", "kind"]]
    rows += [["persons", each, "last_name", "typo"] for each in named[place]]
    score = score_defects(pristine, _report(tmp_path / "report.csv", rows))
    assert score.precision == 2 / 3
    assert score.recall == 2 / score.labels
    kinds = {each.kind: each for each in score.kinds}
    assert (kinds["typo"].recall, kinds["typo"].precision) == (2 / len(typos), 2 / 3)
    assert kinds["typo"].f1 == pytest.approx(2 * (2 / 3) * (2 / len(typos)) / (2 / 3 + 2 / len(typos)))
    assert (kinds["missing"].recall, kinds["missing"].findings, kinds["missing"].precision) == (0.0, 0, None)


def test_a_finding_on_a_row_finds_its_cells_and_one_on_a_copy_its_source(
    pristine: Path, tmp_path: Path
) -> None:
    """A finding without a field is on every cell of the row; one on a copy of a wrong cell is right."""
    vins = [each for each in _labels(pristine) if each["kind"] == "bad_check_digit"]
    rows: list[list[object]] = [
        ["table", "slot", "field"],
        ["vehicles", vins[0]["slot"], ""],
        ["profiles", vins[1]["slot"], "primary_vehicle_vin"],
    ]
    score = score_defects(pristine, _report(tmp_path / "report.csv", rows))
    assert (score.findings, score.right, score.found) == (2, 2, 2)


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
            for number, (one, other) in enumerate(zip(dirty_rows, clean_rows, strict=True), 1)
            for at in range(len(header))
            if one[at] != other[at]
        ]
    score = score_defects(folder, _report(tmp_path / "report.csv", rows))
    assert (score.precision, score.recall) == (1.0, 1.0)


def test_frictionless_finds_what_the_schema_forbids(pristine: Path, tmp_path: Path) -> None:
    """The report of Frictionless, run over the files by their data package, has every null, and no finding without a defect."""
    frictionless = pytest.importorskip("frictionless")
    report = frictionless.Package(str(pristine / "datapackage.json"))
    for name in [each.name for each in report.resources if not each.name.endswith("-csv")]:
        report.remove_resource(name)
    (tmp_path / "report.json").write_text(report.validate().to_json(), encoding="utf-8")
    score = score_defects(pristine, tmp_path / "report.json")
    assert score.form == "frictionless"
    assert score.precision == 1.0
    assert {each.kind: each.recall for each in score.kinds}["missing"] == 1.0


def test_great_expectations_names_rows_by_number_or_id(pristine: Path, tmp_path: Path) -> None:
    """`unexpected_index_list` has numbers from 0, or ids; the table is the data asset's or is given."""
    typos = [int(str(each["slot"])) for each in _labels(pristine) if each["kind"] == "typo"]
    indices: list[object] = [*typos[1:], {"person_id": encode_id(9, "persons", typos[0]), "last_name": "x"}]
    result = {
        "expectation_config": {"kwargs": {"column": "last_name"}},
        "success": False,
        "result": {"unexpected_index_list": indices},
    }
    document: dict[str, Any] = {"results": [result], "meta": {}}
    report = tmp_path / "gx.json"
    report.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ProofError, match="give its table with --table"):
        score_defects(pristine, report)
    score = score_defects(pristine, report, table="persons")
    assert {each.kind: each.recall for each in score.kinds}["typo"] == 1.0
    document["meta"] = {"active_batch_definition": {"data_asset_name": "persons"}}
    report.write_text(json.dumps(document), encoding="utf-8")
    assert score_defects(pristine, report).found == score.found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n", "expected the columns table (or --table), field and one of slot, id, row; found a, b"),
        (
            "table,row,field\npersns,1,city\n",
            "line 2: 'persns' is no table of the snapshot; there are persons, vehicles, profiles",
        ),
        ("table,row,field\npersons,301,city\n", "line 2: persons has no row 301; the last is 300"),
        ("table,row,field\npersons,0,city\n", "line 2: persons has no row 0; the last is 300"),
        ("table,row,field\npersons,x,city\n", "line 2: 'x' is no row: expected a whole number"),
        ("table,row,field\npersons,1,town\n", "line 2: persons has no field 'town'; there are person_id"),
        (
            "table,id,field\npersons,7325de0f-b0c4-806c-8636-3e3a1bdbceb4,city\n",
            "is the id of no person of this snapshot",
        ),
    ],
)
def test_a_report_that_cant_be_read_is_told_with_its_place(
    pristine: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    """The message has the line, the value and what would be right."""
    (tmp_path / "report.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ProofError) as caught:
        score_defects(pristine, tmp_path / "report.csv")
    assert sentence in str(caught.value)


def test_a_clean_snapshot_has_nothing_to_be_found(tmp_path: Path) -> None:
    """A snapshot without defects, and a folder that is none, are refused."""
    write_snapshot(tmp_path / "clean", SnapshotRequest(records=3))
    for folder, sentence in (
        (tmp_path / "clean", "is clean: it has no defects"),
        (tmp_path, "it needs one manifest, and has 0"),
    ):
        with pytest.raises(ProofError, match=sentence):
            score_defects(folder, tmp_path / "report.csv")
