"""One scheduling cycle: a batch of pods against one view of the hosts. Pure.

Pods are placed one after the other, each on a view in which those before it have their place
already, so a batch never promises the same room twice.

Source: Kubernetes concepts, "Kubernetes Scheduler" (filtering, scoring, binding).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.scheduler.filters import Reason, explain, reasons
from orchestrator.scheduler.scores import best
from orchestrator.scheduler.settings import SchedulerSettings, Strategy
from orchestrator.scheduler.view import PODS, NodeView, PodView, nonzero_requests

DEFAULT_SCHEDULER: Final = "default-scheduler"
STRATEGIES: Final[tuple[Strategy, ...]] = ("resource-aware", "round-robin")


@dataclass(frozen=True, slots=True)
class Bind:
    """Put a pod on a host."""

    key: ObjectKey
    uid: Uid
    node: str


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """A pod fits nowhere.

    Attributes:
        key: the pod.
        uid: its uid.
        message: why, counted and host by host.
        against: every host's reasons, by name.
    """

    key: ObjectKey
    uid: Uid
    message: str
    against: Mapping[str, Sequence[Reason]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cycle decided.

    Attributes:
        decisions: one for every pod, in the order of placing.
        last: host that round robin chose last; pass it to the next cycle.
    """

    decisions: Sequence[Bind | Unschedulable]
    last: str


def strategy_of(scheduler: str, settings: SchedulerSettings) -> Strategy | None:
    """The strategy of a pod's `spec.schedulerName`; None when that is no scheduler of ours."""
    if scheduler in {"", DEFAULT_SCHEDULER}:
        return settings.strategy
    return next((name for name in STRATEGIES if name == scheduler), None)


def schedule(
    pods: Iterable[PodView], nodes: Iterable[NodeView], settings: SchedulerSettings, last: str = ""
) -> Outcome:
    """Decides where pods go; none of another scheduler's may be among them.

    Args:
        pods: unbound pods.
        nodes: all hosts with what is on them.
        settings: see there.
        last: from the cycle before.
    """
    view = {node.name: node for node in sorted(nodes, key=lambda node: node.name)}
    decisions: list[Bind | Unschedulable] = []
    for pod in sorted(pods, key=lambda pod: (-pod.priority, pod.created, pod.key)):
        against: dict[str, Sequence[Reason]] = {}
        fitting: list[NodeView] = []
        for node in view.values():
            found = reasons(pod, node)
            if found:
                against[node.name] = found
            else:
                fitting.append(node)
        if not fitting:
            message = explain(against, settings.explained_nodes)
            decisions.append(Unschedulable(pod.key, pod.uid, message, against))
            continue
        if strategy_of(pod.scheduler, settings) == "round-robin":
            chosen = next((node for node in fitting if node.name > last), fitting[0])
            last = chosen.name
        else:
            chosen = best(pod, fitting)
        view[chosen.name] = placed(pod, chosen)
        decisions.append(Bind(pod.key, pod.uid, chosen.name))
    return Outcome(decisions, last)


def placed(pod: PodView, node: NodeView) -> NodeView:
    """The host with one more pod on it."""
    used = Counter(node.used)
    used.update(pod.requests)
    used[PODS] += 1
    nonzero = Counter(node.nonzero)
    nonzero.update(nonzero_requests(pod))
    workloads = Counter(node.workloads)
    if pod.workload:
        workloads[pod.workload] += 1
    return replace(
        node,
        used=used,
        nonzero=nonzero,
        workloads=workloads,
        host_ports=node.host_ports | pod.host_ports,
    )
