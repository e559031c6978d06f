"""Runs the Deployment plan: which writes concern which Deployment, and what its plan reads."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.api.labels import from_view
from orchestrator.api.types.apps import Deployment
from orchestrator.controllers.deployment.plan import COMPONENT, REPLICASETS, Facts, plan
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.claims import of_claimants, selector_of, takes_objects
from orchestrator.reconcile.controller import CarryOut, Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.snapshot import Snapshot, metadata_of, view_as
from orchestrator.store.objects import StoredObject, StoreEvent

DEPLOYMENTS: Final = "deployments.apps"


def deployment_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock)
    sources = (
        Source(DEPLOYMENTS, own_key),
        Source(REPLICASETS, of_claimants(DEPLOYMENTS, "Deployment", informers.snapshot)),
        Source("pods", reader.waits_for_pod),
    )
    return Controller(COMPONENT, informers, sources, reader.plan, carry_out, workers=8, rng=rng)


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock) -> None:
        self._snapshot = snapshot
        self._clock = clock

    def waits_for_pod(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """Recreate goes on when the last old pod has ended."""
        pod = event.object
        for owner in metadata_of(pod).owner_references:
            if not owner.controller or owner.kind != "ReplicaSet":
                continue
            one = self._snapshot.get(ObjectKey(REPLICASETS, pod.key.namespace, owner.name))
            for upper in metadata_of(one).owner_references if one else ():
                key = ObjectKey(DEPLOYMENTS, pod.key.namespace, upper.name)
                item = self._snapshot.get(key)
                if item and view_as(item, Deployment).spec.strategy.type == "Recreate":
                    yield key

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        return plan(self._facts(item), self._clock.wall()) if item else []

    def _facts(self, item: StoredObject) -> Facts:
        snapshot = self._snapshot
        selector = from_view(selector_of(item))
        beside = snapshot.list(REPLICASETS, item.key.namespace)
        related = [
            one
            for one in beside
            if owners.controller_uid(one) in {item.uid, ""}
            and (owners.controller_uid(one) or selector.matches(metadata_of(one).labels))
        ]
        pods = {str(one.uid): snapshot.owned_by(one.uid, "pods") for one in related}
        accepts = takes_objects(snapshot, item.key.namespace)
        return Facts(item, related, pods, accepts, frozenset(one.key.name for one in beside))
