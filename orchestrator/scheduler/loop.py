"""The scheduler's loop: waits for pods without a host, decides in batches, binds.

A pod that fits nowhere is parked; it is tried again when something has changed that may help (a
host came or changed, a pod left a host, the pod itself changed), never by polling. A cycle ends
when its binds are durable, so the next one sees them in the snapshot.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import structlog

from orchestrator.api.types.node import Node
from orchestrator.api.types.pod import Pod
from orchestrator.kit.aio.tasks import Tasks
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import Conflict, NotFound, OrchError
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.executor import Executor, together
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent, Patch, Record
from orchestrator.reconcile.pods import condition, has_ended
from orchestrator.reconcile.snapshot import Snapshot, node_of, view_as
from orchestrator.reconcile.statuses import (
    conditions_of,
    find_condition,
    stamped,
    without_condition,
)
from orchestrator.registry.registry import Registry
from orchestrator.scheduler.cycle import Bind, Unschedulable, schedule, strategy_of
from orchestrator.scheduler.settings import SchedulerSettings
from orchestrator.scheduler.view import NodeView, node_view, pod_view, takes_room
from orchestrator.store.objects import StoredObject, StoreEvent

_log: Final = structlog.get_logger("scheduler")
COMPONENT: Final = "default-scheduler"
_RETRY_S: Final = 0.5
_MOST_UNTOLD: Final = 10_000
"""Events that wait to be written; beyond it the oldest are lost."""


class Scheduler:
    """See the module. `run` works until it is cancelled."""

    def __init__(
        self,
        registry: Registry,
        informers: Informers,
        clock: Clock,
        settings: SchedulerSettings | None = None,
    ) -> None:
        self._registry = registry
        self._executor = Executor(registry)
        self._informers = informers
        self._snapshot: Snapshot = informers.snapshot
        self._clock = clock
        self._settings = settings or SchedulerSettings()
        self._active: dict[ObjectKey, None] = {}
        self._parked: dict[ObjectKey, str] = {}
        self._views: dict[str, NodeView] = {}
        self._stale: set[str] = set()
        self._untold: deque[Intent] = deque(maxlen=_MOST_UNTOLD)
        self._wake = asyncio.Event()
        self._tell = asyncio.Event()
        self._last = ""

    async def run(self) -> None:
        """Runs until cancelled."""
        unsubscribe = [
            self._informers.on_event("nodes", self._on_node),
            self._informers.on_event("pods", self._on_pod),
        ]
        try:
            async with Tasks() as tasks:
                tasks.essential("scheduler-events", self._teller())
                tasks.essential("scheduler-cycles", self._cycles())
        finally:
            for end in unsubscribe:
                end()

    def pending(self) -> tuple[int, int]:
        """How many pods wait for a cycle, and how many are parked because they fit nowhere."""
        return len(self._active), len(self._parked)

    # ------------------------------------------------------------ what has changed

    def _on_node(self, event: StoreEvent) -> None:
        self._stale.add(event.object.key.name)
        if event.type != "DELETED" and _matters(event.object) != (
            _matters(event.previous) if event.previous else None
        ):
            self._unpark()

    def _on_pod(self, event: StoreEvent) -> None:
        item, before = event.object, event.previous
        for one in (item, before):
            if one is not None and node_of(one):
                self._stale.add(node_of(one))
        if node_of(item):
            self._forget(item.key)
            if event.type == "DELETED" or not takes_room(item):
                self._unpark()
        elif event.type == "DELETED" or not self._is_ours(item):
            self._forget(item.key)
        elif item.key not in self._parked or before is None or _asks(item) != _asks(before):
            self._forget(item.key)
            self._active[item.key] = None
            self._wake.set()

    def _is_ours(self, item: StoredObject) -> bool:
        pod = view_as(item, Pod)
        if owners.is_deleting(item) or has_ended(pod) or pod.spec.scheduling_gates:
            return False
        return strategy_of(pod.spec.scheduler_name, self._settings) is not None

    def _forget(self, key: ObjectKey) -> None:
        self._active.pop(key, None)
        self._parked.pop(key, None)

    def _unpark(self) -> None:
        if self._parked:
            self._active.update(dict.fromkeys(self._parked))
            self._wake.set()

    # ------------------------------------------------------------ cycles

    async def _cycles(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(0)  # what arrives in one step of the loop is one batch
            while self._active:
                await self._cycle()

    async def _cycle(self) -> None:
        batch = list(self._active)[: self._settings.batch_pods]
        for key in batch:
            del self._active[key]
        items = [item for key in batch if (item := self._snapshot.get(key)) is not None]
        pods = [pod_view(item) for item in items if not node_of(item)]
        outcome = schedule(pods, self._nodes(), self._settings, self._last)
        self._last = outcome.last
        run = []
        for decision in outcome.decisions:
            if isinstance(decision, Bind):
                self._parked.pop(decision.key, None)
                run.append(self._bind(decision))
            else:
                run.append(self._park(decision))
        if run:
            await together(run)

    def _nodes(self) -> list[NodeView]:
        for name in self._stale:
            item = self._snapshot.get(ObjectKey("nodes", "", name))
            if item is None:
                self._views.pop(name, None)
                continue
            pods = [pod_view(pod) for pod in self._snapshot.pods_on(name) if takes_room(pod)]
            self._views[name] = node_view(item, pods)
        self._stale.clear()
        return list(self._views.values())

    async def _bind(self, decision: Bind) -> None:
        try:
            await self._registry.bind(decision.key, decision.node)
        except (Conflict, NotFound):
            return  # bound by somebody else, being deleted or gone: its event has told us
        except OrchError as error:
            _log.warning("scheduler.bind_failed", key=str(decision.key), error=str(error))
            self._again(decision.key)
            return
        _log.info("scheduler.bound", key=str(decision.key), node=decision.node)
        where = f"{decision.key.namespace}/{decision.key.name}"
        message = f"Successfully assigned {where} to {decision.node}"
        self._say(Record(decision.key, "Normal", "Scheduled", message, COMPONENT))

    async def _park(self, decision: Unschedulable) -> None:
        before = self._parked.get(decision.key)
        self._parked[decision.key] = decision.message
        item = self._snapshot.get(decision.key)
        if item is None:
            self._forget(decision.key)
            return
        patch = unschedulable_patch(item, decision.message, self._clock.wall())
        try:
            if patch is not None:
                await self._executor.carry_out([patch])
        except NotFound:
            return
        except Conflict:
            self._again(decision.key)
            return
        except OrchError as error:
            _log.warning("scheduler.not_told", key=str(decision.key), error=str(error))
        if before != decision.message:
            self._say(
                Record(
                    decision.key, "Warning", "FailedScheduling", decision.message, COMPONENT
                )
            )  # fmt: skip

    def _again(self, key: ObjectKey) -> None:
        def add() -> None:
            item = self._snapshot.get(key)
            if item is not None and not node_of(item) and self._is_ours(item):
                self._active[key] = None
                self._wake.set()

        asyncio.get_running_loop().call_later(_RETRY_S, add)

    # ------------------------------------------------------------ events

    def _say(self, record: Record) -> None:
        self._untold.append(record)
        self._tell.set()

    async def _teller(self) -> None:
        """Writes Events beside the cycles, so that no pod waits for what is told of another."""
        while True:
            await self._tell.wait()
            self._tell.clear()
            while self._untold:
                batch = list(self._untold)
                self._untold.clear()
                await self._told(batch)

    async def _told(self, batch: Sequence[Intent]) -> None:
        try:
            await self._executor.carry_out(batch)
        except OrchError as error:
            _log.warning("scheduler.not_told", error=str(error), events=len(batch))


def unschedulable_patch(item: StoredObject, message: str, now_s: float) -> Patch | None:
    """The pod's PodScheduled condition: False, with the reason; None when it says so already."""
    conditions = conditions_of(item)
    current = find_condition(conditions, "PodScheduled")
    made = stamped(current, "False", "Unschedulable", message, now_s, "PodScheduled")
    if current == made:
        return None
    status = {"conditions": [*without_condition(conditions, "PodScheduled"), made]}
    return Patch(item.key, {"status": status}, "status", expected=item.revision, uid=item.uid)


def _matters(node: StoredObject) -> tuple[Any, ...]:
    """What of a Node decides about pods."""
    view = view_as(node, Node)
    ready = condition(view.status.conditions, "Ready")
    return (
        view.metadata.labels,
        view.spec,
        view.status.allocatable or view.status.capacity,
        ready is not None and ready.status == "True",
    )


def _asks(pod: StoredObject) -> Any:
    """What of a pod decides about hosts."""
    return pod.doc["spec"]
