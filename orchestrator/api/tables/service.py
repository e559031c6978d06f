"""Rows of Services, Endpoints and EndpointSlices. Source: pkg/printers/internalversion."""

from typing import Any, Final

from orchestrator.api.tables.cells import (
    AGE,
    NAME,
    NONE,
    UNSET,
    Cell,
    Column,
    Document,
    age_of,
    joined_labels,
    shortened,
)

SERVICE_COLUMNS: Final = (
    NAME,
    Column("Type", description="How the service is exposed."),
    Column("Cluster-IP", description="Its address within the cluster."),
    Column("External-IP", description="Its addresses outside."),
    Column("Port(s)", description="Its ports, with node ports."),
    AGE,
    Column("Selector", wide=True, description="Which pods it leads to."),
)
ENDPOINTS_COLUMNS: Final = (NAME, Column("Endpoints", description="Addresses and ports."), AGE)
SLICE_COLUMNS: Final = (
    NAME,
    Column("AddressType", description="IPv4, IPv6 or FQDN."),
    Column("Ports", description="Port numbers."),
    Column("Endpoints", description="Addresses."),
    AGE,
)


def service_cells(service: Document, now_s: float) -> list[Cell]:
    """One Service's row."""
    spec = service.get("spec") or {}
    return [
        service["metadata"]["name"],
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or NONE,
        _external(spec, service.get("status") or {}),
        ",".join(_port(port) for port in spec.get("ports") or ()) or NONE,
        age_of(service, now_s),
        joined_labels(spec.get("selector")),
    ]


def endpoints_cells(endpoints: Document, now_s: float) -> list[Cell]:
    """One Endpoints object's row."""
    listed: list[str] = []
    for subset in endpoints.get("subsets") or ():
        ports = subset.get("ports") or ()
        for address in subset.get("addresses") or ():
            ip = address.get("ip", "")
            listed += [f"{ip}:{port.get('port')}" for port in ports] or [ip]
    name = endpoints["metadata"]["name"]
    return [name, shortened(listed) or NONE, age_of(endpoints, now_s)]


def slice_cells(endpoint_slice: Document, now_s: float) -> list[Cell]:
    """One EndpointSlice's row."""
    ports = [str(port.get("port", "*")) for port in endpoint_slice.get("ports") or ()]
    addresses = [
        address
        for endpoint in endpoint_slice.get("endpoints") or ()
        for address in endpoint.get("addresses") or ()
    ]
    return [
        endpoint_slice["metadata"]["name"],
        endpoint_slice.get("addressType", ""),
        shortened(ports) or UNSET,
        shortened(addresses) or UNSET,
        age_of(endpoint_slice, now_s),
    ]


def _external(spec: dict[str, Any], status: dict[str, Any]) -> str:
    given = list(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "ExternalName":
            return spec.get("externalName") or NONE
        case "LoadBalancer":
            ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
            found = dict.fromkeys(one.get("ip") or one.get("hostname") or "" for one in ingress)
            return ",".join([*found, *given]) or "<pending>"
        case _:
            return ",".join(given) or NONE


def _port(port: dict[str, Any]) -> str:
    node_port = port.get("nodePort")
    middle = f":{node_port}" if node_port else ""
    return f"{port.get('port')}{middle}/{port.get('protocol', 'TCP')}"
