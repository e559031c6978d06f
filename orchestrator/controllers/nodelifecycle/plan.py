"""What a host's state means for its Node and its pods. Pure.

Under pressure: a taint that keeps new pods away.
Not ready: taints (not-ready for Ready=False, unreachable for Unknown), its pods' Ready becomes
False at once so that endpoints leave, and after a grace the pods that do not tolerate it longer are
deleted; that makes their replacements, while the objects stay until the host comes back and stops
what still runs there. While no host at all is ready it is the server that is cut off: nothing is
deleted then, and the grace starts anew when the first host is back.

Source: Kubernetes concepts, "Nodes", "Taints and Tolerations"; node lifecycle controller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.api.names import (
    TAINT_NOT_READY,
    TAINT_UNREACHABLE,
    TAINT_UNSCHEDULABLE,
    TAINTS_OF_PRESSURE,
)
from orchestrator.api.types.node import Node, Taint
from orchestrator.api.types.pod import Pod
from orchestrator.kit.clock import parse_rfc3339, rfc3339
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Delete, Intent, Patch, Record, RequeueAfter
from orchestrator.reconcile.pods import condition, has_ended
from orchestrator.reconcile.snapshot import view_as
from orchestrator.reconcile.statuses import conditions_of, without_condition
from orchestrator.reconcile.tolerations import toleration_s
from orchestrator.store.objects import Document, StoredObject

COMPONENT: Final = "node-controller"
_HOST_TAINTS: Final = frozenset({TAINT_NOT_READY, TAINT_UNREACHABLE})
_OUR_TAINTS: Final = _HOST_TAINTS | {TAINT_UNSCHEDULABLE, *TAINTS_OF_PRESSURE.values()}
_NO_EXECUTE: Final = "NoExecute"
_NO_SCHEDULE: Final = "NoSchedule"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        key: of the Node.
        node: the Node; None when there is none of that name.
        pods: pods bound to it.
        any_ready: whether any host of the cluster is ready.
        lost_s: seconds for which it has been not ready or missing while another was ready.
        tainted_s: seconds for which each NoExecute taint has been there, by (key, value).
    """

    key: ObjectKey
    node: StoredObject | None
    pods: Sequence[StoredObject]
    any_ready: bool
    lost_s: float
    tainted_s: Mapping[tuple[str, str], float] = field(default_factory=dict)


def plan(facts: Facts, grace_s: float, missing_grace_s: float, now_s: float) -> list[Intent]:
    """Taints, then pods' conditions, then deletes, and when to look again.

    Args:
        facts: see there.
        grace_s: before pods of a lost host are replaced.
        missing_grace_s: before pods of a host that was taken away are removed by force.
        now_s: wall seconds.
    """
    if facts.node is None:
        return _collect(facts, missing_grace_s)
    intents = _taints(facts.node, now_s)
    lost = not is_node_ready(facts.node)
    if lost:
        patches = [patch for pod in facts.pods if (patch := _not_ready(pod, now_s))]
        intents += [*patches, *(_told_not_ready(patch.key) for patch in patches)]
    return [*intents, *_evictions(facts, grace_s)]


def is_node_ready(node: StoredObject) -> bool:
    """Whether the Node's Ready condition is True."""
    found = condition(view_as(node, Node).status.conditions, "Ready")
    return found is not None and found.status == "True"


def no_execute(node: StoredObject) -> list[Taint]:
    """Taints that drive pods away."""
    return [taint for taint in view_as(node, Node).spec.taints if taint.effect == _NO_EXECUTE]


# ---------------------------------------------------------------- taints


def _taints(node: StoredObject, now_s: float) -> list[Intent]:
    current: list[Document] = node.doc.get("spec", {}).get("taints") or []
    wanted = _wanted_taints(view_as(node, Node))
    have = {(taint["key"], taint["effect"]) for taint in current if taint["key"] in _OUR_TAINTS}
    if have == set(wanted):
        return []
    kept = [
        taint
        for taint in current
        if taint["key"] not in _OUR_TAINTS or (taint["key"], taint["effect"]) in wanted
    ]
    added: list[Document] = [
        {"key": key, "effect": effect, "timeAdded": rfc3339(now_s)}
        for key, effect in wanted
        if (key, effect) not in have
    ]
    change = {"spec": {"taints": [*kept, *added] or None}}
    patch = Patch(node.key, change, expected=node.revision, uid=node.uid)
    if any(taint["key"] in _HOST_TAINTS for taint in added):
        told = f"Node {node.key.name} status is now: NodeNotReady"
        return [patch, Record(node.key, "Normal", "NodeNotReady", told, COMPONENT)]
    return [patch]


