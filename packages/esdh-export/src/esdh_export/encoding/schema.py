"""The Arrow schema that follows from a table's Struct."""

import pyarrow as pa
from esdh_core import Dataset, Table

__all__ = ["schema"]

_TYPES = {
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "string": pa.string(),
}


def schema(table: Table, *, dataset: Dataset | None = None, seed: int | None = None) -> pa.Schema:
    """Return the Arrow schema of a table; types and nullability are the Struct's.

    With a dataset and a seed, the schema's metadata carries them beside the synthetic marker.
    """
    fields = [
        pa.field(field.name, _arrow_type(field.type, field.scale), nullable=field.nullable)
        for field in table.schema
    ]
    if dataset is None:
        return pa.schema(fields)
    metadata = {
        "synthetic_source": dataset.marker,
        "dataset_version": dataset.dataset_version,
        "seed": str(seed),
    }
    return pa.schema(fields, metadata=metadata)


def _arrow_type(name: str, scale: int) -> pa.DataType:
    return pa.decimal128(18, scale) if name == "decimal" else _TYPES[name]
