"""Rules about other pods, place by place: affinity, anti-affinity, spread. Pure.

A place (Kubernetes: topology domain) is all hosts with one value of a label.

Source: kube-scheduler's plugins InterPodAffinity and PodTopologySpread.
"""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

from orchestrator.scheduler.columns import NONE, Flags, LabelColumn, Numbers
from orchestrator.scheduler.filters import untainted, wanted_hosts
from orchestrator.scheduler.fleet import Fleet
from orchestrator.scheduler.tallies import Matching, Owning, Tally
from orchestrator.scheduler.templates import Template
from orchestrator.scheduler.terms import Spread

_HARD_AFFINITY_WEIGHT: Final = 1
_THOUSAND: Final = 1000


def by_place(column: LabelColumn, counts: Numbers) -> Numbers:
    """The sums over places, by `column.data - NONE`; the first, of no place, is 0."""
    sums = np.bincount(column.data - NONE, weights=counts, minlength=len(column.values) + 1)
    sums[0] = 0
    return sums.astype(np.int64)


def in_place(column: LabelColumn, counts: Numbers) -> Numbers:
    """For every host the sum over its place; 0 for hosts without the label."""
    return by_place(column, counts)[column.data - NONE]


class Neighbours:
    """Affinity and anti-affinity to pods, of one template. Made anew when terms come or go."""

    def __init__(self, fleet: Fleet, template: Template) -> None:
        self._fleet = fleet
        self._known = fleet.terms_known
        self._attracts = template.attracts
        self._together = (
            fleet.tally(Matching(tuple(term.matcher for term in template.attracts)))
            if template.attracts
            else None
        )
        self._alone = bool(template.attracts) and all(
            term.matcher.matches(template.namespace, template.labels, fleet.namespaces)
            for term in template.attracts
        )
        self._repels = [
            (term.topology, fleet.tally(Matching((term.matcher,)))) for term in template.repels
        ]
        self._repelled = self._owners(template, "repels")
        self._wishes = [
            (term.topology, fleet.tally(Matching((term.matcher,))), term.weight)
            for term in template.wishes
        ]
        self._wished = [
            *((key, tally, weight) for key, tally, weight in self._owners(template, "wishes")),
            *((key, tally, 1) for key, tally, _ in self._owners(template, "attracts")),
        ]
        self.rules = bool(self._attracts or self._repels or self._repelled)
        self.scores = bool(self._wishes or self._wished)

    @property
    def stale(self) -> bool:
        """Whether it has to be made anew."""
        return self._known != self._fleet.terms_known

    def _owners(self, template: Template, role: str) -> list[tuple[str, Tally, int]]:
        """Rules of others about such pods: topology, who has them, weight."""
        found: list[tuple[str, Tally, int]] = []
        for tally in self._fleet.owners(role):
            rule = tally.rule
            if isinstance(rule, Owning) and rule.term.matcher.matches(
                template.namespace, template.labels, self._fleet.namespaces
            ):
                found.append((rule.term.topology, tally, rule.term.weight))
        return found

    def attracted(self) -> Flags:
        """Hosts whose places have what required affinity asks for.

        The first pod of a group that wants to be together is let in anywhere: where nothing
        matches yet, and it matches its own terms.
        """
        found: Flags = np.ones(self._fleet.size, dtype=np.bool_)
        if self._together is None:
            return found
        keyed = found.copy()
        total = 0
        for term in self._attracts:
            column = self._fleet.label(term.topology)
            sums = in_place(column, self._together.data)
            total += int(sums.any())
            found &= sums > 0
            keyed &= column.there()
        return keyed if total == 0 and self._alone else found

    def not_repelled(self) -> Flags:
        """Hosts in whose places nobody is whom the pod's required anti-affinity excludes."""
        return self._nobody((key, tally) for key, tally in self._repels)

    def not_unwanted(self) -> Flags:
        """Hosts in whose places nobody is whose required anti-affinity excludes the pod."""
        return self._nobody((key, tally) for key, tally, _ in self._repelled)

    def _nobody(self, rules: Iterable[tuple[str, Tally]]) -> Flags:
        found: Flags = np.ones(self._fleet.size, dtype=np.bool_)
        for key, tally in rules:
            found &= in_place(self._fleet.label(key), tally.data) == 0
        return found

    def wishes(self) -> Numbers:
        """Weights of the preferred terms that hold, by host."""
        found: Numbers = np.zeros(self._fleet.size, dtype=np.int64)
        for key, tally, weight in self._wishes:
            found += weight * in_place(self._fleet.label(key), tally.data)
        for key, tally, weight in self._wished:
            found += weight * _HARD_AFFINITY_WEIGHT * in_place(self._fleet.label(key), tally.data)
        return found


class Evenness:
    """One topology spread constraint of one template. Made anew when hosts change.

    Args:
        fleet: the hosts.
        template: of the pod.
        rule: one of its constraints.
        keys: labels that a host needs to be counted: those of all its hard, or all its soft ones.
    """

    def __init__(self, fleet: Fleet, template: Template, rule: Spread, keys: set[str]) -> None:
        self.rule = rule
        self._column = fleet.label(rule.topology)
        counted = fleet.live.data == 1
        for key in keys:
            counted &= fleet.label(key).there()
        if rule.honors_affinity:
            counted &= wanted_hosts(fleet, template)
        if rule.honors_taints:
            counted &= untainted(fleet, template)
        self._slots = np.flatnonzero(counted)
        self._codes = self._column.data[self._slots]
        self._places = np.unique(self._codes)
        self._tally = fleet.tally(Matching((rule.matcher,)))
        self._own = int(rule.matcher.matches(template.namespace, template.labels, fleet.namespaces))

    def _sums(self) -> Numbers:
        """Pods by place; one more place, the last, is for hosts without the label."""
        return np.bincount(
            self._codes,
            weights=self._tally.data[self._slots],
            minlength=len(self._column.values) + 1,
        ).astype(np.int64)

    def allowed(self) -> Flags:
        """Hosts on which one more keeps the skew within its bound."""
        sums = self._sums()
        enough = len(self._places) >= self.rule.min_domains and len(self._places)
        lowest = int(sums[self._places].min()) if enough else 0
        fine = sums + self._own - lowest <= self.rule.max_skew
        fine[NONE] = False
        return fine[self._column.data]

    def cost(self, feasible: Flags) -> Numbers:
        """Thousandths of how crowded each host's place is, in the weight of the number of places.

        Source: PodTopologySpread's scoring.
        """
        there = np.unique(self._column.data[feasible & self._column.there()])
        weight = round(math.log(len(there) + 2) * _THOUSAND)
        sums = self._sums()
        sums[NONE] = 0
        return sums[self._column.data] * weight + (self.rule.max_skew - 1) * _THOUSAND
