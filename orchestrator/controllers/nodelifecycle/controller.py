"""Runs the node lifecycle plan, and remembers since when each host is lost.

Memory is enough: a server that starts anew gives every host its full grace again.
"""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.controllers.nodelifecycle.plan import (
    COMPONENT,
    Facts,
    is_node_ready,
    no_execute,
    plan,
    tainted_since_s,
)
from orchestrator.controllers.nodelifecycle.settings import NodeLifecycleSettings
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.controller import CarryOut, Controller, Source
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.snapshot import Snapshot, node_of
from orchestrator.store.objects import StoredObject, StoreEvent

NODES: Final = "nodes"


def nodelifecycle_controller(
    informers: Informers,
    carry_out: CarryOut,
    clock: Clock,
    rng: random.Random,
    settings: NodeLifecycleSettings | None = None,
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock, settings or NodeLifecycleSettings())
    sources = (Source(NODES, reader.nodes), Source("pods", reader.bound))
    return Controller(COMPONENT, informers, sources, reader.plan, carry_out, workers=8, rng=rng)


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock, settings: NodeLifecycleSettings) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._settings = settings
        self._lost: dict[str, float] = {}
        self._ready: set[str] = set()
        self._some_ready_since: float | None = None
        self._tainted: dict[tuple[str, str, str], float] = {}

    # ------------------------------------------------------------ who is concerned

    def nodes(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """The Node; and all lost ones when the first host of the cluster is ready (again)."""
        name = event.object.key.name
        now = self._clock.monotonic()
        if event.type != "DELETED" and is_node_ready(event.object):
            self._lost.pop(name, None)
            self._ready.add(name)
        else:
            self._lost.setdefault(name, now)
            self._ready.discard(name)
        yield event.object.key
        before = self._some_ready_since
        self._some_ready_since = (now if before is None else before) if self._ready else None
        if self._ready and before is None:
            for other in self._lost:
                yield ObjectKey(NODES, "", other)

    def bound(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """The Node of a pod that was bound just now, or whose host is not as it should be."""
        name = node_of(event.object)
        if not name:
            return
        key = ObjectKey(NODES, "", name)
        node = self._snapshot.get(key)
        if node is None:
            self._lost.setdefault(name, self._clock.monotonic())
            yield key
        elif not is_node_ready(node) or no_execute(node):
            yield key

    # ------------------------------------------------------------ what the plan reads

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        node = self._snapshot.get(key)
        pods = self._snapshot.pods_on(key.name)
        now = self._clock.monotonic()
        if node is None and not pods:
            self._lost.pop(key.name, None)
        facts = Facts(
            key=key,
            node=node,
            pods=pods,
            any_ready=self._some_ready_since is not None,
            lost_s=self._lost_s(key.name, node, now),
            tainted_s=self._tainted_s(node) if node else {},
        )
        settings = self._settings
        return plan(facts, settings.grace_s, settings.missing_grace_s, self._clock.wall())

    def _lost_s(self, name: str, node: StoredObject | None, now: float) -> float:
        since = self._lost.get(name)
        if since is None:
            return 0.0
        if node is not None and self._some_ready_since is not None:
            since = max(since, self._some_ready_since)
        return now - since

    def _tainted_s(self, node: StoredObject) -> dict[tuple[str, str], float]:
        wall = self._clock.wall()
        found: dict[tuple[str, str], float] = {}
        for taint in no_execute(node):
            seen = self._tainted.setdefault((node.key.name, taint.key, taint.value), wall)
            found[taint.key, taint.value] = wall - tainted_since_s(taint, seen)
        for place in [p for p in self._tainted if p[0] == node.key.name and p[1:] not in found]:
            del self._tainted[place]
        return found
