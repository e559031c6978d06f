"""Which defaults belong to which kind."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.admission.words import BINDINGS, POLICIES
from orchestrator.api.custom.definition import default_definition
from orchestrator.api.custom.words import CRDS
from orchestrator.api.defaults.admission import default_admission_binding, default_admission_policy
from orchestrator.api.defaults.autoscaling import default_autoscaler
from orchestrator.api.defaults.batch import default_cron_job, default_job
from orchestrator.api.defaults.cluster import (
    default_event,
    default_namespace,
    default_node,
    default_secret,
)
from orchestrator.api.defaults.networking import default_network_policy
from orchestrator.api.defaults.pod import default_pod
from orchestrator.api.defaults.policy import default_budget, default_priority_class
from orchestrator.api.defaults.quota import default_limit_range, default_quota
from orchestrator.api.defaults.rbac import default_binding
from orchestrator.api.defaults.service import (
    default_endpoint_slice,
    default_endpoints,
    default_service,
)
from orchestrator.api.defaults.sets import default_daemon_set, default_stateful_set
from orchestrator.api.defaults.workload import default_deployment, default_replica_set

Defaulter = Callable[[dict[str, Any]], None]

_DEFAULTERS: Final[Mapping[str, Defaulter]] = MappingProxyType({
    "clusterrolebindings.rbac.authorization.k8s.io": default_binding,
    "cronjobs.batch": default_cron_job,
    "daemonsets.apps": default_daemon_set,
    "deployments.apps": default_deployment,
    "statefulsets.apps": default_stateful_set,
    "jobs.batch": default_job,
    CRDS: default_definition,
    POLICIES: default_admission_policy,
    BINDINGS: default_admission_binding,
    "endpoints": default_endpoints,
    "endpointslices.discovery.k8s.io": default_endpoint_slice,
    "events": default_event,
    "horizontalpodautoscalers.autoscaling": default_autoscaler,
    "limitranges": default_limit_range,
    "namespaces": default_namespace,
    "networkpolicies.networking.k8s.io": default_network_policy,
    "nodes": default_node,
    "poddisruptionbudgets.policy": default_budget,
    "pods": default_pod,
    "priorityclasses.scheduling.k8s.io": default_priority_class,
    "replicasets.apps": default_replica_set,
    "resourcequotas": default_quota,
    "rolebindings.rbac.authorization.k8s.io": default_binding,
    "secrets": default_secret,
    "services": default_service,
})  # fmt: skip


def apply_defaults(resource: str, document: dict[str, Any]) -> None:
    """Fills in a kind's defaults, in place; a second time changes nothing.

    The document's types must be right (`schema.strict.check`), and it must hold no nulls.
    """
    defaulter = _DEFAULTERS.get(resource)
    if defaulter is not None:
        defaulter(document)
