"""Files are held against what the manifest lists of them."""

from pathlib import Path

import pytest
from esdh_manifest import Generator, Manifest, file_problems, list_bytes, sha256sums


@pytest.fixture
def listed(tmp_path: Path) -> Manifest:
    """A manifest of two files that are there."""
    contents = {"a.csv": b"one\n", "b/part-00000.csv": b"two\n"}
    for path, data in contents.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    return Manifest(
        manifest_version=1, dataset_version="v0.1", generated_at="", seed=1, randomized=False, records_requested=1,
        synthetic_source="", generator=Generator("", ""), plan_sha256="", plan={}, record_counts={}, files={},
        checksums={path: list_bytes(data, 1) for path, data in contents.items()}, content={}, stats={}, gates=None,
        notes="",
    )  # fmt: skip


def test_whole_files_have_no_problem(tmp_path: Path, listed: Manifest) -> None:
    """Files that are as listed give no problem."""
    assert list(file_problems(tmp_path, listed)) == []


def test_each_problem_is_named(tmp_path: Path, listed: Manifest) -> None:
    """A flipped bit, another size, a missing file and a symbolic link are each told with the path."""
    file = tmp_path / "a.csv"
    file.write_bytes(b"onf\n")
    assert [str(each)[:20] for each in file_problems(tmp_path, listed)] == ["a.csv is of SHA-256 "]
    file.write_bytes(b"one")
    assert list(file_problems(tmp_path, listed)) == [("a.csv", "3 bytes long", "4 bytes")]
    file.unlink()
    assert list(file_problems(tmp_path, listed)) == [("a.csv", "missing", "a file")]
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_bytes(b"one\n")
    file.symlink_to(outside)
    assert list(file_problems(tmp_path, listed)) == [("a.csv", "a symbolic link", "a file")]


def test_sums_are_sorted_by_path(listed: Manifest) -> None:
    """SHA256SUMS has a line a file, sorted by path, in the form `sha256sum -c` reads."""
    lines = sha256sums(dict(reversed(listed.checksums.items()))).decode().splitlines()
    assert [f"{listed.checksums[path].sha256}  {path}" for path in ("a.csv", "b/part-00000.csv")] == lines
