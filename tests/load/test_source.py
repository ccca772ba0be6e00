"""The rows of a load, made or read: the same rows, the same digests, in bounded pieces."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from defects import overlay
from esdh_export import SnapshotRequest, write_snapshot
from esdh_load import LoadError, PlanSource, SnapshotSource
from esdh_load.source import Source, one_ahead
from loads import KINDS_PLAN, dataset_of

PLANS = [None, "bank", "shop", KINDS_PLAN]
FORMATS = ["csv", "json", "ndjson", "parquet"]


def _tables(source: Source) -> dict[str, pa.Table]:
    batches: dict[str, list[pa.RecordBatch]] = {}
    for chunk in source.chunks():
        for name, some in chunk.batches.items():
            batches.setdefault(name, []).extend(some)
    return {name: pa.Table.from_batches(some) for name, some in batches.items()}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("form", FORMATS)
def test_snapshot_gives_the_rows_of_its_plan(plan: str | None, form: str, tmp_path: Path) -> None:
    """A snapshot in any format gives the rows, the counts and the content digests that its plan and seed give."""
    dataset = dataset_of(plan)
    written = write_snapshot(
        tmp_path / "out", SnapshotRequest(dataset=dataset, records=150, seed=3, formats=(form,))
    )
    made, read = PlanSource(dataset, records=150, seed=3), SnapshotSource(tmp_path / "out")
    rows = _tables(made)
    assert rows == _tables(read)
    assert written.manifest.content == made.content == read.content
    assert written.manifest.record_counts == made.rows == read.rows
    assert sum(read.rows.values()) == read.expected_rows


def test_some_tables_of_a_snapshot(tmp_path: Path) -> None:
    """A filter takes some of a snapshot's tables, with the digests that they have in it; another name is refused."""
    written = write_snapshot(
        tmp_path / "out",
        SnapshotRequest(
            dataset=dataset_of("bank"), records=40, entities=("customers", "accounts"), formats=("csv",)
        ),
    )
    source = SnapshotSource(tmp_path / "out", entities=["accounts"])
    assert ["accounts"] == list(_tables(source))
    assert {"accounts": written.manifest.content["accounts"]} == source.content
    with pytest.raises(LoadError, match="has no merchants; it has customers, accounts"):
        SnapshotSource(tmp_path / "out", entities=["merchants"])


def test_snapshot_with_defects_is_refused(tmp_path: Path) -> None:
    """A snapshot with rows that are wrong on purpose is refused in one sentence that says so, before a row is read."""
    dataset = dataset_of(None)
    defects = overlay(dataset, {"kind": "missing", "table": "persons", "field": "person_id", "exactly": 1})
    write_snapshot(tmp_path / "out", SnapshotRequest(records=5, formats=("csv",), defects=defects))
    with pytest.raises(
        LoadError, match=r"isn't clean: rows are wrong on purpose, .* written without defects$"
    ):
        SnapshotSource(tmp_path / "out")


def test_changed_file_is_refused(tmp_path: Path) -> None:
    """A snapshot with a file that isn't as listed is refused before a row is read, with the file's name."""
    folder = write_snapshot(tmp_path / "out", SnapshotRequest(records=5, formats=("csv",))).folder
    file = next(Path(str(folder)).glob("*.csv"))
    file.write_bytes(file.read_bytes().replace(b"a", b"b"))
    with pytest.raises(LoadError, match=f"doesn't verify: {file.name} is of SHA-256"):
        SnapshotSource(tmp_path / "out")


def test_folder_without_a_snapshot_is_refused(tmp_path: Path) -> None:
    """A folder that holds no manifest, and one that isn't there, are refused with what is needed."""
    with pytest.raises(LoadError, match="has 0 manifests; name the folder of a snapshot"):
        SnapshotSource(tmp_path)
    with pytest.raises(LoadError, match="is no folder; name the folder of a snapshot"):
        SnapshotSource(tmp_path / "none")


def test_chunks_are_bounded() -> None:
    """Rows come in pieces that are far smaller than all of them, parents no later than their children."""
    source = PlanSource(dataset_of("bank"), records=40_000, seed=3)
    chunks = [(chunk.records, chunk.rows) for chunk in source.chunks()]
    assert (40_000, sum(source.rows.values())) == tuple(map(sum, zip(*chunks, strict=True)))
    assert len(chunks) > 4
    assert max(rows for _, rows in chunks) < 300_000


def test_failure_ahead_reaches_the_caller() -> None:
    """What fails in the thread that makes rows ahead fails where they are taken, after those before it."""

    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    ahead = one_ahead(items())
    assert 1 == next(ahead)
    with pytest.raises(ValueError, match="no more"):
        next(ahead)
