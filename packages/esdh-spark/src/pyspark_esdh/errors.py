"""The error of esdh-spark: one sentence with the value, the expectation and the remedy."""

__all__ = ["SparkError"]


class SparkError(ValueError):
    """An option, a schema or a DataFrame that can't be taken."""
