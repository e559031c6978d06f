"""What a StatefulSet needs next: one pod per ordinal, made, updated and removed in order (pure).

A pod is made only when no object of its name is there: the pods of a lost host stay until it is
certain that they run no more, so there are never two of one ordinal.

Source: Kubernetes concepts, "StatefulSets"; pkg/controller/statefulset (updateStatefulSet).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.api.labels import from_view
from orchestrator.api.types.pod import Pod
from orchestrator.api.types.sets import StatefulSet
from orchestrator.reconcile import owners
from orchestrator.reconcile.history import REVISION_LABEL, History, expired, history
from orchestrator.reconcile.intents import Create, Delete, Intent, Record, RequeueAfter
from orchestrator.reconcile.pods import available_in_s, has_ended, is_ready
from orchestrator.reconcile.snapshot import metadata_of, view_as
from orchestrator.reconcile.statuses import conditions_of, status_patch
from orchestrator.store.objects import Document, StoredObject

COMPONENT: Final = "statefulset-controller"
NAME_LABEL: Final = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL: Final = "apps.kubernetes.io/pod-index"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        item: the StatefulSet.
        pods: pods that it owns or that its selector matches.
        revisions: ControllerRevisions that it owns.
        accepts: False while the namespace is being deleted.
    """

    item: StoredObject
    pods: Sequence[StoredObject]
    revisions: Sequence[StoredObject]
    accepts: bool = True


@dataclass(slots=True)
class _Work:
    """A plan in the making."""

    facts: Facts
    spec: StatefulSet
    past: History
    current: str
    slots: dict[int, StoredObject | None]
    condemned: list[StoredObject]
    now_s: float
    intents: list[Intent]
    waits: list[float]


def plan(facts: Facts, now_s: float) -> list[Intent]:
    """What to do next.

    Args:
        facts: see there.
        now_s: wall seconds.
    """
    item, view = facts.item, view_as(facts.item, StatefulSet)
    if owners.is_deleting(item):
        return []
    mine, claims = _claim(facts)
    if claims:
        return claims
    past = history(item, facts.revisions)
    if past.intents:
        return list(past.intents)
    current = view.status.current_revision
    if current not in past.templates:
        current = past.update
    start = view.spec.ordinals.start if view.spec.ordinals else 0
    slots: dict[int, StoredObject | None] = dict.fromkeys(range(start, start + view.spec.replicas))
    condemned: list[StoredObject] = []
    for pod in mine:
        ordinal = ordinal_of(item.key.name, pod.key.name)
        if ordinal in slots:
            slots[ordinal] = pod
        else:
            condemned.append(pod)
    condemned.sort(key=lambda pod: ordinal_of(item.key.name, pod.key.name) or 0, reverse=True)
    work = _Work(facts, view, past, current, slots, condemned, now_s, [], [])
    status = _status(work, mine)
    _act(work)
    patch = status_patch(item, status)
    in_use = {past.update, status["currentRevision"], *(revision_of(pod) for pod in mine)}
    old = expired(facts.revisions, in_use, view.spec.revision_history_limit)
    first: list[Intent] = [patch] if patch is not None else []
    intents = [*first, *work.intents, *old]
    if work.waits:
        intents.append(RequeueAfter(math.ceil(min(work.waits) * 1000) / 1000))
    return intents


def ordinal_of(owner: str, name: str) -> int | None:
    """The ordinal in a pod's name; None when it is no name of the set."""
    prefix, _, number = name.rpartition("-")
    return int(number) if prefix == owner and number.isdecimal() else None


def revision_of(pod: StoredObject) -> str:
    """The revision that a pod was made from."""
    return str((pod.doc["metadata"].get("labels") or {}).get(REVISION_LABEL, ""))


def _claim(facts: Facts) -> tuple[list[StoredObject], list[Intent]]:
    item = facts.item
    selector = from_view(view_as(item, StatefulSet).spec.selector)
    mine: list[StoredObject] = []
    intents: list[Intent] = []
    for pod in facts.pods:
        controller = owners.controller_uid(pod)
        matches = selector.matches(metadata_of(pod).labels)
        ours = ordinal_of(item.key.name, pod.key.name) is not None
        if controller == item.uid:
            if matches and ours:
                mine.append(pod)
            else:
                intents.append(owners.release(pod, item.uid))
        elif not controller and matches and ours and not owners.is_deleting(pod):
            intents.append(owners.adopt(item, pod))
    return mine, intents


# ---------------------------------------------------------------- order


def _act(work: _Work) -> None:
    """Adds what can be done now: missing pods, then those too many, then one to be updated."""
    ordered = work.spec.spec.pod_management_policy != "Parallel"
    for ordinal, pod in work.slots.items():
        if not _settle(work, ordinal, pod) and ordered:
            return
    for pod in work.condemned:
        if owners.is_deleting(pod):
            if ordered:
                return
            continue
        _delete(work, pod)
        if ordered:
            return
    strategy = work.spec.spec.update_strategy
    if strategy.type == "RollingUpdate":
        _update(work)


