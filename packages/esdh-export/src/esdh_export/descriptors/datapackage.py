"""`datapackage.json`: a Data Package (datapackage.org, version 2) with a Table Schema for every table."""

from typing import Any

from esdh_core import Dataset, Table
from esdh_core.plan import FieldPlan
from esdh_core.rules import Rule
from esdh_manifest import FileEntry, Manifest
from msgspec import UNSET

from esdh_export.descriptors import contents
from esdh_export.descriptors.contents import Resource
from esdh_export.formats import FORMATS, csv, json, parquet

__all__ = ["LABEL", "NAME", "render"]

LABEL = "datapackage"
NAME = "datapackage.json"
_PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
# As Table Schema names them, where it names them otherwise.
_TYPES = {"decimal": "number", "timestamp": "datetime"}
_CSV_DIALECT = {
    "delimiter": ",",
    "lineTerminator": "\n",
    "quoteChar": '"',
    "doubleQuote": True,
    "header": True,
}


def render(manifest: Manifest, dataset: Dataset) -> bytes:
    """Return the descriptor of a snapshot.

    A part of a sharded table is a resource of its own, so that each has its hash and size. Keys hold
    within a part, since the records of the same numbers are in the parts of the same number.
    """
    document = {
        "$schema": _PROFILE,
        "name": contents.name(manifest),
        "id": contents.identifier(manifest),
        "title": contents.title(manifest),
        "description": contents.description(manifest, dataset),
        "version": contents.version(manifest),
        "created": contents.created(manifest),
        "licenses": [{"name": contents.LICENSE_NAME, "path": contents.LICENSE_URL}],
        "contributors": [{"title": contents.AUTHORS, "roles": ["creator"]}],
        "sources": [{"title": source} for source in contents.sources(dataset)],
        "esdh": {
            "synthetic_source": manifest.synthetic_source,
            "dataset_version": manifest.dataset_version,
            "seed": manifest.seed,
            "records": manifest.records_requested,
            "plan_sha256": manifest.plan_sha256,
            "generator": manifest.generator,
            **({} if manifest.clean is UNSET else {"clean": False, "defects": manifest.defects}),
        },
        "resources": [
            *(part for each in contents.resources(manifest, dataset) for part in _parts(manifest, each)),
            *(
                {"name": label.replace("_", "-"), **_file(path, entry, json.EXTENSION)}
                for label, (path, entry) in contents.documents(manifest).items()
            ),
        ],
    }
    return contents.encode(document)


def _parts(manifest: Manifest, resource: Resource) -> list[dict[str, Any]]:
    """Return each file of a table; the JSON document holds several tables, so it is described as a whole."""
    if resource.format == json.EXTENSION:
        return []
    return [
        {
            "name": _name(resource.table, resource.format, number if resource.sharded else None),
            "type": "table",
            "description": resource.table.description,
            **_file(path, entry, resource.format),
            "rows": entry.rows,
            **({"dialect": _CSV_DIALECT} if resource.format == csv.EXTENSION else {}),
            "schema": _schema(manifest, resource, number),
        }
        for number, (path, entry) in enumerate(resource.parts.items())
    ]


def _file(path: str, entry: FileEntry, extension: str) -> dict[str, Any]:
    described = {
        "path": path,
        "format": extension,
        "mediatype": FORMATS[extension].MEDIA_TYPE,
        "hash": f"sha256:{entry.sha256}",
    }
    if extension == parquet.EXTENSION:
        return described  # no size: frictionless holds it against bytes that it doesn't count in Parquet
    return {**described, "encoding": "utf-8", "bytes": entry.bytes}


def _name(table: Table, extension: str, number: int | None) -> str:
    """Return the name of a table's resource, or of the part with a number."""
    return f"{table.name}-{extension}" + ("" if number is None else f"-{number:05}")


def _schema(manifest: Manifest, resource: Resource, number: int) -> dict[str, Any]:
    targets = {rule.name: contents.reference(manifest, resource, rule) for rule in resource.table.rules}
    return {
        "fields": [_field(resource, rule, field) for rule, field in resource.fields],
        "missingValues": [""],
        **({"primaryKey": list(resource.table.key)} if resource.table.key else {}),
        "foreignKeys": [
            {
                "fields": [name],
                "reference": {
                    # The rows that a part refers to are in the part of the same number, or in a table without parts.
                    "resource": _name(
                        target[0],
                        resource.format,
                        number if resource.sharded and not target[0].is_fixed else None,
                    ),
                    "fields": [target[1]],
                },
            }
            for name, target in targets.items()
            if target is not None
        ],
    }


def _field(resource: Resource, rule: Rule, field: FieldPlan) -> dict[str, Any]:
    """Return a field; the plan's types and constraints have the names that Table Schema gives them."""
    constraints: dict[str, Any] = {"required": not field.nullable, **field.constraints}
    if resource.dataset.is_unique(resource.table, rule):
        constraints["unique"] = True
    if "pattern" in constraints:  # of XML Schema: it matches whole values and knows no anchors
        constraints["pattern"] = constraints["pattern"].removeprefix("^").removesuffix("$")
    return {
        "name": field.name,
        "type": _TYPES.get(field.type, field.type),
        "description": field.description,
        "constraints": constraints,
    }
