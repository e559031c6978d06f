"""HorizontalPodAutoscalers. Source: Kubernetes pkg/apis/autoscaling/validation."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api import metadata, quantity
from orchestrator.api.validation.collector import NOT_NEGATIVE, POSITIVE, Faults

Document = dict[str, Any]

_LONGEST_PERIOD_S: Final = 1800
_LONGEST_WINDOW_S: Final = 3600
_SELECTIONS: Final = frozenset({"Disabled", "Max", "Min"})
_POLICIES: Final = frozenset({"Percent", "Pods"})
_TARGETS: Final = frozenset({"AverageValue", "Utilization", "Value"})
_NO_TARGET: Final = "must set either a target raw value or a target utilization"
_TWO_TARGETS: Final = "may not set both a target raw value and a target utilization"


def validate_autoscaler(faults: Faults, document: Document) -> None:
    """A HorizontalPodAutoscaler's spec."""
    spec = document.get("spec") or {}
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if least < 1:
        faults.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        faults.invalid("spec.maxReplicas", most, POSITIVE)
    if most < least:
        text = "must be greater than or equal to `minReplicas`"
        faults.invalid("spec.maxReplicas", most, text)
    _reference(faults, "spec.scaleTargetRef", spec.get("scaleTargetRef") or {})
    for index, metric in enumerate(spec.get("metrics") or ()):
        _metric(faults, f"spec.metrics[{index}]", metric)
    for name, rules in (spec.get("behavior") or {}).items():
        _rules(faults, f"spec.behavior.{name}", rules)


def validate_autoscaler_status(faults: Faults, document: Document) -> None:
    """Its status."""
    status = document.get("status") or {}
    for field in ("currentReplicas", "desiredReplicas"):
        faults.check_number(f"status.{field}", status.get(field, 0))


def _reference(faults: Faults, path: str, reference: Document) -> None:
    for field in ("kind", "name"):
        _segment(faults, f"{path}.{field}", reference.get(field, ""))


def _segment(faults: Faults, path: str, value: str, missing: str = "") -> None:
    if not value:
        faults.required(path, missing)
    else:
        faults.check_words(path, value, metadata.is_path_segment(value))


# ------------------------------------------------------------ metrics


def _metric(faults: Faults, path: str, metric: Document) -> None:
    kind = metric.get("type", "")
    expected = kind[:1].lower() + kind[1:]
    if not kind:
        faults.required(f"{path}.type", "must specify a metric source type")
    if expected not in _SOURCES or kind == expected:
        known = [name[:1].upper() + name[1:] for name in _SOURCES]
        faults.unsupported(f"{path}.type", kind, known)
        expected = ""
    present = [name for name in _SOURCES if metric.get(name) is not None]
    if present:
        first = present[0]
        _SOURCES[first](faults, f"{path}.{first}", metric[first])
    if expected and expected not in present:
        text = "must populate information for the given metric source"
        faults.required(f"{path}.{expected}", text)
    if len(present) > 1:
        for name in present:
            if name != expected:
                text = "must populate the given metric source only"
                faults.forbidden(f"{path}.{name}", text)


def _object(faults: Faults, path: str, source: Document) -> None:
    _reference(faults, f"{path}.describedObject", source.get("describedObject") or {})
    target = _identified(faults, path, source)
    if "value" not in target and "averageValue" not in target:
        text = "must set either a target value or averageValue"
        faults.required(f"{path}.target.averageValue", text)


def _external(faults: Faults, path: str, source: Document) -> None:
    target = _identified(faults, path, source)
    if "value" not in target and "averageValue" not in target:
        text = "must set either a target value for metric or a per-pod target"
        faults.required(f"{path}.target.averageValue", text)
    if "value" in target and "averageValue" in target:
        text = "may not set both a target value for metric and a per-pod target"
        faults.forbidden(f"{path}.target.value", text)


