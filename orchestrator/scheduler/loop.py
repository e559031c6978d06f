"""The scheduler's loop: waits for pods without a host, decides in batches, binds.

The fleet follows the informers' events, pod by pod and host by host. A pod that fits nowhere is
parked; it is tried again when something has changed that may help, never by polling. What is
decided counts at once, before it is written; a bind that fails is taken back.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import msgspec
import structlog

from orchestrator.api.types.meta import ObjectMeta
from orchestrator.api.types.pod import Pod
from orchestrator.kit.aio.tasks import Tasks
from orchestrator.kit.clock import Clock, parse_rfc3339
from orchestrator.kit.errors import Conflict, NotFound, OrchError
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.reconcile import owners
from orchestrator.reconcile.executor import Executor, together
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Delete, Intent, Patch, Record
from orchestrator.reconcile.pods import has_ended
from orchestrator.reconcile.snapshot import Snapshot, metadata_of, node_of, view_as
from orchestrator.reconcile.statuses import (
    conditions_of,
    find_condition,
    stamped,
    without_condition,
)
from orchestrator.registry.registry import Registry
from orchestrator.scheduler.cycle import Bind, Decision, Pending, Planner, Unschedulable
from orchestrator.scheduler.fleet import Fleet, Placed
from orchestrator.scheduler.hosts import host_of
from orchestrator.scheduler.placement import (
    Explanation,
    bound,
    ended,
    foreign,
    gated,
    group_words,
    pending,
    room_words,
)
from orchestrator.scheduler.preemption import Budget, budgets_of
from orchestrator.scheduler.settings import DEFAULT_SCHEDULER, SchedulerSettings, profile_of
from orchestrator.scheduler.templates import MIN_MEMBER, POD_GROUP, Templates
from orchestrator.scheduler.waiting import Change, Waiting
from orchestrator.store.objects import StoredObject, StoreEvent

_log: Final = structlog.get_logger("scheduler")
_USER: Final = {"username": "system:kube-scheduler", "groups": ["system:authenticated"]}
"""As whom admission policies know it."""
BUDGETS: Final = "poddisruptionbudgets.policy"
COMPONENT: Final = "default-scheduler"
_RETRY_S: Final = 0.5
_MOST_UNTOLD: Final = 10_000
"""Events that wait to be written; beyond it the oldest are lost."""
_SLICE_PODS: Final = 32
"""Decided on in one go; then others have their turn."""
_TEMPLATES_KEPT: Final = 20_000


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
        self._executor = Executor(registry, _USER)
        self._informers = informers
        self._snapshot: Snapshot = informers.snapshot
        self._clock = clock
        self._settings = settings or SchedulerSettings()
        self._templates = Templates()
        self._fleet = Fleet()
        self._planner = Planner(self._fleet, self._settings, self._budgets)
        self._waiting = Waiting()
        self._untold: deque[Intent] = deque(maxlen=_MOST_UNTOLD)
        self._binding: set[Uid] = set()
        self._wake = asyncio.Event()
        self._tell = asyncio.Event()

    async def run(self) -> None:
        """Runs until cancelled."""
        with self.following():
            async with Tasks() as tasks:
                tasks.essential("scheduler-events", self._teller())
                tasks.essential("scheduler-cycles", self._cycles())

    @contextmanager
    def following(self) -> Iterator[None]:
        """Knows hosts and pods as long as the context lasts, and does nothing about them."""
        unsubscribe = [
            self._informers.on_event("namespaces", self._on_namespace),
            self._informers.on_event("nodes", self._on_node),
            self._informers.on_event("pods", self._on_pod),
        ]
        try:
            yield
        finally:
            for end in unsubscribe:
                end()

    def explain(self, item: StoredObject) -> Explanation:
        """Why a pod is where it is, or waits; changes nothing."""
        pod, name = view_as(item, Pod), view_as(item, Pod).spec.scheduler_name
        if has_ended(pod):
            return ended(node_of(item))
        if profile_of(name, self._settings) is None and not node_of(item):
            return foreign(name)
        template = self._templates.of(item)
        found = self._planner.compare(item.uid, template, node_of(item))
        profile = self._settings.strategy if name in {"", DEFAULT_SCHEDULER} else name
        if node_of(item):
            return bound(node_of(item), found, profile, leaving=owners.is_deleting(item))
        if owners.is_deleting(item):
            return Explanation("Leaving", "is being deleted", profile=profile, comparison=found)
        if pod.spec.scheduling_gates:
            gates = [gate.name for gate in pod.spec.scheduling_gates]
            return gated(gates, found, profile)
        one = self._pending(item)
        waits_for: list[str] = []
        if one.group:
            there = self._planner.members(item.key.namespace, one.group)
            waiting = self._waiting.in_group(item.key.namespace, one.group)
            waits_for += group_words(one.group, there, waiting, one.members)
        nominated, leaving = self._planner.kept(item.uid)
        if nominated:
            waits_for.append(room_words(nominated, [str(pod.key.name) for pod in leaving]))
        return pending(found, profile, waits_for, nominated)

    def pending(self) -> tuple[int, int]:
        """How many pods wait for a cycle, and how many are parked because they fit nowhere."""
        return len(self._waiting), self._waiting.parked

    # ------------------------------------------------------------ what has changed

    def _on_namespace(self, event: StoreEvent) -> None:
        name = event.object.key.name
        labels = {} if event.type == "DELETED" else metadata_of(event.object).labels or {}
        if self._fleet.set_namespace(name, labels):
            self._changed("placed")

    def _on_node(self, event: StoreEvent) -> None:
        name = event.object.key.name
        if event.type == "DELETED":
            self._fleet.remove_host(name)
            self._changed("placed")  # a place with few pods may be gone
            return
        before = self._fleet.static
        self._fleet.set_host(host_of(event.object))
        if self._fleet.static != before:
            self._changed("host")

    def _on_pod(self, event: StoreEvent) -> None:
        item = event.object
        if node_of(item):
            self._on_bound(event)
        elif event.type == "DELETED" or not self._is_ours(item):
            self._waiting.forget(item.key)
            if self._planner.release(item.uid):
                self._changed("left")
        elif item.uid in self._binding:
            return  # decided: a second decision would give its room away while it is bound
        elif not self._waiting.knows(item.key) or (
            event.previous is None or _decides(item) != _decides(event.previous)
        ):
            self._waiting.add(self._pending(item))
            self._wake.set()

    def _on_bound(self, event: StoreEvent) -> None:
        item, before = event.object, event.previous
        self._waiting.forget(item.key)
        self._planner.release(item.uid)
        if event.type == "DELETED" or has_ended(view_as(item, Pod)):
            if self._fleet.take_away(item.uid) is not None:
                self._changed("left")
            return
        known, leaving = self._fleet.pod(item.uid), owners.is_deleting(item)
        same = known is not None and (known.node, known.leaving) == (node_of(item), leaving)
        if same and before is not None and node_of(before) and _decides(item) == _decides(before):
            return
        started = view_as(item, Pod).status.start_time
        template = self._templates.of(item)
        started_s = parse_rfc3339(started) if started else self._clock.wall()
        self._fleet.place(Placed(item.key, item.uid, template, node_of(item), started_s, leaving))
        self._changed("placed")

    def _changed(self, change: Change) -> None:
        if self._waiting.changed(change):
            self._wake.set()

    def _is_ours(self, item: StoredObject) -> bool:
        pod = view_as(item, Pod)
        if owners.is_deleting(item) or has_ended(pod) or pod.spec.scheduling_gates:
            return False
        return profile_of(pod.spec.scheduler_name, self._settings) is not None

    def _pending(self, item: StoredObject) -> Pending:
        metadata = metadata_of(item)
        group = (metadata.labels or {}).get(POD_GROUP, "")
        return Pending(
            item.key,
            item.uid,
            self._templates.of(item),
            metadata.creation_timestamp,
            group,
            _members(metadata) if group else 0,
        )

    # ------------------------------------------------------------ cycles

    async def _cycles(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(0)  # what arrives in one step of the loop is one batch
            while self._waiting:
                await self._cycle()
            if len(self._templates) > _TEMPLATES_KEPT:
                self._templates.keep({pod.template for pod in self._fleet.all_pods()})

    async def _cycle(self) -> None:
        decided: list[tuple[Pending, Decision]] = []
        while self._waiting and len(decided) < self._settings.batch_pods:
            taken = self._waiting.take(_SLICE_PODS)
            by_uid = {pod.uid: pod for pod in taken}
            for decision in self._planner.schedule(taken):
                decided.append((by_uid[decision.uid], decision))
                if isinstance(decision, Bind):
                    self._binding.add(decision.uid)
                    self._waiting.forget(decision.key)  # nothing wakes it any more
                else:
                    self._waiting.park(by_uid[decision.uid], decision)
            await asyncio.sleep(0)
        if decided:
            await together(
                [
                    self._bind(pod, decision)
                    if isinstance(decision, Bind)
                    else self._refuse(pod, decision)
                    for pod, decision in decided
                ]
            )

    async def _bind(self, pod: Pending, decision: Bind) -> None:
        try:
            await self._registry.bind(
                decision.key, decision.node, message=decision.message, requester=_USER
            )
        except (Conflict, NotFound):
            self._take_back(pod)  # bound by somebody else, being deleted or gone
            return
        except OrchError as error:
            _log.warning("scheduler.bind_failed", key=str(decision.key), error=str(error))
            self._take_back(pod)
            self._again(decision.key)
            return
        finally:
            self._binding.discard(decision.uid)
        _log.info("scheduler.bound", key=str(decision.key), node=decision.node)
        where = f"{decision.key.namespace}/{decision.key.name}"
        message = f"Successfully assigned {where} to {decision.node}"
        self._say(Record(decision.key, "Normal", "Scheduled", message, COMPONENT))

    def _take_back(self, pod: Pending) -> None:
        """What was decided does not hold; what somebody else decided does."""
        item = self._snapshot.get(pod.key)
        if item is None or item.uid != pod.uid or not node_of(item):
            self._fleet.take_away(pod.uid)
            self._changed("left")

    def _budgets(self) -> list[Budget]:
        return budgets_of(self._snapshot.list(BUDGETS))

    async def _refuse(self, pod: Pending, decision: Unschedulable) -> None:
        """Says why a pod has no host; first lets those go who are to make room for it."""
        preemption = decision.preemption
        if preemption is not None:
            _log.info(
                "scheduler.preempts",
                key=str(pod.key),
                node=preemption.node,
                victims=[str(victim.key) for victim in preemption.victims],
            )
            await together([self._evict(victim, pod) for victim in preemption.victims])
        message = decision.message
        if preemption is not None:
            names = [victim.key.name for victim in preemption.victims]
            message += f" Waits for {room_words(preemption.node, names)}."
        await self._tell_why(pod, message, preemption.node if preemption else "")

    async def _evict(self, victim: Placed, by: Pending) -> None:
        item = self._snapshot.get(victim.key)
        if item is None or item.uid != victim.uid:
            return
        now_s = self._clock.wall()
        words = f"{COMPONENT}: preempting to accommodate a higher priority pod"
        target = stamped(None, "True", "PreemptionByScheduler", words, now_s, "DisruptionTarget")
        kept = without_condition(conditions_of(item), "DisruptionTarget")
        status = {"conditions": [*kept, target]}
        try:
            await self._executor.carry_out([
                Patch(item.key, {"status": status}, "status", uid=item.uid),
                Delete(item.key, uid=item.uid),
            ])  # fmt: skip
        except (NotFound, Conflict):
            return
        except OrchError as error:
            _log.warning("scheduler.not_evicted", key=str(victim.key), error=str(error))
            if self._fleet.pod(victim.uid) is not None:
                self._fleet.place(replace(victim, leaving=False))
            self._again(by.key)
            return
        told = f"Preempted by pod {by.uid} on node {victim.node}"
        self._say(Record(victim.key, "Normal", "Preempted", told, COMPONENT))

    async def _tell_why(self, pod: Pending, message: str, nominated: str) -> None:
        item = self._snapshot.get(pod.key)
        if item is None or item.uid != pod.uid:
            return
        patch = unschedulable_patch(item, message, self._clock.wall(), nominated)
        if patch is None:
            return
        try:
            await self._executor.carry_out([patch])
        except NotFound:
            return
        except Conflict:
            self._again(pod.key)
            return
        except OrchError as error:
            _log.warning("scheduler.not_told", key=str(pod.key), error=str(error))
        self._say(Record(pod.key, "Warning", "FailedScheduling", message, COMPONENT))

    def _again(self, key: ObjectKey) -> None:
        def add() -> None:
            item = self._snapshot.get(key)
            if item is not None and not node_of(item) and self._is_ours(item):
                self._waiting.add(self._pending(item))
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


def unschedulable_patch(
    item: StoredObject, message: str, now_s: float, nominated: str = ""
) -> Patch | None:
    """The pod's PodScheduled condition: False, with the reason; None when it says so already.

    Args:
        item: the pod.
        message: why.
        now_s: wall seconds.
        nominated: the host where room is being made for it.
    """
    conditions = conditions_of(item)
    current = find_condition(conditions, "PodScheduled")
    made = stamped(current, "False", "Unschedulable", message, now_s, "PodScheduled")
    if current == made and not nominated:
        return None
    status: dict[str, Any] = {
        "conditions": [*without_condition(conditions, "PodScheduled"), made],
        **({"nominatedNodeName": nominated} if nominated else {}),
    }
    return Patch(item.key, {"status": status}, "status", expected=item.revision, uid=item.uid)


def _decides(pod: StoredObject) -> tuple[Any, ...]:
    """What of a pod decides about hosts, its own and others'."""
    metadata = metadata_of(pod)
    return (
        _bare.decode(pod.data).spec,  # as text: one writer has put it all, in one order
        metadata.labels,
        (metadata.annotations or {}).get(MIN_MEMBER),
    )


class _Bare(msgspec.Struct, gc=False):
    spec: msgspec.Raw


_bare: Final = msgspec.json.Decoder(_Bare)


def _members(metadata: ObjectMeta) -> int:
    """How many pods of its group must be placed together; 1 when that is no number."""
    text = (metadata.annotations or {}).get(MIN_MEMBER, "")
    return max(1, int(text)) if text.isdecimal() else 1
