"""Syncing to the disk, where the file system can."""

import errno
import os
from pathlib import Path

__all__ = ["is_unsupported", "sync", "sync_folder"]

# What a file system answers to what it can't do at all; any other error (EIO, ENOSPC) is one of what it does.
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})


def is_unsupported(error: OSError) -> bool:
    """Return whether an error says that the file system can't do such a thing, rather than that it failed."""
    return error.errno in _UNSUPPORTED


def sync(descriptor: int) -> bool:
    """Sync an open file or folder to the disk; return whether its file system can."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not is_unsupported(error):
            raise
        return False
    return True


def sync_folder(folder: Path) -> bool:
    """Sync a folder's entries to the disk; return whether the platform and the file system can."""
    if os.name == "nt":  # Windows opens no folders; its renames are journalled
        return True
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if not is_unsupported(error) and not isinstance(
            error, PermissionError
        ):  # it may be written, not read
            raise
        return False
    try:
        return sync(descriptor)
    finally:
        os.close(descriptor)
