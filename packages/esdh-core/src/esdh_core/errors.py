"""The errors of esdh-core: one base, and a message that gives the value, the expectation and the remedy."""

__all__ = ["CoreError", "IdError", "LookupTableError", "RequestError"]


class CoreError(ValueError):
    """Base of every error that esdh-core raises for an input it can't take."""


class RequestError(CoreError):
    """A seed, a start or a number of records that is out of range or of the wrong type."""


class IdError(CoreError):
    """A text that is no ESDH id, or is the id of a dataset version or entity unknown here."""


class LookupTableError(CoreError):
    """A lookup table that is missing from the installation or doesn't have the shape it must have."""
