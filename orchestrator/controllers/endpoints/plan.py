"""The endpoints of a Service: where each of its pods is really reached. Pure.

A pod is reached at its host's address and the host port that its container port is published at
(annotation `orch.dev/published-ports`); with hostNetwork at the container port itself. So every
pod has port numbers of its own, and there is one EndpointSlice for each distinct set of them.

Source: Kubernetes API, discovery.k8s.io/v1 EndpointSlice, core/v1 Endpoints.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from orchestrator.api.metadata import SUFFIX_ALPHABET
from orchestrator.api.names import POD_PORTS, SLICE_MANAGED_BY, SLICE_SERVICE
from orchestrator.api.types.pod import Pod
from orchestrator.api.types.service import Service, ServicePort
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Create, Delete, Intent, Patch, Record
from orchestrator.reconcile.pods import has_ended, is_ready
from orchestrator.reconcile.snapshot import view_as
from orchestrator.store.objects import Document, StoredObject

COMPONENT: Final = "endpointslice-controller"
SLICES: Final = "endpointslices.discovery.k8s.io"
ENDPOINTS: Final = "endpoints"
MANAGER: Final = "endpointslice-controller.k8s.io"
ENDPOINTS_MANAGER: Final = "endpoint-controller"
_ENDPOINTS_MANAGED_BY: Final = "endpoints.kubernetes.io/managed-by"
_HEADLESS: Final = "service.kubernetes.io/headless"
_SUFFIX: Final = 8

Ports = tuple[tuple[str, int, str, str], ...]
"""(name, number, protocol, appProtocol) of each port of a slice."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        service: the Service.
        pods: pods of its namespace that its selector matches.
        slices: EndpointSlices that carry its name.
        endpoints: the Endpoints object of its name.
    """

    service: StoredObject
    pods: Sequence[StoredObject]
    slices: Sequence[StoredObject]
    endpoints: StoredObject | None


@dataclass(frozen=True, slots=True)
class _Target:
    pod: StoredObject
    address: str
    ports: Ports
    ready: bool
    serving: bool
    terminating: bool


def plan(facts: Facts) -> list[Intent]:
    """Deletes, patches and creates of slices, the Endpoints object, and what to tell the user.

    Nothing for a Service without selector, whose endpoints are its user's business.
    """
    service = view_as(facts.service, Service)
    if not service.spec.selector or service.spec.type == "ExternalName":
        return []
    if owners.is_deleting(facts.service):
        return []
    targets: list[_Target] = []
    told: list[Intent] = []
    for pod in sorted(facts.pods, key=lambda item: item.key):
        target, missing = _target(service, pod)
        if target is not None:
            targets.append(target)
        told += [_undeclared(facts.service, pod, port) for port in missing]
    return [*_slices(facts, service, targets), *_endpoints(facts, targets), *told]


# ---------------------------------------------------------------- where a pod is reached


def _target(service: Service, item: StoredObject) -> tuple[_Target | None, list[ServicePort]]:
    """How the Service reaches a pod (None: it does not yet), and ports that it never will."""
    pod = view_as(item, Pod)
    if has_ended(pod) or not pod.status.host_ip:
        return None, []
    published = _published(pod)
    if published is None and not pod.spec.host_network:
        return None, []
    found: list[tuple[str, int, str, str]] = []
    missing: list[ServicePort] = []
    for port in service.spec.ports:
        number = _container_port(pod, port)
        if number is not None and not pod.spec.host_network:
            number = (published or {}).get(f"{number}/{port.protocol}")
        if number is None:
            missing.append(port)
        else:
            found.append((port.name, number, port.protocol, port.app_protocol))
    if service.spec.ports and not found:
        return None, missing
    terminating = owners.is_deleting(item)
    ready = is_ready(pod)
    anyhow = service.spec.publish_not_ready_addresses
    target = _Target(
        pod=item,
        address=pod.status.host_ip,
        ports=tuple(sorted(found)),
        ready=anyhow or (ready and not terminating),
        serving=ready,
        terminating=terminating,
    )
    return target, missing


def _published(pod: Pod) -> Mapping[str, int] | None:
    """The published-ports annotation; None before the pod's host has written it."""
    text = (pod.metadata.annotations or {}).get(POD_PORTS)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, int])
    except msgspec.DecodeError:
        return None  # not from a session of ours: the pod counts as not reachable


