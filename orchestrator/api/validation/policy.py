"""PodDisruptionBudgets and PriorityClasses.

Source: Kubernetes pkg/apis/policy/validation, pkg/apis/scheduling/validation.
"""

import re
from typing import Any, Final

from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.meta import validate_selector

Document = dict[str, Any]

HIGHEST_USER_PRIORITY: Final = 1_000_000_000
SYSTEM_CLASSES: Final = {
    "system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000,
}  # fmt: skip
_SYSTEM_PREFIX: Final = "system-"
_EVICTIONS: Final = frozenset({"AlwaysAllow", "IfHealthyBudget"})
_PREEMPTIONS: Final = frozenset({"Never", "PreemptLowerPriority"})
_PERCENT: Final = re.compile(r"(\d+)%", re.ASCII)
_NO_PERCENT: Final = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
    "'93%', regex used for validation is '[0-9]+%')"
)


def validate_budget(faults: Faults, document: Document) -> None:
    """A PodDisruptionBudget's spec."""
    spec = document.get("spec") or {}
    bounds = [field for field in ("minAvailable", "maxUnavailable") if field in spec]
    if len(bounds) == 2:
        text = "minAvailable and maxUnavailable cannot be both set"
        faults.invalid("spec", {field: spec[field] for field in bounds}, text)
    for field in bounds:
        _bound(faults, f"spec.{field}", spec[field])
    if "selector" in spec:
        validate_selector(faults, "spec.selector", spec["selector"])
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _EVICTIONS:
        faults.unsupported("spec.unhealthyPodEvictionPolicy", policy, _EVICTIONS)


def validate_priority_class(faults: Faults, document: Document) -> None:
    """A PriorityClass."""
    name, value = document["metadata"].get("name", ""), document.get("value", 0)
    if name.startswith(_SYSTEM_PREFIX):
        if SYSTEM_CLASSES.get(name) != value:
            text = (
                "priority class names with 'system-' prefix are reserved for system use only. "
                "error: unknown or wrong system priority class"
            )
            faults.forbidden("metadata.name", text)
    elif value > HIGHEST_USER_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        faults.forbidden("value", text)
    policy = document.get("preemptionPolicy")
    if policy not in _PREEMPTIONS:
        faults.unsupported("preemptionPolicy", policy, _PREEMPTIONS)


def validate_priority_class_update(faults: Faults, new: Document, old: Document) -> None:
    """What pods were given already stays what it was."""
    if new.get("value") != old.get("value"):
        faults.forbidden("value", "may not be changed in an update.")
    faults.check_immutable(
        "preemptionPolicy", new.get("preemptionPolicy"), old.get("preemptionPolicy")
    )


def _bound(faults: Faults, path: str, value: int | str) -> None:
    if isinstance(value, int):
        faults.check_number(path, value)
        return
    found = _PERCENT.fullmatch(value)
    if found is None:
        faults.invalid(path, value, _NO_PERCENT)
    elif int(found[1]) > 100:
        faults.invalid(path, value, "must not be greater than 100%")
