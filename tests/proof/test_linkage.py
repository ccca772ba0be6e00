"""A real matcher, Splink, run on rows that are one on purpose, and scored."""

import csv
import random
from pathlib import Path

import pandas as pd
import pytest
import splink.comparison_library as compare
from esdh_export import SnapshotRequest, write_snapshot
from esdh_proof import score_defects
from labelling import Sheet, label, write_labels
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

PERSON = ("first_name", "last_name", "date_of_birth", "address_line_1", "city", "state", "postal_code")
EDITED = ("first_name", "last_name", "date_of_birth", "address_line_1")
TWINS = 40  # of each number of edits


@pytest.fixture(scope="module")
def doubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot in which some persons are there a second time, under another id, with none to four cells edited."""
    folder = tmp_path_factory.mktemp("doubled") / "snapshot"
    write_snapshot(folder, SnapshotRequest(records=1_000, entities=("persons",), formats=("csv",)))
    persons, labels = Sheet(folder, "persons"), []
    dice = random.Random(1)
    for number in range(5 * TWINS):
        original, twin, slot = persons.rows[number], persons.rows[500 + number], 500 + number
        edited = dice.sample(EDITED, number % 5)
        for name in PERSON:
            found = _slip(original[name], dice) if name in edited else original[name]
            if found != twin[name]:
                labels.append(
                    label(
                        "near_duplicate",
                        "persons",
                        slot,
                        name,
                        found=found,
                        clean=twin[name],
                        cluster=original["person_id"],
                    )
                )
                twin[name] = found
    persons.write()
    write_labels(folder, labels)
    return folder


def _slip(text: str, dice: random.Random) -> str:
    """Return a text with two neighbours transposed and one character replaced."""
    at = dice.randrange(len(text) - 1)
    text = f"{text[:at]}{text[at + 1]}{text[at]}{text[at + 2 :]}"
    at = dice.randrange(len(text))
    return text[:at] + ("0" if text[at].isdigit() else "x") + text[at + 1 :]


def test_splink_is_scored(doubled: Path, tmp_path: Path) -> None:
    """Splink pairs nearly all rows with no edit and nothing that isn't one, and its recall falls as the edits rise."""
    frame = pd.read_csv(doubled / "persons_v0_1.csv", dtype=str)
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="person_id",
        comparisons=[compare.ExactMatch(name) for name in EDITED],
        blocking_rules_to_generate_predictions=[block_on("postal_code")],
    )
    linker = Linker(DuckDBAPI().register(frame), settings, log_level="ERROR")
    linker.training.estimate_probability_two_random_records_match([block_on(*EDITED)], recall=0.5)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e5, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("postal_code"))
    pairs = linker.inference.predict(threshold_match_probability=0.5).as_pandas_dataframe()  # type: ignore[no-untyped-call]
    report = tmp_path / "pairs.csv"
    pairs.to_csv(report, index=False, quoting=csv.QUOTE_MINIMAL)
    score = score_defects(doubled, report).pairs
    assert score is not None
    assert 5 * TWINS == score.labels == score.clusters
    recalls = [each.recall for each in score.edits]
    assert [0, 1, 2, 3, 4] == [each.edits for each in score.edits]
    assert sorted(recalls, reverse=True) == recalls
    assert (1.0, True) == (recalls[0], recalls[-1] < recalls[0])
    assert score.precision is not None
    assert score.precision > 0.95
