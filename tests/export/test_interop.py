"""The tools that people have accept a snapshot and read the same rows from it, without a network."""

import datetime as dt
import json
import math
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import mlcroissant as mlc
import msgspec
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pq
import pytest
import vininfo
from esdh_core import ENTITIES, Table, generate_bundle
from esdh_export import SnapshotRequest, write_snapshot
from frictionless import Package, Report

RECORDS = 250
Types = dict[str, str]
Read = tuple[Types, list[tuple[Any, ...]]]

# mlcroissant 1.1 parses with a class that rdflib has deprecated, and reads Parquet with a keyword that pandas has.
croissant_warnings = [
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index is deprecated"),
]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tool may open a connection."""

    def refuse(*args: object) -> None:
        raise AssertionError(f"a connection was tried: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def copy(tmp_path: Path, snapshots: dict[str, Path]) -> Path:
    """A snapshot in a file an entity and format, to be damaged."""
    return Path(shutil.copytree(snapshots["whole"], tmp_path / "copy"))


def rows_of(entity: Table, records: int = RECORDS) -> list[tuple[Any, ...]]:
    """Return an entity's rows straight from the generator."""
    return [msgspec.structs.astuple(row) for row in getattr(generate_bundle(records), entity.name)]


def command(name: str, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run an installed command in a folder."""
    program = str(Path(sys.executable).with_name(name))
    return subprocess.run([program, *args], cwd=cwd, capture_output=True, text=True, check=False)


# --- frictionless ------------------------------------------------------------------------------------


def validated(folder: Path) -> Report:
    """Return frictionless' report of a snapshot."""
    report: Report = Package.from_descriptor(str(folder / "datapackage.json")).validate()
    return report


def problems(report: Report) -> set[tuple[str, str]]:
    """Return the name of the resource and the type of every error in a report."""
    return {(task.name, error.type) for task in report.tasks for error in task.errors}


def test_frictionless_accepts(snapshot: Path) -> None:
    """Every resource of a snapshot is valid, none with a warning: tables of three formats, and documents."""
    report = validated(snapshot)
    assert set() == problems(report)
    assert report.valid
    assert not report.warnings + [text for task in report.tasks for text in task.warnings]
    parts = 1 if snapshot.name == "whole" else 3
    assert 3 * 3 * parts + 2 == len(report.tasks)
    assert {"dataset-json", "metadata-json"} == {task.name for task in report.tasks if task.type == "json"}


@pytest.mark.parametrize(
    "request_",
    [
        SnapshotRequest(records=1),
        SnapshotRequest(records=2, formats=("json",)),
        SnapshotRequest(records=3, entities=("profile",), formats=("parquet", "ndjson")),
    ],
    ids=["default-formats", "json-alone", "profiles-alone"],
)
def test_frictionless_accepts_partial_snapshots(tmp_path: Path, request_: SnapshotRequest) -> None:
    """So is a snapshot of one record, of the JSON document alone, or of entities whose targets are missing."""
    write_snapshot(tmp_path / "s", request_)
    assert set() == problems(validated(tmp_path / "s"))


def test_frictionless_command_accepts(snapshots: dict[str, Path]) -> None:
    """`frictionless validate datapackage.json` ends well."""
    result = command("frictionless", "validate", "datapackage.json", cwd=snapshots["whole"])
    assert (0, 11) == (result.returncode, result.stdout.count("VALID")), result.stdout
    assert "INVALID" not in result.stdout


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text in a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("extension", ["csv", "ndjson", "parquet"])
def test_frictionless_finds_a_value_out_of_its_constraints(copy: Path, extension: str) -> None:
    """A country that isn't in the enumeration is found, in its row and field, in each format."""
    path = copy / f"persons_v0_1.{extension}"
    if extension == "parquet":
        table = pq.read_table(path)
        country = pa.array(["XX", *["US"] * (RECORDS - 1)])
        pq.write_table(table.set_column(table.schema.get_field_index("country"), "country", country), path)
    else:
        edit(path, ",US," if extension == "csv" else '"US"', ",XX," if extension == "csv" else '"XX"')
    errors = validated(copy).flatten(["type", "rowNumber", "fieldName"])
    assert ["constraint-error", 2, "country"] in errors
    assert all(error[0] in ("constraint-error", "hash-count") for error in errors)


def test_frictionless_finds_an_edit_within_the_constraints(copy: Path) -> None:
    """A value that is merely another one is found by the hash of the file."""
    edit(copy / "vehicles_v0_1.csv", ",Sedan,", ",Truck,")
    edit(copy / "dataset_v0_1.json", '"Sedan"', '"Truck"')
    assert {("vehicles-csv", "hash-count"), ("dataset-json", "hash-count")} == problems(validated(copy))


def test_frictionless_finds_broken_keys(copy: Path) -> None:
    """A person that is missing and one that is there twice are found by the keys."""
    path = copy / "persons_v0_1.ndjson"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[1], *lines[1:]]))
    found = problems(validated(copy))
    assert {
        ("persons-ndjson", "primary-key"),
        ("persons-ndjson", "unique-error"),
        ("vehicles-ndjson", "foreign-key"),
        ("profiles-ndjson", "foreign-key"),
    } <= found
    assert {"persons-ndjson", "vehicles-ndjson", "profiles-ndjson"} == {name for name, _ in found}


