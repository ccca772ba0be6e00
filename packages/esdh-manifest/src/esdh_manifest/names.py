"""The names of a snapshot's files, which follow from its dataset version."""

import re

__all__ = [
    "MANIFEST_NAME_PATTERN",
    "document_name",
    "manifest_name",
    "metadata_name",
    "overlay_name",
    "readme_name",
    "recipe_name",
    "slug",
    "table_name",
]

MANIFEST_NAME_PATTERN = "snapshot_manifest_*.json"  # of any dataset version


def slug(dataset_version: str) -> str:
    """Return a dataset version as file names have it: `bank v1` as `bank_v1`."""
    return re.sub("[. ]", "_", dataset_version)


def manifest_name(dataset_version: str) -> str:
    """Return the name of the manifest."""
    return f"snapshot_manifest_{slug(dataset_version)}.json"


def readme_name(dataset_version: str) -> str:
    """Return the name of the README."""
    return f"README_SNAPSHOT_{slug(dataset_version).upper()}.md"


def document_name(dataset_version: str) -> str:
    """Return the name of the JSON document that holds every table."""
    return f"dataset_{slug(dataset_version)}.json"


def metadata_name(dataset_version: str) -> str:
    """Return the name of the JSON document that holds the metadata alone."""
    return f"metadata_{slug(dataset_version)}.json"


def recipe_name(dataset_version: str) -> str:
    """Return the name of the compiled plan, in a snapshot of a dataset that a plan made."""
    return f"plan_{slug(dataset_version)}.json"


def overlay_name(dataset_version: str) -> str:
    """Return the name of the defects that were asked for, in a snapshot that has some."""
    return f"overlay_{slug(dataset_version)}.json"


def table_name(table: str, dataset_version: str, extension: str) -> str:
    """Return the name of a table's file, or of its folder of parts."""
    return f"{table}_{slug(dataset_version)}.{extension}"
