"""What tools do to a file on its way, none of which touches what it says: line ends, a byte order mark, gzip.

A change is named only when undoing it gives the very bytes that are entry.
"""

import gzip
import hashlib
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from esdh_manifest.model import FileEntry

__all__ = ["Change", "change_of", "restore"]

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20


class Change(NamedTuple):
    """What was done to a file, and how to undo it."""

    done: str
    remedy: str


_CHANGES = {
    "gzip": Change("compressed with gzip", "unpack it (gzip -d)"),
    "mark": Change(
        "a byte order mark put before it", "an editor or a shell did that; take the file from its source"
    ),
    "lines": Change(
        "its line ends made CRLF",
        "a checkout by git does that, or an editor: put the line `* -text` into .gitattributes beside it, "
        "and check it out anew",
    ),
}


def change_of(file: Path, entry: FileEntry) -> Change | None:
    """Return how a file came to be other than entry, None where it isn't by these changes alone."""
    with file.open("rb") as stream:
        begin = stream.read(3)
    if entry.bytes > file.stat().st_size and not begin.startswith(_GZIP):
        return None  # the other changes only add bytes
    sha256 = hashlib.sha256()
    try:
        changes = [_CHANGES[name] for name in restore(file, entry, sha256.update)]
    except (OSError, EOFError, zlib.error):  # no gzip after all
        return None
    if not changes or sha256.hexdigest() != entry.sha256:
        return None
    return Change(" and ".join(each.done for each in changes), "; ".join(each.remedy for each in changes))


def restore(file: Path, entry: FileEntry, write: Callable[[bytes], object]) -> list[str]:
    """Write the bytes of a file with every change undone, no more than a chunk beyond what is listed; return which were."""
    undone: list[str] = []
    with file.open("rb") as raw:
        stream: BinaryIO = raw
        if raw.peek(2).startswith(_GZIP):
            undone.append("gzip")
            stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw))
        size, held = 0, b""
        while size <= entry.bytes and (chunk := stream.read(_CHUNK)):
            if not file.name.removesuffix(".gz").endswith(".parquet"):  # which is no text
                if size == 0 and chunk.startswith(BOM_UTF8):
                    undone.append("mark")
                    chunk = chunk.removeprefix(BOM_UTF8)
                chunk = held + chunk
                held = b"\r" if chunk.endswith(b"\r") else b""
                chunk = chunk.removesuffix(b"\r")
                if b"\r\n" in chunk:
                    undone += [] if "lines" in undone else ["lines"]
                    chunk = chunk.replace(b"\r\n", b"\n")
            size += len(chunk)
            write(chunk)
        write(held)
    return undone
