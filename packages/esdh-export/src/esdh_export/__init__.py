"""Columns to files: Arrow, the four formats, the content digest, descriptors for other tools, and the snapshot that commits once.

Names are imported when they are first used: a small snapshot of text formats never imports Arrow.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esdh_export.encoding.arrow import array, array_digest, schema
    from esdh_export.encoding.block import EncodedBlock
    from esdh_export.descriptors import DESCRIPTORS, render_descriptors
    from esdh_export.encoding.digest import block_digest, column_digest, entity_digest
    from esdh_export.errors import ExportError, GateError, TargetError, WorkerError
    from esdh_export.formats import FORMATS
    from esdh_export.storage.destination import locate
    from esdh_export.storage.object_store import Prefix
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
    "EncodedBlock",
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
    "build_manifest",
    "column_digest",
    "entity_digest",
    "locate",
    "render_descriptors",
    "schema",
    "write_snapshot",
]

_MODULES = {
    "DATASET_NAME": "request",
    "DEFAULT_FORMATS": "request",
    "DEFAULT_SHARD_ROWS": "request",
    "DESCRIPTORS": "descriptors",
    "FORMATS": "formats",
    "MANIFEST_NAME": "request",
    "METADATA_NAME": "request",
    "README_NAME": "request",
    "EncodedBlock": "blocks",
    "ExportError": "errors",
    "GateError": "errors",
    "Prefix": "remote",
    "SnapshotRequest": "request",
    "TargetError": "errors",
    "WorkerError": "errors",
    "WrittenSnapshot": "snapshot",
    "array": "arrow",
    "array_digest": "arrow",
    "block_digest": "digest",
    "build_manifest": "snapshot",
    "column_digest": "digest",
    "entity_digest": "digest",
    "locate": "places",
    "render_descriptors": "descriptors",
    "schema": "arrow",
    "write_snapshot": "snapshot",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
