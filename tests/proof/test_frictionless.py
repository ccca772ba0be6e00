"""Frictionless, run over the files of snapshots with defects, finds what the labels say, for the kinds that it knows."""

from pathlib import Path
from typing import Any

import pytest
from defects import overlay
from esdh_core import DEFAULT_DATASET
from esdh_export import SnapshotRequest, write_snapshot
from esdh_proof import Score, score_defects
from frictionless import Package, Report

# A kind, its table and field, and the errors by which Frictionless finds it.
KINDS: tuple[tuple[str, str, str | None, set[str]], ...] = (
    ("wrong_type", "persons", "date_of_birth", {"type-error"}),
    ("missing", "persons", "city", {"constraint-error"}),
    ("bad_enum", "persons", "state", {"constraint-error"}),
    ("bad_pattern", "persons", "postal_code", {"constraint-error"}),
    ("duplicate_key", "persons", "person_id", {"unique-error", "primary-key", "foreign-key"}),
    ("orphan", "vehicles", "person_id", {"foreign-key"}),
)


def check(folder: Path, formats: tuple[str, ...], *defects: dict[str, Any]) -> tuple[set[str], Score]:
    """Return the types of the errors that Frictionless finds in a snapshot with some defects, and its score."""
    request = SnapshotRequest(records=60, seed=4, formats=formats, defects=overlay(DEFAULT_DATASET, *defects))
    write_snapshot(folder / "dirty", request)
    found: Report = Package.from_descriptor(str(folder / "dirty" / "datapackage.json")).validate()
    (folder / "report.json").write_text(str(found.to_json()), encoding="utf-8")
    types = {error.type for task in found.tasks for error in task.errors}
    return types, score_defects(folder / "dirty", folder / "report.json")


def counts(score: Score) -> list[tuple[str, int, int]]:
    """Return the labels of each kind, and those of them that were found."""
    return [(each.kind, each.labels, each.found) for each in score.kinds]


@pytest.mark.parametrize("extension", ["csv", "ndjson"])
@pytest.mark.parametrize(("kind", "table", "field", "expected"), KINDS, ids=[each[0] for each in KINDS])
def test_every_wrong_value_is_found(
    tmp_path: Path, *, kind: str, table: str, field: str, expected: set[str], extension: str
) -> None:
    """Each labelled cell of a kind that a schema forbids is found, and nothing that isn't wrong."""
    types, score = check(
        tmp_path, (extension,), {"kind": kind, "table": table, "field": field, "rate": "10%"}
    )
    assert expected == types
    [(_, labels, of)] = counts(score)
    assert labels == of > 2
    assert [] == score.wrong


def test_every_ragged_row_is_found(tmp_path: Path) -> None:
    """Each row with a cell too few or too many is found in CSV, and what else is found follows from that."""
    types, score = check(tmp_path, ("csv",), {"kind": "ragged_row", "table": "persons", "rate": "20%"})
    assert {"missing-cell", "extra-cell"} <= types
    [(_, labels, of)] = counts(score)
    assert labels == of > 5
    assert [] == score.wrong


@pytest.mark.parametrize("extension", ["csv", "ndjson"])
def test_other_columns_are_found(tmp_path: Path, extension: str) -> None:
    """A column under another name, and one that the schema doesn't have, are errors of labels; cells behind it follow from it."""
    renamed = {"kind": "renamed_column", "table": "persons", "field": "last_name"}
    types, score = check(tmp_path / "a", (extension,), renamed)
    assert ({"incorrect-label"}, [("renamed_column", 1, 1)], []) == (types, counts(score), score.wrong)
    assert score.files is not None
    assert (1, 1, 1, 1) == (score.files.labels, score.files.found, score.files.findings, score.files.right)
    types, score = check(tmp_path / "b", (extension,), {"kind": "extra_column", "table": "persons"})
    assert "extra-label" in types
    assert ([("extra_column", 1, 1)], []) == (counts(score), score.wrong)


@pytest.mark.parametrize("extension", ["csv", "ndjson"])
def test_a_file_in_another_encoding_is_found(tmp_path: Path, extension: str) -> None:
    """Frictionless gives up a file that isn't UTF-8, and those that refer to it: that is right, and finds no cell."""
    defect = {"kind": "bad_encoding", "table": "persons", "field": "last_name", "rate": "10%"}
    types, score = check(tmp_path, (extension,), defect)
    assert {"encoding-error"} == types
    [(_, labels, of)] = counts(score)
    assert (True, 0, []) == (labels > 2, of, score.wrong)
    assert score.files is not None
    assert score.files.precision == 1.0


@pytest.mark.parametrize("extension", ["csv", "ndjson"])
def test_the_end_of_a_truncated_file_is_found(tmp_path: Path, extension: str) -> None:
    """The cells that the last row lacks in CSV, and NDJSON that can't be read, find the file's label."""
    types, score = check(tmp_path, (extension,), {"kind": "truncated_file", "table": "persons"})
    assert ({"missing-cell", "constraint-error"} if extension == "csv" else {"source-error"}) == types
    assert ([("truncated_file", 1, 1)], []) == (counts(score), score.wrong)


def test_a_cell_that_is_ill_quoted_is_found(tmp_path: Path) -> None:
    """The cells behind a comma without quotes are other columns': findings there find the label."""
    lines = [DEFAULT_DATASET.rows("persons", 60, 4)[slot].person_id for slot in range(60)]
    defects = overlay(
        DEFAULT_DATASET, {"kind": "bad_quoting", "table": "persons", "field": "city", "rate": "50%"}
    )
    persons = DEFAULT_DATASET.table("persons")
    damage = defects.apply(persons, DEFAULT_DATASET.block(0, 60, 4)).edits.damage
    slot = next(row for row, (each,) in damage.items() if each.way == 2)
    defect = {"kind": "bad_quoting", "table": "persons", "field": "city", "exactly": 1}
    types, score = check(tmp_path, ("csv",), {**defect, "where": f"person_id == '{lines[slot]}'"})
    assert "extra-cell" in types
    assert ([("bad_quoting", 1, 1)], []) == (counts(score), score.wrong)
