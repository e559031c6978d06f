"""Which places are bad for a pod, and which are better. Pure.

A strategy looks at a `Case`: a pod that is thought away, the host that it is on, and the host where
the scheduler would put it now. The strategies are ranked: a move for the sake of one must not make
it worse for those before it, so what is mended stays mended and moves come to an end.

Source: Kubernetes' descheduler, strategies of the same names; utilisation is that of requests.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from orchestrator.api.types.node import Taint
from orchestrator.controllers.rebalance.settings import RebalanceSettings
from orchestrator.reconcile.tolerations import tolerated
from orchestrator.scheduler import filters
from orchestrator.scheduler.domains import Evenness
from orchestrator.scheduler.fleet import Fleet, Placed
from orchestrator.scheduler.requests import PODS
from orchestrator.scheduler.standing import Standing
from orchestrator.scheduler.tallies import OfWorkload, Owning
from orchestrator.scheduler.templates import Template

_OURS: Final = "node.kubernetes.io/"
"""Taints that say how a host is: cordoned, lost. What follows from them is others' business."""
_HARD: Final = frozenset({"NoSchedule", "NoExecute"})


@dataclass(frozen=True, slots=True)
class Case:
    """A pod that may move, on a fleet in which it is nowhere.

    Attributes:
        standing: of all hosts for the pod, refreshed.
        source: slot of the host that it is on.
        target: slot of the host where the scheduler would put it.
    """

    standing: Standing
    source: int
    target: int

    @property
    def fleet(self) -> Fleet:
        """The hosts."""
        return self.standing.fleet

    @property
    def template(self) -> Template:
        """What the pod asks for."""
        return self.standing.template


class Strategy(Protocol):
    """One reason to move pods.

    Attributes:
        reason: of the Events that tell of a move.
    """

    reason: str

    def suspects(self, pod: Placed) -> bool:
        """Whether a closer look can be worth it; cheap, and never wrongly False."""

    def against(self, case: Case) -> str:
        """What is wrong with the source; "" for nothing."""

    def mends(self, case: Case) -> bool:
        """Whether the target is better, where `against` found something wrong."""

    def worsens(self, case: Case) -> bool:
        """Whether a move for another strategy's sake would do harm to this one's."""


class Ruled:
    """Base of the strategies whose rule is one of the scheduler's: no target breaks it."""

    def mends(self, case: Case) -> bool:
        """Always: the scheduler has found the target."""
        del case
        return True

    def worsens(self, case: Case) -> bool:
        """Never: the scheduler has found the target."""
        del case
        return False


class NodeTaints(Ruled):
    """Taints that came after the pod."""

    reason = "RemovePodsViolatingNodeTaints"

    def __init__(self, fleet: Fleet) -> None:
        self._tainted = {
            name: taints
            for name, slot in fleet.slots.items()
            if (taints := _lasting(fleet.taint_sets[int(fleet.taints.data[slot])]))
        }

    def suspects(self, pod: Placed) -> bool:
        """See `Strategy`."""
        return pod.node in self._tainted

    def against(self, case: Case) -> str:
        """See `Strategy`."""
        borne = case.template.tolerations
        for taint in self._tainted.get(case.fleet.name_of(case.source), ()):
            if not tolerated(borne, taint):
                return f"it does not tolerate the taint {{{taint.key}: {taint.value}}}"
        return ""


def _lasting(taints: Sequence[Taint]) -> list[Taint]:
    return [t for t in taints if t.effect in _HARD and not t.key.startswith(_OURS)]


class NodeAffinity(Ruled):
    """Labels of hosts that changed after the pod came."""

    reason = "RemovePodsViolatingNodeAffinity"

    def suspects(self, pod: Placed) -> bool:
        """See `Strategy`."""
        return bool(pod.template.selector) or pod.template.required is not None

    def against(self, case: Case) -> str:
        """See `Strategy`."""
        if filters.wanted_hosts(case.fleet, case.template)[case.source]:
            return ""
        return "its node selector or affinity does not allow that host"


