"""Columns as Arrow arrays, and the Arrow schema that follows from a Struct."""

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import DATASET_VERSION, SYNTHETIC_SOURCE
from esdh_core.columns import Coded, Column, Date, FixedText, Integer, Joined
from esdh_core.rules import Entity

from esdh_export.digest import column_digest
from esdh_export.plain import integer_array, text_array, text_scalar

__all__ = ["BlockArrays", "array", "schema"]


def schema(entity: Entity, *, seed: int | None = None) -> pa.Schema:
    """Return the Arrow schema of an entity: strings, date32, int64; nullable as the Struct says.

    With a seed, the schema's metadata carries it beside the synthetic marker.
    """
    described = msgspec.inspect.type_info(entity.record)
    if not isinstance(described, msgspec.inspect.StructType):
        raise TypeError(f"{entity.record!r} is no Struct")
    fields = []
    for name, kind in zip(entity.fields, described.fields, strict=True):
        branches = _branches(kind.type)
        nullable = any(isinstance(branch, msgspec.inspect.NoneType) for branch in branches)
        fields.append(pa.field(name, _arrow_type(branches), nullable=nullable))
    if seed is None:
        return pa.schema(fields)
    metadata = {"synthetic_source": SYNTHETIC_SOURCE, "dataset_version": DATASET_VERSION, "seed": str(seed)}
    return pa.schema(fields, metadata=metadata)


def _branches(kind: msgspec.inspect.Type) -> list[msgspec.inspect.Type]:
    """Return the types that a field may have, out of the unions and annotations around them."""
    if isinstance(kind, msgspec.inspect.Metadata):
        return _branches(kind.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        return [inner for branch in kind.types for inner in _branches(branch)]
    return [kind]


def _arrow_type(branches: list[msgspec.inspect.Type]) -> pa.DataType:
    for branch in branches:
        if isinstance(branch, msgspec.inspect.DateType):
            return pa.date32()
        if isinstance(branch, msgspec.inspect.IntType):
            return pa.int64()
    return pa.string()


def array(column: Column) -> pa.Array:
    """Return a column as an Arrow array of plain values."""
    match column:
        case Coded(codes, vocabulary):
            return text_array(vocabulary.values, pa.string()).take(integer_array(codes))
        case FixedText(matrix):
            return fixed_array(matrix, pa.string())
        case Integer(values):
            return integer_array(values.astype(np.int64))
        case Date(days):
            return pa.Array.from_buffers(pa.date32(), len(days), [None, pa.py_buffer(days)])
        case Joined(parts):
            kind = pa.string()
            pieces = [text_scalar(part, kind) if isinstance(part, str) else _text(part) for part in parts]
            return pc.binary_join_element_wise(*pieces, text_scalar("", kind))


def fixed_array(matrix: np.ndarray[tuple[int, int], np.dtype[np.uint8]], kind: pa.DataType) -> pa.Array:
    """Return a matrix of bytes, shape (n, width), as n values of `width` bytes each, without a copy."""
    count, width = matrix.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(offsets), pa.py_buffer(matrix)])


def _text(part: Coded | Integer) -> pa.Array:
    return array(part.text() if isinstance(part, Integer) else part)


class BlockArrays:
    """The Arrow arrays and column digests of one block, each made once however many fields share a column."""

    def __init__(self, columns: dict[str, dict[str, Column]]) -> None:
        """Take the columns of a block by plural entity name, as `generate_columns` returns them."""
        self.columns = columns
        self._arrays: dict[int, pa.Array] = {}
        self._digests: dict[int, bytes] = {}

    def array(self, column: Column) -> pa.Array:
        """Return the column's Arrow array."""
        if id(column) not in self._arrays:  # the columns live as long as this object, so ids stay theirs
            self._arrays[id(column)] = array(column)
        return self._arrays[id(column)]

    def digest(self, column: Column) -> bytes:
        """Return the column's digest."""
        if id(column) not in self._digests:
            self._digests[id(column)] = column_digest(self.array(column))
        return self._digests[id(column)]

    def batch(self, entity: Entity, target: pa.Schema) -> pa.RecordBatch:
        """Return an entity's rows as a record batch of a schema."""
        columns = self.columns[entity.plural].values()
        return pa.RecordBatch.from_arrays([self.array(column) for column in columns], schema=target)

    def digests(self, entity: Entity) -> list[bytes]:
        """Return an entity's column digests, in field order."""
        return [self.digest(column) for column in self.columns[entity.plural].values()]
