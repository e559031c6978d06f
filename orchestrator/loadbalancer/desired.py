"""What the balancer should serve: a pure function from Services and EndpointSlices.

Routing over HTTP: by Host `<service>.<namespace>[.anything]` first; else by path: `/<service>/...`
in namespace default, else `/<namespace>/<service>/...`; the prefix is stripped. The port of a
Service that HTTP goes to is the one with appProtocol http, else named http or web, else its first
TCP port.

Ingress rules with a host go before that, rules without one after the host names of Services and
before their paths (see `routes`).

Ports of type LoadBalancer and NodePort are TCP, but where the Service says that it speaks HTTP
(appProtocol http, or else the name http) they are served as HTTP: only then can a request be told
from its connection, so that clients that keep theirs notice nothing of a rolling update.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from orchestrator.api.names import SLICE_SERVICE
from orchestrator.api.types.apps import Endpoint, EndpointSlice
from orchestrator.api.types.service import Service, ServicePort
from orchestrator.loadbalancer.routes import Routes, Unrouted

DEFAULT_NAMESPACE: Final = "default"
_HTTP_NAMES: Final = ("http", "web")

ServerState = Literal["ready", "drain"]
Mode = Literal["http", "tcp"]
PodId = tuple[str, str, str]
"""Namespace, name, uid; empty strings where there is no pod."""


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """One endpoint behind a backend.

    Attributes:
        address: where it is reached.
        port: there.
        state: ready takes requests; drain finishes those it has.
        pod: (namespace, name, uid) of the pod behind it; empty strings for manual endpoints.
    """

    address: str
    port: int
    state: ServerState = "ready"
    pod: PodId = ("", "", "")

    @property
    def name(self) -> str:
        """Its name in HAProxy: address and port, so that a change of either is another server."""
        return f"{self.address.replace(':', '.')}_{self.port}"


def host_of(server_name: str) -> str:
    """The address in a server's name, as `Server.name` writes it."""
    return server_name.rpartition("_")[0]


@dataclass(frozen=True, slots=True)
class Backend:
    """The endpoints of one port of a Service.

    Attributes:
        namespace: of the Service.
        service: its name.
        port: the Service's port number.
        mode: http or tcp.
        servers: sorted.
    """

    namespace: str
    service: str
    port: int
    mode: Mode
    servers: tuple[Server, ...]

    @property
    def name(self) -> str:
        """Its name in HAProxy."""
        return f"{self.mode}_{self.namespace}_{self.service}_{self.port}"


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP port of the balancer, the backend that it leads to, and what is spoken."""

    port: int
    backend: str
    mode: Mode = "tcp"


@dataclass(frozen=True, slots=True)
class Refused:
    """A port that a Service asked for and does not get.

    Attributes:
        namespace: of the Service.
        service: its name.
        port: the number.
        reason: in words.
    """

    namespace: str
    service: str
    port: int
    reason: str


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that the balancer should serve.

    Attributes:
        backends: by name.
        hosts: "<service>.<namespace>" to backend name.
        paths: "<service>" (namespace default) and "<namespace>/<service>" to backend name.
        listeners: sorted by port.
        exact: of `routes.Routes`.
        prefixes: of `routes.Routes`.
        fallback: of `routes.Routes`.
        certificates: by file name: chain and key, PEM.
        unrouted: parts of Ingresses that lead nowhere.
        refused: ports that could not be given.
        leaving: (namespace, name, uid) of all pods that leave, whether they have a server or not.
    """

    backends: Mapping[str, Backend]
    hosts: Mapping[str, str]
    paths: Mapping[str, str]
    listeners: tuple[Listener, ...]
    exact: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    fallback: str = ""
    certificates: Mapping[str, str] = field(default_factory=dict)
    unrouted: tuple[Unrouted, ...] = ()
    refused: tuple[Refused, ...] = ()
    leaving: frozenset[PodId] = frozenset()


