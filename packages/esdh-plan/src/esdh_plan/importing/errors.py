"""The error of an import: a source that can't become a plan."""

__all__ = ["ImportSourceError"]


class ImportSourceError(ValueError):
    """A source that can't become a plan: what is wrong with it, and what would be right."""
