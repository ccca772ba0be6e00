"""Files are held against what the manifest lists of them."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from esdh_manifest import (
    Generator,
    Manifest,
    entry_of,
    file_problem,
    file_problems,
    files_below,
    is_ignored,
    restore,
    sha256sums,
    snapshot_files,
)


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
        checksums={path: entry_of(data, 1) for path, data in contents.items()}, content={}, stats={}, gates=None,
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
    assert list(file_problems(tmp_path, listed)) == [("a.csv", "3 bytes long", "4 bytes", "")]
    file.unlink()
    assert list(file_problems(tmp_path, listed)) == [("a.csv", "missing", "a file", "")]
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_bytes(b"one\n")
    file.symlink_to(outside)
    assert list(file_problems(tmp_path, listed)) == [("a.csv", "a symbolic link", "a file", "")]


def test_sums_are_sorted_by_path(listed: Manifest) -> None:
    """SHA256SUMS has a line a file, sorted by path, in the form `sha256sum -c` reads."""
    lines = sha256sums(dict(reversed(listed.checksums.items()))).decode().splitlines()
    assert [f"{listed.checksums[path].sha256}  {path}" for path in ("a.csv", "b/part-00000.csv")] == lines


def with_crlf(data: bytes) -> bytes:
    """Return text with the line ends of Windows."""
    return data.replace(b"\n", b"\r\n")


def with_mark(data: bytes) -> bytes:
    """Return text with a byte order mark."""
    return b"\xef\xbb\xbf" + data


@pytest.mark.parametrize(
    ("change", "done"),
    [
        (with_crlf, "its line ends made CRLF"),
        (with_mark, "a byte order mark put before it"),
        (gzip.compress, "compressed with gzip"),
        (
            lambda data: with_mark(with_crlf(data)),
            "a byte order mark put before it and its line ends made CRLF",
        ),
        (lambda data: gzip.compress(with_crlf(data)), "compressed with gzip and its line ends made CRLF"),
    ],
    ids=["lines", "mark", "gzip", "mark and lines", "gzip of lines"],
)
@pytest.mark.parametrize("text", [b"one\n", b"one,two\n" * 300_000, b"x" * 1_048_575 + b"\n" * 3])
def test_change_by_a_tool_is_named(
    tmp_path: Path, change: Callable[[bytes], bytes], done: str, text: bytes
) -> None:
    """A file that is the listed one but for what a tool did to it is named as that, with the remedy; another isn't."""
    expected = entry_of(text, 1)
    file = tmp_path / "a.csv"
    file.write_bytes(change(text))
    problem = file_problem(tmp_path, "a.csv", expected)
    assert problem is not None
    assert f"the listed file, {done}" == problem.found
    assert problem.remedy
    written: list[bytes] = []
    restore(file, expected, written.append)
    assert text == b"".join(written)
    file.write_bytes(change(text.replace(b"o", b"0").replace(b"x", b"y")))
    problem = file_problem(tmp_path, "a.csv", expected)
    assert problem is not None
    assert not problem.remedy


def test_compressed_file_under_another_name_is_found(tmp_path: Path, listed: Manifest) -> None:
    """A file that `gzip` has packed is there under another name."""
    (tmp_path / "a.csv").unlink()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"one\n"))
    (problem,) = file_problems(tmp_path, listed)
    assert (
        "a.csv is there as a.csv.gz, compressed with gzip; expected the file itself; unpack it (gzip -d)"
        == str(problem)
    )


def test_binary_file_has_no_line_ends(tmp_path: Path) -> None:
    """Bytes of Parquet that look like line ends or a mark aren't taken for them."""
    data = b"\xef\xbb\xbfPAR1\r\n" * 9
    (tmp_path / "a.parquet").write_bytes(gzip.compress(data))
    problem = file_problem(tmp_path, "a.parquet", entry_of(data))
    assert problem is not None
    assert "the listed file, compressed with gzip" == problem.found


def test_little_is_unpacked(tmp_path: Path) -> None:
    """No more is unpacked of a file than is listed of it, and a chunk."""
    (tmp_path / "a.csv").write_bytes(gzip.compress(b"\n" * 50_000_000))
    sizes: list[int] = []
    restore(tmp_path / "a.csv", entry_of(b"one\n"), lambda data: sizes.append(len(data)))
    assert sum(sizes) <= 1 << 20


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        (".DS_Store", True),
        ("persons_v0_1.csv/.DS_Store", True),
        ("._persons_v0_1.csv", True),
        ("lost+found", True),
        (".esdh-staging/request.json", True),
        ("a/lost+found", False),
        (".DS_Store/a", False),
        ("notes.txt", False),
    ],
)
def test_what_is_nobodys_work_is_ignored(tmp_path: Path, path: str, ignored: bool) -> None:
    """What file managers, file systems and unfinished runs leave isn't the snapshot's; a file of the user is."""
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(b"")
    assert ignored == is_ignored(path)
    assert {path} == files_below(tmp_path)
    assert (set() if ignored else {path}) == snapshot_files(tmp_path)
