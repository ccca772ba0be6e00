"""A verification finds what is wrong, names the check that should find it, and harms nothing."""

import datetime as dt
import gzip
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from esdh_core import DEFAULT_DATASET, encode_id
from esdh_export import SnapshotRequest, TargetError, schema, write_snapshot
from esdh_manifest import Gates, files_below
from esdh_proof import Check, ProofError, Verification, diff_snapshots, judge, skip, verify_snapshot
from tampering import MANIFEST, Row, edit_rows, manifest_of, sign

ALL = ("csv", "json", "ndjson", "parquet")
SEED = 20240601


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole snapshot of 200 records in every format."""
    folder = tmp_path_factory.mktemp("pristine") / "snapshot"
    write_snapshot(folder, SnapshotRequest(formats=ALL), gate=judge)
    return folder


@pytest.fixture
def snapshot(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it to tamper with."""
    return Path(shutil.copytree(pristine, tmp_path / "snapshot"))


def found(outcome: Verification) -> dict[str, Check]:
    """Return the checks that failed, by name."""
    return {check.name: check for check in outcome.checks if check.status == "failed"}


def first(outcome: Verification, check: str) -> tuple[str, int | None, str | None]:
    """Return where a check failed first."""
    failure = found(outcome)[check].first
    assert failure is not None
    return failure.file, failure.row, failure.field


@pytest.mark.parametrize(
    "request_",
    [
        SnapshotRequest(records=1, formats=ALL),
        SnapshotRequest(records=300, seed=2**53 - 1, formats=("json",), randomized=True),
        SnapshotRequest(records=70, entities=("vehicles",), formats=ALL),
        SnapshotRequest(records=70, entities=("persons", "profiles"), formats=("ndjson", "parquet")),
        SnapshotRequest(records=70_000, formats=ALL, shard_rows=65_536),
        SnapshotRequest(records=70_000, entities=("profiles",), formats=("json", "parquet")),
    ],
    ids=["one", "json", "vehicles", "two", "shards", "blocks"],
)
@pytest.mark.parametrize("regenerate", [True, False])
def test_whole_snapshot_passes(tmp_path: Path, request_: SnapshotRequest, regenerate: bool) -> None:
    """A snapshot as it was written passes every check over every row, in any layout."""
    write_snapshot(tmp_path / "snapshot", request_)
    outcome = verify_snapshot(tmp_path / "snapshot", regenerate=regenerate)
    assert {} == found(outcome)
    assert "passed" == outcome.verdict
    rows = request_.records * len(request_.entities) * len(request_.formats)
    by_name = {check.name: check for check in outcome.checks}
    assert {rows} == {by_name[name].rows for name in ("schema", "formats", "synthetic", "integrity", "rules")}
    assert (
        ("passed", rows)
        if regenerate
        else ("unproven", 0)
        == (
            by_name["regenerated"].status,
            by_name["regenerated"].rows,
        )
    )


def test_verification_changes_nothing(snapshot: Path) -> None:
    """Reading a damaged snapshot leaves every byte and every time stamp as it was."""
    (snapshot / "persons_v0_1.csv").write_bytes(b"damaged")
    before = {
        path: ((snapshot / path).read_bytes(), (snapshot / path).stat()) for path in files_below(snapshot)
    }
    verify_snapshot(snapshot)
    after = {
        path: ((snapshot / path).read_bytes(), (snapshot / path).stat()) for path in files_below(snapshot)
    }
    assert {path: (data, stat.st_mtime_ns) for path, (data, stat) in before.items()} == {
        path: (data, stat.st_mtime_ns) for path, (data, stat) in after.items()
    }


@pytest.mark.demo
def test_flipped_bit_is_found_in_its_file_row_and_field(snapshot: Path) -> None:
    """One flipped bit fails the checksum, and the row and field that it changed are told."""
    path = snapshot / "vehicles_v0_1.csv"
    data = bytearray(path.read_bytes())
    at = data.index(b"Sedan")
    data[at] ^= 1
    path.write_bytes(data)
    outcome = verify_snapshot(snapshot)
    row = data[:at].count(b"\n") - 1
    assert ("vehicles_v0_1.csv", None, None) == first(outcome, "files")
    assert ("vehicles_v0_1.csv", row, "body_style") == first(outcome, "regenerated")
    assert "formats" in found(outcome)


