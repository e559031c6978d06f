"""ResourceQuotas and LimitRanges. Source: Kubernetes pkg/apis/core/validation."""

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.api import metadata
from orchestrator.api.amounts import Amount, read
from orchestrator.api.quota.scopes import SCOPES, requirements
from orchestrator.api.quota.usage import is_extended
from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.container import check_quantity

Document = dict[str, Any]

_COMPUTE: Final = frozenset({
    "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory",
})  # fmt: skip
_WHOLE: Final = frozenset({
    "configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas",
    "secrets", "services", "services.loadbalancers", "services.nodeports",
})  # fmt: skip
_STANDARD: Final = _COMPUTE | _WHOLE | {
    "ephemeral-storage", "limits.ephemeral-storage", "requests.ephemeral-storage",
    "requests.storage",
}  # fmt: skip
_EXISTS_ONLY: Final = frozenset({
    "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "Terminating",
})  # fmt: skip
_CONFLICTS: Final = (("BestEffort", "NotBestEffort"), ("NotTerminating", "Terminating"))
_EXISTS_WORDS: Final = (
    "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
    "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
    "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
_LIMIT_TYPES: Final = frozenset({"Container", "PersistentVolumeClaim", "Pod"})
_CONTAINER_RESOURCES: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_LIMIT_FIELDS: Final = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def validate_quota(faults: Faults, document: Document) -> None:
    """A ResourceQuota's spec."""
    spec = document.get("spec") or {}
    for name, value in (spec.get("hard") or {}).items():
        path = f"spec.hard[{name}]"
        _quota_name(faults, path, name)
        if check_quantity(faults, path, value) and (name in _WHOLE or is_extended(name)):
            _whole(faults, path, {name: value})
    _scopes(faults, spec)
    for index, expression in enumerate(
        (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    ):
        _expression(faults, f"spec.scopeSelector.matchExpressions[{index}]", expression, spec)
    selected = {one.get("scopeName") for one in requirements(spec)}
    if not spec.get("scopes") and any(selected.issuperset(pair) for pair in _CONFLICTS):
        faults.invalid(
            "spec.scopeSelector.matchExpressions", sorted(selected), "conflicting scopes"
        )


def validate_quota_update(faults: Faults, new: Document, old: Document) -> None:
    """A quota's scopes stay what they are."""
    after, before = ((d.get("spec") or {}).get("scopes") or [] for d in (new, old))
    if set(after) != set(before):
        faults.invalid("spec.scopes", after, "field is immutable")


def validate_limit_range(faults: Faults, document: Document) -> None:
    """A LimitRange's spec."""
    seen: set[str] = set()
    for index, limit in enumerate((document.get("spec") or {}).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", limit.get("type", "")
        _limit_type(faults, f"{path}.type", kind)
        if kind in seen:
            faults.duplicate(f"{path}.type", kind)
        seen.add(kind)
        readable = [_quantities(faults, path, limit, field) for field in _LIMIT_FIELDS]
        if all(readable):
            _limit(faults, path, limit)


def _limit(faults: Faults, path: str, limit: Document) -> None:
    if limit.get("type") == "Pod":
        for field in ("default", "defaultRequest"):
            if limit.get(field):
                faults.forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'")
    storage = "storage" in (limit.get("min") or {}) or "storage" in (limit.get("max") or {})
    if limit.get("type") == "PersistentVolumeClaim" and not storage:
        text = "either minimum or maximum storage value is required, but neither was provided"
        faults.required(f"{path}.limits", text)
    values = {field: read(limit.get(field)) for field in _LIMIT_FIELDS}
    for name in sorted({name for found in values.values() for name in found}):
        _order(faults, path, name, {f: found.get(name) for f, found in values.items()})


def _order(faults: Faults, path: str, name: str, values: Mapping[str, Amount | None]) -> None:
    """The bounds of one resource fit together: (lesser, its word, greater, its word, where)."""
    for lesser, word, greater, other, field in (
        ("min", "min value", "max", "max value", "min"),
        ("min", "min value", "defaultRequest", "default request value", "defaultRequest"),
        ("defaultRequest", "default request value", "max", "max value", "defaultRequest"),
        ("defaultRequest", "default request value", "default", "default limit value",
         "defaultRequest"),
        ("min", "min value", "default", "default value", "default"),
        ("default", "default value", "max", "max value", "default"),
    ):  # fmt: skip
        low, high = values[lesser], values[greater]
        if low is not None and high is not None and low.nanos > high.nanos:
            text = f"{word} {low} is greater than {other} {high}"
            faults.invalid(f"{path}.{field}[{name}]", str(values[field]), text)
    ratio, least, most = (values[field] for field in ("maxLimitRequestRatio", "min", "max"))
    if ratio is None:
        return
    here = f"{path}.maxLimitRequestRatio[{name}]"
    if ratio.nanos < 10**9:
        faults.invalid(here, str(ratio), f"ratio {ratio} is less than 1")
    if least and most and least.nanos and ratio.nanos * least.nanos > most.nanos * 10**9:
        widest = most.nanos / least.nanos
        faults.invalid(here, str(ratio), f"ratio {ratio} is greater than max/min = {widest:f}")


def _limit_type(faults: Faults, path: str, kind: str) -> None:
    wrong = metadata.is_qualified_name(kind)
    faults.check_words(path, kind, wrong)
    if not wrong and "/" not in kind and kind not in _LIMIT_TYPES:
        faults.invalid(path, kind, "must be a standard limit type or fully qualified")


def _quantities(faults: Faults, path: str, limit: Document, field: str) -> bool:
    fine = True
    for name, value in (limit.get(field) or {}).items():
        here = f"{path}.{field}[{name}]"
        wrong = metadata.is_qualified_name(name)
        faults.check_words(here, name, wrong)
        known = name in _CONTAINER_RESOURCES or name.startswith("hugepages-")
        if (
            not wrong
            and "/" not in name
            and limit.get("type") in {"Container", "Pod"}
            and not known
        ):
            faults.invalid(here, name, "must be a standard resource for containers")
        fine = check_quantity(faults, here, value) and fine
    return fine


def _quota_name(faults: Faults, path: str, name: str) -> None:
    wrong = metadata.is_qualified_name(name)
    faults.check_words(path, name, wrong)
    pages = name.removeprefix("requests.").startswith("hugepages-")
    if not wrong and "/" not in name and name not in _STANDARD and not pages:
        faults.invalid(path, name, "must be a standard resource for quota")


def _whole(faults: Faults, path: str, values: Document) -> None:
    for value in read(values).values():
        if value.nanos % 10**9:
            faults.invalid(path, str(value), "must be an integer")


def _scopes(faults: Faults, spec: Document) -> None:
    scopes = spec.get("scopes") or []
    for scope in scopes:
        _scope(faults, "spec.scopes", scope, scopes, spec)
    if any(set(scopes).issuperset(pair) for pair in _CONFLICTS):
        faults.invalid("spec.scopes", scopes, "conflicting scopes")


def _scope(faults: Faults, path: str, scope: str, shown: Any, spec: Document) -> None:
    if scope not in SCOPES:
        faults.invalid(path, shown, "unsupported scope")
        return
    for name in sorted(spec.get("hard") or {}):
        if name in _STANDARD and not _fits(scope, name):
            faults.invalid(path, shown, "unsupported scope applied to resource")


def _fits(scope: str, name: str) -> bool:
    if scope == "BestEffort":
        return name == "pods"
    if scope == "VolumeAttributesClass":
        return name in {"persistentvolumeclaims", "requests.storage"}
    return name == "pods" or name in _COMPUTE


def _expression(faults: Faults, path: str, expression: Document, spec: Document) -> None:
    scope, operator = expression.get("scopeName", ""), expression.get("operator", "")
    values = expression.get("values") or []
    _scope(faults, f"{path}.scopeName", scope, scope, spec)
    if scope in _EXISTS_ONLY and operator != "Exists":
        faults.invalid(f"{path}.operator", operator, _EXISTS_WORDS)
    elif operator in {"In", "NotIn"}:
        if not values:
            text = (
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            )
            faults.required(f"{path}.values", text)
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            text = (
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            )
            faults.invalid(f"{path}.values", values, text)
    else:
        faults.invalid(f"{path}.operator", operator, "not a valid selector operator")
