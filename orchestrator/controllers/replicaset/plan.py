"""What a ReplicaSet needs next: pods adopted and released, created and deleted, its status.

Pure. No bookkeeping of expected pods: the snapshot shows a write as soon as it is made, and a key
is never planned while its last plan is being carried out.

Source: Kubernetes concepts, "ReplicaSet"; the order of deletions is ActivePodsWithRanks.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.api.labels import from_view
from orchestrator.api.metadata import Chooser, generated_name
from orchestrator.api.types.apps import ReplicaSet
from orchestrator.api.types.pod import Pod
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.kit.errors import ApiError
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Create, Delete, Intent, Record, RequeueAfter
from orchestrator.reconcile.pods import available_in_s, is_active, is_ready, ready_since_s
from orchestrator.reconcile.refusals import create_refused
from orchestrator.reconcile.snapshot import view_as
from orchestrator.reconcile.statuses import (
    conditions_of,
    find_condition,
    stamped,
    status_patch,
    without_condition,
)
from orchestrator.store.objects import Document, StoredObject

COMPONENT: Final = "replicaset-controller"
BURST_PODS: Final = 500
"""Pods made or deleted by one plan; the next plan goes on."""
_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_PHASE_RANK: Final = {"Pending": 0, "": 0, "Unknown": 1}
_FAILURE: Final = "ReplicaFailure"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        replica_set: the ReplicaSet.
        pods: pods of its namespace that it owns or that its selector matches.
        related: gives the pods of all ReplicaSets of the same owner, for spreading deletions.
        accepts: False while the namespace is being deleted: nothing can be created there.
    """

    replica_set: StoredObject
    pods: Sequence[StoredObject]
    related: Callable[[], Sequence[StoredObject]] = tuple
    accepts: bool = True


def plan(facts: Facts, now_s: float, rng: Chooser) -> list[Intent]:
    """What to do next: releases and adoptions first, then deletes or creates, then the status.

    Args:
        facts: see there.
        now_s: wall seconds.
        rng: chooses the names of new pods.
    """
    item = facts.replica_set
    deleting = owners.is_deleting(item)
    mine, intents = _claim(facts, deleting=deleting)
    if intents:
        return intents  # adopted and released pods are counted when they are seen as such
    wanted = view_as(item, ReplicaSet).spec.replicas
    if not deleting and len(mine) < wanted and facts.accepts:
        return _creates(item, min(wanted - len(mine), BURST_PODS), rng)
    if not deleting and len(mine) > wanted:
        return _deletes(item, mine, facts.related(), min(len(mine) - wanted, BURST_PODS))
    return _status(item, mine, now_s)


def plan_failure(item: StoredObject, error: ApiError, now_s: float) -> list[Intent]:
    """What to tell the user when pods could not be made; nothing for passing troubles."""
    records = create_refused(item.key, error, COMPONENT)
    if not records:
        return []
    kept = conditions_of(item)
    condition = stamped(
        find_condition(kept, _FAILURE), "True", "FailedCreate", error.message, now_s, _FAILURE
    )
    status = dict(item.doc.get("status") or {"replicas": 0})
    status["conditions"] = [*without_condition(kept, _FAILURE), condition]
    status["observedGeneration"] = item.doc["metadata"].get("generation", 0)
    told = status_patch(item, status)
    return records if told is None else [told, *records]


def _claim(facts: Facts, *, deleting: bool) -> tuple[list[StoredObject], list[Intent]]:
    item = facts.replica_set
    selector = from_view(view_as(item, ReplicaSet).spec.selector)
    mine: list[StoredObject] = []
    intents: list[Intent] = []
    verdicts: dict[tuple[int, int], tuple[str, bool]] = {}
    for pod in facts.pods:
        view = view_as(pod, Pod)
        if not is_active(view):
            continue
        meta = view.metadata
        alike = id(meta.owner_references), id(meta.labels)  # siblings share them
        verdict = verdicts.get(alike)
        if verdict is None:
            verdict = owners.controller_uid(pod), selector.matches(meta.labels)
            verdicts[alike] = verdict
        controller, matches = verdict
        if controller == item.uid:
            if matches or deleting:
                mine.append(pod)
            else:
                intents.append(owners.release(pod, item.uid))
        elif not controller and matches and not deleting:
            intents.append(owners.adopt(item, pod))
    return mine, intents


