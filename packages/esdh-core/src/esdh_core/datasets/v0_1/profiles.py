"""The rules of a profile: copies of its person and its vehicle, on one row."""

from esdh_core.columns import Categorical, Column, Concat, FixedText
from esdh_core.dataset import Block, Table
from esdh_core.datasets.v0_1 import persons, vehicles
from esdh_core.datasets.v0_1.entities import Profile
from esdh_core.datasets.v0_1.lookups import load
from esdh_core.stats import Statistic, ValueTally

__all__ = ["PROFILES"]

PROFILES = Table(
    "profiles", Profile, "A person and their vehicle on one row.", singular="profile", parent=persons.PERSONS
)


@PROFILES.rule(
    "profile_id", "The record's id: decodes to seed, dataset version, entity profile and index", role="id"
)
def profile_id(block: Block) -> Column:
    return FixedText(block.ids(PROFILES))


@PROFILES.rule(
    "full_name", "First name, a space, last name", depends_on=("person.first_name", "person.last_name")
)
def full_name(block: Block) -> Column:
    first, last = persons.first_name(block), persons.last_name(block)
    assert isinstance(first, Categorical)  # noqa: S101 - narrows the type
    assert isinstance(last, Categorical)  # noqa: S101 - narrows the type
    return Concat((first, " ", last))


@PROFILES.rule(
    "vehicle_summary",
    "Model year, make and model with spaces between",
    lookups=(load("vehicle_models"),),
    depends_on=("vehicle.model_year", "vehicle.make", "vehicle.model"),
)
def vehicle_summary(block: Block) -> Column:
    return Categorical(vehicles.model_and_year_codes(block), vehicles.SUMMARIES)


for _name, _of, _copied in (
    ("person_id", persons.person_id, "person.person_id"),
    ("vehicle_id", vehicles.vehicle_id, "vehicle.vehicle_id"),
    ("lob_type", persons.lob_type, "person.lob_type"),
    ("residence_state", persons.state, "person.state"),
    ("city", persons.city, "person.city"),
    ("postal_code", persons.postal_code, "person.postal_code"),
    ("garaging_state", vehicles.garaging_state, "vehicle.garaging_state"),
    ("primary_vehicle_vin", vehicles.vin, "vehicle.vin"),
    ("risk_rating", vehicles.risk_rating, "vehicle.risk_rating"),
):
    PROFILES.rule(_name, f"A copy of {_copied}", role="copy", depends_on=(_copied,))(_of)


@PROFILES.rule("synthetic_source", "The synthetic marker, the same on every row", role="marker")
def synthetic_source(block: Block) -> Column:
    return persons.synthetic_source(block)


PROFILES.statistics = (
    Statistic("lines_of_business", "lob_type", ValueTally, persons.lob_shares),
    Statistic("states", "residence_state", ValueTally, persons.state_shares),
    Statistic("cities", "city", ValueTally, persons.city_shares),
    Statistic("risk_ratings", "risk_rating", ValueTally, vehicles.risk_shares),
)
