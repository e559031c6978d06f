"""autoscaling/v1 and v2 HorizontalPodAutoscaler.

v1 knows one target, the CPU's utilisation. What else a v2 object says travels in four annotations
of its v1 form, so that a client of v1 can read, change and write it back without losing anything:
metrics and their current values in v1's own words, the behaviour in the words of the Go structs
behind it, the conditions as they are. An annotation that cannot be read counts as absent.

Source: Kubernetes API, autoscaling/v1 and autoscaling/v2; the annotations of autoscaling/v1.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from orchestrator.api.defaults.autoscaling import DEFAULT_CPU_UTILIZATION
from orchestrator.api.schema import strict

Document = dict[str, Any]

_PREFIX: Final = "autoscaling.alpha.kubernetes.io/"
METRICS: Final = f"{_PREFIX}metrics"
CURRENT_METRICS: Final = f"{_PREFIX}current-metrics"
CONDITIONS: Final = f"{_PREFIX}conditions"
BEHAVIOR: Final = f"{_PREFIX}behavior"
_ANNOTATIONS: Final = (METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR)

_PARTS: Final = frozenset({"containerResource", "external", "object", "pods", "resource"})
_RULE_FIELDS: Final = ("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance")
_encode: Final = msgspec.json.Encoder().encode


def to_v1(autoscaler: Document) -> Document:
    """A v2 object as a v1 object."""
    spec, status = autoscaler.get("spec") or {}, autoscaler.get("status") or {}
    metrics, current = spec.get("metrics") or [], status.get("currentMetrics") or []
    told: dict[str, Any] = {
        METRICS: [_metric_to_v1(m) for m in metrics if not _is_cpu_utilization(m)],
        CURRENT_METRICS: [_current_to_v1(m) for m in current],
        CONDITIONS: status.get("conditions"),
        BEHAVIOR: _behavior_to_go(spec.get("behavior")),
    }
    made: Document = {
        **autoscaler,
        "apiVersion": "autoscaling/v1",
        "metadata": _annotated(autoscaler["metadata"], told),
        "spec": {k: v for k, v in spec.items() if k not in {"metrics", "behavior"}},
    }
    cpu: Document = next((m["resource"] for m in metrics if _is_cpu(m)), {})
    utilization = cpu.get("target", {}).get("averageUtilization")
    if utilization is not None:
        made["spec"]["targetCPUUtilizationPercentage"] = utilization
    if "status" in autoscaler:
        rest = {k: v for k, v in status.items() if k not in {"currentMetrics", "conditions"}}
        for metric in current:
            value = metric["resource"].get("current", {}) if _is_cpu(metric) else {}
            if value.get("averageUtilization") is not None:
                rest["currentCPUUtilizationPercentage"] = value["averageUtilization"]
        made["status"] = {"currentReplicas": 0, "desiredReplicas": 0, **rest}
    return made


def to_v2(autoscaler: Document) -> Document:
    """A v1 object as a v2 object; one that names no metric gets CPU at 80 %."""
    meta = autoscaler["metadata"]
    annotations = meta.get("annotations") or {}
    spec, status = dict(autoscaler.get("spec") or {}), dict(autoscaler.get("status") or {})
    metrics = _list(annotations.get(METRICS), _metric_to_v2, "MetricSpec")
    cpu = spec.pop("targetCPUUtilizationPercentage", None)
    if cpu is not None or not metrics:
        value = DEFAULT_CPU_UTILIZATION if cpu is None else cpu
        metrics.append(_cpu({"target": {"type": "Utilization", "averageUtilization": value}}))
    spec["metrics"] = metrics
    behavior = _behavior_from_go(_decoded(annotations.get(BEHAVIOR)))
    if behavior and _is_right(behavior, "HorizontalPodAutoscalerBehavior"):
        spec["behavior"] = behavior
    used = status.pop("currentCPUUtilizationPercentage", None)
    current = _list(annotations.get(CURRENT_METRICS), _current_to_v2, "MetricStatus")
    if not current and used is not None:
        current = [_cpu({"current": {"averageUtilization": used}})]
    if current:
        status["currentMetrics"] = current
    conditions = _list(annotations.get(CONDITIONS), dict, "HorizontalPodAutoscalerCondition")
    if conditions:
        status["conditions"] = conditions
    made: Document = {
        **autoscaler,
        "apiVersion": "autoscaling/v2",
        "metadata": _annotated(meta, {}),
        "spec": spec,
    }
    if status or "status" in autoscaler:
        made["status"] = status
    return made


def _annotated(meta: Document, told: dict[str, Any]) -> Document:
    annotations = {
        k: v for k, v in (meta.get("annotations") or {}).items() if k not in _ANNOTATIONS
    }
    annotations |= {name: _encode(value).decode() for name, value in told.items() if value}
    rest = {k: v for k, v in meta.items() if k != "annotations"}
    return {**rest, "annotations": annotations} if annotations else rest


def _decoded(text: object) -> Any:
    try:
        return msgspec.json.decode(text) if isinstance(text, str) else None
    except (msgspec.DecodeError, RecursionError):
        return None


def _list(text: object, convert: Callable[[Document], Document], kind: str) -> list[Document]:
    """What an annotation lists, as items of v2; empty when not all of them can be read."""
    value = _decoded(text)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return []
    metrics = kind.startswith("Metric")
    if metrics and not all(_is_metric(item) for item in value):
        return []
    items = [convert(item) for item in value]
    return items if all(_is_right(item, kind) for item in items) else []


def _is_right(value: Document, kind: str) -> bool:
    return not strict.check_definition(f"io.k8s.api.autoscaling.v2.{kind}", value).wrong_types


# ------------------------------------------------------------ metrics


def _is_cpu(metric: Document) -> bool:
    resource = metric.get("resource") if metric.get("type") == "Resource" else None
    return isinstance(resource, dict) and resource.get("name") == "cpu"


def _is_cpu_utilization(metric: Document) -> bool:
    target = metric["resource"].get("target", {}) if _is_cpu(metric) else {}
    return target.get("averageUtilization") is not None


def _is_metric(value: Document) -> bool:
    """Whether an annotation's entry says of which type it is and has that part."""
    part = _part(str(value.get("type", "")))
    return part in _PARTS and isinstance(value.get(part), dict)


