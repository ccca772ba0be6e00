"""Run folders take their name when they are complete, the oldest go, and what isn't the demo's stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from esdh_demo.errors import DemoError
from esdh_demo.places import Places
from esdh_demo.runs import Archive, OpenRun, RunRecord, read_record

SECOND = timedelta(seconds=1)
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)


def record(opened: OpenRun) -> RunRecord:
    """Return what a run would say of itself."""
    return RunRecord(
        run_id=opened.run_id,
        status="complete",
        profile="baseline",
        records=1,
        seed=1,
        randomized=False,
        formats=["csv"],
        started_at="",
        seconds=0,
        steps=[],
        failure=None,
        environment={},
    )


def publish(archive: Archive, now: datetime = NOON) -> OpenRun:
    """Begin a run and complete it."""
    opened = archive.begin("baseline", now=now)
    opened.publish(record(opened))
    return opened


def test_name_comes_last(places: Places) -> None:
    """A run is made under a hidden name, and has its own once it is complete, with its record."""
    opened = Archive(places).begin("baseline", now=NOON)
    assert "20240601T120000.000Z_baseline" == opened.run_id
    assert opened.making.is_dir()
    assert [] == Archive(places).complete()
    opened.publish(record(opened))
    assert [opened.final] == Archive(places).complete()
    assert not opened.making.exists()
    assert record(opened) == read_record(opened.final)


def test_ids_are_unique_and_in_order(places: Places) -> None:
    """Runs that begin in the same millisecond have ids of their own, in the order of beginning."""
    archive = Archive(places)
    ids = [archive.begin(label, now=NOON).run_id for label in ("heavy", "baseline", "baseline")]
    assert 3 == len(set(ids))
    assert sorted(ids) == ids


def test_five_newest_are_kept(places: Places) -> None:
    """The five newest complete runs stay, and as many failed ones."""
    archive = Archive(places)
    ids = [publish(archive, NOON + second * SECOND).run_id for second in range(7)]
    assert ids[:1:-1] == [path.name for path in archive.complete()]
    for second in range(7):
        opened = archive.begin("baseline", now=NOON + second * SECOND)
        opened.fail(record(opened))
    assert (5, 5) == (len(archive.complete()), len(archive.failed()))


def test_what_is_not_the_demos_stays(places: Places) -> None:
    """LocalStore and files of other names are never removed."""
    archive = Archive(places)
    archive.prepare()
    mine = places.runs / "notes"
    mine.mkdir()
    for _ in range(7):
        publish(archive)
    archive.clean(keep=0, log=False)
    assert mine.is_dir()
    assert [] == archive.complete()


def test_latest(places: Places) -> None:
    """`latest` leads to the newest complete run, also after a failed one, and to none once it is removed."""
    archive = Archive(places)
    first, second = publish(archive), publish(archive)
    opened = archive.begin("baseline", now=NOON)
    opened.fail(record(opened))
    assert second.final == archive.latest()
    assert first.final != (places.runs / "latest").resolve() == second.final
    archive.clean(keep=0, log=False)
    assert archive.latest() is None
    assert not (places.runs / "latest").is_symlink()


def test_latest_without_links(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where links can't be made `latest` is a file with the run's name."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    archive = Archive(places)
    opened = publish(archive)
    assert f"{opened.run_id}\n" == (places.runs / "latest").read_text()
    assert opened.final == archive.latest()


def test_folder_in_the_place_of_latest(places: Places) -> None:
    """A folder named `latest` that somebody made is named, and stays; the run is complete all the same."""
    archive = Archive(places)
    archive.prepare()
    (places.runs / "latest").mkdir()
    opened = archive.begin("baseline")
    with pytest.raises(DemoError, match="latest is a folder, and not the demo's"):
        opened.publish(record(opened))
    assert [opened.final] == archive.complete()


def test_run_under_way_is_not_swept(places: Places) -> None:
    """A sweep leaves a run that lives, and clears one that doesn't."""
    archive = Archive(places)
    alive, dead = archive.begin("alive"), archive.begin("dead")
    dead.lock.release()  # as the system does when a process is gone
    assert [alive.run_id] == list(archive.running())
    assert [f".{dead.run_id}.making"] == archive.stale()
    assert [dead.run_id] == [each.run_id for each in archive.sweep()]
    assert alive.making.is_dir()
    assert [f"{dead.run_id}.failed"] == [path.name for path in archive.failed()]
    assert [] == archive.sweep()
    alive.discard()
    assert [] == list((places.runs / ".running").iterdir())


def test_clean_keeps_what_it_is_told(places: Places) -> None:
    """`clean` keeps the newest so many, and the log when told."""
    archive = Archive(places)
    ids = [publish(archive).run_id for _ in range(3)]
    places.journal.write_text("{}\n")
    archive.clean(keep=1, log=True)
    assert [ids[-1]] == [path.name for path in archive.complete()]
    assert places.journal.exists()
    archive.clean(keep=0, log=False)
    assert not places.journal.exists()


def test_record_that_is_not_there(tmp_path: Path) -> None:
    """A folder without a record, or with a spoilt one, says nothing."""
    assert read_record(tmp_path) is None
    (tmp_path / "run.json").write_text("{")
    assert read_record(tmp_path) is None
