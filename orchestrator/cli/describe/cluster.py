"""Describes a Node, a Service, and any other kind."""

from typing import Any

from orchestrator.cli.describe.page import Page, age, conditions, heading


def describe_node(
    page: Page, node: dict[str, Any], pods: list[dict[str, Any]], now_s: float
) -> None:
    """A Node with the pods on it."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    heading(page, node)
    page.field("CreationTimestamp", node["metadata"].get("creationTimestamp"))
    taints = [f"{t['key']}={t.get('value', '')}:{t['effect']}" for t in spec.get("taints") or []]
    page.field("Taints", ", ".join(t.replace("=:", ":") for t in taints))
    page.field("Unschedulable", str(spec.get("unschedulable", False)).lower())
    conditions(page, status.get("conditions"), reasons=True)
    page.title("Addresses")
    for address in status.get("addresses") or []:
        page.field(address["type"], address["address"], 1)
    for key in ("capacity", "allocatable"):
        page.title(key.capitalize())
        for name, quantity in sorted((status.get(key) or {}).items()):
            page.field(name, quantity, 1)
    page.title("System Info")
    for name, value in sorted((status.get("nodeInfo") or {}).items()):
        page.field(name[0].upper() + name[1:], value, 1)
    page.title(f"Non-terminated Pods ({len(pods)} in total)")
    rows = [["Namespace", "Name", "CPU Requests", "Memory Requests", "Age"]]
    rows.append(["-" * len(c) for c in rows[0]])
    for pod in pods:
        meta = pod["metadata"]
        wanted = [
            (c.get("resources") or {}).get("requests") or {} for c in pod["spec"]["containers"]
        ]
        cpu = "+".join(str(w["cpu"]) for w in wanted if "cpu" in w) or "0"
        memory = "+".join(str(w["memory"]) for w in wanted if "memory" in w) or "0"
        rows.append(
            [
                meta["namespace"],
                meta["name"],
                cpu,
                memory,
                age(meta.get("creationTimestamp"), now_s),
            ]
        )
    page.table(rows)


def describe_service(page: Page, service: dict[str, Any], slices: list[dict[str, Any]]) -> None:
    """A Service with the endpoints behind it."""
    spec, status = service["spec"], service.get("status") or {}
    heading(page, service)
    page.mapping("Selector", spec.get("selector"))
    page.field("Type", spec.get("type"))
    page.field("IP", spec.get("clusterIP"))
    ingress = (status.get("loadBalancer") or {}).get("ingress") or []
    if ingress:
        found = ", ".join(i.get("ip") or i.get("hostname", "") for i in ingress)
        page.field("LoadBalancer Ingress", found)
    for port in spec.get("ports") or []:
        name = port.get("name") or "<unset>"
        page.field("Port", f"{name}  {port['port']}/{port.get('protocol', 'TCP')}")
        page.field("TargetPort", f"{port.get('targetPort')}/{port.get('protocol', 'TCP')}")
        if port.get("nodePort"):
            page.field("NodePort", f"{name}  {port['nodePort']}/{port.get('protocol', 'TCP')}")
        page.field("Endpoints", ",".join(_endpoints(slices, port.get("name") or "")))
    page.field("Session Affinity", spec.get("sessionAffinity"))


def _endpoints(slices: list[dict[str, Any]], name: str) -> list[str]:
    found = []
    for piece in slices:
        for port in piece.get("ports") or []:
            if (port.get("name") or "") != name:
                continue
            for endpoint in piece.get("endpoints") or []:
                if (endpoint.get("conditions") or {}).get("ready", True):
                    found += [f"{a}:{port['port']}" for a in endpoint["addresses"]]
    return sorted(found)


def describe_other(page: Page, document: dict[str, Any]) -> None:
    """Any kind: its heading, then its fields as they are; secret values only by their size."""
    heading(page, document)
    secret = document.get("kind") == "Secret"
    for field, value in document.items():
        if field in {"metadata", "kind", "apiVersion"}:
            continue
        if secret and field == "data":
            page.title("Data")
            for name, text in sorted((value or {}).items()):
                page.field(name, f"{len(text) * 3 // 4 - text.count('=')} bytes", 1)
            continue
        _value(page, field[0].upper() + field[1:], value, 0)


def _value(page: Page, name: str, value: Any, level: int) -> None:
    if isinstance(value, dict) and value:
        page.title(name, level)
        for key, inner in value.items():
            _value(page, key, inner, level + 1)
    elif isinstance(value, list) and value:
        page.title(name, level)
        for inner in value:
            if isinstance(inner, dict):
                for key, part in inner.items():
                    _value(page, key, part, level + 1)
            else:
                page.line(str(inner), level + 1)
    elif isinstance(value, str) and "\n" in value:
        page.title(name, level)
        for text in value.splitlines():
            page.line(text, level + 1)
    else:
        page.field(name, value if value not in ({}, []) else None, level)
