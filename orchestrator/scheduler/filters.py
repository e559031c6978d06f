"""Why a pod cannot run on a host: every reason, in Kubernetes' words, with numbers. Pure.

Source: kube-scheduler's filter plugins NodeUnschedulable, NodeName, TaintToleration, NodeAffinity,
NodePorts, NodeResourcesFit; their messages.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.api import quantity
from orchestrator.api.names import TAINT_UNSCHEDULABLE
from orchestrator.api.types.node import Taint
from orchestrator.reconcile.affinity import fits
from orchestrator.reconcile.tolerations import tolerated
from orchestrator.scheduler.view import CPU, MEMORY, PODS, NodeView, PodView, ports_clash

_UNSCHEDULABLE = Taint(key=TAINT_UNSCHEDULABLE, effect="NoSchedule")


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason against a host.

    Attributes:
        words: as kube-scheduler says it; equal words are counted together.
        detail: with this host's numbers; "" when there is nothing to add.
    """

    words: str
    detail: str = ""


def reasons(pod: PodView, node: NodeView) -> list[Reason]:
    """Why the pod cannot run there; empty when it can.

    The first kind of reason that applies is given alone, as kube-scheduler does; of resources all
    that do not suffice.
    """
    if node.unschedulable and not tolerated(pod.tolerations, _UNSCHEDULABLE):
        return [Reason("node(s) were unschedulable")]
    for taint in node.taints:
        if taint.effect in {"NoSchedule", "NoExecute"} and not tolerated(pod.tolerations, taint):
            return [Reason(f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}")]
    if not node.ready:
        return [Reason("node(s) were not ready")]
    for key, value in (pod.node_selector or {}).items():
        if node.labels.get(key) != value:
            has = node.labels.get(key)
            found = "it has no such label" if has is None else f"it has {key}={has}"
            return [
                Reason(
                    "node(s) didn't match Pod's node affinity/selector",
                    f"wants {key}={value}, {found}",
                )
            ]
    if not fits(pod.affinity, node.name, node.labels):
        return [Reason("node(s) didn't match Pod's node affinity/selector")]
    if pod.host_ports and ports_clash(pod.host_ports, node.host_ports):
        return [Reason("node(s) didn't have free ports for the requested pod ports")]
    return _short_of(pod, node)


def _short_of(pod: PodView, node: NodeView) -> list[Reason]:
    found: list[Reason] = []
    room = node.allocatable.get(PODS)
    if room is not None and node.used.get(PODS, 0) + 1 > room:
        found.append(Reason("Too many pods", f"takes {room}"))
    for name, asked in sorted(pod.requests.items()):
        free = node.allocatable.get(name, 0) - node.used.get(name, 0)
        if asked > free:
            detail = f"asks {_shown(name, asked)}, free {_shown(name, max(0, free))}"
            found.append(Reason(f"Insufficient {name}", detail))
    return found


def _shown(name: str, amount: int) -> str:
    if name == CPU:
        return quantity.format_mcpu(amount)
    return quantity.format_bytes(amount) if name == MEMORY else str(amount)


def explain(against: Mapping[str, Sequence[Reason]], explained_nodes: int) -> str:
    """The message of an unschedulable pod: counted reasons, then each host's own.

    Args:
        against: every host's reasons, by name.
        explained_nodes: most hosts to explain one by one.
    """
    if not against:
        return "no nodes available to schedule pods"
    counts = Counter(reason.words for found in against.values() for reason in found)
    summed = ", ".join(sorted(f"{count} {words}" for words, count in counts.items()))
    message = f"0/{len(against)} nodes are available: {summed}."
    shown = sorted(against)[:explained_nodes]
    each = "; ".join(f"{name}: {_told(against[name])}" for name in shown)
    more = f"; and {len(against) - len(shown)} more" if len(against) > len(shown) else ""
    return f"{message} {each}{more}."


def _told(found: Sequence[Reason]) -> str:
    return ", ".join(
        f"{reason.words} ({reason.detail})" if reason.detail else reason.words for reason in found
    )
