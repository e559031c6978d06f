"""What one object uses of its namespace's quota.

Source: Kubernetes concepts, "Resource Quotas"; pkg/quota/v1/evaluator/core.
"""

from collections.abc import Iterable
from typing import Any, Final

from orchestrator.api.amounts import Amounts, amount, read, whole
from orchestrator.api.metadata import is_qualified_name
from orchestrator.api.quota.pods import pod_total
from orchestrator.kit.clock import parse_rfc3339

Document = dict[str, Any]

QUOTAS: Final = "resourcequotas"
_COUNTED: Final = frozenset({
    "configmaps", "persistentvolumeclaims", "replicationcontrollers", QUOTAS, "secrets", "services",
})  # fmt: skip
"""Kinds that quotas may name without "count/"."""
_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
_MUST_BE_SAID: Final = frozenset({
    "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
})  # fmt: skip
_BETA_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_ONE: Final = whole(1)


def usage_of(resource: str, document: Document, now_s: float) -> Amounts:
    """What an object uses, by the names that quotas have for it; only what is not zero.

    Args:
        resource: group-resource.
        document: with its defaults.
        now_s: wall seconds; pods whose grace is over count no more.
    """
    used = {f"count/{resource}": _ONE}
    if resource in _COUNTED:
        used[resource] = _ONE
    match resource:
        case "pods":
            if not is_over(document, now_s):
                used |= _pod(document.get("spec") or {})
        case "services":
            used |= _service(document.get("spec") or {})
        case "persistentvolumeclaims":
            used |= _claim(document)
        case _:
            pass
    return used


def is_over(pod: Document, now_s: float) -> bool:
    """Whether a pod uses nothing any more: it has ended, or its time to end is over."""
    if (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        return True
    leaves_s = leaves_at_s(pod)
    return leaves_s is not None and leaves_s <= now_s


def leaves_at_s(pod: Document) -> float | None:
    """Wall seconds when a pod's grace is over; None while nobody deletes it."""
    stamp = pod["metadata"].get("deletionTimestamp")
    return parse_rfc3339(stamp) if stamp else None


def unsaid(spec: Document, hard: Document) -> str:
    """What a quota of processors or memory wants every container of a pod to say; "" when fine.

    Gives Kubernetes' words: "must specify limits.cpu for: a,b; requests.cpu for: a".
    """
    required = _MUST_BE_SAID & set(hard)
    missing: dict[str, list[str]] = {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        resources = container.get("resources") or {}
        said = _compute(read(resources.get("requests")), read(resources.get("limits")))
        for name in required - set(said):
            missing.setdefault(name, []).append(container.get("name", ""))
    if not missing:
        return ""
    parts = [f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing)]
    return f"must specify {'; '.join(parts)}"


def is_about_pods(name: str) -> bool:
    """Whether pods use what a quota calls by that name."""
    plain = name.removeprefix("requests.").removeprefix("limits.")
    return (
        name in {"pods", "count/pods"}
        or plain in _COMPUTE
        or plain.startswith("hugepages-")
        or (name.startswith("requests.") and is_extended(plain))
    )


def is_extended(name: str) -> bool:
    """Whether a resource is none of Kubernetes' own: "example.com/gpu"."""
    own = "/" not in name or "kubernetes.io/" in name or name.startswith("requests.")
    return not own and not is_qualified_name(f"requests.{name}")


def concerned(hard: Iterable[str]) -> frozenset[str]:
    """The group-resources whose objects use something that a quota names."""
    found: set[str] = set()
    for name in hard:
        if name.startswith("count/"):
            found.add(name.removeprefix("count/"))
        elif name.startswith("services."):
            found.add("services")
        elif name == "requests.storage" or ".storageclass.storage.k8s.io/" in name:
            found.add("persistentvolumeclaims")
        else:
            found.add("pods" if is_about_pods(name) else name)
    return frozenset(found)


def _pod(spec: Document) -> Amounts:
    return {"pods": _ONE, **_compute(pod_total(spec, "requests"), pod_total(spec, "limits"))}


def _compute(requests: Amounts, limits: Amounts) -> Amounts:
    used: Amounts = {}
    for name, value in requests.items():
        if name in _COMPUTE or name.startswith("hugepages-"):
            used[name] = value
            used[f"requests.{name}"] = value
        elif is_extended(name):
            used[f"requests.{name}"] = value
    for name, value in limits.items():
        if name in _COMPUTE:
            used[f"limits.{name}"] = value
    return used


def _service(spec: Document) -> Amounts:
    ports = whole(len(spec.get("ports") or ()))
    kind = spec.get("type")
    if kind == "NodePort":
        return {"services.nodeports": ports}
    if kind != "LoadBalancer":
        return {}
    used = {"services.loadbalancers": _ONE}
    if spec.get("allocateLoadBalancerNodePorts") is False:
        ports = whole(sum(bool(port.get("nodePort")) for port in spec.get("ports") or ()))
    return {**used, "services.nodeports": ports} if ports.nanos else used


def _claim(claim: Document) -> Amounts:
    spec = claim.get("spec") or {}
    annotations = claim["metadata"].get("annotations") or {}
    storage_class = annotations.get(_BETA_CLASS) or spec.get("storageClassName") or ""
    prefix = f"{storage_class}.storageclass.storage.k8s.io/"
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    size = amount(asked) if asked is not None else None
    used: Amounts = {}
    if storage_class:
        used[f"{prefix}persistentvolumeclaims"] = _ONE
    if size is not None:
        used["requests.storage"] = size
        if storage_class:
            used[f"{prefix}requests.storage"] = size
    return used
