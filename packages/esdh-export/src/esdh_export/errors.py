"""The errors of esdh-export."""

__all__ = ["ExportError", "TargetError"]


class ExportError(ValueError):
    """A snapshot that was asked for in a way it can't be written."""


class TargetError(ExportError):
    """An output folder that can't be taken: it is a file, holds what isn't ours, or another run has it."""