def _settle(work: _Work, ordinal: int, pod: StoredObject | None) -> bool:
    """Sees to one ordinal; whether its pod is there and available."""
    if pod is None:
        if work.facts.accepts:
            _create(work, ordinal)
        return False
    if has_ended(view_as(pod, Pod)):
        if not owners.is_deleting(pod):
            _delete(work, pod)
        return False
    return not owners.is_deleting(pod) and _is_available(work, pod)


def _is_available(work: _Work, pod: StoredObject) -> bool:
    left_s = available_in_s(view_as(pod, Pod), work.spec.spec.min_ready_seconds, work.now_s)
    if left_s:
        work.waits.append(left_s)
    return left_s == 0


def _update(work: _Work) -> None:
    """From the last ordinal on, as many pods of an older revision as may be missing."""
    rolling = work.spec.spec.update_strategy.rolling_update
    partition = rolling.partition if rolling else 0
    most = _most_unavailable(work)
    start = min(work.slots, default=0)
    missing = 0
    for ordinal in sorted(work.slots, reverse=True):
        pod = work.slots[ordinal]
        if ordinal < start + partition or missing >= most:
            return
        if pod is None or owners.is_deleting(pod):
            missing += 1
        elif revision_of(pod) != work.past.update:
            _delete(work, pod)
            missing += 1
        elif not _is_available(work, pod):
            missing += 1


def _most_unavailable(work: _Work) -> int:
    rolling = work.spec.spec.update_strategy.rolling_update
    bound = rolling.max_unavailable if rolling else 1
    if isinstance(bound, str):
        bound = math.floor(int(bound.removesuffix("%")) * len(work.slots) / 100)
    return max(1, bound)


def _create(work: _Work, ordinal: int) -> None:
    item = work.facts.item
    document = _pod_document(work, ordinal)
    name = document["metadata"]["name"]
    work.intents.append(Create("pods", item.key.namespace, document))
    told = f"create Pod {name} in StatefulSet {item.key.name} successful"
    work.intents.append(Record(item.key, "Normal", "SuccessfulCreate", told, COMPONENT))


def _delete(work: _Work, pod: StoredObject) -> None:
    item = work.facts.item
    work.intents.append(Delete(pod.key, uid=pod.uid))
    told = f"delete Pod {pod.key.name} in StatefulSet {item.key.name} successful"
    work.intents.append(Record(item.key, "Normal", "SuccessfulDelete", told, COMPONENT))


def _pod_document(work: _Work, ordinal: int) -> Document:
    item = work.facts.item
    revision = _revision_for(work, ordinal)
    template = work.past.templates[revision]
    name = f"{item.key.name}-{ordinal}"
    given = template.get("metadata") or {}
    meta: Document = {
        "name": name,
        "generateName": f"{item.key.name}-",
        "namespace": item.key.namespace,
        "ownerReferences": [owners.controller_reference(item)],
        "labels": {
            **(given.get("labels") or {}),
            REVISION_LABEL: revision,
            NAME_LABEL: name,
            INDEX_LABEL: str(ordinal),
        },
    }
    for field in ("annotations", "finalizers"):
        if given.get(field):
            meta[field] = given[field]
    spec = {**template["spec"], "hostname": name}
    if work.spec.spec.service_name:
        spec["subdomain"] = work.spec.spec.service_name
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _revision_for(work: _Work, ordinal: int) -> str:
    """Which template a new pod is made from: the old one below the partition."""
    strategy = work.spec.spec.update_strategy
    if strategy.type != "RollingUpdate":
        return work.past.update
    start = min(work.slots, default=0)
    partition = strategy.rolling_update.partition if strategy.rolling_update else 0
    # what the update, which comes from the last ordinal, did not reach yet comes back as it was
    old = ordinal < start + partition or any(
        pod is not None and number > ordinal and revision_of(pod) != work.past.update
        for number, pod in work.slots.items()
    )
    return work.current if old else work.past.update


# ---------------------------------------------------------------- status


def _status(work: _Work, mine: Sequence[StoredObject]) -> Document:
    item, spec = work.facts.item, work.spec.spec
    there = [pod for pod in mine if not has_ended(view_as(pod, Pod))]
    staying = [pod for pod in there if not owners.is_deleting(pod)]
    delays = [
        available_in_s(view_as(pod, Pod), spec.min_ready_seconds, work.now_s) for pod in staying
    ]
    work.waits += [delay for delay in delays if delay]
    ready = sum(is_ready(view_as(pod, Pod)) for pod in there)
    updated = sum(revision_of(pod) == work.past.update for pod in staying)
    current = sum(revision_of(pod) == work.current for pod in staying)
    name = work.current
    if updated == len(staying) == spec.replicas and ready == spec.replicas:
        name, current = work.past.update, updated  # the update is complete
    counts = {
        "readyReplicas": ready,
        "currentReplicas": current,
        "updatedReplicas": updated,
        "observedGeneration": item.doc["metadata"].get("generation", 0),
    }
    status: Document = {
        "replicas": len(there),
        "availableReplicas": sum(delay == 0 for delay in delays),
        "currentRevision": name,
        "updateRevision": work.past.update,
        "collisionCount": work.spec.status.collision_count or 0,
        **{key: value for key, value in counts.items() if value},
    }
    conditions = conditions_of(item)
    if conditions:
        status["conditions"] = conditions
    return status
