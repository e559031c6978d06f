"""Runs the StatefulSet plan: which writes concern which set, and what its plan reads."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.api.labels import from_view
from orchestrator.api.types.sets import StatefulSet
from orchestrator.controllers.statefulset.plan import COMPONENT, Facts, plan
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

SETS: Final = "statefulsets.apps"


def stateful_set_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock)
    sources = (
        Source(SETS, own_key),
        Source("pods", of_controller(SETS, "StatefulSet")),
        Source("pods", reader.adopters),
        Source(REVISIONS, of_controller(SETS, "StatefulSet")),
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
    def __init__(self, snapshot: Snapshot, clock: Clock) -> None:
        self._snapshot = snapshot
        self._clock = clock

    def adopters(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """Sets that may adopt a pod that nobody controls."""
        pod = event.object
        if event.type == "DELETED" or owners.controller_uid(pod):
            return
        for item in self._snapshot.list(SETS, pod.key.namespace):
            if from_view(view_as(item, StatefulSet).spec.selector).matches(metadata_of(pod).labels):
                yield item.key

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        snapshot = self._snapshot
        item = snapshot.get(key)
        if item is None:
            return []
        pods = {pod.key: pod for pod in snapshot.owned_by(item.uid, "pods")}
        selector = view_as(item, StatefulSet).spec.selector
        pods |= {pod.key: pod for pod in snapshot.pods_selected(key.namespace, selector)}
        revisions = list(snapshot.owned_by(item.uid, REVISIONS))
        namespace = snapshot.get(ObjectKey("namespaces", "", key.namespace))
        accepts = namespace is not None and not owners.is_deleting(namespace)
        return plan(Facts(item, list(pods.values()), revisions, accepts), self._clock.wall())

    def failure(self, key: ObjectKey, error: ApiError) -> Sequence[Intent]:
        if not isinstance(error, Invalid | Forbidden | BadRequest):
            return []
        told = f"create Pod in StatefulSet {key.name} failed error: {error.message}"
        return [Record(key, "Warning", "FailedCreate", told, COMPONENT)]
