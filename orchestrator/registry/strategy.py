"""What is particular to a kind when it is written: pure functions over documents.

One writer per field: on a main write `status` is the server's, on a status write all but `status`
is. Neighbours: `creator` and `writer` (which act), `admission` (what a namespace or the cluster
says).
Source: Kubernetes API conventions, "Metadata", "Spec and Status"; apiserver registry strategies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.admission.words import BINDINGS, POLICIES
from orchestrator.api.certificates import APPROVED, CSRS, DENIED
from orchestrator.api.custom.words import CRDS
from orchestrator.api.defaults.cluster import NAMESPACE_FINALIZER
from orchestrator.api.resources import Resource

Document = dict[str, Any]

_SERVER_META: Final = (
    "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
    "generateName",
)  # fmt: skip
_OUTSIDE: Final = frozenset({"NodePort", "LoadBalancer"})
"""Types of services that have node ports."""
_NOT_DESIRED: Final = frozenset({"apiVersion", "kind", "metadata"})
_NEVER_FROM_CLIENTS: Final = ("selfLink", "managedFields", "resourceVersion")


@dataclass(frozen=True, slots=True)
class Strategy:
    """How one kind is written.

    Attributes:
        status: the kind has a status subresource, and clients cannot set status otherwise.
        status_at_create: a create may carry the status (a host that registers itself).
        generation: `metadata.generation` counts the changes of the desired state.
        counts_status: the status is no subresource and counts as desired state (custom kinds).
        status_annotations: a status write may change annotations as well (a pod's published
            ports belong to its status).
    """

    status: bool = False
    status_at_create: bool = False
    generation: bool = False
    status_annotations: bool = False
    counts_status: bool = False


_STRATEGIES: Final[Mapping[str, Strategy]] = MappingProxyType({
    CRDS: Strategy(status=True, generation=True),
    CSRS: Strategy(status=True),
    POLICIES: Strategy(status=True, generation=True),
    BINDINGS: Strategy(generation=True),
    "pods": Strategy(status=True, generation=True, status_annotations=True),
    "nodes": Strategy(status=True, status_at_create=True, status_annotations=True),
    "namespaces": Strategy(status=True),
    "services": Strategy(status=True),
    "deployments.apps": Strategy(status=True, generation=True),
    "replicasets.apps": Strategy(status=True, generation=True),
    "endpointslices.discovery.k8s.io": Strategy(generation=True),
    "ingressclasses.networking.k8s.io": Strategy(generation=True),
    "cronjobs.batch": Strategy(status=True, generation=True),
    "poddisruptionbudgets.policy": Strategy(status=True, generation=True),
    "horizontalpodautoscalers.autoscaling": Strategy(status=True),
    "resourcequotas": Strategy(status=True),
    "priorityclasses.scheduling.k8s.io": Strategy(generation=True),
    "daemonsets.apps": Strategy(status=True, generation=True),
    "statefulsets.apps": Strategy(status=True, generation=True),
    "jobs.batch": Strategy(status=True, generation=True),
    "ingresses.networking.k8s.io": Strategy(status=True, generation=True),
    "networkpolicies.networking.k8s.io": Strategy(generation=True),
})  # fmt: skip
_PLAIN: Final = Strategy()
_CUSTOM: Final = Strategy(generation=True, counts_status=True)
_CUSTOM_WITH_STATUS: Final = Strategy(status=True, generation=True)


def strategy_of(resource: Resource) -> Strategy:
    """The strategy of a kind."""
    if resource.custom is not None:
        return _CUSTOM_WITH_STATUS if resource.custom.status else _CUSTOM
    return _STRATEGIES.get(resource.resource, _PLAIN)


def prepare_create(
    resource: Resource, document: Document, namespace: str, uid: str, created: str
) -> None:
    """Sets what the server decides about a new object, in place; defaults come after.

    Args:
        resource: the kind.
        document: private copy of what the client sent.
        namespace: to create it in; "" for cluster-scoped kinds.
        uid: of the new object.
        created: RFC 3339 time.
    """
    strategy = strategy_of(resource)
    meta = document["metadata"]
    for field in (*_NEVER_FROM_CLIENTS, "deletionTimestamp", "deletionGracePeriodSeconds"):
        meta.pop(field, None)
    if namespace:
        meta["namespace"] = namespace
    else:
        meta.pop("namespace", None)
    meta["uid"] = uid
    meta["creationTimestamp"] = created
    meta.pop("generation", None)
    if strategy.generation:
        meta["generation"] = 1
    if strategy.status and not strategy.status_at_create:
        document.pop("status", None)
    if resource.resource == "jobs.batch":
        _select_own_pods(document, uid)
    if resource.resource == "namespaces":
        document["spec"] = {"finalizers": [NAMESPACE_FINALIZER]}


def _select_own_pods(job: Document, uid: str) -> None:
    """A Job finds its pods by labels that nobody else can have.

    Source: Kubernetes' jobStrategy.generateSelector.
    """
    spec = job.setdefault("spec", {})
    if spec.get("manualSelector"):
        return
    name = job["metadata"].get("name", "")
    template = spec.setdefault("template", {})
    meta = template.setdefault("metadata", {})
    meta["labels"] = {
        **(meta.get("labels") or {}),
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    if not spec.get("selector"):
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}


def prepare_update(
    resource: Resource, current: Document, document: Document, subresource: str
) -> Document:
    """The document to store for an update: each field from the one who may write it.

    Args:
        resource: the kind.
        current: as stored; not changed.
        document: private copy of what the client wants; consumed.
        subresource: "", "status", "finalize", "approval" or "ephemeralcontainers".
    """
    strategy = strategy_of(resource)
    if subresource == "finalize":
        spec = {**current.get("spec", {})}
        spec["finalizers"] = document.get("spec", {}).get("finalizers", [])
        return {**current, "spec": spec}
    if subresource == "ephemeralcontainers":
        spec = {**current.get("spec", {})}
        _take(spec, document.get("spec") or {}, "ephemeralContainers")
        return {**current, "spec": spec}
    if subresource == "approval" or (subresource == "status" and resource.resource == CSRS):
        return _part_of_status(current, document, subresource)
    if subresource == "status":
        return _status_only(current, document, strategy)
    meta, before = document["metadata"], current["metadata"]
    for field in _NEVER_FROM_CLIENTS:
        meta.pop(field, None)
    for field in (*_SERVER_META, "name", "namespace"):
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)
    if strategy.status:
        _take(document, current, "status")
    if resource.resource in {"namespaces", CSRS}:
        _take(document, current, "spec")
    if resource.resource == "services":
        _keep_allocations(document, current)
        _drop_what_the_old_type_had(document, current)
    return document


def count_generation(resource: Resource, current: Document, document: Document) -> None:
    """Raises `metadata.generation` when something outside metadata and status changed."""
    strategy = strategy_of(resource)
    if not strategy.generation:
        return
    with_status = strategy.counts_status
    if desired(current, with_status=with_status) != desired(document, with_status=with_status):
        document["metadata"]["generation"] = current["metadata"].get("generation", 0) + 1


def desired(document: Mapping[str, Any], *, with_status: bool = False) -> Document:
    """The part of a document that says what is wanted."""
    others = _NOT_DESIRED if with_status else _NOT_DESIRED | {"status"}
    return {k: v for k, v in document.items() if k not in others}


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two documents differ in nothing but the revision."""
    return _without_revision(one) == _without_revision(other)