class AntiAffinity(Ruled):
    """Pods that would not be allowed beside one another now."""

    reason = "RemovePodsViolatingInterPodAntiAffinity"

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._terms = [
            tally.rule.term for tally in fleet.owners("repels") if isinstance(tally.rule, Owning)
        ]
        self._known: dict[Template, bool] = {}

    def suspects(self, pod: Placed) -> bool:
        """See `Strategy`."""
        template = pod.template
        found = self._known.get(template)
        if found is None:
            found = self._known[template] = bool(template.repels) or any(
                term.matcher.matches(template.namespace, template.labels, self._fleet.namespaces)
                for term in self._terms
            )
        return found

    def against(self, case: Case) -> str:
        """See `Strategy`."""
        near = case.standing.neighbours
        if near.not_repelled()[case.source] and near.not_unwanted()[case.source]:
            return ""
        return "anti-affinity between it and a pod there"


class Spread:
    """Places that are too full, by the pods' own topology spread constraints."""

    reason = "RemovePodsViolatingTopologySpreadConstraint"

    def __init__(self, *, hard: bool, soft: bool) -> None:
        self._hard, self._soft = hard, soft

    def suspects(self, pod: Placed) -> bool:
        """See `Strategy`."""
        return any(self._hard if rule.hard else self._soft for rule in pod.template.spread)

    def against(self, case: Case) -> str:
        """See `Strategy`."""
        for rule in self._rules(case):
            if _is_crowded(case, rule):
                topology, host = rule.rule.topology, case.fleet.hosts[case.source]
                value = host.labels.get(topology, "") if host is not None else ""
                return f"the skew of {topology}={value} is more than {rule.rule.max_skew}"
        return ""

    def mends(self, case: Case) -> bool:
        """Whether every constraint that is violated would hold."""
        rules = self._rules(case)
        return all(rule.allowed()[case.target] for rule in rules if _is_crowded(case, rule))

    def worsens(self, case: Case) -> bool:
        """Whether a constraint would not hold any more."""
        return any(
            not rule.allowed()[case.target] and not _is_crowded(case, rule)
            for rule in self._rules(case)
        )

    def _rules(self, case: Case) -> list[Evenness]:
        standing = case.standing
        return [*(standing.hard if self._hard else ()), *(standing.soft if self._soft else ())]


def _is_crowded(case: Case, rule: Evenness) -> bool:
    there = case.fleet.label(rule.rule.topology).there()
    return bool(there[case.source] and not rule.allowed()[case.source])


class Duplicates:
    """Several pods of one workload on a host, where another has fewer."""

    reason = "RemoveDuplicates"

    def __init__(self, fleet: Fleet) -> None:
        self._counts = Counter(
            (pod.template.workload, pod.node) for pod in fleet.all_pods() if not pod.leaving
        )

    def suspects(self, pod: Placed) -> bool:
        """See `Strategy`."""
        return self._counts[pod.template.workload, pod.node] > 1

    def against(self, case: Case) -> str:
        """See `Strategy`."""
        there = _others(case, case.source)
        return f"{there + 1} pods of its workload are there" if there else ""

    def mends(self, case: Case) -> bool:
        """Whether fewer would be there than are here."""
        return _others(case, case.target) < _others(case, case.source)

    def worsens(self, case: Case) -> bool:
        """Whether more would be there than are here."""
        return _others(case, case.target) > _others(case, case.source)


def _others(case: Case, slot: int) -> int:
    return int(case.fleet.tally(OfWorkload(case.template.workload)).data[slot])


