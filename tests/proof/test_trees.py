"""Related tables: verification follows their counts, and finds what was edited and signed again, whatever its type."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import esdh_plan
import numpy as np
import pytest
from esdh_core.columns import Column
from esdh_core.dataset import Block, Table
from esdh_export import SnapshotRequest, write_snapshot
from esdh_proof import diff_snapshots, judge, verify_snapshot
from numpy.typing import NDArray
from tampering import failed, forged, where
from trees import BRANCHES, LEAVES, TREE, TREES

ALL = ("csv", "json", "ndjson", "parquet")
RECORDS = 60
FIELDS = [
    (TREES, "kind"),
    (TREES, "planted"),
    (TREES, "value"),
    (TREES, "old"),
    (TREES, "seen"),
    (TREES, "rings"),
    (TREES, "code"),
    (TREES, "soil_id"),
    (TREES, "tag"),
    (TREES, "first_fall"),
    (BRANCHES, "kind"),
    (BRANCHES, "note"),
    (BRANCHES, "weight"),
    (LEAVES, "planted"),
    (LEAVES, "fell_at"),
    (LEAVES, "green"),
    (LEAVES, "area"),
]


def request_of(records: int = RECORDS, formats: tuple[str, ...] = ALL, **options: object) -> SnapshotRequest:
    """Return a request of the tree."""
    return SnapshotRequest(dataset=TREE, records=records, formats=formats, **options)  # type: ignore[arg-type] # passed on


def write(folder: Path, request: SnapshotRequest) -> Path:
    """Write a snapshot, judged by its gates."""
    write_snapshot(folder, request, gate=partial(judge, dataset=TREE))
    return folder


@contextmanager
def recounted(more: dict[int, int]) -> Iterator[None]:
    """Add to the number of branches of some trees, and sign all."""
    count = BRANCHES.count
    assert count is not None

    def counts(block: Block) -> NDArray[np.int64]:
        numbers = count(block).copy()
        for record, change in more.items():
            if block.start <= record < block.start + block.count:
                numbers[record - block.start] += change
        return numbers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BRANCHES, "count", counts)
        yield


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole snapshot of every table in every format."""
    return write(tmp_path_factory.mktemp("pristine") / "snapshot", request_of())


