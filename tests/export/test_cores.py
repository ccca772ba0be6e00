"""The cores and the memory of a container are the ones that count, however its system tells them."""

import os
from pathlib import Path

import pytest
from esdh_export.execution.cpu import default_workers, memory_limit, usable_cores

V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 {0} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 {0} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)
UNLIMITED = "9223372036854771712"  # what version 1 says of no limit


@pytest.fixture(autouse=True)
def sixty_four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has 64 cores, all of which the process may be scheduled on."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(os, "process_cpu_count", lambda: 64, raising=False)


def system(root: Path, groups: str, mounts: str, **files: str) -> Path:
    """Make the files by which a system tells a process its control groups; `files` are paths below the mount points."""
    told = {"proc/self/cgroup": groups, "proc/self/mountinfo": mounts}
    for path, text in (told | {f"sys/fs/cgroup/{path}": text for path, text in files.items()}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_without_control_groups_every_core_is_ours(tmp_path: Path) -> None:
    """Where a system tells nothing of control groups, there is no limit."""
    assert (64, None, 64) == (usable_cores(tmp_path), memory_limit(tmp_path), default_workers(tmp_path))


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("1000 100000", 1),
        ("max 100000", 64),
        ("9900000 100000", 64),
    ],
)
def test_quota_of_version_2_counts(tmp_path: Path, quota: str, cores: int) -> None:
    """A quota is so many cores, a part of one is one, and no quota or a larger one than there are cores is none."""
    root = system(tmp_path, "0::/\n", V2, **{"cpu.max": f"{quota}\n"})
    assert cores == usable_cores(root)


@pytest.mark.parametrize("tight", ["a", "a/b", "a/b/c"])
def test_the_tightest_group_above_counts(tmp_path: Path, tight: str) -> None:
    """A quota or a limit of any group above the process' own holds for the process."""
    files = {f"{group}/cpu.max": "max 100000\n" for group in ("a", "a/b", "a/b/c")}
    files |= {f"{group}/memory.max": "max\n" for group in ("a", "a/b", "a/b/c")}
    files |= {f"{tight}/cpu.max": "300000 100000\n", f"{tight}/memory.max": "2000000000\n"}
    root = system(tmp_path, "0::/a/b/c\n", V2, **files)
    assert (3, 2_000_000_000) == (usable_cores(root), memory_limit(root))


@pytest.mark.parametrize("source", ["/", "/docker/1f", "/elsewhere"])
def test_version_1_counts(tmp_path: Path, source: str) -> None:
    """In version 1 each controller has a tree of its own, of which a container sees all, its own part, or the part alone."""
    below = "docker/1f/" if source == "/" else ""
    root = system(
        tmp_path,
        "4:memory:/docker/1f\n3:cpu,cpuacct:/docker/1f\n1:name=systemd:/\n",
        V1.format(source),
        **{
            f"cpu,cpuacct/{below}cpu.cfs_quota_us": "200000\n",
            f"cpu,cpuacct/{below}cpu.cfs_period_us": "100000\n",
            f"memory/{below}memory.limit_in_bytes": "1000000000\n",
            "memory/docker/memory.limit_in_bytes": f"{UNLIMITED}\n",
        },
    )
    assert (2, 1_000_000_000) == (usable_cores(root), memory_limit(root))


def test_version_1_says_minus_one_of_no_quota(tmp_path: Path) -> None:
    """In version 1 a quota of -1, and a limit that no machine reaches, are none."""
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "memory/memory.limit_in_bytes": f"{UNLIMITED}\n",
    }
    root = system(tmp_path, "4:memory:/\n3:cpu,cpuacct:/\n", V1.format("/"), **files)
    assert 64 == default_workers(root)


def test_group_out_of_sight_is_the_mount_point(tmp_path: Path) -> None:
    """A path that leads above what a container sees is taken for what it sees, blanks in its place included."""
    mounts = r"31 23 0:28 / /sys/fs/cgroup/of\040mine rw - cgroup2 cgroup2 rw" + "\n"
    root = system(tmp_path, "0::/../1f\n", mounts, **{"of mine/cpu.max": "200000 100000\n"})
    assert 2 == usable_cores(root)


@pytest.mark.parametrize(("megabytes", "workers"), [(8_000, 25), (2_000, 5), (512, 1), (64, 1)])
def test_workers_fit_in_memory(tmp_path: Path, megabytes: int, workers: int) -> None:
    """By default there are no more workers than find room within the limit of memory beside their parent."""
    root = system(tmp_path, "0::/\n", V2, **{"memory.max": f"{megabytes * 1_000_000}\n"})
    assert workers == default_workers(root)


@pytest.mark.parametrize(("most", "workers"), [("500", 24), ("120", 1), ("110", 1), ("max", 64)])
def test_workers_fit_into_the_number_of_tasks(tmp_path: Path, most: str, workers: int) -> None:
    """By default there are no more workers than may run, with their threads, beside what runs already."""
    root = system(tmp_path, "0::/\n", V2, **{"pids.max": f"{most}\n", "pids.current": "100\n"})
    assert workers == default_workers(root)
