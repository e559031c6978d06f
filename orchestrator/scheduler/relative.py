"""Scores of a host that depend on the others: zones, preferences, neighbours, spread. Pure.

They are normalised over the feasible hosts, or count pods by places, so they are worked out for
every pod; what can be is kept. All are weighted and stand above `ORDER_BITS`, as in `Standing`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from orchestrator.scheduler import scores
from orchestrator.scheduler.columns import Flags, Numbers
from orchestrator.scheduler.domains import Evenness, Neighbours
from orchestrator.scheduler.fleet import ORDER_BITS, Fleet
from orchestrator.scheduler.tallies import Tally


class Scorer(Protocol):
    """One of these scores."""

    def score(self, keys: Numbers) -> Numbers | None:
        """Right for feasible hosts only: those whose key is not below 0. None for no difference.

        Between 0 and the weight for all hosts, so that no sum of scores makes one feasible.
        """
        ...


class ByZone:
    """More where fewer pods of the workload are in the host's zone."""

    def __init__(self, fleet: Fleet, workload: Tally, label: str, weight: int) -> None:
        self._fleet = fleet
        self._workload = workload
        self._label = label
        self._fewer = scores.fewer_table(weight << ORDER_BITS)

    def score(self, keys: Numbers) -> Numbers:
        """See `Scorer`."""
        del keys
        zones = self._fleet.places(self._workload, self._label)
        good = self._fewer.take(zones.sums, mode="clip")
        return good.take(zones.codes, mode="clip")


class Graded:
    """What a host is worth by itself, in the measure of the best feasible one.

    Args:
        raw: that, by host; not negative.
        weight: of the score.
        normal: makes the score, given the highest of the feasible hosts.
    """

    def __init__(
        self, raw: Numbers, weight: int, normal: Callable[[Numbers, int], Numbers]
    ) -> None:
        self._raw = raw
        self._weight = weight << ORDER_BITS
        self._normal = normal
        grades = np.unique(raw[raw > 0])[::-1]
        self._grades = [(int(grade), np.flatnonzero(raw == grade)) for grade in grades]
        self._highest = -1
        self._score = raw

    def score(self, keys: Numbers) -> Numbers:
        """See `Scorer`; the same array as long as the highest is the same."""
        found = (grade for grade, slots in self._grades if int(keys[slots].max()) >= 0)
        highest = next(found, 0)
        if highest != self._highest:
            self._score = self._weight * self._normal(self._raw, highest)
            self._highest = highest
        return self._score


class Wished:
    """More where more terms of preferred affinity hold, the pod's own and others'."""

    def __init__(self, neighbours: Neighbours, weight: int) -> None:
        self._neighbours = neighbours
        self._weight = weight << ORDER_BITS

    def score(self, keys: Numbers) -> Numbers | None:
        """See `Scorer`."""
        feasible = keys >= 0
        if not feasible.any():
            return None
        return self._weight * scores.stretched(self._neighbours.wishes(), feasible)


class Even:
    """More where topology spread constraints find it less crowded.

    Args:
        rules: those that are a matter of scores.
        there: hosts that have all their labels; others get nothing.
        weight: of the score.
    """

    def __init__(self, rules: Sequence[Evenness], there: Flags, weight: int) -> None:
        self._rules = rules
        self._there = there
        self._all = bool(there.all())
        self._weight = weight << ORDER_BITS

    def score(self, keys: Numbers) -> Numbers | None:
        """See `Scorer`."""
        counted = keys >= 0
        if not self._all:
            counted &= self._there
        if not counted.any():
            return None
        first, *others = self._rules
        cost = first.cost(counted)
        for rule in others:
            cost += rule.cost(counted)
        found = self._weight * scores.emptiest_is_full(cost, counted)
        return found if self._all else np.where(self._there, found, 0)
