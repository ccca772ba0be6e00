"""The plans and tables that ship: held against the oracle, their sources and their locks."""

from functools import cache

import faker
import msgspec
import pytest
from esdh_core.dataset import Dataset
from esdh_plan import load_plan, make_lock, plans
from esdh_plan.language import SHIPPED_TABLES, parse_plan
from esdh_plan.locks import Lock, lock_name
from esdh_plan.sources import shipped
from oracle import Oracle

# Faker draws these from a set, whose order changes with each process: they are what they were when the lock was made.
UNSTABLE = {"city/it_IT/120"}
WINDOWS = [(1, 0, 12), (20240601, 65_530, 8)]
WITH_POOLS = [name for name in plans.names() if (plans.folder() / lock_name(name)).exists()]


def lock_of(name: str) -> Lock:
    """Return the lock of a plan that ships."""
    return msgspec.json.decode((plans.folder() / lock_name(name)).read_bytes(), type=Lock)


@cache
def oracle_of(name: str) -> Oracle:
    """Return the oracle of a plan that ships."""
    pools = lock_of(name).pools if name in WITH_POOLS else {}
    return Oracle(plans.source(name), pools=pools)


def test_plans_that_ship() -> None:
    """A bank, an insurer's book, people and a shop ship."""
    assert ("bank", "insurance", "people", "shop") == plans.names()


@pytest.mark.parametrize("name", plans.names())
@pytest.mark.parametrize(("seed", "start", "records"), WINDOWS)
def test_rows_are_the_oracles(name: str, seed: int, start: int, records: int) -> None:
    """Every value of every table of a plan that ships is the oracle's."""
    dataset, oracle = load_plan(name), oracle_of(name)
    columns = dataset.columns(start, records, seed)
    assert list(columns) == list(oracle.tables())
    for table in oracle.tables():
        rows = oracle.rows(table, seed, start, records)
        for field, column in columns[table].items():
            assert [row[field] for row in rows] == column.tolist(), f"{table}.{field}"


@pytest.mark.parametrize("name", plans.names())
def test_types_and_sizes_are_the_oracles(name: str) -> None:
    """Types, nullability, F and blocks of a plan that ships are the oracle's."""
    dataset, oracle = load_plan(name), oracle_of(name)
    for table in dataset.tables:
        expected = [(field, of.kind, of.nullable, of.scale) for field, of in oracle.types(table.name).items()]
        assert expected == [(each.name, each.type, each.nullable, each.scale) for each in table.schema]
        assert oracle.room(table.name) == table.room
        assert oracle.blocks(table.name) == table.block_records


@pytest.mark.parametrize("name", plans.names())
def test_every_table_is_described_and_tagged(name: str) -> None:
    """A plan that ships says what it is, and names and addresses of people are tagged as personal."""
    plan = parse_plan(plans.source(name), name).plan
    assert plan.description
    assert "MIT" == plan.license
    personal = {
        "first_name",
        "last_name",
        "full_name",
        "birth_date",
        "born_on",
        "email",
        "phone",
        "license_number",
    }
    for table in plan.tables.values():
        for field, words in table.fields.items():
            assert (field in personal) <= ("pii" in words.tags), field


@pytest.mark.parametrize("name", WITH_POOLS)
def test_pools_are_locked(name: str) -> None:
    """The pools of a plan that ships are those that the Faker of its lock makes again."""
    lock = lock_of(name)
    if faker.VERSION != lock.faker:
        pytest.skip(f"the pools are of Faker {lock.faker}, and {faker.VERSION} is installed")
    again = msgspec.json.decode(make_lock(parse_plan(plans.source(name), name)), type=Lock).pools
    assert list(again) == list(lock.pools)
    assert {} == {
        pool: values for pool, values in again.items() if values != lock.pools[pool] and pool not in UNSTABLE
    }


def test_the_pools_are_of_the_faker_that_is_pinned() -> None:
    """What `exclude-newer` pins and what made the pools are one version, so that the test above isn't skipped for long."""
    assert ["people"] == WITH_POOLS
    assert int(faker.VERSION.partition(".")[0]) == int(lock_of("people").faker.partition(".")[0])


def test_people_are_of_twenty_locales() -> None:
    """The people of the plan `people` are of twenty locales, each with pools of its own."""
    rows = load_plan("people").rows("people", 5_000, 3)
    pools = lock_of("people").pools
    assert 20 == len({row.locale for row in rows})
    for row in rows[:500]:
        assert row.last_name in pools[f"last_name/{row.locale}/400"]
        assert row.job in pools[f"job/{row.locale}/80"]


@pytest.mark.parametrize("name", SHIPPED_TABLES)
def test_a_table_has_the_columns_that_the_language_names(name: str) -> None:
    """A table that ships has the columns that plans can use, a source, and no empty cell."""
    cells = shipped(name)
    assert list(SHIPPED_TABLES[name]) == list(cells.columns)
    assert cells.lookup is not None
    assert cells.lookup.source
    assert not any(each.nullable for each in cells.types.values())


