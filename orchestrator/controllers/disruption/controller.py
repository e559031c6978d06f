"""Runs the disruption plan: which writes concern which budget, and what its plan reads."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.api.labels import from_view
from orchestrator.api.types.meta import LabelSelector
from orchestrator.api.types.policy import PodDisruptionBudget
from orchestrator.controllers.disruption.plan import COMPONENT, Facts, plan
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.controller import CarryOut, Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.snapshot import Snapshot, metadata_of, view_as
from orchestrator.store.objects import StoredObject, StoreEvent

BUDGETS: Final = "poddisruptionbudgets.policy"
_SCALABLE: Final = (
    "replicasets.apps", "statefulsets.apps", "replicationcontrollers",
)  # fmt: skip
_DEPLOYMENTS: Final = "deployments.apps"


def disruption_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock)
    sources = (
        Source(BUDGETS, own_key),
        Source("pods", reader.of_pod),
        *(Source(resource, reader.of_owner) for resource in (*_SCALABLE, _DEPLOYMENTS)),
    )
    return Controller(COMPONENT, informers, sources, reader.plan, carry_out, workers=4, rng=rng)


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock) -> None:
        self._snapshot = snapshot
        self._clock = clock

    def of_pod(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """Budgets that select a pod, or selected it before."""
        budgets = self._snapshot.list(BUDGETS, event.object.key.namespace)
        for budget in budgets:
            selector = view_as(budget, PodDisruptionBudget).spec.selector
            if selector is None:
                continue
            found = from_view(selector)
            for item in (event.object, event.previous):
                if item is not None and found.matches(metadata_of(item).labels):
                    yield budget.key
                    break

    def of_owner(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """All budgets of the namespace when a workload is scaled."""
        before = event.previous.doc.get("spec") if event.previous else None
        if before is None or event.object.doc.get("spec") != before:
            for budget in self._snapshot.list(BUDGETS, event.object.key.namespace):
                yield budget.key

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        if item is None:
            return []
        selector = view_as(item, PodDisruptionBudget).spec.selector
        pods = self._selected(key.namespace, selector)
        scales = {
            uid: scale
            for uid in {owners.controller_uid(pod) for pod in pods}
            if (scale := self._scale(key.namespace, uid)) is not None
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

    def _scale(self, namespace: str, uid: str) -> int | None:
        """How many pods a controller wants: a Deployment's word for its ReplicaSets."""
        for resource in _SCALABLE:
            for item in self._snapshot.list(resource, namespace):
                if item.uid != uid:
                    continue
                above = owners.controller_uid(item)
                for deployment in self._snapshot.list(_DEPLOYMENTS, namespace) if above else ():
                    if deployment.uid == above:
                        return int(deployment.doc["spec"].get("replicas", 1))
                return int(item.doc["spec"].get("replicas", 1))
        return None