@pytest.fixture
def snapshot(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it to tamper with."""
    return Path(shutil.copytree(pristine, tmp_path / "snapshot"))


@pytest.mark.parametrize(
    "request_",
    [
        request_of(1),
        request_of(2, entities=("leaves",)),
        request_of(entities=("soils",)),
        request_of(entities=("branches", "soils")),
        request_of(36_000, ("csv", "parquet")),
        request_of(66_000, ("ndjson", "parquet"), shard_rows=65_536, entities=("labels", "branches")),
        request_of(66_000, ("json",), entities=("labels", "leaves")),
    ],
    ids=["one", "few leaves", "fixed", "two", "blocks", "shards", "document"],
)
@pytest.mark.parametrize("regenerate", [True, False])
def test_whole_snapshot_passes(tmp_path: Path, request_: SnapshotRequest, regenerate: bool) -> None:
    """A snapshot as it was written passes every check over every row, in any layout, with and without its parents."""
    folder = write(tmp_path / "snapshot", request_)
    outcome = verify_snapshot(folder, dataset=TREE, regenerate=regenerate)
    assert {} == failed(outcome)
    by_name = {check.name: check for check in outcome.checks}
    rows = sum(len(request_.dataset.rows(table, request_.records)) for table in request_.entities) * len(
        request_.formats
    )
    assert {rows} == {by_name[name].rows for name in ("schema", "formats", "synthetic", "integrity", "rules")}
    assert (rows if regenerate else 0) == by_name["regenerated"].rows


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("table", "field"), FIELDS, ids=lambda each: getattr(each, "name", each))
def test_edited_value_is_found_though_signed(tmp_path: Path, table: Table, field: str, name: str) -> None:
    """A value that another row has, lawful in itself, is found in its row, in every format and for every type."""
    values = table._rules[field].column(TREE.block(0, RECORDS)).tolist()
    row = len(values) // 2
    other = next(at for at, value in enumerate(values) if value != values[row])

    def borrow(column: Column) -> Column:
        rows = np.arange(len(column))
        if len(rows) == len(values):
            rows[row] = other
        return column.take(rows)

    request = request_of(formats=(name,), entities=(table.name,))
    with forged(table, [field], borrow):
        folder = write(tmp_path / "snapshot", request)
    found = failed(verify_snapshot(folder, dataset=TREE))
    assert (row, field) == where(found["regenerated"])
    assert "files" not in found


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("regenerate", [True, False])
def test_copy_that_differs_is_found(tmp_path: Path, name: str, regenerate: bool) -> None:
    """A grandchild whose copied value isn't its root's is found from the files alone."""
    with forged(LEAVES, ["planted"], lambda column: column.take(np.roll(np.arange(len(column)), 1))):
        folder = write(tmp_path / "snapshot", request_of(formats=(name,)))
    found = failed(verify_snapshot(folder, dataset=TREE, regenerate=regenerate))
    assert "planted" == where(found["integrity"])[1]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("regenerate", [True, False])
def test_swapped_children_are_found_by_their_ids(tmp_path: Path, name: str, regenerate: bool) -> None:
    """Two children that changed places, with all that they hold, are found by their ids."""

    def swap(column: Column) -> Column:
        rows = np.arange(len(column))
        if len(rows) > 30:
            rows[[5, 20]] = rows[[20, 5]]
        return column.take(rows)

    with forged(BRANCHES, BRANCHES.fields, swap):
        folder = write(tmp_path / "snapshot", request_of(formats=(name,), entities=("branches",)))
    found = failed(verify_snapshot(folder, dataset=TREE, regenerate=regenerate))
    assert (5, "branch_id") == where(found["synthetic"])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("regenerate", [True, False])
@pytest.mark.parametrize(
    "changes", [(-1, 0), (1, 0), (-1, 1), (1, -1)], ids=["deleted", "added", "moved down", "moved up"]
)
def test_children_other_than_the_counts_are_found(
    tmp_path: Path, name: str, regenerate: bool, changes: tuple[int, int]
) -> None:
    """A child that was deleted, added or moved to another parent, and all signed again, is found where it was."""
    assert BRANCHES.count is not None
    counts = BRANCHES.count(TREE.block(0, RECORDS))
    some = np.flatnonzero((counts > 0) & (counts < 5)).tolist()
    records = some[3], some[9]
    with recounted(dict(zip(records, changes, strict=True))):
        folder = write(tmp_path / "snapshot", request_of(formats=(name,)))
    found = failed(verify_snapshot(folder, dataset=TREE, regenerate=regenerate))
    row = int(counts[: records[0] + 1].sum()) - (changes[0] < 0)
    assert (row, "branch_id") == where(found["synthetic"])
    assert (sum(changes) != 0) == ("files" in found)
    assert regenerate == ("regenerated" in found)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("table", "field"),
    [
        (TREES, "tag"),
        (TREES, "branch_count"),
        (TREES, "leaf_area"),
        (TREES, "first_fall"),
        (LEAVES, "area_so_far"),
    ],
    ids=lambda each: getattr(each, "name", each),
)
@pytest.mark.parametrize("alone", [True, False])
def test_derived_value_is_added_up_again(
    tmp_path: Path, table: Table, field: str, name: str, alone: bool
) -> None:
    """A rollup, a running value or a unique that isn't what the plan says is found in its row without what the seed gives.

    So it is where a filter left out the rows that it is of.
    """
    values = table._rules[field].column(TREE.block(0, RECORDS)).tolist()
    row = next(at for at in range(20, len(values)) if values[at] != values[at - 1])

    def borrow(column: Column) -> Column:
        rows = np.arange(len(column))
        if len(rows) == len(values):
            rows[row] -= 1
        return column.take(rows)

    with forged(table, [field], borrow):
        folder = write(
            tmp_path / "snapshot", request_of(formats=(name,), entities=(table.name,) if alone else ())
        )
    found = failed(verify_snapshot(folder, dataset=TREE, regenerate=False))
    assert (row, field) == where(found["rules"])
    assert {"rules"} == set(found)


def test_recipe_says_which_dataset_it_is(snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that carries its recipe is verified and compared by that alone; one that can't be read fails."""
    monkeypatch.setattr(esdh_plan, "load_recipe", lambda *_: TREE, raising=False)
    assert {} == failed(verify_snapshot(snapshot))
    assert "none" == diff_snapshots(snapshot, snapshot).cause

    def refuse(_: bytes, name: str) -> None:
        raise ValueError(f"{name}: it is no recipe")

    monkeypatch.setattr(esdh_plan, "load_recipe", refuse, raising=False)
    check = failed(verify_snapshot(snapshot))["manifest"]
    assert check.first is not None
    assert check.first.found == "plan_tree_v1.json can't be read: plan_tree_v1.json: it is no recipe"
    (snapshot / "plan_tree_v1.json").unlink()
    check = failed(verify_snapshot(snapshot))["manifest"]
    assert check.first is not None
    assert check.first.found == "plan_tree_v1.json is missing; it says what the rows must be"


def test_edited_recipe_is_found(snapshot: Path) -> None:
    """A recipe whose bytes aren't the dataset's fails."""
    (snapshot / "plan_tree_v1.json").write_bytes(b"{}\n")
    assert "files" in failed(verify_snapshot(snapshot, dataset=TREE))


def test_smaller_snapshot_is_the_beginning(tmp_path: Path, pristine: Path) -> None:
    """The records of a smaller snapshot are the beginning of a larger one's, table by table."""
    larger = write(tmp_path / "larger", request_of(20_000, ("csv",)))
    found = diff_snapshots(pristine, larger, dataset=TREE)
    assert ("size", True) == (found.cause, found.prefix)


def test_edited_row_is_told_as_drift(tmp_path: Path, pristine: Path) -> None:
    """An edited value of a grandchild is told by row and field, against another format."""
    with forged(LEAVES, ["area"], lambda column: column.take(np.arange(len(column)) // 2 * 2)):
        folder = write(tmp_path / "other", request_of(formats=("parquet",)))
    found = diff_snapshots(pristine, folder, dataset=TREE)
    assert "edited" == found.cause
    rows = next(each for each in found.rows if each.entity == "leaves")
    assert ({"area", "area_so_far"}, 0) == (set(rows.fields), rows.unread)
    assert 1 == rows.first[0].row % 2


def test_tables_without_shares_ask_no_gate() -> None:
    """A table without declared shares, or without a row, is no reason to refuse a snapshot; nor does it pass a gate."""
    assert "skipped" == judge({"leaves": {}}, dataset=TREE).verdict
