"""What controllers say of a pod: active, ready, available. Pure.

Source: Kubernetes API, core/v1 PodStatus; apps/v1 minReadySeconds.
"""

from collections.abc import Iterable
from typing import Final

from orchestrator.api.types.meta import Condition
from orchestrator.api.types.pod import Pod
from orchestrator.kit.clock import parse_rfc3339

ENDED_PHASES: Final = frozenset({"Succeeded", "Failed"})


def condition(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """The condition of that type, or None."""
    for found in conditions:  # asked of every pod of a workload: a generator costs twice as much
        if found.type == kind:
            return found
    return None


def has_ended(pod: Pod) -> bool:
    """Whether its containers have ended for good."""
    return pod.status.phase in ENDED_PHASES


def is_active(pod: Pod) -> bool:
    """Whether it counts as a replica: neither ended nor being deleted."""
    return pod.status.phase not in ENDED_PHASES and not pod.metadata.deletion_timestamp


def is_ready(pod: Pod) -> bool:
    """Whether its Ready condition is True."""
    found = condition(pod.status.conditions, "Ready")
    return found is not None and found.status == "True"


def ready_since_s(pod: Pod) -> float | None:
    """Wall seconds since when it is ready; None when it is not."""
    found = condition(pod.status.conditions, "Ready")
    if found is None or found.status != "True":
        return None
    return parse_rfc3339(found.last_transition_time) if found.last_transition_time else 0.0


def available_in_s(pod: Pod, min_ready_s: int, now_s: float) -> float | None:
    """Seconds until it counts as available: 0 when it does, None when it is not ready."""
    if not min_ready_s:
        return 0.0 if is_ready(pod) else None
    since_s = ready_since_s(pod)
    return None if since_s is None else max(0.0, since_s + min_ready_s - now_s)
