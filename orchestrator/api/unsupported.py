"""Fields that Kubernetes knows and orch does not act on: kept, and named in a warning.

A field leaves this table when something acts on it. Paths are relative to the object (or to the pod
spec): "a.b" steps into objects, "a[]" into every item of a list; a value after "=" means that only
this value (or a list with it) is not acted on, "!=" that only this one is (or one of several,
between "|").
Source: architecture decision D2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Final, TypeGuard

from orchestrator.api.admission.words import BINDINGS, POLICIES
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
    "automountServiceAccountToken=true",
    "enableServiceLinks=true",
    "hostUsers=false",
    "os",
    "readinessGates",
    "resourceClaims",
    "resources",
    "runtimeClassName",
    "securityContext.appArmorProfile",
    "securityContext.seLinuxOptions",
    "securityContext.seccompProfile",
    "securityContext.windowsOptions",
    "setHostnameAsFQDN=true",
    "shareProcessNamespace=true",
    "subdomain",
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
    "daemonsets.apps": _WORKLOAD,
    "statefulsets.apps": (
        *_WORKLOAD, "spec.persistentVolumeClaimRetentionPolicy.whenDeleted!=Retain",
        "spec.persistentVolumeClaimRetentionPolicy.whenScaled!=Retain",
    ),
    "jobs.batch": (*_WORKLOAD, "spec.managedBy"),
    "cronjobs.batch": tuple(
        f"spec.jobTemplate.spec.template.spec.{path}" for path in _POD_SPEC
    ),
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
    "horizontalpodautoscalers.autoscaling": (
        "spec.metrics[].external", "spec.metrics[].object", "spec.metrics[].pods",
    ),
    "ingressclasses.networking.k8s.io": ("spec.parameters",),
    "ingresses.networking.k8s.io": (
        "spec.defaultBackend.resource", "spec.rules[].http.paths[].backend.resource",
    ),
    "networkpolicies.networking.k8s.io": ("spec",),
    "serviceaccounts": ("automountServiceAccountToken", "secrets"),
    "nodes": ("spec.configSource",),
    POLICIES: ("spec.auditAnnotations",),
    BINDINGS: ("spec.validationActions=Audit",),
})  # fmt: skip
"""Group-resource to the paths of the fields that nothing acts on yet."""

REFUSED: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "customresourcedefinitions.apiextensions.k8s.io": {
            "spec.conversion.strategy=Webhook": "versions are converted by name only: use None",
        },
        "statefulsets.apps": {
            "spec.volumeClaimTemplates": (
                "claims are not served yet: name a volume of another type in spec.template"
            ),
        },
    }
)
"""Fields that are not kept without effect, because that would do harm: the reason by path."""


def warnings(resource: str, document: Mapping[str, Any]) -> list[str]:
    """One sentence for each field of a document that is kept and not acted on."""
    found = definition_warnings(document) if resource == CRDS else []
    return found + [
        f"{place}: kept, but orch does not act on this field yet"
        for place in fields_without_effect(resource, document)
    ]


def fields_without_effect(resource: str, document: Mapping[str, Any]) -> list[str]:
    """The places in a document that nothing acts on: "spec.volumes[0].nfs"; each once."""
    tree = _tree(resource)
    if not tree:
        return []
    found: list[tuple[int, str]] = []
    _look(tree, document, "", found)
    found.sort(key=_position)
    return list(dict.fromkeys(place for _, place in found))


@dataclass(slots=True)
class _Step:
    """What the table says below one field; one walk over a document serves all its entries.

    Attributes:
        entries: that end here: position in the table, operator, value.
        below: by name of the field in this object.
        inside: by name of the field in the items of this list.
    """

    entries: list[tuple[int, str, str]] = field(default_factory=list)
    below: "dict[str, _Step]" = field(default_factory=dict)
    inside: "dict[str, _Step]" = field(default_factory=dict)


@cache
def _tree(resource: str) -> dict[str, _Step]:
    root = _Step()
    for position, entry in enumerate(UNSUPPORTED.get(resource, ())):
        path, operator, value = _condition(entry)
        step, in_items = root, False
        for word in path.split("."):
            name, brackets, _ = word.partition("[]")
            step = (step.inside if in_items else step.below).setdefault(name, _Step())
            in_items = bool(brackets)
        step.entries.append((position, operator, value))
    return root.below


def _condition(entry: str) -> tuple[str, str, str]:
    for operator in ("!=", "="):
        path, found, value = entry.partition(operator)
        if found:
            return path, operator, value
    return entry, "", ""


def _look(
    steps: dict[str, _Step], value: Mapping[str, Any], place: str, found: list[tuple[int, str]]
) -> None:
    for name, here in value.items():
        step = steps.get(name)
        if step is None:
            continue
        path = f"{place}.{name}" if place else name
        if step.entries:
            _judge(step, here, path, found)
        if step.below and _is_object(here):
            _look(step.below, here, path, found)
        if step.inside and isinstance(here, list):
            for index, item in enumerate(here):
                if _is_object(item):
                    _look(step.inside, item, f"{path}[{index}]", found)


def _is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return type(value) is dict or isinstance(value, Mapping)


def _judge(step: _Step, value: Any, path: str, found: list[tuple[int, str]]) -> None:
    if value is None or (not value and type(value) in _CONTAINERS):
        return
    text = _text(value)
    for position, operator, wanted in step.entries:
        if operator == "=" and text != wanted and not _lists(value, wanted):
            continue
        if operator == "!=" and text in wanted.split("|"):
            continue
        shown = wanted if _lists(value, wanted) else text
        found.append((position, f"{path}={shown}" if operator else path))


def _lists(value: Any, wanted: str) -> bool:
    return type(value) is list and wanted in value


_CONTAINERS: Final = frozenset({dict, list, str})


def _position(found: tuple[int, str]) -> int:
    return found[0]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