def _creates(item: StoredObject, count: int, rng: Chooser) -> list[Intent]:
    prefix = f"{item.key.name}-"
    names: list[str] = []
    while len(names) < count:
        name = generated_name(prefix, rng)
        if name not in names:
            names.append(name)
    made: list[Intent] = [
        Create("pods", item.key.namespace, pod_document(item, name, prefix)) for name in names
    ]
    told = [
        Record(item.key, "Normal", "SuccessfulCreate", f"Created pod: {name}", COMPONENT)
        for name in names
    ]
    return [*made, *told]


def pod_document(item: StoredObject, name: str, prefix: str) -> Document:
    """A pod made from the template."""
    template = item.doc["spec"]["template"]
    meta: Document = {
        "name": name,
        "generateName": prefix,
        "namespace": item.key.namespace,
        "ownerReferences": [owners.controller_reference(item)],
    }
    for field in ("labels", "annotations", "finalizers"):
        if (template.get("metadata") or {}).get(field):
            meta[field] = template["metadata"][field]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def _deletes(
    item: StoredObject,
    mine: Sequence[StoredObject],
    related: Sequence[StoredObject],
    count: int,
) -> list[Intent]:
    crowd = Counter(
        view.spec.node_name for pod in related or mine if is_active(view := view_as(pod, Pod))
    )
    ranked = sorted(mine, key=lambda pod: _rank(pod, crowd))
    chosen = ranked[:count]
    gone: list[Intent] = [Delete(pod.key, uid=pod.uid) for pod in chosen]
    told = [
        Record(item.key, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.key.name}", COMPONENT)
        for pod in chosen
    ]
    return [*gone, *told]


def _rank(item: StoredObject, crowd: "Counter[str]") -> tuple[Any, ...]:
    """Smaller goes first: unassigned, pending, not ready, cheap, crowded, newly ready, young."""
    pod = view_as(item, Pod)
    node = pod.spec.node_name
    restarts = max((c.restart_count for c in pod.status.container_statuses), default=0)
    return (
        bool(node),
        _PHASE_RANK.get(pod.status.phase, 2),
        is_ready(pod),
        _deletion_cost(pod),
        -crowd[node],
        -(ready_since_s(pod) or 0.0),
        -restarts,
        -_seconds(pod.metadata.creation_timestamp),
        item.key.name,
    )


def _deletion_cost(pod: Pod) -> int:
    try:
        return int((pod.metadata.annotations or {}).get(_DELETION_COST, "0"))
    except ValueError:
        return 0


def _seconds(timestamp: str) -> float:
    return parse_rfc3339(timestamp) if timestamp else 0.0


def _status(item: StoredObject, mine: Sequence[StoredObject], now_s: float) -> list[Intent]:
    spec = view_as(item, ReplicaSet).spec
    pods = [view_as(pod, Pod) for pod in mine]
    delays = [available_in_s(pod, spec.min_ready_seconds, now_s) for pod in pods]
    ready = [delay for delay in delays if delay is not None]
    counts = {
        "fullyLabeledReplicas": _labelled(pods, spec.template.metadata.labels or {}),
        "readyReplicas": len(ready),
        "availableReplicas": sum(delay == 0 for delay in ready),
        "observedGeneration": item.doc["metadata"].get("generation", 0),
    }
    status: Document = {"replicas": len(pods), **{k: v for k, v in counts.items() if v}}
    conditions = conditions_of(item)
    if len(pods) >= spec.replicas:
        conditions = without_condition(conditions, _FAILURE)
    if conditions:
        status["conditions"] = conditions
    patch = status_patch(item, status)
    intents: list[Intent] = [patch] if patch else []
    waiting = [delay for delay in ready if delay > 0]
    if waiting:
        intents.append(RequeueAfter(math.ceil(min(waiting) * 1000) / 1000))
    return intents


def _labelled(pods: Sequence[Pod], wanted: Mapping[str, str]) -> int:
    """How many pods have all labels of the template."""
    verdicts: dict[int, bool] = {}
    for pod in pods:
        labels = pod.metadata.labels
        if id(labels) not in verdicts:  # siblings share them
            verdicts[id(labels)] = wanted.items() <= (labels or {}).items()
    return sum(verdicts[id(pod.metadata.labels)] for pod in pods)
