"""What a PodDisruptionBudget allows at the moment (pure).

Source: Kubernetes concepts, "Disruptions", "Specifying a Disruption Budget".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.api.types.pod import Pod
from orchestrator.api.types.policy import PodDisruptionBudget
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Intent, Record, RequeueAfter
from orchestrator.reconcile.pods import is_ready
from orchestrator.reconcile.snapshot import view_as
from orchestrator.reconcile.statuses import (
    conditions_of,
    find_condition,
    stamped,
    status_patch,
    without_condition,
)
from orchestrator.store.objects import Document, StoredObject

COMPONENT: Final = "disruption-controller"
_GONE_AFTER_S: Final = 120.0
"""An eviction whose pod does not go within that time counts no more."""
_ALLOWED: Final = "DisruptionAllowed"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        budget: the PodDisruptionBudget.
        pods: the pods that it selects.
        scales: uid of a pod's controller to how many pods that wants; absent when it has no scale.
    """

    budget: StoredObject
    pods: Sequence[StoredObject]
    scales: Mapping[str, int]


def plan(facts: Facts, now_s: float) -> list[Intent]:
    """The status as it should be.

    Args:
        facts: see there.
        now_s: wall seconds.
    """
    item, budget = facts.budget, view_as(facts.budget, PodDisruptionBudget)
    if owners.is_deleting(item):
        return []
    expected, desired, trouble = _bounds(budget, facts)
    disrupted, wait_s = _disrupted(budget, facts.pods, now_s)
    healthy = sum(
        is_ready(pod) and not pod.metadata.deletion_timestamp and item.key.name not in disrupted
        for item in facts.pods
        for pod in (view_as(item, Pod),)
    )
    allowed = max(0, healthy - desired) if expected and not trouble else 0
    status: Document = {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": item.doc["metadata"].get("generation", 0),
    }
    if disrupted:
        status["disruptedPods"] = disrupted
    kept = conditions_of(item)
    reason = "SyncFailed" if trouble else "SufficientPods" if allowed else "InsufficientPods"
    made = stamped(
        find_condition(kept, _ALLOWED), "True" if allowed else "False", reason, trouble, now_s,
        _ALLOWED,
    )  # fmt: skip
    made = {**made, "message": trouble, "observedGeneration": status["observedGeneration"]}
    status["conditions"] = [*without_condition(kept, _ALLOWED), made]
    patch = status_patch(item, status)
    intents: list[Intent] = [patch] if patch is not None else []
    if trouble and patch is not None:
        intents.append(Record(item.key, "Warning", "CalculateExpectedPodCountFailed",
                              f"Failed to calculate the number of expected pods: {trouble}",
                              COMPONENT))  # fmt: skip
    if wait_s is not None:
        intents.append(RequeueAfter(wait_s))
    return intents


def _bounds(budget: PodDisruptionBudget, facts: Facts) -> tuple[int, int, str]:
    """Pods expected, pods that must stay healthy, and what is wrong."""
    spec = budget.spec
    if isinstance(spec.min_available, int) and spec.max_unavailable is None:
        return len(facts.pods), spec.min_available, ""
    expected, trouble = _expected(facts)
    if trouble:
        return expected, 0, trouble
    if spec.max_unavailable is not None:
        return expected, max(0, expected - _share(spec.max_unavailable, expected)), ""
    if spec.min_available is not None:
        return expected, _share(spec.min_available, expected), ""
    return expected, 0, ""


def _expected(facts: Facts) -> tuple[int, str]:
    """How many pods the selected pods' controllers want in all."""
    wanted: dict[str, int] = {}
    for pod in facts.pods:
        uid = owners.controller_uid(pod)
        if not uid:
            return 0, f'found no controllers for pod "{pod.key.name}"'
        if uid not in facts.scales:
            return 0, f'the controller of pod "{pod.key.name}" has no scale'
        wanted[uid] = facts.scales[uid]
    return sum(wanted.values()), ""


def _share(value: int | str, whole: int) -> int:
    """A number, or a percentage of the whole, rounded up."""
    if isinstance(value, int):
        return value
    return math.ceil(int(value.removesuffix("%")) * whole / 100)


def _disrupted(
    budget: PodDisruptionBudget, pods: Sequence[StoredObject], now_s: float
) -> tuple[dict[str, str], float | None]:
    """Evictions that were allowed and whose pods do not leave yet; when to look again."""
    there = {pod.key.name: pod for pod in pods}
    kept: dict[str, str] = {}
    waits: list[float] = []
    for name, since in (budget.status.disrupted_pods or {}).items():
        pod = there.get(name)
        left_s = parse_rfc3339(since) + _GONE_AFTER_S - now_s
        if pod is None or owners.is_deleting(pod) or left_s <= 0:
            continue
        kept[name] = since
        waits.append(left_s)
    return kept, min(waits) if waits else None
