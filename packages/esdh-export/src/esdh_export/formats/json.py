"""The JSON document: metadata, then each table's rows, one row a line, one file at any size.

The document holds the tables one after another while blocks bring them side by side, so each table's rows are
written to a fragment of their own first, in shards that can be written anywhere, and put together at the end.
"""

import shutil
from collections.abc import Iterable, Mapping
from typing import BinaryIO

import msgspec

from esdh_export.formats.ndjson import JsonRows
from esdh_export.formats.text import TextWriter
from esdh_export.io.hashed_file import HashedFile

__all__ = ["EXTENSION", "MEDIA_TYPE", "RANK", "Writer", "assemble", "metadata_document"]

EXTENSION = "json"
MEDIA_TYPE = "application/json"
RANK = 4  # a document of all tables, which is read whole
_SEPARATOR = b",\n"  # stands before every row, and is passed over before a fragment's first
_COPIED = 4 << 20  # bytes at once: a request of its own to an object store
_FRAGMENT = JsonRows(opening=_SEPARATOR, ending=b"")


class Writer(TextWriter):
    """Writes one table's blocks to one fragment of the document."""

    dialect = _FRAGMENT


def metadata_document(metadata: msgspec.Struct) -> bytes:
    """Return the metadata as a document of its own: two-space JSON and a line end."""
    return msgspec.json.format(msgspec.json.encode(metadata), indent=2) + b"\n"


def assemble(
    document: HashedFile, metadata: msgspec.Struct, fragments: Mapping[str, Iterable[BinaryIO]]
) -> None:
    """Write the document from its fragments: table name to those of its shards in order, opened to be read and closed here."""
    document.write(b'{"metadata":' + msgspec.json.encode(metadata))
    for name, shards in fragments.items():
        document.write(b"," + msgspec.json.encode(name) + b":[\n")
        first = True
        for shard in shards:
            with shard as fragment:
                if first and fragment.read(len(_SEPARATOR)):  # a shard may have no row of a table
                    first = False
                shutil.copyfileobj(fragment, document, _COPIED)
        document.write(b"\n]")
    document.write(b"}\n")
