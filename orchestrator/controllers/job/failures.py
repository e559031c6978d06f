"""What a failed pod means for its Job (pure): the failure policy, and how long to wait then.

Source: Kubernetes concepts, "Pod failure policy", "Pod backoff failure policy".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from orchestrator.api.types.batch import OnExitCodes, PodFailurePolicy, PodFailureRule
from orchestrator.api.types.pod import ContainerStatus, Pod
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.reconcile.pods import condition
from orchestrator.store.objects import StoredObject

FIRST_DELAY_S: Final = 10.0
LONGEST_DELAY_S: Final = 360.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of a pod.

    Attributes:
        action: FailJob, FailIndex, Ignore or Count.
        message: why, in words.
    """

    action: str
    message: str


def verdict_of(policy: PodFailurePolicy | None, item: StoredObject, pod: Pod) -> Verdict | None:
    """The word of the first rule that fits a failed pod; None when none does."""
    for number, rule in enumerate(policy.rules if policy is not None else ()):
        why = _matches(rule, item, pod)
        if why:
            return Verdict(rule.action, f"{why} matching {rule.action} rule at index {number}")
    return None


def _matches(rule: PodFailureRule, item: StoredObject, pod: Pod) -> str:
    where = f"{item.key.namespace}/{item.key.name}"
    if rule.on_exit_codes is not None:
        statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
        for status in statuses:
            code = _exit_code(status, rule.on_exit_codes)
            if code is not None:
                return f"Container {status.name} for pod {where} failed with exit code {code}"
    for wanted in rule.on_pod_conditions:
        found = condition(pod.status.conditions, wanted.type)
        if found is not None and found.status == (wanted.status or "True"):
            return f"Pod {where} has condition {wanted.type}"
    return ""


def _exit_code(status: ContainerStatus, rule: OnExitCodes) -> int | None:
    ended = status.state.terminated
    if ended is None or ended.exit_code == 0:
        return None
    if rule.container_name and rule.container_name != status.name:
        return None
    inside = ended.exit_code in rule.values
    return ended.exit_code if inside == (rule.operator == "In") else None


def finished_s(item: StoredObject, pod: Pod, otherwise_s: float) -> float:
    """When a pod ended, wall seconds."""
    ends = [
        parse_rfc3339(status.state.terminated.finished_at)
        for status in pod.status.container_statuses
        if status.state.terminated is not None and status.state.terminated.finished_at
    ]
    if ends:
        return max(ends)
    if pod.metadata.deletion_timestamp:
        return parse_rfc3339(pod.metadata.deletion_timestamp)
    return otherwise_s


def delay_s(failures_s: Iterable[float], successes_s: Iterable[float], now_s: float) -> float:
    """Seconds to wait before the next pod: 10 after one failure, doubled by each further one.

    Args:
        failures_s: when pods failed.
        successes_s: when pods went well; failures before the last of them count no more.
        now_s: wall seconds.
    """
    since = max(successes_s, default=0.0)
    counting = [at for at in failures_s if at >= since]
    if not counting:
        return 0.0
    wait = min(FIRST_DELAY_S * 2.0 ** min(len(counting) - 1, 10), LONGEST_DELAY_S)
    return max(0.0, max(counting) + wait - now_s)
