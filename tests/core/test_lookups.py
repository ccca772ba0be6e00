"""The lookup tables are what the rules and the contract need them to be."""

from importlib.resources import files

import pytest
from esdh_core.datasets.v0_1.lookups import load
from esdh_core.errors import LookupTableError

READ_AS_SPECIAL = {
    "none",
    "na",
    "n/a",
    "nan",
    "nil",
    "null",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "inf",
    "infinity",
}
NAMES = sorted(
    f.name.removesuffix(".json")
    for f in files("esdh_core.datasets.v0_1.lookups").iterdir()
    if f.name.endswith(".json")
)


@pytest.mark.parametrize("name", NAMES)
def test_table_names_its_source(name: str) -> None:
    """Every table names itself, its source and the command that renews it, and is rectangular."""
    table = load(name)
    assert name == table.table
    assert table.source
    assert table.renew == "uv run --no-project scripts/build_lookups.py"
    assert {len(table.columns)} == {len(row) for row in table.rows}


@pytest.mark.parametrize(("name", "least"), [("first_names", 400), ("last_names", 1000)])
def test_names_are_many_and_safe(name: str, least: int) -> None:
    """Names are many, distinct, capitalised, weighted, and no word that readers take for something else."""
    values, weights = load(name).texts("name"), load(name).integers("weight")
    assert least <= len(values) == len(set(values))
    assert all(value[0].isupper() and value.isascii() for value in values)
    assert READ_AS_SPECIAL.isdisjoint(map(str.lower, values))
    assert min(weights) > 0


def test_cities_are_many_and_disjoint() -> None:
    """There are at least 60 cities in the five states, listed state by state; a postal code has one city."""
    table = load("cities")
    codes = [code for each in table.text_lists("postal_codes") for code in each]
    assert len(table.rows) >= 60
    assert len(codes) == len(set(codes))
    assert load("states").texts("code") == list(dict.fromkeys(table.texts("state")))
    assert sorted(table.texts("state"), key=load("states").texts("code").index) == table.texts("state")


def test_vehicles_are_many_and_named_apart() -> None:
    """At least 15 makes and 70 models, each make's models together, codes unique, years within 2008 to 2024."""
    table = load("vehicle_models")
    makes, models = table.texts("make"), table.texts("model")
    assert len(set(makes)) >= 15
    assert len(models) >= 70
    assert len(set(models)) == len(models)
    assert [m for i, m in enumerate(makes) if i == 0 or makes[i - 1] != m] == list(dict.fromkeys(makes))
    codes = list(zip(table.texts("make_code"), table.texts("model_code"), strict=True))
    assert len(codes) == len(set(codes))
    assert len(set(makes)) == len(set(table.texts("make_code")))
    alphabet = set("0123456789ABCDEFGHJKLMNPRSTUVWXYZ")
    assert all(len(part) == 2 and set(part) <= alphabet for pair in codes for part in pair)
    assert all(sold and all(2008 <= a <= b <= 2024 for a, b in sold) for sold in table.ranges("sold"))


def test_unknown_table_or_column_is_named() -> None:
    """A table or a column that isn't there is refused by name."""
    with pytest.raises(LookupTableError, match="'nowhere'"):
        load("nowhere")
    with pytest.raises(LookupTableError, match="no column 'age'"):
        load("states").texts("age")
