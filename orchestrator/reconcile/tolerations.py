"""Taints and tolerations: who may be where, and for how long. Pure.

Source: Kubernetes concepts, "Taints and Tolerations"; v1.Toleration.ToleratesTaint.
"""

from collections.abc import Iterable

from orchestrator.api.types.node import Taint
from orchestrator.api.types.pod import Toleration


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether this toleration is about this taint."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    if not toleration.key:
        return False  # an empty key needs Exists
    return toleration.operator in {"", "Equal"} and toleration.value == taint.value


def tolerated(tolerations: Iterable[Toleration], taint: Taint) -> bool:
    """Whether any toleration is about this taint."""
    return any(tolerates(toleration, taint) for toleration in tolerations)


def toleration_s(tolerations: Iterable[Toleration], taint: Taint) -> float | None:
    """Seconds for which a NoExecute taint is borne: 0 without toleration, None for ever.

    The shortest of the matching tolerations counts.
    """
    matching = [toleration for toleration in tolerations if tolerates(toleration, taint)]
    if not matching:
        return 0.0
    bounds = [
        float(max(0, toleration.toleration_seconds))
        for toleration in matching
        if toleration.toleration_seconds is not None
    ]
    return min(bounds) if bounds else None
