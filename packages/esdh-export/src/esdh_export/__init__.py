"""Columns to files: Arrow, the four formats, the content digest, descriptors for other tools, and the snapshot that commits once."""

from esdh_export.arrow import array, array_digest, schema
from esdh_export.blocks import BlockArrays
from esdh_export.descriptors import DESCRIPTORS, render_descriptors
from esdh_export.digest import block_digest, column_digest, entity_digest
from esdh_export.errors import ExportError, GateError, TargetError, WorkerError
from esdh_export.formats import FORMATS
from esdh_export.remote import Prefix, located
from esdh_export.request import (
    DATASET_NAME,
    DEFAULT_FORMATS,
    DEFAULT_SHARD_ROWS,
    MANIFEST_NAME,
    METADATA_NAME,
    README_NAME,
    SnapshotRequest,
)
from esdh_export.snapshot import WrittenSnapshot, claims, write_snapshot

__all__ = [
    "DATASET_NAME",
    "DEFAULT_FORMATS",
    "DEFAULT_SHARD_ROWS",
    "DESCRIPTORS",
    "FORMATS",
    "MANIFEST_NAME",
    "METADATA_NAME",
    "README_NAME",
    "BlockArrays",
    "ExportError",
    "GateError",
    "Prefix",
    "SnapshotRequest",
    "TargetError",
    "WorkerError",
    "WrittenSnapshot",
    "array",
    "array_digest",
    "block_digest",
    "claims",
    "column_digest",
    "entity_digest",
    "located",
    "render_descriptors",
    "schema",
    "write_snapshot",
]
