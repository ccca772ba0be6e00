"""Verification by workers of other machines: they see the folder as it is here, or a sentence says that they don't."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from defects import overlay
from esdh_export import SnapshotRequest, WorkerError, write_snapshot
from esdh_proof import ProofError, verify_snapshot
from esdh_proof.verification import shared_folder
from esdh_proof.verification.shard import ShardWork
from esdh_proof.verification.shared_folder import SharedFolder
from esdh_proof.verification.work import FileWork

T = TypeVar("T")

REQUEST = SnapshotRequest(records=66_000, entities=("profiles",), formats=("csv", "json"), shard_rows=65_536)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of two parts."""
    folder = tmp_path_factory.mktemp("pristine") / "s"
    write_snapshot(folder, REQUEST)
    return folder


@pytest.fixture
def snapshot(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the snapshot."""
    shutil.copytree(pristine, tmp_path / "s")
    return tmp_path / "s"


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """Two threads, for workers."""
    with ThreadPoolExecutor(2) as threads:
        yield threads


def test_outcome_is_that_of_one_process(pristine: Path, executor: ThreadPoolExecutor) -> None:
    """What workers find that see the folder is what this process finds."""
    assert verify_snapshot(pristine) == verify_snapshot(pristine, executor=SharedFolder(executor, pristine))


def test_relative_folder_is_found_from_elsewhere(pristine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers in another working folder find a snapshot whose folder is relative here."""
    monkeypatch.chdir(pristine.parent)
    folder = Path(pristine.name)
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=os.chdir, initargs=("/",)
    ) as executor:
        assert verify_snapshot(folder) == verify_snapshot(folder, executor=SharedFolder(executor, folder))


class _Recording(ThreadPoolExecutor):
    """Threads that note what they are handed."""

    def __init__(self) -> None:
        super().__init__(2)
        self.works: list[object] = []

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Note the work."""
        self.works += args
        return super().submit(fn, *args, **kwargs)


def test_document_that_a_tool_changed_is_read_here(snapshot: Path) -> None:
    """Of a document with other line ends a copy is read that only this machine has, so that no worker is handed a part."""
    with _Recording() as executor:
        verify_snapshot(snapshot, executor=SharedFolder(executor, snapshot))
        assert any(isinstance(work, ShardWork) for work in executor.works)
        executor.works.clear()
        document = snapshot / "dataset_v0_1.json"
        document.write_bytes(document.read_bytes().replace(b"\n", b"\r\n"))
        outcome = verify_snapshot(snapshot)
        assert "failed" == outcome.verdict
        assert outcome == verify_snapshot(snapshot, executor=SharedFolder(executor, snapshot))
        assert not any(isinstance(work, ShardWork) for work in executor.works)


def test_snapshot_with_defects_is_made_again_here(tmp_path: Path) -> None:
    """What is held against a snapshot with defects is made in a folder that only this machine has; workers hash files alone."""
    some = {"kind": "typo", "table": "profiles", "field": "city", "exactly": 2}
    write_snapshot(tmp_path / "s", msgspec.structs.replace(REQUEST, defects=overlay(REQUEST.dataset, some)))
    with _Recording() as executor:
        outcome = verify_snapshot(tmp_path / "s", executor=SharedFolder(executor, tmp_path / "s"))
        assert executor.works
        assert all(isinstance(work, FileWork) for work in executor.works)
    assert "passed" == outcome.verdict
    assert outcome == verify_snapshot(tmp_path / "s")


def test_folder_that_workers_do_not_see_is_a_sentence(snapshot: Path, executor: ThreadPoolExecutor) -> None:
    """A worker that sees another manifest, or none, ends the verification with a sentence instead of telling of damage."""
    shared = SharedFolder(executor, snapshot)
    manifest = snapshot / "snapshot_manifest_v0_1.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with pytest.raises(
        WorkerError, match=r"doesn't see '.*manifest_v0_1\.json' as it is here \([0-9a-f]{60}\); "
    ):
        shared.submit(str, 1).result()
    manifest.unlink()
    with pytest.raises(
        WorkerError, match=r"as it is here \(No such file or directory\); .* a disk that all workers share"
    ):
        shared.submit(str, 1).result()


def test_worker_with_another_program_is_a_sentence(
    pristine: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose esdh-proof isn't this machine's is refused, before anything is unpickled."""
    monkeypatch.setattr(shared_folder, "programs", lambda: {"esdh-proof": "0.0.9"})
    with pytest.raises(WorkerError, match=r"has esdh-proof 0\.1\.0, and this machine 0\.0\.9"):
        SharedFolder(executor, pristine).submit(str, 1).result()


def test_folder_without_manifest_is_a_sentence(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    """A folder that is no snapshot, or isn't there, is refused."""
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ProofError, match="has no manifest; name the folder of a snapshot"):
            SharedFolder(executor, folder)