@pytest.mark.parametrize("name", ALL)
def test_swapped_rows_are_found_by_their_ids(snapshot: Path, name: str) -> None:
    """Two rows that changed places are found, signed or not: their ids say where they belong."""

    def swap(rows: list[Row]) -> None:
        rows[3], rows[100] = rows[100], rows[3]

    edit_rows(snapshot, "persons", name, swap)
    sign(snapshot)
    failure = found(verify_snapshot(snapshot))["synthetic"].first
    assert failure is not None
    assert (3, "person_id") == (failure.row, failure.field)
    assert "person 100 of seed 20240601" in str(failure.found)


@pytest.mark.parametrize("name", ALL)
def test_smuggled_row_is_found(snapshot: Path, name: str) -> None:
    """A row that looks like production data is found among the synthetic ones, in any format."""

    def smuggle(rows: list[Row]) -> None:
        rows[7] |= {
            "person_id": "3f0e4b8a-6f0a-4a53-9c2e-5d1a2b3c4d5e",
            "driver_license_number": "D1234567",
            "date_of_birth": dt.date(1975, 3, 9),
        }

    edit_rows(snapshot, "persons", name, smuggle)
    sign(snapshot, recount=name == "csv")
    failed = found(verify_snapshot(snapshot))
    failure = failed["synthetic"].first
    assert failure is not None
    assert (7, "person_id") == (failure.row, failure.field)
    assert "not a version 8 UUID" in str(failure.found)
    assert "schema" in failed


def test_row_of_another_seed_is_found_by_what_its_id_says(snapshot: Path) -> None:
    """A row out of another snapshot is told as what it is."""
    for name in ALL:
        edit_rows(snapshot, "persons", name, lambda rows: rows[5].update(person_id=encode_id(7, "person", 5)))
    sign(snapshot, recount=True)
    failure = found(verify_snapshot(snapshot))["synthetic"].first
    assert failure is not None
    assert str(failure.found).endswith("which is person 5 of seed 7")


def test_value_edited_alike_everywhere_and_signed_again_is_found(snapshot: Path) -> None:
    """A lawful value in every format, with all checksums, digests and statistics made to fit, isn't the seed's."""
    before = []

    def edit(rows: list[Row]) -> None:
        before.append(rows[11]["address_line_1"])
        rows[11]["address_line_1"] = rows[12]["address_line_1"]

    for name in ALL:
        edit_rows(snapshot, "persons", name, edit)
    sign(snapshot, recount=True)
    failed = found(verify_snapshot(snapshot))
    assert ["regenerated"] == list(failed)
    failure = failed["regenerated"].first
    assert failure is not None
    assert (11, "address_line_1", before[0]) == (failure.row, failure.field, failure.expected)
    assert {} == found(verify_snapshot(snapshot, regenerate=False))


