"""The errors of esdh-load."""

__all__ = [
    "AttachedRowsError",
    "DatabaseError",
    "ExistingTableError",
    "LoadError",
    "SnapshotError",
    "UriError",
]


class LoadError(ValueError):
    """Base of every error that esdh-load raises for a request or a database it can't work with."""


class UriError(LoadError):
    """A URI that names no database that there is a driver for, or none at all; its password is never in the message."""


class DatabaseError(LoadError):
    """What a database said no to: a connection, a statement or a row; `code` is its SQLSTATE, where it has one."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class ExistingTableError(LoadError):
    """A table that is there already and can't be taken for one of a dataset."""


class SnapshotError(LoadError):
    """A folder that holds no snapshot, or one that isn't as its manifest says."""


class AttachedRowsError(LoadError):
    """Rows that refer to those of a load that is to be removed, and that the load didn't make."""
