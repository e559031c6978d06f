"""The one mapping from what was raised to what the client gets."""

from typing import Final

import structlog

from orchestrator.apiserver.answers import Answer, error_answer
from orchestrator.apiserver.errors import for_remote, internal
from orchestrator.kit.errors import ApiError, RemoteError

_log: Final = structlog.get_logger("apiserver")


def fault_answer(error: Exception, method: str, path: str) -> Answer:
    """The Status answer for an error; what should not have happened is logged with its story."""
    if isinstance(error, ApiError) and type(error) is not ApiError:
        return error_answer(error)
    if isinstance(error, RemoteError):
        return error_answer(for_remote(error))
    _log.error(
        "request.failed",
        path=path,
        method=method,
        error=f"{type(error).__name__}: {error}",
        exc_info=error,
    )
    return error_answer(error if isinstance(error, ApiError) else internal(error))
