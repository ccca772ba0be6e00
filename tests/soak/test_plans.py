"""A million records of each plan that ships, made and verified: `just soak`, by hand."""

from functools import partial
from pathlib import Path

import pytest
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import load_plan, plans
from esdh_proof import judge, verify_snapshot

RECORDS = 1_000_000


@pytest.mark.parametrize("name", plans.names())
def test_a_million_records_are_verified(name: str, tmp_path: Path) -> None:
    """A million records of a plan that ships pass the gates and every check of verification."""
    dataset = load_plan(name)
    request = SnapshotRequest(dataset=dataset, records=RECORDS, formats=("parquet",))
    write_snapshot(tmp_path / "snapshot", request, gate=partial(judge, dataset=dataset, seed=request.seed))
    assert "passed" == verify_snapshot(tmp_path / "snapshot").verdict
