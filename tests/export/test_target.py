"""A snapshot commits once: what the folder may hold, and what a failure leaves."""

import errno
import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import esdh_export.snapshot
import esdh_export.storage.staging
import pytest
from esdh_export import SnapshotRequest, TargetError, write_snapshot
from esdh_manifest import files_below
from filelock import FileLock

SMALL = SnapshotRequest(records=3)
OTHER = SnapshotRequest(records=3, seed=5)


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return every file below a folder with its content and the time it was written."""
    return {
        path: ((folder / path).read_bytes(), (folder / path).stat().st_mtime_ns)
        for path in files_below(folder)
    }


def beside(folder: Path) -> list[str]:
    """Return what stands beside a folder."""
    return sorted(path.name for path in folder.parent.iterdir())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder that holds the small snapshot."""
    write_snapshot(tmp_path / "s", SMALL)
    return tmp_path / "s"


def test_nothing_is_left_beside(target: Path) -> None:
    """After a run only the snapshot stands there."""
    assert beside(target) == ["s"]


def test_same_snapshot_is_left_untouched(target: Path) -> None:
    """A folder that holds exactly this snapshot isn't written again."""
    before = state(target)
    assert not write_snapshot(target, SMALL).written
    assert before == state(target)


def test_other_snapshot_needs_overwrite(target: Path) -> None:
    """Another snapshot is replaced only when told, and then whole."""
    before = state(target)
    with pytest.raises(TargetError, match=r"seed 20240601, 3 records .* --overwrite"):
        write_snapshot(target, OTHER)
    assert before == state(target)
    assert write_snapshot(target, OTHER, overwrite=True).written
    assert beside(target) == ["s"]
    assert not write_snapshot(target, OTHER).written


def test_damaged_snapshot_is_told(target: Path) -> None:
    """A snapshot with a changed byte isn't taken for whole."""
    file = target / "persons_v0_1.csv"
    file.write_bytes(file.read_bytes().replace(b"Louise", b"Louisa"))
    with pytest.raises(TargetError, match=r"damaged: persons_v0_1.csv is of SHA-256"):
        write_snapshot(target, SMALL)
    assert write_snapshot(target, SMALL, overwrite=True).written


@pytest.mark.parametrize("overwrite", [False, True])
def test_file_of_the_user_is_never_touched(target: Path, overwrite: bool) -> None:
    """A foreign file in the folder refuses the run, beside a snapshot or alone, and stays."""
    (target / "notes.txt").write_text("mine")
    before = state(target)
    with pytest.raises(TargetError, match=r"'notes\.txt'"):
        write_snapshot(target, OTHER, overwrite=overwrite)
    assert before == state(target)
    alone = target.parent / "alone"
    alone.mkdir()
    (alone / "persons_v0_1.csv").write_text("mine")
    with pytest.raises(TargetError, match=r"persons_v0_1\.csv"):
        write_snapshot(alone, SMALL, overwrite=overwrite)
    assert (alone / "persons_v0_1.csv").read_text() == "mine"


def test_unreadable_manifest_is_not_overwritten(target: Path) -> None:
    """Where the manifest can't be read nobody knows whose the files are, so they stay."""
    (target / "snapshot_manifest_v0_1.json").write_text("{}")
    before = state(target)
    with pytest.raises(TargetError, match="can't be read"):
        write_snapshot(target, SMALL, overwrite=True)
    assert before == state(target)


def test_litter_of_file_managers_is_no_obstacle(target: Path, tmp_path: Path) -> None:
    """`.DS_Store` and its like stand in the way of nothing."""
    (target / ".DS_Store").write_bytes(b"\0")
    assert not write_snapshot(target, SMALL).written
    assert write_snapshot(target, OTHER, overwrite=True).written
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "._x").write_bytes(b"\0")
    assert write_snapshot(tmp_path / "e", SMALL).written


