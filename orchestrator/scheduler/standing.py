"""How all hosts stand for one template: who is feasible, and who is best. Pure.

What only a host's own row decides is kept as one number per host (score, then fewer pods, then
name) and brought up to date row by row, so that the next pod of a template costs little more than
finding the highest. What depends on other hosts (spread, neighbours, normalised scores) is added
for every pod, on whole arrays.
"""

from typing import Final

import numpy as np

from orchestrator.api.names import NODE_ZONE_LABEL
from orchestrator.scheduler import filters, scores
from orchestrator.scheduler.columns import NONE, Flags, Numbers
from orchestrator.scheduler.domains import Evenness, Neighbours
from orchestrator.scheduler.fleet import (
    CPU_LOAD,
    CPU_MOST,
    FREE,
    FULL,
    MEMORY_LOAD,
    MEMORY_MOST,
    ORDER,
    ORDER_BITS,
    Fleet,
)
from orchestrator.scheduler.relative import ByZone, Even, Graded, Scorer, Wished
from orchestrator.scheduler.settings import Profile
from orchestrator.scheduler.tallies import OfWorkload
from orchestrator.scheduler.templates import Template

_NEVER: Final = -1
_NOWHERE: Final = -(1 << 62)  # stays below 0 whatever score is added
_ALL: Final = None


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
        weight = profile.weight_fit << ORDER_BITS
        match profile.fit:
            case "ratio":
                self._table = scores.shape_table(profile.shape)
                self._straight = None
            case "least" | "most":
                self._table = scores.LEAST if profile.fit == "least" else scores.MOST
                self._straight = scores.straight_table(profile.fit, weight)
        self._balance = scores.balance_table(profile.weight_balance << ORDER_BITS)
        self._fewer = scores.fewer_table(profile.weight_workload << ORDER_BITS)
        self._usual = np.array([[FULL * amount] for amount in template.usual], dtype=np.int64)
        self._static = _NEVER
        self._seen = 0
        self.hard: list[Evenness] = []
        self.soft: list[Evenness] = []
        self.neighbours = Neighbours(fleet, template)
        self.allowed: Flags = np.zeros(0, dtype=np.bool_)
        self.ranked: Numbers = np.zeros(0, dtype=np.int64)
        self._scorers: dict[str, Scorer | None] = {}
        self._weighed: list[tuple[str, Numbers]] = []
        self._keys: Numbers = np.zeros(0, dtype=np.int64)

    # ------------------------------------------------------------ keeping up

    def refresh(self) -> None:
        """Brings everything up to date with the fleet."""
        fleet = self.fleet
        changed = fleet.changes.since(self._seen) if self._static == fleet.static else None
        if changed is None:
            self._rebuild()
        else:
            if len(changed):
                self._work_out(changed if len(changed) < fleet.size else _ALL)
            if self.neighbours.stale:
                self._meet_neighbours()
        self._seen = fleet.changes.now

    def _rebuild(self) -> None:
        fleet, template = self.fleet, self.template
        fleet.know(template)
        fleet.order()
        self._static = fleet.static
        self._asks = fleet.asks(template)
        self.allowed = (
            (fleet.live.data == 1)
            & filters.open_hosts(fleet, template)
            & filters.untainted(fleet, template)
            & filters.ready_hosts(fleet)
            & filters.wanted_hosts(fleet, template)
        )
        self._images = scores.images(fleet, template) * self.profile.weight_images
        self._always = np.where(self.allowed, self._images << ORDER_BITS, _NOWHERE)
        self._workload = fleet.tally(OfWorkload(template.workload)) if template.workload else None
        hard = [rule for rule in template.spread if rule.hard]
        soft = [rule for rule in template.spread if not rule.hard]
        hard_keys, soft_keys = ({rule.topology for rule in rules} for rules in (hard, soft))
        self.hard = [Evenness(fleet, template, rule, hard_keys) for rule in hard]
        self.soft = [Evenness(fleet, template, rule, soft_keys) for rule in soft]
        self._scorers = {
            "zones": self._by_zone(),
            "affinity": self._liked(),
            "taints": self._disliked(),
            "neighbours": None,
            "spread": self._even(),
        }
        self._meet_neighbours()
        self._keys = np.full(fleet.size, _NOWHERE, dtype=np.int64)
        self._work_out(_ALL)

    def _work_out(self, slots: Numbers | None) -> None:
        """What hosts decide by themselves; for a few hosts every step counts more than its size."""
        state = self.fleet.state.data[: FREE + len(self._asks)]
        every = slice(None) if slots is None else slots
        if slots is not None:
            state = state.take(slots, axis=1)
        cpu, memory = shares = scores.shares(state, self._usual)
        keys = self._balance[cpu - memory]
        if self._straight is not None:
            keys += self._straight[cpu + memory]
        else:
            cpu, memory = self._table.take(shares)
            keys += ((cpu + memory) >> 1) * (self.profile.weight_fit << ORDER_BITS)
        if self._workload is not None:
            keys += self._fewer.take(self._workload.data[every], mode="clip")
        keys += state[ORDER]
        keys += self._always[every]
        fits = state[FREE:] >= self._asks
        if np.count_nonzero(fits) < fits.size:
            keys = np.where(np.logical_and.reduce(fits), keys, _NOWHERE)
        self._keys[every] = keys

    def _meet_neighbours(self) -> None:
        self.neighbours = Neighbours(self.fleet, self.template)
        wished = Wished(self.neighbours, self.profile.weight_neighbours)
        self._scorers["neighbours"] = wished if self.neighbours.scores else None

    def _by_zone(self) -> Scorer | None:
        zones = np.bincount(self.fleet.label(NODE_ZONE_LABEL).data)
        if self._workload is None or np.count_nonzero(zones[NONE + 1 :]) < 2:
            return None
        return ByZone(self.fleet, self._workload, NODE_ZONE_LABEL, self.profile.weight_zones)

    def _liked(self) -> Scorer | None:
        if not self.template.preferred:
            return None
        liked = scores.liked(self.fleet, self.template)
        return Graded(liked, self.profile.weight_affinity, scores.most_is_full)

    def _disliked(self) -> Scorer | None:
        disliked = scores.disliked(self.fleet, self.template)
        if not disliked.any():
            return None
        return Graded(disliked, self.profile.weight_taints, scores.least_is_full)

    def _even(self) -> Scorer | None:
        if not self.soft:
            return None
        there = np.ones(self.fleet.size, dtype=np.bool_)
        for rule in self.soft:
            there &= self.fleet.label(rule.rule.topology).there()
        return Even(self.soft, there, self.profile.weight_spread)

    # ------------------------------------------------------------ answers

    def roomy(self) -> Flags:
        """Hosts on which the pod fits, other pods' places aside; after `refresh`."""
        found: Flags = self._keys >= 0
        if self.template.ports:
            found[filters.portless(self.fleet, self.template)] = False
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

    def parts(self, slot: int) -> dict[str, int]:
        """What one host's score in `ranked` consists of, by the name of the weight.

        Made with every pod that is placed: plain numbers are quicker than arrays of one.
        """
        fleet, profile = self.fleet, self.profile
        state = fleet.state.data
        usual_cpu, usual_memory = self.template.usual
        cpu = (state.item(CPU_LOAD, slot) + FULL * usual_cpu) // state.item(CPU_MOST, slot)
        memory = state.item(MEMORY_LOAD, slot) + FULL * usual_memory
        memory //= state.item(MEMORY_MOST, slot)
        cpu, memory = min(cpu, FULL), min(memory, FULL)
        fit = (self._table.item(cpu) + self._table.item(memory)) // 2
        found = {
            "fit": profile.weight_fit * fit,
            "balance": profile.weight_balance * (FULL - abs(cpu - memory) // 2),
        }
        if self._workload is not None:
            fewer = FULL // (self._workload.data.item(slot) + 1)
            found["workload"] = profile.weight_workload * fewer
        found["images"] = self._images.item(slot)
        for name, score in self._weighed:
            found[name] = score.item(slot) >> ORDER_BITS
        return found

    def rank(self) -> Numbers:
        """Puts the hosts in order: `ranked`, which it returns. After `refresh`."""
        keys = self._keys
        if self.hard or self.neighbours.rules or self.template.ports:
            keys = np.where(self.feasible(), keys, _NOWHERE)
        weighed: list[tuple[str, Numbers]] = []
        ranked = keys
        for name, scorer in self._scorers.items():
            score = scorer.score(keys) if scorer is not None else None
            if score is not None:
                weighed.append((name, score))
                ranked = ranked + score
        self._weighed = weighed
        self.ranked = ranked
        return ranked

    def pick(self, after: str = "") -> int | None:
        """The slot of the host to take; None when there is none. After `refresh`.

        Args:
            after: for round robin, the name of the host that was chosen last.
        """
        if self.profile.strategy == "round-robin":
            return _next(self.fleet, self.feasible(), after)
        ranked = self.rank()
        slot = int(ranked.argmax())
        return slot if ranked[slot] >= 0 else None


def _next(fleet: Fleet, feasible: Flags, after: str) -> int | None:
    """The feasible host whose name comes next after another's, in a circle."""
    slots = np.flatnonzero(feasible)
    names = {int(slot): host.name for slot in slots if (host := fleet.hosts[slot]) is not None}
    return min(names, key=lambda slot: (names[slot] <= after, names[slot]), default=None)
