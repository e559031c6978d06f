"""One scheduling cycle: which of the waiting pods goes where. Pure.

Pods are placed one after the other, the most important and then the oldest first, each on a fleet
in which those before it have their place already: a batch never promises the same room twice.
The pods of a group are placed all or none.

Source: Kubernetes concepts, "Kubernetes Scheduler", "Pod Priority and Preemption".
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from orchestrator.api.labels import Requirement, Selector
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.scheduler.explain import message, reasons
from orchestrator.scheduler.fleet import Fleet, Placed
from orchestrator.scheduler.placement import Comparison, chosen, compare
from orchestrator.scheduler.preemption import (
    Budget,
    Preemption,
    find,
    is_reservation,
    reservation,
)
from orchestrator.scheduler.settings import Profile, SchedulerSettings, profile_of
from orchestrator.scheduler.standing import Standing
from orchestrator.scheduler.tallies import Matching
from orchestrator.scheduler.templates import POD_GROUP, Template
from orchestrator.scheduler.terms import Matcher

_MOST_STANDINGS: Final = 512


@dataclass(frozen=True, slots=True)
class Pending:
    """A pod that waits for a host.

    Attributes:
        key: its name.
        uid: its uid.
        template: what it asks for.
        created: creation time; earlier ones are placed first.
        group: name of its pod group; "" for none.
        members: how many of the group must be placed together.
    """

    key: ObjectKey
    uid: Uid
    template: Template
    created: str = ""
    group: str = ""
    members: int = 0


@dataclass(frozen=True, slots=True)
class Bind:
    """Put a pod on a host.

    Attributes:
        key: the pod.
        uid: its uid.
        node: the host.
        message: why there.
    """

    key: ObjectKey
    uid: Uid
    node: str
    message: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """A pod fits nowhere, or not yet.

    Attributes:
        key: the pod.
        uid: its uid.
        message: why, counted.
        plugins: whose reasons they are.
        preemption: who is to make room for it, and where; None for nobody.
    """

    key: ObjectKey
    uid: Uid
    message: str
    plugins: frozenset[str] = field(default_factory=frozenset)
    preemption: Preemption | None = None


Decision = Bind | Unschedulable


class Planner:
    """Decides on a fleet, and places on it what it has decided.

    Args:
        fleet: the hosts; the caller keeps it up to date, and takes away what was not bound.
        settings: see there.
        budgets: the disruption budgets as they are; asked for when pods are to be evicted.
    """

    def __init__(
        self,
        fleet: Fleet,
        settings: SchedulerSettings,
        budgets: Callable[[], Sequence[Budget]] = tuple,
    ) -> None:
        self._fleet = fleet
        self._settings = settings
        self._budgets = budgets
        self._standings: dict[Template, Standing] = {}
        self._failed: dict[Template, tuple[tuple[int, int], Unschedulable]] = {}
        self._last = ""

    def schedule(self, pods: Iterable[Pending]) -> list[Decision]:
        """Decides where pods go; none of another scheduler's may be among them.

        Returns:
            One decision for every pod, in the order of placing.
        """
        queue = sorted(pods, key=lambda pod: (-pod.template.priority, pod.created, pod.key))
        groups: dict[tuple[str, str], list[Pending]] = {}
        for pod in queue:
            if pod.group:
                groups.setdefault((pod.key.namespace, pod.group), []).append(pod)
        decisions: list[Decision] = []
        for pod in queue:
            if not pod.group:
                decisions.append(self._one(pod))
            elif members := groups.pop((pod.key.namespace, pod.group), None):
                decisions += self._gang(members)
        return decisions

    def release(self, uid: Uid) -> bool:
        """Gives up the place that was kept for a pod; returns whether there was one."""
        return self._fleet.take_away(reservation(uid)) is not None

    def standing(self, template: Template) -> Standing:
        """How the hosts stand for a template now."""
        found = self._standings.get(template)
        if found is None:
            if len(self._standings) >= _MOST_STANDINGS:
                self._tidy()
            profile = profile_of(template.scheduler, self._settings) or Profile()
            found = self._standings[template] = Standing(self._fleet, template, profile)
        found.refresh()
        return found

    def _tidy(self) -> None:
        """Drops what was worked out for the templates that were used longest ago."""
        for template in list(self._standings)[: _MOST_STANDINGS // 2]:
            del self._standings[template]
            self._failed.pop(template, None)
        self._fleet.forget(self._standings.__contains__)

    def compare(self, uid: Uid, template: Template, current: str = "") -> Comparison:
        """How hosts compare for a pod now, as if it had no place yet; takes back what it tries.

        Args:
            uid: of the pod, which may have a place, or one kept for it.
            template: what it asks for.
            current: its host.
        """
        fleet = self._fleet
        away = [fleet.take_away(own) for own in (uid, reservation(uid))]
        try:
            profile = profile_of(template.scheduler, self._settings) or Profile()
            standing = Standing(fleet, template, profile)
            standing.refresh()
            return compare(standing, current)
        finally:
            for placed in away:
                if placed is not None:
                    fleet.place(placed)

    def kept(self, uid: Uid) -> tuple[str, list[Placed]]:
        """The host where room is made for a pod, and who leaves it for that; "" for none."""
        kept = self._fleet.pod(reservation(uid))
        return (kept.node, self._leaving(kept)) if kept is not None else ("", [])

    def members(self, namespace: str, group: str) -> int:
        """Pods of a group that have a host already."""
        same = Selector((Requirement(POD_GROUP, "=", frozenset({group})),))
        matcher = Matcher(same, frozenset({namespace}), leaving=False)
        return int(self._fleet.tally(Matching((matcher,))).data.sum())

    def _one(self, pod: Pending) -> Decision:
        fleet, template = self._fleet, pod.template
        kept = fleet.take_away(reservation(pod.uid))
        failed = self._failed.get(template)
        if failed is not None and failed[0] == (fleet.static, fleet.changes.now):
            known = failed[1]
            return Unschedulable(pod.key, pod.uid, known.message, known.plugins)
        standing = self.standing(template)
        slot = standing.pick(self._last)
        if slot is None:
            found = reasons(standing)
            words = message(found, len(fleet.slots))
            plugins = frozenset(one.plugin for one in found)
            if kept is not None and self._leaving(kept):
                fleet.place(kept)
                return Unschedulable(pod.key, pod.uid, words, plugins)
            preemption = self._preempt(pod, standing)
            decision = Unschedulable(pod.key, pod.uid, words, plugins, preemption)
            if preemption is None:
                self._failed[template] = ((fleet.static, fleet.changes.now), decision)
            return decision
        self._last = name = fleet.name_of(slot)
        why = chosen(standing, slot)
        fleet.place(Placed(pod.key, pod.uid, template, name))
        return Bind(pod.key, pod.uid, name, why)

    def _leaving(self, kept: Placed) -> list[Placed]:
        """Whose room it is that a pod waits for; nobody's when it is not being made any more."""
        return [
            pod
            for pod in self._fleet.pods_on(kept.node)
            if pod.leaving and pod.template.priority < kept.template.priority
        ]

    def _preempt(self, pod: Pending, standing: Standing) -> Preemption | None:
        """Makes room for a pod, which then waits for it; others count it as placed there."""
        template = pod.template
        if not template.preempts or pod.group:
            return None
        found = find(standing, self._budgets())
        if found is None:
            return None
        victims: list[Placed] = []
        for victim in found.victims:
            if is_reservation(victim.uid):
                self._fleet.take_away(victim.uid)
            else:
                self._fleet.place(replace(victim, leaving=True))
                victims.append(victim)
        uid = reservation(pod.uid)
        self._fleet.place(Placed(pod.key, uid, template, found.node))
        return replace(found, victims=tuple(victims))

    def _gang(self, members: Sequence[Pending]) -> list[Decision]:
        """All of a group's pods that wait, or none."""
        group, wanted = members[0].group, max(pod.members for pod in members)
        there = self.members(members[0].key.namespace, group)
        if there + len(members) < wanted:
            words = (
                f'pod group "{group}" has {there + len(members)} of the {wanted} pods '
                "that it needs to start"
            )
            return [Unschedulable(pod.key, pod.uid, words, frozenset({"group"})) for pod in members]
        decisions = [self._one(pod) for pod in members]
        bound = [one for one in decisions if isinstance(one, Bind)]
        if there + len(bound) >= wanted:
            return decisions
        for one in bound:
            self._fleet.take_away(one.uid)
        why = next(one for one in decisions if isinstance(one, Unschedulable))
        words = (
            f'pod group "{group}": only {there + len(bound)} of the {wanted} pods '
            f"that it needs to start fit; of the next: {why.message}"
        )
        return [Unschedulable(pod.key, pod.uid, words, why.plugins) for pod in members]
