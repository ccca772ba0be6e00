"""The entities: one Struct each, and the Struct is the schema.

Name, order, type, nullability, enumeration, pattern and description of a field stand here and nowhere
else; the files, JSON Schema, the plan and the reference tables follow from them. `msgspec.json.encode`
works on every one of them.
"""

import datetime as dt
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

__all__ = ["Bundle", "DatasetMetadata", "Person", "Profile", "Vehicle"]

_Id = Annotated[str, Meta(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
_Text = Annotated[str, Meta(min_length=1)]
_State = Literal["CA", "AZ", "NV", "OR", "WA"]
_PostalCode = Annotated[str, Meta(pattern="^[0-9]{5}$")]
_Vin = Annotated[str, Meta(pattern="^0[0-9A-HJ-NPR-Z]{7}[0-9X][0-9A-HJ-NPR-Z]{3}[0-9]{5}$")]
_LobType = Literal["Personal", "Commercial"]
_BodyStyle = Literal["Sedan", "SUV", "Truck"]
_RiskRating = Literal["Low", "Medium", "High"]
_Source = Literal["enterprise-synthetic-data-hub v0.1"]  # a type can't name constants.SYNTHETIC_SOURCE


class Person(Struct, frozen=True):
    """A person who never existed."""

    person_id: Annotated[_Id, Meta(description="Decodes to seed, dataset version, entity and index")]
    first_name: Annotated[_Text, Meta(description="Given name")]
    last_name: Annotated[_Text, Meta(description="Family name")]
    date_of_birth: Annotated[dt.date, Meta(description="Date of birth; ages count to 2024-06-01")]
    driver_license_number: Annotated[
        str,
        Meta(
            pattern="^(CA|AZ|NV|OR|WA)[0-9]{11}$",
            description="State and eleven digits, a form that no state issues",
        ),
    ]
    driver_license_state: Annotated[_State, Meta(description="State of the license, the person's own")]
    address_line_1: Annotated[_Text, Meta(description="House number and a street that doesn't exist")]
    address_line_2: Annotated[_Text | None, Meta(description="Apartment or unit, or null")]
    city: Annotated[_Text, Meta(description="City of the state")]
    state: Annotated[_State, Meta(description="State of residence")]
    postal_code: Annotated[_PostalCode, Meta(description="Postal code of the city")]
    country: Annotated[Literal["US"], Meta(description="Country of residence")]
    lob_type: Annotated[_LobType, Meta(description="Line of business")]
    synthetic_source: Annotated[_Source, Meta(description="The marker that every synthetic row carries")]


class Vehicle(Struct, frozen=True):
    """A vehicle that was never built."""

    vehicle_id: Annotated[_Id, Meta(description="Decodes to seed, dataset version, entity and index")]
    person_id: Annotated[_Id, Meta(description="The person of the same record")]
    vin: Annotated[
        _Vin, Meta(description="Vehicle identification number in a region that is assigned to nobody")
    ]
    make: Annotated[_Text, Meta(description="Make")]
    model: Annotated[_Text, Meta(description="Model")]
    model_year: Annotated[int, Meta(ge=2008, le=2024, description="A model year in which the model was sold")]
    body_style: Annotated[_BodyStyle, Meta(description="Body style of the model")]
    risk_rating: Annotated[_RiskRating, Meta(description="Risk rating")]
    lob_type: Annotated[_LobType, Meta(description="Line of business, the person's")]
    garaging_state: Annotated[_State, Meta(description="State where the vehicle is kept, the person's")]
    garaging_postal_code: Annotated[
        _PostalCode, Meta(description="Postal code where the vehicle is kept, the person's")
    ]
    synthetic_source: Annotated[_Source, Meta(description="The marker that every synthetic row carries")]


class Profile(Struct, frozen=True):
    """A person and their vehicle on one row."""

    profile_id: Annotated[_Id, Meta(description="Decodes to seed, dataset version, entity and index")]
    person_id: Annotated[_Id, Meta(description="The person of the same record")]
    vehicle_id: Annotated[_Id, Meta(description="The vehicle of the same record")]
    full_name: Annotated[_Text, Meta(description="The person's first and last name")]
    lob_type: Annotated[_LobType, Meta(description="Line of business, the person's")]
    residence_state: Annotated[_State, Meta(description="The person's state")]
    city: Annotated[_Text, Meta(description="The person's city")]
    postal_code: Annotated[_PostalCode, Meta(description="The person's postal code")]
    garaging_state: Annotated[_State, Meta(description="The vehicle's garaging state")]
    primary_vehicle_vin: Annotated[_Vin, Meta(description="The vehicle's VIN")]
    vehicle_summary: Annotated[_Text, Meta(description="The vehicle's model year, make and model")]
    risk_rating: Annotated[_RiskRating, Meta(description="The vehicle's risk rating")]
    synthetic_source: Annotated[_Source, Meta(description="The marker that every synthetic row carries")]


class DatasetMetadata(Struct, frozen=True):
    """What a set of records says of itself; the count of an entity that was filtered out is unset."""

    dataset_version: str
    generated_at: str
    record_count_persons: int | UnsetType = UNSET
    record_count_vehicles: int | UnsetType = UNSET
    record_count_profiles: int | UnsetType = UNSET
    notes: str = ""


class Bundle(Struct, frozen=True):
    """Records of every entity: `persons[i]`, `vehicles[i]` and `profiles[i]` are one record."""

    metadata: DatasetMetadata
    persons: list[Person]
    vehicles: list[Vehicle]
    profiles: list[Profile]
