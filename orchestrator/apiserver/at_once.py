"""GETs of one object, answered where they arrive: the object is in memory, nothing is waited for.

Most requests are such, and the usual way costs each a task, its turns of the event loop, and the
messages in between. What a head says of all requests that come with it (who asks, in which form) is
read once and kept in an `Asker`, for `protocol.ApiProtocol`. What can change between two requests
is looked at for each: whether the credential is still good, permission, whether others wait for
their turn. Everything that something has to be said about, errors included, goes the usual way.
"""

from collections.abc import Callable
from typing import Any, Final

from litestar.types import Scope

from orchestrator.apiserver.answers import Answer, is_for_people
from orchestrator.apiserver.authn import Credential, credential_of
from orchestrator.apiserver.authz import wish_of
from orchestrator.apiserver.forms import include_object
from orchestrator.apiserver.identity import ANONYMOUS
from orchestrator.apiserver.impersonation import is_impersonating
from orchestrator.apiserver.logs import log_request, logs_requests
from orchestrator.apiserver.negotiation import AnswerFormat, answer_format
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.read import rendered
from orchestrator.kit.errors import ApiError, InternalError

AT_ONCE_BYTES: Final = 64 * 1024
"""Longer answers go the usual way, where a client may read them slowly."""
_INCLUDE: Final = include_object("")

Ask = Callable[[str], Answer | None]
"""From a path without a query to the answer of its GET, which has no headers of its own; None where
it has to be made the usual way: nothing has happened then."""


class Asker:
    """Whoever sends one and the same head; called with each path."""

    __slots__ = ("_credential", "_logs", "_most", "_services", "_wanted")

    def __init__(self, services: Services, credential: Credential, wanted: AnswerFormat) -> None:
        self._services = services
        self._credential = credential
        self._wanted = wanted
        self._logs = logs_requests()
        self._most = min(AT_ONCE_BYTES, services.settings.gzip_min_bytes)

    def __call__(self, raw_path: str) -> Answer | None:
        """See `Ask`."""
        services = self._services
        began_s = services.clock.monotonic()
        try:
            identity = services.authenticator.prove(self._credential)
            path = services.paths.parse(raw_path, services.registry.catalog.current)
            if not isinstance(path, ObjectPath) or path.subresource or not path.name:
                return None
            resource = path.resource
            if not resource.stored or resource.custom is not None or "get" not in resource.verbs:
                return None
            if not identity.master and not services.authorizer.allows(
                identity, wish_of(path, "get", path.name)
            ):
                return None
            if not services.lanes.is_free:
                return None
            answer = rendered(services, path, self._wanted, _INCLUDE)
        except Exception:  # the usual way will meet it again, and knows how to say so
            return None
        if len(answer.body) >= self._most:
            return None
        took_s = services.clock.monotonic() - began_s
        services.metrics.request_done("GET", resource.plural, answer.status, took_s)
        if self._logs:
            log_request("GET", resource.plural, raw_path, answer.status, identity.user, took_s)
        return answer


def asker(services: Services, scope: Scope) -> Ask | None:
    """Who sends a GET with this head; None where its requests have to go the usual way."""
    request = Request(scope, _no_receive, _no_send, identity=ANONYMOUS, limits=services.settings)
    if is_impersonating(scope) or is_for_people(request):
        return None
    try:
        wanted = answer_format(request.header(b"accept"))
        return Asker(services, credential_of(scope), wanted)
    except ApiError:
        return None


async def _no_receive() -> Any:
    raise InternalError("a request that is answered at once has nothing to wait for")


async def _no_send(_message: Any) -> None:
    raise InternalError("a request that is answered at once is answered by its return value")
