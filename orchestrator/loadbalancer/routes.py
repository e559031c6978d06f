"""Ingress rules as look-up tables for HAProxy (pure).

An exact rule is found by "host/path", a prefix rule by the longest "host/path/" that "host/path/"
of the request begins with, so that whole path elements are compared. Hosts are tried as they are,
then with their first label as a wildcard, then "*", which stands for rules without a host. Of two
rules for the same place the older Ingress' holds.

Source: Kubernetes concepts, "Ingress" (path types, host name wildcards).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestrator.api.names import INGRESS_CONTROLLER
from orchestrator.api.types.networking import Ingress, IngressBackend, IngressClass
from orchestrator.api.types.service import Service, ServicePort

DEFAULT_CLASS: Final = "ingressclass.kubernetes.io/is-default-class"
LEGACY_CLASS: Final = "kubernetes.io/ingress.class"
NO_BACKEND: Final = "unavailable"
"""The backend of rules that lead nowhere: it answers 503."""

ServiceKey = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True, order=True)
class Unrouted:
    """A part of an Ingress that leads nowhere.

    Attributes:
        namespace: of the Ingress.
        ingress: its name.
        reason: in words.
    """

    namespace: str
    ingress: str
    reason: str


@dataclass(slots=True)
class Routes:
    """Where requests go by Ingress.

    Attributes:
        exact: "host/path" to the backend's name.
        prefixes: "host/path/" to the backend's name.
        fallback: backend of requests that nothing else takes; "" for none.
        ports: the Services' ports that are led to.
        secrets: (namespace, name) of the Secrets with certificates, with the Ingress that names it.
        unrouted: what leads nowhere.
    """

    exact: dict[str, str] = field(default_factory=dict)
    prefixes: dict[str, str] = field(default_factory=dict)
    fallback: str = ""
    ports: dict[str, tuple[Service, ServicePort]] = field(default_factory=dict)
    secrets: dict[ServiceKey, str] = field(default_factory=dict)
    unrouted: list[Unrouted] = field(default_factory=list)


def is_ours(ingress: Ingress, classes: Mapping[str, IngressClass]) -> bool:
    """Whether this balancer serves an Ingress.

    One without a class is for the default class, and for this balancer where there is none.
    """
    name = ingress.spec.ingress_class_name
    if name is None:
        name = (ingress.metadata.annotations or {}).get(LEGACY_CLASS)
    if name is not None:
        found = classes.get(name)
        return found is not None and found.spec.controller == INGRESS_CONTROLLER
    defaults = [
        c for c in classes.values() if (c.metadata.annotations or {}).get(DEFAULT_CLASS) == "true"
    ]
    return not defaults or any(c.spec.controller == INGRESS_CONTROLLER for c in defaults)


def backend_name(service: Service, port: ServicePort) -> str:
    """The name of the HTTP backend of a Service's port."""
    return f"http_{service.metadata.namespace}_{service.metadata.name}_{port.port}"


def routes(
    ingresses: Iterable[Ingress],
    classes: Mapping[str, IngressClass],
    services: Mapping[ServiceKey, Service],
) -> Routes:
    """The tables.

    Args:
        ingresses: all Ingresses.
        classes: all IngressClasses, by name.
        services: all Services, by namespace and name.
    """
    made = Routes()
    ordered = sorted(
        (i for i in ingresses if is_ours(i, classes)),
        key=lambda i: (i.metadata.creation_timestamp, i.metadata.namespace, i.metadata.name),
    )
    for ingress in ordered:
        _add(made, ingress, services)
    return made


def _add(made: Routes, ingress: Ingress, services: Mapping[ServiceKey, Service]) -> None:
    spec, namespace = ingress.spec, ingress.metadata.namespace
    for rule in spec.rules:
        host = rule.host.lower() or "*"
        if rule.http is None:  # every path of the host goes to the default backend
            if spec.default_backend is not None:
                name = _target(made, ingress, spec.default_backend, services)
                made.prefixes.setdefault(f"{host}/", name)
            continue
        for item in rule.http.paths:
            name = _target(made, ingress, item.backend, services)
            if item.path_type == "Exact":
                made.exact.setdefault(f"{host}{item.path}", name)
            else:
                path = item.path.rstrip("/")
                made.prefixes.setdefault(f"{host}{path}/", name)
    if spec.default_backend is not None:
        name = _target(made, ingress, spec.default_backend, services)
        made.fallback = made.fallback or name
    for entry in spec.tls:
        if entry.secret_name:
            made.secrets.setdefault((namespace, entry.secret_name), ingress.metadata.name)


def _target(
    made: Routes,
    ingress: Ingress,
    backend: IngressBackend,
    services: Mapping[ServiceKey, Service],
) -> str:
    """The backend's name; notes which port it needs, or why there is none."""
    meta, wanted = ingress.metadata, backend.service
    if wanted is None:
        made.unrouted.append(Unrouted(meta.namespace, meta.name, "resource backends lead nowhere"))
        return NO_BACKEND
    service = services.get((meta.namespace, wanted.name))
    if service is None or service.spec.type == "ExternalName":
        why = "is not there" if service is None else "is of type ExternalName, which has no pods"
        text = f"service {wanted.name} {why}"
        made.unrouted.append(Unrouted(meta.namespace, meta.name, text))
        return NO_BACKEND
    for port in service.spec.ports:
        same = (
            port.name == wanted.port.name if wanted.port.name else port.port == wanted.port.number
        )
        if same and port.protocol == "TCP":
            name = backend_name(service, port)
            made.ports[name] = (service, port)
            return name
    text = f"service {wanted.name} has no port {wanted.port.name or wanted.port.number}"
    made.unrouted.append(Unrouted(meta.namespace, meta.name, text))
    return NO_BACKEND
