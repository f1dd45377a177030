"""Log lines on standard error: JSON, or plain text on a terminal; uvicorn's among them.

Nothing that a client sent is logged but the method, the path and the address, so that no key,
header or body gets here.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.types import Processor

SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # Plain text: structlog's richer tracebacks print local variables, keys among them.
    structlog.processors.format_exc_info,
)

PROCESSORS = (
    structlog.stdlib.filter_by_level,
    *SHARED,
    ProcessorFormatter.wrap_for_formatter,
)

# Bound to the standard library here rather than by the global configuration, so that an application
# made by other code, which configures nothing, does not print to standard output.
log: BoundLogger = structlog.wrap_logger(
    logging.getLogger("device_agent"), processors=PROCESSORS, wrapper_class=BoundLogger
)
"""The agent's logger: an event and its values, `log.info("started", port=8100)`."""


def configure_logs() -> None:
    """Send the lines of this process, uvicorn's too, to standard error."""
    structlog.configure(PROCESSORS, BoundLogger, logger_factory=structlog.stdlib.LoggerFactory())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(is_terminal=sys.stderr.isatty()))
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi"):
        route(name, propagate=True)
    # The agent writes its own line for each request; uvicorn's has the query in it.
    route("uvicorn.access", propagate=False)


def formatter(is_terminal: bool) -> ProcessorFormatter:
    """One line of JSON a record, or text for people."""
    renderer: Processor = structlog.processors.JSONRenderer()
    if is_terminal:
        renderer = ConsoleRenderer(exception_formatter=plain_traceback)
    return ProcessorFormatter(
        processors=[ProcessorFormatter.remove_processors_meta, renderer], foreign_pre_chain=SHARED
    )


def route(name: str, propagate: bool) -> None:
    """Take a logger's own handlers away; its lines go to the root's, or nowhere."""
    logger = logging.getLogger(name)
    logger.handlers.clear()
    logger.propagate = propagate
