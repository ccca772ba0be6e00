"""The log: one JSON object a line on stderr."""

import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

__all__ = ["JSON_LINE", "PROCESSORS", "make_logger"]

PROCESSORS: list[Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
JSON_LINE: Processor = structlog.processors.JSONRenderer()


class _Stderr:
    """Stderr, where a full disk or a closed pipe costs the line and not the answer."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def make_logger() -> FilteringBoundLogger:
    """Return a logger that writes to stderr; structlog's global configuration is left as it is."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, _Stderr())),
        processors=[*PROCESSORS, JSON_LINE],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=True,
    )
    return logger
