"""A Deployment's status: counts, Available, Progressing, ReplicaFailure. Pure.

Reasons and messages are Kubernetes', for `kubectl rollout status` and people read them.
Source: Kubernetes concepts, "Deployment status"; k8s.io/kubernetes/pkg/controller/deployment.
"""

from collections.abc import Sequence
from typing import Final

from orchestrator.api.types.apps import Deployment, ReplicaSet
from orchestrator.controllers.deployment.sizes import bounds_of
from orchestrator.kit.clock import parse_rfc3339, rfc3339
from orchestrator.reconcile.snapshot import view_as
from orchestrator.reconcile.statuses import (
    conditions_of,
    find_condition,
    status_of,
    without_condition,
)
from orchestrator.store.objects import Document, StoredObject

PROGRESSING: Final = "Progressing"
AVAILABLE: Final = "Available"
REPLICA_FAILURE: Final = "ReplicaFailure"
NEW_AVAILABLE: Final = "NewReplicaSetAvailable"
UPDATED: Final = "ReplicaSetUpdated"
TIMED_OUT: Final = "ProgressDeadlineExceeded"
PAUSED: Final = "DeploymentPaused"
RESUMED: Final = "DeploymentResumed"
CREATED: Final = "NewReplicaSetCreated"
FOUND: Final = "FoundNewReplicaSet"
NO_DEADLINE: Final = 2**31 - 1
"""A progress deadline that stands for none."""


def set_condition(
    conditions: Sequence[Document],
    kind: str,
    status: str,
    reason: str,
    message: str,
    now_s: float,
    *,
    renew: bool = False,
) -> list[Document]:
    """The conditions with this one; unchanged when its status and reason are the same.

    Args:
        conditions: as they are.
        kind: the condition's type.
        status: True, False or Unknown.
        reason: CamelCase.
        message: for people.
        now_s: wall seconds.
        renew: stamp lastUpdateTime even when only time has passed.
    """
    current = find_condition(conditions, kind)
    same = current is not None and (current["status"], current.get("reason")) == (status, reason)
    if same and not renew:
        return list(conditions)
    now = rfc3339(now_s)
    since = now
    if current is not None and current["status"] == status:
        since = current.get("lastTransitionTime") or now
    made = {
        "type": kind,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    return [*without_condition(conditions, kind), made]


def counted(
    item: StoredObject,
    conditions: Sequence[Document],
    new: StoredObject | None,
    replica_sets: Sequence[StoredObject],
    now_s: float,
) -> Document:
    """The status that the ReplicaSets add up to, with these conditions and Available."""
    view = view_as(item, Deployment)
    bounds = bounds_of(view.spec)
    views = [view_as(one, ReplicaSet) for one in replica_sets]
    available = sum(one.status.available_replicas for one in views)
    counts = {
        "observedGeneration": view.metadata.generation,
        "replicas": sum(one.status.replicas for one in views),
        "updatedReplicas": view_as(new, ReplicaSet).status.replicas if new else 0,
        "readyReplicas": sum(one.status.ready_replicas for one in views),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(one.spec.replicas for one in views) - available),
    }
    status: Document = {name: count for name, count in counts.items() if count}
    collisions = status_of(item).get("collisionCount")
    if collisions:
        status["collisionCount"] = collisions
    if available >= bounds.least_available:
        told = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        told = (
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    status["conditions"] = set_condition(conditions, AVAILABLE, *told, now_s)
    return status


def has_deadline(item: StoredObject) -> bool:
    """Whether a rollout that does not get on is reported."""
    return view_as(item, Deployment).spec.progress_deadline_seconds != NO_DEADLINE


def is_complete(item: StoredObject, status: Document) -> bool:
    """Whether the rollout is done: all pods updated and available, no old ones."""
    wanted = view_as(item, Deployment).spec.replicas
    return all(
        status.get(name, 0) == wanted
        for name in ("updatedReplicas", "replicas", "availableReplicas")
    )


def with_progress(
    item: StoredObject,
    status: Document,
    new: StoredObject | None,
    replica_sets: Sequence[StoredObject],
    now_s: float,
) -> Document:
    """The status with Progressing and ReplicaFailure brought up to date."""
    conditions: list[Document] = status["conditions"]
    current = find_condition(conditions, PROGRESSING)
    if not has_deadline(item):
        conditions = without_condition(conditions, PROGRESSING)
    elif not _was_done(current, status):
        subject = f'ReplicaSet "{new.key.name}"' if new else f'Deployment "{item.key.name}"'
        if is_complete(item, status):
            message = f"{subject} has successfully progressed."
            conditions = set_condition(
                conditions, PROGRESSING, "True", NEW_AVAILABLE, message, now_s
            )
        elif _has_moved(item, status):
            conditions = set_condition(
                conditions,
                PROGRESSING,
                "True",
                UPDATED,
                f"{subject} is progressing.",
                now_s,
                renew=True,
            )
        elif _timed_out(item, current, now_s):
            message = f"{subject} has timed out progressing."
            conditions = set_condition(conditions, PROGRESSING, "False", TIMED_OUT, message, now_s)
    return {**status, "conditions": _with_failure(conditions, new, replica_sets)}


def _was_done(current: Document | None, status: Document) -> bool:
    done = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    return done and current is not None and current.get("reason") == NEW_AVAILABLE


def _has_moved(item: StoredObject, status: Document) -> bool:
    before = status_of(item)

    def gone_up(name: str) -> bool:
        return bool(status.get(name, 0) > before.get(name, 0))

    def old(counts: Document) -> int:
        return int(counts.get("replicas", 0) - counts.get("updatedReplicas", 0))

    return (
        gone_up("updatedReplicas")
        or old(status) < old(dict(before))
        or gone_up("readyReplicas")
        or gone_up("availableReplicas")
    )


def _timed_out(item: StoredObject, current: Document | None, now_s: float) -> bool:
    if current is None or current.get("reason") == NEW_AVAILABLE:
        return False
    if current.get("reason") == TIMED_OUT:
        return True
    deadline_s = view_as(item, Deployment).spec.progress_deadline_seconds
    return parse_rfc3339(current["lastUpdateTime"]) + deadline_s < now_s


def stuck_in_s(item: StoredObject, status: Document, now_s: float) -> float | None:
    """Seconds until the progress deadline must be looked at; None when it cannot strike."""
    current = find_condition(status.get("conditions") or [], PROGRESSING)
    if current is None or not has_deadline(item):
        return None
    if current.get("reason") in {NEW_AVAILABLE, TIMED_OUT, PAUSED} or is_complete(item, status):
        return None
    deadline_s = view_as(item, Deployment).spec.progress_deadline_seconds
    return max(0.0, parse_rfc3339(current["lastUpdateTime"]) + deadline_s - now_s) + 1.0


def _with_failure(
    conditions: list[Document], new: StoredObject | None, replica_sets: Sequence[StoredObject]
) -> list[Document]:
    """Passes on what keeps a ReplicaSet, the new one first, from making its pods."""
    ordered = [*([new] if new else []), *(one for one in replica_sets if one is not new)]
    for one in ordered:
        failure = find_condition(conditions_of(one), REPLICA_FAILURE)
        if failure is not None and failure.get("status") == "True":
            told = {
                "lastUpdateTime": failure.get("lastTransitionTime"),
                **failure,
            }
            if find_condition(conditions, REPLICA_FAILURE) == told:
                return conditions
            return [*without_condition(conditions, REPLICA_FAILURE), told]
    return without_condition(conditions, REPLICA_FAILURE)
