"""A snapshot in a process of its own that strikes at a chosen moment: a step, or a byte, is the last it takes.

    python faults.py FOLDER kill|count STEP BYTE RESUME MOUNTED

A step is a sync, a rename, a removal or a new file or folder: whatever a run does to the disk but write. The
process kills itself before step STEP, or in the middle of the write that holds byte BYTE; `count` prints the
steps of a whole run by their names, and the number of its bytes, instead. MOUNTED says whether the folder passes for a
mount point.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import esdh_export.storage.local
import msgspec
from esdh_export import SnapshotRequest, WrittenSnapshot, write_snapshot
from esdh_export.io.hashed_file import HashedFile

__all__ = ["EARLIER", "REQUEST", "write"]


def _in_parts(seed: int) -> SnapshotRequest:
    """Return a request for three parts of 100 rows in every format: a request checks for blocks of 65,536."""
    request = SnapshotRequest(records=250, seed=seed, formats=("csv", "json", "ndjson", "parquet"))
    msgspec.structs.force_setattr(request, "shard_rows", 100)
    return request


REQUEST = _in_parts(1)
EARLIER = _in_parts(2)


def write(folder: Path, *, resume: bool = False) -> WrittenSnapshot:
    """Write the snapshot over whatever snapshot the folder holds."""
    return write_snapshot(folder, REQUEST, overwrite=True, resume=resume)


def _main(folder: Path, what: str, last_step: int, last_byte: int, resume: bool) -> None:
    steps: list[str] = []
    total = 0

    def stepping(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if what == "kill" and len(steps) == last_step:
                os.kill(os.getpid(), signal.SIGKILL)
            steps.append(name)
            return function(*args, **options)

        return call

    def writing(file: HashedFile, data: bytes | memoryview) -> int:
        nonlocal total
        view = memoryview(data)
        if what == "kill" and total + view.nbytes > last_byte:
            write_all(file, bytes(view)[: last_byte - total])
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        total += view.nbytes
        return write_all(file, view)

    for owner, names in (
        (os, ("fsync", "rmdir", "unlink")),
        (Path, ("open", "mkdir", "rename", "replace", "rmdir", "unlink")),
        (shutil, ("copymode",)),
    ):
        for name in names:
            setattr(owner, name, stepping(name, getattr(owner, name)))
    write_all, HashedFile.write = HashedFile.write, writing  # type: ignore[assignment, method-assign] # to strike in it
    write(folder, resume=resume)
    print(*steps, total)


if __name__ == "__main__":
    given = sys.argv
    with patch.object(esdh_export.storage.local, "is_mount_point", return_value=given[6] == "True"):
        _main(Path(given[1]), given[2], int(given[3]), int(given[4]), given[5] == "True")
