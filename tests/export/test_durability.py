"""A run may be killed at any moment and its disk may fill: the earlier snapshot is whole, and the next run ends well.

`just torture` kills at ten times as many moments.
"""

import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import faults
import pytest
from esdh_export import SnapshotRequest, WrittenSnapshot, write_snapshot
from esdh_manifest import decode_manifest, files_below, snapshot_files

KILLS = int(os.environ.get("ESDH_KILLS", "10")) // 2
NEVER = 10**12


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {path: (folder / path).read_bytes() for path in files_below(folder)}


def struck(
    folder: Path,
    what: str,
    *,
    step: int = NEVER,
    byte: int = NEVER,
    resume: bool = False,
    mounted: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run the snapshot in a process of its own that kills itself at a step or a byte."""
    given = folder, what, step, byte, resume, mounted
    command = [sys.executable, faults.__file__, *map(str, given)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the snapshot that a run without trouble writes."""
    folder = tmp_path_factory.mktemp("whole") / "s"
    faults.write(folder)
    return contents(folder)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of another snapshot, to be copied."""
    folder = tmp_path_factory.mktemp("earlier") / "s"
    write_snapshot(folder, faults.EARLIER)
    return folder


@pytest.fixture(scope="module")
def extent(tmp_path_factory: pytest.TempPathFactory, earlier: Path) -> tuple[list[str], int]:
    """The steps and the number of bytes of a run that replaces a snapshot."""
    folder = tmp_path_factory.mktemp("extent") / "s"
    shutil.copytree(earlier, folder)
    *steps, total = struck(folder, "count").stdout.split()
    return steps, int(total)


@pytest.mark.parametrize("moment", [f"{kind} {kill}" for kind in ("step", "byte") for kill in range(KILLS)])
def test_killed_run_loses_nothing(
    tmp_path: Path, moment: str, whole: dict[str, bytes], earlier: Path, extent: tuple[list[str], int]
) -> None:
    """Killed at a drawn step or byte, and again as it resumes, a run loses nothing, and the next writes the very bytes."""
    draw = random.Random(moment)
    kind = moment.partition(" ")[0]
    folder, replaced = tmp_path / "s", draw.random() < 0.5
    if replaced:
        shutil.copytree(earlier, folder)
    for resume in (False, True)[: draw.randint(1, 2)]:
        at = draw.randrange(len(extent[0]) if kind == "step" else extent[1])
        done = struck(
            folder,
            "kill",
            step=at if kind == "step" else NEVER,
            byte=at if kind == "byte" else NEVER,
            resume=resume,
        )
        assert done.returncode in (-9, 0), done.stderr  # 0: it had less to do than a run from the start
        standing = folder if folder.exists() else tmp_path / ".s.esdh-previous"
        if standing.exists():
            assert contents(standing) in (contents(earlier), whole), at
        else:
            assert not replaced, at
    faults.write(folder, resume=draw.random() < 0.5)
    assert whole == contents(folder)
    assert ["s"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("rename", [0, 1, 2, 3])
@pytest.mark.parametrize("after", [0, 1], ids=["before", "after"])
def test_run_killed_at_a_rename_is_repaired(
    tmp_path: Path, rename: int, after: int, earlier: Path, extent: tuple[list[str], int]
) -> None:
    """Killed before, between or after the renames that try and that do it, a run leaves the earlier or the new one, whole."""
    folder = tmp_path / "s"
    shutil.copytree(earlier, folder)
    step = [at for at, name in enumerate(extent[0]) if name == "rename"][rename] + after
    assert -9 == struck(folder, "kill", step=step).returncode
    standing = faults.REQUEST if (rename, after) == (3, 1) else faults.EARLIER
    assert not write_snapshot(folder, standing).written
    assert ["s"] == [path.name for path in tmp_path.iterdir()]


@pytest.fixture(scope="module")
def commit(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """The first and the last step by which a run moves its files into a mount point."""
    folder = tmp_path_factory.mktemp("commit")
    *steps, _ = struck(folder, "count", mounted=True).stdout.split()
    renames = [at for at, name in enumerate(steps) if name == "rename"]
    return renames[0], renames[-1]


@pytest.mark.parametrize("moment", ["first", *range(KILLS), "last", "done"])
@pytest.mark.parametrize("resume", [False, True])
def test_run_killed_in_a_mount_point_is_repaired(
    tmp_path: Path,
    moment: str | int,
    resume: bool,
    whole: dict[str, bytes],
    commit: tuple[int, int],
) -> None:
    """Killed as it moves its files into a mount point, a run leaves no manifest, or all; the next ends with all."""
    first, last = commit
    drawn = random.Random(str(moment)).randint(first, last)
    step = {"first": first, "last": last, "done": last + 1}.get(str(moment), drawn)
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "lost+found").mkdir()
    assert -9 == struck(folder, "kill", step=step, mounted=True).returncode
    held = {path: (folder / path).read_bytes() for path in snapshot_files(folder)}
    if moment == "done":
        assert whole == held
    else:
        assert "snapshot_manifest_v0_1.json" not in held
    with patch("esdh_export.storage.local.is_mount_point", return_value=True):
        assert (moment != "done") == faults.write(folder, resume=resume).written
    assert whole == {path: (folder / path).read_bytes() for path in files_below(folder) - {"lost+found"}}
    assert ["s"] == [path.name for path in tmp_path.iterdir()]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder beside which a run was killed just before it wrote what is made from all parts."""
    folder = tmp_path / "s"

    class Killed(BaseException):
        pass

    def refuse(_: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        write_snapshot(folder, faults.REQUEST, gate=refuse)  # type: ignore[arg-type] # it never returns
    assert 3 == len(list((tmp_path / ".s.esdh-staging" / "reports").iterdir()))
    return folder


def resumed(folder: Path, progress: list[int]) -> WrittenSnapshot:
    """Resume the run; `progress` takes the records of each block."""
    return write_snapshot(folder, faults.REQUEST, resume=True, progress=progress.append)


def test_finished_parts_are_not_written_again(kept: Path, whole: dict[str, bytes]) -> None:
    """--resume takes the files of finished parts as they are."""
    part = kept.parent / ".s.esdh-staging" / "snapshot" / "persons_v0_1.csv" / "part-00001.csv"
    before = part.stat()
    assert 3 == resumed(kept, []).resumed
    after = (kept / "persons_v0_1.csv" / "part-00001.csv").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert whole == contents(kept)
    assert ["s"] == [path.name for path in kept.parent.iterdir()]


@pytest.mark.parametrize(
    "path",
    [
        "snapshot/persons_v0_1.csv/part-00001.csv",
        "snapshot/profiles_v0_1.parquet/part-00000.parquet",
        "fragments/vehicles-00002.json",
        "reports/00001.json",
    ],
)
@pytest.mark.parametrize("damage", ["a byte", "half", "gone", "link"])
def test_damaged_parts_are_made_again(kept: Path, whole: dict[str, bytes], path: str, damage: str) -> None:
    """A part that isn't as its report says, or whose report can't be read, isn't taken over."""
    file = kept.parent / ".s.esdh-staging" / path
    data = file.read_bytes()
    middle = len(data) // 2
    file.unlink()
    if damage == "a byte":
        file.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    elif damage == "half":
        file.write_bytes(data[:middle])
    elif damage == "link":
        (kept.parent / "elsewhere").write_bytes(data[:middle])
        file.symlink_to(kept.parent / "elsewhere")
    resumed(kept, [])
    assert whole == contents(kept)


@pytest.mark.parametrize("resume", [False, True])
def test_parts_of_another_request_are_not_taken_over(tmp_path: Path, kept: Path, resume: bool) -> None:
    """What another request left is removed, with or without --resume, and so is what nobody asked for."""
    stray = tmp_path / ".s.esdh-staging" / "snapshot" / "stray" / "part"
    stray.parent.mkdir()
    stray.write_text("stray")
    assert 0 == write_snapshot(kept, SnapshotRequest(records=3), resume=resume).resumed
    assert decode_manifest((kept / "snapshot_manifest_v0_1.json").read_bytes()).records_requested == 3
    write_snapshot(tmp_path / "fresh", SnapshotRequest(records=3))
    assert contents(tmp_path / "fresh") == contents(kept)


def test_parts_of_another_version_are_not_taken_over(kept: Path, whole: dict[str, bytes]) -> None:
    """Parts that another version wrote are made again, since their bytes may differ."""
    decides = kept.parent / ".s.esdh-staging" / "request.json"
    decides.write_bytes(decides.read_bytes().replace(b'"pyarrow":"', b'"pyarrow":"1'))
    assert 0 == resumed(kept, []).resumed
    assert whole == contents(kept)


def test_strays_never_reach_the_snapshot(kept: Path, whole: dict[str, bytes]) -> None:
    """A file that somebody put into the staging folder isn't in the snapshot."""
    staged = kept.parent / ".s.esdh-staging" / "snapshot"
    (staged / "persons_v0_1.csv" / "part-00003.csv").write_text("stray")
    (staged / "empty").mkdir()
    resumed(kept, [])
    assert whole == contents(kept)


def test_run_without_resume_starts_clean(kept: Path, whole: dict[str, bytes]) -> None:
    """Without --resume nothing is taken over."""
    part = kept.parent / ".s.esdh-staging" / "snapshot" / "persons_v0_1.csv" / "part-00001.csv"
    before = part.stat().st_ino, part.stat().st_mtime_ns
    assert 0 == faults.write(kept).resumed
    after = (kept / "persons_v0_1.csv" / "part-00001.csv").stat()
    assert before != (after.st_ino, after.st_mtime_ns)
    assert whole == contents(kept)


@pytest.mark.parametrize("kilobytes", [16, 64, 128, 256, 512])
def test_full_disk_leaves_the_earlier_snapshot(
    tmp_path: Path, earlier: Path, whole: dict[str, bytes], kilobytes: int
) -> None:
    """On a file system with so much room the run fails in words; with room it resumes to the very bytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    room = sum(len(data) for data in contents(earlier).values()) // 1024 + 200 + kilobytes
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={room}k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a file system isn't permitted here")
    try:
        shutil.copytree(earlier, disk / "s")
        with pytest.raises(OSError, match="No space left"):
            faults.write(disk / "s")
        assert contents(earlier) == contents(disk / "s")
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        faults.write(disk / "s", resume=True)
        assert whole == contents(disk / "s")
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def file_limit() -> Iterator[None]:
    """Restore the limit of a file's size after the test."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("file_limit")
@pytest.mark.parametrize("limit", [500, 9_000, 20_000, 40_000, 120_000])
def test_file_that_may_not_grow_leaves_the_earlier_snapshot(
    tmp_path: Path, earlier: Path, whole: dict[str, bytes], limit: int
) -> None:
    """Where files may not grow past a size the run fails in words; without the limit it resumes."""
    folder = tmp_path / "s"
    shutil.copytree(earlier, folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    with pytest.raises(OSError, match="File too large"):
        faults.write(folder)
    assert contents(earlier) == contents(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    faults.write(folder, resume=True)
    assert whole == contents(folder)
