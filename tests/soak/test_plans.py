"""A million records of each plan that ships, made and verified: `just soak` (an hour; tens of gigabytes pass through)."""

from pathlib import Path

import pytest
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import load_plan, plans
from esdh_proof import judge, verify_snapshot

RECORDS = 1_000_000


@pytest.mark.parametrize("name", plans.names())
def test_a_million_records_are_verified(name: str, tmp_path: Path) -> None:
    """A million records of a plan that ships pass the gates and every check of verification."""
    request = SnapshotRequest(dataset=load_plan(name), records=RECORDS, formats=("parquet",))
    write_snapshot(tmp_path / "snapshot", request, gate=judge)
    assert "passed" == verify_snapshot(tmp_path / "snapshot").verdict
