"""SnapshotDiff between two snapshots is attributed to its cause."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from esdh_export import SnapshotRequest, write_snapshot
from esdh_proof import ProofError, SnapshotDiff, diff_snapshots
from tampering import MANIFEST, Row, edit_rows, sign

ALL = ("csv", "json", "ndjson", "parquet")


@pytest.fixture
def a(tmp_path: Path) -> Path:
    """A snapshot of 200 records in every format."""
    write_snapshot(tmp_path / "a", SnapshotRequest(formats=ALL))
    return tmp_path / "a"


def against(a: Path, **asked: object) -> SnapshotDiff:
    """Compare with a snapshot that was asked for otherwise."""
    request = SnapshotRequest(**{"formats": ALL, **asked})  # type: ignore[arg-type] # fields by name
    write_snapshot(a.parent / "b", request)
    return diff_snapshots(a, a.parent / "b")


def copy(a: Path) -> Path:
    """Return a copy of a snapshot."""
    return Path(shutil.copytree(a, a.parent / "b"))


def test_same_request_has_no_drift(a: Path) -> None:
    """Two snapshots of one request are the same."""
    drift = against(a)
    assert ("none", [], [], [], []) == (drift.cause, drift.causes, drift.files, drift.rows, drift.statistics)


def test_other_seed_is_the_cause(a: Path) -> None:
    """Another seed is told with both, and with the statistics that it moved."""
    drift = against(a, seed=7)
    assert ("seed", ("20240601", "7")) == (drift.cause, drift.claims["seed"])
    moved = {(each.entity, each.statistic) for each in drift.statistics}
    assert {("persons", "ages"), ("vehicles", "makes")} <= moved
    distances = [each.distance for each in drift.statistics]
    assert sorted(distances, reverse=True) == distances


@pytest.mark.parametrize("records", [50, 70_000])
def test_other_size_is_a_prefix(a: Path, records: int) -> None:
    """Of two sizes of one seed the smaller is the beginning of the larger."""
    drift = against(a, records=records, formats=("csv", "parquet"))
    assert ("size", True, []) == (drift.cause, drift.prefix, drift.rows)


def test_edited_prefix_is_no_prefix(a: Path) -> None:
    """A larger snapshot with an edited row isn't a prolongation."""
    write_snapshot(a.parent / "b", SnapshotRequest(records=300, formats=ALL))
    edit_rows(a.parent / "b", "persons", "csv", lambda rows: rows[3].update(city="Fresno"))
    drift = diff_snapshots(a, a.parent / "b")
    assert ("size", False) == (drift.cause, drift.prefix)
    assert "edited" in drift.causes


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("name", ALL)
def test_edited_rows_are_told(a: Path, name: str, signed: bool) -> None:
    """Edited rows are found in the format that was edited, signed again or not, with fields and values."""
    b = copy(a)

    def edit(rows: list[Row]) -> None:
        rows[3]["make"] = "Ford"
        rows[9]["model_year"] = 2011

    edit_rows(b, "vehicles", name, edit)
    if signed:
        sign(b)
    drift = diff_snapshots(a, b)
    assert "edited" == drift.cause
    (rows,) = [each for each in drift.rows if each.entity == "vehicles"]
    assert (name, 200, 2, {"make": 1, "model_year": 1}) == (
        rows.a_format,
        rows.compared,
        rows.differing,
        rows.fields,
    )
    assert [(3, "make", "Ford"), (9, "model_year", "2011")] == [(x.row, x.field, x.b) for x in rows.first]
    assert signed == (not drift.damaged)


def test_other_entities_are_the_cause(a: Path) -> None:
    """A snapshot without an entity differs by that, though its files differ too."""
    drift = against(a, entities=("persons", "profiles"))
    assert ("entities", []) == (drift.cause, drift.rows)


def test_other_formats_are_the_cause(a: Path) -> None:
    """Other formats of the same data are told as that, even with none in common."""
    write_snapshot(a.parent / "c", SnapshotRequest(formats=("csv",)))
    drift = against(a.parent / "c", formats=("parquet",))
    assert ("formats", []) == (drift.cause, drift.rows)


def test_other_layout_is_the_cause(tmp_path: Path) -> None:
    """The same rows in parts and in one file differ in layout alone."""
    for name, shard_rows in (("a", 65_536), ("b", 131_072)):
        write_snapshot(
            tmp_path / name, SnapshotRequest(records=70_000, formats=("csv",), shard_rows=shard_rows)
        )
    drift = diff_snapshots(tmp_path / "a", tmp_path / "b")
    assert ("layout", []) == (drift.cause, drift.rows)


def test_other_bytes_of_the_same_data_are_the_cause(a: Path) -> None:
    """A Parquet file that was written otherwise holds the same data in other bytes."""
    b = copy(a)
    path = b / "persons_v0_1.parquet"
    pq.write_table(pq.read_table(path), path, compression="snappy", store_schema=False)
    sign(b)
    drift = diff_snapshots(a, b)
    assert ("bytes", []) == (drift.cause, drift.rows)
    assert "persons_v0_1.parquet" in drift.files


def test_other_rules_are_told_by_field(a: Path) -> None:
    """Another plan is told with the fields whose rules differ."""
    b = copy(a)
    text = (b / MANIFEST).read_text()
    at = text.index('"person.city": "') + len('"person.city": "')
    (b / MANIFEST).write_text(text[:at] + "0" * 64 + text[at + 64 :])
    drift = diff_snapshots(a, b)
    assert ("plan", ["person.city"]) == (drift.cause, drift.fields)


def test_other_version_is_the_cause(a: Path) -> None:
    """Another dataset version explains all the rest."""
    b = copy(a)
    sign(b, claims={"dataset_version": "v9.9"})
    assert "version" == diff_snapshots(a, b).cause


def test_claim_alone_is_the_cause(a: Path) -> None:
    """The same data, said to be of a seed that was drawn at random."""
    drift = against(a, randomized=True)
    assert ("claims", ("False", "True")) == (drift.cause, drift.claims["randomized"])


def test_missing_rows_are_counted(a: Path) -> None:
    """A file that can't be read is told as rows that are missing, not as none that differ."""
    b = copy(a)
    (b / "persons_v0_1.parquet").write_bytes(b"nothing")
    drift = diff_snapshots(a, b)
    assert ("edited", 200) == (drift.cause, drift.rows[0].unread)
    assert ["persons_v0_1.parquet"] == drift.files


def test_no_snapshot_is_an_error(a: Path) -> None:
    """A folder that is none, or holds no manifest, is the user's mistake."""
    with pytest.raises(ProofError, match="is no folder"):
        diff_snapshots(a, a / "nowhere")
    (a.parent / "empty").mkdir()
    with pytest.raises(ProofError, match="holds no snapshot manifest"):
        diff_snapshots(a, a.parent / "empty")
