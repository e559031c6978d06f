"""What a Deployment needs next: one step of its rollout, and its status.

Each plan makes at most one kind of step (adopt; remember a pause; create or re-use the new
ReplicaSet; scale), and the next plan, made when the step is seen, goes on from there. So every
step is decided on what is really there. Pure.

Source: Kubernetes concepts, "Deployments"; k8s.io/kubernetes/pkg/controller/deployment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.api.labels import from_view
from orchestrator.api.names import (
    DEPLOYMENT_DESIRED_REPLICAS,
    DEPLOYMENT_MAX_REPLICAS,
    DEPLOYMENT_REVISION,
)
from orchestrator.api.types.apps import Deployment, ReplicaSet
from orchestrator.api.types.pod import Pod
from orchestrator.controllers.deployment import revisions
from orchestrator.controllers.deployment import status as statuses
from orchestrator.controllers.deployment.sizes import (
    Bounds,
    Size,
    bounds_of,
    new_size,
    old_sizes,
    proportional_sizes,
)
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Delete, Intent, Patch, Record, RequeueAfter
from orchestrator.reconcile.pods import has_ended
from orchestrator.reconcile.snapshot import metadata_of, view_as
from orchestrator.reconcile.statuses import conditions_of, find_condition, status_of, status_patch
from orchestrator.store.objects import Document, StoredObject

COMPONENT: Final = "deployment-controller"
REPLICASETS: Final = "replicasets.apps"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        deployment: the Deployment.
        replica_sets: of its namespace, those that it owns or that its selector matches.
        pods: pods of its ReplicaSets, by the ReplicaSet's uid; only Recreate looks at them.
        accepts: False while the namespace is being deleted: nothing can be created there.
        taken: names of ReplicaSets of the namespace; one that somebody else has is a collision.
    """

    deployment: StoredObject
    replica_sets: Sequence[StoredObject]
    pods: Mapping[str, Sequence[StoredObject]]
    accepts: bool = True
    taken: frozenset[str] = frozenset()


def plan(facts: Facts, now_s: float) -> list[Intent]:
    """What to do next; writes before what is told about them.

    Args:
        facts: see there.
        now_s: wall seconds.
    """
    item = facts.deployment
    mine, intents = _claim(facts)
    if intents:
        return intents
    new, old = revisions.split(item, mine)
    step = _Step(facts, bounds_of(view_as(item, Deployment).spec), new, old, now_s)
    if owners.is_deleting(item):
        return step.told(progress=False)
    return step.plan()


def _claim(facts: Facts) -> tuple[list[StoredObject], list[Intent]]:
    item = facts.deployment
    deleting = owners.is_deleting(item)
    selector = from_view(view_as(item, Deployment).spec.selector)
    mine: list[StoredObject] = []
    intents: list[Intent] = []
    for one in facts.replica_sets:
        controller = owners.controller_uid(one)
        matches = selector.matches(metadata_of(one).labels)
        if controller == item.uid:
            if matches or deleting:
                mine.append(one)
            else:
                intents.append(owners.release(one, item.uid))
        elif not controller and matches and not (deleting or owners.is_deleting(one)):
            intents.append(owners.adopt(item, one))
    return mine, intents


