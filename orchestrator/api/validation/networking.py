"""Ingresses, IngressClasses and NetworkPolicies.

Source: Kubernetes pkg/apis/networking/validation.
"""

import ipaddress
import re
from typing import Any, Final

from orchestrator.api import metadata
from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.container import PROTOCOLS
from orchestrator.api.validation.meta import validate_selector

Document = dict[str, Any]

_PATH_TYPES: Final = frozenset({"Exact", "Prefix", "ImplementationSpecific"})
_BAD_SEQUENCES: Final = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDS: Final = ("/..", "/.")
_POLICY_TYPES: Final = frozenset({"Ingress", "Egress"})
_LONGEST_CONTROLLER: Final = 250
_CONTROLLER: Final = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")


def validate_ingress(faults: Faults, document: Document) -> None:
    """An Ingress' spec."""
    spec = document.get("spec") or {}
    rules = spec.get("rules") or ()
    if not rules and not spec.get("defaultBackend"):
        text = "either `defaultBackend` or `rules` must be specified"
        faults.invalid("spec", list(rules), text)
    if spec.get("defaultBackend"):
        _backend(faults, "spec.defaultBackend", spec["defaultBackend"])
    name = spec.get("ingressClassName")
    if name is not None:
        faults.check_words("spec.ingressClassName", name, metadata.is_subdomain(name))
    for index, entry in enumerate(spec.get("tls") or ()):
        for number, host in enumerate(entry.get("hosts") or ()):
            _host(faults, f"spec.tls[{index}].hosts[{number}]", host)
    for index, rule in enumerate(rules):
        _rule(faults, f"spec.rules[{index}]", rule)


def validate_ingress_class(faults: Faults, document: Document) -> None:
    """An IngressClass' spec."""
    controller = (document.get("spec") or {}).get("controller", "")
    path = "spec.controller"
    if not controller:
        faults.required(path)
        return
    if len(controller) > _LONGEST_CONTROLLER:
        faults.too_long(path, _LONGEST_CONTROLLER)
    domain, slash, rest = controller.partition("/")
    if not slash or not rest:
        text = 'must be a domain-prefixed path (such as "acme.io/foo")'
        faults.invalid(path, controller, text)
        return
    faults.check_words(path, domain, metadata.is_subdomain(domain))
    if not _CONTROLLER.fullmatch(rest):
        faults.invalid(path, rest, "Invalid path")


def validate_ingress_class_update(faults: Faults, new: Document, old: Document) -> None:
    """The controller stays."""
    after, before = new.get("spec") or {}, old.get("spec") or {}
    faults.check_immutable("spec.controller", after.get("controller"), before.get("controller"))


def validate_network_policy(faults: Faults, document: Document) -> None:
    """A NetworkPolicy's spec."""
    spec = document.get("spec") or {}
    validate_selector(faults, "spec.podSelector", spec.get("podSelector") or {})
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            here = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                _policy_port(faults, f"{here}.ports[{number}]", port)
            for number, peer in enumerate(rule.get(peers) or ()):
                _peer(faults, f"{here}.{peers}[{number}]", peer)
    types = spec.get("policyTypes") or ()
    if len(types) > len(_POLICY_TYPES):
        faults.invalid("spec.policyTypes", types, "may not specify more than two policyTypes")
        return
    for index, kind in enumerate(types):
        if kind not in _POLICY_TYPES:
            faults.unsupported(f"spec.policyTypes[{index}]", kind, _POLICY_TYPES)


def _rule(faults: Faults, path: str, rule: Document) -> None:
    host = rule.get("host", "")
    if host:
        _host(faults, f"{path}.host", host)
    if "http" not in rule:
        return
    paths = rule["http"].get("paths") or ()
    if not paths:
        faults.required(f"{path}.http.paths")
    for index, item in enumerate(paths):
        here = f"{path}.http.paths[{index}]"
        _path(faults, here, item)
        _backend(faults, f"{here}.backend", item.get("backend") or {})


def _host(faults: Faults, path: str, host: str) -> None:
    try:
        ipaddress.ip_address(host)
        faults.invalid(path, host, "must be a DNS name, not an IP address")
    except ValueError:
        name = host.removeprefix("*.") if host.startswith("*.") else host
        faults.check_words(path, host, metadata.is_subdomain(name))


