"""What a snapshot is, as its manifest says it: its place, its recipe and its digests."""

from pathlib import PurePath

import msgspec
from esdh_manifest import Manifest

__all__ = ["SnapshotIdentity"]


class SnapshotIdentity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A snapshot's folder as it was given, and what is known of it; `content` is entity to digest.

    None, or no content, is what isn't known: of a folder whose manifest can't be read, or of a run that failed.
    """

    folder: str
    dataset_version: str | None = None
    seed: int | None = None
    records: int | None = None
    plan_sha256: str | None = None
    content: dict[str, str] = {}

    @classmethod
    def of(cls, folder: PurePath | str, manifest: Manifest) -> "SnapshotIdentity":
        """Return the identity that a manifest claims."""
        return cls(
            folder=str(folder),
            dataset_version=manifest.dataset_version,
            seed=manifest.seed,
            records=manifest.records_requested,
            plan_sha256=manifest.plan_sha256,
            content=manifest.content,
        )