def _cpu(values: Document) -> Document:
    return {"type": "Resource", "resource": {"name": "cpu", **values}}


def _part(kind: str) -> str:
    return kind[:1].lower() + kind[1:]


def _filled(**values: Any) -> Document:
    return {key: value for key, value in values.items() if value is not None}


def _metric_to_v1(metric: Document) -> Document:
    part = _part(metric["type"])
    source = metric.get(part) or {}
    target, named = source.get("target") or {}, source.get("metric") or {}
    value, average = target.get("value"), target.get("averageValue")
    if part in {"resource", "containerResource"}:
        told = _filled(
            name=source.get("name"),
            targetAverageUtilization=target.get("averageUtilization"),
            targetAverageValue=average,
            container=source.get("container"),
        )
    elif part == "pods":
        told = _filled(
            metricName=named.get("name"),
            targetAverageValue=average or "0",
            selector=named.get("selector"),
        )
    elif part == "object":
        told = _filled(
            target=source.get("describedObject"),
            metricName=named.get("name"),
            targetValue=value or "0",
            selector=named.get("selector"),
            averageValue=average,
        )
    else:
        told = _filled(
            metricName=named.get("name"),
            metricSelector=named.get("selector"),
            targetValue=value,
            targetAverageValue=average,
        )
    return {"type": metric["type"], part: told}