@pytest.mark.parametrize(
    ("plural", "change", "check", "field"),
    [
        ("persons", {"synthetic_source": "production"}, "synthetic", "synthetic_source"),
        ("persons", {"driver_license_number": "CA20801382166"}, "integrity", "driver_license_number"),
        ("persons", {"date_of_birth": dt.date(2010, 1, 1)}, "rules", "date_of_birth"),
        ("persons", {"date_of_birth": dt.date(1900, 1, 1)}, "rules", "date_of_birth"),
        ("persons", {"postal_code": "99999"}, "rules", "postal_code"),
        ("persons", {"first_name": "Xerxesine"}, "rules", "first_name"),
        ("persons", {"first_name": "None"}, "rules", "first_name"),
        ("persons", {"address_line_1": "12 Elm Street"}, "rules", "address_line_1"),
        ("persons", {"address_line_2": "Penthouse"}, "rules", "address_line_2"),
        ("persons", {"country": "CA"}, "schema", "country"),
        ("vehicles", {"vin": "1HGCM82633A004352"}, "synthetic", "vin"),
        ("vehicles", {"person_id": encode_id(SEED, "person", 1)}, "integrity", "person_id"),
        (
            "vehicles",
            {"garaging_postal_code": "00000"},
            "integrity",
            "garaging_postal_code",
        ),
        ("vehicles", {"model": "Model T"}, "rules", "model"),
        ("vehicles", {"model_year": 1999}, "schema", "model_year"),
        ("vehicles", {"risk_rating": "Extreme"}, "schema", "risk_rating"),
        ("profiles", {"full_name": "Jane Doe"}, "integrity", "full_name"),
        ("profiles", {"vehicle_summary": "2017 Honda Civic"}, "integrity", "vehicle_summary"),
        ("profiles", {"vehicle_id": encode_id(SEED, "vehicle", 9)}, "integrity", "vehicle_id"),
    ],
)
def test_each_rule_is_held_by_its_check(
    snapshot: Path, plural: str, change: Row, check: str, field: str
) -> None:
    """A value that breaks a rule fails the check that states the rule, without the help of regeneration."""
    for name in ALL:
        edit_rows(snapshot, plural, name, lambda rows: rows[0].update(change))
    sign(snapshot, recount=True)
    failed = found(verify_snapshot(snapshot, regenerate=False))
    failure = failed[check].first
    assert failure is not None
    assert (0, field) == (failure.row, failure.field)


@pytest.mark.parametrize(("record", "rating"), [("Personal", "High"), ("Commercial", "Low")])
def test_risk_rating_that_the_line_of_business_never_has_is_found(
    snapshot: Path, record: str, rating: str
) -> None:
    """Personal is never High, Commercial never Low."""

    def edit(rows: list[Row]) -> None:
        next(row for row in rows if row["lob_type"] == record)["risk_rating"] = rating

    for name in ALL:
        edit_rows(snapshot, "vehicles", name, edit)
    sign(snapshot, recount=True)
    assert "rules" in found(verify_snapshot(snapshot, regenerate=False))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("signed", [False, True])
def test_deleted_row_is_found(snapshot: Path, name: str, signed: bool) -> None:
    """A missing row fails the row count, and the first row that moved up is told."""

    def delete(rows: list[Row]) -> None:
        del rows[20]

    edit_rows(snapshot, "profiles", name, delete)
    if signed:
        sign(snapshot, recount=name == "csv")
    outcome = verify_snapshot(snapshot)
    file, row, field = first(outcome, "synthetic")
    assert (20, "profile_id") == (row, field)
    assert "files" in found(outcome)
    assert name in file


