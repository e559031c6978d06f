"""Which view belongs to which resource, and how to decode one.

`decode_view` is what informers call once per stored object; the result is shared and immutable.
"""

from functools import cache
from typing import Final, TypeVar, cast

import msgspec

from orchestrator.api.types import (
    apps,
    autoscaling,
    batch,
    config,
    networking,
    node,
    pod,
    policy,
    service,
    sets,
)
from orchestrator.api.types.meta import PartialObject, View

ViewT = TypeVar("ViewT", bound=View)

VIEWS: Final[dict[str, type[View]]] = {
    "pods": pod.Pod,
    "nodes": node.Node,
    "services": service.Service,
    "configmaps": config.ConfigMap,
    "secrets": config.Secret,
    "namespaces": config.Namespace,
    "events": config.Event,
    "deployments.apps": apps.Deployment,
    "replicasets.apps": apps.ReplicaSet,
    "endpointslices.discovery.k8s.io": apps.EndpointSlice,
    "cronjobs.batch": batch.CronJob,
    "horizontalpodautoscalers.autoscaling": autoscaling.HorizontalPodAutoscaler,
    "jobs.batch": batch.Job,
    "controllerrevisions.apps": sets.ControllerRevision,
    "daemonsets.apps": sets.DaemonSet,
    "statefulsets.apps": sets.StatefulSet,
    "poddisruptionbudgets.policy": policy.PodDisruptionBudget,
    "priorityclasses.scheduling.k8s.io": policy.PriorityClass,
    "ingressclasses.networking.k8s.io": networking.IngressClass,
    "ingresses.networking.k8s.io": networking.Ingress,
    "leases.coordination.k8s.io": apps.Lease,
}


@cache
def _decoder(view: type[View]) -> msgspec.json.Decoder[View]:
    return msgspec.json.Decoder(view, strict=False)


def decode_view(data: bytes, view: type[ViewT]) -> ViewT:
    """The typed view of an object's JSON bytes.

    Raises:
        msgspec.ValidationError: a field that the view names has another type; validation at the
            door keeps such objects out of the store.
    """
    return cast("ViewT", _decoder(view).decode(data))


def view_of(resource: str) -> type[View]:
    """The view for a group-resource; `PartialObject` for kinds that nothing acts on."""
    return VIEWS.get(resource, PartialObject)
