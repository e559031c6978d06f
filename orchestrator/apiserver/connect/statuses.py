"""The last word of exec and attach: how the command ended, as a Status document (pure).

Source: Kubernetes, remotecommand v4 protocol; kubelet's `ServeExec`, `ServeAttach`.
"""

from typing import Any, Final

import msgspec

Status = dict[str, Any]

SUCCESS: Final[Status] = {"metadata": {}, "status": "Success"}


def exited(code: int) -> Status:
    """A command that ended with an exit code."""
    if code == 0:
        return SUCCESS
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failed(what: str, why: str) -> Status:
    """A command of which nothing more is known; `what` is "executing command in container"."""
    message = f"error {what}: {why}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {message}",
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }


def encoded(status: Status, *, documents: bool) -> bytes:
    """As the error channel carries it: a document, or in old protocols a sentence or nothing."""
    if documents:
        return msgspec.json.encode(status)
    return str(status.get("message", "")).encode()