class _Step:
    """One plan's working values."""

    def __init__(
        self,
        facts: Facts,
        bounds: Bounds,
        new: StoredObject | None,
        old: list[StoredObject],
        now_s: float,
    ) -> None:
        self.facts = facts
        self.item = facts.deployment
        self.spec = view_as(self.item, Deployment).spec
        self.bounds = bounds
        self.new = new
        self.old = old
        self.all = [*old, new] if new else list(old)
        self.now_s = now_s
        self.conditions = conditions_of(self.item)

    # ------------------------------------------------------------ the order of things

    def plan(self) -> list[Intent]:
        if self._mark_pause():
            return self.told(progress=False)
        if self.spec.paused or self._was_scaled():
            intents = self._kept_revision() or self._scaled()
            if not intents and self.spec.paused:
                intents = self._history()
            if intents or self.spec.paused:
                return [*intents, *self.told(progress=False)]
        if self.spec.strategy.type == "Recreate":
            return self._recreate()
        return self._roll()

    def _roll(self) -> list[Intent]:
        if self.new is None:
            total = sum(_replicas(one) for one in self.all)
            return self._create(new_size(self.bounds, 0, total))
        intents = self._kept_revision() or self._grow() or self._shrink()
        return self._finish(intents)

    def _recreate(self) -> list[Intent]:
        down = [i for one in self.old if _replicas(one) for i in self._scale(one, 0)]
        if down or self._old_pods_run():
            return self._finish([*(self._kept_revision() if not down else []), *down])
        if self.new is None:
            return self._create(self.bounds.replicas)
        return self._finish(self._kept_revision() or self._scale(self.new, self.bounds.replicas))

    def _finish(self, intents: list[Intent]) -> list[Intent]:
        if not intents and statuses.is_complete(self.item, dict(status_of(self.item))):
            intents = self._history()
        return [*intents, *self.told(progress=True)]

    # ------------------------------------------------------------ steps

    def _mark_pause(self) -> bool:
        """Pause and resume stop the progress clock; True when that has to be written now."""
        if not statuses.has_deadline(self.item):
            return False
        current = find_condition(self.conditions, statuses.PROGRESSING)
        reason = current.get("reason") if current else ""
        if reason == statuses.TIMED_OUT:
            return False  # a verdict stays until there is progress
        if self.spec.paused and reason != statuses.PAUSED:
            told = (statuses.PAUSED, "Deployment is paused")
        elif not self.spec.paused and reason == statuses.PAUSED:
            told = (statuses.RESUMED, "Deployment is resumed")
        else:
            return False
        self.conditions = statuses.set_condition(
            self.conditions, statuses.PROGRESSING, "Unknown", *told, self.now_s
        )
        return True

    def _create(self, replicas: int) -> list[Intent]:
        if not self.facts.accepts:
            return self.told(progress=False)
        collisions = int(status_of(self.item).get("collisionCount") or 0)
        revision = 1 + max((revisions.revision_of(one) for one in self.old), default=0)
        made = revisions.new_replica_set(self.item, self.bounds, replicas, revision, collisions)
        name = made.document["metadata"]["name"]
        if name in self.facts.taken:
            status = {**status_of(self.item), "collisionCount": collisions + 1}
            return _some(status_patch(self.item, status))
        message = f'Created new replica set "{name}"'
        self._progress(statuses.CREATED, message)
        told = f"Scaled up replica set {name} from 0 to {replicas}"
        return [
            made,
            *self._own_revision(revision),
            *self.told(progress=False),
            *([self._record(told)] if replicas else []),
        ]

    def _kept_revision(self) -> list[Intent]:
        """The new ReplicaSet carries the newest revision, the Deployment's annotations, timing."""
        if self.new is None:
            return []
        revision = 1 + max((revisions.revision_of(one) for one in self.old), default=0)
        change: Document = {}
        annotations = revisions.annotation_changes(self.item, self.new, revision)
        if annotations:
            change["metadata"] = {"annotations": annotations}
        if view_as(self.new, ReplicaSet).spec.min_ready_seconds != self.spec.min_ready_seconds:
            change["spec"] = {"minReadySeconds": self.spec.min_ready_seconds}
        if change:
            return [Patch(self.new.key, change, expected=self.new.revision, uid=self.new.uid)]
        if find_condition(self.conditions, statuses.PROGRESSING) is None:
            self._progress(statuses.FOUND, f'Found new replica set "{self.new.key.name}"')
        return self._own_revision(revisions.revision_of(self.new))

    def _own_revision(self, revision: int) -> list[Intent]:
        if revisions.annotations_of(self.item).get(DEPLOYMENT_REVISION) == str(revision):
            return []
        change = {"metadata": {"annotations": {DEPLOYMENT_REVISION: str(revision)}}}
        return [Patch(self.item.key, change, uid=self.item.uid)]

    def _was_scaled(self) -> bool:
        """Whether the Deployment's size has changed since its active ReplicaSets were sized."""
        for one in self.all:
            desired = revisions.annotations_of(one).get(DEPLOYMENT_DESIRED_REPLICAS, "")
            if _replicas(one) and desired.isdecimal() and int(desired) != self.bounds.replicas:
                return True
        return False

    def _scaled(self) -> list[Intent]:
        """Sizes after `spec.replicas` changed: the only active one gets all, several share."""
        active = [one for one in self.all if _replicas(one)]
        if len(active) <= 1:
            newest_old = self.old[-1] if self.old else None
            only = active[0] if active else self.new or newest_old
            return self._scale(only, self.bounds.replicas) if only else []
        if self._is_saturated():
            return [i for one in self.old if _replicas(one) for i in self._scale(one, 0)]
        if self.spec.strategy.type != "RollingUpdate":
            return []
        status_replicas = int(status_of(self.item).get("replicas", 0))
        sizes = proportional_sizes(self.bounds, [_size(one) for one in active], status_replicas)
        return [i for one in active for i in self._scale(one, sizes[one.key.name])]

    def _is_saturated(self) -> bool:
        if self.new is None:
            return False
        desired = revisions.annotations_of(self.new).get(DEPLOYMENT_DESIRED_REPLICAS)
        available = view_as(self.new, ReplicaSet).status.available_replicas
        return (
            _replicas(self.new) == self.bounds.replicas == available
            and desired == str(self.bounds.replicas)
        )  # fmt: skip

    def _grow(self) -> list[Intent]:
        if self.new is None:
            return []
        total = sum(_replicas(one) for one in self.all)
        return self._scale(self.new, new_size(self.bounds, _replicas(self.new), total))

    def _shrink(self) -> list[Intent]:
        if self.new is None:
            return []
        sizes = old_sizes(self.bounds, _size(self.new), [_size(one) for one in self.old])
        return [
            i
            for one in self.old
            if one.key.name in sizes
            for i in self._scale(one, sizes[one.key.name])
        ]

    def _scale(self, one: StoredObject, replicas: int) -> list[Intent]:
        current = revisions.annotations_of(one)
        wanted = revisions.size_annotations(self.bounds)
        annotations = {k: v for k, v in wanted.items() if current.get(k) != v}
        before = _replicas(one)
        if before == replicas and not annotations:
            return []
        change: Document = {"spec": {"replicas": replicas}} if before != replicas else {}
        if annotations:
            change["metadata"] = {"annotations": annotations}
        patch = Patch(one.key, change, expected=one.revision, uid=one.uid)
        if before == replicas:
            return [patch]
        way = "up" if replicas > before else "down"
        told = f"Scaled {way} replica set {one.key.name} from {before} to {replicas}"
        return [patch, self._record(told)]

    def _old_pods_run(self) -> bool:
        return any(
            not has_ended(view_as(pod, Pod))
            for one in self.old
            for pod in self.facts.pods.get(one.uid, ())
        )

    def _history(self) -> list[Intent]:
        surplus = revisions.surplus(self.old, self.spec.revision_history_limit)
        return [Delete(one.key, uid=one.uid, expected=one.revision) for one in surplus]

    # ------------------------------------------------------------ telling

    def told(self, *, progress: bool) -> list[Intent]:
        """The status, when it has changed, and when to look at the deadline."""
        status = statuses.counted(self.item, self.conditions, self.new, self.all, self.now_s)
        if progress:
            status = statuses.with_progress(self.item, status, self.new, self.all, self.now_s)
        intents: list[Intent] = _some(status_patch(self.item, status))
        delay_s = statuses.stuck_in_s(self.item, status, self.now_s) if progress else None
        if delay_s is not None:
            intents.append(RequeueAfter(delay_s))
        return intents

    def _progress(self, reason: str, message: str) -> None:
        if statuses.has_deadline(self.item):
            self.conditions = statuses.set_condition(
                self.conditions, statuses.PROGRESSING, "True", reason, message, self.now_s
            )

    def _record(self, message: str) -> Record:
        return Record(self.item.key, "Normal", "ScalingReplicaSet", message, COMPONENT)


def _replicas(one: StoredObject) -> int:
    return view_as(one, ReplicaSet).spec.replicas


def _size(one: StoredObject) -> Size:
    view = view_as(one, ReplicaSet)
    annotation = revisions.annotations_of(one).get(DEPLOYMENT_MAX_REPLICAS, "")
    return Size(
        name=one.key.name,
        replicas=view.spec.replicas,
        available=min(view.status.available_replicas, view.spec.replicas),
        age=view.metadata.creation_timestamp,
        most_before=int(annotation) if annotation.isdecimal() else 0,
    )


def _some(patch: Patch | None) -> list[Intent]:
    return [patch] if patch else []
