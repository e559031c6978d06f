"""The columns of a kind and the rows of its objects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.admission.words import BINDINGS, POLICIES
from orchestrator.api.certificates import CSRS
from orchestrator.api.custom import columns
from orchestrator.api.resources import Resource
from orchestrator.api.tables import (
    admission,
    autoscaling,
    batch,
    certificate,
    cluster,
    networking,
    pod,
    policy,
    quota,
    rbac,
    service,
    sets,
    usage,
    workload,
)
from orchestrator.api.tables.cells import NAME, Cell, Column, Document

_Cells = Callable[[Document, float], list[Cell]]


@dataclass(frozen=True, slots=True)
class _Printer:
    columns: tuple[Column, ...]
    cells: _Cells


def _plain_cells(document: Document, _now_s: float) -> list[Cell]:
    return [document["metadata"]["name"], document["metadata"].get("creationTimestamp", "")]


_PLAIN: Final = _Printer(
    (NAME, Column("Created At", "date", description="When it was created.")), _plain_cells
)
_PRINTERS: Final[Mapping[str, _Printer]] = MappingProxyType({
    BINDINGS: _Printer(admission.BINDING_COLUMNS, admission.binding_cells),
    POLICIES: _Printer(admission.POLICY_COLUMNS, admission.policy_cells),
    CSRS: _Printer(certificate.CSR_COLUMNS, certificate.csr_cells),
    "clusterrolebindings.rbac.authorization.k8s.io": _Printer(
        rbac.BINDING_COLUMNS, rbac.binding_cells
    ),
    "configmaps": _Printer(cluster.CONFIG_MAP_COLUMNS, cluster.config_map_cells),
    "cronjobs.batch": _Printer(batch.CRON_JOB_COLUMNS, batch.cron_job_cells),
    "jobs.batch": _Printer(batch.JOB_COLUMNS, batch.job_cells),
    "controllerrevisions.apps": _Printer(sets.REVISION_COLUMNS, sets.revision_cells),
    "daemonsets.apps": _Printer(sets.DAEMON_SET_COLUMNS, sets.daemon_set_cells),
    "statefulsets.apps": _Printer(sets.STATEFUL_SET_COLUMNS, sets.stateful_set_cells),
    "deployments.apps": _Printer(workload.DEPLOYMENT_COLUMNS, workload.deployment_cells),
    "endpoints": _Printer(service.ENDPOINTS_COLUMNS, service.endpoints_cells),
    "endpointslices.discovery.k8s.io": _Printer(service.SLICE_COLUMNS, service.slice_cells),
    "events": _Printer(cluster.EVENT_COLUMNS, cluster.event_cells),
    "horizontalpodautoscalers.autoscaling": _Printer(
        autoscaling.AUTOSCALER_COLUMNS, autoscaling.autoscaler_cells
    ),
    "ingressclasses.networking.k8s.io": _Printer(
        networking.CLASS_COLUMNS, networking.class_cells
    ),
    "ingresses.networking.k8s.io": _Printer(
        networking.INGRESS_COLUMNS, networking.ingress_cells
    ),
    "leases.coordination.k8s.io": _Printer(cluster.LEASE_COLUMNS, cluster.lease_cells),
    "namespaces": _Printer(cluster.NAMESPACE_COLUMNS, cluster.namespace_cells),
    "networkpolicies.networking.k8s.io": _Printer(
        networking.POLICY_COLUMNS, networking.policy_cells
    ),
    "nodes.metrics.k8s.io": _Printer(usage.USAGE_COLUMNS, usage.usage_cells),
    "pods.metrics.k8s.io": _Printer(usage.USAGE_COLUMNS, usage.usage_cells),
    "nodes": _Printer(cluster.NODE_COLUMNS, cluster.node_cells),
    "poddisruptionbudgets.policy": _Printer(policy.BUDGET_COLUMNS, policy.budget_cells),
    "priorityclasses.scheduling.k8s.io": _Printer(
        policy.PRIORITY_COLUMNS, policy.priority_cells
    ),
    "pods": _Printer(pod.COLUMNS, pod.cells),
    "replicasets.apps": _Printer(workload.REPLICA_SET_COLUMNS, workload.replica_set_cells),
    "resourcequotas": _Printer(quota.QUOTA_COLUMNS, quota.quota_cells),
    "rolebindings.rbac.authorization.k8s.io": _Printer(rbac.BINDING_COLUMNS, rbac.binding_cells),
    "secrets": _Printer(cluster.SECRET_COLUMNS, cluster.secret_cells),
    "serviceaccounts": _Printer(
        cluster.SERVICE_ACCOUNT_COLUMNS, cluster.service_account_cells
    ),
    "services": _Printer(service.SERVICE_COLUMNS, service.service_cells),
})  # fmt: skip


def table_for(
    resource: Resource, documents: Sequence[Document], now_wall_s: float
) -> tuple[list[dict[str, Any]], list[list[Cell]]]:
    """Column definitions as a Table carries them, and one list of cells per document.

    Args:
        resource: the kind; kinds without columns of their own show name and creation time.
        documents: objects of that kind, as they are stored; custom ones in the row's version.
        now_wall_s: for ages; seconds since the epoch.
    """
    if resource.custom is not None:
        given = resource.custom.columns
        rows = [columns.cells(given, document, now_wall_s) for document in documents]
        return columns.definitions(given), rows
    printer = _PRINTERS.get(resource.resource, _PLAIN)
    definitions = [column.definition() for column in printer.columns]
    return definitions, [printer.cells(document, now_wall_s) for document in documents]
