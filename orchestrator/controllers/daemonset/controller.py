"""Runs the DaemonSet plan: which writes concern which set, and what its plan reads."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.api.labels import from_view
from orchestrator.api.types.sets import DaemonSet
from orchestrator.controllers.daemonset.plan import COMPONENT, Facts, plan, taints_of
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import ApiError, BadRequest, Forbidden, Invalid
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.controller import (
    CarryOut,
    Controller,
    Source,
    of_controller,
    own_key,
)
from orchestrator.reconcile.history import REVISIONS
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent, Record
from orchestrator.reconcile.snapshot import Snapshot, metadata_of, view_as
from orchestrator.store.objects import StoreEvent

SETS: Final = "daemonsets.apps"


def daemon_set_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock, rng)
    sources = (
        Source(SETS, own_key),
        Source("pods", of_controller(SETS, "DaemonSet")),
        Source("pods", reader.adopters),
        Source(REVISIONS, of_controller(SETS, "DaemonSet")),
        Source("nodes", reader.of_node),
    )
    return Controller(
        COMPONENT,
        informers,
        sources,
        reader.plan,
        carry_out,
        workers=4,
        rng=rng,
        on_error=reader.failure,
    )


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock, rng: random.Random) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._rng = rng

    def of_node(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """All sets, when a host comes, goes, or changes its labels or taints."""
        before, after = event.previous, event.object
        if before is not None and event.type == "MODIFIED":
            same = before.doc["metadata"].get("labels") == after.doc["metadata"].get("labels")
            if same and taints_of(before) == taints_of(after):
                return
        for item in self._snapshot.list(SETS):
            yield item.key

    def adopters(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """Sets that may adopt a pod that nobody controls."""
        pod = event.object
        if event.type == "DELETED" or owners.controller_uid(pod):
            return
        for item in self._snapshot.list(SETS, pod.key.namespace):
            if from_view(view_as(item, DaemonSet).spec.selector).matches(metadata_of(pod).labels):
                yield item.key

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        snapshot = self._snapshot
        item = snapshot.get(key)
        if item is None:
            return []
        pods = {pod.key: pod for pod in snapshot.owned_by(item.uid, "pods")}
        selector = view_as(item, DaemonSet).spec.selector
        pods |= {pod.key: pod for pod in snapshot.pods_selected(key.namespace, selector)}
        namespace = snapshot.get(ObjectKey("namespaces", "", key.namespace))
        facts = Facts(
            item,
            list(snapshot.list("nodes")),
            list(pods.values()),
            list(snapshot.owned_by(item.uid, REVISIONS)),
            namespace is not None and not owners.is_deleting(namespace),
        )
        return plan(facts, self._clock.wall(), self._rng)

    def failure(self, key: ObjectKey, error: ApiError) -> Sequence[Intent]:
        if not isinstance(error, Invalid | Forbidden | BadRequest):
            return []
        message = f"Error creating: {error.message}"
        return [Record(key, "Warning", "FailedCreate", message, COMPONENT)]
