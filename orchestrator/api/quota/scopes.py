"""Which objects a quota counts: those that all its scopes match.

Source: Kubernetes concepts, "Resource Quotas", "Quota scopes".
"""

from typing import Any, Final

from orchestrator.api.defaults.pod import qos_class

Document = dict[str, Any]

SCOPES: Final = frozenset({
    "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass",
    "Terminating", "VolumeAttributesClass",
})  # fmt: skip


def counts(quota_spec: Document, resource: str, document: Document) -> bool:
    """Whether a quota counts an object; scopes are about pods (and one about claims) only."""
    expressions = requirements(quota_spec)
    if not expressions:
        return True
    if resource == "pods":
        return all(_pod_matches(expression, document) for expression in expressions)
    if resource == "persistentvolumeclaims":
        return all(_claim_matches(expression, document) for expression in expressions)
    return False


def requirements(quota_spec: Document) -> list[Document]:
    """A quota's scopes and its scope selector, as the selector's expressions."""
    plain = [{"scopeName": name, "operator": "Exists"} for name in quota_spec.get("scopes") or ()]
    selector = quota_spec.get("scopeSelector") or {}
    return [*plain, *(selector.get("matchExpressions") or ())]


def _pod_matches(expression: Document, pod: Document) -> bool:
    spec = pod.get("spec") or {}
    deadline = spec.get("activeDeadlineSeconds")
    match expression["scopeName"]:
        case "Terminating":
            return deadline is not None and deadline >= 0
        case "NotTerminating":
            return deadline is None or deadline < 0
        case "BestEffort":
            return qos_class(spec) == "BestEffort"
        case "NotBestEffort":
            return qos_class(spec) != "BestEffort"
        case "PriorityClass":
            return _selects(expression, spec.get("priorityClassName") or "")
        case "CrossNamespacePodAffinity":
            return _crosses_namespaces(spec.get("affinity") or {})
        case _:
            return False


def _claim_matches(expression: Document, claim: Document) -> bool:
    if expression["scopeName"] != "VolumeAttributesClass":
        return False
    return _selects(expression, (claim.get("spec") or {}).get("volumeAttributesClassName") or "")


def _selects(expression: Document, value: str) -> bool:
    match expression.get("operator"):
        case "In":
            return bool(value) and value in expression.get("values", ())
        case "NotIn":
            return value not in expression.get("values", ())
        case "Exists":
            return bool(value)
        case _:
            return not value


def _crosses_namespaces(affinity: Document) -> bool:
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        terms = list(rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        terms += [
            weighted.get("podAffinityTerm") or {}
            for weighted in rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        ]
        if any(term.get("namespaces") or "namespaceSelector" in term for term in terms):
            return True
    return False
