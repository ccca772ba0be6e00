"""The rules of v0.1, over a large sample, and their independence of each other."""

import datetime as dt
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from esdh_core import (
    DEFAULT_DATASET,
    ENTITIES,
    Bundle,
    Person,
    Profile,
    Vehicle,
    generate_bundle,
    generate_columns,
)
from esdh_core.columns import Categorical, Categories, FixedText
from esdh_core.dataset import Block, Table
from esdh_core.datasets.v0_1.lookups import load
from esdh_core.datasets.v0_1.persons import PERSONS, license_index
from esdh_core.datasets.v0_1.vehicles import vin_index
from esdh_core.streams import high32
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracles import draw, full_years, vin_check_digit, weighted

SAMPLE = 40_000
SEED = 20240601
READ_AS_MISSING = {"none", "na", "n/a", "nan", "null", "nil", "true", "false", "inf"}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """A large sample of the default seed."""
    return generate_bundle(SAMPLE, SEED)


def rows(bundle: Bundle) -> list[tuple[Person, Vehicle, Profile]]:
    """Return the records, a row each."""
    return list(zip(bundle.persons, bundle.vehicles, bundle.profiles, strict=True))


def test_rows_are_valid_structs(bundle: Bundle) -> None:
    """Every row meets the types, patterns and enumerations of its Struct."""
    assert bundle == msgspec.json.decode(msgspec.json.encode(bundle), type=Bundle)


def test_no_text_is_empty_or_reads_as_missing(bundle: Bundle) -> None:
    """No string is empty or a word that readers take for a missing value or a truth."""
    texts = {
        value
        for entity in (bundle.persons, bundle.vehicles, bundle.profiles)
        for row in entity
        for value in msgspec.structs.astuple(row)
        if isinstance(value, str)
    }
    assert set() == {text for text in texts if not text.strip() or text.lower() in READ_AS_MISSING}


def test_lob_type_is_its_stream(bundle: Bundle) -> None:
    """The line of business is 70 : 30 by the contract's formula, row for row."""
    expected = [
        ("Personal", "Commercial")[weighted(draw(SEED, "person.lob_type", i) >> 32, [70, 30])]
        for i in range(300)
    ]
    assert expected == [person.lob_type for person in bundle.persons[:300]]


def test_ages(bundle: Bundle) -> None:
    """Nobody is under 16, no Commercial driver under 21, and both limits are reached."""
    ages = [(full_years(p.date_of_birth, dt.date(2024, 6, 1)), p.lob_type) for p in bundle.persons]
    assert min(age for age, _ in ages) == 16
    assert min(age for age, lob in ages if lob == "Commercial") == 21
    assert max(age for age, _ in ages) <= 94


def test_places_belong_together(bundle: Bundle) -> None:
    """A postal code belongs to its city and a city lies in its state; the license is the state's."""
    cities = load("cities")
    places = {
        (state, city, code)
        for state, city, codes in zip(
            cities.texts("state"), cities.texts("city"), cities.text_lists("postal_codes"), strict=True
        )
        for code in codes
    }
    assert set() == {(p.state, p.city, p.postal_code) for p in bundle.persons} - places
    assert all(p.driver_license_state == p.state == p.driver_license_number[:2] for p in bundle.persons)
    assert {"CA", "AZ", "NV", "OR", "WA"} == {p.state for p in bundle.persons}


def test_second_address_line_is_null_for_two_thirds(bundle: Bundle) -> None:
    """About two thirds of persons have no second address line."""
    nulls = sum(p.address_line_2 is None for p in bundle.persons)
    assert 0.65 < nulls / SAMPLE < 0.69


def test_models_were_sold_in_their_year(bundle: Bundle) -> None:
    """A model has its own make and body style, and was sold in its model year."""
    table = load("vehicle_models")
    facts = {
        (make, model): (body, sold)
        for make, model, body, sold in zip(
            table.texts("make"),
            table.texts("model"),
            table.texts("body_style"),
            table.ranges("sold"),
            strict=True,
        )
    }
    for vehicle in bundle.vehicles:
        body, sold = facts[vehicle.make, vehicle.model]
        assert body == vehicle.body_style
        assert any(first <= vehicle.model_year <= last for first, last in sold), vehicle


def test_lines_of_business_keep_to_their_bodies_and_ratings(bundle: Bundle) -> None:
    """Commercial has SUVs and Trucks rated Medium or High, Personal is rated Low or Medium."""
    seen = Counter((v.lob_type, v.body_style) for v in bundle.vehicles)
    ratings = Counter((v.lob_type, v.risk_rating) for v in bundle.vehicles)
    commercial = {("Commercial", "SUV"), ("Commercial", "Truck")}
    assert commercial | {("Personal", body) for body in ("Sedan", "SUV", "Truck")} == set(seen)
    pairs = {("Personal", "Low"), ("Personal", "Medium"), ("Commercial", "Medium"), ("Commercial", "High")}
    assert pairs == set(ratings)


def test_vin_layout(bundle: Bundle) -> None:
    """A VIN has its check digit, its year code and a letter in position 7 from 2010; 2 to 5 name make and model."""
    codes = dict(zip(range(2008, 2025), "89ABCDEFGHJKLMNPR", strict=True))
    named: dict[str, tuple[str, str]] = {}
    for v in bundle.vehicles:
        assert vin_check_digit(v.vin) == v.vin[8], v.vin
        assert codes[v.model_year] == v.vin[9], v
        assert v.vin[6].isalpha() == (v.model_year >= 2010), v
        assert (v.make, v.model) == named.setdefault(v.vin[1:5], (v.make, v.model))
    assert len(named) == len(set(named.values()))


