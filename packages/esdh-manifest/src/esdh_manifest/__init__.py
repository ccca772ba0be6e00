"""What a snapshot claims: the manifest, its checksums and its README."""

from esdh_manifest.changes import restore
from esdh_manifest.checksums import (
    SUMS_NAME,
    FileProblem,
    content_problem,
    entry_of,
    file_problem,
    file_problems,
    files_below,
    is_ignored,
    sha256sums,
    snapshot_files,
)
from esdh_manifest.errors import ManifestError
from esdh_manifest.model import (
    MANIFEST_VERSION,
    FileEntry,
    GateCheck,
    Gates,
    Generator,
    Manifest,
    Stats,
    decode_manifest,
    encode_manifest,
)
from esdh_manifest.names import (
    MANIFEST_NAME_PATTERN,
    document_name,
    manifest_name,
    metadata_name,
    readme_name,
    recipe_name,
    slug,
    table_name,
)
from esdh_manifest.readme import render_readme

__all__ = [
    "MANIFEST_NAME_PATTERN",
    "MANIFEST_VERSION",
    "SUMS_NAME",
    "FileEntry",
    "FileProblem",
    "GateCheck",
    "Gates",
    "Generator",
    "Manifest",
    "ManifestError",
    "Stats",
    "content_problem",
    "decode_manifest",
    "document_name",
    "encode_manifest",
    "entry_of",
    "file_problem",
    "file_problems",
    "files_below",
    "is_ignored",
    "manifest_name",
    "metadata_name",
    "readme_name",
    "recipe_name",
    "render_readme",
    "restore",
    "sha256sums",
    "slug",
    "snapshot_files",
    "table_name",
]
