"""Files that aren't as their schema says, by the names of their columns and by their end, and the labels that tell of it."""

from collections.abc import Iterator

from esdh_core import Table
from esdh_core.overlay import LABELS, FileShape, Label
from esdh_export import SnapshotRequest
from esdh_export.request import Shard

__all__ = ["labels_of_files", "unlabelled"]

Difference = tuple[str | None, str | None]
"""The name of a column and the one that stands there: None for a column that the schema doesn't have; twice None for the end."""


def labels_of_files(request: SnapshotRequest) -> Iterator[tuple[Label, bool]]:
    """Yield each label of a file, and whether the file differs as it says."""
    if request.defects is None:
        return
    shapes = _shapes(request)
    for label in _labels(request) if any(map(any, shapes.values())) else ():
        yield label, (label.field, label.found) in _differences(shapes[label.table])


def unlabelled(request: SnapshotRequest, shard: Shard) -> Iterator[tuple[Table, Difference]]:
    """Yield what no label tells of in the files of a shard."""
    shapes = {table: request.shape(table, shard) for table in request.data_tables(shard)}
    if any(map(any, shapes.values())):
        labelled = {(label.table, label.field, label.found) for label in _labels(request)}
        for table, shape in shapes.items():
            for name, found in _differences(shape):
                if (table.name, name, found) not in labelled:
                    yield table, (name, found)


def _shapes(request: SnapshotRequest) -> dict[str, FileShape]:
    """Return how the files of each table differ from what its schema says, in all parts together."""
    overlay = request.defects
    tables = (table for table in request.tables if table is not LABELS)
    return {} if overlay is None else {table.name: overlay.shape(table, request.seed) for table in tables}


def _labels(request: SnapshotRequest) -> Iterator[Label]:
    labels = (
        [] if request.defects is None else request.defects.labels_of_no_record(request.tables, request.seed)
    )
    return (label for label in labels if label.slot is None)


def _differences(shape: FileShape) -> set[Difference]:
    ends: set[Difference] = {(None, None)} if shape.ends_early else set()
    return ends | set(shape.names) | {(None, name) for _, name in shape.extra}