# --- mlcroissant -------------------------------------------------------------------------------------


def values(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return a record's values as Python's own; mlcroissant gives text as bytes and dates as timestamps."""
    return tuple(
        value.decode()
        if isinstance(value, bytes)
        else value.date()
        if isinstance(value, pd.Timestamp)
        else value
        for value in record.values()
    )


@pytest.mark.parametrize("name", ["whole", "parts"])
def test_mlcroissant_command_accepts_without_a_warning(snapshots: dict[str, Path], name: str) -> None:
    """`mlcroissant validate --jsonld croissant.json` ends well and says only that it is done."""
    result = command("mlcroissant", "validate", "--jsonld", "croissant.json", cwd=snapshots[name])
    assert 0 == result.returncode, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("I")
    assert line.endswith("Done.")


class TestMlcroissant:
    """What mlcroissant loads."""

    pytestmark = croissant_warnings

    @pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
    def test_record_sets_are_the_generators_rows(self, snapshot: Path, entity: Table) -> None:
        """Every record of a record set, from files or from sets of parts, is the generator's, joins included."""
        records = list(mlc.Dataset(snapshot / "croissant.json").records(entity.name))
        assert [f"{entity.name}/{field}" for field in entity.fields] == list(records[0])
        assert rows_of(entity) == [values(record) for record in records]

    @pytest.mark.parametrize("extension", ["csv", "json", "ndjson"])
    @pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
    def test_record_sets_of_every_format(self, tmp_path: Path, entity: Table, extension: str) -> None:
        """A snapshot of one format alone gives the same records."""
        write_snapshot(tmp_path / "s", SnapshotRequest(records=20, formats=(extension,)))
        records = mlc.Dataset(tmp_path / "s" / "croissant.json").records(entity.name)
        assert rows_of(entity, 20)[:5] == [values(record) for record in islice(records, 5)]

    def test_edited_file_is_refused(self, copy: Path) -> None:
        """A file that isn't the one with the hash gives no record."""
        path = copy / "persons_v0_1.parquet"
        path.write_bytes(path.read_bytes() + b"\0")
        with pytest.raises(mlc.GenerationError) as caught:
            list(mlc.Dataset(copy / "croissant.json").records("persons"))
        assert "is not identical" in str(caught.value.__cause__)


# --- readers, with the schema that the Data Package supplies -----------------------------------------


def supplied(folder: Path, entity: Table) -> Types:
    """Return the names and types that the snapshot's Data Package gives an entity's columns."""
    resources = json.loads((folder / "datapackage.json").read_bytes())["resources"]
    schema = next(each["schema"] for each in resources if each["name"].startswith(f"{entity.name}-csv"))
    return {field["name"]: field["type"] for field in schema["fields"]}


def source(folder: Path, entity: Table, extension: str) -> tuple[Path, str]:
    """Return the file or folder of a table, and a pattern that matches its file or its parts."""
    path = folder / f"{entity.name}_v0_1.{extension}"
    return path, str(path / f"*.{extension}") if path.is_dir() else str(path)


DUCKDB = {"string": "VARCHAR", "date": "DATE", "integer": "BIGINT"}


def with_duckdb(folder: Path, entity: Table, extension: str) -> Read:
    """Read a table with DuckDB; a folder by its pattern."""
    columns = {name: DUCKDB[kind] for name, kind in supplied(folder, entity).items()}
    struct = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    _, pattern = source(folder, entity, extension)
    query = {
        "parquet": f"FROM '{pattern}'",
        "csv": f"FROM read_csv('{pattern}', header = true, auto_detect = false, columns = {columns})",
        "ndjson": f"FROM read_json('{pattern}', format = 'newline_delimited', columns = {columns})",
        "json": (
            "SELECT unnest(record, recursive := true) FROM (SELECT unnest("
            f"{entity.name}) AS record FROM read_json('{folder / 'dataset_v0_1.json'}', "
            f"columns = {{'{entity.name}': 'STRUCT({struct})[]'}}))"
        ),
    }[extension]
    with duckdb.connect() as connection:
        relation = connection.sql(query)
        names = {kind: name for name, kind in DUCKDB.items()}
        types = [names[str(kind)] for kind in relation.types]
        return dict(zip(relation.columns, types, strict=True)), relation.fetchall()


POLARS = {"string": pl.String, "date": pl.Date, "integer": pl.Int64}


def with_polars(folder: Path, entity: Table, extension: str) -> Read:
    """Read a table with Polars; a folder by its pattern, lazily."""
    schema = {name: POLARS[kind] for name, kind in supplied(folder, entity).items()}
    _, pattern = source(folder, entity, extension)
    frame = {
        "parquet": lambda: pl.scan_parquet(pattern).collect(),
        "csv": lambda: pl.scan_csv(pattern, schema=schema).collect(),
        "ndjson": lambda: pl.scan_ndjson(pattern, schema=schema).collect(),
        "json": lambda: (
            pl.read_json(folder / "dataset_v0_1.json", schema={entity.name: pl.List(pl.Struct(schema))})
            .explode(entity.name)
            .unnest(entity.name)
        ),
    }[extension]()
    names = {kind: name for name, kind in POLARS.items()}
    return {name: names[type(kind)] for name, kind in frame.schema.items()}, frame.rows()


def with_pandas(folder: Path, entity: Table, extension: str) -> Read:
    """Read a table with pandas, part by part where it has no reader of folders."""
    types = supplied(folder, entity)
    dates = [name for name, kind in types.items() if kind == "date"]
    dtypes = {name: "int64" if kind == "integer" else "str" for name, kind in types.items()}
    path, _ = source(folder, entity, extension)
    parts = sorted(path.iterdir()) if path.is_dir() else [path]
    frame: pd.DataFrame = {
        "parquet": lambda: pd.read_parquet(path),
        "csv": lambda: pd.concat(
            [
                pd.read_csv(part, dtype=dtypes, parse_dates=dates, keep_default_na=False, na_values=[""])
                for part in parts
            ]
        ),
        "ndjson": lambda: pd.concat([pd.read_json(part, lines=True, dtype=dtypes) for part in parts]),
        "json": lambda: pd.DataFrame(
            json.loads((folder / "dataset_v0_1.json").read_bytes())[entity.name]
        ).astype(dtypes),
    }[extension]()
    if extension != "parquet":  # pandas reads dates from Parquet as Python's own, from text as timestamps
        for name in dates:
            frame[name] = pd.to_datetime(frame[name]).dt.date
    names = {"str": "string", "int64": "integer", "object": "date"}
    rows = [
        tuple(None if isinstance(value, float) and math.isnan(value) else value for value in row)
        for row in frame.itertuples(index=False, name=None)
    ]
    return {str(name): names[str(kind)] for name, kind in frame.dtypes.items()}, rows


ARROW = {"string": pa.string(), "date": pa.date32(), "integer": pa.int64()}


def with_arrow(folder: Path, entity: Table, extension: str) -> Read:
    """Read a table as an Arrow data set: one of a file, or of a folder."""
    schema = pa.schema([(name, ARROW[kind]) for name, kind in supplied(folder, entity).items()])
    path, _ = source(folder, entity, extension)
    if extension == "parquet":
        table = pa_dataset.dataset(path).to_table()
    elif extension == "csv":
        convert = pa_csv.ConvertOptions(column_types=schema, null_values=[""], strings_can_be_null=True)
        table = pa_dataset.dataset(path, format=pa_dataset.CsvFileFormat(convert_options=convert)).to_table()
    else:  # Arrow's JSON reader wants a date's text as a string first
        text = pa.schema(
            [(each.name, pa.string() if pa.types.is_date(each.type) else each.type) for each in schema]
        )
        table = pa_dataset.dataset(path, format="json", schema=text).to_table().cast(schema)
    names = {kind: name for name, kind in ARROW.items()}
    return {each.name: names[each.type] for each in table.schema}, [
        tuple(row.values()) for row in table.to_pylist()
    ]


READERS: list[tuple[Callable[[Path, Table, str], Read], str]] = [
    (reader, extension)
    for reader in (with_duckdb, with_polars, with_pandas, with_arrow)
    for extension in ("parquet", "csv", "ndjson", "json")
    if (reader, extension) != (with_arrow, "json")  # Arrow reads no document, only lines
]


@pytest.mark.parametrize(
    ("reader", "extension"), READERS, ids=[f"{reader.__name__}-{name}" for reader, name in READERS]
)
@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_readers_agree_with_the_generator(
    snapshot: Path, entity: Table, reader: Callable[[Path, Table, str], Read], extension: str
) -> None:
    """Each tool reads each format, one file or parts, to the supplied types and the generator's very values."""
    types, rows = reader(snapshot, entity, extension)
    assert supplied(snapshot, entity) == types
    for number, (expected, row) in enumerate(zip(rows_of(entity), rows, strict=True)):
        assert expected == row, f"row {number}"


def test_supplied_types_are_the_structs() -> None:
    """What the readers are compared with has dates, integers, strings that look like numbers, and nulls."""
    persons = generate_bundle(RECORDS).persons
    assert isinstance(persons[0].date_of_birth, dt.date)
    assert all(row.postal_code.isdigit() for row in persons)
    assert {True, False} == {row.address_line_2 is None for row in persons}


def test_parquet_needs_no_schema_for_a_filter(snapshots: dict[str, Path]) -> None:
    """A folder of parts is one data set to Arrow, whose filter reaches its rows."""
    folder = pa_dataset.dataset(snapshots["parts"] / "vehicles_v0_1.parquet")
    recent = folder.to_table(filter=pc.field("model_year") >= 2020)
    assert sum(row.model_year >= 2020 for row in generate_bundle(RECORDS).vehicles) == recent.num_rows
    assert RECORDS == folder.count_rows()


# --- others ------------------------------------------------------------------------------------------


def test_sha256sum_accepts(snapshot: Path) -> None:
    """`sha256sum -c SHA256SUMS` finds every file as listed, the descriptors among them."""
    result = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"],
        cwd=snapshot,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = result.stdout.splitlines()
    assert {"datapackage.json: OK", "croissant.json: OK"} <= set(lines)
    assert all(line.endswith(": OK") for line in lines)


@pytest.mark.parametrize("seed", [20240601, 0, 1, 2**53 - 1])
def test_vininfo_agrees_with_every_check_digit(seed: int) -> None:
    """Vininfo verifies the check digit of 1,500 VINs a seed, and refuses each with another digit."""
    for vehicle in generate_bundle(1_500, seed).vehicles:
        vin = vehicle.vin
        assert vininfo.Vin(vin).verify_checksum(), vin
        other = "0" if vin[8] != "0" else "1"
        assert not vininfo.Vin(vin[:8] + other + vin[9:]).verify_checksum()
