"""How many replicas a workload has and wants: what its scale subresource shows. Pure.

Source: Kubernetes API, autoscaling/v1 Scale; apiextensions.k8s.io/v1, `subresources.scale`.
"""

from dataclasses import dataclass
from typing import Any, Final

from orchestrator.api.custom.version import ScalePaths
from orchestrator.api.labels import from_document
from orchestrator.api.resources import Resource
from orchestrator.kit.errors import ApiError

Document = dict[str, Any]

_REPLICAS: Final = ("spec", "replicas")
_SHOWN_META: Final = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


@dataclass(frozen=True, slots=True)
class Scale:
    """A workload's scale.

    Attributes:
        replicas: wanted.
        observed: there are.
        selector: of its pods, as text; "" for none.
    """

    replicas: int
    observed: int
    selector: str


def has_scale(resource: Resource) -> bool:
    """Whether objects of this row can be scaled."""
    return any(sub.name == "scale" for sub in resource.subresources)


def read_scale(resource: Resource, document: Document) -> Scale:
    """The scale of a workload, given in the version of the row.

    Raises:
        ApiError: a custom object has no replicas where its definition says they are.
    """
    if resource.custom is not None and resource.custom.scale is not None:
        return _custom(document, resource.custom.scale)
    spec, status = document.get("spec") or {}, document.get("status") or {}
    selector = str(from_document(spec.get("selector") or {}))
    return Scale(spec.get("replicas", 0), status.get("replicas", 0), selector)


def scale_document(resource: Resource, document: Document) -> Document:
    """The Scale of a workload, keys in wire order; the workload in the version of the row.

    Raises:
        ApiError: a custom object has no replicas where its definition says they are.
    """
    found = read_scale(resource, document)
    status: Document = {"replicas": found.observed}
    if found.selector:
        status["selector"] = found.selector
    meta = document["metadata"]
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in _SHOWN_META if key in meta},
        "spec": {"replicas": found.replicas},
        "status": status,
    }


def replicas_patch(resource: Resource, replicas: int) -> Document:
    """The merge patch that sets the wanted replicas."""
    custom = resource.custom
    path = custom.scale.spec_replicas if custom is not None and custom.scale else _REPLICAS
    value: Any = replicas
    for name in reversed(path):
        value = {name: value}
    made: Document = value
    return made


def _custom(document: Document, paths: ScalePaths) -> Scale:
    replicas = _at(document, paths.spec_replicas)
    if not isinstance(replicas, int):
        where = "." + ".".join(paths.spec_replicas)
        raise ApiError(f'Internal error occurred: the spec replicas field "{where}" does not exist')
    observed = _at(document, paths.status_replicas)
    selector = _at(document, paths.selector) if paths.selector else ""
    return Scale(
        replicas,
        observed if isinstance(observed, int) else 0,
        selector if isinstance(selector, str) else "",
    )


def _at(document: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document
