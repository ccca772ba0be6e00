"""The manifest reads back, and refuses what no snapshot may claim."""

import msgspec
import pytest
from esdh_manifest import (
    FileEntry,
    Generator,
    Manifest,
    ManifestError,
    decode_manifest,
    encode_manifest,
)


@pytest.fixture
def manifest() -> Manifest:
    """A small manifest."""
    return Manifest(
        manifest_version=1, dataset_version="v0.1", generated_at="2024-06-01T00:00:00", seed=1, randomized=False,
        records_requested=2, synthetic_source="marker", generator=Generator("esdh", "0.1.0"), plan_sha256="0" * 64,
        plan={"person.person_id": "1" * 64}, record_counts={"persons": 2}, files={"persons_csv": "persons_v0_1.csv"},
        checksums={"persons_v0_1.csv": FileEntry("2" * 64, 10, 2)}, content={"persons": "3" * 64},
        stats={"persons": {"ages": {"20": 2}}}, gates=None, notes="",
    )  # fmt: skip


def test_manifest_reads_back(manifest: Manifest) -> None:
    """An encoded manifest is two-space JSON that decodes to itself."""
    data = encode_manifest(manifest)
    assert data.startswith(b'{\n  "manifest_version": 1,\n  "dataset_version": "v0.1",\n')
    assert manifest == decode_manifest(data)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", "c:\\x", "a\\b"])
def test_path_out_of_the_folder_is_refused(manifest: Manifest, path: str) -> None:
    """A manifest that lists a path outside its folder is refused with the path."""
    listed = {path: FileEntry("2" * 64, 10, 2)}
    with pytest.raises(ManifestError, match="not a path inside"):
        decode_manifest(encode_manifest(msgspec.structs.replace(manifest, checksums=listed)))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"manifest_version": "1"}'])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    """Bytes that aren't a manifest are refused as that."""
    with pytest.raises(ManifestError, match="not a snapshot manifest"):
        decode_manifest(data)


def test_later_version_is_refused(manifest: Manifest) -> None:
    """A manifest of a later version is refused by its number."""
    with pytest.raises(ManifestError, match="manifest version 2"):
        decode_manifest(encode_manifest(msgspec.structs.replace(manifest, manifest_version=2)))
