"""What the scheduler sees of hosts and pods, as frozen values. Pure.

Source: Kubernetes concepts, "Resource Management for Pods and Containers", "Sidecar Containers"
(how init containers count), "Pod Overhead".
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.api import quantity
from orchestrator.api.types.container import Container
from orchestrator.api.types.node import Node, Taint
from orchestrator.api.types.pod import Pod, Toleration
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.reconcile.affinity import Terms, required_terms
from orchestrator.reconcile.pods import condition, has_ended
from orchestrator.reconcile.snapshot import view_as
from orchestrator.store.objects import StoredObject

CPU: Final = "cpu"
MEMORY: Final = "memory"
PODS: Final = "pods"

Amounts = Mapping[str, int]
"""Resource name to amount: cpu in thousandths, everything else in whole units (bytes)."""

HostPort = tuple[str, str, int]
"""(address, protocol, port); address "0.0.0.0" for all."""

_ANY_ADDRESS: Final = "0.0.0.0"  # Kubernetes' word for every address


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod that wants a host, or has one.

    Attributes:
        key: its name.
        uid: its uid.
        requests: what it asks for, all containers together.
        node_name: `spec.nodeName`; "" while unbound.
        node_selector: labels that its host must have.
        tolerations: taints that it bears.
        host_ports: ports of the host that it takes.
        images: images that it needs.
        workload: uid of its controller; "" for a pod of its own.
        scheduler: `spec.schedulerName`.
        priority: higher ones are placed first.
        affinity: terms of the required node affinity, of which one must fit.
        created: creation time; earlier ones are placed first.
    """

    key: ObjectKey
    uid: Uid
    requests: Amounts
    node_name: str = ""
    node_selector: Mapping[str, str] | None = None
    tolerations: Sequence[Toleration] = ()
    host_ports: frozenset[HostPort] = frozenset()
    images: frozenset[str] = frozenset()
    workload: str = ""
    scheduler: str = ""
    priority: int = 0
    affinity: Terms | None = None
    created: str = ""


@dataclass(frozen=True, slots=True)
class NodeView:
    """One host and what is placed on it.

    Attributes:
        name: of the Node.
        ready: its Ready condition is True.
        unschedulable: it is cordoned.
        labels: of the Node.
        taints: all of them.
        allocatable: what pods may use together.
        used: what the pods on it ask for; "pods" counts them.
        nonzero: cpu and memory as `used`, with a usual amount for pods that do not say.
        host_ports: taken ports.
        workloads: pods on it by their controller's uid.
        images: names of images that it has, to size in bytes.
    """

    name: str
    ready: bool
    unschedulable: bool
    labels: Mapping[str, str]
    taints: Sequence[Taint]
    allocatable: Amounts
    used: Amounts
    nonzero: Amounts
    host_ports: frozenset[HostPort]
    workloads: Mapping[str, int]
    images: Mapping[str, int]


USUAL: Final = {CPU: 100, MEMORY: 200 * 1024 * 1024}
"""What a pod that asks for nothing counts as when hosts are compared, as in Kubernetes."""


def pod_view(item: StoredObject) -> PodView:
    """A pod as the scheduler sees it."""
    pod = view_as(item, Pod)
    spec = pod.spec
    controller = pod.metadata.controller
    return PodView(
        key=item.key,
        uid=item.uid,
        requests=pod_requests(pod, spec.overhead or {}),
        node_name=spec.node_name,
        node_selector=spec.node_selector,
        tolerations=spec.tolerations,
        host_ports=_host_ports(pod),
        images=frozenset(c.image for c in (*spec.containers, *spec.init_containers)),
        workload=controller.uid if controller else "",
        scheduler=spec.scheduler_name,
        priority=spec.priority or 0,
        affinity=required_terms(spec.affinity),
        created=pod.metadata.creation_timestamp,
    )


