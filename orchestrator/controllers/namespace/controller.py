"""Runs the namespace plan: writes inside a namespace that is being deleted concern it."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.api.resources import RESOURCES
from orchestrator.controllers.namespace.plan import COMPONENT, Facts, plan
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.controller import CarryOut, Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.snapshot import Snapshot
from orchestrator.store.objects import StoreEvent

NAMESPACES: Final = "namespaces"
_CONTENTS: Final = tuple(r.resource for r in RESOURCES if r.stored and r.namespaced)


def namespace_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock)
    sources = [Source(NAMESPACES, own_key)]
    sources += [Source(resource, reader.surrounding) for resource in _CONTENTS]
    return Controller(COMPONENT, informers, sources, reader.plan, carry_out, workers=2, rng=rng)


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock) -> None:
        self._snapshot = snapshot
        self._clock = clock

    def surrounding(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """The namespace around an object, when it is being deleted."""
        key = ObjectKey(NAMESPACES, "", event.object.key.namespace)
        namespace = self._snapshot.get(key)
        return [key] if namespace is not None and owners.is_deleting(namespace) else []

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        if item is None or not owners.is_deleting(item):
            return []
        contents = {name: self._snapshot.list(name, key.name) for name in _CONTENTS}
        return plan(Facts(item, contents), self._clock.wall())