def test_file_is_refused(tmp_path: Path) -> None:
    """An output folder that is a file is refused and stays."""
    (tmp_path / "f").write_text("mine")
    with pytest.raises(TargetError, match="is a file"):
        write_snapshot(tmp_path / "f", SMALL)
    assert (tmp_path / "f").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f"]


def test_folder_that_can_not_be_written_is_refused() -> None:
    """A place where nothing can be made is refused in words."""
    with pytest.raises(TargetError, match="can't be written"):
        write_snapshot(Path("/proc/esdh/snapshot"), SMALL)


def test_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder or one that holds it can't be taken whole."""
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    for folder in (".", "..", "/"):
        with pytest.raises(TargetError, match="current folder"):
            write_snapshot(Path(folder), SMALL)


def test_symbolic_link_keeps_pointing(tmp_path: Path) -> None:
    """A link to the folder stays a link; the folder behind it is replaced."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_snapshot(tmp_path / "link", SMALL)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "SHA256SUMS").is_file()


def test_second_run_is_told(target: Path) -> None:
    """A run into a folder that another run holds is told so and changes nothing."""
    before = state(target)
    with FileLock(target.parent / ".s.esdh-lock"), pytest.raises(TargetError, match="another run"):
        write_snapshot(target, OTHER, overwrite=True)
    assert before == state(target)


def test_failed_run_leaves_the_earlier_snapshot(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure before the commit leaves the earlier snapshot, and tells of the finished parts that it keeps."""
    before = state(target)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(esdh_export.snapshot, "_finish", fail)
    with pytest.raises(OSError, match="No space") as failure:
        write_snapshot(target, OTHER, overwrite=True)
    assert before == state(target)
    assert [".s.esdh-staging", "s"] == beside(target)
    assert [
        f"1 of 1 parts are finished and stay in '{target.parent}/.s.esdh-staging', for --resume with --seed 5"
    ] == (failure.value.__notes__)


@pytest.mark.parametrize("new_stands", [False, True])
def test_crash_between_the_renames_is_repaired(target: Path, new_stands: bool) -> None:
    """After a crash between the two renames the next command puts back, or clears away, the earlier snapshot."""
    previous, staging = target.parent / ".s.esdh-previous", target.parent / ".s.esdh-staging"
    if new_stands:
        shutil.copytree(target, previous)
    else:
        target.rename(previous)
    staging.mkdir()
    (staging / "half.csv").write_text("half")
    assert not write_snapshot(target, SMALL).written
    assert beside(target) == ["s"]


def test_empty_folder_made_after_a_crash_costs_nothing(target: Path) -> None:
    """After a crash between the renames an empty folder in the snapshot's place doesn't pass for its successor."""
    before = state(target)
    target.rename(target.parent / ".s.esdh-previous")
    target.mkdir()
    with pytest.raises(TargetError, match="--overwrite"):
        write_snapshot(target, OTHER)
    assert before == state(target)
    assert ["s"] == beside(target)


def test_lock_of_a_killed_run_goes(target: Path) -> None:
    """The file of a lock that nobody holds any more is removed by the next run, even one with nothing to do."""
    (target.parent / ".s.esdh-lock").touch()
    assert not write_snapshot(target, SMALL).written
    assert ["s"] == beside(target)


