"""What our commands share: standard streams that can be relied on."""

from esdh_console.stdio import UnprintedError, reliable_streams

__all__ = ["UnprintedError", "reliable_streams"]
