"""What the metrics of an autoscaler say: proposals, statuses, and troubles in words. Pure.

Of the types, Resource and ContainerResource have a source here: what the hosts measure. The others
need an adapter that serves custom.metrics.k8s.io or external.metrics.k8s.io; as in a cluster
without one, they fail, and the autoscaler says so.
Source: Kubernetes concepts, "Horizontal Pod Autoscaling", "Support for metrics APIs".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from orchestrator.api import quantity
from orchestrator.api.types.autoscaling import AutoscalerSpec, MetricSpec, ResourceMetric
from orchestrator.api.types.pod import Pod
from orchestrator.controllers.hpa.proposal import (
    NotMeasurable,
    Pods,
    Proposal,
    Sample,
    Tolerance,
    by_average,
    by_utilization,
    grouped,
    requests_of,
)
from orchestrator.controllers.hpa.settings import AutoscalingSettings
from orchestrator.reconcile.usage import PodUsage, Usage

Document = dict[str, Any]

_NO_CUSTOM: Final = (
    "unable to fetch metrics from custom metrics API: "
    "no custom metrics API (custom.metrics.k8s.io) registered"
)
_NO_EXTERNAL: Final = (
    "unable to fetch metrics from external metrics API: "
    "no external metrics API (external.metrics.k8s.io) registered"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one metric says.

    Attributes:
        status: as in `status.currentMetrics`.
        replicas: that it asks for; None when it cannot be told.
        name: of the metric, in words.
        reason: why not: "FailedGetResourceMetric".
        trouble: why not, in words.
        within: what was done when it failed: "failed to get cpu resource metric value".
    """

    status: Document
    replicas: int | None = None
    name: str = ""
    reason: str = ""
    trouble: str = ""
    within: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What metrics are computed from.

    Attributes:
        namespace: of the autoscaler.
        current: replicas wanted now.
        pods: that the target's selector matches.
        usage: by name of the pod, where something recent is known.
        now_s: wall seconds.
    """

    namespace: str
    current: int
    pods: Sequence[Pod]
    usage: Mapping[str, PodUsage]
    now_s: float


def measure(spec: AutoscalerSpec, found: Found, settings: AutoscalingSettings) -> list[Measured]:
    """What each of the metrics says, in their order."""
    return [_metric(metric, spec, found, settings) for metric in spec.metrics]


def tolerance_of(spec: AutoscalerSpec, settings: AutoscalingSettings) -> Tolerance:
    """The behaviour's, else that of the settings."""
    usual = Fraction(str(settings.tolerance))
    if spec.behavior is None:
        return Tolerance(usual, usual)
    down, up = spec.behavior.scale_down.tolerance, spec.behavior.scale_up.tolerance
    return Tolerance(
        usual if down is None else quantity.parse(down),
        usual if up is None else quantity.parse(up),
    )


def _metric(
    metric: MetricSpec, spec: AutoscalerSpec, found: Found, settings: AutoscalingSettings
) -> Measured:
    source = metric.resource or metric.container_resource
    if source is not None:
        return _resource(metric, source, tolerance_of(spec, settings), found, settings)
    part = metric.pods or metric.object or metric.external or {}
    named = part.get("metric") or {}
    name = named.get("name", "")
    if metric.type == "Pods":
        trouble = f"unable to get metric {name}: {_NO_CUSTOM}"
        return _failed("FailedGetPodsMetric", trouble, "failed to get pods metric value")
    if metric.type == "Object":
        about = part.get("describedObject") or {}
        # the words are in Kubernetes' own, odd order
        place = f"{about.get('kind', '')} on {found.namespace} {about.get('name', '')}"
        trouble = f"unable to get metric {name}: {place}/{_NO_CUSTOM}"
        return _failed("FailedGetObjectMetric", trouble, "failed to get object metric value")
    selector = _go_selector(named.get("selector"))
    trouble = f"unable to get external metric {found.namespace}/{name}/{selector}: {_NO_EXTERNAL}"
    within = f"failed to get {name} external metric value"
    return _failed("FailedGetExternalMetric", trouble, within)


def _failed(reason: str, trouble: str, within: str) -> Measured:
    return Measured({"type": ""}, reason=reason, trouble=trouble, within=within)


def _resource(
    metric: MetricSpec,
    source: ResourceMetric,
    tolerance: Tolerance,
    found: Found,
    settings: AutoscalingSettings,
) -> Measured:
    of_container = metric.type == "ContainerResource"
    by_share = source.target.average_value is None
    try:
        proposal = _proposal(source, tolerance, found, settings)
    except NotMeasurable as error:
        within = f"failed to get {source.name} resource metric value"
        if of_container:
            within = f"failed to get {source.container} container metric value"
        reason = "FailedGetContainerResourceMetric" if of_container else "FailedGetResourceMetric"
        what = "utilization" if by_share else "usage"
        return _failed(reason, f"failed to get {source.name} {what}: {error}", within)
    current: Document = {"averageValue": quantity.canonical(f"{proposal.average_milli}m")}
    name = f"{source.name} resource"
    if by_share:
        current["averageUtilization"] = proposal.per_cent
        name = f"{source.name}{' container' if of_container else ''} resource utilization"
        name = f"{name} (percentage of request)"
    told: Document = {"name": source.name, "current": current}
    if of_container:
        told["container"] = source.container
    part = "containerResource" if of_container else "resource"
    return Measured({"type": metric.type, part: told}, proposal.replicas, name)


def _proposal(
    source: ResourceMetric, tolerance: Tolerance, found: Found, settings: AutoscalingSettings
) -> Proposal:
    try:
        samples = _samples(source, found)
    except NotMeasurable as error:
        raise NotMeasurable(f"unable to get metrics for resource {source.name}: {error}") from error
    pods = Pods(found.pods, samples)
    groups = grouped(pods, source.name, settings, found.now_s)
    target = source.target
    if target.average_value is not None:
        milli = math.ceil(quantity.parse(target.average_value) * 1000)
        return by_average(found.current, milli, pods, groups, tolerance)
    requests = requests_of(found.pods, source.name, source.container)
    share = target.average_utilization or 1
    return by_utilization(found.current, share, pods, requests, groups, tolerance)


def _samples(source: ResourceMetric, found: Found) -> dict[str, Sample]:
    """By pod, of those whose usage is known."""
    if not found.usage:
        raise NotMeasurable("no metrics returned from resource metrics API")
    samples = {}
    for name, usage in found.usage.items():
        containers = usage.containers
        if source.container:
            if source.container not in containers:
                raise NotMeasurable(
                    f"container {source.container} not present in metrics for pod "
                    f"{found.namespace}/{name}"
                )
            containers = {source.container: containers[source.container]}
        used = [_milli(source.name, one) for one in containers.values()]
        known = [one for one in used if one is not None]
        if len(known) == len(used):
            samples[name] = Sample(sum(known), usage.at_s, usage.window_s)
    return samples


def _milli(resource: str, usage: Usage) -> int | None:
    if resource == "cpu":
        return -(-usage.cpu_nanocores // 10**6)
    return usage.memory_bytes * 1000 if resource == "memory" else None


def _go_selector(selector: Mapping[str, Any] | None) -> str:
    """A label selector as Go prints it."""
    if selector is None:
        return "nil"
    labels = "".join(f"{k}: {v}," for k, v in sorted((selector.get("matchLabels") or {}).items()))
    terms = "".join(
        "LabelSelectorRequirement{"
        f"Key:{term.get('key', '')},Operator:{term.get('operator', '')},"
        f"Values:[{' '.join(term.get('values') or ())}],}},"
        for term in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{terms}}},}}"
    )
