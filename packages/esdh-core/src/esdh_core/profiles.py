"""The rules of a profile: copies of its person and its vehicle, on one row."""

from esdh_core import persons, vehicles
from esdh_core.columns import Coded, Column, FixedText, Joined
from esdh_core.entities import Profile
from esdh_core.rules import Block, Entity
from esdh_core.stats import Statistic, ValueTally

__all__ = ["PROFILE"]

PROFILE = Entity("profile", "profiles", Profile, description="A person and their vehicle on one row.")


@PROFILE.rule("profile_id", "The record's id: decodes to seed, dataset version, entity profile and index")
def profile_id(block: Block) -> Column:
    return FixedText(block.ids("profile"))


@PROFILE.rule("full_name", "First name, a space, last name", given=("person.first_name", "person.last_name"))
def full_name(block: Block) -> Column:
    first, last = persons.first_name(block), persons.last_name(block)
    assert isinstance(first, Coded)  # noqa: S101 - narrows the type
    assert isinstance(last, Coded)  # noqa: S101 - narrows the type
    return Joined((first, " ", last))


@PROFILE.rule(
    "vehicle_summary",
    "Model year, make and model with spaces between",
    tables=("vehicle_models",),
    given=("vehicle.model_year", "vehicle.make", "vehicle.model"),
)
def vehicle_summary(block: Block) -> Column:
    return Coded(vehicles.model_and_year_codes(block), vehicles.SUMMARIES)


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
    PROFILE.rule(_name, f"A copy of {_copied}", given=(_copied,))(_of)


@PROFILE.rule("synthetic_source", "The synthetic marker, the same on every row")
def synthetic_source(block: Block) -> Column:
    return persons.synthetic_source(block)


PROFILE.statistics = (
    Statistic("lines_of_business", "lob_type", ValueTally, persons.lob_shares),
    Statistic("states", "residence_state", ValueTally, persons.state_shares),
    Statistic("cities", "city", ValueTally, persons.city_shares),
    Statistic("risk_ratings", "risk_rating", ValueTally, vehicles.risk_shares),
)
