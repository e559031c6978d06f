"""Runs the plan for definitions: writes of their group's definitions and of their objects."""

import random
from collections.abc import Iterable, Sequence

from orchestrator.api.custom.words import CRDS
from orchestrator.controllers.customresources.plan import COMPONENT, Facts, plan
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.controller import EVERY, CarryOut, Controller, Source
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.snapshot import Snapshot
from orchestrator.store.objects import StoredObject, StoreEvent


def customresources_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock)
    sources = [Source(CRDS, reader.group), Source(EVERY, reader.definition)]
    return Controller(COMPONENT, informers, sources, reader.plan, carry_out, workers=2, rng=rng)


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock) -> None:
        self._snapshot = snapshot
        self._clock = clock

    def group(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """The definition, and those that may wait for its names."""
        yield event.object.key
        for other in self._others(event.object):
            yield other.key

    def definition(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """The definition of an object that has gone, when it waits for that."""
        if event.type != "DELETED":
            return []
        key = ObjectKey(CRDS, "", event.object.key.resource)
        definition = self._snapshot.get(key)
        return [key] if definition is not None and owners.is_deleting(definition) else []

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        if item is None:
            return []
        instances = self._snapshot.list(key.name) if owners.is_deleting(item) else []
        return plan(Facts(item, self._others(item), instances), self._clock.wall())

    def _others(self, item: StoredObject) -> list[StoredObject]:
        group = item.doc["spec"]["group"]
        return [
            one
            for one in self._snapshot.list(CRDS)
            if one.key != item.key and one.doc["spec"]["group"] == group
        ]
