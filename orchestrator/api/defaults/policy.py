"""Defaults of PodDisruptionBudgets and PriorityClasses.

Source: Kubernetes pkg/apis/scheduling/v1 (SetDefaults_PriorityClass), pkg/registry/policy.
"""

from typing import Any

Document = dict[str, Any]


def default_budget(document: Document) -> None:
    """The counts are there from the start."""
    status = document.setdefault("status", {})
    for field in ("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"):
        status.setdefault(field, 0)


def default_priority_class(document: Document) -> None:
    """Pods of the class may take the place of others."""
    document.setdefault("value", 0)
    document.setdefault("preemptionPolicy", "PreemptLowerPriority")
