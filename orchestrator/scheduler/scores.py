"""How good a host is for a pod, as arrays of whole numbers from 0 to `FULL`. Pure.

Source: kube-scheduler's score plugins NodeResourcesFit (LeastAllocated, MostAllocated,
RequestedToCapacityRatio), NodeResourcesBalancedAllocation, NodeAffinity, TaintToleration,
ImageLocality, and their normalising.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

import numpy as np

from orchestrator.reconcile.tolerations import tolerated
from orchestrator.scheduler.columns import Flags, Numbers
from orchestrator.scheduler.filters import whole_term
from orchestrator.scheduler.fleet import CPU_LOAD, CPU_MOST, FREE, FULL, Fleet
from orchestrator.scheduler.templates import Template

_SMALL_IMAGE: Final = 23 * 1024 * 1024
_BIG_IMAGE: Final = 1000 * 1024 * 1024


def shares(state: Numbers, usual: Numbers) -> Numbers:
    """Used parts of cpu and memory (two rows) with the pod on the host, 0 to `FULL`.

    Args:
        state: of hosts, as in `Fleet.state`.
        usual: the template's, as a column of an array, `FULL` times.
    """
    found = state[CPU_LOAD:CPU_MOST] + usual
    found //= state[CPU_MOST:FREE]
    np.minimum(found, FULL, out=found)
    return found


def shape_table(shape: Sequence[tuple[int, int]]) -> Numbers:
    """Score by used part: straight lines between points of (percent used, score 0 to 10).

    Source: RequestedToCapacityRatio's `shape`.
    """
    used = [percent * FULL // 100 for percent, _ in shape]
    good = [score * FULL // 10 for _, score in shape]
    return np.floor(np.interp(np.arange(FULL + 1), used, good)).astype(np.int64)


LEAST: Final = FULL - np.arange(FULL + 1)
MOST: Final = np.arange(FULL + 1)


@lru_cache(64)
def straight_table(fit: Literal["least", "most"], weight: int) -> Numbers:
    """By the used parts of cpu and memory together, where the way in between does not matter."""
    together = np.arange(2 * FULL + 1)
    return (2 * FULL - together if fit == "least" else together) // 2 * weight


@lru_cache(64)
def balance_table(weight: int) -> Numbers:
    """By the used part of cpu less that of memory, also below 0: more where they fill evenly."""
    apart = np.arange(2 * FULL + 1)
    return (FULL - np.minimum(apart, 2 * FULL + 1 - apart) // 2) * weight


@lru_cache(64)
def fewer_table(weight: int) -> Numbers:
    """By count: all of the weight where there is none, half where there is one, ...

    To be read with mode "clip": the last is 0.
    """
    return FULL // np.arange(1, FULL + 2) * weight


def liked(fleet: Fleet, template: Template) -> Numbers:
    """Weights of the terms of preferred node affinity that a host meets; not normalised."""
    found: Numbers = np.zeros(fleet.size, dtype=np.int64)
    for weight, term in template.preferred:
        found += weight * whole_term(fleet, term)
    return found


def disliked(fleet: Fleet, template: Template) -> Numbers:
    """Number of PreferNoSchedule taints that the pod does not bear; not normalised."""
    counts = [
        sum(
            taint.effect == "PreferNoSchedule" and not tolerated(template.tolerations, taint)
            for taint in taints
        )
        for taints in fleet.taint_sets
    ]
    found: Numbers = np.array(counts, dtype=np.int64).take(fleet.taints.data)
    return found


def images(fleet: Fleet, template: Template) -> Numbers:
    """More where more of the pod's images are, and where those are widespread and big."""
    hosts = max(1, len(fleet.slots))
    total: Numbers = np.zeros(fleet.size, dtype=np.int64)
    for name in template.images:
        sizes = fleet.image(name).data
        total += sizes * int(np.count_nonzero(sizes)) // hosts
    most = _BIG_IMAGE * max(1, len(template.images))
    inside = np.clip(total, _SMALL_IMAGE, most)
    return FULL * (inside - _SMALL_IMAGE) // (most - _SMALL_IMAGE)


def most_is_full(raw: Numbers, highest: int) -> Numbers:
    """Normalised so that the highest of the feasible hosts gets `FULL`."""
    return _bounded(FULL * raw // highest) if highest > 0 else np.zeros_like(raw)


def least_is_full(raw: Numbers, highest: int) -> Numbers:
    """Normalised the other way round: 0 gets `FULL`, the highest 0."""
    return _bounded(FULL - FULL * raw // highest) if highest > 0 else np.full_like(raw, FULL)


def stretched(raw: Numbers, feasible: Flags) -> Numbers:
    """Normalised from the lowest, 0, to the highest, `FULL`; all 0 when they are equal."""
    some = raw[feasible]
    low, high = int(some.min()), int(some.max())
    return _bounded(FULL * (raw - low) // (high - low)) if high > low else np.zeros_like(raw)


def emptiest_is_full(cost: Numbers, feasible: Flags) -> Numbers:
    """Of costs of crowds: the lowest of the feasible gets `FULL`.

    Source: PodTopologySpread's NormalizeScore.
    """
    some = cost[feasible]
    low, high = int(some.min()), int(some.max())
    return _bounded(FULL * (high + low - cost) // high) if high > 0 else np.full_like(cost, FULL)


def _bounded(found: Numbers) -> Numbers:
    """Also hosts that are not feasible, and were not asked how to normalise, get 0 to `FULL`."""
    return found.clip(0, FULL, out=found)
