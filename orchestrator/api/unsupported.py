"""Fields that Kubernetes knows and orch does not act on: kept, and named in a warning.

A field leaves this table when something acts on it. Paths are relative to the object (or to the pod
spec): "a.b" steps into objects, "a[]" into every item of a list; a value after "=" means that only
this value is not acted on, "!=" that only this one is (or one of several, between "|").
Source: architecture decision D2.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.custom.definition import definition_warnings
from orchestrator.api.custom.words import CRDS

_CONTAINER: Final = (
    "livenessProbe.grpc",
    "readinessProbe.grpc",
    "startupProbe.grpc",
    "securityContext.appArmorProfile",
    "securityContext.procMount",
    "securityContext.seLinuxOptions",
    "securityContext.seccompProfile",
    "securityContext.windowsOptions",
    "resizePolicy",
    "resources.claims",
    "lifecycle.stopSignal",
    "ports[].hostIP",
    "resources.limits.ephemeral-storage",
    "terminationMessagePath!=/dev/termination-log",
    "terminationMessagePolicy=FallbackToLogsOnError",
    "volumeDevices",
    "volumeMounts[].mountPropagation!=None",
    "volumeMounts[].recursiveReadOnly!=Disabled",
    "volumeMounts[].subPathExpr",
)
_VOLUME: Final = tuple(
    f"volumes[].{kind}"
    for kind in (
        "emptyDir.sizeLimit",
        "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi",
        "downwardAPI", "ephemeral", "fc", "flexVolume", "flocker", "gcePersistentDisk",
        "gitRepo", "glusterfs", "image", "iscsi", "nfs", "persistentVolumeClaim",
        "photonPersistentDisk", "portworxVolume", "projected", "quobyte", "rbd", "scaleIO",
        "storageos", "vsphereVolume",
    )
)  # fmt: skip
_POD_SPEC: Final = (
    "affinity",
    "automountServiceAccountToken=true",
    "hostUsers=false",
    "os",
    "overhead",
    "preemptionPolicy",
    "priorityClassName",
    "readinessGates",
    "resourceClaims",
    "resources",
    "runtimeClassName",
    "schedulerName!=default-scheduler|resource-aware|round-robin",
    "schedulingGates",
    "securityContext.appArmorProfile",
    "securityContext.seLinuxOptions",
    "securityContext.seccompProfile",
    "securityContext.windowsOptions",
    "setHostnameAsFQDN=true",
    "shareProcessNamespace=true",
    "subdomain",
    "topologySpreadConstraints",
    *_VOLUME,
    *(f"containers[].{path}" for path in _CONTAINER),
    *(f"initContainers[].{path}" for path in _CONTAINER),
    *(f"ephemeralContainers[].{path}" for path in _CONTAINER),
)
_WORKLOAD: Final = tuple(f"spec.template.spec.{path}" for path in _POD_SPEC)

UNSUPPORTED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "pods": tuple(f"spec.{path}" for path in _POD_SPEC),
    "deployments.apps": _WORKLOAD,
    "replicasets.apps": _WORKLOAD,
    "services": (
        "spec.allocateLoadBalancerNodePorts=false",
        "spec.externalIPs",
        "spec.externalTrafficPolicy=Local",
        "spec.healthCheckNodePort",
        "spec.internalTrafficPolicy=Local",
        "spec.ipFamilyPolicy!=SingleStack",
        "spec.loadBalancerClass",
        "spec.loadBalancerIP",
        "spec.loadBalancerSourceRanges",
        "spec.ports[].protocol!=TCP",
        "spec.sessionAffinity=ClientIP",
        "spec.trafficDistribution",
        "spec.type=NodePort",
    ),
    "ingressclasses.networking.k8s.io": ("spec.parameters",),
    "ingresses.networking.k8s.io": (
        "spec.defaultBackend.resource", "spec.rules[].http.paths[].backend.resource",
    ),
    "networkpolicies.networking.k8s.io": ("spec",),
    "serviceaccounts": ("automountServiceAccountToken", "secrets"),
    "nodes": ("spec.configSource",),
})  # fmt: skip
"""Group-resource to the paths of the fields that nothing acts on yet."""


def warnings(resource: str, document: Mapping[str, Any]) -> list[str]:
    """One sentence for each field of a document that is kept and not acted on."""
    found = definition_warnings(document) if resource == CRDS else []
    return found + [
        f"{place}: kept, but orch does not act on this field yet"
        for place in fields_without_effect(resource, document)
    ]


def fields_without_effect(resource: str, document: Mapping[str, Any]) -> list[str]:
    """The places in a document that nothing acts on: "spec.volumes[0].nfs"; each once."""
    found: dict[str, None] = {}
    for entry in UNSUPPORTED.get(resource, ()):
        path, operator, value = _condition(entry)
        for place, here in _walk(document, path.split("."), ""):
            text = _text(here)
            if operator == "=" and text != value:
                continue
            if operator == "!=" and text in value.split("|"):
                continue
            if here in ({}, [], "") or (here is None):
                continue
            found[f"{place}={text}" if operator else place] = None
    return list(found)


def _condition(entry: str) -> tuple[str, str, str]:
    for operator in ("!=", "="):
        path, found, value = entry.partition(operator)
        if found:
            return path, operator, value
    return entry, "", ""


def _walk(value: Any, steps: list[str], place: str) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield place, value
        return
    if not isinstance(value, Mapping):
        return
    name, brackets, _ = steps[0].partition("[]")
    if name not in value:
        return
    here = f"{place}.{name}" if place else name
    below = value[name]
    if not brackets:
        yield from _walk(below, steps[1:], here)
    elif isinstance(below, list):
        for index, item in enumerate(below):
            yield from _walk(item, steps[1:], f"{here}[{index}]")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
