"""`datapackage.json`: a Data Package (datapackage.org, version 2) with a Table Schema for every table."""

from typing import Any

from esdh_core.plan import EntityPlan, FieldPlan
from esdh_manifest import ListedFile, Manifest

from esdh_export.descriptors import contents
from esdh_export.descriptors.contents import Table
from esdh_export.formats import csv, json, ndjson, parquet

__all__ = ["LABEL", "NAME", "render"]

LABEL = "datapackage"
NAME = "datapackage.json"
_PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
_MEDIA_TYPES = {
    csv.EXTENSION: "text/csv",
    json.EXTENSION: "application/json",
    ndjson.EXTENSION: "application/x-ndjson",
    parquet.EXTENSION: "application/vnd.apache.parquet",
}
_CSV_DIALECT = {
    "delimiter": ",",
    "lineTerminator": "\n",
    "quoteChar": '"',
    "doubleQuote": True,
    "header": True,
}


def render(manifest: Manifest) -> bytes:
    """Return the descriptor of a snapshot.

    A part of a sharded table is a resource of its own, so that each has its hash and size. Keys hold
    within a part, since the records of the same numbers are in the parts of the same number.
    """
    document = {
        "$schema": _PROFILE,
        "name": contents.name(manifest),
        "id": contents.identifier(manifest),
        "title": contents.title(manifest),
        "description": contents.description(manifest),
        "version": contents.version(manifest),
        "created": contents.created(manifest),
        "licenses": [{"name": contents.LICENSE_NAME, "path": contents.LICENSE_URL}],
        "contributors": [{"title": contents.AUTHORS, "roles": ["creator"]}],
        "sources": [{"title": source} for source in contents.sources()],
        "esdh": {
            "synthetic_source": manifest.synthetic_source,
            "dataset_version": manifest.dataset_version,
            "seed": manifest.seed,
            "records": manifest.records_requested,
            "plan_sha256": manifest.plan_sha256,
            "generator": manifest.generator,
        },
        "resources": [
            *(resource for table in contents.tables(manifest) for resource in _resources(manifest, table)),
            *(
                {"name": label.replace("_", "-"), **_file(path, listed, json.EXTENSION)}
                for label, (path, listed) in contents.documents(manifest).items()
            ),
        ],
    }
    return contents.encode(document)


def _resources(manifest: Manifest, table: Table) -> list[dict[str, Any]]:
    """Return the resources of a table; the JSON document holds several, so it is described as a whole."""
    if table.format == json.EXTENSION:
        return []
    return [
        {
            "name": _name(table.entity, table, number),
            "type": "table",
            "description": table.entity.description,
            **_file(path, listed, table.format),
            "rows": listed.rows,
            **({"dialect": _CSV_DIALECT} if table.format == csv.EXTENSION else {}),
            "schema": _schema(manifest, table, number),
        }
        for number, (path, listed) in enumerate(table.parts.items())
    ]


def _file(path: str, listed: ListedFile, extension: str) -> dict[str, Any]:
    described = {
        "path": path,
        "format": extension,
        "mediatype": _MEDIA_TYPES[extension],
        "hash": f"sha256:{listed.sha256}",
    }
    if extension == parquet.EXTENSION:
        return described  # no size: frictionless holds it against bytes that it doesn't count in Parquet
    return {**described, "encoding": "utf-8", "bytes": listed.bytes}


def _name(entity: EntityPlan, table: Table, number: int) -> str:
    """Return the name of the resource that holds the records of an entity beside a part of a table."""
    return f"{entity.plural}-{table.format}" + (f"-{number:05}" if table.sharded else "")


def _schema(manifest: Manifest, table: Table, number: int) -> dict[str, Any]:
    held = {entity.name for entity in contents.entities(manifest)}
    references = {field.name: contents.reference(field) for field in table.entity.fields}
    return {
        "fields": [_field(table.entity, field) for field in table.entity.fields],
        "missingValues": [""],
        "primaryKey": [contents.key(table.entity)],
        "foreignKeys": [
            {
                "fields": [name],
                "reference": {
                    "resource": _name(target.entity, table, number),
                    "fields": [target.field.name],
                },
            }
            for name, target in references.items()
            if target is not None and target.entity.name in held
        ],
    }


def _field(entity: EntityPlan, field: FieldPlan) -> dict[str, Any]:
    """Return a field; the plan's types and constraints have the names that Table Schema gives them."""
    constraints: dict[str, Any] = {"required": not field.nullable, **field.constraints}
    if contents.is_unique(entity, field):
        constraints["unique"] = True
    if "pattern" in constraints:  # of XML Schema: it matches whole values and knows no anchors
        constraints["pattern"] = constraints["pattern"].removeprefix("^").removesuffix("$")
    return {
        "name": field.name,
        "type": field.type,
        "description": field.description,
        "constraints": constraints,
    }
