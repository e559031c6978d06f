"""The proxy subresources of pods and services: HTTP to them, through the API server.

The name in the path may say scheme and port: "NAME", "NAME:PORT", "http:NAME:PORT". A service is
one of its ready pods. Source: Kubernetes, "Manually constructing apiserver proxy URLs".
"""

from collections.abc import Iterator
from contextlib import aclosing
from typing import Any, Final, cast

from orchestrator.api.names import SLICE_SERVICE
from orchestrator.api.types.apps import EndpointSlice
from orchestrator.api.types.pod import Pod
from orchestrator.api.types.service import Service, ServicePort
from orchestrator.apiserver.answers import Answer, Stream
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.proxying import Exchange, Forwarded
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.streams import hang_up
from orchestrator.apiserver.verbs.node_proxy import node_proxy
from orchestrator.kit.errors import BadRequest, RemoteError, ServiceUnavailable
from orchestrator.kit.ids import ObjectKey
from orchestrator.store.objects import StoredObject

_SLICES: Final = "endpointslices.discovery.k8s.io"


async def proxy(services: Services, request: Request, path: ObjectPath) -> Answer | Stream:
    """Any method: the pod's answer as it comes.

    Raises:
        BadRequest: the name says a scheme or port that cannot be reached.
        NotFound: no such pod or service.
        ServiceUnavailable: nothing answers there.
    """
    if path.resource.resource == "nodes":
        return await node_proxy(services, request, path)
    scheme, name, port = split_name(path.name)
    if scheme == "https":
        raise BadRequest("https is not served by the proxy: use kubectl port-forward")
    key = ObjectKey(path.resource.resource, path.namespace, name)
    item = services.registry.get(key)
    if path.resource.resource == "pods":
        pod, number = item, pod_port(item, port)
    else:
        pod, number = service_target(services, item, port)
    node = (pod.doc.get("spec") or {}).get("nodeName")
    if not node:
        raise BadRequest(f"pod {pod.key.name} does not have a host assigned")
    body = await request.body()
    try:
        stream = await services.pod_streams.streams(node).open_port(pod, number)
    except RemoteError as error:
        raise ServiceUnavailable(f"error trying to reach service: {error}") from error
    fields: Any = request.scope
    query = fields.get("query_string", b"").decode("latin-1")
    wanted = Forwarded(
        method=request.method,
        target=(path.rest or "/") + (f"?{query}" if query else ""),
        host=f"{name}:{number}",
        headers=tuple((bytes(k), bytes(v)) for k, v in request.scope["headers"]),
        body=body,
    )
    return ProxyStream(services, Exchange(stream), wanted, path.resource.plural)


def split_name(text: str) -> tuple[str, str, str]:
    """Scheme, name and port of "[SCHEME:]NAME[:PORT]"."""
    parts = text.split(":")
    if len(parts) == 1:
        return "", parts[0], ""
    if len(parts) == 2:
        return "", parts[0], parts[1]
    if len(parts) == 3 and parts[0] in {"", "http", "https"}:
        return parts[0], parts[1], parts[2]
    raise BadRequest(f'invalid proxy name "{text}": [SCHEME:]NAME[:PORT] is right')


def pod_port(item: StoredObject, port: str) -> int:
    """The port of a pod: by number, by name, or its first one.

    Raises:
        BadRequest: there is no such port.
    """
    if port.isdecimal():
        return int(port)
    found = [p for c in cast("Pod", item.view).spec.containers for p in c.ports]
    for one in found:
        if not port or one.name == port:
            return one.container_port
    if not port:
        return 80
    raise BadRequest(f'no port "{port}" found in pod "{item.key.name}"')


def service_target(services: Services, item: StoredObject, port: str) -> tuple[StoredObject, int]:
    """A ready pod of a service, and the port there.

    Raises:
        ServiceUnavailable: it has no such port, or no pod is ready.
    """
    name = item.key.name
    chosen = _service_port(cast("Service", item.view), port)
    if chosen is None:
        raise ServiceUnavailable(f'no service port "{port}" found for service "{name}"')
    for pod in _pods_of(services, item):
        if any(
            c.type == "Ready" and c.status == "True"
            for c in cast("Pod", pod.view).status.conditions
        ):
            return pod, pod_port(pod, str(chosen.target_port or chosen.port))
    raise ServiceUnavailable(f'no endpoints available for service "{name}"')


def _pods_of(services: Services, item: StoredObject) -> Iterator[StoredObject]:
    """The pods behind a service: by its selector, else those that its slices name."""
    namespace, selector = item.key.namespace, cast("Service", item.view).spec.selector
    if selector:
        for pod in services.store.list("pods", namespace):
            labels = pod.doc["metadata"].get("labels") or {}
            if (
                selector.items() <= labels.items()
                and "deletionTimestamp" not in pod.doc["metadata"]
            ):
                yield pod
        return
    for piece in services.store.list(_SLICES, namespace):
        view = cast("EndpointSlice", piece.view)
        if (view.metadata.labels or {}).get(SLICE_SERVICE) != item.key.name:
            continue
        for endpoint in view.endpoints:
            name = endpoint.target_ref.name if endpoint.target_ref else ""
            found = services.store.get(ObjectKey("pods", namespace, name))
            if found is not None:
                yield found


def _service_port(service: Service, port: str) -> ServicePort | None:
    ports = service.spec.ports
    if not port:
        return ports[0] if ports else None
    return next((p for p in ports if port in {p.name, str(p.port)}), None)


class ProxyStream:
    """An answer of a pod on its way to the caller."""

    def __init__(
        self, services: Services, exchange: Exchange, wanted: Forwarded, resource: str
    ) -> None:
        self._services = services
        self._exchange = exchange
        self._wanted = wanted
        self._resource = resource
        self._ended = False

    async def run(self, request: Request) -> None:
        """Sends everything.

        Raises:
            ServiceUnavailable: the pod does not answer.
        """
        try:
            with self._services.open_streams.entered("CONNECT", self._resource, self._end):
                await self._forward(request)
        finally:
            await self._exchange.close()

    def _end(self) -> None:
        self._ended = True

    async def _forward(self, request: Request) -> None:
        status, headers = await self._exchange.start(self._wanted)
        request.started = True
        await request.send(
            cast("Any", {"type": "http.response.start", "status": status, "headers": headers})
        )
        async with hang_up(request, self._end), aclosing(self._exchange.pieces()) as pieces:
            async for piece in pieces:
                if self._ended:
                    break
                await request.send(
                    cast("Any", {"type": "http.response.body", "body": piece, "more_body": True})
                )
        await request.send(
            cast("Any", {"type": "http.response.body", "body": b"", "more_body": False})
        )
