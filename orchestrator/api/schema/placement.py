"""Definition of scheduling.orch.dev/v1 PodPlacement: what pods/NAME/placement answers."""

from typing import Any, Final

Definition = dict[str, Any]

GROUP: Final = "scheduling.orch.dev"
VERSION: Final = "v1"
KIND: Final = "PodPlacement"
API_VERSION: Final = f"{GROUP}/{VERSION}"
_NAME: Final = "dev.orch.scheduling.v1.PodPlacement"
_META: Final = "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def _text(description: str) -> Definition:
    return {"type": "string", "description": description}


def _number(description: str) -> Definition:
    return {"type": "integer", "format": "int32", "description": description}


def _texts(description: str) -> Definition:
    return {"type": "array", "description": description, "items": {"type": "string"}}


def _object(description: str, **properties: Definition) -> Definition:
    return {"type": "object", "description": description, "properties": properties}


def _many(description: str, item: Definition) -> Definition:
    return {"type": "array", "description": description, "items": item}


_POINTS: Final = {"type": "number", "format": "double"}
_CANDIDATE: Final = _object(
    "A host that fits.",
    node=_text("Its name."),
    points={**_POINTS, "description": "All scores together."},
    scores={
        "type": "object",
        "description": "Weighted scores by the name of their weight.",
        "additionalProperties": _POINTS,
    },
)
_EXCLUDED: Final = _object(
    "Hosts that do not fit, for one reason.",
    reason=_text("What is against them."),
    detail=_text("The same in numbers."),
    plugin=_text("Which filter says so."),
    count=_number("How many hosts."),
    nodes=_texts("Their names, for those who may list nodes."),
)
PLACEMENT: Final[dict[str, Definition]] = {
    _NAME: {
        **_object(
            "Why a pod is where it is, or why it waits.",
            apiVersion=_text("Group and version of the object."),
            kind=_text("Kind of the object, in CamelCase."),
            metadata={"allOf": [{"$ref": _META}], "description": "Name of the pod."},
            state=_text("Bound, Pending, Gated, Leaving, Ended or Foreign."),
            summary=_text("All of it in one sentence."),
            node=_text("The pod's host."),
            nominatedNode=_text("Where room is being made for it."),
            waitsFor=_texts("What it waits for besides hosts that fit."),
            profile=_text("By which hosts are chosen."),
            decided=_object(
                "What its PodScheduled condition tells.",
                message=_text("Why it was placed there, or why not."),
                time=_text("Since when."),
            ),
            comparison=_object(
                "How hosts compare for it now, as if it had no place yet.",
                hosts=_number("How many there are."),
                feasible=_number("On how many it fits."),
                takeTurns={"type": "boolean", "description": "Scores do not matter."},
                candidates=_many("The best of those, best first.", _CANDIDATE),
                excluded=_many("The others, by reason.", _EXCLUDED),
            ),
        ),
        "x-kubernetes-group-version-kind": [{"group": GROUP, "kind": KIND, "version": VERSION}],
    }
}
"""By full name, as the generated ones."""
