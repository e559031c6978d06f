"""Log lines: one JSON object a line on standard error, keys from a contextvar.

Event names are constant ("node.ready"); everything that varies is a key. Secrets are `Secret`
values and redact themselves.
"""

import logging
import sys
from typing import TextIO

import structlog


def configure_logging(level: str = "info", stream: TextIO | None = None) -> None:
    """Sets structlog up for the whole process; call once, from an entry point.

    Args:
        level: debug, info, warning or error.
        stream: where lines go; standard error when None.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(
                # local variables may hold what nobody should read in a log
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(default=repr),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            getattr(logging, level.upper(), logging.INFO)
        ),
        logger_factory=structlog.PrintLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=stream or sys.stderr)
    # an expression that fails is an answer for who asked, no news for who runs the server
    logging.getLogger("cel").setLevel(logging.CRITICAL)