@pytest.mark.parametrize(
    ("claims", "check"),
    [
        ({"seed": 5}, "synthetic"),
        ({"records_requested": 199}, "files"),
        ({"records_requested": 2**33}, "files"),
        ({"generated_at": "2026-01-01T00:00:00"}, "manifest"),
        ({"notes": "Real data."}, "manifest"),
        ({"plan_sha256": "0" * 64}, "manifest"),
        ({"plan": {"person.person_id": "0" * 64}}, "manifest"),
        ({"record_counts": {"persons": 200, "vehicles": 200}}, "manifest"),
        ({"content": dict.fromkeys(("persons", "vehicles", "profiles"), "0" * 64)}, "formats"),
        ({"stats": {}}, "stats"),
        ({"files": {}}, "manifest"),
        ({"synthetic_source": "production"}, "manifest"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_forged_claim_is_found(snapshot: Path, claims: dict[str, Any], check: str) -> None:
    """A claim that can be recomputed is, whoever signed it."""
    sign(snapshot, claims=claims)
    assert check in found(verify_snapshot(snapshot))


def test_edited_manifest_is_found_by_the_sums(snapshot: Path) -> None:
    """A manifest that was edited after signing isn't the one that SHA256SUMS lists."""
    path = snapshot / MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"randomized": false', b'"randomized": true'))
    assert {"files"} == set(found(verify_snapshot(snapshot)))


def test_what_cannot_be_proved_is_said(snapshot: Path) -> None:
    """A forged `randomized`, signed again, can't be seen, and the outcome says so."""
    sign(snapshot, claims={"randomized": True})
    outcome = verify_snapshot(snapshot)
    assert {} == found(outcome)
    assert any("randomized" in each for each in outcome.unproven)


def test_truncated_parquet_is_found(snapshot: Path) -> None:
    """A Parquet file that lost its end fails as a file and can't be read; the other formats still can."""
    path = snapshot / "persons_v0_1.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    outcome = verify_snapshot(snapshot)
    assert {"files", "schema", "formats"} == set(found(outcome))
    assert "persons_v0_1.parquet" == first(outcome, "schema")[0]


@pytest.mark.parametrize("dictionary", [True, False])
def test_decompression_bomb_is_not_unpacked(snapshot: Path, dictionary: bool) -> None:
    """Pages that would unpack to far more than rows can need are refused by their headers."""
    target = schema(DEFAULT_DATASET.table("persons"), seed=SEED)
    rows: dict[str, list[Any]] = {field.name: ["x"] * 200 for field in target}
    rows["address_line_1"] = ["x" * 200_000] * 200
    rows["date_of_birth"] = [dt.date(1990, 1, 1)] * 200
    path = snapshot / "persons_v0_1.parquet"
    pq.write_table(
        pa.table(rows, schema=target), path, compression="zstd", store_schema=False, use_dictionary=dictionary
    )
    assert path.stat().st_size < 100_000
    sign(snapshot)
    failure = found(verify_snapshot(snapshot))["schema"].first
    assert failure is not None
    assert "persons_v0_1.parquet" == failure.file
    assert "unpacks to" in str(failure.found)


@pytest.mark.parametrize("line", [b"[" * 3_000_000, b'{"a":' * 500_000, b"x" * 9_000_000])
@pytest.mark.parametrize("name", ["csv", "ndjson", "json"])
def test_monstrous_line_is_refused(snapshot: Path, name: str, line: bytes) -> None:
    """A line far longer than a row, or nested without end, is a failure and no crash."""
    path = snapshot / ("dataset_v0_1.json" if name == "json" else f"persons_v0_1.{name}")
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:4], line, *lines[5:]]))
    sign(snapshot)
    assert {"schema", "formats"} <= set(found(verify_snapshot(snapshot)))


def test_symbolic_link_out_of_the_folder_is_not_followed(snapshot: Path, tmp_path: Path) -> None:
    """A link to a file that holds the right bytes is a failure all the same."""
    path = snapshot / "persons_v0_1.csv"
    path.rename(tmp_path / "elsewhere.csv")
    path.symlink_to(tmp_path / "elsewhere.csv")
    assert ("persons_v0_1.csv", None, None) == first(verify_snapshot(snapshot), "files")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_named_pipe_does_not_hang(snapshot: Path) -> None:
    """A pipe in the place of a file is a failure, and nothing waits for its writer."""
    (snapshot / "persons_v0_1.csv").unlink()
    os.mkfifo(snapshot / "persons_v0_1.csv")
    assert ("persons_v0_1.csv", None, None) == first(verify_snapshot(snapshot), "files")


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/passwd", "a/../../b", "C:\\x", ""])
def test_path_out_of_the_folder_is_refused(snapshot: Path, path: str) -> None:
    """A manifest that lists a path outside its folder is refused before anything is opened."""
    document = msgspec.json.decode((snapshot / MANIFEST).read_bytes())
    document["checksums"][path] = document["checksums"]["persons_v0_1.csv"]
    (snapshot / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    outcome = verify_snapshot(snapshot)
    failure = found(outcome)["manifest"].first
    assert failure is not None
    assert "not a path inside the snapshot" in str(failure.found)
    assert {"unproven"} == {check.status for check in outcome.checks if check.name != "manifest"}


def test_added_file_is_found(snapshot: Path) -> None:
    """A file that the manifest doesn't list is told."""
    (snapshot / "notes.txt").write_text("mine")
    assert ("notes.txt", None, None) == first(verify_snapshot(snapshot), "files")


def test_litter_is_passed_over(snapshot: Path) -> None:
    """What a file manager leaves is no failure, as it is none to who writes; it is named."""
    (snapshot / ".DS_Store").write_bytes(b"\0")
    outcome = verify_snapshot(snapshot)
    assert {} == found(outcome)
    notes = next(check.notes for check in outcome.checks if check.name == "files")
    assert "passed over, as no part of the snapshot: .DS_Store" in notes
    assert not write_snapshot(snapshot, SnapshotRequest(formats=ALL), gate=judge).written
    assert "none" == diff_snapshots(snapshot, snapshot).cause


def checked_out(snapshot: Path) -> None:
    """Give every text of a snapshot the line ends of Windows, as git does with `core.autocrlf`."""
    for path in files_below(snapshot):
        if not path.endswith(".parquet"):
            file = snapshot / path
            file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))


