"""Defaults of Services, EndpointSlices and Endpoints.

ClusterIPs and node ports are allocated by the registry, not here.
Source: Kubernetes API, core/v1 and discovery.k8s.io/v1 (SetDefaults_*).
"""

from typing import Any, Final

Document = dict[str, Any]

_OUTSIDE: Final = frozenset({"NodePort", "LoadBalancer"})


def default_service(document: Document) -> None:
    """Type, protocol and target of each port, traffic policies, address family."""
    spec = document.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in {None, 0, ""} and "port" in port:
            port["targetPort"] = port["port"]
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        spec.setdefault("ipFamilies", ["IPv4"])
    if kind in _OUTSIDE:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    document.setdefault("status", {}).setdefault("loadBalancer", {})


def default_endpoint_slice(document: Document) -> None:
    """Each port's name and protocol."""
    document.setdefault("endpoints", [])
    for port in document.setdefault("ports", []):
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def default_endpoints(document: Document) -> None:
    """Each port's protocol."""
    for subset in document.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")
