"""What is mounted where, as Linux lists it for a process."""

import os
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["Mount", "is_mount_point", "lines", "mounts"]

_ROOT = Path("/")


class Mount(NamedTuple):
    """A mount: which folder of a file system, at which mount point, of which kind, with which options."""

    source: str
    point: str
    kind: str
    options: str


def mounts(root: Path = _ROOT) -> list[Mount]:
    """Return what is mounted, as `proc/self/mountinfo` below `root` says; nothing where there is no such file."""
    found = []
    for line in lines(root / "proc/self/mountinfo"):
        place, _, kind = line.partition(" - ")
        source, point = (
            # Blanks and their like are octal.
            re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
            for field in place.split()[3:5]
        )
        system, *_, options = kind.split()
        found.append(Mount(source, point, system, options))
    return found


def is_mount_point(folder: Path) -> bool:
    """Return whether something is mounted at a folder, by its real path: it can't be renamed then."""
    # `ismount` doesn't recognize a folder that is mounted elsewhere on its own file system.
    return os.path.ismount(folder) or str(folder) in {mount.point for mount in mounts()}


def lines(file: Path) -> list[str]:
    """Return the lines of a file of the system's; none where it isn't there, as on other systems than Linux."""
    try:
        return os.fsdecode(file.read_bytes()).splitlines()
    except OSError:
        return []
