"""Runs the ReplicaSet plan: which writes concern which ReplicaSet, and what its plan reads."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.api.labels import from_view
from orchestrator.api.types.apps import ReplicaSet
from orchestrator.controllers.replicaset.plan import COMPONENT, Facts, plan, plan_failure
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import ApiError
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.controller import (
    CarryOut,
    Controller,
    Source,
    of_controller,
    own_key,
)
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.snapshot import Snapshot, metadata_of, view_as
from orchestrator.store.objects import StoredObject, StoreEvent

REPLICASETS: Final = "replicasets.apps"


def replicaset_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock, rng)
    sources = (
        Source(REPLICASETS, own_key),
        Source("pods", of_controller(REPLICASETS, "ReplicaSet")),
        Source("pods", reader.adopters),
    )
    return Controller(
        COMPONENT,
        informers,
        sources,
        reader.plan,
        carry_out,
        workers=8,
        rng=rng,
        on_error=reader.failure,
    )


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock, rng: random.Random) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._rng = rng

    def adopters(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """ReplicaSets that may adopt a pod that nobody controls."""
        pod = event.object
        if event.type == "DELETED" or owners.controller_uid(pod):
            return
        for item in self._snapshot.list(REPLICASETS, pod.key.namespace):
            if from_view(view_as(item, ReplicaSet).spec.selector).matches(metadata_of(pod).labels):
                yield item.key

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        if item is None:
            return []
        return plan(self._facts(item), self._clock.wall(), self._rng)

    def failure(self, key: ObjectKey, error: ApiError) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        return plan_failure(item, error, self._clock.wall()) if item else []

    def _facts(self, item: StoredObject) -> Facts:
        snapshot = self._snapshot
        selector = view_as(item, ReplicaSet).spec.selector
        pods = {pod.key: pod for pod in snapshot.owned_by(item.uid, "pods")}
        pods |= {pod.key: pod for pod in snapshot.pods_selected(item.key.namespace, selector)}
        owner = owners.controller_uid(item)
        siblings = snapshot.owned_by(owner, REPLICASETS) if owner else []
        related = [pod for one in siblings for pod in snapshot.owned_by(one.uid, "pods")]
        namespace = snapshot.get(ObjectKey("namespaces", "", item.key.namespace))
        accepts = namespace is not None and not owners.is_deleting(namespace)
        return Facts(item, list(pods.values()), related, accepts)
