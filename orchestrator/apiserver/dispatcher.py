"""From a request under /api, /apis or /openapi to its verb: one dispatcher over the table of kinds.

Parse the path, find the verb, check permission, run it, send what it gives back. Errors leave as
Status documents; after the first byte of a stream they can only cut it.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from litestar.types import Receive, Scope, Send

from orchestrator.api.fields import parse_field_selector
from orchestrator.api.resources import METRICS_GROUP, Resource
from orchestrator.apiserver import discovery
from orchestrator.apiserver.answers import Answer, Sender, Stream
from orchestrator.apiserver.authz import wish_of
from orchestrator.apiserver.connect import commands, ports
from orchestrator.apiserver.connect.websocket import is_websocket
from orchestrator.apiserver.errors import method_not_allowed
from orchestrator.apiserver.faults import fault_answer
from orchestrator.apiserver.identity import identity_of
from orchestrator.apiserver.metrics import set_labels
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs import (
    bind,
    delete,
    log,
    placement,
    proxy,
    read,
    reviews,
    scale,
    tokens,
    usage,
    watch,
    write,
)
from orchestrator.apiserver.verbs.asking import ask_about_stream
from orchestrator.kit.errors import BadRequest, NotFound

Verb = Callable[[Services, Request, ObjectPath], Awaitable[Answer | Stream]]

_COLLECTION: Final[Mapping[str, tuple[str, Verb]]] = MappingProxyType({
    "GET": ("list", read.list_objects),
    "POST": ("create", write.create),
    "DELETE": ("deletecollection", delete.delete_collection),
})  # fmt: skip
_OBJECT: Final[Mapping[str, tuple[str, Verb]]] = MappingProxyType({
    "GET": ("get", read.get),
    "PUT": ("update", write.update),
    "PATCH": ("patch", write.patch),
    "DELETE": ("delete", delete.delete),
})  # fmt: skip
_SUBRESOURCE: Final[Mapping[tuple[str, str], tuple[str, Verb]]] = MappingProxyType({
    ("status", "GET"): ("get", read.get),
    ("status", "PUT"): ("update", write.update),
    ("status", "PATCH"): ("patch", write.patch),
    ("ephemeralcontainers", "GET"): ("get", read.get),
    ("ephemeralcontainers", "PUT"): ("update", write.update),
    ("ephemeralcontainers", "PATCH"): ("patch", write.patch),
    ("finalize", "PUT"): ("update", write.update),
    ("scale", "GET"): ("get", scale.get_scale),
    ("scale", "PUT"): ("update", scale.put_scale),
    ("scale", "PATCH"): ("patch", scale.patch_scale),
    ("log", "GET"): ("get", log.open_log),
    ("placement", "GET"): ("get", placement.get_placement),
    ("exec", "GET"): ("get", commands.exec_in_pod),
    ("exec", "POST"): ("create", commands.exec_in_pod),
    ("attach", "GET"): ("get", commands.attach_to_pod),
    ("attach", "POST"): ("create", commands.attach_to_pod),
    ("token", "POST"): ("create", tokens.create_token),
    ("portforward", "GET"): ("get", ports.forward_ports),
    ("portforward", "POST"): ("create", ports.forward_ports),
    ("approval", "GET"): ("get", read.get),
    ("approval", "PUT"): ("update", write.update),
    ("approval", "PATCH"): ("patch", write.patch),
    ("proxy", "GET"): ("get", proxy.proxy),
    ("proxy", "POST"): ("create", proxy.proxy),
    ("proxy", "PUT"): ("update", proxy.proxy),
    ("proxy", "PATCH"): ("patch", proxy.proxy),
    ("proxy", "DELETE"): ("delete", proxy.proxy),
    ("binding", "POST"): ("create", bind.bind),
    ("eviction", "POST"): ("create", delete.evict),
})  # fmt: skip


class Dispatcher:
    """The ASGI application behind the gate for the three trees."""

    def __init__(self, services: Services, sender: Sender) -> None:
        self._services = services
        self._sender = sender

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request, or a WebSocket handshake with what follows."""
        request = Request(
            scope,
            receive,
            send,
            identity=identity_of(scope),
            limits=self._services.settings,
        )
        try:
            answer = await self._route(request)
            if isinstance(answer, Answer):
                await self._sender.send(request, answer)
            else:
                await answer.run(request)
        except Exception as error:  # the boundary: whatever it is leaves as a Status, or cuts
            if request.started:
                raise
            await self._sender.send(request, fault_answer(error, request.method, request.raw_path))

    async def _route(self, request: Request) -> Answer | Stream:
        authorizer = self._services.authorizer
        catalog = self._services.registry.catalog.current
        try:
            path = self._services.paths.parse(request.raw_path, catalog)
        except NotFound:
            authorizer.require_path(request.identity, request.method, request.raw_path)
            raise
        connects = isinstance(path, ObjectPath) and path.subresource in _CONNECT
        if is_websocket(request) and not connects:
            raise BadRequest("this path is not served over WebSockets")
        if not isinstance(path, ObjectPath):
            authorizer.require_path(request.identity, request.method, request.raw_path)
            if request.method not in {"GET", "HEAD"}:
                raise method_not_allowed()
            set_labels(request.scope, "GET", "")
            return await discovery.answer(request, path, catalog)
        word, verb = find_verb(request, path)
        resource = path.resource
        label = f"{resource.plural}/{path.subresource}" if path.subresource else resource.plural
        metric = "CONNECT" if connects else _METRIC_VERBS.get(word, word.upper())
        self._require(request, path, word, metric, label)
        if resource.custom is not None and resource.custom.deprecation:
            request.warnings.append(resource.custom.deprecation)
        if connects or path.subresource == "proxy":
            ask_about_stream(self._services, request, path)
        if word == "watch" or path.subresource in _UNSEATED:
            return await verb(self._services, request, path)
        return await self._seated(verb, request, path)

    def _require(
        self, request: Request, path: ObjectPath, word: str, metric: str, label: str
    ) -> None:
        set_labels(request.scope, metric, label)
        name = path.name or _selected_name(request, path.resource, word)
        self._services.authorizer.require(request.identity, wish_of(path, word, name))

    async def _seated(self, verb: Verb, request: Request, path: ObjectPath) -> Answer | Stream:
        if request.method in _WITH_BODY:
            await request.body()  # remembered; a slow client holds no seat meanwhile
        lanes = self._services.lanes
        if not lanes.enter_nowait():
            await lanes.enter(request.identity.user)
        try:
            return await verb(self._services, request, path)
        finally:
            lanes.leave()


