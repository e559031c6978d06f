"""Hosts that only say so: a pod that is bound to one runs at once, one that is to leave is gone.

What runs on the real host stays as it is reported there: a pod that is not ready does not become
so by being copied. A host that fails says nothing more; its pods stay as they are until somebody
removes them, which for pods that leave only the host itself could do.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterable
from typing import Final

from orchestrator.api.types.node import Node
from orchestrator.api.types.pod import Pod
from orchestrator.kit.aio.tasks import all_of
from orchestrator.kit.clock import Clock, rfc3339
from orchestrator.kit.errors import Conflict, NotFound
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.reconcile import owners
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.pods import condition, has_ended
from orchestrator.reconcile.snapshot import node_of, view_as
from orchestrator.reconcile.statuses import conditions_of, without_condition
from orchestrator.registry.options import DeleteOptions
from orchestrator.registry.registry import Registry
from orchestrator.store.objects import Document, StoredObject, StoreEvent

NODES: Final = "nodes"
_STARTING: Final = frozenset({"ContainerCreating", "PodInitializing"})


class Hosts:
    """All hosts of a simulation; `run` works until it is cancelled."""

    def __init__(self, registry: Registry, informers: Informers, clock: Clock) -> None:
        self._registry = registry
        self._informers = informers
        self._clock = clock
        self._up: set[str] = set()
        self._told: set[Uid] = set()
        self._due: dict[ObjectKey, None] = {}
        self._wake = asyncio.Event()
        for node in informers.snapshot.list(NODES):
            ready = condition(view_as(node, Node).status.conditions, "Ready")
            if ready is not None and ready.status == "True":
                self._up.add(node.key.name)
        for pod in informers.snapshot.list("pods"):
            if node_of(pod) and not _starts(pod):
                self._told.add(pod.uid)

    async def run(self) -> None:
        """Runs until cancelled."""
        end = self._informers.on_event("pods", self._note)
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                due, self._due = self._due, {}
                await all_of(self._pod(key) for key in due)
        finally:
            end()

    async def add(self, nodes: Iterable[Document]) -> None:
        """New hosts, which are ready."""
        for document in nodes:
            made = await self._registry.create(NODES, "", document)
            self._up.add(made.key.name)
            status = {**document["status"], "conditions": [self._ready("True", "SessionUp")]}
            await self._status(made.key, status)

    async def fail(self, names: Collection[str]) -> None:
        """Hosts do not answer any more, all at the same moment."""
        self._up.difference_update(names)
        for name in sorted(names):
            key = ObjectKey(NODES, "", name)
            kept = without_condition(conditions_of(self._registry.get(key)), "Ready")
            lost = self._ready("Unknown", "SessionLost")
            await self._status(key, {"conditions": [*kept, lost]})

    def _ready(self, status: str, reason: str) -> Document:
        return {
            "type": "Ready",
            "status": status,
            "reason": reason,
            "lastTransitionTime": rfc3339(self._clock.wall()),
        }

    async def _status(self, key: ObjectKey, status: Document) -> None:
        await self._registry.report(key, {"status": status})

    def _note(self, event: StoreEvent) -> None:
        item = event.object
        if event.type == "DELETED" or node_of(item) not in self._up:
            return
        if owners.is_deleting(item) or item.uid not in self._told:
            self._due[item.key] = None
            self._wake.set()

    async def _pod(self, key: ObjectKey) -> None:
        with contextlib.suppress(NotFound, Conflict):
            item = self._registry.get(key)
            if node_of(item) not in self._up:
                return
            if owners.is_deleting(item):
                options = DeleteOptions(grace_s=0, uid=item.uid)
                await self._registry.delete(key, options=options)
            elif item.uid not in self._told:
                self._told.add(item.uid)
                await self._status(key, self._running(item))

    def _running(self, item: StoredObject) -> Document:
        kept = without_condition(conditions_of(item), "Ready")
        ready = self._ready("True", "")
        del ready["reason"]
        since = rfc3339(self._clock.wall())
        return {"phase": "Running", "startTime": since, "conditions": [*kept, ready]}


def _starts(item: StoredObject) -> bool:
    """Whether a bound pod is on its way, and nothing is known to be wrong with it."""
    if has_ended(view_as(item, Pod)) or item.doc.get("status", {}).get("phase") != "Pending":
        return False
    states = [
        (status.get("state") or {}).get("waiting") or {}
        for status in item.doc["status"].get("containerStatuses") or ()
    ]
    return all(state.get("reason", "ContainerCreating") in _STARTING for state in states)
