"""Snapshots of plans: each is verified from its recipe alone, whatever rules it has."""

from functools import partial
from pathlib import Path

import pytest
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import load_plan
from esdh_proof import judge, verify_snapshot

PLANS = Path(__file__).parents[1] / "plan" / "plans"
NAMES = sorted(path.stem for path in PLANS.glob("*.yaml") if path.stem != "faker_pool")  # it has no lock here


@pytest.mark.parametrize("name", NAMES)
def test_snapshot_of_a_plan_passes(tmp_path: Path, name: str) -> None:
    """Every plan's snapshot passes every check, with and without making its rows again."""
    dataset = load_plan(PLANS / f"{name}.yaml")
    request = SnapshotRequest(dataset=dataset, records=60, formats=("csv", "json", "ndjson", "parquet"))
    write_snapshot(tmp_path / "snapshot", request, gate=partial(judge, dataset=dataset, seed=request.seed))
    for regenerate in (True, False):
        outcome = verify_snapshot(tmp_path / "snapshot", regenerate=regenerate)
        failures = {check.name: check.first for check in outcome.checks if check.status == "failed"}
        assert {} == failures
