"""How all hosts stand for one template: who is feasible, and who is best. Pure.

What only a host's own row decides is kept as one number per host (score, then fewer pods, then
name) and brought up to date row by row, so that the next pod of a template costs little more than
finding the highest. What depends on other hosts (spread, neighbours, normalised scores) is
worked out anew for every pod, on whole arrays.
"""

from typing import Final

import numpy as np

from orchestrator.api.names import NODE_ZONE_LABEL
from orchestrator.scheduler import filters, scores
from orchestrator.scheduler.columns import NONE, Flags, Numbers
from orchestrator.scheduler.domains import Evenness, Neighbours, by_place
from orchestrator.scheduler.filters import ALL, Rows
from orchestrator.scheduler.fleet import COUNT_BITS, RANK_BITS, Fleet, order
from orchestrator.scheduler.requests import CPU, MEMORY
from orchestrator.scheduler.settings import Profile
from orchestrator.scheduler.tallies import OfWorkload
from orchestrator.scheduler.templates import Template

ORDER_BITS: Final = RANK_BITS + COUNT_BITS
"""Of a place in the order of hosts, below the score."""
_NEVER: Final = -1
_NOWHERE: Final = -(1 << 62)  # stays below 0 whatever score is added


class Standing:
    """See the module.

    Args:
        fleet: the hosts.
        template: of the pods in question.
        profile: how to choose.

    Attributes:
        allowed: hosts that the pod may be on as far as they and their labels decide.
        hard: topology spread constraints that must hold.
        soft: those that are a matter of scores.
        neighbours: rules about other pods.
        ranked: hosts as they were compared last: the higher, the better; below 0 for those that
            are not feasible. Not kept up to date.
    """

    def __init__(self, fleet: Fleet, template: Template, profile: Profile) -> None:
        self.fleet = fleet
        self.template = template
        self.profile = profile
        self._table = {
            "least": scores.LEAST,
            "most": scores.MOST,
            "ratio": scores.shape_table(profile.shape),
        }[profile.fit]
        self._static = _NEVER
        self._seen = 0
        self.hard: list[Evenness] = []
        self.soft: list[Evenness] = []
        self.neighbours = Neighbours(fleet, template)
        self.allowed: Flags = np.zeros(0, dtype=np.bool_)
        self.ranked: Numbers = np.zeros(0, dtype=np.int64)
        self._weighed: list[tuple[str, Numbers]] = []
        self._keys: Numbers = np.zeros(0, dtype=np.int64)
        self._local: Numbers = np.zeros(0, dtype=np.int64)

    # ------------------------------------------------------------ keeping up

    def refresh(self) -> None:
        """Brings everything up to date with the fleet."""
        fleet = self.fleet
        if self._static != fleet.static or self._seen < fleet.base:
            self._rebuild()
        else:
            changed = fleet.changes[self._seen - fleet.base :]
            if changed:
                few = len(changed) < fleet.size
                self._work_out(np.array(changed, dtype=np.int64) if few else ALL)
            if self.neighbours.stale:
                self.neighbours = Neighbours(fleet, self.template)
        self._seen = fleet.base + len(fleet.changes)

    def _rebuild(self) -> None:
        fleet, template = self.fleet, self.template
        fleet.know(template)
        self._static = fleet.static
        self._order = order(fleet)
        self.allowed = (
            (fleet.live.data == 1)
            & filters.open_hosts(fleet, template)
            & filters.untainted(fleet, template)
            & filters.ready_hosts(fleet)
            & filters.wanted_hosts(fleet, template)
        )
        self._images = scores.images(fleet, template) * self.profile.weight_images
        self._liked = scores.liked(fleet, template) if template.preferred else None
        disliked = scores.disliked(fleet, template)
        self._disliked = disliked if disliked.any() else None
        self._workload = fleet.tally(OfWorkload(template.workload)) if template.workload else None
        zones = fleet.label(NODE_ZONE_LABEL)
        several = len(np.unique(zones.data[zones.there()])) > 1
        self._zones = zones if several and self._workload is not None else None
        hard = [rule for rule in template.spread if rule.hard]
        soft = [rule for rule in template.spread if not rule.hard]
        self.hard = [
            Evenness(fleet, template, rule, {one.topology for one in hard}) for rule in hard
        ]
        soft_keys = {rule.topology for rule in soft}
        self.soft = [Evenness(fleet, template, rule, soft_keys) for rule in soft]
        self._soft_there = np.ones(fleet.size, dtype=np.bool_)
        for key in soft_keys:
            self._soft_there &= fleet.label(key).there()
        self.neighbours = Neighbours(fleet, template)
        self._keys = np.full(fleet.size, _NOWHERE, dtype=np.int64)
        self._local = np.zeros(fleet.size, dtype=np.int64)
        self._work_out(ALL)

    def _work_out(self, rows: Rows) -> None:
        fleet, template, profile = self.fleet, self.template, self.profile
        fits = self.allowed[rows] & filters.roomy(fleet, template, rows)
        cpu, memory = scores.shares(fleet, template, rows)
        local = self._images[rows] + profile.weight_fit * scores.fit(cpu, memory, self._table)
        local += profile.weight_balance * scores.balance(cpu, memory)
        if self._workload is not None:
            local += profile.weight_workload * scores.fewer(self._workload.data[rows])
        pods = fleet.pods.data[rows]
        self._local[rows] = local
        keys = (local << ORDER_BITS) + self._order[rows] - (pods << RANK_BITS)
        self._keys[rows] = np.where(fits, keys, _NOWHERE)

    # ------------------------------------------------------------ answers

    @property
    def simple(self) -> bool:
        """Whether rows and zones decide alone."""
        return not (
            self.hard
            or self.soft
            or self.neighbours.rules
            or self.neighbours.scores
            or self._liked is not None
            or self._disliked is not None
        )

    def roomy(self) -> Flags:
        """Hosts on which the pod fits, other pods' places aside; after `refresh`."""
        found: Flags = self._keys >= 0
        taken = filters.portless(self.fleet, self.template)
        if taken:
            found[taken] = False
        return found

    def feasible(self) -> Flags:
        """Hosts on which the pod may be; after `refresh`."""
        found = self.roomy()
        for rule in self.hard:
            found &= rule.allowed()
        if self.neighbours.rules:
            found &= self.neighbours.attracted()
            found &= self.neighbours.not_repelled()
            found &= self.neighbours.not_unwanted()
        return found

    def totals(self, feasible: Flags) -> Numbers:
        """The weighted sum of all scores, right for feasible hosts only."""
        self._weighed = self.relative(feasible)
        total = self._local.copy()
        for _, score in self._weighed:
            total += score
        return total

    def parts(self, slot: int) -> dict[str, int]:
        """What one host's score in `ranked` consists of, by the name of the weight.

        Made with every pod that is placed: plain numbers are quicker than arrays of one.
        """
        fleet, profile, usual = self.fleet, self.profile, self.template.usual
        cpu = scores.share_at(fleet.cpu, fleet.resource(CPU).total, usual[0], slot)
        memory = scores.share_at(fleet.memory, fleet.resource(MEMORY).total, usual[1], slot)
        fit = (int(self._table[cpu]) + int(self._table[memory])) // 2
        found = {
            "fit": profile.weight_fit * fit,
            "balance": profile.weight_balance * (scores.FULL - abs(cpu - memory) // 2),
        }
        if self._workload is not None:
            fewer = scores.FULL // (int(self._workload.data[slot]) + 1)
            found["workload"] = profile.weight_workload * fewer
        found["images"] = int(self._images[slot])
        for name, score in self._weighed:
            found[name] = int(score[slot])
        return found

    def rank(self, feasible: Flags) -> Numbers:
        """Puts the hosts in order: `ranked`, which it returns."""
        keys = (self.totals(feasible) << ORDER_BITS) + self._order
        keys -= self.fleet.pods.data << RANK_BITS
        self.ranked = np.where(feasible, keys, _NOWHERE)
        return self.ranked

    def relative(self, feasible: Flags) -> list[tuple[str, Numbers]]:
        """Weighted scores that depend on which hosts are feasible, by the name of the weight."""
        profile = self.profile
        found: list[tuple[str, Numbers]] = []
        if self._zones is not None:
            found.append(("zones", self._by_zone()))
        if self._liked is not None:
            normal = scores.most_is_full(self._liked, feasible)
            found.append(("affinity", profile.weight_affinity * normal))
        if self._disliked is not None:
            normal = scores.least_is_full(self._disliked, feasible)
            found.append(("taints", profile.weight_taints * normal))
        if self.neighbours.scores:
            normal = scores.stretched(self.neighbours.wishes(), feasible)
            found.append(("neighbours", profile.weight_neighbours * normal))
        if self.soft:
            counted = feasible & self._soft_there
            if counted.any():
                cost = sum((rule.cost(counted) for rule in self.soft), np.int64(0))
                normal = scores.emptiest_is_full(np.asarray(cost), counted)
                normal = np.where(self._soft_there, normal, 0)
                found.append(("spread", profile.weight_spread * normal))
        return found

    def _by_zone(self) -> Numbers:
        """The weighted score of few pods of the workload in a host's zone."""
        zones, workload = self._zones, self._workload
        if zones is None or workload is None:
            return np.zeros(self.fleet.size, dtype=np.int64)
        good = scores.fewer(by_place(zones, workload.data))
        return (self.profile.weight_zones * good)[zones.data - NONE]

    def pick(self, after: str = "") -> int | None:
        """The slot of the host to take; None when there is none. After `refresh`.

        Args:
            after: for round robin, the name of the host that was chosen last.
        """
        turns = self.profile.strategy == "round-robin"
        if self.simple and not self.template.ports and not turns:
            keys = self._keys
            self._weighed = []
            if self._zones is not None:
                zones = self._by_zone()
                self._weighed.append(("zones", zones))
                keys = keys + (zones << ORDER_BITS)
            self.ranked = keys
            slot = int(keys.argmax())
            return slot if keys[slot] >= 0 else None
        feasible = self.feasible()
        if not feasible.any():
            return None
        if turns:
            return _next(self.fleet, feasible, after)
        return int(self.rank(feasible).argmax())


def _next(fleet: Fleet, feasible: Flags, after: str) -> int:
    """The feasible host whose name comes next after another's, in a circle."""
    slots = np.flatnonzero(feasible)
    names = {int(slot): host.name for slot in slots if (host := fleet.hosts[slot]) is not None}
    return min(names, key=lambda slot: (names[slot] <= after, names[slot]))