def same_but_metadata(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two documents of a kind differ at most in their metadata."""
    return desired(one, with_status=True) == desired(other, with_status=True)


def is_released(resource: str, document: Mapping[str, Any]) -> bool:
    """Whether an object that is being deleted is held by nothing any more."""
    meta = document["metadata"]
    if "deletionTimestamp" not in meta or meta.get("finalizers"):
        return False
    if resource == "namespaces" and document.get("spec", {}).get("finalizers"):
        return False
    return not meta.get("deletionGracePeriodSeconds")


def _without_revision(document: Mapping[str, Any]) -> Document:
    meta = {k: v for k, v in document["metadata"].items() if k != "resourceVersion"}
    return {**document, "metadata": meta}


def _status_only(current: Document, document: Document, strategy: Strategy) -> Document:
    result = {**current}
    _take(result, document, "status")
    if strategy.status_annotations:
        meta = {**current["metadata"]}
        annotations = document["metadata"].get("annotations")
        if annotations:
            meta["annotations"] = annotations
        else:
            meta.pop("annotations", None)
        result["metadata"] = meta
    return result


def _part_of_status(current: Document, document: Document, subresource: str) -> Document:
    """A signing request's status: who approves and who signs write different conditions."""
    status, before = document.get("status") or {}, current.get("status") or {}
    approves = subresource == "approval"

    def decides(condition: Document) -> bool:
        return condition.get("type") in {APPROVED, DENIED}

    wanted = [c for c in status.get("conditions") or () if decides(c) is approves]
    kept = [c for c in before.get("conditions") or () if decides(c) is not approves]
    result = {**before, "conditions": [*wanted, *kept] if approves else [*kept, *wanted]}
    if not result["conditions"]:
        del result["conditions"]
    if not approves:
        _take(result, status, "certificate")
    return {**current, "status": result}


def _take(target: Document, source: Mapping[str, Any], field: str) -> None:
    if field in source:
        target[field] = source[field]
    else:
        target.pop(field, None)


def _drop_what_the_old_type_had(document: Document, current: Document) -> None:
    """A change of type takes along what only the old type has, where the client left it alone.

    Source: Kubernetes' dropTypeDependentFields.
    """
    spec, before = document.setdefault("spec", {}), current.get("spec", {})
    kind, was = spec.get("type", "ClusterIP"), before.get("type", "ClusterIP")
    if kind == was:
        return
    dropped: list[str] = []
    if was in _OUTSIDE and kind not in _OUTSIDE:
        dropped += ["externalTrafficPolicy"]
        old = {port.get("nodePort") for port in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            if port.get("nodePort") in old:
                port.pop("nodePort", None)
    if was == "LoadBalancer":
        dropped += ["allocateLoadBalancerNodePorts", "healthCheckNodePort", "loadBalancerClass"]
    if kind == "ExternalName":
        dropped += ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]
        dropped += ["internalTrafficPolicy"]
    for field in dropped:
        if field in spec and spec[field] == before.get(field):
            del spec[field]


def _keep_allocations(document: Document, current: Document) -> None:
    """A replace that does not name the addresses and ports that were handed out keeps them."""
    spec, before = document.setdefault("spec", {}), current.get("spec", {})
    kind = spec.get("type", "ClusterIP")
    if kind != "ExternalName" and before.get("type") != "ExternalName":
        for field in ("clusterIP", "clusterIPs"):
            if not spec.get(field) and before.get(field):
                spec[field] = before[field]
    if kind not in _OUTSIDE:
        return
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        return
    given = {
        (port.get("protocol", "TCP"), port.get("port")): port["nodePort"]
        for port in before.get("ports") or ()
        if port.get("nodePort")
    }
    for port in spec.get("ports") or ():
        known = given.get((port.get("protocol", "TCP"), port.get("port")))
        if known and not port.get("nodePort"):
            port["nodePort"] = known
