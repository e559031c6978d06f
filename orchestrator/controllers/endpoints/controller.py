"""Runs the endpoints plan: which writes concern which Service, and what its plan reads."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.api.names import SLICE_SERVICE
from orchestrator.api.types.service import Service
from orchestrator.controllers.endpoints.plan import COMPONENT, ENDPOINTS, SLICES, Facts, plan
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.controller import CarryOut, Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent, Record
from orchestrator.reconcile.snapshot import Snapshot, metadata_of, view_as
from orchestrator.store.objects import StoreEvent

SERVICES: Final = "services"


def endpoints_controller(
    informers: Informers, carry_out: CarryOut, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot)
    sources = (
        Source(SERVICES, reader.service),
        Source("pods", reader.selecting),
        Source(SLICES, reader.of_slice),
        Source(ENDPOINTS, reader.of_endpoints),
    )
    return Controller(COMPONENT, informers, sources, reader.plan, carry_out, workers=8, rng=rng)


class _Reader:
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._told: dict[ObjectKey, frozenset[str]] = {}

    def service(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """The Service itself."""
        if event.type == "DELETED":
            self._told.pop(event.object.key, None)
        return own_key(event)

    def selecting(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """Services that select a pod, or selected it before the write."""
        services = self._snapshot.list(SERVICES, event.object.key.namespace)
        if not services:
            return
        pods = [item for item in (event.object, event.previous) if item is not None]
        found = [set((metadata_of(pod).labels or {}).items()) for pod in pods]
        for item in services:
            selector = view_as(item, Service).spec.selector
            if selector and any(selector.items() <= labels for labels in found):
                yield item.key

    def of_slice(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """The Service that a slice is of."""
        name = (metadata_of(event.object).labels or {}).get(SLICE_SERVICE)
        return [ObjectKey(SERVICES, event.object.key.namespace, name)] if name else []

    def of_endpoints(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """The Service of the same name."""
        return [ObjectKey(SERVICES, event.object.key.namespace, event.object.key.name)]

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        facts = self._facts(key)
        return self._new(key, plan(facts)) if facts else []

    def _facts(self, key: ObjectKey) -> Facts | None:
        snapshot = self._snapshot
        item = snapshot.get(key)
        if item is None:
            return None
        selector = view_as(item, Service).spec.selector
        slices = [
            one
            for one in snapshot.list(SLICES, key.namespace)
            if (metadata_of(one).labels or {}).get(SLICE_SERVICE) == key.name
        ]
        return Facts(
            service=item,
            pods=snapshot.pods_labelled(key.namespace, selector) if selector else [],
            slices=slices,
            endpoints=snapshot.get(ObjectKey(ENDPOINTS, key.namespace, key.name)),
        )

    def _new(self, key: ObjectKey, intents: Sequence[Intent]) -> Sequence[Intent]:
        """The intents without what the user was told already."""
        before = self._told.get(key, frozenset())
        messages = frozenset(i.message for i in intents if isinstance(i, Record))
        if messages:
            self._told[key] = messages
        else:
            self._told.pop(key, None)
        return [i for i in intents if not (isinstance(i, Record) and i.message in before)]