def rows_of(name: str) -> list[dict[str, object]]:
    """Return the rows of a table that ships."""
    cells = shipped(name)
    columns = [column.tolist() for column in cells.columns.values()]
    return [dict(zip(cells.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def test_places_hold_the_whole_country() -> None:
    """Each ZIP code stands once, in one of fifty states and DC, with a weight of at least 1."""
    places = rows_of("places")
    assert len(places) == len({place["zip"] for place in places}) > 29_000
    states = {str(place["state"]) for place in places}
    assert 51 == len(states)
    assert {"CA", "DC", "HI", "AK", "PR"} - states == {"PR"}
    assert states == {row["state"] for row in rows_of("area_codes")}
    assert all(isinstance(place["population"], int) and place["population"] >= 1 for place in places)
    assert {"zip": "10001", "state": "NY", "city": "New York"}.items() <= next(
        place for place in places if place["zip"] == "10001"
    ).items()


def test_a_citys_population_is_shared_evenly() -> None:
    """The ZIP codes of a city weigh the same, but where two places of a state have one name."""
    weights: dict[object, set[object]] = {}
    for place in rows_of("places"):
        weights.setdefault((place["state"], place["city"]), set()).add(place["population"])
    alike = sum(len(each) == 1 for each in weights.values())
    assert alike > 0.995 * len(weights)
    assert 1 == len(weights["CA", "Los Angeles"])


def test_vehicles_are_of_years_in_which_they_were_sold() -> None:
    """A model and year stands once, and every year from 2008 to 2024 has models to draw."""
    rows = rows_of("vehicle_models")
    assert len(rows) == len({(row["make"], row["model"], row["model_year"]) for row in rows})
    assert set(range(2008, 2025)) == {row["model_year"] for row in rows}


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("{vin: {make: no, model: car.model_code, model_year: year}}", "make: 'a' has no field 'no'"),
        (
            "{vin: {make: car.make, model: car.model_code, model_year: year}}",
            "make: 'car.make' can be 'Acura'; expected 2 characters of a VIN, 0-9 and A-Z without I, O, Q",
        ),
        (
            "{vin: {make: car.make_code, model: car.model_code, body: car.make_code, model_year: year}}",
            "body: 'car.make_code' can be 'AC'; expected a digit from 1 to 8",
        ),
        (
            "{vin: {make: car.make_code, model: car.model_code, model_year: old}}",
            "model_year: 'old' is from 1900 to 2000; a VIN tells years from 1980 to 2039",
        ),
        (
            "{vin: {make: car.make_code, model: car.model_code, model_year: text}}",
            "model_year: 'text' must be an integer, and never null",
        ),
        (
            "{vin: {make: maybe, model: car.model_code, model_year: year}}",
            "make: 'maybe' must be text that is known when the plan is loaded, and never null",
        ),
        ("{vin: {make: car.make_code, model: car.model_code}}", "vin: the key 'model_year' is missing"),
        ("{license_number: {state: text}}", "state: 'text' can be 'one'; expected two letters, A to Z"),
        (
            "{license_number: {state: maybe}}",
            "state: 'maybe' must be text that is known when the plan is loaded, and never null",
        ),
        ("{license_number: {state: year}}", "state: 'year' isn't coded"),
    ],
)
def test_vins_and_licences_are_refused(field: str, reason: str) -> None:
    """A VIN or a licence number of what can't be told by one is refused, with what would be right."""
    text = (
        "esdh: plan/1\nname: cars\nversion: 1\nreference_date: 2024-06-01\nuses: [esdh-plan]\ntables:\n  a:\n"
        "    pick: {car: {from: vehicle_models}}\n    fields:\n      year: {integer: {from: 1980, to: 2039}}\n"
        "      old: {integer: {from: 1900, to: 2000}}\n      text: {choice: [one, two]}\n"
        f"      maybe: {{choice: [CA], missing: 1%}}\n      it: {field}\n"
    )
    with pytest.raises(ValueError, match="plan") as caught:
        _compiled(text)
    assert reason in str(caught.value)


def test_vins_and_licences_need_to_be_named() -> None:
    """The two rules are no part of the language: a plan that doesn't name esdh-plan under `uses` hasn't got them."""
    text = (
        "esdh: plan/1\nname: cars\nversion: 1\nreference_date: 2024-06-01\n"
        "tables: {a: {fields: {s: {choice: [CA]}, n: {license_number: {state: s}}}}}\n"
    )
    with pytest.raises(ValueError, match="unknown key 'license_number'"):
        _compiled(text)


def _compiled(text: str) -> Dataset:
    from esdh_plan.recipe import compile_plan

    return compile_plan(parse_plan(text, "plan.yaml"))
