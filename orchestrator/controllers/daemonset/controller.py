"""Runs the DaemonSet plan: which writes concern which set, and what its plan reads."""

import random
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from orchestrator.controllers.daemonset.plan import COMPONENT, Facts, plan, taints_of
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
from orchestrator.store.objects import StoreEvent

SETS: Final = "daemonsets.apps"


def daemon_set_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock, rng)
    sources = (
        Source(SETS, own_key),
        Source("pods", of_claimants(SETS, "DaemonSet", informers.snapshot)),
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
        size=partial(pods_owned, informers.snapshot),
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

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        snapshot = self._snapshot
        item = snapshot.get(key)
        if item is None:
            return []
        facts = Facts(
            item,
            list(snapshot.list("nodes")),
            claimable_pods(snapshot, item),
            list(snapshot.owned_by(item.uid, REVISIONS)),
            takes_objects(snapshot, key.namespace),
        )
        return plan(facts, self._clock.wall(), self._rng)

    def failure(self, key: ObjectKey, error: ApiError) -> Sequence[Intent]:
        return create_refused(key, error, COMPONENT)
