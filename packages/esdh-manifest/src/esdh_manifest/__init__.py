"""What a snapshot claims: the manifest, its checksums and its README."""

from esdh_manifest.changes import restore
from esdh_manifest.checksums import (
    MANIFEST_NAME_PATTERN,
    SUMS_NAME,
    FileProblem,
    file_problem,
    file_problems,
    files_below,
    is_ignored,
    entry_of,
    sha256sums,
    snapshot_files,
)
from esdh_manifest.errors import ManifestError
from esdh_manifest.model import (
    MANIFEST_VERSION,
    GateCheck,
    Gates,
    Generator,
    FileEntry,
    Manifest,
    Stats,
    decode_manifest,
    encode_manifest,
)
from esdh_manifest.readme import render_readme

__all__ = [
    "MANIFEST_NAME_PATTERN",
    "MANIFEST_VERSION",
    "SUMS_NAME",
    "FileProblem",
    "GateCheck",
    "Gates",
    "Generator",
    "FileEntry",
    "Manifest",
    "ManifestError",
    "Stats",
    "decode_manifest",
    "encode_manifest",
    "file_problem",
    "file_problems",
    "files_below",
    "is_ignored",
    "entry_of",
    "render_readme",
    "restore",
    "sha256sums",
    "snapshot_files",
]