def _selected_name(request: Request, resource: Resource, word: str) -> str:
    """The one object that a list, watch or deletecollection is about, by its field selector.

    So a rule with resourceNames allows `kubectl get --watch NAME`. Source: Kubernetes
    documentation, "Using RBAC Authorization", "Referring to resources".
    """
    text = request.query.text("fieldSelector")
    if word not in _COLLECTION_VERBS or "metadata.name" not in text:
        return ""
    further = resource.custom.selectable if resource.custom is not None else None
    try:
        selector = parse_field_selector(text, resource.group_resource, further)
    except ValueError:
        return ""  # whoever reads the selector says what is wrong with it
    return selector.required("metadata.name") or ""


_COLLECTION_VERBS: Final = frozenset({"list", "watch", "deletecollection"})
_CONNECT: Final = frozenset({"attach", "exec", "portforward"})
_UNSEATED: Final = _CONNECT | {"log"}
"""They stay for as long as their client does."""
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MEASURED: Final[Mapping[tuple[str, bool], tuple[str, Verb]]] = MappingProxyType({
    ("GET", False): ("list", usage.list_usage),
    ("GET", True): ("get", usage.get),
})  # fmt: skip
_METRIC_VERBS: Final[Mapping[str, str]] = MappingProxyType({
    "create": "POST", "update": "PUT", "deletecollection": "DELETECOLLECTION",
})  # fmt: skip


def find_verb(request: Request, path: ObjectPath) -> tuple[str, Verb]:
    """The verb's word ("list") and function.

    Raises:
        MethodNotAllowed: the path does not take this method.
    """
    method = "GET" if request.method == "HEAD" else request.method
    resource = path.resource
    found: tuple[str, Verb] | None
    if path.subresource:
        found = _SUBRESOURCE.get((path.subresource, method))
        sub = resource.subresource(path.subresource)
        verbs = sub.verbs if sub is not None else ()
    else:
        found = (_OBJECT if path.name else _COLLECTION).get(method)
        verbs = resource.verbs
        if method == "GET" and request.query.flag("watch"):
            found = ("watch", watch.open_watch)
        elif resource.group == METRICS_GROUP:
            found = _MEASURED.get((method, bool(path.name)))
        elif not resource.stored:
            found = ("create", reviews.review) if method == "POST" and not path.name else None
    if found is None or found[0] not in verbs:
        raise method_not_allowed()
    return found
