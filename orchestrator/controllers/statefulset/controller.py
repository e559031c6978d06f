"""Runs the StatefulSet plan: which writes concern which set, and what its plan reads."""

import random
from collections.abc import Sequence
from functools import partial
from typing import Final

from orchestrator.controllers.statefulset.plan import COMPONENT, Facts, plan
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import ApiError
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.claims import (
    claimable_pods,
    of_claimants,
    of_controller,
    pods_owned,
    takes_objects,
)
from orchestrator.reconcile.controller import CarryOut, Controller, Source, own_key
from orchestrator.reconcile.history import REVISIONS
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.refusals import create_refused
from orchestrator.reconcile.snapshot import Snapshot

SETS: Final = "statefulsets.apps"


def stateful_set_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock)
    sources = (
        Source(SETS, own_key),
        Source("pods", of_claimants(SETS, "StatefulSet", informers.snapshot)),
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
        size=partial(pods_owned, informers.snapshot),
    )


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock) -> None:
        self._snapshot = snapshot
        self._clock = clock

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        snapshot = self._snapshot
        item = snapshot.get(key)
        if item is None:
            return []
        facts = Facts(
            item,
            claimable_pods(snapshot, item),
            list(snapshot.owned_by(item.uid, REVISIONS)),
            takes_objects(snapshot, key.namespace),
        )
        return plan(facts, self._clock.wall())

    def failure(self, key: ObjectKey, error: ApiError) -> Sequence[Intent]:
        words = f"create Pod in StatefulSet {key.name} failed error:"
        return create_refused(key, error, COMPONENT, words)
