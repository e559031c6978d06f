"""Defaults of HorizontalPodAutoscalers.

Source: Kubernetes pkg/apis/autoscaling/v2 (SetDefaults_HorizontalPodAutoscaler); KEP-853.
"""

from typing import Any, Final

Document = dict[str, Any]

DEFAULT_CPU_UTILIZATION: Final = 80
"""Per cent; the target of an object that names no metric."""
_PERIOD_S: Final = 15


def default_autoscaler(document: Document) -> None:
    """At least one replica, the processor's utilisation, and the rates of a behaviour.

    The window of scaleDown stays unset: it is the server's setting.
    """
    spec = document.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": DEFAULT_CPU_UTILIZATION}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        up = behavior.setdefault("scaleUp", {})
        up.setdefault("stabilizationWindowSeconds", 0)
        _rules(up, _policy("Pods", 4), _policy("Percent", 100))
        _rules(behavior.setdefault("scaleDown", {}), _policy("Percent", 100))
    document.setdefault("status", {}).setdefault("desiredReplicas", 0)


def _rules(rules: Document, *policies: Document) -> None:
    rules.setdefault("selectPolicy", "Max")
    rules.setdefault("policies", list(policies))


def _policy(kind: str, value: int) -> Document:
    return {"type": kind, "value": value, "periodSeconds": _PERIOD_S}
