"""Why a pod is where it is, or waits: hosts compared by their scores, and put into words. Pure.

For a pod that has a host this is how hosts compare now, as if it were placed again and were not
there; it is not how they compared when it was placed, which its PodScheduled condition tells.
Points are Kubernetes': a score is 0 to 100 times its weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, Protocol

import numpy as np

from orchestrator.scheduler.columns import Flags
from orchestrator.scheduler.explain import grouped, hosts, reasons
from orchestrator.scheduler.fleet import ORDER_BITS
from orchestrator.scheduler.standing import Standing
from orchestrator.store.objects import StoredObject

MOST_SHOWN: Final = 10
"""Hosts that fit, of which scores are told."""

State = Literal["Bound", "Pending", "Gated", "Leaving", "Ended", "Foreign"]
"""Bound: it has a host. Pending: it waits for one. Gated: it waits for its gates to be taken away.
Leaving: it is being deleted. Ended: its containers have. Foreign: another scheduler's."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host that fits.

    Attributes:
        node: its name.
        points: all scores together, in hundredths.
        scores: weighted, in hundredths, by the name of their weight; none where hosts take turns.
    """

    node: str
    points: int
    scores: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Excluded:
    """Hosts that do not fit, for one reason.

    Attributes:
        reason: "insufficient cpu".
        detail: with numbers: "needs 2, free 500m-1200m"; "" when there is nothing to add.
        plugin: whose reason it is.
        nodes: their names, sorted.
    """

    reason: str
    detail: str
    plugin: str
    nodes: tuple[str, ...]

    @property
    def words(self) -> str:
        """The reason with its numbers."""
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


@dataclass(frozen=True, slots=True)
class Comparison:
    """All hosts for one pod.

    Attributes:
        hosts: how many there are.
        feasible: on how many it fits.
        candidates: the best of these, best first; the pod's own host always among them.
        excluded: the others, by reason; one that lacks several resources is in each of those.
        rest: the reasons in one sentence, "" without any.
        turns: whether hosts take turns, so that scores do not matter.
    """

    hosts: int
    feasible: int
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    rest: str
    turns: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one pod's place.

    Attributes:
        state: see `State`.
        summary: in one sentence.
        node: its host; "" without one.
        nominated: the host where room is being made for it.
        waits_for: what it waits for besides hosts that fit.
        profile: by which hosts are chosen; "" where none of ours is asked.
        comparison: None for pods of which no place is asked.
    """

    state: State
    summary: str
    node: str = ""
    nominated: str = ""
    waits_for: tuple[str, ...] = ()
    profile: str = ""
    comparison: Comparison | None = None


class Explainer(Protocol):
    """Who knows how pods are placed."""

    def explain(self, item: StoredObject) -> Explanation:
        """Why a pod is where it is, or waits; changes nothing."""
        ...


def compare(standing: Standing, current: str = "", most: int = MOST_SHOWN) -> Comparison:
    """How the hosts stand for a pod, after `Standing.refresh`.

    Args:
        standing: of its template, on a fleet without the pod.
        current: its host.
        most: hosts to tell scores of.
    """
    fleet, turns = standing.fleet, standing.profile.strategy == "round-robin"
    feasible = standing.feasible()
    slots = _best(standing, feasible, turns=turns) if feasible.any() else []
    shown = slots[:most]
    own = fleet.slots.get(current)
    if own in slots[most:]:
        shown[-1] = own
    against = reasons(standing)
    return Comparison(
        hosts=len(fleet.slots),
        feasible=len(slots),
        candidates=tuple(_candidates(standing, shown, turns=turns)),
        excluded=tuple(
            Excluded(
                one.plain, one.detail, one.plugin, tuple(sorted(map(fleet.name_of, one.slots)))
            )
            for one in sorted(against, key=lambda one: (-len(one.slots), one.plain))
        ),
        rest=grouped(against),
        turns=turns,
    )


def _best(standing: Standing, feasible: Flags, *, turns: bool) -> list[int]:
    slots = [int(slot) for slot in np.flatnonzero(feasible)]
    if turns:
        return sorted(slots, key=standing.fleet.name_of)
    ranked = standing.rank()
    return sorted(slots, key=lambda slot: -int(ranked[slot]))


def _candidates(standing: Standing, slots: list[int], *, turns: bool) -> list[Candidate]:
    names = [standing.fleet.name_of(slot) for slot in slots]
    if turns or not slots:
        return [Candidate(name, 0, {}) for name in names]
    scores = [standing.parts(slot) for slot in slots]
    return [Candidate(n, sum(s.values()), s) for n, s in zip(names, scores, strict=True)]


@lru_cache(65_536)
def _part(name: str, hundredths: int) -> str:
    return f"{name} {points(hundredths)}"