def desired(
    services: Iterable[Service],
    slices: Iterable[EndpointSlice],
    unusable: Mapping[int, str],
    routed: Routes | None = None,
    certificates: Mapping[str, str] | None = None,
) -> Desired:
    """What to serve.

    Args:
        services: all Services.
        slices: all EndpointSlices.
        unusable: ports that cannot be bound, each with the reason in words.
        routed: where Ingresses lead.
        certificates: those of the Ingresses, by file name.
    """
    routed = routed or Routes()
    by_service: dict[tuple[str, str], list[EndpointSlice]] = {}
    leaving: set[PodId] = set()
    for piece in slices:
        name = (piece.metadata.labels or {}).get(SLICE_SERVICE, "")
        by_service.setdefault((piece.metadata.namespace, name), []).append(piece)
        leaving.update(_pod(e) for e in piece.endpoints if e.conditions.terminating)
    backends: dict[str, Backend] = {}
    hosts: dict[str, str] = {}
    paths: dict[str, str] = {}
    ports: dict[int, Listener] = {}
    refused: list[Refused] = []
    # older Services win a contested port; the key is a total order
    ordered = sorted(
        services,
        key=lambda s: (s.metadata.creation_timestamp, s.metadata.namespace, s.metadata.name),
    )
    for service in ordered:
        meta, spec = service.metadata, service.spec
        mine = by_service.get((meta.namespace, meta.name), [])
        main = http_port(spec.ports)
        if main is not None and spec.type != "ExternalName":
            backend = _backend(service, main, "http", mine)
            backends[backend.name] = backend
            hosts[f"{meta.name}.{meta.namespace}"] = backend.name
            paths[f"{meta.namespace}/{meta.name}"] = backend.name
            if meta.namespace == DEFAULT_NAMESPACE:
                paths[meta.name] = backend.name
        if spec.type not in {"LoadBalancer", "NodePort"}:
            continue
        for port in spec.ports:
            if port.protocol != "TCP":
                refused.append(
                    Refused(meta.namespace, meta.name, port.port, f"{port.protocol} is not served")
                )
                continue
            backend = _backend(service, port, _mode(port), mine)
            backends[backend.name] = backend
            wanted = [port.node_port] if port.node_port else []
            if spec.type == "LoadBalancer":
                wanted.append(port.port)
            for number in wanted:
                reason = unusable.get(number, "")
                if number in ports:
                    reason = f"already taken by {ports[number].backend}"
                if reason:
                    refused.append(Refused(meta.namespace, meta.name, number, reason))
                else:
                    ports[number] = Listener(number, backend.name, backend.mode)
    for name, (service, port) in routed.ports.items():
        mine = by_service.get((service.metadata.namespace, service.metadata.name), [])
        backends.setdefault(name, _backend(service, port, "http", mine))
    return Desired(
        backends=backends,
        hosts=hosts,
        paths=paths,
        listeners=tuple(ports[p] for p in sorted(ports)),
        exact=routed.exact,
        prefixes=routed.prefixes,
        fallback=routed.fallback,
        certificates=certificates or {},
        unrouted=tuple(dict.fromkeys(routed.unrouted)),
        refused=tuple(refused),
        leaving=frozenset(pod for pod in leaving if pod[2]),
    )


def wanted_ports(services: Iterable[Service]) -> set[int]:
    """All TCP ports that Services would like to have on the balancer."""
    return {
        number
        for service in services
        if service.spec.type in {"LoadBalancer", "NodePort"}
        for port in service.spec.ports
        if port.protocol == "TCP"
        for number in (port.node_port, port.port if service.spec.type == "LoadBalancer" else 0)
        if number
    }


def http_port(ports: Iterable[ServicePort]) -> ServicePort | None:
    """The port that HTTP by name and path goes to; None without a TCP port."""
    found = [p for p in ports if p.protocol == "TCP"]
    for port in found:
        if port.app_protocol == "http":
            return port
    for port in found:
        if port.name in _HTTP_NAMES:
            return port
    return found[0] if found else None


def _mode(port: ServicePort) -> Mode:
    return "http" if (port.app_protocol or port.name) == "http" else "tcp"


def _backend(
    service: Service,
    port: ServicePort,
    mode: Mode,
    slices: Iterable[EndpointSlice],
) -> Backend:
    servers: dict[str, Server] = {}
    for piece in slices:
        for number in (p.port for p in piece.ports if p.name == port.name):
            for endpoint in piece.endpoints:
                server = _server(endpoint, number, service.spec.publish_not_ready_addresses)
                if server is None:
                    continue
                known = servers.get(server.name)
                if known is None or known.state == "drain":
                    servers[server.name] = server
    return Backend(
        namespace=service.metadata.namespace,
        service=service.metadata.name,
        port=port.port,
        mode=mode,
        servers=tuple(sorted(servers.values())),
    )


def _server(endpoint: Endpoint, port: int, not_ready_too: bool) -> Server | None:
    conditions = endpoint.conditions
    ready = conditions.ready is not False or not_ready_too
    if not (ready or conditions.terminating):
        return None
    # HAProxy refuses a whole configuration for one name that it cannot resolve
    if not endpoint.addresses or not _is_address(endpoint.addresses[0]):
        return None
    state: ServerState = "drain" if conditions.terminating and not not_ready_too else "ready"
    return Server(endpoint.addresses[0], port, state, _pod(endpoint))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _pod(endpoint: Endpoint) -> PodId:
    target = endpoint.target_ref
    return (target.namespace, target.name, target.uid) if target else ("", "", "")
