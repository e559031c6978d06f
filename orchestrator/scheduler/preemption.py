"""Whom a more important pod pushes aside, and where. Pure: what it tries it takes back.

A host is a candidate when the pod would fit there without the less important pods. Of these as
many as possible are then let be, the most important first and those whose disruption budget would
break before all others; what remains are the victims. The host is taken where they matter least.

Source: Kubernetes concepts, "Pod Priority and Preemption"; kube-scheduler's plugin
DefaultPreemption. As there, not every host is tried: those come first where the victims can be
least important and fewest.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

import numpy as np

from orchestrator.api.labels import Selector, from_view
from orchestrator.api.types.policy import PodDisruptionBudget
from orchestrator.kit.ids import Uid
from orchestrator.reconcile.snapshot import view_as
from orchestrator.scheduler.fleet import FREE, ORDER_BITS, RANK_BITS, Placed
from orchestrator.scheduler.standing import Standing
from orchestrator.scheduler.templates import Template
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
    tried = candidates(standing, TRIED if simple else TRIED_WITH_RULES)

    @cache
    def changes(template: Template) -> list[int]:
        height = len(tried[0][1])
        asks: list[int] = standing.fleet.know(template).asks[FREE : FREE + height].tolist()
        return asks + [0] * (height - len(asks))

    best: tuple[tuple[object, ...], Preemption] | None = None
    for slot, room in tried:
        trial: Trial = Amounts(changes, room) if simple else Whole(standing, slot)
        found = _on_host(standing, slot, trial, budgets)
        if found is None:
            continue
        key = _preference(found)
        if best is None or key < best[0]:
            best = (key, found)
    return best[1] if best else None


def candidates(standing: Standing, most: int) -> list[tuple[int, list[int]]]:
    """Hosts where pushing pods aside may help, the most promising first.

    Returns:
        Slots, and what would be free there beside the pod without all less important ones: by row
        from `FREE`, of what it does not ask for more than there can be.
    """
    fleet, template = standing.fleet, standing.template
    lower = sorted(priority for priority in fleet.levels if priority < template.priority)
    asks = fleet.asks(template)
    rows = slice(FREE, FREE + len(asks))
    room = fleet.state.data[rows] - asks
    touched = np.full(fleet.size, -1, dtype=np.int64)
    pods = np.zeros(fleet.size, dtype=np.int64)
    for index, priority in enumerate(lower):
        level = fleet.levels[priority].data[rows]
        open_yet = touched < 0
        pods -= np.where(open_yet, level[0], 0)
        room -= level
        touched[open_yet & np.logical_and.reduce(room >= 0) & (pods > 0)] = index
    slots = np.flatnonzero(standing.allowed & (touched >= 0))
    order = (touched << ORDER_BITS) + (pods << RANK_BITS) + fleet.rank().data
    if len(slots) > most:
        slots = slots[np.argpartition(order[slots], most)[:most]]
    slots = slots[np.argsort(order[slots])]
    return list(zip(slots.tolist(), room[:, slots].T.tolist(), strict=True))


class Trial(Protocol):
    """One host as it would be without some of its pods."""

    def begin(self, pods: Sequence[Placed]) -> bool:
        """As if none of these were there, which are all less important ones; whether it helps."""
        ...

    def spare(self, pod: Placed) -> bool:
        """Lets one of them be, when the pod in question fits all the same."""
        ...

    def end(self) -> None:
        """All are there again."""
        ...


class Amounts:
    """A trial in which only resources count.

    Args:
        changes: what a pod of a template changes, in the rows of `room`.
        room: of the host; see `candidates`.
    """

    def __init__(self, changes: Callable[[Template], list[int]], room: list[int]) -> None:
        self._changes = changes
        self._room = room

    def begin(self, pods: Sequence[Placed]) -> bool:
        """See `Trial`; that it helps makes a candidate."""
        del pods
        return True

    def spare(self, pod: Placed) -> bool:
        """See `Trial`."""
        changes = self._changes(pod.template)
        left = [have + change for have, change in zip(self._room, changes, strict=True)]
        if min(left) < 0:
            return False
        self._room = left
        return True

    def end(self) -> None:
        """See `Trial`."""


class Whole:
    """A trial on the fleet itself, in which every rule counts."""

    def __init__(self, standing: Standing, slot: int) -> None:
        self._standing = standing
        self._slot = slot
        self._away: dict[Uid, Placed] = {}

    def begin(self, pods: Sequence[Placed]) -> bool:
        """See `Trial`."""
        for pod in pods:
            self._take(pod)
        return self._fits()

    def spare(self, pod: Placed) -> bool:
        """See `Trial`."""
        self._give(pod)
        if self._fits():
            return True
        self._take(pod)
        return False

    def end(self) -> None:
        """See `Trial`."""
        for pod in list(self._away.values()):
            self._give(pod)

    def _take(self, pod: Placed) -> None:
        self._standing.fleet.take_away(pod.uid)
        self._away[pod.uid] = pod

    def _give(self, pod: Placed) -> None:
        self._standing.fleet.place(pod)
        del self._away[pod.uid]

    def _fits(self) -> bool:
        self._standing.refresh()
        return bool(self._standing.feasible()[self._slot])


def _on_host(
    standing: Standing, slot: int, trial: Trial, budgets: Sequence[Budget]
) -> Preemption | None:
    name, priority = standing.fleet.name_of(slot), standing.template.priority
    lower = [p for p in standing.fleet.by_importance(name) if p.template.priority < priority]
    try:
        if not trial.begin(lower):
            return None
        broken, fine = _by_budget([pod for pod in lower if not pod.leaving], budgets)
        broken = [pod for pod in broken if not trial.spare(pod)]
        fine = [pod for pod in fine if not trial.spare(pod)]
    finally:
        trial.end()
    gone = {pod.uid for pod in (*broken, *fine)}
    return Preemption(name, tuple(pod for pod in lower if pod.uid in gone), len(broken))


def _by_budget(pods: list[Placed], budgets: Sequence[Budget]) -> tuple[list[Placed], list[Placed]]:
    """Pods whose budget their end would break, and the others; in their order."""
    if not budgets:
        return [], pods
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
