"""Descriptors follow from the manifest and the plan alone, and say what they say."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from esdh_core import DEFAULT_DATASET, generate_bundle
from esdh_core.plan import EntityPlan
from esdh_export import DESCRIPTORS, FORMATS, SnapshotRequest, render_descriptors, write_snapshot
from esdh_manifest import Manifest, decode_manifest, entry_of

NAMES = ("datapackage.json", "croissant.json")
PLANS = DEFAULT_DATASET.plan.entities


def manifest_of(folder: Path) -> Manifest:
    """Return the manifest of a snapshot as it is read back."""
    return decode_manifest((folder / "snapshot_manifest_v0_1.json").read_bytes())


def read(folder: Path, name: str) -> dict[str, Any]:
    """Return a descriptor of a snapshot."""
    document: dict[str, Any] = json.loads((folder / name).read_bytes())
    return document


def resources(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the resources of a snapshot's Data Package by name."""
    return {resource["name"]: resource for resource in read(folder, "datapackage.json")["resources"]}


def fields(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the fields of a snapshot's Croissant record sets by id."""
    return {
        field["@id"]: field
        for record_set in read(folder, "croissant.json")["recordSet"]
        for field in record_set["field"]
    }


def test_registry_names_both() -> None:
    """A label of the manifest's `files` leads to each descriptor's module."""
    assert dict(zip(("datapackage", "croissant"), NAMES, strict=True)) == {
        label: module.NAME for label, module in DESCRIPTORS.items()
    }


def test_read_back_manifest_renders_the_same_bytes(snapshot: Path) -> None:
    """The manifest that lists descriptors and README renders the descriptors that stand in the folder."""
    assert {name: (snapshot / name).read_bytes() for name in NAMES} == render_descriptors(
        manifest_of(snapshot), DEFAULT_DATASET
    )


@pytest.mark.parametrize(
    "request_",
    [SnapshotRequest(records=3, entities=("profile",)), SnapshotRequest(records=1, formats=("json",))],
)
def test_partial_snapshot_renders_the_same_bytes(tmp_path: Path, request_: SnapshotRequest) -> None:
    """So does the manifest of a snapshot of one entity, or of the JSON document alone."""
    write_snapshot(tmp_path / "s", request_)
    found = {name: (tmp_path / "s" / name).read_bytes() for name in NAMES}
    assert found == render_descriptors(manifest_of(tmp_path / "s"), DEFAULT_DATASET)


@pytest.mark.parametrize("name", NAMES)
def test_descriptor_is_listed(snapshot: Path, name: str) -> None:
    """The manifest, SHA256SUMS and the README name a descriptor, and it is no table."""
    manifest = manifest_of(snapshot)
    listed = entry_of((snapshot / name).read_bytes())
    assert name == manifest.files[name.removesuffix(".json")]
    assert listed == manifest.checksums[name]
    assert f"{listed.sha256}  {name}\n" in (snapshot / "SHA256SUMS").read_text()
    assert f"`{name}`" in (snapshot / "README_SNAPSHOT_V0_1.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_descriptor_is_two_space_json_of_no_machine(snapshot: Path, name: str) -> None:
    """A descriptor is JSON with two spaces and a line end, and names neither a path nor the host."""
    data = (snapshot / name).read_bytes()
    assert msgspec.json.format(data, indent=2) + b"\n" == data
    assert str(snapshot.parent).encode() not in data
    assert socket.gethostname().encode() not in data


def test_readme_command_names_formats_alone(snapshots: dict[str, Path]) -> None:
    """The README's command takes no descriptor for an output format."""
    assert (
        "--output-format csv ndjson parquet json\n"
        in (snapshots["whole"] / "README_SNAPSHOT_V0_1.md").read_text()
    )


@pytest.mark.parametrize("entity", PLANS, ids=lambda entity: entity.name)
def test_schemas_follow_the_plan(snapshots: dict[str, Path], entity: EntityPlan) -> None:
    """Each schema has the plan's fields in order, with its types, descriptions and constraints."""
    for extension in ("csv", "ndjson", "parquet"):
        schema = resources(snapshots["whole"])[f"{entity.plural}-{extension}"]["schema"]
        assert [""] == schema["missingValues"]
        for expected, field in zip(entity.fields, schema["fields"], strict=True):
            constraints = dict(expected.constraints)
            if "pattern" in constraints:
                constraints["pattern"] = constraints["pattern"][1:-1]
            assert (expected.name, expected.type, expected.description) == (
                field["name"],
                field["type"],
                field["description"],
            )
            assert constraints.items() <= field["constraints"].items()
            assert expected.nullable is not field["constraints"]["required"]
    types = {"string": "sc:Text", "date": "sc:Date", "integer": "sc:Integer"}
    found = fields(snapshots["whole"])
    assert [(f"{entity.plural}/{each.name}", types[each.type]) for each in entity.fields] == [
        (key, field["dataType"]) for key, field in found.items() if key.startswith(f"{entity.plural}/")
    ]


@pytest.mark.parametrize("entity", PLANS, ids=lambda entity: entity.name)
def test_patterns_match_whole_values_without_anchors(snapshots: dict[str, Path], entity: EntityPlan) -> None:
    """A pattern is one of XML Schema, which has no anchors, and every value matches it as a whole."""
    schema = resources(snapshots["whole"])[f"{entity.plural}-csv"]["schema"]
    patterns = {
        each["name"]: each["constraints"]["pattern"]
        for each in schema["fields"]
        if "pattern" in each["constraints"]
    }
    assert patterns
    assert not [pattern for pattern in patterns.values() if re.search(r"(?<!\[)\^|\$", pattern)]
    for row in getattr(generate_bundle(50), entity.plural):
        assert all(re.fullmatch(pattern, getattr(row, name)) for name, pattern in patterns.items())


def test_keys(snapshots: dict[str, Path]) -> None:
    """Ids are primary keys; copies of ids and VINs are foreign keys and references to what they copy."""
    pointing = {
        "vehicles/person_id": "persons/person_id",
        "profiles/person_id": "persons/person_id",
        "profiles/vehicle_id": "vehicles/vehicle_id",
        "profiles/primary_vehicle_vin": "vehicles/vin",
    }
    held = resources(snapshots["whole"])
    found = {}
    for plural, singular in (("persons", "person"), ("vehicles", "vehicle"), ("profiles", "profile")):
        schema = held[f"{plural}-parquet"]["schema"]
        assert [f"{singular}_id"] == schema["primaryKey"]
        for key in schema["foreignKeys"]:
            target, _, extension = key["reference"]["resource"].partition("-")
            assert extension == "parquet"
            found[f"{plural}/{key['fields'][0]}"] = f"{target}/{key['reference']['fields'][0]}"
    assert pointing == found
    assert pointing == {
        key: field["references"]["field"]["@id"]
        for key, field in fields(snapshots["whole"]).items()
        if "references" in field
    }


def test_unique_fields(snapshots: dict[str, Path]) -> None:
    """What holds a permutation of the index, an id, or a copy of one is unique, and nothing else."""
    unique = {
        f"{plural}.{field['name']}"
        for plural in ("persons", "vehicles", "profiles")
        for field in resources(snapshots["whole"])[f"{plural}-csv"]["schema"]["fields"]
        if field["constraints"].get("unique")
    }
    assert {
        "persons.person_id",
        "persons.driver_license_number",
        "vehicles.vehicle_id",
        "vehicles.person_id",
        "vehicles.vin",
        "profiles.profile_id",
        "profiles.person_id",
        "profiles.vehicle_id",
        "profiles.primary_vehicle_vin",
    } == unique


def test_references_stay_inside_the_snapshot(tmp_path: Path) -> None:
    """A field points at no entity that was filtered out."""
    write_snapshot(
        tmp_path / "s", SnapshotRequest(records=2, entities=("vehicles", "profiles"), formats=("csv",))
    )
    schemas = {name: resource["schema"] for name, resource in resources(tmp_path / "s").items()}
    assert ["vehicles-csv", "profiles-csv"] == list(schemas)
    assert [] == schemas["vehicles-csv"]["foreignKeys"]
    assert ["vehicle_id", "primary_vehicle_vin"] == [
        key["fields"][0] for key in schemas["profiles-csv"]["foreignKeys"]
    ]
    assert ["profiles/vehicle_id", "profiles/primary_vehicle_vin"] == [
        key for key, field in fields(tmp_path / "s").items() if "references" in field
    ]


def test_part_is_a_resource_with_its_own_hash(snapshots: dict[str, Path]) -> None:
    """Each part has its path, hash, size and rows, and points at the part of the same number."""
    manifest = manifest_of(snapshots["parts"])
    held = resources(snapshots["parts"])
    for number, rows in enumerate((100, 100, 50)):
        resource = held[f"vehicles-csv-{number:05}"]
        listed = manifest.checksums[f"vehicles_v0_1.csv/part-{number:05}.csv"]
        assert f"vehicles_v0_1.csv/part-{number:05}.csv" == resource["path"]
        assert (f"sha256:{listed.sha256}", listed.bytes, rows) == (
            resource["hash"],
            resource["bytes"],
            resource["rows"],
        )
        assert [f"persons-csv-{number:05}"] == [
            key["reference"]["resource"] for key in resource["schema"]["foreignKeys"]
        ]


def test_formats_say_what_descriptors_need() -> None:
    """Every format has a media type, and a rank of its own: Parquet, which holds types, first, and the document last."""
    assert all(re.fullmatch(r"[a-z]+/[a-z.-]+", each.MEDIA_TYPE) for each in FORMATS.values())
    ranks = {each.RANK: name for name, each in FORMATS.items()}
    assert ["parquet", "csv", "ndjson", "json"] == [ranks[rank] for rank in sorted(ranks)]


def test_croissant_takes_the_best_source(tmp_path: Path, snapshots: dict[str, Path]) -> None:
    """Record sets are read from Parquet where there is any, as files or sets of parts, else from CSV or JSON."""
    for layout, kind in (("whole", "fileObject"), ("parts", "fileSet")):
        source = fields(snapshots[layout])["persons/city"]["source"]
        assert {"@id": "persons_v0_1.parquet"} == source[kind]
        assert {"column": "city"} == source["extract"]
    for formats, source in (
        (("csv", "json"), {"fileObject": {"@id": "persons_v0_1.csv"}, "extract": {"column": "city"}}),
        (
            ("json",),
            {"fileObject": {"@id": "dataset_v0_1.json"}, "extract": {"jsonPath": "$.persons[*].city"}},
        ),
    ):
        write_snapshot(tmp_path / formats[0], SnapshotRequest(records=1, formats=formats))
        assert source == fields(tmp_path / formats[0])["persons/city"]["source"]


def test_identifier_is_of_the_data(tmp_path: Path, snapshots: dict[str, Path]) -> None:
    """The same records have the same URN in any format; those of another seed have another."""
    urn = read(snapshots["whole"], "datapackage.json")["id"]
    assert re.fullmatch("urn:uuid:[0-9a-f-]{36}", urn)
    assert urn == read(snapshots["whole"], "croissant.json")["url"]
    write_snapshot(tmp_path / "same", SnapshotRequest(records=250, formats=("ndjson",)))
    write_snapshot(tmp_path / "other", SnapshotRequest(records=250, formats=("ndjson",), seed=1))
    assert urn == read(tmp_path / "same", "datapackage.json")["id"]
    assert urn != read(tmp_path / "other", "datapackage.json")["id"]


@pytest.mark.parametrize("emptied", ["files", "checksums", "record_counts", "content"])
def test_edited_manifest_renders_something_else(snapshot: Path, emptied: str) -> None:
    """A manifest that lacks what a descriptor needs renders all the same, to other bytes."""
    edited = msgspec.structs.replace(manifest_of(snapshot), **{emptied: {}})
    for name, data in render_descriptors(edited, DEFAULT_DATASET).items():
        assert (snapshot / name).read_bytes() != data


def test_descriptors_say_that_the_data_are_synthetic(snapshot: Path) -> None:
    """Both carry the marker, the seed and the reference date, and no other time."""
    package, croissant = read(snapshot, "datapackage.json"), read(snapshot, "croissant.json")
    assert ("enterprise-synthetic-data-hub v0.1", 20240601, 250) == tuple(
        package["esdh"][key] for key in ("synthetic_source", "seed", "records")
    )
    assert "2024-06-01T00:00:00Z" == package["created"]
    assert "2024-06-01" == croissant["datePublished"]
    assert not croissant["isLiveDataset"]
    for document in (package, croissant):
        assert "nobody in these files exists" in document["description"]
        assert "seed=20240601" in document["description"]
        assert "0.1" == document["version"]