def _container_port(pod: Pod, port: ServicePort) -> int | None:
    """The container port that a Service's port leads to; None when a name is not found."""
    target = port.target_port or port.port
    if isinstance(target, int):
        return target
    sidecars = [c for c in pod.spec.init_containers if c.restart_policy == "Always"]
    for container in (*pod.spec.containers, *sidecars):
        for declared in container.ports:
            if declared.name == target and declared.protocol == port.protocol:
                return declared.container_port
    return None


def _undeclared(service: StoredObject, pod: StoredObject, port: ServicePort) -> Record:
    target = port.target_port or port.port
    what = f"no port named {target}" if isinstance(target, str) else f"no containerPort {target}"
    return Record(
        service.key,
        "Warning",
        "TargetPortNotDeclared",
        f"pod {pod.key.name} declares {what}/{port.protocol}, which port {port.port} of this "
        "service leads to; pods are reached at the ports that their containers declare",
        COMPONENT,
    )


# ---------------------------------------------------------------- EndpointSlices


def _slices(facts: Facts, service: Service, targets: Sequence[_Target]) -> list[Intent]:
    wanted: dict[tuple[str, Ports], list[_Target]] = {}
    for target in targets:
        family = "IPv6" if ":" in target.address else "IPv4"
        wanted.setdefault((family, target.ports), []).append(target)
    labels = _labels(service)
    deletes: list[Intent] = []
    changes: list[Intent] = []
    for item in facts.slices:
        if (item.doc["metadata"].get("labels") or {}).get(SLICE_MANAGED_BY) != MANAGER:
            continue
        if owners.is_deleting(item):
            continue
        members = wanted.pop((item.doc.get("addressType", ""), _ports_of(item)), None)
        if members is None or owners.controller_uid(item) != facts.service.uid:
            deletes.append(Delete(item.key, uid=item.uid))
        else:
            changes += _changed(item, members, labels)
    for (family, ports), members in wanted.items():
        document = _slice(facts.service, family, ports, members, labels)
        changes.append(Create(SLICES, facts.service.key.namespace, document))
    return [*deletes, *changes]


def _labels(service: Service) -> dict[str, str]:
    labels = dict(service.metadata.labels or {})
    labels[SLICE_SERVICE] = service.metadata.name
    labels[SLICE_MANAGED_BY] = MANAGER
    if service.spec.cluster_ip == "None":
        labels[_HEADLESS] = ""
    return labels


def _ports_of(item: StoredObject) -> Ports:
    return tuple(
        sorted(
            (p.get("name") or "", p.get("port", 0), p.get("protocol") or "TCP",
             p.get("appProtocol") or "")
            for p in item.doc.get("ports") or ()
        )
    )  # fmt: skip


def _changed(
    item: StoredObject, members: Sequence[_Target], labels: Mapping[str, str]
) -> list[Intent]:
    change: Document = {}
    endpoints = [_endpoint(target) for target in members]
    if item.doc.get("endpoints") != endpoints:
        change["endpoints"] = endpoints
    current = item.doc["metadata"].get("labels") or {}
    relabel = {k: v for k, v in labels.items() if current.get(k) != v}
    relabel_all = {**relabel, **{k: None for k in current if k not in labels}}
    if relabel_all:
        change["metadata"] = {"labels": relabel_all}
    return [Patch(item.key, change, uid=item.uid)] if change else []


