"""From what the metrics ask for to what is done: stabilised, at the allowed pace, within bounds.

Pure. What was recommended and done before comes in and goes out as a `History`.
Source: Kubernetes concepts, "Horizontal Pod Autoscaling", "Configurable scaling behavior"; KEP-853.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.api.types.autoscaling import AutoscalerSpec, ScalingBehavior, ScalingRules

_LONGEST_S: Final = 3600.0
"""No window and no period is longer; what is older is forgotten."""
_FACTOR: Final = 2
_LEAST_LIMIT: Final = 4
_WITHIN: Final = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FAST_UP: Final = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
)
_TOO_FAST_DOWN: Final = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
)
_TOO_MANY: Final = (
    "TooManyReplicas",
    "the desired replica count is more than the maximum replica count",
)
_TOO_FEW: Final = (
    "TooFewReplicas",
    "the desired replica count is less than the minimum replica count",
)
_HIGHEST: Final = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent "
    "recommendation",
)
_LOWEST: Final = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_READY: Final = ("ReadyForNewScale", "recommended size matches current size")


@dataclass(frozen=True, slots=True)
class Dated:
    """A number and its wall seconds."""

    at_s: float
    number: int


@dataclass(frozen=True, slots=True)
class History:
    """What one autoscaler remembers; lost when the server restarts, as in Kubernetes.

    Attributes:
        recommendations: replicas that the metrics asked for, oldest first.
        changes: replicas added (positive) and taken away, oldest first.
        asked: the last change, when it is not known yet whether it was made: from, to.
        told: reasons and messages of the troubles that events have told about.
    """

    recommendations: tuple[Dated, ...] = ()
    changes: tuple[Dated, ...] = ()
    asked: tuple[float, int, int] | None = None
    told: frozenset[tuple[str, str]] = frozenset()

    def seen(self, current: int, now_s: float) -> "History":
        """With the replicas that are wanted now: a change that was asked for is one that was made.

        Without any recommendation the current number is the first.
        """
        made = self
        if self.asked is not None:
            at_s, before, after = self.asked
            if after == current:
                made = replace(made, changes=(*made.changes, Dated(at_s, after - before)))
            made = replace(made, asked=None)
        if not made.recommendations:
            made = replace(made, recommendations=(Dated(now_s, current),))
        return replace(
            made,
            recommendations=_since(made.recommendations, now_s - _LONGEST_S),
            changes=_since(made.changes, now_s - _LONGEST_S),
        )

    def recommended(self, replicas: int, now_s: float) -> "History":
        """With one more recommendation."""
        return replace(self, recommendations=(*self.recommendations, Dated(now_s, replicas)))


@dataclass(frozen=True, slots=True)
class Paced:
    """What is to be done, and the reasons and messages of two conditions.

    Attributes:
        replicas: this many.
        able: of AbleToScale, which is True.
        limited: of ScalingLimited.
        is_limited: whether that is True.
    """

    replicas: int
    able: tuple[str, str]
    limited: tuple[str, str]
    is_limited: bool


def paced(
    spec: AutoscalerSpec, history: History, current: int, wanted: int, window_s: float, now_s: float
) -> Paced:
    """What is done about a recommendation.

    Args:
        spec: bounds and behaviour.
        history: without this recommendation.
        current: replicas wanted now.
        wanted: what the metrics ask for.
        window_s: of scaling down where the autoscaler does not name its own.
        now_s: wall seconds.
    """
    if spec.behavior is None:
        recent = (d.number for d in _since(history.recommendations, now_s - window_s))
        stable, told = max((wanted, *recent)), _HIGHEST
        replicas, limited = _bounded(spec, current, stable)
    else:
        stable, told = _stabilized(spec.behavior, history, current, wanted, window_s, now_s)
        replicas, limited = _at_pace(spec, spec.behavior, history.changes, current, stable, now_s)
    able = _READY if stable == wanted else told
    return Paced(replicas, able, limited, replicas != stable)


def _since(dated: Sequence[Dated], from_s: float) -> tuple[Dated, ...]:
    return tuple(one for one in dated if one.at_s > from_s)


# ------------------------------------------------------------ without a behaviour


def _bounded(spec: AutoscalerSpec, current: int, wanted: int) -> tuple[int, tuple[str, str]]:
    limit = max(_FACTOR * current, _LEAST_LIMIT)
    most, why = (limit, _TOO_FAST_UP) if spec.max_replicas > limit else (
        spec.max_replicas, _TOO_MANY,
    )  # fmt: skip
    if wanted < spec.min_replicas:
        return spec.min_replicas, _TOO_FEW
    if wanted > most:
        return most, why
    return wanted, _WITHIN


# ------------------------------------------------------------ with a behaviour


def _stabilized(
    behavior: ScalingBehavior,
    history: History,
    current: int,
    wanted: int,
    window_s: float,
    now_s: float,
) -> tuple[int, tuple[str, str]]:
    up_s = behavior.scale_up.stabilization_window_seconds or 0
    own_s = behavior.scale_down.stabilization_window_seconds
    down_s = window_s if own_s is None else own_s
    lowest = highest = wanted
    for one in history.recommendations:
        if one.at_s > now_s - up_s:
            lowest = min(lowest, one.number)
        if one.at_s > now_s - down_s:
            highest = max(highest, one.number)
    stable = min(max(current, lowest), highest)
    return stable, _LOWEST if wanted >= current else _HIGHEST


def _at_pace(
    spec: AutoscalerSpec,
    behavior: ScalingBehavior,
    changes: Sequence[Dated],
    current: int,
    wanted: int,
    now_s: float,
) -> tuple[int, tuple[str, str]]:
    if wanted > current:
        limit = max(current, _up_limit(behavior.scale_up, changes, current, now_s))
        most, why = (limit, _TOO_FAST_UP) if spec.max_replicas > limit else (
            spec.max_replicas, _TOO_MANY,
        )  # fmt: skip
        if wanted > most:
            return most, why
    elif wanted < current:
        limit = min(current, _down_limit(behavior.scale_down, changes, current, now_s))
        least, why = (limit, _TOO_FAST_DOWN) if spec.min_replicas < limit else (
            spec.min_replicas, _TOO_FEW,
        )  # fmt: skip
        if wanted < least:
            return least, why
    return wanted, _WITHIN


def _up_limit(rules: ScalingRules, changes: Sequence[Dated], current: int, now_s: float) -> int:
    if rules.select_policy == "Disabled":
        return current
    limits = []
    for policy in rules.policies:
        start = _at_start(changes, current, policy.period_seconds, now_s)
        if policy.type == "Pods":
            limits.append(start + policy.value)
        else:  # rounded up: a small number would never grow
            limits.append(math.ceil(start * (100 + policy.value) / 100))
    return min(limits) if rules.select_policy == "Min" else max(limits)


def _down_limit(rules: ScalingRules, changes: Sequence[Dated], current: int, now_s: float) -> int:
    if rules.select_policy == "Disabled":
        return current
    limits = []
    for policy in rules.policies:
        start = _at_start(changes, current, policy.period_seconds, now_s)
        if policy.type == "Pods":
            limits.append(start - policy.value)
        else:
            limits.append(int(start * (100 - policy.value) / 100))
    return max(limits) if rules.select_policy == "Min" else min(limits)


def _at_start(changes: Sequence[Dated], current: int, period_s: int, now_s: float) -> int:
    """How many replicas there were when the period began."""
    return current - sum(one.number for one in _since(changes, now_s - period_s))
