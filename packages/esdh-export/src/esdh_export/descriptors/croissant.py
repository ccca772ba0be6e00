"""`croissant.json`: a Croissant 1.0 data set (mlcommons.org/croissant) with a record set for every entity."""

from typing import Any

from esdh_core.plan import EntityPlan, FieldPlan
from esdh_manifest import SUMS_NAME, ListedFile, Manifest

from esdh_export.descriptors import contents
from esdh_export.descriptors.contents import Table
from esdh_export.formats import csv, json, ndjson, parquet

__all__ = ["LABEL", "NAME", "render"]

LABEL = "croissant"
NAME = "croissant.json"
_MEDIA_TYPES = {  # as Croissant names them
    csv.EXTENSION: "text/csv",
    json.EXTENSION: "application/json",
    ndjson.EXTENSION: "application/jsonlines",
    parquet.EXTENSION: "application/x-parquet",
}
_DATA_TYPES = {"string": "sc:Text", "date": "sc:Date", "integer": "sc:Integer"}
# A record set has one source. Parquet keeps types; the others are read by pandas with types that it guesses,
# the document record by record in plain Python.
_BEST_FIRST = (parquet.EXTENSION, csv.EXTENSION, ndjson.EXTENSION, json.EXTENSION)
# The context of the Croissant 1.0 specification.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def render(manifest: Manifest) -> bytes:
    """Return the descriptor of a snapshot."""
    tables = contents.tables(manifest)
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": contents.name(manifest),
        "alternateName": contents.title(manifest),
        "description": contents.description(manifest),
        "url": contents.identifier(manifest),
        "version": contents.version(manifest),
        "datePublished": manifest.generated_at.partition("T")[0],
        "license": contents.LICENSE_URL,
        "creator": {"@type": "sc:Organization", "name": contents.AUTHORS},
        "citeAs": _citation(manifest),
        "isLiveDataset": False,
        "rai:dataCollection": " ".join(["Computed by rules; sources of their odds:", *contents.sources()]),
        "rai:personalSensitiveInformation": "None: the persons don't exist.",
        "distribution": [
            *(_distribution(table) for table in tables if table.format != json.EXTENSION),
            *(_file(path, listed, json.EXTENSION) for path, listed in contents.documents(manifest).values()),
        ],
        "recordSet": [
            _record_set(manifest, min(group, key=lambda table: _BEST_FIRST.index(table.format)))
            for entity in contents.entities(manifest)
            if (group := [table for table in tables if table.entity.name == entity.name])
        ],
    }
    return contents.encode(document)


def _citation(manifest: Manifest) -> str:
    return (
        f"@misc{{{contents.name(manifest)}, author = {{{{{contents.AUTHORS}}}}}, title = {{{contents.title(manifest)}}}, "
        f"year = {{{manifest.generated_at[:4]}}}, note = {{{manifest.generator.name} {manifest.generator.version}}}}}"
    )


def _distribution(table: Table) -> dict[str, Any]:
    """Return the file of a table, or the set of its parts; a set has no place for their hashes."""
    if not table.sharded:
        return _file(table.path, table.parts[table.path], table.format)
    return {
        "@type": "cr:FileSet",
        "@id": table.path,
        "name": table.path,
        "description": f"The rows in parts, in the order of their numbers; {SUMS_NAME} lists the hash of each.",
        "encodingFormat": _MEDIA_TYPES[table.format],
        "includes": f"{table.path}/*.{table.format}",
    }


def _file(path: str, listed: ListedFile, extension: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{listed.bytes} B",
        "encodingFormat": _MEDIA_TYPES[extension],
        "sha256": listed.sha256,
    }


def _record_set(manifest: Manifest, table: Table) -> dict[str, Any]:
    entity = table.entity
    return {
        "@type": "cr:RecordSet",
        "@id": entity.plural,
        "name": entity.plural,
        "description": entity.description,
        "key": {"@id": _id(entity, contents.key(entity))},
        "field": [_field(manifest, table, field) for field in entity.fields],
    }


def _id(entity: EntityPlan, field: str) -> str:
    return f"{entity.plural}/{field}"


def _field(manifest: Manifest, table: Table, field: FieldPlan) -> dict[str, Any]:
    described: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": _id(table.entity, field.name),
        "name": field.name,
        "description": field.description,
        "dataType": _DATA_TYPES[field.type],
        "source": {
            "fileSet" if table.sharded else "fileObject": {"@id": table.path},
            "extract": {"jsonPath": f"$.{table.entity.plural}[*].{field.name}"}
            if table.format == json.EXTENSION
            else {"column": field.name},
        },
    }
    target = contents.reference(field)
    if target is not None and target.entity.plural in manifest.record_counts:
        described["references"] = {"field": {"@id": _id(target.entity, target.field.name)}}
    return described
