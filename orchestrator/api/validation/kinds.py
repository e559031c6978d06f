"""Which checks belong to which kind."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.admission.words import BINDINGS, POLICIES
from orchestrator.api.certificates import CSRS
from orchestrator.api.conversion.versions import from_stored
from orchestrator.api.custom import definition
from orchestrator.api.custom.checking import check as check_by_schema
from orchestrator.api.custom.rules import check_rules
from orchestrator.api.custom.version import CustomVersion
from orchestrator.api.custom.words import CRDS
from orchestrator.api.resources import Resource
from orchestrator.api.validation import (
    admission,
    autoscaling,
    batch,
    certificate,
    cluster,
    ephemeral,
    events,
    networking,
    pod,
    policy,
    quota,
    rbac,
    service,
    sets,
    workload,
)
from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.meta import validate_meta, validate_meta_update
from orchestrator.kit.errors import Cause

Document = dict[str, Any]
_Check = Callable[[Faults, Document], None]
_UpdateCheck = Callable[[Faults, Document, Document], None]

_CHECKS: Final[Mapping[str, _Check]] = MappingProxyType({
    "clusterrolebindings.rbac.authorization.k8s.io": rbac.validate_cluster_role_binding,
    "clusterroles.rbac.authorization.k8s.io": rbac.validate_cluster_role,
    CRDS: definition.validate_definition,
    POLICIES: admission.validate_policy,
    BINDINGS: admission.validate_binding,
    "configmaps": cluster.validate_config_map,
    "cronjobs.batch": batch.validate_cron_job,
    "controllerrevisions.apps": sets.validate_revision,
    "daemonsets.apps": sets.validate_daemon_set,
    "deployments.apps": workload.validate_deployment,
    "statefulsets.apps": sets.validate_stateful_set,
    "jobs.batch": batch.validate_job,
    "endpoints": service.validate_endpoints,
    "endpointslices.discovery.k8s.io": service.validate_endpoint_slice,
    "events": cluster.validate_event,
    "horizontalpodautoscalers.autoscaling": autoscaling.validate_autoscaler,
    "ingressclasses.networking.k8s.io": networking.validate_ingress_class,
    "ingresses.networking.k8s.io": networking.validate_ingress,
    "leases.coordination.k8s.io": cluster.validate_lease,
    "limitranges": quota.validate_limit_range,
    "networkpolicies.networking.k8s.io": networking.validate_network_policy,
    "nodes": cluster.validate_node,
    "poddisruptionbudgets.policy": policy.validate_budget,
    "pods": pod.validate_pod,
    "priorityclasses.scheduling.k8s.io": policy.validate_priority_class,
    "replicasets.apps": workload.validate_replica_set,
    "resourcequotas": quota.validate_quota,
    "rolebindings.rbac.authorization.k8s.io": rbac.validate_role_binding,
    "roles.rbac.authorization.k8s.io": rbac.validate_role,
    "secrets": cluster.validate_secret,
    "services": service.validate_service,
})  # fmt: skip
_CREATE_CHECKS: Final[Mapping[str, _Check]] = MappingProxyType({
    CSRS: certificate.validate_request,
    "pods": ephemeral.validate_absent,
})  # fmt: skip
_UPDATE_CHECKS: Final[Mapping[str, _UpdateCheck]] = MappingProxyType({
    "clusterrolebindings.rbac.authorization.k8s.io": rbac.validate_binding_update,
    CRDS: definition.validate_definition_update,
    "configmaps": cluster.validate_config_map_update,
    "controllerrevisions.apps": sets.validate_revision_update,
    "daemonsets.apps": workload.validate_workload_update,
    "deployments.apps": workload.validate_workload_update,
    "statefulsets.apps": sets.validate_stateful_set_update,
    "jobs.batch": batch.validate_job_update,
    "endpointslices.discovery.k8s.io": service.validate_endpoint_slice_update,
    "ingressclasses.networking.k8s.io": networking.validate_ingress_class_update,
    "nodes": cluster.validate_node_update,
    "pods": pod.validate_pod_update,
    "priorityclasses.scheduling.k8s.io": policy.validate_priority_class_update,
    "replicasets.apps": workload.validate_workload_update,
    "resourcequotas": quota.validate_quota_update,
    "rolebindings.rbac.authorization.k8s.io": rbac.validate_binding_update,
    "secrets": cluster.validate_secret_update,
    "services": service.validate_service_update,
})  # fmt: skip
_SUBRESOURCE_CHECKS: Final[Mapping[tuple[str, str], _UpdateCheck]] = MappingProxyType({
    (CSRS, "approval"): certificate.validate_approval,
    (CSRS, "status"): certificate.validate_status,
    ("pods", "ephemeralcontainers"): ephemeral.validate_ephemeral_update,
})  # fmt: skip
_STATUS_CHECKS: Final[Mapping[str, _Check]] = MappingProxyType({
    CRDS: definition.validate_definition_status,
    "horizontalpodautoscalers.autoscaling": autoscaling.validate_autoscaler_status,
    "nodes": cluster.validate_node_status,
})  # fmt: skip

_NEW_EVENTS: Final = "events.events.k8s.io"
"""The version of Event that asks for more, although it is stored as the other one."""


def validate_create(resource: Resource, document: Document) -> tuple[Cause, ...]:
    """All faults of a new object: right types, defaults filled in. Empty when it is fine.

    Args:
        resource: the row that the client wrote to.
        document: in the stored version.
    """
    faults = Faults()
    validate_meta(faults, resource, document)
    for checks in (_CREATE_CHECKS, _CHECKS):
        check = checks.get(resource.resource)
        if check is not None:
            check(faults, document)
    if resource.group_resource == _NEW_EVENTS:
        events.validate_new_style(faults, document)
    if resource.custom is not None:
        _check_custom(faults, resource.custom, from_stored(resource, document))
    return tuple(faults.causes)


def _check_custom(
    faults: Faults, version: CustomVersion, document: Document, old: Document | None = None
) -> None:
    """By the schema, and when that finds nothing by its rules; `old` for an update."""
    before = len(faults.causes)
    checks = [check_by_schema, check_rules] if version.ruled else [check_by_schema]
    for check in checks:
        if len(faults.causes) > before:
            return
        if old is None:
            check(faults, document, version.schema)
        else:
            check(faults, document, version.schema, old=old)


def _labelled_anew(meta: Document, before: Document) -> bool:
    """Whether metadata has anything that was not looked at when it was stored."""
    return any(meta.get(field) != before.get(field) for field in _CHECKED_METADATA)


_CHECKED_METADATA: Final = (
    "name", "generateName", "labels", "annotations", "ownerReferences", "finalizers",
)  # fmt: skip


def validate_update(
    resource: Resource, document: Document, old: Document, subresource: str
) -> tuple[Cause, ...]:
    """All faults of an object that is to replace another, or (status) the status of another."""
    faults = Faults()
    if resource.custom is not None:
        shown, before = from_stored(resource, document), from_stored(resource, old)
        _check_custom(faults, resource.custom, shown, old=before)
    change = _SUBRESOURCE_CHECKS.get((resource.resource, subresource))
    if change is not None:
        change(faults, document, old)
        return tuple(faults.causes)
    if subresource:
        check = _STATUS_CHECKS.get(resource.resource)
        if check is not None:
            check(faults, document)
        return tuple(faults.causes)
    if _labelled_anew(document["metadata"], old["metadata"]):
        validate_meta(faults, resource, document)
    validate_meta_update(faults, document, old)
    update_check = _UPDATE_CHECKS.get(resource.resource)
    if update_check is not None:
        update_check(faults, document, old)
    if resource.group_resource == _NEW_EVENTS:
        events.validate_new_style_update(faults, document, old)
    check = _CHECKS.get(resource.resource)
    unchanged = {k: v for k, v in document.items() if k != "metadata"} == {
        k: v for k, v in old.items() if k != "metadata"
    }
    if check is not None and not unchanged:
        check(faults, document)
    return tuple(faults.causes)
