"""Runs the garbage plan over every kind: writes that change who owns whom, and who is going."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.api.types.meta import ObjectMeta, OwnerReference
from orchestrator.controllers.garbage.plan import (
    COMPONENT,
    Facts,
    OwnerState,
    plan,
    waits_for_dependents,
)
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.controller import EVERY, CarryOut, Controller, Source
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent, Record
from orchestrator.reconcile.snapshot import Snapshot, metadata_of
from orchestrator.registry.catalog import LiveCatalog
from orchestrator.store.objects import StoredObject, StoreEvent

EVENTS: Final = "events"
"""Nobody owns them and they own nothing; there are many."""
_NOTHING: Final = ObjectMeta()


def garbage_controller(
    informers: Informers, carry_out: CarryOut, rng: random.Random, catalog: LiveCatalog
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, catalog)
    sources = [Source(EVERY, reader.concerned)]
    return Controller(COMPONENT, informers, sources, reader.plan, carry_out, workers=16, rng=rng)


class _Reader:
    def __init__(self, snapshot: Snapshot, catalog: LiveCatalog) -> None:
        self._snapshot = snapshot
        self._catalog = catalog
        self._told: set[tuple[ObjectKey, str]] = set()

    def concerned(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """Objects whose plan a write can change."""
        item, before = event.object, event.previous
        if item.key.resource == EVENTS:
            return
        meta, old = metadata_of(item), metadata_of(before) if before else _NOTHING
        held = (meta.owner_references, meta.finalizers, meta.deletion_timestamp)
        if event.type == "MODIFIED" and held == (
            old.owner_references, old.finalizers, old.deletion_timestamp,
        ):  # fmt: skip
            return
        if event.type != "DELETED" and any(held):
            yield item.key
        if event.type == "DELETED" or waits_for_dependents(item):
            for dependent in self._snapshot.dependents(item.uid):
                yield dependent.key
        for reference in (*meta.owner_references, *old.owner_references):
            key = self._owner_key(item, reference)
            owner = self._snapshot.get(key) if key else None
            if owner is not None and owners.is_deleting(owner):
                yield owner.key

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        if item is None:
            return []
        states = {
            reference.uid: self._state(item, reference)
            for reference in metadata_of(item).owner_references
        }
        intents = plan(Facts(item, states, self._snapshot.dependents(item.uid)))
        return [intent for intent in intents if self._is_new(intent)]

    def _state(self, item: StoredObject, reference: OwnerReference) -> OwnerState:
        key = self._owner_key(item, reference)
        if key is None:
            return "unresolvable"
        owner = self._snapshot.get(key)
        if owner is None or owner.uid != reference.uid:
            return "absent"
        return "waiting" if waits_for_dependents(owner) else "solid"

    def _owner_key(self, item: StoredObject, reference: OwnerReference) -> ObjectKey | None:
        """Where the owner would be; None for a kind that is not served, or a namespaced owner of
        an object without namespace.
        """
        catalog = self._catalog.current
        row = catalog.by_kind(reference.api_version, reference.kind)
        if row is None or not row.stored:
            return None
        if not row.namespaced:
            return ObjectKey(row.resource, "", reference.name)
        if not item.key.namespace:
            return None
        return ObjectKey(row.resource, item.key.namespace, reference.name)

    def _is_new(self, intent: Intent) -> bool:
        if not isinstance(intent, Record):
            return True
        said = (intent.about, intent.message)
        if said in self._told:
            return False
        self._told.add(said)
        return True
