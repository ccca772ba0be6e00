"""The errors of esdh-export."""

__all__ = ["ExportError", "GateError", "TargetError", "WorkerError"]


class ExportError(ValueError):
    """A snapshot that was asked for in a way it can't be written."""


class GateError(ExportError):
    """A snapshot whose statistics aren't those that its plan declares; nothing of it was kept."""


class TargetError(ExportError):
    """An output folder that can't be taken: it is a file, holds what isn't ours, or another run has it."""


class WorkerError(ExportError):
    """A worker process that ended before its work was done."""