@lru_cache(65_536)
def points(hundredths: int) -> str:
    """A score as people read it: "98.5"."""
    whole, rest = divmod((hundredths + 5) // 10, 10)
    return f"{whole}.{rest}" if rest else str(whole)


def chosen(standing: Standing, slot: int) -> str:
    """Why a host was taken, for the pod's PodScheduled condition; right after `Standing.pick`.

    "best of 3 hosts that fit: 481.5 points (fit 96, balance 99.5, ...); next is b with 470"
    """
    if standing.profile.strategy == "round-robin":
        return f"its turn among {hosts(int(np.count_nonzero(standing.feasible())))} that fit"
    ranked = standing.ranked
    number = int(np.count_nonzero(ranked >= 0))
    scores = standing.parts(slot)
    parts = ", ".join([_part(name, score) for name, score in scores.items() if score])
    own = ranked.item(slot)
    words = f"{points(own >> ORDER_BITS)} points ({parts})"
    if number == 1:
        return f"the only host that fits: {words}"
    ranked[slot] = -1
    second = int(ranked.argmax())
    ranked[slot] = own
    name, after = standing.fleet.name_of(second), points(ranked.item(second) >> ORDER_BITS)
    return f"best of {hosts(number)} that fit: {words}; next is {name} with {after}"


# ---------------------------------------------------------------- in words


def ended(node: str) -> Explanation:
    """Of a pod whose containers have ended."""
    return Explanation("Ended", "has ended, and takes no room", node=node)


def foreign(scheduler: str) -> Explanation:
    """Of a pod that is none of ours."""
    words = f'waits for the scheduler "{scheduler}", which is no profile of this server'
    return Explanation("Foreign", words)


def gated(gates: Sequence[str], found: Comparison, profile: str) -> Explanation:
    """Of a pod that is not to be placed yet."""
    waits_for = f"scheduling gates to be removed: {', '.join(gates)}"
    words = f"waits for {waits_for}; then it {_where(found)}"
    return Explanation("Gated", words, waits_for=(waits_for,), profile=profile, comparison=found)


def bound(node: str, found: Comparison, profile: str, *, leaving: bool) -> Explanation:
    """Of a pod that has a host: how that compares now."""
    words = f"on {node}, and being deleted" if leaving else _stays(node, found)
    state: State = "Leaving" if leaving else "Bound"
    return Explanation(state, words, node=node, profile=profile, comparison=found)


def pending(
    found: Comparison, profile: str, waits_for: Sequence[str], nominated: str
) -> Explanation:
    """Of a pod without a host: what is against it, what it waits for, or where it goes next."""
    words = "; ".join([_where(found), *(f"waits for {what}" for what in waits_for)])
    return Explanation(
        "Pending",
        words,
        nominated=nominated,
        waits_for=tuple(waits_for),
        profile=profile,
        comparison=found,
    )


def group_words(group: str, there: int, waiting: int, wanted: int) -> list[str]:
    """What a pod's group still needs; [] when enough of it run already."""
    if there >= wanted:
        return []
    if there + waiting < wanted:
        missing = wanted - there - waiting
        words = f'{missing} more pod{"" if missing == 1 else "s"} of its group "{group}"'
        return [f"{words} ({there + waiting} of {wanted} are there)"]
    return [f'room for {wanted} pods of its group "{group}" at once ({there} have a host)']


def room_words(node: str, leaving: Sequence[str]) -> str:
    """What a pod waits for that pushes others aside."""
    return f"room on {node}" + (f", which {', '.join(sorted(leaving))} leave" if leaving else "")


def _stays(node: str, found: Comparison) -> str:
    own = next((one for one in found.candidates if one.node == node), None)
    if own is None:
        why = next((one.words for one in found.excluded if node in one.nodes), "it is gone")
        return f"on {node}, where it would not be placed again: {why}"
    if found.turns:
        return f"on {node}, one of {hosts(found.feasible)} that fit and take turns"
    best = found.candidates[0]
    if found.feasible == 1:
        return f"on {node}, the only host that fits"
    if best.node == node:
        return f"on {node}, the best of {hosts(found.feasible)} that fit"
    ahead = best.points - own.points
    why = f"by {points(ahead)} points" if ahead else "by fewer pods, or by name"
    return f"on {node}; placed again now, {best.node} would be ahead {why}"


def _where(found: Comparison) -> str:
    if not found.hosts:
        return "fits nowhere: there are no hosts"
    if not found.feasible:
        return f"fits on none of {hosts(found.hosts)}: {found.rest}"
    best = found.candidates[0].node
    if found.feasible == 1:
        return f"fits on {best} only"
    turn = ", which take turns" if found.turns else f", best on {best}"
    return f"fits on {hosts(found.feasible)}{turn}"
