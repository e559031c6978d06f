"""ClusterIPs and node ports: what is free follows from the services that are stored.

Nothing is booked anywhere else, so nothing can leak: a service that is gone has released what it
had. Only the short time between deciding and committing is bridged by reservations. The first
choice follows from the service's name, so a service that is made again gets its address back when
it is free, and one that is deleted does not hand its address to the next at once.

Source: Kubernetes API, core/v1 ServiceSpec.
"""

import ipaddress
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from orchestrator.api.types.service import Service
from orchestrator.kit.errors import Cause, InternalError, ServiceUnavailable
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import faults
from orchestrator.registry.settings import RegistrySettings
from orchestrator.store.objects import Document, StoreEvent
from orchestrator.store.store import Store

HEADLESS: Final = "None"
_RESERVED_OFFSETS: Final = frozenset({0, 1, 10})
_OUTSIDE: Final = frozenset({"NodePort", "LoadBalancer"})

_Port = tuple[str, int]
"""Protocol and node port."""


class ServiceAllocator:
    """Gives services their addresses and ports."""

    def __init__(self, store: Store, settings: RegistrySettings) -> None:
        self._store = store
        self._network = ipaddress.ip_network(settings.service_cidr)
        self._first, self._last = settings.node_port_first, settings.node_port_last
        self._reserved: dict[ObjectKey, tuple[frozenset[str], frozenset[_Port]]] = {}
        store.subscribe(self._committed)

    def assign(self, key: ObjectKey, document: Document) -> Callable[[], None]:
        """Fills in the addresses and ports that a service needs, in place, and reserves them.

        Returns what to call when the write failed or was not made; a write that commits releases
        its reservation itself.

        Raises:
            Invalid: an address or port that was asked for is taken, or cannot be had.
            ServiceUnavailable: none is left.
        """
        spec = document["spec"]
        addresses = self._addresses(key, spec)
        ports = self._ports(key, spec)
        self._reserved[key] = (addresses, ports)
        return lambda: self._release(key)

    def _committed(self, event: StoreEvent) -> None:
        if self._reserved:
            self._release(event.object.key)

    def _release(self, key: ObjectKey) -> None:
        self._reserved.pop(key, None)

    # ------------------------------------------------------------ addresses

    def _addresses(self, key: ObjectKey, spec: dict[str, Any]) -> frozenset[str]:
        if spec["type"] == "ExternalName":
            for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                spec.pop(field, None)
            return frozenset()
        asked = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), "")
        if asked == HEADLESS:
            spec["clusterIP"], spec["clusterIPs"] = HEADLESS, [HEADLESS]
            return frozenset()
        taken = set(self._taken_addresses(key))
        address = self._checked(key, asked, taken) if asked else self._free_address(key, taken)
        spec["clusterIP"], spec["clusterIPs"] = address, [address]
        return frozenset({address})

    def _checked(self, key: ObjectKey, asked: str, taken: set[str]) -> str:
        why = ""
        try:
            address = ipaddress.ip_address(asked)
        except ValueError:
            raise _invalid(key, "spec.clusterIPs[0]", f'"{asked}"', _NO_ADDRESS) from None
        if address not in self._network:
            why = f"the provided IP is not in the valid range: {self._network}"
        elif str(address) in taken:
            why = "provided IP is already allocated"
        if why:
            told = f"failed to allocate IP {asked}: {why}"
            raise _invalid(key, "spec.clusterIPs", f'["{asked}"]', told)
        return str(address)

    def _free_address(self, key: ObjectKey, taken: set[str]) -> str:
        size = self._network.num_addresses
        for offset in _from(f"{key.namespace}/{key.name}", size):
            if offset in _RESERVED_OFFSETS or offset == size - 1:
                continue
            address = str(self._network[offset])
            if address not in taken:
                return address
        raise ServiceUnavailable(f"no address is left in the service range {self._network}")

    def _taken_addresses(self, key: ObjectKey) -> Iterator[str]:
        for service in self._others(key):
            if service.spec.cluster_ip not in {"", HEADLESS}:
                yield service.spec.cluster_ip
        for other, (addresses, _) in self._reserved.items():
            if other != key:
                yield from addresses

    # ------------------------------------------------------------ node ports

    def _ports(self, key: ObjectKey, spec: dict[str, Any]) -> frozenset[_Port]:
        ports = spec.get("ports") or ()
        wanted = spec["type"] in _OUTSIDE
        if spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
            wanted = any(port.get("nodePort") for port in ports)
        if not wanted:
            for port in ports:
                port.pop("nodePort", None)
            return frozenset()
        taken = set(self._taken_ports(key))
        ours: dict[_Port, int] = {}
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                self._check_port(key, index, port, taken)
                ours[port["protocol"], port["nodePort"]] = index
        for index, port in enumerate(ports):
            if not port.get("nodePort"):
                seed = f"{key.namespace}/{key.name}/{port.get('name', '')}/{port['port']}"
                port["nodePort"] = self._free_port(seed, port["protocol"], taken | set(ours))
                ours[port["protocol"], port["nodePort"]] = index
        return frozenset(ours)

    def _check_port(
        self, key: ObjectKey, index: int, port: dict[str, Any], taken: set[_Port]
    ) -> None:
        number = port["nodePort"]
        field = f"spec.ports[{index}].nodePort"
        if not self._first <= number <= self._last:
            told = (
                "provided port is not in the valid range. The range of valid ports is "
                f"{self._first}-{self._last}"
            )
            raise _invalid(key, field, str(number), told)
        if (port["protocol"], number) in taken:
            raise _invalid(key, field, str(number), "provided port is already allocated")

    def _free_port(self, seed: str, protocol: str, taken: Iterable[_Port]) -> int:
        busy = {number for name, number in taken if name == protocol}
        for offset in _from(seed, self._last - self._first + 1):
            if self._first + offset not in busy:
                return self._first + offset
        raise ServiceUnavailable(f"no node port is left in {self._first}-{self._last}")

    def _taken_ports(self, key: ObjectKey) -> Iterator[_Port]:
        for service in self._others(key):
            for port in service.spec.ports:
                if port.node_port:
                    yield port.protocol, port.node_port
        for other, (_, ports) in self._reserved.items():
            if other != key:
                yield from ports

    def _others(self, key: ObjectKey) -> Iterator[Service]:
        for item in self._store.list("services"):
            if item.key != key:
                view = item.view
                if not isinstance(view, Service):
                    raise InternalError(f"{item.key} has a view of {type(view).__name__}")
                yield view


_NO_ADDRESS: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def _invalid(key: ObjectKey, field: str, value: str, why: str) -> Exception:
    cause = Cause("FieldValueInvalid", f"Invalid value: {value}: {why}", field)
    return faults.invalid(faults.resource_of(key.resource), key.name, (cause,))


def _from(seed: str, size: int) -> Iterator[int]:
    """All of 0..size-1, once, beginning at a place that follows from the seed."""
    start = zlib.crc32(seed.encode()) % size
    yield from range(start, size)
    yield from range(start)
