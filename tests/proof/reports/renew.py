"""Writes the reports of Great Expectations beside it, of the dirty snapshot of test_scoring.py.

It is too heavy for the environment of the tests: PYTHONPATH=tests uv run --with great_expectations==1.24.1 python
tests/proof/reports/renew.py
"""

import json
import tempfile
from pathlib import Path

import great_expectations as gx
import pandas as pd
from labelling import spoil

HERE = Path(__file__).parent
EXPECTATIONS = (
    gx.expectations.ExpectColumnValuesToMatchRegex(column="postal_code", regex=r"^[0-9]{5}$"),
    gx.expectations.ExpectColumnValueLengthsToBeBetween(column="city", min_value=1),
    gx.expectations.ExpectColumnValuesToBeUnique(column="person_id"),
    gx.expectations.ExpectColumnValuesToMatchRegex(column="last_name", regex="^[A-Q]"),
    gx.expectations.ExpectColumnPairValuesToBeEqual(column_A="state", column_B="driver_license_state"),
    gx.expectations.ExpectColumnPairValuesToBeInSet(
        column_A="city", column_B="country", value_pairs_set=[("Portland", "US")], mostly=0.01
    ),
    gx.expectations.ExpectTableColumnCountToEqual(value=13),
    gx.expectations.ExpectColumnValuesToBeBetween(column="first_name", min_value=1),
)


def main() -> None:
    """Write a report that names rows by their numbers, one that names them by id, and one that leaves rows out."""
    with tempfile.TemporaryDirectory() as folder:
        snapshot = Path(folder) / "snapshot"
        spoil(snapshot)
        frame = pd.read_csv(snapshot / "persons_v0_1.csv", dtype=str, keep_default_na=False)
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("files").add_dataframe_asset("persons")
    batches = asset.add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(gx.ExpectationSuite("persons"))
    for expectation in EXPECTATIONS:
        suite.add_expectation(expectation)
    validation = context.validation_definitions.add(
        gx.ValidationDefinition(name="validation", data=batches, suite=suite)
    )
    for name, result_format in {
        "rows": {"result_format": "COMPLETE"},
        "ids": {"result_format": "COMPLETE", "unexpected_index_column_names": ["person_id"]},
        "summary": {"result_format": "SUMMARY"},
    }.items():
        result = validation.run(batch_parameters={"dataframe": frame}, result_format=result_format)
        text = json.dumps(_essential(result.to_json_dict()), indent=1)
        (HERE / f"great_expectations_{name}.json").write_text(text + "\n", encoding="utf-8")


def _essential(value: object) -> object:
    """Return a document without what is long or changes from run to run, and is read by nobody."""
    long = {"exception_traceback", "unexpected_index_query", "partial_unexpected_counts", "unexpected_list"}
    if isinstance(value, dict):
        return {key: _essential(each) for key, each in value.items() if key not in long}
    return [_essential(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
