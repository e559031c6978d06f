"""Runs the namespace plan: writes inside a namespace that is being deleted concern it."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.controllers.namespace.plan import COMPONENT, Facts, plan
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.controller import EVERY, CarryOut, Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.snapshot import Snapshot
from orchestrator.store.objects import StoreEvent

NAMESPACES: Final = "namespaces"


def namespace_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock)
    sources = [Source(NAMESPACES, own_key), Source(EVERY, reader.surrounding)]
    return Controller(COMPONENT, informers, sources, reader.plan, carry_out, workers=2, rng=rng)


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock) -> None:
        self._snapshot = snapshot
        self._clock = clock

    def surrounding(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """The namespace around an object, when it is being deleted."""
        if not event.object.key.namespace:
            return []
        key = ObjectKey(NAMESPACES, "", event.object.key.namespace)
        namespace = self._snapshot.get(key)
        return [key] if namespace is not None and owners.is_deleting(namespace) else []

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        if item is None or not owners.is_deleting(item):
            return []
        contents = {
            name: self._snapshot.list(name, key.name) for name in self._snapshot.resources()
        }
        return plan(Facts(item, contents), self._clock.wall())
