"""What a scenario did: pods before and after compared, workload by workload. Pure.

A pod that is gone and one that came in its place, of the same workload, are one move. Which came
for which nobody knows where pods have no names of their own: they are paired in order.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.api.types.pod import Pod
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.reconcile import owners
from orchestrator.reconcile.pods import has_ended
from orchestrator.reconcile.snapshot import Snapshot, metadata_of, node_of, view_as
from orchestrator.store.objects import StoredObject

_OWNERS: Final = {"ReplicaSet": "replicasets.apps", "Job": "jobs.batch"}
Workload = tuple[str, str]
"""Namespace, and "deployment/web" or "pod/web-1"."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A pod that has not ended.

    Attributes:
        key: its name.
        uid: its uid.
        workload: whose it is.
        node: its host; "" while it waits.
        leaving: it is being deleted.
        lone: no controller makes it again.
    """

    key: ObjectKey
    uid: Uid
    workload: Workload
    node: str
    leaving: bool
    lone: bool


@dataclass(frozen=True, slots=True)
class Move:
    """A pod that has another place, or another in its place.

    Attributes:
        namespace: of the workload.
        workload: "deployment/web".
        pod: its name before; "" for one that is new.
        source: its host before; "" when it had none.
        replacement: its name after; "" for one that is gone for good.
        target: its host after; "" when it has none.
    """

    namespace: str
    workload: str
    pod: str
    source: str
    replacement: str
    target: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pod without a host, at the end.

    Attributes:
        namespace: of the pod.
        workload: whose it is.
        pod: its name.
        why: in the words of `orch explain`.
        before: it waited before, too.
    """

    namespace: str
    workload: str
    pod: str
    why: str
    before: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """A pod that is gone, or leaves, with nothing in its place.

    Attributes:
        namespace: of the pod.
        workload: whose it is.
        pod: its name.
        source: its host before.
        why: what keeps others from coming.
    """

    namespace: str
    workload: str
    pod: str
    source: str
    why: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A disruption budget that was kept before, and was not for a while.

    Attributes:
        namespace: of the budget.
        budget: its name.
        healthy: fewest healthy pods.
        needed: how many it wanted then.
        seconds: for how long; None when it stays so.
    """

    namespace: str
    budget: str
    healthy: int
    needed: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """An eviction that a disruption budget does not allow."""

    namespace: str
    workload: str
    pod: str
    node: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a simulation tells.

    Attributes:
        hosts: how many were copied.
        pods: how many were copied.
        settled: nothing moved any more when it ended.
        seconds: virtual time of the scenario.
        moves: what would move, or be started.
        lost: what would be gone.
        waiting: what would wait for a host.
        broken: budgets that would not be kept.
        blocked: evictions that would not be allowed.
        refused: what controllers could not make, and why.
        notes: what else is to be known about the simulation.
    """

    hosts: int
    pods: int
    settled: bool
    seconds: float
    moves: Sequence[Move]
    lost: Sequence[Lost]
    waiting: Sequence[Waiting]
    broken: Sequence[Broken]
    blocked: Sequence[Blocked]
    refused: Sequence[str]
    notes: Sequence[str]


def seen(snapshot: Snapshot) -> dict[Uid, Seen]:
    """All pods that have not ended."""
    return {
        item.uid: Seen(
            item.key,
            item.uid,
            workload_of(snapshot, item),
            node_of(item),
            owners.is_deleting(item),
            not owners.controller_uid(item),
        )
        for item in snapshot.list("pods")
        if not has_ended(view_as(item, Pod))
    }


def workload_of(snapshot: Snapshot, pod: StoredObject) -> Workload:
    """Whose a pod is: of its controllers the topmost that is known."""
    item, name = pod, f"pod/{pod.key.name}"
    while (owner := metadata_of(item).controller) is not None:
        name = f"{owner.kind.lower()}/{owner.name}"
        resource = _OWNERS.get(owner.kind)
        above = resource and snapshot.get(ObjectKey(resource, pod.key.namespace, owner.name))
        if not above or above.uid != owner.uid:
            break
        item = above
    return pod.key.namespace, name


def moves(
    before: Mapping[Uid, Seen], after: Mapping[Uid, Seen], failed: Iterable[str] = ()
) -> tuple[list[Move], list[Lost]]:
    """What has changed, sorted by workload.

    Args:
        before: pods at first.
        after: pods at the end.
        failed: hosts that do not answer: pods that leave stay there.
    """
    gone: dict[Workload, list[Seen]] = defaultdict(list)
    came: dict[Workload, list[Seen]] = defaultdict(list)
    found: list[Move] = []
    lost: list[Lost] = []
    silent = frozenset(failed)
    for uid, pod in before.items():
        now = after.get(uid)
        if now is None or (now.leaving and not pod.leaving):
            gone[pod.workload].append(pod)
        elif now.node != pod.node:
            found.append(_move(pod, now))
    for uid, pod in after.items():
        if uid not in before and not pod.leaving:
            came[pod.workload].append(pod)
    for workload in sorted({*gone, *came}):
        pairs, left, new = _paired(gone[workload], came[workload])
        found += [_move(pod, now) for pod, now in pairs]
        found += [_move(None, now) for now in new]
        lost += [_lost(pod, after.get(pod.uid), silent) for pod in left]
    return sorted(found, key=_order), lost


def _paired(
    gone: Sequence[Seen], came: Sequence[Seen]
) -> tuple[list[tuple[Seen, Seen]], list[Seen], list[Seen]]:
    """Pods with their successors, those without one, and those without a predecessor."""
    names = {pod.key: pod for pod in came}
    pairs = [(pod, names[pod.key]) for pod in gone if pod.key in names]
    paired = {pod.key for pod, _ in pairs}
    left = sorted((pod for pod in gone if pod.key not in paired), key=lambda pod: pod.key)
    new = sorted(
        (pod for pod in came if pod.key not in paired), key=lambda pod: (not pod.node, pod.key)
    )
    both = min(len(left), len(new))
    pairs += zip(left[:both], new[:both], strict=True)
    return pairs, left[both:], new[both:]


def _move(pod: Seen | None, now: Seen) -> Move:
    return Move(
        *now.workload,
        pod=pod.key.name if pod else "",
        source=pod.node if pod else "",
        replacement=now.key.name,
        target=now.node,
    )


def _lost(pod: Seen, now: Seen | None, silent: frozenset[str]) -> Lost:
    if pod.lone:
        why = "no controller makes it again"
    elif now is not None and now.node in silent:
        why = f"is replaced when {now.node} is back, or its Node is deleted"
    else:
        why = "not wanted any more"
    return Lost(*pod.workload, pod=pod.key.name, source=pod.node, why=why)


def _order(move: Move) -> tuple[str, ...]:
    return (move.namespace, move.workload, move.source, move.target, move.pod, move.replacement)
