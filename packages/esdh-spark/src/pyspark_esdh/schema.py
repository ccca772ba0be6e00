"""The schema of a table for Spark, with its comments, and what a schema that a user gives may say."""

from typing import Final

import pyarrow as pa
from esdh_core.schema import FieldSchema
from esdh_export import schema
from esdh_plan.errors import near
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from pyspark_esdh.errors import SparkError
from pyspark_esdh.request import ReadRequest

__all__ = ["arrow_schema", "check_schema", "spark_schema", "spark_type"]

_TYPES: Final[dict[str, DataType]] = {
    "integer": LongType(),
    "boolean": BooleanType(),
    "date": DateType(),
    "timestamp": TimestampType(),
    "string": StringType(),
}
_DIGITS: Final = 18  # of every decimal


def spark_type(field: FieldSchema) -> DataType:
    """Return the type that a field has in Spark: the one that Spark reads from a snapshot's Parquet."""
    return DecimalType(_DIGITS, field.scale) if field.type == "decimal" else _TYPES[field.type]


def spark_schema(request: ReadRequest) -> StructType:
    """Return the schema of what is read; a field's description is its column's comment."""
    fields = {field.name: field for field in request.source.schema}
    return StructType(
        [
            StructField(
                name, spark_type(fields[name]), fields[name].nullable, {"comment": fields[name].description}
            )
            for name in request.fields
        ]
    )


def check_schema(user_schema: StructType, request: ReadRequest) -> None:
    """Raise SparkError where a schema differs from that of what is read.

    It may leave comments out, and let a column be null that never is, as a schema in SQL's words does.
    """
    own = spark_schema(request)
    where = (
        f"the schema that was given differs from that of {request.table} of {request.dataset.dataset_version}"
    )
    for field in user_schema:
        if field.name not in own.names:
            raise SparkError(f"{where}: it has no column {field.name!r}{near(field.name, own.names)}")
        expected = own[field.name]
        if field.dataType != expected.dataType:
            raise SparkError(
                f"{where}: {field.name} is {expected.dataType.simpleString()}, not {field.dataType.simpleString()}"
            )
        if expected.nullable and not field.nullable:
            raise SparkError(f"{where}: {field.name} can be null, so NOT NULL must be left out")
    if user_schema.names != own.names:
        raise SparkError(
            f"{where}: its columns are {', '.join(own.names)}, in this order; the option 'columns' chooses among them"
        )


def arrow_schema(request: ReadRequest, user_schema: StructType) -> pa.Schema:
    """Return the Arrow schema of what is read, as nullable as the user's schema says."""
    own = schema(request.source)
    return pa.schema([own.field(field.name).with_nullable(field.nullable) for field in user_schema])