def packed(snapshot: Path) -> None:
    """Compress every table with `gzip`."""
    for path in files_below(snapshot):
        if path.endswith((".csv", ".ndjson", "dataset_v0_1.json", ".parquet")):
            (snapshot / f"{path}.gz").write_bytes(gzip.compress((snapshot / path).read_bytes()))
            (snapshot / path).unlink()


def marked(snapshot: Path) -> None:
    """Put a byte order mark before every text."""
    for path in files_below(snapshot):
        if not path.endswith(".parquet"):
            (snapshot / path).write_bytes(b"\xef\xbb\xbf" + (snapshot / path).read_bytes())


@pytest.mark.parametrize(
    ("change", "checks", "done", "remedy"),
    [
        (checked_out, {"manifest", "files"}, "line ends made CRLF", "`* -text` into .gitattributes"),
        (marked, {"manifest", "files"}, "a byte order mark put before it", "take the file from its source"),
        (packed, {"files"}, "compressed with gzip", "gzip -d"),
    ],
    ids=["lines", "mark", "gzip"],
)
def test_change_by_a_tool_is_no_damage(
    snapshot: Path,
    change: Callable[[Path], None],
    checks: set[str],
    done: str,
    remedy: str,
) -> None:
    """What a tool did to the files fails them and is named with the remedy; all that they say holds, and is so told."""
    pristine = Path(shutil.copytree(snapshot, snapshot.parent / "pristine"))
    change(snapshot)
    assert checks == set(found(verify_snapshot(snapshot, regenerate=False)))
    outcome = verify_snapshot(snapshot)
    assert checks == set(found(outcome))
    for check in found(outcome).values():
        assert check.first is not None
        assert done in str(check.first.found)
        assert any(remedy in note for note in check.notes)
    drift = diff_snapshots(pristine, snapshot)
    assert "bytes" == drift.cause
    assert all(done in problem for problem in drift.damaged)
    with pytest.raises(TargetError, match=f"changed by a tool: .*{done}"):
        write_snapshot(snapshot, SnapshotRequest(formats=ALL), gate=judge)
    assert write_snapshot(snapshot, SnapshotRequest(formats=ALL), gate=judge, overwrite=True).written


def test_changed_rows_are_damage_whatever_the_line_ends(snapshot: Path, pristine: Path) -> None:
    """An edited file with the line ends of Windows isn't taken for one that a tool changed."""
    checked_out(snapshot)
    path = snapshot / "persons_v0_1.csv"
    path.write_bytes(path.read_bytes().replace(b"Personal", b"Personel", 1))
    outcome = verify_snapshot(snapshot)
    assert {"manifest", "files", "schema", "formats"} <= set(found(outcome))
    assert "edited" == diff_snapshots(pristine, snapshot).cause
    with pytest.raises(TargetError, match=r"damaged: persons_v0_1\.csv is \d+ bytes long"):
        write_snapshot(snapshot, SnapshotRequest(formats=ALL), gate=judge)