def _slice(
    service: StoredObject,
    family: str,
    ports: Ports,
    members: Sequence[_Target],
    labels: Mapping[str, str],
) -> Document:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service.key.name}-{_digest(family, ports)}",
            "generateName": f"{service.key.name}-",
            "namespace": service.key.namespace,
            "labels": dict(labels),
            "ownerReferences": [owners.controller_reference(service)],
        },
        "addressType": family,
        "endpoints": [_endpoint(target) for target in members],
        "ports": [_port(port) for port in ports],
    }


def _digest(family: str, ports: Ports) -> str:
    digest = hashlib.sha256(repr((family, ports)).encode()).digest()
    return "".join(SUFFIX_ALPHABET[byte % len(SUFFIX_ALPHABET)] for byte in digest[:_SUFFIX])


def _port(port: tuple[str, int, str, str]) -> Document:
    name, number, protocol, app_protocol = port
    made: Document = {"name": name, "port": number, "protocol": protocol}
    if app_protocol:
        made["appProtocol"] = app_protocol
    return made


def _endpoint(target: _Target) -> Document:
    return {
        "addresses": [target.address],
        "conditions": {
            "ready": target.ready,
            "serving": target.serving,
            "terminating": target.terminating,
        },
        "nodeName": view_as(target.pod, Pod).spec.node_name,
        "targetRef": _reference(target.pod),
    }


def _reference(pod: StoredObject) -> Document:
    return {
        "kind": "Pod",
        "namespace": pod.key.namespace,
        "name": pod.key.name,
        "uid": pod.uid,
    }


# ---------------------------------------------------------------- Endpoints


def _endpoints(facts: Facts, targets: Sequence[_Target]) -> list[Intent]:
    subsets = _subsets(targets)
    labels = {
        **(view_as(facts.service, Service).metadata.labels or {}),
        _ENDPOINTS_MANAGED_BY: ENDPOINTS_MANAGER,
    }
    item = facts.endpoints
    if item is None:
        document: Document = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {
                "name": facts.service.key.name,
                "namespace": facts.service.key.namespace,
                "labels": labels,
                "ownerReferences": [owners.controller_reference(facts.service)],
            },
        }
        if subsets:
            document["subsets"] = subsets
        return [Create(ENDPOINTS, facts.service.key.namespace, document)]
    if owners.is_deleting(item):
        return []
    change: Document = {}
    if (item.doc.get("subsets") or []) != subsets:
        change["subsets"] = subsets or None
    meta: Document = {}
    if (item.doc["metadata"].get("labels") or {}) != labels:
        current = item.doc["metadata"].get("labels") or {}
        meta["labels"] = {**labels, **{k: None for k in current if k not in labels}}
    if owners.controller_uid(item) != facts.service.uid:
        meta["ownerReferences"] = [owners.controller_reference(facts.service)]
    if meta:
        change["metadata"] = meta
    return [Patch(item.key, change, uid=item.uid)] if change else []


def _subsets(targets: Sequence[_Target]) -> list[Document]:
    """Subsets in order of their ports; pods that are being deleted are in none."""
    by_ports: dict[Ports, tuple[list[Document], list[Document]]] = {}
    for target in targets:
        if target.terminating:
            continue
        ready, not_ready = by_ports.setdefault(target.ports, ([], []))
        (ready if target.ready else not_ready).append({
            "ip": target.address,
            "nodeName": view_as(target.pod, Pod).spec.node_name,
            "targetRef": _reference(target.pod),
        })  # fmt: skip
    subsets: list[Document] = []
    for ports, (ready, not_ready) in sorted(by_ports.items()):
        subset: Document = {}
        if ready:
            subset["addresses"] = ready
        if not_ready:
            subset["notReadyAddresses"] = not_ready
        if ports:
            subset["ports"] = [_named(_port(port)) for port in ports]
        subsets.append(subset)
    return subsets


def _named(port: Document) -> Document:
    return {key: value for key, value in port.items() if value}
