"""Every error that orch raises on purpose, as one tree.

    OrchError
    ├── ApiError              an answer for an API client; knows its Status reason and HTTP code
    │   ├── BadRequest 400          ├── Unauthorized 401      ├── Forbidden 403
    │   ├── NotFound 404            ├── MethodNotAllowed 405  ├── NotAcceptable 406
    │   ├── AlreadyExists 409       ├── Conflict 409          ├── Expired 410
    │   ├── EntityTooLarge 413      ├── UnsupportedMediaType 415
    │   ├── Invalid 422 (carries causes)                      ├── TooManyRequests 429
    │   └── ServiceUnavailable 503
    ├── RemoteError           a host, its engine or its shim did not do what was asked
    │   ├── Unreachable   ├── AuthFailed   ├── HostKeyMismatch   ├── ChannelLost
    │   ├── ExecFailed    ├── EngineError (carries the engine's HTTP status)
    │   └── ShimError
    ├── ConfigError           the user's file or flag is wrong; says where and what would be right
    └── InternalError         a broken invariant: loud, with the story

Third-party exceptions never leave their adapter: it maps and chains them.
Source: Kubernetes API conventions, "Response Status Kind".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class OrchError(Exception):
    """Root of the tree."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of a Status' `details.causes`.

    Attributes:
        reason: FieldValueRequired, FieldValueInvalid, FieldValueNotSupported,
            FieldValueDuplicate, FieldValueForbidden, FieldManagerConflict, ...
        message: without the field, as Kubernetes writes it: 'Invalid value: -1: must be ...'.
        field: dotted path from the object's root: "spec.containers[0].image".
    """

    reason: str
    message: str
    field: str = ""


class ApiError(OrchError):
    """An answer for an API client.

    Attributes:
        message: the sentence that kubectl prints.
        name: the object's name, where one is known.
        group: API group of the resource ("" for core).
        kind: what Status.details.kind carries: the plural ("pods") except for Invalid (the Kind).
        uid: the object's uid, where one is known.
        causes: one per field at fault.
        retry_after_s: whole seconds for Status.details.retryAfterSeconds; 0 for none.
    """

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        name: str = "",
        group: str = "",
        kind: str = "",
        uid: str = "",
        causes: Sequence[Cause] = (),
        retry_after_s: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.name = name
        self.group = group
        self.kind = kind
        self.uid = uid
        self.causes = tuple(causes)
        self.retry_after_s = retry_after_s


class BadRequest(ApiError):
    """The request cannot be read: malformed body, unknown field in strict mode, bad selector."""

    code = 400
    reason = "BadRequest"


class Unauthorized(ApiError):
    """No credential, or one that is not ours."""

    code = 401
    reason = "Unauthorized"


class Forbidden(ApiError):
    """The credential is known and does not allow this."""

    code = 403
    reason = "Forbidden"


class NotFound(ApiError):
    """No such object, or no such path."""

    code = 404
    reason = "NotFound"


class MethodNotAllowed(ApiError):
    """The path exists and does not take this verb."""

    code = 405
    reason = "MethodNotAllowed"


class NotAcceptable(ApiError):
    """No media type that the client accepts can be produced."""

    code = 406
    reason = "NotAcceptable"


class AlreadyExists(ApiError):
    """Create of a name that is taken."""

    code = 409
    reason = "AlreadyExists"


class Conflict(ApiError):
    """Optimistic concurrency: the object changed since the revision that the caller read."""

    code = 409
    reason = "Conflict"


class Expired(ApiError):
    """The revision asked for is no longer in the history, or a watcher was too slow."""

    code = 410
    reason = "Expired"


class EntityTooLarge(ApiError):
    """The body is over the limit."""

    code = 413
    reason = "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    """The body's Content-Type is not one that this path takes."""

    code = 415
    reason = "UnsupportedMediaType"


class Invalid(ApiError):
    """The object is well-formed and wrong; `causes` says which fields and why."""

    code = 422
    reason = "Invalid"


class TooManyRequests(ApiError):
    """Over a limit; come back later."""

    code = 429
    reason = "TooManyRequests"


class ServiceUnavailable(ApiError):
    """The server or the host behind the request cannot serve it right now."""

    code = 503
    reason = "ServiceUnavailable"


class RequestTimeout(ApiError):
    """The request was not done in the time that it had."""

    code = 504
    reason = "Timeout"


class RemoteError(OrchError):
    """A host, its engine or its shim did not do what was asked.

    Attributes:
        node: the host's name in the inventory.
        operation: what was tried, in words: "create container", "open /var/run/docker.sock".
        retryable: whether the same call may succeed later without anyone changing anything.
    """

    retryable: bool = True

    def __init__(self, message: str, *, node: str = "", operation: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.operation = operation


class Unreachable(RemoteError):
    """No connection: refused, timed out, no route, name not found."""


class AuthFailed(RemoteError):
    """sshd refused every key offered."""

    retryable = False


class HostKeyMismatch(RemoteError):
    """The host shows another key than the one pinned at bootstrap."""

    retryable = False


class ChannelLost(RemoteError):
    """The connection or channel broke under the call; its effect is unknown."""


class ExecFailed(RemoteError):
    """A command on the host ended with a non-zero status.

    Attributes:
        status: exit status.
        stderr: the command's own words, at most the last 4 KiB.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        node: str = "",
        operation: str = "",
        status: int = -1,
        stderr: str = "",
    ) -> None:
        super().__init__(message, node=node, operation=operation)
        self.status = status
        self.stderr = stderr


class EngineError(RemoteError):
    """The Docker Engine answered with an error.

    Attributes:
        status: the Engine API's HTTP status: 404 no such object, 409 conflict, 500 server error.
    """

    def __init__(
        self, message: str, *, node: str = "", operation: str = "", status: int = 0
    ) -> None:
        super().__init__(message, node=node, operation=operation)
        self.status = status
        self.retryable = status >= 500 or status == 0


class ShimError(RemoteError):
    """The shim answered an operation with a typed error.

    Attributes:
        code: the shim's error code, e.g. "not_found", "bad_request", "unknown_operation".
    """

    def __init__(
        self, message: str, *, node: str = "", operation: str = "", code: str = ""
    ) -> None:
        super().__init__(message, node=node, operation=operation)
        self.code = code


class ConfigError(OrchError):
    """The user's file or flag is wrong.

    Attributes:
        problems: every fault found, each "FILE:LINE: FIELD: what is wrong; what would be right".
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class InternalError(OrchError):
    """A broken invariant: a bug in orch, never the user's fault."""
