"""A real matcher, Splink, run on rows that are one on purpose, and scored."""

import csv
from pathlib import Path

import pandas as pd
import pytest
import splink.comparison_library as compare
from defects import overlay
from esdh_core import DEFAULT_DATASET
from esdh_export import SnapshotRequest, write_snapshot
from esdh_proof import score_defects
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

EDITED = ("first_name", "last_name", "date_of_birth", "address_line_1")
EDITS = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def doubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot in which some persons are there a second time, under another id, with one to four fields edited."""
    folder = tmp_path_factory.mktemp("doubled") / "snapshot"
    near = {"kind": "near_duplicate", "table": "persons", "rate": "16%", "fields": EDITED, "edits": EDITS}
    defects = overlay(DEFAULT_DATASET, near)
    request = SnapshotRequest(records=2_000, entities=("persons",), formats=("csv",), defects=defects)
    write_snapshot(folder, request)
    return folder


def test_splink_is_scored(doubled: Path, tmp_path: Path) -> None:
    """Splink pairs most rows with one edit and hardly anything that isn't one, and its recall falls as the edits rise."""
    frame = pd.read_csv(doubled / "persons_v0_1.csv", dtype=str)
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="person_id",
        comparisons=[compare.ExactMatch(name) for name in EDITED],
        blocking_rules_to_generate_predictions=[block_on("postal_code")],
        probability_two_random_records_match=1e-4,
    )
    linker = Linker(DuckDBAPI().register(frame), settings, log_level="ERROR")
    linker.training.estimate_u_using_random_sampling(max_pairs=1e5, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("postal_code"))
    pairs = linker.inference.predict(threshold_match_probability=0.5).as_pandas_dataframe()  # type: ignore[no-untyped-call]
    report = tmp_path / "pairs.csv"
    pairs.to_csv(report, index=False, quoting=csv.QUOTE_MINIMAL)
    score = score_defects(doubled, report).pairs
    assert score is not None
    assert 250 < score.labels == score.clusters
    recalls = [each.recall for each in score.edits]
    assert [*EDITS] == [each.edits for each in score.edits]
    assert 1.0 == recalls[0] > recalls[1] > max(recalls[2:])
    assert score.precision == 1.0