def _metric_to_v2(metric: Document) -> Document:
    part = _part(metric["type"])
    source = metric[part]
    named = _filled(
        name=source.get("metricName"), selector=source.get("selector", source.get("metricSelector"))
    )
    average = source.get("targetAverageValue", source.get("averageValue"))
    utilization = source.get("targetAverageUtilization")
    value = source.get("targetValue")
    if utilization is not None:
        target = {"type": "Utilization", "averageUtilization": utilization}
    elif average is not None or part not in {"object", "external"}:
        target = {"type": "AverageValue", **_filled(averageValue=average)}
    else:
        target = {"type": "Value", **_filled(value=value)}
    if part in {"resource", "containerResource"}:
        told = _filled(name=source.get("name"), target=target, container=source.get("container"))
    elif part == "object":
        told = _filled(describedObject=source.get("target"), target=target, metric=named)
    else:
        told = {"metric": named, "target": target}
    return {"type": metric["type"], part: told}


def _current_to_v1(metric: Document) -> Document:
    part = _part(metric["type"])
    source = metric.get(part) or {}
    current, named = source.get("current") or {}, source.get("metric") or {}
    average = current.get("averageValue")
    if part in {"resource", "containerResource"}:
        told = _filled(
            name=source.get("name"),
            currentAverageUtilization=current.get("averageUtilization"),
            currentAverageValue=average or "0",
            container=source.get("container"),
        )
    elif part == "object":
        told = _filled(
            target=source.get("describedObject"),
            metricName=named.get("name"),
            currentValue=current.get("value") or "0",
            selector=named.get("selector"),
            averageValue=average,
        )
    elif part == "pods":
        told = _filled(
            metricName=named.get("name"),
            currentAverageValue=average or "0",
            selector=named.get("selector"),
        )
    else:
        told = _filled(
            metricName=named.get("name"),
            metricSelector=named.get("selector"),
            currentValue=current.get("value") or "0",
            currentAverageValue=average,
        )
    return {"type": metric["type"], part: told}


def _current_to_v2(metric: Document) -> Document:
    part = _part(metric["type"])
    source = metric[part]
    current = _filled(
        averageUtilization=source.get("currentAverageUtilization"),
        averageValue=source.get("currentAverageValue", source.get("averageValue")),
        value=source.get("currentValue"),
    )
    named = _filled(
        name=source.get("metricName"), selector=source.get("selector", source.get("metricSelector"))
    )
    if part in {"resource", "containerResource"}:
        told = _filled(name=source.get("name"), current=current, container=source.get("container"))
    elif part == "object":
        told = _filled(describedObject=source.get("target"), current=current, metric=named)
    else:
        told = {"metric": named, "current": current}
    return {"type": metric["type"], part: told}


# ------------------------------------------------------------ behaviour


def _behavior_to_go(behavior: Document | None) -> Document | None:
    if not behavior:
        return None
    return {name: _rules_to_go(behavior.get(_part(name))) for name in ("ScaleUp", "ScaleDown")}


def _rules_to_go(rules: Document | None) -> Document | None:
    if rules is None:
        return None
    made: Document = {_go_name(name): rules.get(name) for name in _RULE_FIELDS}
    if made["Policies"] is not None:
        made["Policies"] = [
            {_go_name(name): value for name, value in policy.items()} for policy in made["Policies"]
        ]
    return made


def _behavior_from_go(behavior: Any) -> Document:
    made: Document = {}
    if not isinstance(behavior, dict):
        return made
    for name, rules in behavior.items():
        if isinstance(rules, dict) and _part(name) in {"scaleUp", "scaleDown"}:
            made[_part(name)] = {
                _part(key): _policies(value) if isinstance(value, list) else value
                for key, value in rules.items()
                if value is not None and _part(key) in _RULE_FIELDS
            }
    return made


def _policies(policies: list[Any]) -> list[Document]:
    return [{_part(k): v for k, v in one.items()} for one in policies if isinstance(one, dict)]


def _go_name(name: str) -> str:
    return name[:1].upper() + name[1:]
