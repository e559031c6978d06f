"""Which hosts a pod must be on: node selectors and required node affinity (pure).

Source: Kubernetes concepts, "Assigning Pods to Nodes".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

_NAME: Final = "metadata.name"

Terms = Sequence[Mapping[str, Any]]
"""`nodeSelectorTerms`: one that fits is enough."""


def required_terms(affinity: Mapping[str, Any] | None) -> Terms | None:
    """The terms of the required node affinity in a pod's `spec.affinity`; None without any."""
    required = ((affinity or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    return None if required is None else required.get("nodeSelectorTerms") or ()


def fits(terms: Terms | None, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a host is one that the terms allow."""
    if terms is None:
        return True
    return any(_term_fits(term, name, labels) for term in terms)


def _term_fits(term: Mapping[str, Any], name: str, labels: Mapping[str, str]) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False  # an empty term selects nothing
    return all(_holds(e, labels) for e in expressions) and all(
        _holds(field, {_NAME: name}) for field in fields
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression.get("key", "")), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            return _compares(operator, value, values)
    return False


def _compares(operator: str, value: str | None, values: Sequence[str]) -> bool:
    try:
        mine, bound = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return mine > bound if operator == "Gt" else mine < bound
