"""A second dataset, for tests that a dataset is a value: two flat tables, no singulars, ids of another kind."""

import datetime as dt
from fractions import Fraction
from typing import Annotated, Literal

import numpy as np
from esdh_core import Block, Dataset, Table
from esdh_core.choices import Choice
from esdh_core.columns import Categorical, Categories, Column, Date, FixedText, Integer, Text, day_number
from esdh_core.ids import TaggedIds
from esdh_core.stats import Statistic, ValueTally
from esdh_core.streams import bounded, high32, low32
from msgspec import Meta, Struct

__all__ = ["LEDGER", "Parcel", "Supplier"]

_Id = Annotated[str, Meta(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
_Source = Annotated[Literal["ledger v1"], Meta(description="The marker that every synthetic row carries")]

_COUNTRIES = Categories(["AT", "CH", "IT"])
_COUNTRY = Choice([[5, 3, 2]])
# Texts that each format must quote or escape; the last is a null in a column that may have one.
_NAMES = Categories(["Alder & Sons", "Birch, Cedar", 'The "Elm" <Company>', "Fir & Érable"])
_REMARKS = ("", "fragile", 'says "up", twice', "back\\slash", "comma, semicolon;", "1", None)
_SOURCE = Categories(["ledger v1"])
_FIRST_DAY, _LAST_DAY = day_number(dt.date(2023, 1, 1)), day_number(dt.date(2024, 12, 31))


class Supplier(Struct, frozen=True):
    """A supplier of nobody."""

    supplier_key: Annotated[_Id, Meta(description="The supplier's id")]
    company: Annotated[str, Meta(min_length=1, description="Name of the company")]
    country: Annotated[Literal["AT", "CH", "IT"], Meta(description="Country of the company")]
    employees: Annotated[int, Meta(ge=1, le=500, description="How many work there")]
    synthetic_source: _Source


class Parcel(Struct, frozen=True):
    """A parcel that was never sent."""

    parcel_key: Annotated[_Id, Meta(description="The parcel's id")]
    sender: Annotated[_Id, Meta(description="The supplier that sends the parcel")]
    sent_on: Annotated[dt.date, Meta(description="Day of dispatch")]
    grams: Annotated[int, Meta(ge=-5, le=30_000, description="Weight, less that of the box")]
    remark: Annotated[str | None, Meta(description="What is written on the parcel, or null")]
    synthetic_source: _Source


_SUPPLIERS = Table("suppliers", Supplier, "A supplier of nobody.")
_PARCELS = Table("parcels", Parcel, "A parcel that was never sent.", parent=_SUPPLIERS)


@_SUPPLIERS.rule("supplier_key", "The row's id", role="id")
def supplier_key(block: Block) -> Column:
    return FixedText(block.ids(_SUPPLIERS))


@_SUPPLIERS.rule("company", "One of four, each as likely", streams=("suppliers.company",))
def company(block: Block) -> Column:
    return Categorical(bounded(high32(block.draws("suppliers.company")), 4).astype(np.int32), _NAMES)


@_SUPPLIERS.rule(
    "country", "A weighted draw", streams=("suppliers.country",), distribution="AT 50 %, CH 30 %, IT 20 %"
)
def country(block: Block) -> Column:
    return Categorical(_COUNTRY.codes(high32(block.draws("suppliers.country"))), _COUNTRIES)


@_SUPPLIERS.rule("employees", "From 1 to 500, each as likely", streams=("suppliers.employees",))
def employees(block: Block) -> Column:
    drawn = bounded(high32(block.draws("suppliers.employees")), 500)
    return Integer(drawn.astype(np.int32) + 1, 1, 500)


@_PARCELS.rule("parcel_key", "The row's id", role="id")
def parcel_key(block: Block) -> Column:
    return FixedText(block.ids(_PARCELS))


@_PARCELS.rule(
    "sender", "The supplier of the same record", role="copy", depends_on=("suppliers.supplier_key",)
)
def sender(block: Block) -> Column:
    return supplier_key(block)


@_PARCELS.rule("sent_on", "A day of 2023 or 2024, each as likely", streams=("parcels.sent_on",))
def sent_on(block: Block) -> Column:
    days = bounded(high32(block.draws("parcels.sent_on")), _LAST_DAY - _FIRST_DAY + 1)
    return Date(days.astype(np.int32) + _FIRST_DAY, _FIRST_DAY, _LAST_DAY)


@_PARCELS.rule("grams", "From -5 to 30,000, each as likely", streams=("parcels.grams",))
def grams(block: Block) -> Column:
    drawn = bounded(low32(block.draws("parcels.grams")), 30_006)
    return Integer(drawn.astype(np.int32) - 5, -5, 30_000)


@_PARCELS.rule("remark", "One of six or none, each as likely", streams=("parcels.remark",))
def remark(block: Block) -> Column:
    codes = bounded(high32(block.draws("parcels.remark")), len(_REMARKS)).tolist()
    return Text.of([_REMARKS[code] for code in codes])


def _marker(block: Block) -> Column:
    return Categorical(np.zeros(block.count, dtype=np.int32), _SOURCE)


for _table in (_SUPPLIERS, _PARCELS):
    _table.rule("synthetic_source", "The same on every row", role="marker")(_marker)

_SUPPLIERS.statistics = (
    Statistic(
        "countries",
        "country",
        ValueTally,
        lambda: {
            name or "": Fraction(share)
            for name, share in zip(_COUNTRIES.values, _COUNTRY.shares(), strict=True)
        },
    ),
)

LEDGER = Dataset(
    dataset_version="ledger v1",
    marker="ledger v1",
    reference_date=dt.date(2025, 1, 1),
    tables=(_SUPPLIERS, _PARCELS),
    ids=TaggedIds("ledger v1", ("suppliers", "parcels")),
    location="datasets:LEDGER",
)
