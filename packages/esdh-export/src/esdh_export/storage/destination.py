"""Where a snapshot goes: a local folder, or the prefix of an object store, by what a user calls it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esdh_export.storage.object_store import Prefix

__all__ = ["locate"]


def locate(destination: str, *, connecting: "Callable[[Prefix], object] | None" = None) -> "Path | Prefix":
    """Return the local folder that a path or a `file:` URI names, or the prefix that another URI does.

    `connecting` is called with a prefix before its store is asked anything, which can take a while.
    Raises TargetError for a URI that no file system of Arrow's knows, or that holds credentials.
    """
    if "://" not in destination:
        return Path(destination)
    from pyarrow import fs  # which nothing else of a small snapshot needs

    from esdh_export.storage.object_store import Prefix

    prefix = Prefix(destination)
    if connecting is not None and not destination.startswith("file:"):
        connecting(prefix)
    system, path = prefix.filesystem()
    return Path(path) if isinstance(system, fs.LocalFileSystem) else prefix
