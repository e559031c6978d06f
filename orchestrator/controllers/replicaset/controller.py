"""Runs the ReplicaSet plan: which writes concern which ReplicaSet, and what its plan reads."""

import random
from collections.abc import Sequence
from functools import partial
from typing import Final

from orchestrator.controllers.replicaset.plan import COMPONENT, Facts, plan, plan_failure
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import ApiError
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.claims import claimable_pods, of_claimants, pods_owned, takes_objects
from orchestrator.reconcile.controller import CarryOut, Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.snapshot import Snapshot
from orchestrator.store.objects import StoredObject

REPLICASETS: Final = "replicasets.apps"


def replicaset_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock, rng)
    sources = (
        Source(REPLICASETS, own_key),
        Source("pods", of_claimants(REPLICASETS, "ReplicaSet", informers.snapshot)),
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
        size=partial(pods_owned, informers.snapshot),
    )


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock, rng: random.Random) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._rng = rng

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

        def related() -> Sequence[StoredObject]:
            owner = owners.controller_uid(item)
            siblings = snapshot.owned_by(owner, REPLICASETS) if owner else []
            return [pod for one in siblings for pod in snapshot.owned_by(one.uid, "pods")]

        accepts = takes_objects(snapshot, item.key.namespace)
        return Facts(item, claimable_pods(snapshot, item), related, accepts)
