"""How many cores this process may use, and how many workers find room on them and in memory.

Control groups (cgroups) set a container's share: those of the process and all above them count, in version 1
of the kernel's interface, version 2, or both at once.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from esdh_export.io.mounts import lines, mounts

__all__ = ["default_workers", "memory_limit", "usable_cores"]

_ROOT = Path("/")
# What a worker takes at the most: memory, by the limit that docs/BENCHMARKS.md holds it to, and tasks, which are it and
# its threads, one for each of up to twelve files and a few more. The parent takes less.
_WORKER_BYTES = 300_000_000
_WORKER_TASKS = 16


def default_workers(root: Path = _ROOT) -> int:
    """Return how many workers to start by default: one a core, as far as all find room beside their parent.

    Control groups limit the memory and the tasks that there is room for.
    """
    rooms = [usable_cores(root)]
    if (limit := memory_limit(root)) is not None:
        rooms.append(limit // _WORKER_BYTES - 1)
    for group in _groups(root, "pids"):
        for most, taken in zip(_numbers(group / "pids.max"), _numbers(group / "pids.current"), strict=False):
            rooms.append((most - taken) // _WORKER_TASKS - 1)
    return max(1, min(rooms))


def usable_cores(root: Path = _ROOT) -> int:
    """Return the number of cores that this process may use, as far as the system says; a part of one is one.

    `root` is the folder that holds `proc`, and from which the mount points of control groups are counted.
    """
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        cores = int(os.process_cpu_count() or 1)
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _groups(root, "cpu"):
        share = _numbers(group / "cpu.max") or [
            number for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us") for number in _numbers(group / name)
        ]
        if len(share) == 2 and min(share) > 0:  # version 1 has a quota of -1 where there is none
            cores = min(cores, -(-share[0] // share[1]))
    return cores


def memory_limit(root: Path = _ROOT) -> int | None:
    """Return how many bytes of memory this process and its workers may take together, None without a limit."""
    names = ("memory.max", "memory.high", "memory.limit_in_bytes")
    limits = [
        limit for group in _groups(root, "memory") for name in names for limit in _numbers(group / name)
    ]
    return min(limits, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the control groups that this process is in, for one controller, up to the topmost in sight."""
    mounted = mounts(root)
    for line in lines(root / "proc/self/cgroup"):
        number, controllers, own = line.split(":", 2)
        if number != "0" and controller not in controllers.split(","):
            continue
        for mount in mounted:
            if mount.kind != ("cgroup2" if number == "0" else "cgroup"):
                continue
            if number != "0" and controller not in mount.options.split(","):
                continue
            at, top = PurePosixPath(own), PurePosixPath(mount.source)
            # In a container, the group of the host's view may not be in sight: then the mount point is the group.
            below = (
                at.relative_to(top) if at.is_relative_to(top) and ".." not in at.parts else PurePosixPath()
            )
            group = root / mount.point.lstrip("/") / below
            yield from (group, *list(group.parents)[: len(below.parts)])


def _numbers(file: Path) -> list[int]:
    """Return the numbers that a file of a control group holds, none where it holds `max` or isn't there."""
    words = " ".join(lines(file)).split()
    return [int(word) for word in words] if all(re.fullmatch("-?[0-9]+", word) for word in words) else []
