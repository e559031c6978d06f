"""Services, EndpointSlices and Endpoints.

Source: Kubernetes pkg/apis/core/validation (ValidateService), pkg/apis/discovery/validation.
"""

import ipaddress
from typing import Any, Final

from orchestrator.api import metadata
from orchestrator.api.validation.collector import IMMUTABLE, Faults
from orchestrator.api.validation.container import PROTOCOLS
from orchestrator.api.validation.meta import validate_labels

Document = dict[str, Any]

_TYPES: Final = frozenset({"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"})
_AFFINITIES: Final = frozenset({"None", "ClientIP"})
_POLICIES: Final = frozenset({"Cluster", "Local"})
_ADDRESS_TYPES: Final = frozenset({"IPv4", "IPv6", "FQDN"})
_HEADLESS: Final = "None"
_NO_ADDRESS: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_MOST_ENDPOINTS: Final = 1000
_MOST_PORTS: Final = 100


def validate_service(faults: Faults, document: Document) -> None:
    """A Service's spec."""
    spec = document["spec"]
    kind = spec.get("type", "")
    if kind not in _TYPES:
        faults.unsupported("spec.type", kind, _TYPES)
    headless = spec.get("clusterIP") == _HEADLESS
    if kind == "ExternalName":
        _external_name(faults, spec)
    elif not spec.get("ports") and not headless:
        faults.required("spec.ports")
    if headless and kind in {"NodePort", "LoadBalancer"}:
        faults.invalid(
            "spec.clusterIPs[0]",
            _HEADLESS,
            f"may not be set to 'None' for {kind} services",
        )
    validate_labels(faults, "spec.selector", spec.get("selector"))
    _ports(faults, spec.get("ports") or (), kind)
    affinity = spec.get("sessionAffinity", "None")
    if affinity not in _AFFINITIES:
        faults.unsupported("spec.sessionAffinity", affinity, _AFFINITIES)
    for field in ("externalTrafficPolicy", "internalTrafficPolicy"):
        policy = spec.get(field, "Cluster")
        if policy not in _POLICIES:
            faults.unsupported(f"spec.{field}", policy, _POLICIES)
    if kind not in {"NodePort", "LoadBalancer"} and spec.get("externalTrafficPolicy"):
        faults.invalid(
            "spec.externalTrafficPolicy",
            spec["externalTrafficPolicy"],
            "may only be set for externally-accessible services",
        )


def validate_service_update(faults: Faults, new: Document, old: Document) -> None:
    """An address that was handed out stays."""
    after, before = new["spec"], old.get("spec") or {}
    if "ExternalName" in {after.get("type"), before.get("type")}:
        return
    was = before.get("clusterIP", "")
    if was and after.get("clusterIP", "") != was:
        shown = [after.get("clusterIP", "")]
        faults.invalid("spec.clusterIPs[0]", shown, "may not change once set")
        faults.invalid("spec.clusterIP", shown[0], IMMUTABLE)


def validate_endpoint_slice(faults: Faults, document: Document) -> None:
    """An EndpointSlice."""
    kind = document.get("addressType", "")
    faults.check_choice("addressType", kind, _ADDRESS_TYPES)
    endpoints, ports = document.get("endpoints") or (), document.get("ports") or ()
    if len(endpoints) > _MOST_ENDPOINTS:
        faults.forbidden("endpoints", f"must have at most {_MOST_ENDPOINTS} items")
    for index, endpoint in enumerate(endpoints):
        here = f"endpoints[{index}].addresses"
        addresses = endpoint.get("addresses") or ()
        if not addresses:
            faults.required(here, "must contain at least 1 item")
        for position, address in enumerate(addresses):
            _address(faults, f"{here}[{position}]", address, kind)
    names: set[str] = set()
    for index, port in enumerate(ports):
        name = port.get("name", "")
        if name in names:
            faults.duplicate(f"ports[{index}].name", name)
        names.add(name)
        if name:
            faults.check_words(f"ports[{index}].name", name, metadata.is_label(name))
        protocol = port.get("protocol", "TCP")
        if protocol not in PROTOCOLS:
            faults.unsupported(f"ports[{index}].protocol", protocol, PROTOCOLS)
        if port.get("port") is not None:
            faults.check_port(f"ports[{index}].port", port["port"])
    if len(ports) > _MOST_PORTS:
        faults.forbidden("ports", f"must have at most {_MOST_PORTS} items")


def validate_endpoint_slice_update(faults: Faults, new: Document, old: Document) -> None:
    """A slice's address type stays."""
    faults.check_immutable("addressType", new.get("addressType"), old.get("addressType"))


def validate_endpoints(faults: Faults, document: Document) -> None:
    """An Endpoints object."""
    for index, subset in enumerate(document.get("subsets") or ()):
        here = f"subsets[{index}]"
        listed = [*(subset.get("addresses") or ()), *(subset.get("notReadyAddresses") or ())]
        if not listed:
            faults.required(here, "must specify `addresses` or `notReadyAddresses`")
        for address in listed:
            _address(faults, f"{here}.addresses.ip", address.get("ip", ""), "IPv4")
        for position, port in enumerate(subset.get("ports") or ()):
            faults.check_port(f"{here}.ports[{position}].port", port.get("port", 0))


def _ports(faults: Faults, ports: Any, kind: str) -> None:
    names: set[str] = set()
    seen: set[tuple[str, int]] = set()
    node_ports: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        here = f"spec.ports[{index}]"
        name, protocol = port.get("name", ""), port.get("protocol", "TCP")
        number = port.get("port", 0)
        if not name and len(ports) > 1:
            faults.required(f"{here}.name")
        elif name:
            faults.check_words(f"{here}.name", name, metadata.is_label(name))
            if name in names:
                faults.duplicate(f"{here}.name", name)
            names.add(name)
        faults.check_port(f"{here}.port", number)
        if protocol not in PROTOCOLS:
            faults.unsupported(f"{here}.protocol", protocol, PROTOCOLS)
        if (protocol, number) in seen:
            faults.duplicate(here, {"port": number, "protocol": protocol})
        seen.add((protocol, number))
        _target(faults, f"{here}.targetPort", port.get("targetPort", number))
        node_port = port.get("nodePort", 0)
        if not node_port:
            continue
        if kind not in {"NodePort", "LoadBalancer"}:
            faults.forbidden(f"{here}.nodePort", "may not be used when `type` is 'ClusterIP'")
        if (protocol, node_port) in node_ports:
            faults.duplicate(f"{here}.nodePort", node_port)
        node_ports.add((protocol, node_port))


def _target(faults: Faults, field: str, target: int | str) -> None:
    if isinstance(target, int):
        faults.check_port(field, target)
    else:
        faults.check_words(field, target, metadata.is_port_name(target))


def _external_name(faults: Faults, spec: Document) -> None:
    if spec.get("clusterIP"):
        faults.forbidden("spec.clusterIPs", "may not be set for ExternalName services")
    name = spec.get("externalName", "").removesuffix(".")
    if not name:
        faults.required("spec.externalName")
    else:
        faults.check_words("spec.externalName", name, metadata.is_subdomain(name))


def _address(faults: Faults, field: str, address: str, kind: str) -> None:
    if kind == "FQDN":
        faults.check_words(field, address, metadata.is_subdomain(address))
        return
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        faults.invalid(field, address, _NO_ADDRESS)
        return
    if kind in {"IPv4", "IPv6"} and kind != f"IPv{version}":
        faults.invalid(field, address, f"must be an {kind} address")