@pytest.mark.parametrize("name", ["snapshot_manifest_v0_1.json", "SHA256SUMS"])
def test_altered_claims_are_told(target: Path, name: str) -> None:
    """A manifest or SHA256SUMS that was altered isn't taken for a whole snapshot's."""
    file = target / name
    file.write_bytes(file.read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(TargetError, match="holds"):
        write_snapshot(target, SMALL)


def test_empty_folder_of_the_user_stays(tmp_path: Path) -> None:
    """A folder that holds only an empty folder of the user's isn't taken."""
    (tmp_path / "s" / "mine").mkdir(parents=True)
    with pytest.raises(TargetError, match="'mine'"):
        write_snapshot(tmp_path / "s", SMALL)
    assert (tmp_path / "s" / "mine").is_dir()


def test_replaced_folder_keeps_its_mode(target: Path) -> None:
    """A folder that a group shares is still theirs after --overwrite."""
    target.chmod(0o2775)
    write_snapshot(target, OTHER, overwrite=True)
    assert 0o2775 == target.stat().st_mode & 0o7777


def test_remedy_fits_the_trouble(tmp_path: Path) -> None:
    """A file in the path and a name that is too long are told as that."""
    (tmp_path / "f").write_text("mine")
    with pytest.raises(TargetError, match="a file stands where a folder must be"):
        write_snapshot(tmp_path / "f" / "s", SMALL)
    with pytest.raises(TargetError, match="name is too long"):
        write_snapshot(tmp_path / ("n" * 250), SMALL)


def test_folders_made_for_a_failed_run_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first run that fails with no part finished leaves no folder that it made."""
    monkeypatch.setattr(
        esdh_export.storage.staging,
        "write_shard",
        lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")),
    )
    with pytest.raises(OSError, match="full"):
        write_snapshot(tmp_path / "a" / "b" / "s", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_goes_meanwhile_is_made(target: Path) -> None:
    """A folder that is removed while a run lasts is there again afterwards."""
    write_snapshot(target, OTHER, overwrite=True, progress=lambda _: shutil.rmtree(target))
    assert ["s"] == beside(target)
    assert not write_snapshot(target, OTHER).written


def replaced_by_a_link(target: Path) -> None:
    """Move the folder away and put a link to it in its place."""
    target.rename(target.with_name("moved"))
    target.symlink_to("moved")


def given_a_file(target: Path) -> None:
    """Put a user's file into the folder."""
    (target / "notes.txt").write_text("mine")


def replaced_by_a_file(target: Path) -> None:
    """Put a file in the folder's place."""
    shutil.rmtree(target)
    target.write_text("mine")


def replaced_by_another(target: Path) -> None:
    """Put another snapshot in the folder's place."""
    shutil.rmtree(target)
    write_snapshot(target.with_name("t"), SnapshotRequest(records=9))
    target.with_name("t").rename(target)


@pytest.mark.parametrize(
    "happens", [replaced_by_a_link, given_a_file, replaced_by_a_file, replaced_by_another]
)
def test_folder_that_changes_meanwhile_is_left(target: Path, happens: Callable[[Path], None]) -> None:
    """What somebody puts in the folder's place while a run lasts stays, and the parts wait for --resume."""
    with pytest.raises(TargetError, match=r"was changed|'notes\.txt'|is a file") as failure:
        write_snapshot(target, OTHER, overwrite=True, progress=lambda _: happens(target))
    assert target.is_symlink() == (happens is replaced_by_a_link)
    assert target.is_file() == (happens is replaced_by_a_file)
    assert "1 of 1 parts are finished" in failure.value.__notes__[0]
    assert 1 == write_snapshot(target.with_name("u"), OTHER).manifest.manifest_version


READ_ONLY = """
import os, sys
from pathlib import Path
from esdh_export import SnapshotRequest, write_snapshot
folder = Path(sys.argv[1])
write_snapshot(folder, SnapshotRequest(records=3))
if os.getuid() == 0:  # whom no mode stops
    for path in (folder.parent, folder, *folder.iterdir()):
        os.chown(path, 65534, 65534)
    os.setuid(65534)
def happens(_):
    os.chmod(folder.parent, 0o555)
try:
    write_snapshot(folder, SnapshotRequest(records=3, seed=5), overwrite=True, progress=happens)
finally:
    os.chmod(folder.parent, 0o755)
"""


def test_folder_made_read_only_meanwhile_is_told() -> None:
    """When the folder above is made read-only while a run lasts, the earlier snapshot stays in its place."""
    with tempfile.TemporaryDirectory() as place:  # pytest's own are closed to other users
        folder = Path(place) / "s"
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, folder], capture_output=True, text=True, check=False, cwd=place
        )
        assert "TargetError" in done.stderr
        assert "(Permission denied); it may be" in done.stderr
        assert not write_snapshot(folder, SMALL).written


