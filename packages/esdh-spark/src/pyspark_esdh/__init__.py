"""Rows of a dataset for Spark, made where they are read: the data source `esdh`, and the content digest of a DataFrame.

Spark finds the data source by this module's name and `DefaultSource`; nothing has to be registered. docs/SPARK.md
is the guide. Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from esdh_core.lazy import lazy_names

if TYPE_CHECKING:
    from pyspark_esdh.digest import content_digest as content_digest
    from pyspark_esdh.errors import SparkError as SparkError
    from pyspark_esdh.source import DefaultSource as DefaultSource

__getattr__ = lazy_names(
    __name__,
    {
        "digest": ("content_digest",),
        "errors": ("SparkError",),
        "source": ("DefaultSource",),
    },
)
