"""Which view belongs to which resource, and how to decode one.

`decode_view` is what informers call once per stored object; the result is shared and immutable.
"""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin

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
_Get = Callable[[Any], Any]

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


def take_over(view: View, before: View) -> None:
    """Lets a view share the parts that it has in common with one of the same object before.

    A pod's containers are the same from its creation to its end, and are the same object as its
    siblings' when it was made of a template: twenty thousand pods share them instead of holding
    each its own. Works on a view that nobody else has yet, one level below its fields.
    """
    if type(view) is not type(before):
        return
    for part_of, names, values_of in _parts(type(view)):
        part, old = part_of(view), part_of(before)
        if part is old:
            continue
        for name, value, known in zip(names, values_of(part), values_of(old), strict=True):
            if value is not known and value == known:
                msgspec.structs.force_setattr(part, name, known)


@cache
def _parts(view: type[View]) -> tuple[tuple[_Get, tuple[str, ...], _Get], ...]:
    """Of the parts of a view: what reads one, the names of its fields that are worth sharing, and
    what reads their values. A status is not looked at: it is what changes.
    """
    found = []
    for field in msgspec.structs.fields(view):
        part = field.type
        if field.name == "status" or not (isinstance(part, type) and issubclass(part, View)):
            continue
        names = tuple(
            one.name
            for one in msgspec.structs.fields(part)
            if _without_none(one.type) not in {str, int, bool}
        )
        if len(names) > 1:  # of one name alone, what reads it would give no tuple
            found.append((attrgetter(field.name), names, attrgetter(*names)))
    return tuple(found)


def view_of(resource: str) -> type[View]:
    """The view for a group-resource; `PartialObject` for kinds that nothing acts on."""
    return VIEWS.get(resource, PartialObject)


@cache
def field_reader(view: type[View], path: tuple[str, ...]) -> Callable[[View], Any] | None:
    """What reads one simple value (text, number, truth) of a view by its path in the document.

    Returns:
        A function that gives the value, or the field's default where the document has none; None
        when the view does not know the field, or knows it as something that is not simple.
    """
    attributes: list[str] = []
    at: Any = view
    for step in path:
        if not (isinstance(at, type) and issubclass(at, msgspec.Struct)):
            return None
        found = {field.encode_name: field for field in msgspec.structs.fields(at)}.get(step)
        if found is None:
            return None
        attributes.append(found.name)
        at = _without_none(found.type)
    return attrgetter(".".join(attributes)) if at in {str, int, bool} else None


def _without_none(kind: Any) -> Any:
    """`X` of `X | None` for a simple X; a part that may be missing as a whole is not read."""
    if get_origin(kind) in {UnionType, Union}:
        rest = [one for one in get_args(kind) if one is not NoneType]
        return rest[0] if len(rest) == 1 and rest[0] in {str, int, bool} else None
    return kind
