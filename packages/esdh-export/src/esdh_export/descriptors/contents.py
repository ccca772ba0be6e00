"""What the descriptors have in common: the tables of a snapshot, and words about the whole."""

import uuid
from typing import Any

import msgspec
from esdh_core import Dataset, Table
from esdh_core.overlay import LABELS, LABELS_PLAN
from esdh_core.plan import EntityPlan, FieldPlan
from esdh_core.rules import Rule
from esdh_manifest import FileEntry, Manifest
from msgspec import UNSET

from esdh_export.formats import FORMATS, json

__all__ = [
    "AUTHORS",
    "LICENSE_NAME",
    "LICENSE_URL",
    "Resource",
    "created",
    "description",
    "documents",
    "encode",
    "identifier",
    "name",
    "reference",
    "resources",
    "sources",
    "title",
    "version",
]

AUTHORS = "The Enterprise Synthetic Data Hub authors"
LICENSE_NAME = "MIT"
LICENSE_URL = "https://spdx.org/licenses/MIT.html"
_DOCUMENT, _METADATA = "dataset_json", "metadata_json"  # labels in the manifest
_NAMESPACE = uuid.UUID("6f9c8b52-3d0e-4c55-9a53-0d6f1a2e7b94")  # drawn once, for data of this program alone


class Resource(msgspec.Struct, frozen=True):
    """One table in one format: a file, a folder of parts, or a section of the JSON document.

    `parts` are the paths of the files that hold its rows, in order, with what the manifest lists of each.
    """

    dataset: Dataset
    table: Table
    format: str
    path: str
    parts: dict[str, FileEntry]

    @property
    def sharded(self) -> bool:
        """Whether `path` is a folder of parts."""
        return self.path not in self.parts

    @property
    def plan(self) -> EntityPlan:
        """The plan of the table: its fields and their rules."""
        return LABELS_PLAN if self.table is LABELS else self.dataset.table_plan(self.table)

    @property
    def fields(self) -> list[tuple[Rule, FieldPlan]]:
        """The rule and the plan of each field, in order."""
        return list(zip(self.table.rules, self.plan.fields, strict=True))


def resources(manifest: Manifest, dataset: Dataset) -> list[Resource]:
    """Return the tables of the snapshot, by format and then in the dataset's order."""
    found = []
    for extension in FORMATS:
        for table in (*dataset.tables, LABELS):
            label = _DOCUMENT if extension == json.EXTENSION else f"{table.name}_{extension}"
            if label in manifest.files and table.name in manifest.record_counts:
                path = manifest.files[label]
                found.append(Resource(dataset, table, extension, path, _listed_at(manifest, path)))
    return found


def documents(manifest: Manifest) -> dict[str, tuple[str, FileEntry]]:
    """Return path and entry, by label, of the JSON document and its metadata, where there are any."""
    return {
        label: file
        for label, path in manifest.files.items()
        if label in (_DOCUMENT, _METADATA)
        for file in _listed_at(manifest, path).items()
    }


def _listed_at(manifest: Manifest, path: str) -> dict[str, FileEntry]:
    """Return what the manifest lists at a path: the file, or the parts of the folder in their order."""
    return {
        file: entry
        for file, entry in manifest.checksums.items()
        if file == path or file.startswith(f"{path}/")
    }


def reference(manifest: Manifest, resource: Resource, rule: Rule) -> tuple[Table, str] | None:
    """Return the table and the unique field that a field refers to, None where the snapshot doesn't hold it."""
    target = resource.dataset.reference(rule)
    if target is None or target.table.name not in manifest.record_counts:
        return None
    return target.table, target.rule.name


def name(manifest: Manifest) -> str:
    """Return a name in lowercase, without spaces."""
    return manifest.synthetic_source.replace(" ", "-")


def title(manifest: Manifest) -> str:
    """Return a title for people."""
    tables = ", ".join(manifest.record_counts)
    return f"Synthetic {tables}: dataset {manifest.dataset_version}, seed {manifest.seed}"


def description(manifest: Manifest, dataset: Dataset) -> str:
    """Return what a reader must know before using the data."""
    warning = "" if manifest.clean is UNSET else f"Not clean: {LABELS.name} lists what is wrong on purpose. "
    return (
        f"{warning}Synthetic data: nobody in these files exists. They were computed from a seed by rules; no production "
        f"data went in. Every row carries synthetic_source = {manifest.synthetic_source!r}. {dataset.note} "
        f"{manifest.notes}"
    )


def created(manifest: Manifest) -> str:
    """Return the reference instant as RFC 3339 wants it, in UTC; no wall clock enters a descriptor."""
    return f"{manifest.generated_at}Z"


def version(manifest: Manifest) -> str:
    """Return the dataset version as digits and dots, as semantic versioning wants it."""
    return manifest.dataset_version.rpartition(" ")[2].removeprefix("v")


def identifier(manifest: Manifest) -> str:
    """Return a URN of the data, a version 5 UUID of their content digests: the same in every format."""
    content = " ".join(f"{entity}={digest}" for entity, digest in manifest.content.items())
    return uuid.uuid5(_NAMESPACE, content).urn


def sources(dataset: Dataset) -> list[str]:
    """Return where the odds and the vocabularies of the rules come from, each once."""
    return list(dict.fromkeys(rule.source for table in dataset.tables for rule in table.rules if rule.source))


def encode(document: dict[str, Any]) -> bytes:
    """Return a descriptor as two-space JSON with a line end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
