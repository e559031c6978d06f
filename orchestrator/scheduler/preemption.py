"""Whom a more important pod pushes aside, and where. Pure: what it tries it takes back.

A host is a candidate when the pod would fit there without the less important pods. Of these as
many as possible are then let be, the most important first and those whose disruption budget would
break before all others; what remains are the victims. The host is taken where they matter least.

Source: Kubernetes concepts, "Pod Priority and Preemption"; kube-scheduler's plugin
DefaultPreemption. As there, not every host is tried: those come first where the victims can be
least important and fewest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from orchestrator.api.labels import Selector, from_view
from orchestrator.api.types.policy import PodDisruptionBudget
from orchestrator.kit.ids import Uid
from orchestrator.reconcile.snapshot import view_as
from orchestrator.scheduler.fleet import RESOURCES, Placed
from orchestrator.scheduler.requests import PODS
from orchestrator.scheduler.standing import Standing
from orchestrator.store.objects import StoredObject

TRIED: Final = 64
"""Candidates that are tried where rows decide alone."""
TRIED_WITH_RULES: Final = 8
"""The same where other pods' places matter, which costs more."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget.

    Attributes:
        namespace: its own.
        selector: of the pods that it is for.
        allowed: disruptions that it has left.
    """

    namespace: str
    selector: Selector
    allowed: int


@dataclass(frozen=True, slots=True)
class Preemption:
    """Where a pod will fit, and who has to go; nobody where the last of them leaves already.

    Attributes:
        node: the host.
        victims: pods to delete.
        violations: victims whose budget is broken.
    """

    node: str
    victims: tuple[Placed, ...]
    violations: int


def budgets_of(items: Iterable[StoredObject]) -> list[Budget]:
    """The budgets of PodDisruptionBudgets that select pods at all."""
    found: list[Budget] = []
    for item in items:
        budget = view_as(item, PodDisruptionBudget)
        if budget.spec.selector is not None:
            selector = from_view(budget.spec.selector)
            allowed = budget.status.disruptions_allowed
            found.append(Budget(item.key.namespace, selector, allowed))
    return found


def find(standing: Standing, budgets: Sequence[Budget]) -> Preemption | None:
    """The best host for a pod that fits nowhere, after `Standing.refresh`; None without one."""
    simple = not standing.hard and not standing.neighbours.rules and not standing.template.ports
    most = TRIED if simple else TRIED_WITH_RULES
    best: tuple[tuple[object, ...], Preemption] | None = None
    for slot in candidates(standing)[:most]:
        trial: Trial = Amounts(standing, slot) if simple else Whole(standing, slot)
        found = _on_host(standing, slot, trial, budgets)
        if found is None:
            continue
        key = _preference(found)
        if best is None or key < best[0]:
            best = (key, found)
    return best[1] if best else None


def candidates(standing: Standing) -> list[int]:
    """Hosts where pushing pods aside may help, the most promising first."""
    fleet, template = standing.fleet, standing.template
    lower = sorted(priority for priority in fleet.levels if priority < template.priority)
    if not lower:
        return []
    asks = fleet.asks(template)
    used, total = fleet.rows(None, RESOURCES + len(asks))
    free = total[RESOURCES:] - used[RESOURCES:] - asks
    touched = np.full(fleet.size, -1, dtype=np.int64)
    pods = np.zeros(fleet.size, dtype=np.int64)
    for index, priority in enumerate(lower):
        level = fleet.levels[priority].data[RESOURCES : RESOURCES + len(asks)]
        open_yet = touched < 0
        pods += np.where(open_yet, level[0], 0)
        free += level
        touched[open_yet & np.logical_and.reduce(free >= 0) & (pods > 0)] = index
    slots = np.flatnonzero(standing.allowed & (touched >= 0))
    order = np.lexsort((fleet.rank().data[slots], pods[slots], touched[slots]))
    return [int(slot) for slot in slots[order]]


class Trial(Protocol):
    """One host as it would be without some of its pods."""

    def take(self, pod: Placed) -> None:
        """As if the pod were not there."""
        ...

    def give(self, pod: Placed) -> None:
        """The pod is there again."""
        ...

    def fits(self) -> bool:
        """Whether the pod in question fits now."""
        ...


class Amounts:
    """A trial in which only resources count."""

    def __init__(self, standing: Standing, slot: int) -> None:
        fleet = standing.fleet
        self._asks = dict([(PODS, 1), *standing.template.requests])
        self._free = {
            name: int(fleet.resource(name).total.data[slot] - fleet.resource(name).used.data[slot])
            for name in self._asks
        }

    def _add(self, pod: Placed, sign: int) -> None:
        self._free[PODS] += sign
        for name, amount in pod.template.requests:
            if name in self._free:
                self._free[name] += sign * amount

    def take(self, pod: Placed) -> None:
        """See `Trial`."""
        self._add(pod, 1)

    def give(self, pod: Placed) -> None:
        """See `Trial`."""
        self._add(pod, -1)

    def fits(self) -> bool:
        """See `Trial`."""
        return all(self._free[name] >= amount for name, amount in self._asks.items())


class Whole:
    """A trial on the fleet itself, in which every rule counts."""

    def __init__(self, standing: Standing, slot: int) -> None:
        self._standing = standing
        self._slot = slot

    def take(self, pod: Placed) -> None:
        """See `Trial`."""
        self._standing.fleet.take_away(pod.uid)

    def give(self, pod: Placed) -> None:
        """See `Trial`."""
        self._standing.fleet.place(pod)

    def fits(self) -> bool:
        """See `Trial`."""
        self._standing.refresh()
        return bool(self._standing.feasible()[self._slot])


def _on_host(
    standing: Standing, slot: int, trial: Trial, budgets: Sequence[Budget]
) -> Preemption | None:
    fleet, name = standing.fleet, standing.fleet.name_of(slot)
    lower = sorted(
        (p for p in fleet.pods_on(name) if p.template.priority < standing.template.priority),
        key=lambda p: (-p.template.priority, p.started_s, p.key),
    )
    for pod in lower:
        trial.take(pod)
    gone = list(lower)
    try:
        if not trial.fits():
            return None
        staying = [pod for pod in lower if not pod.leaving]
        broken, fine = _by_budget(staying, budgets)
        violations = 0
        for pod in (*broken, *fine):
            trial.give(pod)
            if trial.fits():
                gone.remove(pod)
                continue
            trial.take(pod)
            violations += pod in broken
        victims = tuple(pod for pod in gone if not pod.leaving)
        return Preemption(name, victims, violations)
    finally:
        for pod in gone:
            trial.give(pod)


def _by_budget(
    pods: Iterable[Placed], budgets: Sequence[Budget]
) -> tuple[list[Placed], list[Placed]]:
    """Pods whose budget their end would break, and the others; in their order."""
    left = [budget.allowed for budget in budgets]
    broken: list[Placed] = []
    fine: list[Placed] = []
    for pod in pods:
        breaks = False
        for index, budget in enumerate(budgets):
            if budget.namespace != pod.template.namespace:
                continue
            if budget.selector.matches(pod.template.labels):
                left[index] -= 1
                breaks = breaks or left[index] < 0
        (broken if breaks else fine).append(pod)
    return broken, fine


def _preference(found: Preemption) -> tuple[object, ...]:
    """Less is better."""
    priorities = [pod.template.priority for pod in found.victims]
    highest = max(priorities, default=-(1 << 31))
    began = min(
        (pod.started_s for pod in found.victims if pod.template.priority == highest), default=0.0
    )
    return (
        found.violations,
        highest,
        sum(priority + (1 << 31) for priority in priorities),
        len(priorities),
        -began,
        found.node,
    )


_NOMINATED: Final = "nominated:"


def reservation(uid: Uid) -> Uid:
    """The uid under which the place of a pod is kept that waits for others to leave."""
    return Uid(_NOMINATED + uid)


def is_reservation(uid: Uid) -> bool:
    """Whether it is no pod, but a place kept for one."""
    return uid.startswith(_NOMINATED)
