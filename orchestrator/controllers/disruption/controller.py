"""Runs the disruption plan: which writes concern which budget, and what its plan reads."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.api.labels import Selector, from_view
from orchestrator.api.types.meta import LabelSelector, OwnerReference
from orchestrator.api.types.policy import PodDisruptionBudget
from orchestrator.controllers.disruption.plan import COMPONENT, Facts, plan
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.controller import CarryOut, Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.snapshot import Snapshot, metadata_of, view_as
from orchestrator.store.objects import StoredObject, StoreEvent

BUDGETS: Final = "poddisruptionbudgets.policy"
_SCALABLE: Final = {
    "Deployment": "deployments.apps",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
}
"""Whose number of pods is known, by kind."""


def disruption_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock)
    sources = (
        Source(BUDGETS, own_key),
        Source("pods", reader.of_pod),
        *(Source(resource, reader.of_owner) for resource in _SCALABLE.values()),
    )
    return Controller(COMPONENT, informers, sources, reader.plan, carry_out, workers=4, rng=rng)


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._selectors: dict[ObjectKey, tuple[LabelSelector, Selector]] = {}

    def of_pod(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """Budgets that select a pod, or selected it before."""
        budgets = self._snapshot.list(BUDGETS, event.object.key.namespace)
        for budget in budgets:
            selector = view_as(budget, PodDisruptionBudget).spec.selector
            if selector is None:
                continue
            found = self._selector(budget.key, selector)
            for item in (event.object, event.previous):
                if item is not None and found.matches(metadata_of(item).labels):
                    yield budget.key
                    break

    def _selector(self, key: ObjectKey, view: LabelSelector) -> Selector:
        """A budget's selector, read once: every write of a pod asks all of its namespace."""
        known = self._selectors.get(key)
        if known is None or known[0] is not view:
            known = self._selectors[key] = (view, from_view(view))
        return known[1]

    def of_owner(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """All budgets of the namespace when a workload is scaled."""
        before = event.previous.doc.get("spec") if event.previous else None
        if before is None or event.object.doc.get("spec") != before:
            for budget in self._snapshot.list(BUDGETS, event.object.key.namespace):
                yield budget.key

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        if item is None:
            self._selectors.pop(key, None)
            return []
        selector = view_as(item, PodDisruptionBudget).spec.selector
        pods = self._selected(key.namespace, selector)
        references = {
            owner.uid: owner for pod in pods if (owner := metadata_of(pod).controller) is not None
        }
        scales = {
            uid: scale
            for uid, owner in references.items()
            if (scale := self._scale(key.namespace, owner)) is not None
        }
        return plan(Facts(item, pods, scales), self._clock.wall())

    def _selected(self, namespace: str, selector: LabelSelector | None) -> list[StoredObject]:
        if selector is None:
            return []
        return [
            pod
            for pod in self._snapshot.pods_selected(namespace, selector)
            if pod.doc.get("status", {}).get("phase") not in {"Succeeded", "Failed"}
        ]

    def _scale(self, namespace: str, owner: OwnerReference) -> int | None:
        """How many pods a controller wants: a Deployment's word for its ReplicaSets."""
        item = self._owner(namespace, owner)
        if item is None:
            return None
        above = metadata_of(item).controller
        deployment = self._owner(namespace, above) if above is not None else None
        return int((deployment or item).doc["spec"].get("replicas", 1))

    def _owner(self, namespace: str, owner: OwnerReference) -> StoredObject | None:
        resource = _SCALABLE.get(owner.kind)
        item = self._snapshot.get(ObjectKey(resource, namespace, owner.name)) if resource else None
        return item if item is not None and item.uid == owner.uid else None