def test_second_of_two_runs_is_told(target: Path) -> None:
    """Of two runs into one folder at once the first wins and the second is told."""
    told: list[str] = []

    def second(_: int) -> None:
        with pytest.raises(TargetError, match="another run is writing") as refused:
            write_snapshot(target, SnapshotRequest(records=4), overwrite=True)
        told.append(str(refused.value))

    assert write_snapshot(target, OTHER, overwrite=True, progress=second).written
    assert 1 == len(told)
    assert ["s"] == beside(target)


@pytest.mark.parametrize("limit", [1_000, 30_000, 200_000])
def test_full_disk_is_a_sentence(tmp_path: Path, limit: int) -> None:
    """Where the disk takes no more, the command says so with status 1 and leaves nothing but finished parts."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [
        sys.executable,
        "-m",
        "esdh_cli",
        "generate-snapshot",
        "--output-dir",
        str(tmp_path / "s"),
        "--output-format",
        "csv",
        "json",
        "parquet",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=limited, env=os.environ
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "File too large" in done.stderr
    kept = limit == 200_000  # enough for the only part, and too little for the JSON document
    assert kept == ("1 of 1 parts are finished and stay in" in done.stderr)
    assert [".s.esdh-staging"] * kept == [path.name for path in tmp_path.iterdir()]


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that passes for a mount point."""
    folder = tmp_path / "volume"
    folder.mkdir()
    monkeypatch.setattr("esdh_export.storage.local.is_mount_point", lambda path: path == folder)
    return folder


def test_empty_mount_point_is_taken(mounted: Path) -> None:
    """A snapshot is moved into a mount point, `lost+found` or not, and nothing stands beside or in it but the snapshot."""
    (mounted / "lost+found").mkdir()
    assert write_snapshot(mounted, SMALL).written
    assert ["volume"] == beside(mounted)
    write_snapshot(mounted.parent / "other" / "s", SMALL)
    assert files_below(mounted.parent / "other" / "s") == files_below(mounted) - {"lost+found"}
    assert not write_snapshot(mounted, SMALL).written


@pytest.mark.parametrize("overwrite", [False, True])
def test_snapshot_in_a_mount_point_is_not_replaced(mounted: Path, overwrite: bool) -> None:
    """A mount point that holds another snapshot is refused before the first row, since nothing replaces it whole."""
    write_snapshot(mounted, SMALL)
    before = state(mounted)
    progress: list[int] = []
    with pytest.raises(TargetError, match="mount point" if overwrite else "--overwrite"):
        write_snapshot(mounted, OTHER, overwrite=overwrite, progress=progress.append)
    assert ([], before) == (progress, state(mounted))


def test_file_of_the_user_in_a_mount_point_stays(mounted: Path) -> None:
    """What somebody puts into a mount point while a run lasts stays, under whatever name."""

    def happens(_: int) -> None:
        (mounted / "persons_v0_1.csv").write_text("mine")

    with pytest.raises(TargetError, match="was changed"):
        write_snapshot(mounted, SMALL, progress=happens)
    assert "mine" == (mounted / "persons_v0_1.csv").read_text()