def _path(faults: Faults, path: str, item: Document) -> None:
    kind, value = item.get("pathType"), item.get("path", "")
    if not kind:
        faults.required(f"{path}.pathType", "pathType must be specified")
        return
    if kind not in _PATH_TYPES:
        faults.unsupported(f"{path}.pathType", kind, _PATH_TYPES)
        return
    if kind == "ImplementationSpecific" and not value:
        return
    if not value.startswith("/"):
        faults.invalid(f"{path}.path", value, "must be an absolute path")
    if kind == "ImplementationSpecific":
        return
    for text in _BAD_SEQUENCES:
        if text in value:
            faults.invalid(f"{path}.path", value, f"must not contain '{text}'")
    for text in _BAD_ENDS:
        if value.endswith(text):
            faults.invalid(f"{path}.path", value, f"cannot end with '{text}'")


def _backend(faults: Faults, path: str, backend: Document) -> None:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        faults.invalid(path, "", "cannot set both resource and service backends")
        return
    if resource is not None:
        for field in ("kind", "name"):
            if not resource.get(field):
                faults.required(f"{path}.resource.{field}")
        return
    if service is None:
        faults.required(path, "resource or service backend is required")
        return
    name = service.get("name", "")
    if not name:
        faults.required(f"{path}.service.name")
    else:
        faults.check_words(f"{path}.service.name", name, metadata.is_label_1035(name))
    port = service.get("port") or {}
    if port.get("name") and port.get("number"):
        faults.invalid(path, "", "cannot set both port name & port number")
    elif port.get("name"):
        here = f"{path}.service.port.name"
        faults.check_words(here, port["name"], metadata.is_port_name(port["name"]))
    elif port.get("number"):
        faults.check_port(f"{path}.service.port.number", port["number"])
    else:
        faults.required(path, "port name or number is required")


def _policy_port(faults: Faults, path: str, port: Document) -> None:
    protocol, number, end = port.get("protocol", "TCP"), port.get("port"), port.get("endPort")
    if protocol not in PROTOCOLS:
        faults.unsupported(f"{path}.protocol", protocol, PROTOCOLS)
    if isinstance(number, int):
        faults.check_port(f"{path}.port", number)
        if end is not None:
            if end < number:
                text = "must be greater than or equal to `port`"
                faults.invalid(f"{path}.endPort", end, text)
            faults.check_port(f"{path}.endPort", end)
        return
    if number is not None:
        faults.check_words(f"{path}.port", number, metadata.is_port_name(number))
    if end is not None:
        text = (
            "may not be specified when `port` is not specified"
            if number is None
            else "may not be specified when `port` is non-numeric"
        )
        faults.invalid(f"{path}.endPort", end, text)


def _peer(faults: Faults, path: str, peer: Document) -> None:
    block = peer.get("ipBlock")
    selectors = [field for field in ("podSelector", "namespaceSelector") if field in peer]
    if block is None and not selectors:
        faults.required(path, "must specify a peer")
    elif block is not None and selectors:
        faults.forbidden(path, "may not specify both ipBlock and another peer")
    for field in selectors:
        validate_selector(faults, f"{path}.{field}", peer[field])
    if block is not None:
        _block(faults, f"{path}.ipBlock", block)


def _block(faults: Faults, path: str, block: Document) -> None:
    cidr = block.get("cidr", "")
    if not cidr:
        faults.required(f"{path}.cidr")
        return
    outer = _network(faults, f"{path}.cidr", cidr)
    for index, text in enumerate(block.get("except") or ()):
        inner = _network(faults, f"{path}.except[{index}]", text)
        if inner is None or outer is None:
            continue
        inside = inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # same version
        if not inside or inner.prefixlen == outer.prefixlen:
            why = f"must be a strict subset of `cidr` ({cidr})"
            faults.invalid(f"{path}.except[{index}]", text, why)


def _network(
    faults: Faults, path: str, text: str
) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        words = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        faults.invalid(path, text, words)
        return None
