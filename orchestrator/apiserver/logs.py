"""One line for each request, at the level "debug"."""

import logging
from typing import Final

import structlog

_log: Final = structlog.get_logger("apiserver")


def logs_requests() -> bool:
    """Whether anybody would see those lines; to ask this for each request costs more than one."""
    return bool(_log.bind().is_enabled_for(logging.DEBUG))


def log_request(verb: str, resource: str, path: str, code: int, user: str, took_s: float) -> None:
    """Says that a request is done."""
    _log.debug(
        "request", verb=verb, resource=resource, path=path, code=code, user=user,
        took_ms=round(took_s * 1000, 2),
    )  # fmt: skip
