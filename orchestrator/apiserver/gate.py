"""What every request passes first and every answer last: identity, permission, errors, metrics.

Stands in front of Litestar, because its router answers unknown paths before any middleware, and
hands the Kubernetes tree to the dispatcher itself: of most requests that is a tenth of the time. A
credential that is not ours ends here; a request without one is system:anonymous. Permission for the
Kubernetes tree is the dispatcher's business, which knows what a path names; for every other path it
is asked here. Whatever goes wrong inside leaves as a Status document.
"""

import asyncio
from typing import Any, Final

import structlog
from litestar.types import ASGIApp, Receive, Scope, Send

from orchestrator.apiserver import authz
from orchestrator.apiserver.answers import Answer, Sender
from orchestrator.apiserver.authn import Authenticator, require_own_page
from orchestrator.apiserver.authz import Authorizer
from orchestrator.apiserver.connect.upgrade import UPGRADED, answering
from orchestrator.apiserver.cycle import WHOLE_KEY
from orchestrator.apiserver.dispatcher import Dispatcher
from orchestrator.apiserver.errors import encode_status
from orchestrator.apiserver.faults import fault_answer
from orchestrator.apiserver.identity import IDENTITY_KEY, Identity, identity_of
from orchestrator.apiserver.impersonation import impersonated
from orchestrator.apiserver.logs import log_request, logs_requests
from orchestrator.apiserver.metrics import ApiMetrics, code_of, labels_of
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.settings import ApiServerSettings
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import OrchError, Unauthorized

_log: Final = structlog.get_logger("apiserver")
_DISPATCHED: Final = frozenset({"api", "apis", "openapi"})
_PAGES: Final = frozenset({"docs"})


class Gate:
    """The outermost ASGI application."""

    def __init__(
        self,
        litestar: ASGIApp,
        kubernetes: Dispatcher,
        *,
        authenticator: Authenticator,
        authorizer: Authorizer,
        settings: ApiServerSettings,
        metrics: ApiMetrics,
        sender: Sender,
        clock: Clock,
    ) -> None:
        """Makes the gate.

        Args:
            litestar: serves every path but those of the Kubernetes tree, and the lifespan.
            kubernetes: serves /api, /apis and /openapi.
            authenticator: tells who asks.
            authorizer: tells what they may do.
            settings: limits.
            metrics: counts requests.
            sender: sends errors.
            clock: measures.
        """
        self._litestar = litestar
        self._kubernetes = kubernetes
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._settings = settings
        self._metrics = metrics
        self._sender = sender
        self._clock = clock
        self._logs_requests = logs_requests()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection event: a request, a WebSocket handshake, or the lifespan."""
        kind: Any = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket":
            await self._http(scope, receive, answering(send))
        else:
            await self._litestar(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s = self._clock.monotonic()
        code = 0
        streamed = False

        async def watched_send(message: Any) -> None:
            nonlocal code, streamed
            if message["type"] in {"http.response.start", WHOLE_KEY}:
                code = message["status"]
            elif message["type"] == "websocket.accept":
                code, streamed = 101, True
            elif message["type"] == UPGRADED:
                code, streamed = 101, True
                return  # said already, on the connection itself
            elif message.get("more_body"):
                streamed = True
            await send(message)

        fields: Any = scope
        method: str = fields.get("method", "GET")  # a WebSocket handshake is a GET
        path: str = fields["path"]  # a mount shortens the scope's own
        dispatched = _root(path) in _DISPATCHED
        try:
            fields[IDENTITY_KEY] = self._admit(method, path, scope, dispatched=dispatched)
            inner = self._kubernetes if dispatched else self._litestar
            await inner(scope, receive, watched_send)
        except asyncio.CancelledError:
            code = code or code_of(scope) or 499
            raise
        except Exception as error:  # the boundary: whatever it is leaves as a Status, or cuts
            if code or code_of(scope):
                cause = error.__cause__ or error  # Litestar wraps what is raised after the head
                _log.warning(
                    "request.cut",
                    path=path,
                    method=method,
                    error=f"{type(cause).__name__}: {cause}",
                    exc_info=not isinstance(cause, OrchError),
                )
                raise
            answer = self._answer_for(error, method, path)
            request = self._request(scope, receive, watched_send)
            await self._sender.send(request, answer)
        finally:
            self._done(scope, path, code or code_of(scope), began_s, streamed=streamed)

    def _done(self, scope: Scope, path: str, code: int, began_s: float, *, streamed: bool) -> None:
        took_s = self._clock.monotonic() - began_s
        verb, resource = labels_of(scope)
        self._metrics.request_done(verb, resource, code, took_s, streamed=streamed)
        if self._logs_requests:
            log_request(verb, resource, path, code, identity_of(scope).user, took_s)

    def _admit(self, method: str, path: str, scope: Scope, *, dispatched: bool) -> Identity:
        """Who asks, if they may come in at all; a wrong credential is refused everywhere."""
        public = authz.is_public(path)
        identity = self._authenticator.identify(scope)
        require_own_page(scope, identity)
        identity = impersonated(identity, scope, self._authorizer)
        if public or dispatched:
            return identity
        if identity.anonymous and _root(path) in _PAGES:
            raise Unauthorized("Unauthorized")  # so that a browser asks for the password
        self._authorizer.require_path(identity, method, path)
        return identity

    def _answer_for(self, error: Exception, method: str, path: str) -> Answer:
        if isinstance(error, Unauthorized) and _root(path) in _PAGES:
            realm = f'Basic realm="{self._settings.docs_realm}", charset="UTF-8"'.encode()
            headers = ((b"www-authenticate", realm),)
            return Answer(encode_status(error), error.code, headers=headers)
        return fault_answer(error, method, path)

    def _request(self, scope: Scope, receive: Receive, send: Send) -> Request:
        return Request(
            scope,
            receive,
            send,
            identity=identity_of(scope),
            limits=self._settings,
        )


def _root(path: str) -> str:
    """The first step of an absolute path: "api" of "/api/v1/pods"."""
    steps = path.split("/", 2)
    return steps[1] if len(steps) > 1 and not steps[0] else ""
