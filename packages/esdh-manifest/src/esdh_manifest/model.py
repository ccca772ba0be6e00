"""The manifest: what a snapshot claims of itself, as Structs."""

from codecs import BOM_UTF8
from pathlib import PurePosixPath
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from esdh_manifest.errors import ManifestError

__all__ = [
    "MANIFEST_VERSION",
    "DefectCounts",
    "FileEntry",
    "GateCheck",
    "Gates",
    "Generator",
    "Manifest",
    "Stats",
    "decode_manifest",
    "encode_manifest",
]

MANIFEST_VERSION = 1

# entity (plural) to statistic to label to count
Stats = dict[str, dict[str, dict[str, int]]]


class Generator(msgspec.Struct, frozen=True):
    """The program that wrote the snapshot."""

    name: str
    version: str


class GateCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One distribution, held against the one that the plan declares.

    `method` names the bound, `distance` what it bounds and `bound` the value that a sound generator stays
    within; `worst` is the label that is furthest off, or the labels up to it (`16-45`) where the method
    compares distribution functions, `observed` its count and `expected` what the plan declares of it.
    `reported` holds statistics that people expect and that decide nothing.
    """

    entity: str
    statistic: str
    records: int
    method: str
    distance: float
    bound: float
    passed: bool
    worst: str
    observed: int
    expected: float
    reported: dict[str, float]


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """What the gates said of a snapshot before it was written; `level` is the most that sound data's chance to fail can be."""

    verdict: Literal["passed", "failed", "skipped"]
    level: float
    checks: list[GateCheck]


class FileEntry(msgspec.Struct, frozen=True):
    """One file of the snapshot: SHA-256 in lowercase hexadecimal, size in bytes, rows (None: no table)."""

    sha256: str
    bytes: int
    rows: int | None


class DefectCounts(msgspec.Struct, frozen=True):
    """The defects of a snapshot: the SHA-256 of the file that asks for them, and the number of labels of each kind."""

    sha256: str
    kinds: dict[str, int]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a snapshot claims; the fields stand in the file in this order.

    `shard_rows` and `block_records` (of each table) stand in the manifest of a dataset that a plan made; `clean`, which
    is false, and `defects` in that of a snapshot with defects, whose `stats` and `gates` are of the rows without them. So does
    `shard_rows`: files with rows that are missing or there twice don't tell it.
    """

    manifest_version: int
    dataset_version: str
    generated_at: str
    seed: int
    randomized: bool
    records_requested: int
    shard_rows: int | UnsetType = UNSET
    block_records: dict[str, int] | UnsetType = UNSET
    synthetic_source: str
    generator: Generator
    plan_sha256: str
    plan: dict[str, str]
    record_counts: dict[str, int]
    files: dict[str, str]
    checksums: dict[str, FileEntry]
    content: dict[str, str]
    stats: Stats
    gates: Gates | None
    clean: bool | UnsetType = UNSET
    defects: DefectCounts | UnsetType = UNSET
    notes: str


_decoder = msgspec.json.Decoder(Manifest)


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as two-space JSON with a line end."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """Return the manifest that a file holds.

    Raises ManifestError when it isn't one, is of a later manifest version, names entities that differ from
    claim to claim, or lists a path that leads out of the snapshot's folder.
    """
    try:
        manifest = _decoder.decode(data.removeprefix(BOM_UTF8))  # a check of its own reports the mark
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"not a snapshot manifest: {error}") from error
    if manifest.manifest_version != MANIFEST_VERSION:
        raise ManifestError(
            f"manifest version {manifest.manifest_version}; this program reads {MANIFEST_VERSION}"
        )
    if set(manifest.content) != set(manifest.record_counts):
        raise ManifestError(
            f"the manifest counts {', '.join(manifest.record_counts) or 'nothing'} and gives content digests of "
            f"{', '.join(manifest.content) or 'nothing'}; both must name the same entities"
        )
    for path in (*manifest.checksums, *manifest.files.values()):
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or "\\" in path or ":" in path or ".." in parts or "\0" in path:
            raise ManifestError(f"the manifest lists {path!r}, which is not a path inside the snapshot")
    return manifest