@pytest.mark.parametrize("regenerate", [True, False])
def test_parquet_that_was_rewritten_is_told_as_that(snapshot: Path, pristine: Path, regenerate: bool) -> None:
    """A Parquet file that another program wrote from the same rows fails as a file, with who wrote it."""
    path = snapshot / "persons_v0_1.parquet"
    ours = f"parquet-cpp-arrow version {pa.__version__}".encode()
    other = ours.replace(pa.__version__.encode(), b"1" * len(pa.__version__))
    path.write_bytes(path.read_bytes().replace(ours, other))
    outcome = verify_snapshot(snapshot, regenerate=regenerate)
    assert {"files"} == set(found(outcome))
    assert any(
        f"holds the listed rows in bytes that {other.decode()}" in n for n in found(outcome)["files"].notes
    )
    assert "bytes" == diff_snapshots(pristine, snapshot).cause
    with pytest.raises(TargetError, match=f"as '{other.decode()}' wrote it"):
        write_snapshot(snapshot, SnapshotRequest(formats=ALL), gate=judge)


def test_other_spelling_of_the_same_data_is_found(snapshot: Path) -> None:
    """Other bytes for the same values, signed again, aren't what a writer of ours writes."""
    path = snapshot / "persons_v0_1.ndjson"
    lines = path.read_bytes().split(b"\n")
    lines[8] = lines[8].replace(b":", b": ", 1)
    path.write_bytes(b"\n".join(lines))
    sign(snapshot)
    for regenerate in (True, False):
        outcome = verify_snapshot(snapshot, regenerate=regenerate)
        assert {"schema"} == set(found(outcome))
        assert ("persons_v0_1.ndjson", 8, None) == first(outcome, "schema")


@pytest.mark.parametrize(
    ("column", "text"), [("model_year", "02017"), ("model_year", "+2017"), ("vin", '"x"')]
)
def test_number_in_another_spelling_is_found(snapshot: Path, column: str, text: str) -> None:
    """CSV numbers have one spelling, and a needless quote isn't in it."""
    path = snapshot / "vehicles_v0_1.csv"
    lines = path.read_text().split("\n")
    cells = lines[5].split(",")
    at = DEFAULT_DATASET.table("vehicles").fields.index(column)
    cells[at] = text.replace("x", cells[at])
    path.write_text("\n".join([*lines[:5], ",".join(cells), *lines[6:]]))
    sign(snapshot)
    assert ("vehicles_v0_1.csv", 4) == first(verify_snapshot(snapshot, regenerate=False), "schema")[:2]


def test_parquet_of_another_pyarrow_is_told_as_that(snapshot: Path) -> None:
    """Right rows in bytes that another library version wrote pass, with a note that says so."""
    path = snapshot / "persons_v0_1.parquet"
    ours = f"parquet-cpp-arrow version {pa.__version__}".encode()
    other = ours.replace(pa.__version__.encode(), b"1" * len(pa.__version__))
    path.write_bytes(path.read_bytes().replace(ours, other))
    sign(snapshot)
    outcome = verify_snapshot(snapshot)
    assert {} == found(outcome)
    notes = next(check.notes for check in outcome.checks if check.name == "regenerated")
    assert [True] == ["persons_v0_1.parquet holds the right rows in bytes that" in note for note in notes]


def test_parquet_bytes_that_this_pyarrow_would_not_write_are_found(snapshot: Path) -> None:
    """The same rows, said to be written by this pyarrow, in other bytes: somebody else wrote them."""
    path = snapshot / "persons_v0_1.parquet"
    pq.write_table(pq.read_table(path), path, compression="zstd", store_schema=False, write_statistics=False)
    sign(snapshot)
    assert {"regenerated"} == set(found(verify_snapshot(snapshot)))


@pytest.mark.parametrize("forged", ["verdict", "level", "checks"])
def test_forged_gates_are_found(snapshot: Path, forged: str) -> None:
    """What the gates said is judged again; a forged verdict, level or check is found."""
    gates = manifest_of(snapshot).gates
    assert gates is not None
    value = {"verdict": "failed", "level": 0.5, "checks": gates.checks[1:]}[forged]
    sign(snapshot, claims={"gates": msgspec.structs.replace(gates, **{forged: value})})
    failed = found(verify_snapshot(snapshot))
    assert ["fidelity"] == list(failed)


