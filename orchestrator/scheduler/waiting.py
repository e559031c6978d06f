"""Pods without a host: those whose turn it is, and those that fit nowhere now. Pure.

A pod that fits nowhere is parked with the names of what was against it; a change in the cluster
wakes only those that it can help. Pods of one template fail together, so of a long row of them one
is tried, and the others when that one was placed.

Source: Kubernetes concepts, "Scheduling Framework" (queues, QueueingHint).
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from orchestrator.kit.ids import ObjectKey
from orchestrator.scheduler.cycle import Pending, Unschedulable
from orchestrator.scheduler.templates import Template

Change = Literal["host", "left", "placed"]
"""A host came or changed; a pod left its host; a pod came to a host."""

_PROBED: Final = 64
"""Rows of parked pods that are longer are tried by one."""
_HELPS: Final[dict[Change, frozenset[str]]] = {
    "host": frozenset({"cordon", "taints", "ready", "affinity", "ports", "fit", "spread",
                       "neighbours", "none"}),
    "left": frozenset({"ports", "fit", "spread", "neighbours"}),
    "placed": frozenset({"spread", "neighbours"}),
}  # fmt: skip
_NO_HOSTS: Final = frozenset({"none"})


@dataclass(frozen=True, slots=True)
class Parked:
    """A pod that fits nowhere, and why."""

    pod: Pending
    message: str
    plugins: frozenset[str]


class Waiting:
    """See the module."""

    def __init__(self) -> None:
        self._active: dict[ObjectKey, Pending] = {}
        self._order: list[tuple[int, str, ObjectKey]] = []
        self._parked: dict[ObjectKey, Parked] = {}
        self._rows: dict[Template, dict[ObjectKey, None]] = {}
        self._groups: dict[tuple[str, str], dict[ObjectKey, None]] = {}
        self._probes: dict[ObjectKey, Template] = {}

    def __len__(self) -> int:
        """How many pods' turn it is."""
        return len(self._active)

    @property
    def parked(self) -> int:
        """How many fit nowhere now."""
        return len(self._parked)

    def add(self, pod: Pending) -> None:
        """A pod came, or changed; with it those of its group that waited for it."""
        self.forget(pod.key)
        self._queue(pod)
        if pod.group:
            group = (pod.key.namespace, pod.group)
            self._wake(self._groups.get(group, ()))
            self._groups.setdefault(group, {})[pod.key] = None

    def in_group(self, namespace: str, group: str) -> int:
        """How many pods of a group wait here."""
        return len(self._groups.get((namespace, group), ()))

    def knows(self, key: ObjectKey) -> bool:
        """Whether the pod waits here."""
        return key in self._active or key in self._parked

    def forget(self, key: ObjectKey) -> None:
        """A pod has a host, or is gone."""
        pod = self._active.pop(key, None)
        parked = self._unpark(key)
        found = pod or (parked.pod if parked else None)
        if found is not None and found.group:
            group = (key.namespace, found.group)
            members = self._groups.get(group, {})
            members.pop(key, None)
            if not members:
                self._groups.pop(group, None)
        template = self._probes.pop(key, None)
        if template is not None:  # the one that was tried has found a host: the others may too
            self._wake(self._rows.get(template, ()))

    def take(self, most: int) -> list[Pending]:
        """The pods to decide on next, whole groups together; they wait on until they are parked or
        forgotten, but their turn is over.
        """
        taken: list[Pending] = []
        while self._order and len(taken) < most:
            _, _, key = heapq.heappop(self._order)
            pod = self._active.pop(key, None)
            if pod is None:
                continue  # forgotten, or here a second time
            taken.append(pod)
            if pod.group:
                others = self._groups.get((key.namespace, pod.group), ())
                taken += [self._active.pop(other) for other in others if other in self._active]
        return taken

    def park(self, pod: Pending, decision: Unschedulable) -> str | None:
        """A pod fits nowhere now; returns why it did not the last time, None the first time."""
        before = self._parked.get(pod.key)
        self._parked[pod.key] = Parked(pod, decision.message, decision.plugins or _NO_HOSTS)
        self._rows.setdefault(pod.template, {})[pod.key] = None
        self._probes.pop(pod.key, None)
        return before.message if before is not None else None

    def changed(self, change: Change) -> bool:
        """Wakes the pods that a change may help; returns whether there is one."""
        helped = _HELPS[change]
        woken = False
        for template, keys in list(self._rows.items()):
            first = next(iter(keys))
            if not helped & self._parked[first].plugins:
                continue
            woken = True
            if len(keys) > _PROBED and not self._parked[first].pod.group:
                first = min(keys, key=lambda key: (self._parked[key].pod.created, key))
                self._probes[first] = template
                self._queue(self._parked[first].pod)
            else:
                self._wake(keys)
        return woken

    def _wake(self, keys: Iterable[ObjectKey]) -> None:
        for key in keys:
            parked = self._parked.get(key)
            if parked is None:
                continue
            self._queue(parked.pod)
            for other in self._groups.get((key.namespace, parked.pod.group), ()):
                if other in self._parked:
                    self._queue(self._parked[other].pod)

    def _queue(self, pod: Pending) -> None:
        if pod.key not in self._active:
            heapq.heappush(self._order, (-pod.template.priority, pod.created, pod.key))
        self._active[pod.key] = pod

    def _unpark(self, key: ObjectKey) -> Parked | None:
        parked = self._parked.pop(key, None)
        if parked is not None:
            row = self._rows[parked.pod.template]
            del row[key]
            if not row:
                del self._rows[parked.pod.template]
        return parked
