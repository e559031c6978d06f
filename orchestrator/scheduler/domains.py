"""Rules about other pods, place by place: affinity, anti-affinity, spread. Pure.

A place (Kubernetes: topology domain) is all hosts with one value of a label.

Source: kube-scheduler's plugins InterPodAffinity and PodTopologySpread.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from orchestrator.scheduler.columns import NONE, Flags, Numbers
from orchestrator.scheduler.filters import untainted, wanted_hosts
from orchestrator.scheduler.fleet import Fleet
from orchestrator.scheduler.rules import Role
from orchestrator.scheduler.tallies import Matching, Owning, Tally
from orchestrator.scheduler.templates import Template
from orchestrator.scheduler.terms import Spread

_HARD_AFFINITY_WEIGHT: Final = 1
_THOUSAND: Final = 1000
ByLabel = Mapping[str, Sequence[tuple[Tally, int]]]
"""Tallies and what their pods weigh, by the label whose values are the places."""


class Neighbours:
    """Affinity and anti-affinity to pods, of one template. Made anew when terms come or go."""

    def __init__(self, fleet: Fleet, template: Template) -> None:
        self._fleet = fleet
        self._known = fleet.rules.terms_known
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
        self._repels = _by_label(
            (term.topology, fleet.tally(Matching((term.matcher,))), 1) for term in template.repels
        )
        self._repelled = _by_label(
            (key, tally, 1) for key, tally, _ in self._owners(template, "repels")
        )
        self._wishes = _by_label(
            [
                *(
                    (term.topology, fleet.tally(Matching((term.matcher,))), term.weight)
                    for term in template.wishes
                ),
                *self._owners(template, "wishes"),
                *(
                    (key, tally, _HARD_AFFINITY_WEIGHT)
                    for key, tally, _ in self._owners(template, "attracts")
                ),
            ]
        )
        self.rules = bool(self._attracts or self._repels or self._repelled)
        self.scores = bool(self._wishes)

    @property
    def stale(self) -> bool:
        """Whether it has to be made anew."""
        return self._known != self._fleet.rules.terms_known

    def _owners(self, template: Template, role: Role) -> list[tuple[str, Tally, int]]:
        """Rules of others about such pods: topology, who has them, weight."""
        return [
            (tally.rule.term.topology, tally, tally.rule.term.weight)
            for tally in self._fleet.rules.owners_about(role, template)
            if isinstance(tally.rule, Owning)
        ]

    def _sums(self, key: str, rules: Sequence[tuple[Tally, int]]) -> Numbers:
        """Weighted pods by the label's place."""
        (tally, weight), *others = rules
        found = weight * self._fleet.places(tally, key).sums
        for tally, weight in others:
            found += weight * self._fleet.places(tally, key).sums
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
            sums = self._fleet.places(self._together, term.topology).sums
            total += int(sums.any())
            found &= (sums > 0).take(column.data)
            keyed &= column.there()
        return keyed if total == 0 and self._alone else found

    def not_repelled(self) -> Flags:
        """Hosts in whose places nobody is whom the pod's required anti-affinity excludes."""
        return self._nobody(self._repels)

    def not_unwanted(self) -> Flags:
        """Hosts in whose places nobody is whose required anti-affinity excludes the pod."""
        return self._nobody(self._repelled)

    def _nobody(self, rules: ByLabel) -> Flags:
        found: Flags = np.ones(self._fleet.size, dtype=np.bool_)
        for key, about in rules.items():
            found &= (self._sums(key, about) == 0).take(self._fleet.label(key).data)
        return found

    def wishes(self) -> Numbers:
        """Weights of the preferred terms that hold, by host."""
        found: Numbers = np.zeros(self._fleet.size, dtype=np.int64)
        for key, about in self._wishes.items():
            found += self._sums(key, about).take(self._fleet.label(key).data)
        return found


def _by_label(rules: Iterable[tuple[str, Tally, int]]) -> ByLabel:
    found: dict[str, list[tuple[Tally, int]]] = {}
    for key, tally, weight in rules:
        found.setdefault(key, []).append((tally, weight))
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
        codes = np.where(counted, self._column.data, NONE)
        number = len(self._column.values)
        self._places = np.flatnonzero(np.bincount(codes, minlength=number + 1)[NONE + 1 :]) + 1
        tally = fleet.tally(Matching((rule.matcher,)))
        self._sums = tally.sums((template, rule), fleet.static, number, codes)
        self._own = int(rule.matcher.matches(template.namespace, template.labels, fleet.namespaces))

    def allowed(self) -> Flags:
        """Hosts on which one more keeps the skew within its bound."""
        sums = self._sums.sums
        enough = len(self._places) >= self.rule.min_domains and len(self._places)
        lowest = int(sums[self._places].min()) if enough else 0
        fine = sums <= self.rule.max_skew + lowest - self._own
        fine[NONE] = False
        return fine.take(self._column.data)

    def cost(self, feasible: Flags) -> Numbers:
        """Thousandths of how crowded each host's place is, in the weight of the number of places.

        Source: PodTopologySpread's scoring.
        """
        codes = self._column.data
        there = np.count_nonzero(np.bincount(codes, weights=feasible)[NONE + 1 :])
        weight = round(math.log(there + 2) * _THOUSAND)
        found = (weight * self._sums.sums).take(codes)
        found += (self.rule.max_skew - 1) * _THOUSAND
        return found
