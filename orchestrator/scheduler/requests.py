"""What pods ask of a host: amounts of resources, and ports. Pure.

Source: Kubernetes concepts, "Resource Management for Pods and Containers", "Sidecar Containers"
(how init containers count), "Pod Overhead".
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestrator.api import quantity
from orchestrator.api.types.container import Container
from orchestrator.api.types.pod import Pod

CPU: Final = "cpu"
MEMORY: Final = "memory"
PODS: Final = "pods"

Amounts = Mapping[str, int]
"""Resource name to amount: cpu in thousandths, everything else in whole units (bytes)."""

HostPort = tuple[str, str, int]
"""(address, protocol, port); address "0.0.0.0" for all."""

USUAL: Final = {CPU: 100, MEMORY: 200 * 1024 * 1024}
"""What a pod that asks for nothing counts as when hosts are compared, as in Kubernetes."""

_ANY_ADDRESS: Final = "0.0.0.0"  # Kubernetes' word for every address


def amounts(quantities: Mapping[str, Any]) -> dict[str, int]:
    """Quantities by resource name as numbers."""
    return {
        name: quantity.parse_cpu_mcpu(value) if name == CPU else quantity.parse_bytes(value)
        for name, value in quantities.items()
    }


def shown(name: str, amount: int) -> str:
    """An amount of a resource as people write it."""
    if name == CPU:
        return quantity.format_mcpu(amount)
    return (
        quantity.format_bytes(amount)
        if name in {MEMORY, "ephemeral-storage"} or name.startswith("hugepages-")
        else str(amount)
    )


def pod_requests(pod: Pod) -> dict[str, int]:
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
    for name, amount in amounts(pod.spec.overhead or {}).items():
        total[name] = total.get(name, 0) + amount
    return {name: amount for name, amount in sorted(total.items()) if amount}


def _requests(container: Container) -> dict[str, int]:
    asked = amounts(container.resources.requests or {})
    for name, limit in amounts(container.resources.limits or {}).items():
        asked.setdefault(name, limit)
    return asked


def host_ports(pod: Pod) -> frozenset[HostPort]:
    """Ports of the host that a pod takes."""
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