class Usage:
    """What pods request of hosts, in the measure of thresholds.

    Args:
        bounds: percent by resource.
    """

    def __init__(self, bounds: Mapping[str, int]) -> None:
        self._bounds = bounds

    def above(self, fleet: Fleet, slot: int, more: Template | None = None) -> list[str]:
        """Resources of which more than the bound is requested, with one more pod if told."""
        return [
            name
            for name, percent in self._bounds.items()
            if self._hundredfold(fleet, slot, name, more)
            > percent * int(fleet.resource(name).total.data[slot])
        ]

    def below(self, fleet: Fleet, slot: int, more: Template | None = None) -> bool:
        """Whether less than the bound is requested of every resource."""
        return all(
            self._hundredfold(fleet, slot, name, more)
            < percent * int(fleet.resource(name).total.data[slot])
            for name, percent in self._bounds.items()
        )

    @staticmethod
    def _hundredfold(fleet: Fleet, slot: int, name: str, more: Template | None) -> int:
        return 100 * (
            int(fleet.resource(name).used.data[slot]) + (_asks(more, name) if more else 0)
        )


def _asks(template: Template, name: str) -> int:
    return 1 if name == PODS else dict(template.requests).get(name, 0)


class LowUtilization:
    """From overused hosts to underused ones."""

    reason = "LowNodeUtilization"

    def __init__(self, fleet: Fleet, settings: RebalanceSettings) -> None:
        self._few, self._many = Usage(settings.low_below), Usage(settings.low_above)
        some = any(self._few.below(fleet, slot) for slot in fleet.slots.values())
        self._over = {
            name for name, slot in fleet.slots.items() if some and self._many.above(fleet, slot)
        }

    def suspects(self, pod: Placed) -> bool:
        """See `Strategy`."""
        return pod.node in self._over

    def against(self, case: Case) -> str:
        """See `Strategy`."""
        over = self._many.above(case.fleet, case.source, case.template)
        concerned = [name for name in over if _asks(case.template, name)]
        return f"much of {', '.join(concerned)} is requested there" if concerned else ""

    def mends(self, case: Case) -> bool:
        """Whether the target is underused, and will not be overused."""
        return self._few.below(case.fleet, case.target) and not self.worsens(case)

    def worsens(self, case: Case) -> bool:
        """Whether the target would be overused."""
        return bool(self._many.above(case.fleet, case.target, case.template))


class HighUtilization:
    """From underused hosts to those that are in use, so that some are empty."""

    reason = "HighNodeUtilization"

    def __init__(self, fleet: Fleet, settings: RebalanceSettings) -> None:
        self._few = Usage(settings.high_below)
        self._under = {name for name, slot in fleet.slots.items() if self._few.below(fleet, slot)}
        if len(self._under) == len(fleet.slots):
            self._under.clear()  # nobody is in use who could take them

    def suspects(self, pod: Placed) -> bool:
        """See `Strategy`."""
        return pod.node in self._under

    def against(self, case: Case) -> str:
        """See `Strategy`."""
        under = self._few.below(case.fleet, case.source, case.template)
        return "little is requested there" if under else ""

    def mends(self, case: Case) -> bool:
        """Whether the target is in use."""
        return not self._few.below(case.fleet, case.target)

    def worsens(self, case: Case) -> bool:
        """Nothing ranks behind it."""
        del case
        return False


def chosen(fleet: Fleet, settings: RebalanceSettings) -> list[Strategy]:
    """The strategies that are switched on, by rank: broken rules first, preferences last."""
    found: list[Strategy] = []
    if settings.taints:
        found.append(NodeTaints(fleet))
    if settings.node_affinity:
        found.append(NodeAffinity())
    if settings.anti_affinity:
        found.append(AntiAffinity(fleet))
    if settings.spread or settings.spread_soft:
        found.append(Spread(hard=settings.spread, soft=settings.spread_soft))
    if settings.duplicates:
        found.append(Duplicates(fleet))
    if settings.low_utilization:
        found.append(LowUtilization(fleet, settings))
    if settings.high_utilization:
        found.append(HighUtilization(fleet, settings))
    return found
