"""Run folders take their name when they are complete, the oldest go, and what isn't the demo's stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from esdh_demo.errors import DemoError
from esdh_demo.paths import Paths
from esdh_demo.runs import OpenRun, RunStore, read_record

SECOND = timedelta(seconds=1)
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)


def publish(store: RunStore, now: datetime = NOON) -> OpenRun:
    """Begin a run and complete it."""
    opened = store.begin("baseline", now=now)
    store.publish(opened)
    return opened


def test_name_comes_last(paths: Paths) -> None:
    """A run is made under a hidden name, and has its own once it is complete, with its record."""
    store = RunStore(paths)
    opened = store.begin("baseline", now=NOON)
    assert "20240601T120000.000Z_baseline" == opened.record.run_id
    assert opened.folder.is_dir()
    assert [] == RunStore(paths).complete()
    store.publish(opened)
    assert [opened.final] == RunStore(paths).complete()
    assert not opened.folder.exists()
    assert opened.record == read_record(opened.final)


def test_ids_are_unique_and_in_order(paths: Paths) -> None:
    """Runs that begin in the same millisecond have ids of their own, in the order of beginning."""
    store = RunStore(paths)
    ids = [store.begin(label, now=NOON).record.run_id for label in ("heavy", "baseline", "baseline")]
    assert 3 == len(set(ids))
    assert sorted(ids) == ids


def test_five_newest_are_kept(paths: Paths) -> None:
    """The five newest complete runs stay, and as many failed ones."""
    store = RunStore(paths)
    ids = [publish(store, NOON + second * SECOND).record.run_id for second in range(7)]
    assert ids[:1:-1] == [path.name for path in store.complete()]
    for second in range(7):
        opened = store.begin("baseline", now=NOON + second * SECOND)
        store.fail(opened)
    assert (5, 5) == (len(store.complete()), len(store.failed()))


def test_what_is_not_the_demos_stays(paths: Paths) -> None:
    """Folders and files of other names are never removed."""
    store = RunStore(paths)
    mine = paths.runs / "notes"
    mine.mkdir(parents=True)
    for _ in range(7):
        publish(store)
    store.clean(keep=0, log=False)
    assert mine.is_dir()
    assert [] == store.complete()


def test_latest(paths: Paths) -> None:
    """`latest` leads to the newest complete run, also after a failed one, and to none once it is removed."""
    store = RunStore(paths)
    first, second = publish(store), publish(store)
    opened = store.begin("baseline", now=NOON)
    store.fail(opened)
    assert first.final != (paths.runs / "latest").resolve() == second.final
    store.clean(keep=0, log=False)
    assert not (paths.runs / "latest").is_symlink()


def test_latest_without_links(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where links can't be made `latest` is a file with the run's name, which goes with the last run."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    store = RunStore(paths)
    opened = publish(store)
    store.clean(keep=1, log=False)
    assert f"{opened.record.run_id}\n" == (paths.runs / "latest").read_text()
    store.clean(keep=0, log=False)
    assert not (paths.runs / "latest").exists()


def test_folder_in_the_place_of_latest(paths: Paths) -> None:
    """A folder named `latest` that somebody made is named, and stays; the run is complete all the same."""
    store = RunStore(paths)
    (paths.runs / "latest").mkdir(parents=True)
    opened = store.begin("baseline")
    with pytest.raises(DemoError, match="latest is a folder, and not the demo's"):
        store.publish(opened)
    assert [opened.final] == store.complete()


def test_run_under_way_is_not_swept(paths: Paths) -> None:
    """A sweep leaves a run that lives, and clears one that doesn't."""
    store = RunStore(paths)
    alive, dead = store.begin("alive"), store.begin("dead")
    dead.lock.release()  # as the system does when a process is gone
    assert [alive.record.run_id] == list(store.running())
    assert [f".{dead.record.run_id}.making"] == store.stale()
    assert [dead.record.run_id] == [each.run_id for each in store.sweep()]
    assert alive.folder.is_dir()
    assert [f"{dead.record.run_id}.failed"] == [path.name for path in store.failed()]
    assert [] == store.sweep()
    alive.release()
    assert [] == list(paths.runs.glob(".*Z_*.lock"))


def test_clean_keeps_the_newest(paths: Paths) -> None:
    """`clean` keeps the newest so many, and the log with `log`."""
    store = RunStore(paths)
    ids = [publish(store).record.run_id for _ in range(3)]
    paths.log.write_text("{}\n")
    store.clean(keep=1, log=True)
    assert [ids[-1]] == [path.name for path in store.complete()]
    assert paths.log.exists()
    store.clean(keep=0, log=False)
    assert not paths.log.exists()


def test_record_that_is_not_there(tmp_path: Path) -> None:
    """A folder without a record, or with a spoilt one, says nothing."""
    assert read_record(tmp_path) is None
    (tmp_path / "run.json").write_text("{")
    assert read_record(tmp_path) is None
