"""The columns of a kind and the rows of its objects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypedDict

import msgspec

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
class Printer:
    """How objects of one kind are shown in a Table.

    Attributes:
        definitions: `columnDefinitions` of the Table.
        cells: one object's cells, from its document as `printed` gives it (as it is stored; custom
            ones in the row's version) and the time in seconds since the epoch, for ages.
    """

    definitions: Sequence[Mapping[str, Any]]
    cells: _Cells


def _printer(columns: Sequence[Column], cells: _Cells) -> Printer:
    return Printer([column.definition() for column in columns], cells)


def _plain_cells(document: Document, _now_s: float) -> list[Cell]:
    return [document["metadata"]["name"], document["metadata"].get("creationTimestamp", "")]


_PLAIN: Final = _printer(
    (NAME, Column("Created At", "date", description="When it was created.")), _plain_cells
)
_PRINTERS: Final[Mapping[str, Printer]] = MappingProxyType({
    BINDINGS: _printer(admission.BINDING_COLUMNS, admission.binding_cells),
    POLICIES: _printer(admission.POLICY_COLUMNS, admission.policy_cells),
    CSRS: _printer(certificate.CSR_COLUMNS, certificate.csr_cells),
    "clusterrolebindings.rbac.authorization.k8s.io": _printer(
        rbac.BINDING_COLUMNS, rbac.binding_cells
    ),
    "configmaps": _printer(cluster.CONFIG_MAP_COLUMNS, cluster.config_map_cells),
    "cronjobs.batch": _printer(batch.CRON_JOB_COLUMNS, batch.cron_job_cells),
    "jobs.batch": _printer(batch.JOB_COLUMNS, batch.job_cells),
    "controllerrevisions.apps": _printer(sets.REVISION_COLUMNS, sets.revision_cells),
    "daemonsets.apps": _printer(sets.DAEMON_SET_COLUMNS, sets.daemon_set_cells),
    "statefulsets.apps": _printer(sets.STATEFUL_SET_COLUMNS, sets.stateful_set_cells),
    "deployments.apps": _printer(workload.DEPLOYMENT_COLUMNS, workload.deployment_cells),
    "endpoints": _printer(service.ENDPOINTS_COLUMNS, service.endpoints_cells),
    "endpointslices.discovery.k8s.io": _printer(service.SLICE_COLUMNS, service.slice_cells),
    "events": _printer(cluster.EVENT_COLUMNS, cluster.event_cells),
    "horizontalpodautoscalers.autoscaling": _printer(
        autoscaling.AUTOSCALER_COLUMNS, autoscaling.autoscaler_cells
    ),
    "ingressclasses.networking.k8s.io": _printer(
        networking.CLASS_COLUMNS, networking.class_cells
    ),
    "ingresses.networking.k8s.io": _printer(
        networking.INGRESS_COLUMNS, networking.ingress_cells
    ),
    "leases.coordination.k8s.io": _printer(cluster.LEASE_COLUMNS, cluster.lease_cells),
    "namespaces": _printer(cluster.NAMESPACE_COLUMNS, cluster.namespace_cells),
    "networkpolicies.networking.k8s.io": _printer(
        networking.POLICY_COLUMNS, networking.policy_cells
    ),
    "nodes.metrics.k8s.io": _printer(usage.USAGE_COLUMNS, usage.usage_cells),
    "pods.metrics.k8s.io": _printer(usage.USAGE_COLUMNS, usage.usage_cells),
    "nodes": _printer(cluster.NODE_COLUMNS, cluster.node_cells),
    "poddisruptionbudgets.policy": _printer(policy.BUDGET_COLUMNS, policy.budget_cells),
    "priorityclasses.scheduling.k8s.io": _printer(
        policy.PRIORITY_COLUMNS, policy.priority_cells
    ),
    "pods": _printer(pod.COLUMNS, pod.cells),
    "replicasets.apps": _printer(workload.REPLICA_SET_COLUMNS, workload.replica_set_cells),
    "resourcequotas": _printer(quota.QUOTA_COLUMNS, quota.quota_cells),
    "rolebindings.rbac.authorization.k8s.io": _printer(rbac.BINDING_COLUMNS, rbac.binding_cells),
    "secrets": _printer(cluster.SECRET_COLUMNS, cluster.secret_cells),
    "serviceaccounts": _printer(
        cluster.SERVICE_ACCOUNT_COLUMNS, cluster.service_account_cells
    ),
    "services": _printer(service.SERVICE_COLUMNS, service.service_cells),
})  # fmt: skip


def printer_for(resource: Resource) -> Printer:
    """What shows objects of a kind; kinds without columns of their own show name and age."""
    if resource.custom is not None:
        given = resource.custom.columns
        return Printer(columns.definitions(given), partial(columns.cells, given))
    return _PRINTERS.get(resource.resource, _PLAIN)


class _PrintedMeta(TypedDict, total=False):
    """What printers read of `metadata`: all but the managed fields, which are most of it."""

    name: str
    namespace: str
    labels: dict[str, str]
    ownerReferences: list[dict[str, Any]]
    creationTimestamp: str
    deletionTimestamp: str


_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_metadata: Final = msgspec.json.Decoder(_PrintedMeta).decode
_value: Final = msgspec.json.Decoder().decode


def printed(resource: Resource, data: bytes) -> tuple[Document, msgspec.Raw]:
    """An object's document for its printer, and its metadata as JSON.

    Shows all but what printers do not read: to print ten thousand objects takes as long as to read
    them. Custom ones are whole, since their columns can name any field.
    """
    found = _fields(data)
    metadata = found.pop("metadata")
    if resource.custom is not None:
        return _value(data), metadata
    document: dict[str, Any] = {key: _value(value) for key, value in found.items()}
    document["metadata"] = _metadata(metadata)
    return document, metadata
