"""The log: one JSON object a line on stderr."""

import sys

import structlog
from structlog.typing import FilteringBoundLogger, Processor

__all__ = ["JSON_LINE", "PROCESSORS", "make_logger"]

PROCESSORS: list[Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
JSON_LINE: Processor = structlog.processors.JSONRenderer()


def make_logger() -> FilteringBoundLogger:
    """Return a logger that writes to stderr; structlog's global configuration is left as it is."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=[*PROCESSORS, JSON_LINE],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=True,
    )
    return logger
