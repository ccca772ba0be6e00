"""`croissant.json`: a Croissant 1.0 data set (mlcommons.org/croissant) with a record set for every table."""

from typing import Any

from esdh_core import Dataset, Table
from esdh_core.overlay import LABELS
from esdh_core.plan import FieldPlan
from esdh_core.rules import Rule
from esdh_manifest import SUMS_NAME, FileEntry, Manifest

from esdh_export.descriptors import contents
from esdh_export.descriptors.contents import Resource
from esdh_export.formats import FORMATS, json, ndjson, parquet

__all__ = ["LABEL", "NAME", "render"]

LABEL = "croissant"
NAME = "croissant.json"
# As Croissant names them, where it names them otherwise.
_MEDIA_TYPES = {ndjson.EXTENSION: "application/jsonlines", parquet.EXTENSION: "application/x-parquet"}
_DATA_TYPES = {
    "string": "sc:Text",
    "integer": "sc:Integer",
    "decimal": "sc:Number",
    "boolean": "sc:Boolean",
    "date": "sc:Date",
    "timestamp": "sc:DateTime",
}
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


def render(manifest: Manifest, dataset: Dataset) -> bytes:
    """Return the descriptor of a snapshot."""
    resources = contents.resources(manifest, dataset)
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": contents.name(manifest),
        "alternateName": contents.title(manifest),
        "description": contents.description(manifest, dataset),
        "url": contents.identifier(manifest),
        "version": contents.version(manifest),
        "datePublished": manifest.generated_at.partition("T")[0],
        "license": contents.LICENSE_URL,
        "creator": {"@type": "sc:Organization", "name": contents.AUTHORS},
        "citeAs": _citation(manifest),
        "isLiveDataset": False,
        "rai:dataCollection": " ".join(
            ["Computed by rules; sources of their odds:", *contents.sources(dataset)]
        ),
        "rai:personalSensitiveInformation": dataset.privacy_note,
        "distribution": [
            *(_distribution(each) for each in resources if each.format != json.EXTENSION),
            *(_file(path, entry, json.EXTENSION) for path, entry in contents.documents(manifest).values()),
        ],
        "recordSet": [  # each has one source
            _record_set(manifest, min(group, key=lambda each: FORMATS[each.format].RANK))
            for table in (*dataset.tables, LABELS)
            if (group := [each for each in resources if each.table is table])
        ],
    }
    return contents.encode(document)


def _citation(manifest: Manifest) -> str:
    return (
        f"@misc{{{contents.name(manifest)}, author = {{{{{contents.AUTHORS}}}}}, title = {{{contents.title(manifest)}}}, "
        f"year = {{{manifest.generated_at[:4]}}}, note = {{{manifest.generator.name} {manifest.generator.version}}}}}"
    )


def _distribution(resource: Resource) -> dict[str, Any]:
    """Return the file of a table, or the set of its parts; a set has no place for their hashes."""
    if not resource.sharded:
        return _file(resource.path, resource.parts[resource.path], resource.format)
    return {
        "@type": "cr:FileSet",
        "@id": resource.path,
        "name": resource.path,
        "description": f"The rows in parts, in the order of their numbers; {SUMS_NAME} lists the hash of each.",
        "encodingFormat": _media_type(resource.format),
        "includes": f"{resource.path}/*.{resource.format}",
    }


def _file(path: str, entry: FileEntry, extension: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{entry.bytes} B",
        "encodingFormat": _media_type(extension),
        "sha256": entry.sha256,
    }


def _media_type(extension: str) -> str:
    return _MEDIA_TYPES.get(extension, FORMATS[extension].MEDIA_TYPE)


def _record_set(manifest: Manifest, resource: Resource) -> dict[str, Any]:
    table = resource.table
    keys = [{"@id": _id(table, name)} for name in table.key]
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": table.description,
        **({"key": keys[0] if len(keys) == 1 else keys} if keys else {}),
        "field": [_field(manifest, resource, rule, field) for rule, field in resource.fields],
    }


def _id(table: Table, field: str) -> str:
    return f"{table.name}/{field}"


def _field(manifest: Manifest, resource: Resource, rule: Rule, field: FieldPlan) -> dict[str, Any]:
    described: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": _id(resource.table, field.name),
        "name": field.name,
        "description": field.description,
        "dataType": _DATA_TYPES[field.type],
        "source": {
            "fileSet" if resource.sharded else "fileObject": {"@id": resource.path},
            "extract": {"jsonPath": f"$.{resource.table.name}[*].{field.name}"}
            if resource.format == json.EXTENSION
            else {"column": field.name},
        },
    }
    target = contents.reference(manifest, resource, rule)
    if target is not None:
        described["references"] = {"field": {"@id": _id(*target)}}
    return described
