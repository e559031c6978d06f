"""Definitions of metrics.k8s.io/v1beta1, which the generated data does not hold.

They belong to no API server of Kubernetes itself. Source: k8s.io/metrics, v1beta1.
"""

from typing import Any, Final

Definition = dict[str, Any]

_REF: Final = "#/components/schemas/io.k8s."
_META: Final = "apimachinery.pkg.apis.meta.v1"
_HERE: Final = "metrics.pkg.apis.metrics.v1beta1"
_KIND: Final = {"type": "string", "description": "Kind of the object, in CamelCase."}
_VERSION: Final = {"type": "string", "description": "Group and version of the object."}
_USAGE: Final = {
    "type": "object",
    "description": "What is used: cpu on average over the window, memory at its end.",
    "additionalProperties": {"$ref": f"{_REF}apimachinery.pkg.api.resource.Quantity"},
}


def _of(name: str, description: str) -> Definition:
    return {"allOf": [{"$ref": f"{_REF}{name}"}], "description": description}


def _many(name: str, description: str) -> Definition:
    return {"type": "array", "description": description, "items": {"$ref": f"{_REF}{name}"}}


def _kind(kind: str, description: str, **properties: Definition) -> Definition:
    return {
        "type": "object",
        "description": description,
        "properties": {"apiVersion": _VERSION, "kind": _KIND, **properties},
        "required": sorted(name for name in properties if name != "metadata"),
        "x-kubernetes-group-version-kind": [
            {"group": "metrics.k8s.io", "kind": kind, "version": "v1beta1"}
        ],
    }


def _measured(kind: str, description: str, **properties: Definition) -> dict[str, Definition]:
    """A kind and its list."""
    name = f"{_HERE}.{kind}"
    return {
        f"io.k8s.{name}": _kind(
            kind,
            description,
            metadata=_of(f"{_META}.ObjectMeta", "Standard object's metadata."),
            timestamp=_of(f"{_META}.Time", "End of the window."),
            window={"type": "string", "description": 'How long was measured: "15s".'},
            **properties,
        ),
        f"io.k8s.{name}List": _kind(
            f"{kind}List",
            f"A list of {kind}.",
            metadata=_of(f"{_META}.ListMeta", "Standard list's metadata."),
            items=_many(name, f"The {kind}."),
        ),
    }


METRICS: Final[dict[str, Definition]] = {
    f"io.k8s.{_HERE}.ContainerMetrics": {
        "type": "object",
        "description": "What a container uses.",
        "properties": {
            "name": {"type": "string", "description": "The container's name in its pod."},
            "usage": _USAGE,
        },
        "required": ["name", "usage"],
    },
    **_measured("NodeMetrics", "What a node uses.", usage=_USAGE),
    **_measured(
        "PodMetrics",
        "What a pod's containers use.",
        containers=_many(f"{_HERE}.ContainerMetrics", "One entry for each that runs."),
    ),
}
"""By full name, as the generated ones."""