def test_vin_vector(bundle: Bundle) -> None:
    """The VIN of record 0 holds the permuted index where the contract's section 5 says."""
    vin = bundle.vehicles[0].vin
    assert (vin[5], vin[7], vin[10], vin[11], vin[12:]) == ("1", "S", "J", "N", "54348")


@settings(max_examples=30)
@given(st.integers(0, 2**53 - 1), st.integers(0, 2**33 - 1))
def test_license_number_and_vin_give_back_their_index(seed: int, index: int) -> None:
    """The index can be read from a license number and from a VIN."""
    one = generate_bundle(1, seed, index)
    assert index == license_index(seed, one.persons[0].driver_license_number)
    assert index == vin_index(seed, one.vehicles[0].vin)


def test_vin_and_license_number_are_unique() -> None:
    """Over 2,000,000 records no VIN and no license number occurs twice."""
    count, step = 2_000_000, 100_000
    vins: list[NDArray[np.bytes_]] = []
    licenses: list[NDArray[np.bytes_]] = []
    for start in range(0, count, step):
        columns = generate_columns(start, step)
        for kept, column in (
            (vins, columns["vehicles"]["vin"]),
            (licenses, columns["persons"]["driver_license_number"]),
        ):
            assert isinstance(column, FixedText)
            kept.append(np.ascontiguousarray(column.matrix).view(f"S{column.matrix.shape[1]}")[:, 0])
    assert count == len(np.unique(np.concatenate(vins)))
    assert count == len(np.unique(np.concatenate(licenses)))


def test_copies_equal_their_source(bundle: Bundle) -> None:
    """Vehicles and profiles copy what the contract says they copy."""
    for p, v, f in rows(bundle):
        assert (p.person_id, p.lob_type, p.state, p.postal_code) == (
            v.person_id,
            v.lob_type,
            v.garaging_state,
            v.garaging_postal_code,
        )
        assert (p.person_id, v.vehicle_id, f"{p.first_name} {p.last_name}") == (
            f.person_id,
            f.vehicle_id,
            f.full_name,
        )
        assert (p.lob_type, p.state, p.city, p.postal_code) == (
            f.lob_type,
            f.residence_state,
            f.city,
            f.postal_code,
        )
        assert (v.garaging_state, v.vin, v.risk_rating) == (
            f.garaging_state,
            f.primary_vehicle_vin,
            f.risk_rating,
        )
        assert f"{v.model_year} {v.make} {v.model}" == f.vehicle_summary


@settings(max_examples=25)
@given(st.integers(0, 2**53 - 1), st.integers(0, 2**33 - 200), st.integers(1, 90), st.integers(0, 90))
def test_any_window_is_part_of_a_longer_one(seed: int, start: int, count: int, before: int) -> None:
    """Records of a window equal the same records of a longer run, whole."""
    longer, window = (
        generate_bundle(before + count, seed, start),
        generate_bundle(count, seed, start + before),
    )
    assert longer.persons[before:] == window.persons
    assert longer.vehicles[before:] == window.vehicles
    assert longer.profiles[before:] == window.profiles


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_every_field_stands_alone(entity: Table) -> None:
    """A field made without any other field of its entity has the same values: dropping one changes none."""
    whole = entity.columns(Block(DEFAULT_DATASET, seed=7, start=100, count=50))
    for rule in entity.rules:
        assert (
            whole[rule.name].tolist()
            == rule.column(Block(DEFAULT_DATASET, seed=7, start=100, count=50)).tolist()
        ), rule.name


def test_added_field_changes_no_other() -> None:
    """An entity with one more random field has the same values in all others."""
    fields = [(name, Any) for name in PERSONS.fields]
    wider = Table("persons", msgspec.defstruct("Wider", [("nickname", Any), *fields]), "Wider.")

    @wider.rule("nickname", "A nickname", streams=("person.nickname",))
    def nickname(block: Block) -> Categorical:
        return Categorical(
            (high32(block.draws("person.nickname")) & np.uint32(1)).astype(np.int32), Categories(["Al", "Bo"])
        )

    for rule in PERSONS.rules:
        wider.rule(rule.name, rule.text)(rule.column)
    before = PERSONS.columns(Block(DEFAULT_DATASET, seed=7, start=0, count=50))
    after = wider.columns(Block(DEFAULT_DATASET, seed=7, start=0, count=50))
    assert ["nickname", *before] == list(after)
    assert all(column.tolist() == after[name].tolist() for name, column in before.items())


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_declared_streams_are_the_streams_drawn(entity: Table) -> None:
    """The streams that rules declare are those that are drawn, each once."""
    block = Block(DEFAULT_DATASET, seed=7, start=0, count=5)
    for each in ENTITIES:
        each.columns(block)
    declared = [stream for each in ENTITIES for rule in each.rules for stream in rule.streams]
    assert sorted(declared) == sorted(block.streams)
    assert all(stream.startswith(f"{entity.entity}.") for rule in entity.rules for stream in rule.streams)


def test_rule_for_an_unknown_field_is_refused() -> None:
    """A rule needs a field of the Struct that has none yet, and every field needs a rule."""
    entity = Table("persons", msgspec.defstruct("Two", [("a", str), ("b", str)]), "Two.")
    with pytest.raises(TypeError, match="no field 'c'"):
        entity.rule("c", "none")
    with pytest.raises(TypeError, match="no rule for a, b"):
        _ = entity.rules