def test_data_that_do_not_follow_the_plan_fail_fidelity(snapshot: Path) -> None:
    """Counts that the plan can't give fail, with the distribution, the count and what is expected."""

    def edit(rows: list[Row]) -> None:
        for row in rows:
            row["lob_type"] = "Commercial"

    for name in ALL:
        edit_rows(snapshot, "persons", name, edit)
    sign(snapshot, recount=True)
    failure = found(verify_snapshot(snapshot, regenerate=False))["fidelity"].first
    assert failure is not None
    assert ("stats.persons.lines_of_business.Commercial", "200", "about 60.0") == (
        failure.field,
        failure.found,
        failure.expected,
    )


def test_ages_that_do_not_follow_the_plan_fail_fidelity(snapshot: Path) -> None:
    """Ages are told as a range, with the count of that range."""

    def edit(rows: list[Row]) -> None:
        for row in rows:
            row["date_of_birth"] = dt.date(1990, 1, 1)

    for name in ALL:
        edit_rows(snapshot, "persons", name, edit)
    sign(snapshot, recount=True)
    failure = found(verify_snapshot(snapshot, regenerate=False))["fidelity"].first
    assert failure is not None
    assert ("stats.persons.ages.16-34", "200") == (failure.field, failure.found)


@pytest.mark.parametrize("forged", ["level", "checks"])
def test_skipped_gates_claim_nothing_else(snapshot: Path, forged: str) -> None:
    """A skipped gate with another level, or with checks that it never made, is found."""
    gates = manifest_of(snapshot).gates
    assert gates is not None
    value = {"level": 0.5, "checks": gates.checks[:1]}[forged]
    sign(snapshot, claims={"gates": msgspec.structs.replace(skip({}), **{forged: value})})
    assert ["fidelity"] == list(found(verify_snapshot(snapshot)))
    assert str(first(verify_snapshot(snapshot), "fidelity")[2]).startswith(f"gates.{forged}")


@pytest.mark.parametrize("gates", [None, skip({})], ids=["none", "skipped"])
def test_missing_gates_are_noted(snapshot: Path, gates: Gates | None) -> None:
    """A snapshot that was written without a gate is judged all the same, and that is noted."""
    sign(snapshot, claims={"gates": gates})
    check = next(check for check in verify_snapshot(snapshot).checks if check.name == "fidelity")
    assert ("passed", ["no gate was asked when the snapshot was written"]) == (check.status, check.notes)


def test_later_dataset_version_is_unproven_not_wrong(snapshot: Path) -> None:
    """Of a version that this program doesn't know the files are checked, and the rest is said to be unproven."""
    sign(snapshot, claims={"dataset_version": "v9.9"})
    (snapshot / MANIFEST).rename(snapshot / "snapshot_manifest_v9_9.json")
    outcome = verify_snapshot(snapshot)
    assert {"unproven"} == {
        check.status for check in outcome.checks if check.name not in {"manifest", "files"}
    }
    assert any("this program knows v0.1" in each for each in outcome.unproven)


def test_missing_manifest_leaves_everything_unproven(snapshot: Path) -> None:
    """Without a manifest nothing is proved, and that is a failure."""
    (snapshot / MANIFEST).unlink()
    outcome = verify_snapshot(snapshot)
    assert {"manifest"} == set(found(outcome))
    assert "failed" == outcome.verdict


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    """A folder that isn't there is the user's mistake, not a failed check."""
    with pytest.raises(ProofError, match="is no folder"):
        verify_snapshot(tmp_path / "nowhere")


def test_checksum_of_the_outcome_is_stable(snapshot: Path) -> None:
    """Two verifications of one snapshot say the same, byte for byte."""
    made = [hashlib.sha256(msgspec.json.encode(verify_snapshot(snapshot))).hexdigest() for _ in range(2)]
    assert made[0] == made[1]