def node_view(item: StoredObject, pods: Iterable[PodView]) -> NodeView:
    """A host as the scheduler sees it, with the pods that are placed on it."""
    node = view_as(item, Node)
    ready = condition(node.status.conditions, "Ready")
    used: Counter[str] = Counter()
    nonzero: Counter[str] = Counter()
    ports: set[HostPort] = set()
    workloads: Counter[str] = Counter()
    for pod in pods:
        used.update(pod.requests)
        used[PODS] += 1
        nonzero.update(nonzero_requests(pod))
        ports |= pod.host_ports
        if pod.workload:
            workloads[pod.workload] += 1
    return NodeView(
        name=item.key.name,
        ready=ready is not None and ready.status == "True",
        unschedulable=node.spec.unschedulable,
        labels=node.metadata.labels or {},
        taints=node.spec.taints,
        allocatable=amounts(node.status.allocatable or node.status.capacity or {}),
        used=used,
        nonzero=nonzero,
        host_ports=frozenset(ports),
        workloads=workloads,
        images={name: image.size_bytes for image in node.status.images for name in image.names},
    )


def takes_room(item: StoredObject) -> bool:
    """Whether a bound pod counts against its host: until its containers have ended."""
    return not has_ended(view_as(item, Pod))


def nonzero_requests(pod: PodView) -> Amounts:
    """Cpu and memory for comparing hosts: a usual amount where the pod asks for nothing."""
    return {name: pod.requests.get(name) or usual for name, usual in USUAL.items()}


def amounts(quantities: Mapping[str, Any]) -> dict[str, int]:
    """Quantities by resource name as numbers."""
    return {
        name: quantity.parse_cpu_mcpu(value) if name == CPU else quantity.parse_bytes(value)
        for name, value in quantities.items()
    }


def pod_requests(pod: Pod, overhead: Mapping[str, Any]) -> dict[str, int]:
    """What a pod needs at its busiest moment.

    Containers and sidecars run together; each init container runs alone beside the sidecars that
    were started before it. The bigger of both counts, by resource, and the overhead on top.
    """
    running: Counter[str] = Counter()
    for container in pod.spec.containers:
        running.update(_requests(container))
    sidecars: Counter[str] = Counter()
    peak: dict[str, int] = {}
    for container in pod.spec.init_containers:
        asked = _requests(container)
        if container.restart_policy == "Always":
            running.update(asked)
            sidecars.update(asked)
            asked = {}
        for name in {*asked, *sidecars}:
            peak[name] = max(peak.get(name, 0), asked.get(name, 0) + sidecars[name])
    total = {name: max(running[name], peak.get(name, 0)) for name in {*running, *peak}}
    for name, amount in amounts(overhead).items():
        total[name] = total.get(name, 0) + amount
    return {name: amount for name, amount in total.items() if amount}


def _requests(container: Container) -> dict[str, int]:
    asked = amounts(container.resources.requests or {})
    for name, limit in amounts(container.resources.limits or {}).items():
        asked.setdefault(name, limit)
    return asked


def _host_ports(pod: Pod) -> frozenset[HostPort]:
    found: set[HostPort] = set()
    for container in (*pod.spec.containers, *pod.spec.init_containers):
        for port in container.ports:
            number = port.host_port or (port.container_port if pod.spec.host_network else 0)
            if number:
                found.add((port.host_ip or _ANY_ADDRESS, port.protocol, number))
    return frozenset(found)


def ports_clash(wanted: Iterable[HostPort], taken: Iterable[HostPort]) -> bool:
    """Whether any of the ports is taken; every address clashes with each single one."""
    by_port: dict[tuple[str, int], set[str]] = {}
    for address, protocol, port in taken:
        by_port.setdefault((protocol, port), set()).add(address)
    for address, protocol, port in wanted:
        others = by_port.get((protocol, port))
        if others and (address == _ANY_ADDRESS or others & {address, _ANY_ADDRESS}):
            return True
    return False
