"""Columns to files: Arrow, the four formats, the content digest, descriptors for other tools, and the snapshot that commits once.

Names are imported when they are first used: a small snapshot of text formats never imports Arrow.
"""

from typing import TYPE_CHECKING

from esdh_core.lazy import lazy_names

if TYPE_CHECKING:
    from esdh_export.counting import Tallies as Tallies
    from esdh_export.counting import manifest_counts as manifest_counts
    from esdh_export.counting import merge_counts as merge_counts
    from esdh_export.descriptors import DESCRIPTORS as DESCRIPTORS
    from esdh_export.descriptors import render_descriptors as render_descriptors
    from esdh_export.encoding.arrow import array as array
    from esdh_export.encoding.arrow import array_digest as array_digest
    from esdh_export.encoding.block import EncodedBlock as EncodedBlock
    from esdh_export.encoding.digest import block_digest as block_digest
    from esdh_export.encoding.digest import column_digest as column_digest
    from esdh_export.encoding.digest import entity_digest as entity_digest
    from esdh_export.encoding.schema import schema as schema
    from esdh_export.errors import ExportError as ExportError
    from esdh_export.errors import GateError as GateError
    from esdh_export.errors import TargetError as TargetError
    from esdh_export.errors import WorkerError as WorkerError
    from esdh_export.formats import FORMATS as FORMATS
    from esdh_export.request import DEFAULT_FORMATS as DEFAULT_FORMATS
    from esdh_export.request import SnapshotRequest as SnapshotRequest
    from esdh_export.snapshot import WrittenSnapshot as WrittenSnapshot
    from esdh_export.snapshot import build_manifest as build_manifest
    from esdh_export.snapshot import write_snapshot as write_snapshot
    from esdh_export.storage.destination import locate as locate
    from esdh_export.storage.object_store import Prefix as Prefix

__getattr__ = lazy_names(
    __name__,
    {
        "counting": ("Tallies", "manifest_counts", "merge_counts"),
        "descriptors": ("DESCRIPTORS", "render_descriptors"),
        "encoding.arrow": ("array", "array_digest"),
        "encoding.block": ("EncodedBlock",),
        "encoding.digest": ("block_digest", "column_digest", "entity_digest"),
        "encoding.schema": ("schema",),
        "errors": ("ExportError", "GateError", "TargetError", "WorkerError"),
        "formats": ("FORMATS",),
        "request": ("DEFAULT_FORMATS", "SnapshotRequest"),
        "snapshot": ("WrittenSnapshot", "build_manifest", "write_snapshot"),
        "storage.destination": ("locate",),
        "storage.object_store": ("Prefix",),
    },
)
