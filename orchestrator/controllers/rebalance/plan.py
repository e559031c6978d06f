"""Which pods are evicted now so that they get a better place. Pure: what it tries it takes back.

For every pod whose place is a bad one the scheduler's own code is asked where the pod would be put
if it came anew, both with the old one still there and without it. Only when that is another host,
and one that mends what is wrong, the pod goes: it cannot come back to where it was. As a last bolt
against going round in circles no workload gets back to a host that a pod of it was moved from
within the last hour, as long as the hosts are what they were.

Moves come in batches: the next one waits until the workloads of the last are ready again and no
pod is on its way to a host, so that every decision is made on what really is. In one batch a host
either gives pods or takes some.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from orchestrator.api.types.pod import Pod
from orchestrator.controllers.rebalance.movable import Movable
from orchestrator.controllers.rebalance.settings import RebalanceSettings
from orchestrator.controllers.rebalance.strategies import Case, Strategy, chosen
from orchestrator.kit.ids import Uid
from orchestrator.reconcile.intents import Evict, Intent, Record, RequeueAfter
from orchestrator.reconcile.pods import is_active
from orchestrator.reconcile.snapshot import node_of, view_as
from orchestrator.reconcile.statuses import conditions_of, find_condition
from orchestrator.scheduler.fleet import Fleet, Placed
from orchestrator.scheduler.preemption import Budget
from orchestrator.scheduler.settings import SchedulerSettings, profile_of
from orchestrator.scheduler.standing import Standing
from orchestrator.scheduler.templates import Template
from orchestrator.store.objects import StoredObject

COMPONENT: Final = "rebalancer"
TRIED: Final = 128
"""Pods that are looked at closely in one look; the next one goes on behind them."""
_MINUTE_S: Final = 60.0
_REMEMBERED_S: Final = 3600.0
_PATIENCE_S: Final = 120.0
"""A workload that is not ready again after this long is not waited for any more."""


@dataclass(frozen=True, slots=True)
class Move:
    """A pod that was evicted.

    Attributes:
        at_s: when, wall seconds.
        workload: uid of its controller.
        source: its host.
        hosts: `Facts.hosts` then.
    """

    at_s: float
    workload: str
    source: str
    hosts: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """What one look leaves to the next.

    Attributes:
        moves: of the last hour, oldest first.
        told: of a dry run, what was said already: pods and where they would go.
        tried: how many suspects were looked at in this round.
    """

    moves: tuple[Move, ...] = ()
    told: frozenset[tuple[Uid, str]] = field(default_factory=frozenset)
    tried: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        fleet: all hosts and what is bound to them; as it was when the plan is made.
        standing: how all hosts stand for a template now.
        pods: all pods.
        budgets: the disruption budgets as they are.
        scheduler: settings of the scheduler: pods of others' schedulers stay.
        hosts: another number whenever the hosts have changed.
    """

    fleet: Fleet
    standing: Callable[[Template], Standing]
    pods: Sequence[StoredObject]
    budgets: Sequence[Budget]
    scheduler: SchedulerSettings
    hosts: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be done, and what is remembered of it."""

    intents: list[Intent]
    history: History


@dataclass(frozen=True, slots=True)
class _Proposal:
    item: StoredObject
    placed: Placed
    target: str
    strategy: Strategy
    why: str


def plan(facts: Facts, settings: RebalanceSettings, history: History, now_s: float) -> Outcome:
    """Evictions, each with the Event that tells why, and when to look again.

    Args:
        facts: see there.
        settings: see there.
        history: of the look before.
        now_s: wall seconds.
    """
    moves = tuple(move for move in history.moves if now_s - move.at_s < _REMEMBERED_S)
    history = replace(history, moves=moves)
    again = RequeueAfter(settings.every_s)
    recent = sum(now_s - move.at_s < _MINUTE_S for move in moves)
    most = settings.moves_per_minute - recent
    movable = Movable(facts.pods, facts.budgets, settings, now_s)
    begun = {move.workload for move in moves if now_s - move.at_s < _PATIENCE_S}
    if most <= 0 or begun & movable.restless or _somebody_is_on_the_way(facts):
        return Outcome([again], history)
    proposals, tried = _Look(facts, settings, history, movable).proposals(most)
    history = replace(history, tried=tried)
    if settings.dry_run:
        there = {item.uid for item in facts.pods}
        kept = frozenset(what for what in history.told if what[0] in there)
        return _told(proposals, replace(history, told=kept), again)
    intents: list[Intent] = []
    for one in proposals:
        message = f"Moved away from {one.placed.node}: {one.why}; {one.target} is better"
        intents += [
            Evict(one.item.key, uid=one.item.uid),
            Record(one.item.key, "Normal", one.strategy.reason, message, COMPONENT),
        ]
    made = tuple(
        Move(now_s, one.placed.template.workload, one.placed.node, facts.hosts) for one in proposals
    )
    return Outcome([*intents, again], replace(history, moves=(*moves, *made)))


def _told(proposals: Sequence[_Proposal], history: History, again: RequeueAfter) -> Outcome:
    """The Events of a dry run; what was said already is not said again."""
    now = {(one.item.uid, one.target): one for one in proposals}
    intents: list[Intent] = [
        Record(
            one.item.key,
            "Normal",
            one.strategy.reason,
            f"Would move from {one.placed.node} to {one.target} (dry run): {one.why}",
            COMPONENT,
        )
        for what, one in now.items()
        if what not in history.told
    ]
    return Outcome([*intents, again], replace(history, told=history.told | now.keys()))


def _somebody_is_on_the_way(facts: Facts) -> bool:
    """Whether a pod waits that the scheduler has not looked at, or for which room is made."""
    return any(_is_on_the_way(item, facts.scheduler, facts.fleet) for item in facts.pods)


def _is_on_the_way(item: StoredObject, scheduler: SchedulerSettings, fleet: Fleet) -> bool:
    if node_of(item):
        return False
    pod = view_as(item, Pod)
    if not is_active(pod) or profile_of(pod.spec.scheduler_name, scheduler) is None:
        return False
    if find_condition(conditions_of(item), "PodScheduled") is None:
        return True
    return any(other.leaving for other in fleet.pods_on(pod.status.nominated_node_name))


class _Look:
    """One look at the cluster."""

    def __init__(
        self, facts: Facts, settings: RebalanceSettings, history: History, movable: Movable
    ) -> None:
        self._facts = facts
        self._fleet = facts.fleet
        self._history = history
        self._movable = movable
        self._strategies = chosen(facts.fleet, settings)
        self._items = {item.uid: item for item in facts.pods if node_of(item)}
        self._left = {
            (move.workload, move.source) for move in history.moves if move.hosts == facts.hosts
        }
        self._gives: set[str] = set()
        self._takes: set[str] = set()

    def proposals(self, most: int) -> tuple[list[_Proposal], int]:
        """At most so many moves, the worst places first; and how many suspects were tried in this
        round, 0 after its end.
        """
        suspects = self._suspects()
        start = self._history.tried if self._history.tried < len(suspects) else 0
        found: list[_Proposal] = []
        undo: list[tuple[Placed, Placed]] = []
        fruitless: set[tuple[Template, str]] = set()
        seen, tries = start, 0
        try:
            for placed in suspects[start:]:
                seen += 1
                kind, item = (placed.template, placed.node), self._items[placed.uid]
                if kind in fruitless or not self._movable.may_go(item):
                    continue
                tries += 1
                proposal = self._proposal(item, placed)
                if proposal is None:
                    fruitless.add(kind)
                else:
                    found.append(proposal)
                    self._movable.goes(item)
                    undo.append((placed, self._moved(proposal)))
                if len(found) == most or tries == TRIED:
                    break
        finally:
            for placed, moved in undo:
                self._fleet.take_away(moved.uid)
                self._fleet.place(placed)
        return found, 0 if found or seen >= len(suspects) else seen

    def _suspects(self) -> list[Placed]:
        """Pods whose place may be a bad one, the gravest reasons and the least important first."""
        found: list[tuple[int, int, float, Placed]] = []
        for placed in self._fleet.all_pods():
            if not self._may_be_asked_about(placed):
                continue
            for rank, strategy in enumerate(self._strategies):
                if strategy.suspects(placed):
                    order = (rank, placed.template.priority, -placed.started_s, placed)
                    found.append(order)
                    break
        found.sort(key=lambda one: (*one[:3], one[3].key))
        return [placed for *_, placed in found]

    def _may_be_asked_about(self, placed: Placed) -> bool:
        """Whether the fleet knows the pod's host, and the scheduler is ours."""
        template = placed.template
        return (
            bool(template.workload)
            and not placed.leaving
            and placed.node in self._fleet.slots
            and placed.uid in self._items
            and profile_of(template.scheduler, self._facts.scheduler) is not None
        )

    def _proposal(self, item: StoredObject, placed: Placed) -> _Proposal | None:
        """Where a pod would go that is on a bad place; None when it is well, or cannot do better.

        The fleet is afterwards as it was.
        """
        if placed.node in self._takes:
            return None
        fleet = self._fleet
        fleet.take_away(placed.uid)
        try:
            case = self._case(placed)
            found = self._reason(placed, case) if case is not None else None
        finally:
            fleet.place(placed)
        if case is None or found is None:
            return None
        strategy, why = found
        fleet.place(replace(placed, leaving=True))  # its replacement may come before it has left
        try:
            soon = self._case(placed)
            fine = soon is None or self._is_better(placed, soon, strategy)
        finally:
            fleet.place(placed)
        return _Proposal(item, placed, fleet.name_of(case.target), strategy, why) if fine else None

    def _case(self, placed: Placed) -> Case | None:
        """Where the scheduler would put the pod on the fleet as it is; None for nowhere."""
        standing = self._facts.standing(placed.template)
        target = standing.pick()
        source = self._fleet.slots[placed.node]
        if target is None:
            return None
        if standing.profile.strategy == "round-robin" and standing.feasible()[source]:
            target = source  # its turn may come at any time
        return Case(standing, source, target)

    def _reason(self, placed: Placed, case: Case) -> tuple[Strategy, str] | None:
        """The gravest reason for which the move is right, and its words."""
        for strategy in self._strategies:
            if not strategy.suspects(placed):
                continue
            why = strategy.against(case)
            if why and self._is_better(placed, case, strategy):
                return strategy, why
        return None

    def _is_better(self, placed: Placed, case: Case, strategy: Strategy) -> bool:
        """Whether the target is another host, and better by the strategy and those before it."""
        name = self._fleet.name_of(case.target)
        if case.target == case.source or name in self._gives:
            return False
        if (placed.template.workload, name) in self._left:
            return False
        rank = self._strategies.index(strategy)
        before = self._strategies[:rank]
        return strategy.mends(case) and not any(other.worsens(case) for other in before)

    def _moved(self, proposal: _Proposal) -> Placed:
        """Counts a pod as moved from now on; returns what stands for its replacement."""
        placed = proposal.placed
        self._gives.add(placed.node)
        self._takes.add(proposal.target)
        moved = replace(placed, uid=Uid(f"{placed.uid}/moved"), node=proposal.target)
        self._fleet.take_away(placed.uid)
        self._fleet.place(moved)
        return moved