def _pods(faults: Faults, path: str, source: Document) -> None:
    if "averageValue" not in _identified(faults, path, source):
        text = "must specify a positive target averageValue"
        faults.required(f"{path}.target.averageValue", text)


def _identified(faults: Faults, path: str, source: Document) -> Document:
    """The metric's name and the target, which is returned."""
    name = (source.get("metric") or {}).get("name", "")
    _segment(faults, f"{path}.metric.name", name, "must specify a metric name")
    return _target(faults, path, source)


def _resource(faults: Faults, path: str, source: Document) -> None:
    if not source.get("name"):
        faults.required(f"{path}.name", "must specify a resource name")
    if path.endswith(".containerResource"):
        container = source.get("container", "")
        if not container:
            faults.required(f"{path}.container", "must specify a container")
        else:
            faults.check_words(f"{path}.container", container, metadata.is_label(container))
    target = _target(faults, path, source)
    if "averageUtilization" not in target and "averageValue" not in target:
        faults.required(f"{path}.target.averageUtilization", _NO_TARGET)
    if "averageUtilization" in target and "averageValue" in target:
        faults.forbidden(f"{path}.target.averageValue", _TWO_TARGETS)


def _target(faults: Faults, path: str, source: Document) -> Document:
    target: Document = source.get("target") or {}
    path = f"{path}.target"
    kind = target.get("type", "")
    if not kind:
        faults.required(f"{path}.type", "must specify a metric target type")
    if kind not in _TARGETS:
        faults.invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue")
    for field in ("value", "averageValue"):
        if field in target and quantity.parse(target[field]) <= 0:
            faults.invalid(f"{path}.{field}", quantity.canonical(target[field]), "must be positive")
    faults.check_number(f"{path}.averageUtilization", target.get("averageUtilization"), 1)
    return target


_SOURCES: Final[Mapping[str, Callable[[Faults, str, Document], None]]] = MappingProxyType({
    "object": _object,
    "external": _external,
    "pods": _pods,
    "resource": _resource,
    "containerResource": _resource,
})  # fmt: skip
"""By the field that they stand in, in the order in which they are looked at."""


# ------------------------------------------------------------ behaviour


def _rules(faults: Faults, path: str, rules: Document) -> None:
    window_s = rules.get("stabilizationWindowSeconds", 0)
    if window_s < 0:
        text = "must be greater than or equal to zero"
        faults.invalid(f"{path}.stabilizationWindowSeconds", window_s, text)
    if window_s > _LONGEST_WINDOW_S:
        text = f"must be less than or equal to {_LONGEST_WINDOW_S}"
        faults.invalid(f"{path}.stabilizationWindowSeconds", window_s, text)
    selection = rules.get("selectPolicy")
    if selection is not None and selection not in _SELECTIONS:
        faults.unsupported(f"{path}.selectPolicy", selection, _SELECTIONS)
    if not rules.get("policies"):
        faults.required(f"{path}.policies", "must specify at least one Policy")
    for index, policy in enumerate(rules.get("policies") or ()):
        _policy(faults, f"{path}.policies[{index}]", policy)
    tolerance = rules.get("tolerance")
    if tolerance is not None and quantity.parse(tolerance) < 0:
        faults.invalid(f"{path}.tolerance", quantity.canonical(tolerance), NOT_NEGATIVE)


def _policy(faults: Faults, path: str, policy: Document) -> None:
    if policy.get("type") not in _POLICIES:
        faults.unsupported(f"{path}.type", policy.get("type", ""), _POLICIES)
    for field in ("value", "periodSeconds"):
        if policy.get(field, 0) <= 0:
            faults.invalid(f"{path}.{field}", policy.get(field, 0), "must be greater than zero")
    period_s = policy.get("periodSeconds", 0)
    if period_s > _LONGEST_PERIOD_S:
        text = f"must be less than or equal to {_LONGEST_PERIOD_S}"
        faults.invalid(f"{path}.periodSeconds", period_s, text)