def _wanted_taints(node: Node) -> list[tuple[str, str]]:
    wanted: list[tuple[str, str]] = []
    ready = condition(node.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        unknown = ready is not None and ready.status == "Unknown"
        key = TAINT_UNREACHABLE if unknown else TAINT_NOT_READY
        wanted += [(key, _NO_SCHEDULE), (key, _NO_EXECUTE)]
    if node.spec.unschedulable:
        wanted.append((TAINT_UNSCHEDULABLE, _NO_SCHEDULE))
    for kind, key in TAINTS_OF_PRESSURE.items():
        found = condition(node.status.conditions, kind)
        if found is not None and found.status == "True":
            wanted.append((key, _NO_SCHEDULE))
    return wanted


# ---------------------------------------------------------------- pods


def _not_ready(item: StoredObject, now_s: float) -> Patch | None:
    """The pod cannot be counted on: its Ready becomes False; the rest is its session's."""
    conditions = conditions_of(item)
    ready = next((c for c in conditions if c.get("type") == "Ready"), None)
    if ready is None or ready.get("status") != "True" or has_ended(view_as(item, Pod)):
        return None
    changed = {
        **ready,
        "status": "False",
        "reason": "NodeNotReady",
        "message": "the host is not ready",
        "lastTransitionTime": rfc3339(now_s),
    }
    status = {"conditions": [*without_condition(conditions, "Ready"), changed]}
    return Patch(item.key, {"status": status}, "status", expected=item.revision, uid=item.uid)


def _told_not_ready(key: ObjectKey) -> Record:
    return Record(key, "Warning", "NodeNotReady", "Node is not ready", COMPONENT)


def _evictions(facts: Facts, grace_s: float) -> list[Intent]:
    node = facts.node
    if node is None:
        return []
    taints = no_execute(node)
    if not taints:
        return []
    deletes: list[Intent] = []
    told: list[Intent] = []
    waits: list[float] = []
    for item in facts.pods:
        pod = view_as(item, Pod)
        if owners.is_deleting(item) or has_ended(pod):
            continue
        wait = _stays_s(pod, taints, facts, grace_s)
        if wait is None:
            continue
        if wait > 0:
            waits.append(wait)
            continue
        deletes.append(Delete(item.key, uid=item.uid))
        message = f"Marking for deletion Pod {item.key.namespace}/{item.key.name}"
        told.append(Record(item.key, "Normal", "TaintManagerEviction", message, COMPONENT))
    later: list[Intent] = [RequeueAfter(min(waits))] if waits else []
    return [*told, *deletes, *later]


def _stays_s(pod: Pod, taints: Sequence[Taint], facts: Facts, grace_s: float) -> float | None:
    """Seconds until the pod has to go because of its host's taints; None for never."""
    waits: list[float] = []
    for taint in taints:
        tolerated_s = toleration_s(pod.spec.tolerations, taint)
        if tolerated_s is None:
            continue
        if taint.key in _HOST_TAINTS:
            if facts.any_ready and not _is_back(facts):
                waits.append(max(grace_s, tolerated_s) - facts.lost_s)
        else:
            waits.append(tolerated_s - facts.tainted_s.get((taint.key, taint.value), 0.0))
    return min(waits) if waits else None


def _is_back(facts: Facts) -> bool:
    """Whether the host is back and only its taints are not gone yet."""
    return facts.node is not None and is_node_ready(facts.node)


def _collect(facts: Facts, missing_grace_s: float) -> list[Intent]:
    """Pods of a host that is no more: nobody else will ever remove them."""
    if not facts.pods:
        return []
    left_s = missing_grace_s - facts.lost_s
    if left_s > 0:
        return [RequeueAfter(left_s)]
    return [Delete(item.key, uid=item.uid, grace_s=0) for item in facts.pods]


def tainted_since_s(taint: Taint, first_seen_s: float) -> float:
    """Wall seconds since when a taint is there: what it says itself, else when it was seen."""
    return parse_rfc3339(taint.time_added) if taint.time_added else first_seen_s
