"""A snapshot commits once: what the folder may hold, and what a failure leaves."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import esdh_export.snapshot
import esdh_export.staging
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
        esdh_export.staging, "write_shard", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full"))
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
