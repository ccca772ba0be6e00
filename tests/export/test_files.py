"""Files that are hashed and written behind the caller, past the system's cache where that can be."""

import errno
import hashlib
import os
import threading
from functools import partial
from pathlib import Path

import pytest
from esdh_export.io import direct_io
from esdh_export.io.background import BackgroundCalls, BackgroundQueue
from esdh_export.io.hashed_file import HashedFile, new_large_file

SIZES = [0, 1, 4_095, 4_096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_000]


def pieces(size: int) -> list[bytes]:
    """Return bytes of a pattern, in pieces whose sizes divide nothing."""
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    return [data[at : at + 777_777] for at in range(0, size, 777_777)]


@pytest.mark.parametrize("size", SIZES)
def test_large_file_holds_what_was_written(size: int, tmp_path: Path) -> None:
    """A large file of any size, whole sectors or not, has the bytes, the size and the SHA-256 that were written."""
    data = b"".join(pieces(size))
    with new_large_file(tmp_path / "file") as file:
        for piece in pieces(size):
            file.write(piece)
    assert data == (tmp_path / "file").read_bytes()
    listed = file.entry(None)
    assert (hashlib.sha256(data).hexdigest(), size) == (listed.sha256, listed.bytes)


def test_large_file_where_the_cache_cant_be_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system refuses to write past the cache at all, or refuses a write, it goes through the cache."""
    data = b"".join(pieces(3_000_000))
    write = os.write
    refused: list[int] = []

    def refusing(descriptor: int, view: memoryview) -> int:
        if not refused:
            refused.append(len(view))
            raise OSError(errno.EINVAL, "not a multiple of this sector")
        return write(descriptor, view)

    monkeypatch.setattr(os, "write", refusing)
    with new_large_file(tmp_path / "refused") as file:
        file.write(data)
    monkeypatch.undo()
    monkeypatch.setattr(direct_io, "_use_page_cache", lambda _, *, on: False)  # noqa: ARG005 - as it is called
    with new_large_file(tmp_path / "cached") as file:
        file.write(data)
    assert [data, data] == [(tmp_path / name).read_bytes() for name in ("refused", "cached")]


def test_write_that_is_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write of which the system took an odd part is finished."""
    data = b"".join(pieces(3_000_000))
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, view: write(descriptor, view[:10_001]))
    with new_large_file(tmp_path / "file") as file:
        file.write(data)
    monkeypatch.undo()
    assert data == (tmp_path / "file").read_bytes()


def test_buffer_stays_as_it_is_until_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written while the disk is busy goes elsewhere than what waits for the disk."""
    write = os.write
    free = threading.Event()

    def busy(descriptor: int, view: memoryview) -> int:
        assert free.wait(60)
        return write(descriptor, view)

    monkeypatch.setattr(os, "write", busy)
    with new_large_file(tmp_path / "file") as file:
        for letter in (b"a", b"b", b"c"):
            file.write(letter * (1 << 19))
            file.write(letter * (1 << 19))
            if letter == b"b":
                free.set()
    assert b"".join(letter * (1 << 20) for letter in (b"a", b"b", b"c")) == (tmp_path / "file").read_bytes()


def test_full_disk_behind_a_large_file_reaches_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the thread that waits for the disk is raised by a later write, and the file ends closed."""
    threads = threading.active_count()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    file = new_large_file(tmp_path / "file")
    with pytest.raises(OSError, match="No space"), file:
        file.write(b"x" * 10_000_000)
    assert file.closed
    assert threads == threading.active_count()


def test_abandoned_file_leaves_no_thread(tmp_path: Path) -> None:
    """A file that is left by an exception ends its threads, and later writes go nowhere."""
    threads = threading.active_count()
    file = new_large_file(tmp_path / "file")

    def interrupted() -> None:
        with file:
            file.write(b"x" * 3_000_000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert threads == threading.active_count()
    assert 5 == file.write(b"later")
    assert (tmp_path / "file").stat().st_size <= 3_000_000


def test_calls_are_made_in_order() -> None:
    """Calls behind the caller are made one after another, in order, and all have been after `wait`."""
    made: list[int] = []
    behind = BackgroundQueue(3)
    for number in range(100):
        behind.call(made.append, number)
    behind.wait()
    behind.close()
    assert list(range(100)) == made


def test_file_on_no_disk_is_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that says it isn't synced closes without a sync: an object store has none."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with HashedFile((tmp_path / "a").open("wb"), synced=False) as file:
        file.write(b"x")
    assert [] == synced


@pytest.mark.parametrize("threads", [0, 3])
def test_calls_are_made_once_the_earlier_ones_are(threads: int) -> None:
    """Calls that threads make together begin once all that were given before are done, with or without threads."""
    done: list[int] = []
    behind = BackgroundCalls(threads)
    for number in range(20):
        behind.make(partial(done.append, number) for _ in range(5))
    behind.wait()
    behind.close()
    assert [number for number in range(20) for _ in range(5)] == done


def test_error_behind_the_caller_is_raised_by_a_later_call() -> None:
    """An error of a call behind the caller is raised by a later one, or while it is waited for; no thread is left."""
    running = threading.active_count()

    def fails() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    behind = BackgroundCalls(2)
    behind.make([fails])
    with pytest.raises(OSError, match="No space"):
        behind.make([fails])
    behind.make([fails])
    with pytest.raises(OSError, match="No space"):
        behind.wait()
    behind.close()
    assert running == threading.active_count()
