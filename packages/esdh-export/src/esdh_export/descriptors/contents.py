"""What the descriptors have in common: the tables of a snapshot, their keys, and words about the whole."""

import uuid
from typing import Any

import msgspec
from esdh_core import entity_named, plan
from esdh_core.plan import EntityPlan, FieldPlan
from esdh_manifest import ListedFile, Manifest

from esdh_export.formats import FORMATS, json

__all__ = [
    "AUTHORS",
    "LICENSE_NAME",
    "LICENSE_URL",
    "Reference",
    "Table",
    "created",
    "description",
    "documents",
    "encode",
    "entities",
    "identifier",
    "is_unique",
    "key",
    "name",
    "reference",
    "sources",
    "tables",
    "title",
    "version",
]

AUTHORS = "The Enterprise Synthetic Data Hub authors"
LICENSE_NAME = "MIT"
LICENSE_URL = "https://spdx.org/licenses/MIT.html"
_DOCUMENT, _METADATA = "dataset_json", "metadata_json"  # labels in the manifest
_NAMESPACE = uuid.UUID("6f9c8b52-3d0e-4c55-9a53-0d6f1a2e7b94")  # drawn once, for data of this program alone


class Table(msgspec.Struct, frozen=True):
    """One entity in one format: a file, a folder of parts, or a section of the JSON document.

    `parts` are the paths of the files that hold its rows, in order, with what the manifest lists of each.
    """

    entity: EntityPlan
    format: str
    path: str
    parts: dict[str, ListedFile]

    @property
    def sharded(self) -> bool:
        """Whether `path` is a folder of parts."""
        return self.path not in self.parts


class Reference(msgspec.Struct, frozen=True):
    """The unique field of an entity that a field of another one points at."""

    entity: EntityPlan
    field: FieldPlan


def entities(manifest: Manifest) -> list[EntityPlan]:
    """Return the plan of each entity that the snapshot holds."""
    return [entity for entity in plan().entities if entity.plural in manifest.record_counts]


def tables(manifest: Manifest) -> list[Table]:
    """Return the tables of the snapshot, by format and then by entity."""
    found = []
    for extension in FORMATS:
        for entity in entities(manifest):
            label = _DOCUMENT if extension == json.EXTENSION else f"{entity.plural}_{extension}"
            if label in manifest.files:
                path = manifest.files[label]
                found.append(Table(entity, extension, path, _listed_at(manifest, path)))
    return found


def documents(manifest: Manifest) -> dict[str, tuple[str, ListedFile]]:
    """Return path and listing, by label, of the JSON document and its metadata, where there are any."""
    return {
        label: file
        for label, path in manifest.files.items()
        if label in (_DOCUMENT, _METADATA)
        for file in _listed_at(manifest, path).items()
    }


def _listed_at(manifest: Manifest, path: str) -> dict[str, ListedFile]:
    """Return what the manifest lists at a path: the file, or the parts of the folder in their order."""
    return {
        file: listed
        for file, listed in manifest.checksums.items()
        if file == path or file.startswith(f"{path}/")
    }


def key(entity: EntityPlan) -> str:
    """Return the name of the field that holds the record's own id."""
    return f"{entity.name}_id"


def reference(field: FieldPlan) -> Reference | None:
    """Return what a field points at: the one unique field of the same form that it is a copy of."""
    if len(field.given) != 1:
        return None
    owner, _, given = field.given[0].partition(".")
    entity = next(each for each in plan().entities if each.plural == entity_named(owner).plural)
    target = next(each for each in entity.fields if each.name == given)
    alike = (field.type, field.constraints) == (target.type, target.constraints)
    return Reference(entity, target) if alike and is_unique(entity, target) else None


def is_unique(entity: EntityPlan, field: FieldPlan) -> bool:
    """Return whether every record of an entity has its own value: an id, or a permutation of the index.

    So has a copy of one, since record `i` of an entity points at record `i` of another.
    """
    return field.name == key(entity) or field.permutation is not None or reference(field) is not None


def name(manifest: Manifest) -> str:
    """Return a name in lowercase, without spaces."""
    return manifest.synthetic_source.replace(" ", "-")


def title(manifest: Manifest) -> str:
    """Return a title for people."""
    listed = ", ".join(manifest.record_counts)
    return f"Synthetic {listed}: dataset {manifest.dataset_version}, seed {manifest.seed}"


def description(manifest: Manifest) -> str:
    """Return what a reader must know before using the data."""
    return (
        "Synthetic data: nobody in these files exists. They were computed from a seed by rules; no production "
        f"data went in. Every row carries synthetic_source = {manifest.synthetic_source!r}. Record i is person i, "
        "vehicle i and profile i. Ages count to the reference instant, which is also given as the date of "
        f"publication. {manifest.notes}"
    )


def created(manifest: Manifest) -> str:
    """Return the reference instant as RFC 3339 wants it, in UTC; no wall clock enters a descriptor."""
    return f"{manifest.generated_at}Z"


def version(manifest: Manifest) -> str:
    """Return the dataset version as digits and dots, as semantic versioning wants it."""
    return manifest.dataset_version.removeprefix("v")


def identifier(manifest: Manifest) -> str:
    """Return a URN of the data, a version 5 UUID of their content digests: the same in every format."""
    content = " ".join(f"{entity}={digest}" for entity, digest in manifest.content.items())
    return uuid.uuid5(_NAMESPACE, content).urn


def sources() -> list[str]:
    """Return where the odds and the vocabularies of the rules come from, each once."""
    given = (field.source for entity in plan().entities for field in entity.fields)
    return list(dict.fromkeys(source for source in given if source is not None))


def encode(document: dict[str, Any]) -> bytes:
    """Return a descriptor as two-space JSON with a line end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
