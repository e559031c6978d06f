"""How many replicas one metric asks for. Pure.

The ratio of what is used to what should be used, times the pods that count. Pods without a sample
and pods that are not ready are first left out; where there are some, a second look takes them for
what makes the change smaller, and a change that would then turn round is none.
Source: Kubernetes concepts, "Horizontal Pod Autoscaling", "Algorithm details".
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from orchestrator.api import quantity
from orchestrator.api.types.pod import Pod
from orchestrator.controllers.hpa.settings import AutoscalingSettings
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.reconcile.pods import condition

_ONE: Final = Fraction(1)


@dataclass(frozen=True, slots=True)
class Sample:
    """What one pod uses.

    Attributes:
        milli: thousandths of a processor or of a byte.
        at_s: end of the window, wall seconds.
        window_s: how long was measured.
    """

    milli: int
    at_s: float
    window_s: float


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far the ratio may be from 1 without an effect, downwards and upwards."""

    down: Fraction
    up: Fraction

    def covers(self, ratio: Fraction) -> bool:
        """Whether such a ratio has no effect."""
        return _ONE - self.down <= ratio <= _ONE + self.up


@dataclass(frozen=True, slots=True)
class Pods:
    """What is known of the pods.

    Attributes:
        pods: that the target's selector matches.
        samples: by name of the pod; some may be missing.
    """

    pods: Sequence[Pod]
    samples: Mapping[str, Sample]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a metric asks for.

    Attributes:
        replicas: this many.
        average_milli: used by a pod on average, in thousandths.
        per_cent: of what is requested; None for a target that is no utilisation.
    """

    replicas: int
    average_milli: int
    per_cent: int | None = None


@dataclass(frozen=True, slots=True)
class _Measure:
    """Ratio, average in thousandths and per cent of these pods' usage."""

    ratio: Fraction
    average_milli: int
    per_cent: int | None = None


@dataclass(frozen=True, slots=True)
class _Groups:
    """Pods by what their samples are worth; those that go or have failed are in none."""

    ready: frozenset[str]
    unready: frozenset[str]
    missing: frozenset[str]


class NotMeasurable(Exception):
    """No number can be given; the text says why, in Kubernetes' words."""


def by_utilization(
    current: int,
    target_per_cent: int,
    found: Pods,
    requests: Mapping[str, int],
    groups: "_Groups",
    tolerance: Tolerance,
) -> Proposal:
    """The replicas for usage in per cent of what is requested.

    Args:
        current: replicas wanted now.
        target_per_cent: what should be used.
        found: the pods and their samples.
        requests: thousandths by pod.
        groups: of the pods; see `grouped`.
        tolerance: see there.

    Raises:
        NotMeasurable: nothing is known of any pod that counts.
    """

    def measure(used: Mapping[str, int]) -> _Measure:
        total, requested = sum(used.values()), sum(requests[name] for name in used)
        if not requested:
            raise NotMeasurable("no metrics returned matched known pods")
        per_cent = total * 100 // requested
        return _Measure(Fraction(per_cent, target_per_cent), total // len(used), per_cent)

    share = max(100, target_per_cent)
    full = {name: requests[name] * share // 100 for name in groups.missing}
    return _proposed(current, found, groups, tolerance, measure, full)


def by_average(
    current: int, target_milli: int, found: Pods, groups: "_Groups", tolerance: Tolerance
) -> Proposal:
    """The replicas for usage as an amount per pod; arguments as in `by_utilization`.

    Raises:
        NotMeasurable: nothing is known of any pod that counts.
    """

    def measure(used: Mapping[str, int]) -> _Measure:
        average = sum(used.values()) // len(used)
        return _Measure(Fraction(average, target_milli), average)

    full = dict.fromkeys(groups.missing, target_milli)
    return _proposed(current, found, groups, tolerance, measure, full)


def _proposed(
    current: int,
    found: Pods,
    groups: _Groups,
    tolerance: Tolerance,
    measure: Callable[[Mapping[str, int]], _Measure],
    full: Mapping[str, int],
) -> Proposal:
    used = {name: found.samples[name].milli for name in groups.ready}
    if not used:
        raise NotMeasurable("did not receive metrics for targeted pods (pods might be unready)")
    first = measure(used)

    def proposal(replicas: int) -> Proposal:
        return Proposal(replicas, first.average_milli, first.per_cent)

    waits = bool(groups.unready) and first.ratio > 1
    if not waits and not groups.missing:
        if tolerance.covers(first.ratio):
            return proposal(current)
        return proposal(math.ceil(first.ratio * len(used)))
    if first.ratio < 1:
        used |= full
    elif first.ratio > 1:
        used |= dict.fromkeys(groups.missing | (groups.unready if waits else frozenset()), 0)
    second = measure(used).ratio
    turned = (first.ratio < 1 < second) or (second < 1 < first.ratio)
    if tolerance.covers(second) or turned:
        return proposal(current)
    replicas = math.ceil(second * len(used))
    if (second < 1 and replicas > current) or (second > 1 and replicas < current):
        return proposal(current)
    return proposal(replicas)


def grouped(found: Pods, resource: str, settings: AutoscalingSettings, now_s: float) -> _Groups:
    """What the samples of the pods are worth.

    Args:
        found: the pods and their samples.
        resource: "cpu" or another; the processor alone is busy with starting.
        settings: for how long that is so.
        now_s: wall seconds.

    Raises:
        NotMeasurable: there are no pods.
    """
    if not found.pods:
        raise NotMeasurable("no pods returned by selector while calculating replica count")
    ready, unready, missing = set(), set(), set()
    for pod in found.pods:
        name = pod.metadata.name
        sample = found.samples.get(name)
        if pod.metadata.deletion_timestamp or pod.status.phase == "Failed":
            continue
        if pod.status.phase == "Pending":
            unready.add(name)
        elif sample is None:
            missing.add(name)
        elif resource == "cpu" and _starting(pod, sample, settings, now_s):
            unready.add(name)
        else:
            ready.add(name)
    return _Groups(frozenset(ready), frozenset(unready), frozenset(missing))


def _starting(pod: Pod, sample: Sample, settings: AutoscalingSettings, now_s: float) -> bool:
    """Whether what was measured says nothing of the pod's later usage."""
    ready = condition(pod.status.conditions, "Ready")
    if ready is None or not pod.status.start_time:
        return True
    started_s = parse_rfc3339(pod.status.start_time)
    changed_s = parse_rfc3339(ready.last_transition_time) if ready.last_transition_time else 0.0
    unready = ready.status == "False"
    if started_s + settings.cpu_initialization_s > now_s:
        return unready or sample.at_s < changed_s + sample.window_s
    return unready and started_s + settings.initial_readiness_s > changed_s


def requests_of(pods: Sequence[Pod], resource: str, container: str) -> dict[str, int]:
    """What each pod requests, in thousandths; of one container where one is named.

    Raises:
        NotMeasurable: a container requests nothing.
    """
    found: dict[str, int] = {}
    for pod in pods:
        total = 0
        sidecars = (c for c in pod.spec.init_containers if c.restart_policy == "Always")
        for each in (*pod.spec.containers, *sidecars):
            if container and each.name != container:
                continue
            asked = (each.resources.requests or {}).get(resource)
            if asked is None:
                raise NotMeasurable(
                    f"missing request for {resource} in container {each.name} of Pod "
                    f"{pod.metadata.name}"
                )
            total += math.ceil(quantity.parse(asked) * 1000)
        found[pod.metadata.name] = total
    return found
