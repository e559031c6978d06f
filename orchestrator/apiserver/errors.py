"""Status documents: what every error, and some successes, look like on the wire.

Clients compare these byte by byte, so the key order is fixed and the document ends with a newline.
Source: Kubernetes API conventions, "Response Status Kind"; meta/v1 Status.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from orchestrator.kit.errors import (
    ApiError,
    BadRequest,
    EntityTooLarge,
    Forbidden,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    RemoteError,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)

_encode: Final = msgspec.json.Encoder().encode

_BY_CODE: Final[Mapping[int, type[ApiError]]] = {
    error.code: error
    for error in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        NotAcceptable,
        EntityTooLarge,
        UnsupportedMediaType,
        TooManyRequests,
        ServiceUnavailable,
    )
}


def status_of(error: ApiError) -> dict[str, Any]:
    """The Status document of an error, keys in wire order."""
    details = {
        "name": error.name,
        "group": error.group,
        "kind": error.kind,
        "uid": error.uid,
        "causes": [
            {
                key: value
                for key, value in (
                    ("reason", cause.reason),
                    ("message", cause.message),
                    ("field", cause.field),
                )
                if value
            }
            for cause in error.causes
        ],
        "retryAfterSeconds": error.retry_after_s,
    }
    filled = {key: value for key, value in details.items() if value}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        **({"details": filled} if filled else {}),
        "code": error.code,
    }


def success_status(*, name: str = "", group: str = "", kind: str = "", uid: str = "") -> bytes:
    """A Status that says Success; `kind` is the plural. Code 200 is in the document."""
    details = {"name": name, "group": group, "kind": kind, "uid": uid}
    document: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
    return _encode(document) + b"\n"


def encode_status(error: ApiError) -> bytes:
    """The Status document of an error as JSON bytes with its final newline."""
    return _encode(status_of(error)) + b"\n"


def for_http(code: int, message: str = "") -> ApiError:
    """The error for a bare HTTP status code, as a framework raises them."""
    kind = _BY_CODE.get(code)
    if kind is None:
        kind = BadRequest if 400 <= code < 500 else ApiError
    if not message:
        message = _GENERIC.get(code) or HTTPStatus(code).phrase
    return kind(message)


def no_such_path() -> NotFound:
    """404 for a path that nothing is served at."""
    return NotFound(_GENERIC[404])


def method_not_allowed() -> MethodNotAllowed:
    """405 for a verb that the path does not take."""
    return MethodNotAllowed(_GENERIC[405])


def internal(cause: BaseException) -> ApiError:
    """500 for what should not have happened; names the kind of error, not its inside."""
    return ApiError(f"Internal error occurred: {type(cause).__name__}; see the server's log")


def for_remote(error: RemoteError) -> ApiError:
    """503 for a host that did not do what a request needs."""
    where = f"node {error.node}: " if error.node else ""
    return ServiceUnavailable(f"{where}{error.message}")


_GENERIC: Final[Mapping[int, str]] = {
    401: "Unauthorized",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    500: "Internal error occurred",
}
