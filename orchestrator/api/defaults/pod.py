"""Defaults of pods and pod templates.

Source: Kubernetes API, core/v1 PodSpec, Container, Probe, Volume (SetDefaults_*).
"""

from collections.abc import Iterator
from typing import Any, Final

from orchestrator.api import names, quantity

Document = dict[str, Any]

FILE_MODE: Final = 0o644
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_GATED: Final = {
    "type": "PodScheduled",
    "status": "False",
    "lastProbeTime": None,
    "lastTransitionTime": None,
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}
_HOOKS: Final = ("postStart", "preStop")


def default_pod(document: Document) -> None:
    """A Pod: its spec, requests from limits, the phase and the quality-of-service class."""
    spec = document.setdefault("spec", {})
    default_pod_spec(spec)
    for container in containers(spec):
        _requests_from_limits(container)
    spec.setdefault("priority", 0)
    status = document.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", qos_class(spec))
    if spec.get("schedulingGates") and not status.get("conditions"):
        status["conditions"] = [dict(_GATED)]


def default_tolerations(document: Document, seconds: int) -> None:
    """Tolerations of a lost host, for pods that say nothing about it.

    Args:
        document: the Pod.
        seconds: how long such a pod stays bound to a host that is not ready or unreachable.

    Source: Kubernetes' DefaultTolerationSeconds admission.
    """
    tolerations = document["spec"].setdefault("tolerations", [])
    for key in (names.TAINT_NOT_READY, names.TAINT_UNREACHABLE):
        if not any(_tolerates(toleration, key) for toleration in tolerations):
            tolerations.append({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": seconds,
            })  # fmt: skip


def default_pod_spec(spec: Document) -> None:
    """The spec of a Pod or of a template."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for container in containers(spec):
        _container(container, host_network=spec.get("hostNetwork") is True)
    for container in spec.get("ephemeralContainers") or ():
        _container(container, host_network=False)
    for volume in spec.get("volumes") or ():
        _volume(volume)


def containers(spec: Document) -> Iterator[Document]:
    """Init containers, then containers."""
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def pull_policy(image: str) -> str:
    """Always for the tag "latest", given or implied; IfNotPresent else, and for digests."""
    if "@" in image:
        return "IfNotPresent"
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return "Always" if not colon or tag == "latest" else "IfNotPresent"


def qos_class(spec: Document) -> str:
    """Guaranteed, Burstable or BestEffort, from the containers' requests and limits."""
    guaranteed, anything = True, False
    for container in containers(spec):
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            limit, request = limits.get(name), requests.get(name, limits.get(name))
            anything = anything or limit is not None or request is not None
            if limit is None or canonical(limit) != canonical(request):
                guaranteed = False
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def canonical(value: Any) -> Any:
    """A quantity in Kubernetes' own form; what is none stays, for validation to name it."""
    try:
        return quantity.canonical(value)
    except ValueError:
        return value


def canonical_map(values: Document | None) -> None:
    """Brings a map of quantities into Kubernetes' own form."""
    for name in values or ():
        values[name] = canonical(values[name])  # type: ignore[index]  # empty when None


def _container(container: Document, *, host_network: bool) -> None:
    container.setdefault("imagePullPolicy", pull_policy(container.get("image", "")))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    resources = container.setdefault("resources", {})
    canonical_map(resources.get("limits"))
    canonical_map(resources.get("requests"))
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if host_network and not port.get("hostPort") and "containerPort" in port:
            port["hostPort"] = port["containerPort"]
    for kind in _PROBES:
        probe = container.get(kind)
        if probe is not None:
            _probe(probe)
    for kind in _HOOKS:
        _http_get((container.get("lifecycle") or {}).get(kind))
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        if "fieldRef" in source:
            source["fieldRef"].setdefault("apiVersion", "v1")
        if "resourceFieldRef" in source:
            reference = source["resourceFieldRef"]
            reference["divisor"] = canonical(reference.get("divisor", "0"))


def _probe(probe: Document) -> None:
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)
    _http_get(probe)
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _http_get(handler: Document | None) -> None:
    action = (handler or {}).get("httpGet")
    if action is not None:
        action.setdefault("path", "/")
        action.setdefault("scheme", "HTTP")


def _volume(volume: Document) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for kind in ("configMap", "secret", "downwardAPI", "projected"):
        if kind in volume:
            volume[kind].setdefault("defaultMode", FILE_MODE)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    size = (volume.get("emptyDir") or {}).get("sizeLimit")
    if size is not None:
        volume["emptyDir"]["sizeLimit"] = canonical(size)


def _requests_from_limits(container: Document) -> None:
    resources = container["resources"]
    limits = resources.get("limits")
    if limits:
        requests = resources.setdefault("requests", {})
        for name, value in limits.items():
            requests.setdefault(name, value)


def _tolerates(toleration: Document, key: str) -> bool:
    same_key = toleration.get("key") == key
    everything = not toleration.get("key") and toleration.get("operator") == "Exists"
    return (same_key or everything) and toleration.get("effect", "") in {"", "NoExecute"}
