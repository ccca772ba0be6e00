"""The JSON document: metadata, then each entity's rows, one row a line, one file at any size.

The document holds the entities one after another while blocks bring them side by side, so each entity's
rows are written to a section file of their own first, in shards that can be written anywhere, and put
together at the end.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from esdh_core import DatasetMetadata
from esdh_core.rules import Entity

from esdh_export.blocks import BlockArrays
from esdh_export.files import HashedFile, Sink
from esdh_export.formats.ndjson import JsonRows
from esdh_export.rendering import RowRenderer

__all__ = ["EXTENSION", "Writer", "assemble", "metadata_document"]

EXTENSION = "json"
_SEPARATOR = b",\n"  # stands before every row, and is passed over before a section's first
_SECTION = JsonRows(opening=_SEPARATOR, ending=b"")


class Writer:
    """Writes one entity's blocks to one section file."""

    def __init__(self, sink: Sink, entity: Entity, *, seed: int) -> None:  # noqa: ARG002 - the same in every format
        self._sink = sink
        self._entity = entity
        self._renderer = RowRenderer(_SECTION)

    def write(self, block: BlockArrays) -> None:
        """Append the rows of a block."""
        for rows in self._renderer.render(block.columns[self._entity.plural]):
            self._sink.write(rows)

    def close(self) -> None:
        """Finish the section; it needs no ending."""


def metadata_document(metadata: DatasetMetadata) -> bytes:
    """Return the metadata as a document of its own: two-space JSON and a line end."""
    return msgspec.json.format(msgspec.json.encode(metadata), indent=2) + b"\n"


def assemble(document: HashedFile, metadata: DatasetMetadata, sections: Mapping[str, Sequence[Path]]) -> None:
    """Write the document from its sections: plural entity name to the section files of its shards, in order."""
    document.write(b'{"metadata":' + msgspec.json.encode(metadata))
    for plural, shards in sections.items():
        document.write(b"," + msgspec.json.encode(plural) + b":[\n")
        for number, shard in enumerate(shards):
            with shard.open("rb") as section:
                if number == 0:
                    section.seek(len(_SEPARATOR))
                shutil.copyfileobj(section, document, 1 << 20)
        document.write(b"\n]")
    document.write(b"}\n")