def test_failed_move_into_a_mount_point_is_undone(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a file can't be moved into a mount point, those that were are moved back, for --resume."""
    rename, failing = Path.rename, [True]

    def fail(path: Path, goal: Path) -> Path:
        if path.name == "profiles_v0_1.csv" and failing:
            failing.clear()
            raise OSError(5, "Input/output error")
        return rename(path, goal)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(TargetError, match="Input/output error"):
        write_snapshot(mounted, SMALL)
    assert [".esdh-staging"] == [path.name for path in mounted.iterdir()]
    assert 1 == write_snapshot(mounted, SMALL, resume=True).resumed


def test_real_mount_point_is_taken(tmp_path: Path) -> None:
    """A file system of its own, and a folder that is mounted a second time, are taken."""
    for kind in (["-t", "tmpfs", "tmpfs"], ["--bind", str(tmp_path / "source")]):
        (tmp_path / "source").mkdir(exist_ok=True)
        volume = tmp_path / "volume"
        volume.mkdir(exist_ok=True)
        if subprocess.run(["mount", *kind, volume], capture_output=True, check=False).returncode:
            pytest.skip("mounting a file system isn't permitted here")
        try:
            assert write_snapshot(volume, SMALL).written
            assert not write_snapshot(volume, SMALL).written
        finally:
            subprocess.run(["umount", volume], check=True)


@pytest.mark.parametrize("place", ["new", "new/s", "persons_v0_1.csv/s"])
def test_folder_inside_a_snapshot_is_refused(target: Path, place: str) -> None:
    """A folder at any depth inside a snapshot isn't taken, since the outer snapshot would be damaged."""
    if place.startswith("persons"):
        (target / "persons_v0_1.csv").unlink()
        (target / "persons_v0_1.csv").mkdir()
    before = files_below(target)
    with pytest.raises(TargetError, match="which holds a snapshot that would be damaged"):
        write_snapshot(target / place, SMALL)
    assert before == files_below(target)


@pytest.mark.parametrize(("number", "where"), [(1, "s"), (16, "s"), (18, "s"), (18, "e")])
def test_folder_that_can_not_be_renamed_is_told_before_the_work(
    target: Path, monkeypatch: pytest.MonkeyPatch, number: int, where: str
) -> None:
    """A folder whose name can't be given away is refused before the first row, but for an empty one of a lower layer."""
    rename, progress = Path.rename, list[int]()
    folder = target.with_name(where)
    folder.mkdir(exist_ok=True)

    def fail(path: Path, goal: Path) -> Path:
        if path == folder:
            raise OSError(number, os.strerror(number))
        return rename(path, goal)

    monkeypatch.setattr(Path, "rename", fail)
    if where == "e":
        assert write_snapshot(folder, OTHER).written
        return
    before = state(target)
    with pytest.raises(TargetError, match="can't be replaced"):
        write_snapshot(folder, OTHER, overwrite=True, progress=progress.append)
    assert ([], before, ["s"]) == (progress, state(target), beside(target))


def test_longest_name_is_tried_before_the_work(tmp_path: Path) -> None:
    """A name that leaves room for the staging folder and none for the earlier snapshot's is refused at once."""
    progress: list[int] = []
    with pytest.raises(TargetError, match="name is too long"):
        write_snapshot(tmp_path / ("n" * 241), SMALL, progress=progress.append)
    assert [] == progress


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
@pytest.mark.parametrize("what", ["folders", "files", "folders or files"])
def test_what_can_not_be_synced_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, what: str
) -> None:
    """A file system that can't sync folders or files is written to, and the snapshot says so once."""
    fsync = os.fsync

    def unsupported(descriptor: int) -> None:
        kind = "folders" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "files"
        if kind in what:
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", unsupported)
    (note,) = write_snapshot(tmp_path / "s", SMALL).notes
    assert f"can't sync {what}, so that a power cut" in note


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_sync_that_fails_is_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A disk that fails to sync what it can sync fails the run."""

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((TargetError, OSError), match=os.strerror(number)):
        write_snapshot(tmp_path / "s", SMALL)
    assert [] == list(tmp_path.iterdir())


def test_missing_locks_and_modes_are_noted(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks or modes is written to, and the snapshot says what that means."""

    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(FileLock, "acquire", unsupported)
    monkeypatch.setattr(shutil, "copymode", unsupported)
    lock, mode = write_snapshot(target, OTHER, overwrite=True).notes
    assert f"the file system of '{target}' can't lock files, so that two runs" in lock
    assert f"the file system of '{target}' can't give the new folder the mode" in mode
